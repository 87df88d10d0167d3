"""Every business rule and every kind of structural rule: one record that breaks it, and it alone."""

from pathlib import Path

import psycopg
import pytest
import yaml
from small_world import SOUND

from yuyan import contracts
from yuyan.runtime import postgres
from yuyan.validate import catalogue, macros, run

pytestmark = pytest.mark.database

BREAKS = yaml.safe_load(Path(__file__).with_name("breaks.yml").read_text(encoding="utf-8"))
LONG = "长" * 400


def test_every_business_rule_has_a_case():
    business = {
        r.rule_id
        for rules in catalogue.load().rules.values()
        for r in rules
        if int(r.rule_id.rsplit(".", 1)[1]) >= 11
    }
    assert business <= set(BREAKS)


def test_each_broken_record_is_found_by_its_rules_and_no_others(raw):
    """Sound records first (and the students, theses and institution that the cases need), then all cases in one run."""
    needed = [raw.version("student", f"n{i}", student_id=f"10611X{i}") for i in range(2, 7)]
    needed += [raw.version("student", "n9", student_id="10611Y1", status_code="10", left_on=None)]
    needed += [
        raw.version("thesis", f"n{i}", thesis_id=f"T{i}", student_id=f"10611X{i}") for i in range(2, 7)
    ]
    needed += [raw.version("institution", "n1", inst_code="10635")]
    raw.put(*(raw.version(e) for e in SOUND), *needed)
    raw.judge("sound")
    assert raw.failures() == {}
    expected: dict[tuple[str, str], set[str]] = {}
    cases = []
    for number, (rule_id, case) in enumerate(BREAKS.items()):
        entity = rule_id.split(".")[1]
        record = case.get("record", f"x{number:03d}")
        key = {} if "record" in case else _new_key(entity, number)
        cases.append(raw.version(entity, record, **(key | _changes(case))))
        expected[entity, record] = {rule_id, *case.get("also", [])}
    raw.put(*cases)
    raw.judge("broken")
    found = raw.failures()
    # what a case breaks elsewhere: the student that jumped is still there in its last good version, so nothing
    assert {k: v for k, v in found.items() if k not in expected} == {}
    assert {k: found.get(k, set()) for k in expected} == expected
    severities = dict(raw.rows("select distinct rule_id, severity from quality.row_failure"))
    assert {r for r, s in severities.items() if s == "WARN"} == {
        r.rule_id for rules in catalogue.load().rules.values() for r in rules if r.severity == "WARN"
    }
    blocked = {k for k, rules in expected.items() if any(severities[r] == "ERROR" for r in rules)}
    assert raw.quarantine() == blocked


def _changes(case: dict) -> dict:
    return {
        k: v.replace("LONG", LONG) if isinstance(v, str) else v and str(v) for k, v in case["changes"].items()
    }


def _new_key(entity: str, number: int) -> dict[str, str]:
    """A fresh natural key for entities whose key is one free text."""
    key = contracts.load()[entity].key
    return (
        {key[0]: f"N{number}"}
        if len(key) == 1 and entity not in ("institution", "enterprise", "degree_point")
        else {}
    )


def test_the_check_character_of_the_unified_credit_code(raw):
    raw.connection.execute(Path(run.__file__).with_name("structure.sql").read_text(encoding="utf-8"))
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
    codes = {"0802": "1", "0854": "2", "1401": "1", "08": None, "9999": None}
    assert _macro(pg_home, "{discipline_type:code}", codes) == codes


def _macro(pg_home: Path, macro: str, codes: dict) -> dict:
    """Code -> value of the macro."""
    with psycopg.connect(postgres.dsn(pg_home)) as connection:
        query = f"select r.code, {macros.expand_reference(macro)} from unnest(%s::text[]) r(code)"
        return dict(connection.execute(query, [list(codes)]).fetchall())
