"""What makes a copy of a record another record: values that no two records share, besides record id and simple key.

A planted copy differs from its template in these fields, so that it breaks what it is planted for and nothing else.
"""

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np

from yuyan.domain import contracts
from yuyan_demo.simulator.columns import USCC_LETTERS, cert_check, uscc_numbers

Row = dict[str, Any]
Change = dict[str, str | Callable[[Row], str | None] | None]


def tail(row: Row, n: int) -> str:
    """The last letters of the record id, which no other planted record of the entity has."""
    return row["src_record_id"][-n:]


def right_check(row: Row) -> str:
    """A credit code that nobody has and whose check character is right."""
    return uscc_numbers("91", ["500000"], np.array([10_000_000 + _number(row)])).item()


def wrong_check(row: Row) -> str:
    """A credit code whose check character is the one after the right one."""
    right = right_check(row)
    return right[:-1] + USCC_LETTERS[(USCC_LETTERS.index(right[-1]) + 1) % 31]


def _number(row: Row) -> int:
    """A number that no other planted record has."""
    return int(tail(row, 9))


def _discipline(row: Row) -> str:
    """A first-level discipline of the record's degree type."""
    professional = row["degree_type"] == "2"
    codes = sorted(contracts.code_sets()["discipline"])
    fitting = [c for c in codes if len(c) == 4 and (c[2] in "56") == professional]
    return fitting[_number(row) % len(fitting)]


def _institution(row: Row) -> str:
    """A code of the range that fits the affiliation."""
    return f"{ {'30': 8, '40': 9, '50': 8}.get(row['affiliation_code'], 1) }8{tail(row, 3)}"


def _person(row: Row, kind: str) -> str:
    """A certificate number that nobody has."""
    return resident(row, f"50010{kind}", 1995)


def resident(row: Row, region: str, year: int) -> str:
    """A resident identity number of a region that follows from the record's id, born in the year or the two after it."""
    n = int(tail(row, 6))
    born = np.datetime64(f"{year + n // 365_000}-01-01") + n // 1000 % 365
    body = f"{region}{str(born).replace('-', '')}{n % 1000:03d}"
    return body + cert_check(np.array([[int(c) for c in body]])).tobytes().decode()


def _past(row: Row) -> str:
    """A year long ago that hardly any other planted record has."""
    return str(1000 + _number(row) % 900)


def _edition(row: Row) -> int:
    """A year before there were editions."""
    return 1950 + _number(row) % 60


def _long_ago(row: Row) -> str:
    """A day of the last century, so that the record overlaps with none."""
    return str(np.datetime64("1960-01-01") + _number(row) % 14_000)


def _lately(row: Row) -> str:
    """A day of the last years that hardly any other record has."""
    return str(np.datetime64("2023-01-01") + _number(row) % 1_300)


FRESH: dict[str, Change] = {
    "achievement": {
        "canonical_id": lambda r: f"CQ-X{_number(r)}",
        "lead_inst_code": lambda r: r["src_inst_code"],
        "share": "1.0000",
    },
    "admission": {"cert_no": lambda r: _person(r, "1"), "registered": "false"},
    "admission_plan": {"revision_no": lambda r: str(10 + _number(r))},
    "cluster_reference": {"edition": lambda r: f"2015-{_number(r)}"},
    "commissioned_project": {
        "contract_no_digest": lambda r: hashlib.sha256(r["src_record_id"].encode()).hexdigest()
    },
    "commissioned_receipt": {"amount": lambda r: f"0.{10 + _number(r) % 90}"},
    "course_degree_point": {"from_on": _lately, "to_on": _lately},
    "course_evaluation": {"instrument_version": lambda r: f"V0-{_number(r)}"},
    "degree_point": {
        "degree_level": "3",
        "status_code": "10",
        "discipline_code": _discipline,
        "degree_point_id": lambda r: f"{r['inst_code']}-3-{r['degree_type']}-{_discipline(r)}",
    },
    "evaluation_result": {"eval_round": lambda r: f"X{_number(r)}"},
    "accountability_case": {"trigger_code": "W03", "trigger_ref": None},
    "enterprise": {"uscc": right_check, "org_kind": "10", "name": lambda r: f"模拟新设企业{_number(r)}"},
    "degree_point_event": {
        "event_type": "41",
        "event_on": lambda r: str(np.datetime64("2026-07-25") + _number(r) % 80),
        "urgent_list_id": None,
    },
    "construction_plan": {
        "cycle_label": lambda r: f"{1000 + _number(r) % 1000}-2029",
        "filed_on": "2026-06-10",
    },
    "degree_point_application": {
        "cycle_label": lambda r: f"{1000 + _number(r) % 1000}-2029",
        "plan_item_id": None,
    },
    "discipline_cluster_map": {
        "programme_code": lambda r: f"{r['discipline_code'][:4]}{_number(r) % 100:02d}"
    },
    "digital_capability": {"report_year": _past},
    "fund_ledger": {"amount": lambda r: f"0.{10 + _number(r) % 90}"},
    "institution": {"inst_code": _institution, "uscc": right_check},
    "list_item": {"doc_version": lambda r: f"2015-{_number(r)}"},
    "mentor_pool_entry": {
        "entered_on": _long_ago,
        "exited_on": _long_ago,
        "exit_reason_code": "10",
    },
    "quality_report": {
        "report_year": _past,
        "due_on": lambda r: f"{int(_past(r)) + 1}-03-31",
        "version_no": lambda r: str(_number(r) % 100_000),
        "income_total": None,
        "expenditure_total": None,
    },
    "resource_input": {"fiscal_year": _past},
    "talent_demand": {"issuing_dept": lambda r: f"模拟部门{_number(r)}"},
    "team_member": {"from_on": _long_ago, "to_on": _long_ago},
    "thesis_sampling": {
        "authority_code": "3",
        "stratum_code": lambda r: f"X{tail(r, 6)}",
        "verdict_code": "0",
        "verdict_on": None,
        "appeal_state": "00",
    },
    "thesis_sampling_review": {"cert_no": lambda r: resident(r, "500101", 1965)},
    "org_unit": {"unit_code": lambda r: f"9X{tail(r, 6)}"},
    "student": {"cert_no": lambda r: _person(r, "2")},
    "student_status_event": {"event_type": "24", "to_programme_id": None},
    "supervisor": {"cert_no": lambda r: _person(r, "3")},
    "urgent_discipline_list": {
        "edition_year": lambda r: str(_edition(r)),
        "published_on": lambda r: f"{_edition(r)}-12-20",
        "valid_from": lambda r: f"{_edition(r) + 1}-01-01",
        "valid_to": None,
    },
}
"""Per entity the fields that a copy gets values of its own in; a function sees the copy with its new record id and key."""


def renew(entity: str, row: Row) -> Row:
    """The copy with values of its own."""
    changes = FRESH.get(entity, {})
    return row | {name: value(row) if callable(value) else value for name, value in changes.items()}


def renew_but_key(entity: str, row: Row) -> Row:
    """A second record of one natural key, with values of its own in other fields that do not follow from the key."""
    key = contracts.load()[entity].key
    return row if set(key) & set(FRESH.get(entity, {})) else renew(entity, row)
