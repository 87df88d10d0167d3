"""Every rule has a record that passes it and one that breaks it, and a broken record breaks its own rules and no others."""

import zlib
from dataclasses import replace
from pathlib import Path

import broken
import psycopg
import pytest
from small_world import SOUND

from yuyan.domain import catalogue, contracts, institutions, macros
from yuyan.suppliers import kit
from yuyan.suppliers.deliver.rules import judge
from yuyan.suppliers.deliver.tables import Row
from yuyan.suppliers.deliver.values import record
from yuyan_demo.runtime import postgres
from yuyan_demo.simulator import defects_structural

pytestmark = pytest.mark.database

COMPARED = {
    "QR.student.left_on.13": "入学日期 2024-09-01",
    "QR.student.degree_level.18": "学籍编号 10611X1；学籍 10611-r1：学位层次 2",
    "QR.commissioned_receipt.received_on.12": "项目编号 CP1；企事业委托项目 10611-r1：签订日期 2022-03-01",
    "QR.commissioned_project.contract_no_digest.15": "单位代码 10611；企事业委托项目 10611-r1",
    "QR.commissioned_project.contract_amount.24": "项目编号 CP4；企事业委托项目 10611-c4：合同金额（元） 500000.00",
    "QR.commissioned_project.pi_supervisor_id.20": "单位代码 10635；导师 10611 的记录",  # of another university
    "QR.employer_survey.design_weight.16": None,
}
"""What a rule compared its broken record with: the other date, the old level, a parent's date, the twin, the old figure."""


def _rules() -> list[catalogue.Rule]:
    return [r for rules in catalogue.load().rules.values() for r in rules]


def test_every_business_rule_has_a_case():
    assert broken.CASES
    assert sorted(r.rule_id for r in _rules() if r.is_business and not r.break_) == [], (
        "add break: to the rule"
    )


def test_every_rule_has_a_record_that_passes_and_each_broken_one_is_found_by_its_rules_and_no_others(raw):
    """Sound records first, then all cases in one run."""
    raw.put(*broken.sound(raw))
    raw.judge("sound")
    assert raw.failures() == {}
    passed = raw.rows(
        "select rule_id from quality.result group by rule_id having sum(eligible - failed - unverifiable) > 0"
    )
    never_eligible = {
        f"QR.{entity}.src_record_id.{number}" for entity in catalogue.load().rules for number in (8, 9)
    }
    assert {r.rule_id for r in _rules()} - {rule_id for (rule_id,) in passed} == never_eligible
    expected: dict[tuple[str, str], set[str]] = {}
    rows = []
    for rule_id, how, row in broken.business(raw):
        entity = row["entity"]
        rows += [row, *(other for more in how.with_ for other in broken.records(raw, more))]
        also = {f"QR.{entity}.{name}" for name in how.also}
        expected.setdefault((entity, row["src_record_id"]), set()).update({rule_id} | also)
        for other, rules in how.others.items():
            at = tuple(other.split("/"))
            expected.setdefault(at, set()).update(f"QR.{at[0]}.{name}" for name in rules)
    raw.put(*rows)
    raw.judge("broken")
    found = raw.failures()
    # what a case breaks elsewhere: the student that jumped is still there in its last good version, so nothing
    assert {k: v for k, v in found.items() if k not in expected} == {}
    unlike = {
        k: (found.get(k, set()), rules) for k, rules in expected.items() if found.get(k, set()) != rules
    }
    assert unlike == {}, "found, expected"
    severities = {r.rule_id: r.severity for r in _rules()}
    assert {r for r in severities if severities[r] in ("WARN", "INFO")} == {
        rule_id
        for (rule_id,) in raw.rows(
            "select distinct rule_id from quality.row_failure where severity in ('WARN', 'INFO')"
        )
    }
    compared = dict(
        raw.rows(
            "select rule_id, max(compared_with) from quality.row_failure group by rule_id order by rule_id"
        )
    )
    for rule_id, said in COMPARED.items():
        assert compared[rule_id] == said
    blocked = {k for k, rules in expected.items() if any(severities[r] == "ERROR" for r in rules)}
    assert raw.quarantine() == blocked
    assert pseudonyms_in(raw, "quality") == []
    personal = (
        "select distinct observed_value from quality.row_failure where column_name ~ '(person|expert)_key'"
    )
    assert contracts.HIDDEN in {value for (value,) in raw.rows(personal)}


def pseudonyms_in(raw, schema: str) -> list[str]:
    """Tables of the schema in which a pseudonym of a person stands that some source delivered."""
    held = " union ".join(
        f"select {name} as key from raw.{entity} where length({name}) > 8"
        for entity, contract in contracts.load().items()
        for name in sorted(contract.personal & {f.name for f in contract.columns})
    )
    keys = {key for (key,) in raw.rows(held)}
    assert len(keys) > 10
    tables = raw.rows("select table_name from information_schema.tables where table_schema = %s", schema)
    texts = (
        (table, text)
        for (table,) in tables
        for (text,) in raw.rows(f"select t::text from {schema}.{table} t")
    )
    return sorted({table for table, text in texts if any(key in text for key in keys)})


def test_every_structural_rule_finds_a_record_that_breaks_it(raw):
    raw.put(*(raw.version(e) for e in SOUND))
    rows = list(broken.structural(raw))
    rules = {(row["entity"], row["src_record_id"]): rule_id for rule_id, row in rows}
    raw.put(*(row for _, row in rows))
    raw.judge("broken")
    found = raw.failures()
    assert {k: rule for k, rule in rules.items() if rule not in found.get(k, ())} == {}
    structural = {r.rule_id for r in _rules() if not r.is_business}
    assert structural - set(rules.values()) == set(defects_structural.unplantable())
    assert said_by_the_kit([*(raw.version(e) for e in SOUND), *(row for _, row in rows)]) == said_by_the_line(
        raw
    )


def said_by_the_line(raw) -> set[tuple[str, ...]]:
    """(record id, rule, what it saw, message, remedy) of findings that a deliverer can make, too."""
    return {
        row
        for row in raw.rows(
            "select f.src_record_id, f.rule_id, f.observed_value, r.message, r.fix from quality.row_failure f "
            "inner join quality.rule r using (rule_id) where r.is_current"
        )
        if int(row[1].rsplit(".", 1)[1]) in kit.JUDGED
    }


def said_by_the_kit(rows: list[dict]) -> set[tuple[str, ...]]:
    """The same of the deliverer's kits of the university and of the commission that supply these records."""
    found = set()
    for source, model in (("10611", "10655"), ("50000", "50000")):
        sender = replace(institutions.load()[model], inst_code=source)
        facts = kit.facts(sender)
        for name, entity in facts["entities"].items():
            given = [row for row in rows if (row["entity"], row["src_inst_code"]) == (name, source)]
            read = [_as_delivered(row, entity, facts) for row in given]
            found |= {
                (f.row.record_id, f.rule["rule_id"], f.observed, f.rule["message"], f.rule["fix"])
                for f in judge(entity, read, facts)
            }
    return found


def _as_delivered(row: dict, entity: dict, facts: dict) -> Row:
    """The record as the kit has read it; the small world is not normalised, and its certificate numbers are short words."""
    columns = {f["name"]: column for f in entity["fields"] for column, *_ in f.get("parts") or ()}
    cells = {name: row[name] or "" for name in columns}
    for number in (f["name"] for f in entity["fields"] if f.get("becomes")):
        cells["cert_type"] = "99"
        if cells[number] not in ("", "无"):
            cells[number] = f"NO{zlib.crc32(cells[number].encode())}"
    cells = {columns[name]: cell for name, cell in cells.items()}
    values = {n: row.get(n, v) or v for n, v in record(cells, entity, facts["formats"]).items()}
    parts = [values[name] for name in entity["key"]]
    return Row(0, 0, row["src_record_id"], cells, values, None if None in parts else "|".join(parts))


def test_the_check_character_of_the_unified_credit_code(raw):
    codes = {
        "91350100M000100Y43": True,  # the standard's own example
        "91500000202818928C": True,
        "91500000202818928D": False,
        "91500000202818982C": False,  # two digits swapped
        "9150000020281892IC": False,  # I is not of the alphabet
        "9150000020281892C": False,
        "": False,
    }
    judged = raw.rows("select code, judging.valid_uscc(code) from unnest(%s::text[]) code", list(codes))
    assert dict(judged) == codes


def test_known_regions_are_provinces_and_the_districts_of_chongqing_old_ones_included(pg_home):
    codes = {
        "500000": True,
        "500106": True,
        "500105": True,  # abolished in 2025
        "500199": False,
        "110108": True,
        "510000": True,
        "810000": True,
        "990000": False,
        "11": False,
        "50": False,
    }
    assert _macro(pg_home, "{known_region:code}", codes) == codes


def test_the_type_of_a_discipline_comes_from_the_catalogue(pg_home):
    codes = {"0802": "1", "0854": "2", "1401": "1", "0852": "2", "1305": "1", "08": None, "9999": None}
    assert _macro(pg_home, "{discipline_type:code}", codes) == codes


def _macro(pg_home: Path, macro: str, codes: dict) -> dict:
    """Code -> value of the macro."""
    with psycopg.connect(postgres.dsn(pg_home)) as connection:
        query = f"select r.code, {macros.expand_reference(macro)} from unnest(%s::text[]) r(code)"
        return dict(connection.execute(query, [list(codes)]).fetchall())
