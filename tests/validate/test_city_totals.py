"""One record that makes too much of the city's total waits for a decision; a sound first load and a young year do not."""

from datetime import timedelta

import pytest

from support import fill
from yuyan import settings
from yuyan.decisions import overrides
from yuyan.decisions.problems import PROBLEMS
from yuyan.domain import catalogue, indicators
from yuyan.validate.reconcile import reconcile

pytestmark = pytest.mark.database

RULE = "QR.talent_demand.headcount.19"
YEARS = (2023, 2024, 2025)
EACH, ROWS = 10_000, 30
"""A usual year comes to 300,000, so that a record of more than 30,000 waits."""


def demand(raw, record: str, year: int, headcount: int) -> dict:
    return raw.version(
        "talent_demand",
        record,
        demand_id=record,
        demand_year=str(year),
        published_on=f"{year}-03-01",
        issuing_dept=f"部门{record}",
        headcount=str(headcount),
    )


def usual(raw) -> list[dict]:
    return [demand(raw, f"{year}-{n}", year, EACH) for year in YEARS for n in range(ROWS)]


def judge(raw, number: int) -> set[str]:
    """Judge; returns the records that wait."""
    raw.connection.execute(
        "insert into ops.run (run_id, kind, as_of) values (%s, 'warehouse', %s) on conflict do nothing",
        [f"run-{number}", fill.AS_OF],
    )
    raw.judge(f"run-{number}", ["talent_demand"])
    assert reconcile(f"run-{number}") > 0
    open_rows = raw.rows("select src_record_id, rule_ids from quality.quarantine where state = 'open'")
    assert all(rules == [RULE] for _, rules in open_rows)
    return {record for record, _ in open_rows}


def test_what_waits_and_what_does_not(raw):
    """Sound: a first load, the first record of a young year or of a stray one, a small record that is all there is."""
    raw.put(demand(raw, "only", 2026, 5_000))
    assert judge(raw, 1) == set()
    raw.put(*usual(raw), demand(raw, "young", 2026, 30_000), demand(raw, "stray", 2009, 9))
    assert judge(raw, 2) == set()
    # a wild record neither hides itself nor another of its year
    raw.put(demand(raw, "wild", 2024, 9_000_000), demand(raw, "large", 2024, 40_000))
    assert judge(raw, 3) == {"wild", "large"}
    raw.put(demand(raw, "wild", 2024, 9_000))
    assert judge(raw, 4) == {"large"}
    assert raw.judge("run-5", ["talent_demand"])["talent_demand"]["judged"] == 1, "what waits, nothing else"
    # the commission lets it pass
    ((number,),) = raw.rows("select problem_id from quality.problem where rule_id = %s", RULE)
    last = fill.AS_OF + timedelta(days=30)
    overrides.request(raw.connection, number, "jw-data-1", 1, "确属事实", last, fill.AS_OF)
    overrides.decide(raw.connection, number, "jw-data-2", True, "属实", fill.AS_OF)
    assert judge(raw, 6) == set()
    assert PROBLEMS.get(raw.connection, number).state == "overridden"


def test_limits_move_with_the_city(raw):
    """What waited because its year was young is released when the others come; what was accepted waits when they go."""
    raw.put(*usual(raw), demand(raw, "early", 2026, 40_000))
    assert judge(raw, 1) == {"early"}
    raw.put(*(demand(raw, f"2026-{n}", 2026, EACH) for n in range(40)))
    assert judge(raw, 2) == set()
    assert raw.rows("select src_record_id, reason from quality.release") == [("early", "healed")]
    raw.put(raw.version("talent_demand", "2026-1", deleted=True))
    assert judge(raw, 3) == {"early"}
    assert "early" not in raw.accepted("talent_demand")


def test_a_bad_rule_is_refused_with_its_line(tmp_path):
    good = (settings.EXPECTATIONS / "talent_demand.yml").read_text(encoding="utf-8")
    for found, wrong, said in (
        (
            "by: demand_year, percent",
            "by: somewhere, percent",
            "single_row: by: 'somewhere' is no date or year",
        ),
        ("percent: 10", "percent: 100", "less than 100"),
        ("    single_row:", "    assert: 'true'\n    single_row:", "follows from single_row"),
    ):
        (tmp_path / "talent_demand.yml").write_text(good.replace(found, wrong, 1), encoding="utf-8")
        with pytest.raises(catalogue.RuleError, match=said) as refused:
            catalogue.load(tmp_path)
        assert "talent_demand.yml:" in str(refused.value)


def test_documents_name_every_indicator_that_one_row_can_move():
    """Indicators that add up a figure of their records, whatever it is: docs/data-quality.md says by how much."""
    text = (settings.PROJECT / "docs" / "data-quality.md").read_text(encoding="utf-8")
    section = text.split("### What a single row can still move")[1].split("\n## ")[0]
    named = {
        line.split("|")[1].strip().split(" ")[0] for line in section.splitlines() if line.startswith("|")
    }
    adding = {
        code
        for code, one in indicators.load().items()
        if any(measure.amount for measure in one.measures.values())
    }
    assert adding
    assert sorted(adding - named) == [], (
        "add a line to that table: what holds a row, and how much one can move"
    )
