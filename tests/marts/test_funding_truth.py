"""The marts on money equal what is counted here, without SQL, in the simulated population's accepted records."""

from collections import Counter
from datetime import date

import polars as pl
import pytest

from yuyan_demo.simulator import funding as books
from yuyan_demo.simulator import measures_funding as measures
from yuyan_demo.simulator.truth_table import CITY

pytestmark = pytest.mark.database
FISCAL, ALLOCATING = ["01", "05", "07"], ["01", "07"]


@pytest.fixture(scope="module")
def ledger(facts) -> pl.DataFrame:
    """The accepted ledger from 2022 to this year, every entry once for its institution and once for the city."""
    allocable = pl.col("fund_source_code").is_in(ALLOCATING) & pl.col("list_project_id").is_null()
    entries = facts["fund_ledger"].filter(pl.col("fiscal_year").is_between(2022, facts.as_of.year))
    entries = entries.with_columns(
        pl.col("fiscal_year").cast(pl.Int64),
        pl.when(pl.col("direction") == "IN").then("amount").otherwise(0.0).alias("income"),
        pl.when(pl.col("direction") == "OUT").then("amount").otherwise(0.0).alias("spending"),
    ).with_columns(
        pl.when(allocable).then("income").otherwise(0.0).alias("allocable"),
        pl.when(allocable & pl.col("is_performance_funded"))
        .then("income")
        .otherwise(0.0)
        .alias("performance"),
        pl.when(pl.col("list_project_id").is_not_null()).then("income").otherwise(0.0).alias("project"),
        pl.when(~pl.col("fund_source_code").is_in(FISCAL)).then("income").otherwise(0.0).alias("other"),
    )
    return pl.concat([entries, entries.with_columns(pl.lit(CITY).alias("inst"))])


def test_funding(marts, ledger):
    key = ["fiscal_year", "inst", "fund_source_code", "purpose_code"]
    sums = ledger.group_by(key).agg(
        pl.col("income", "spending", "allocable", "performance", "project").sum(), pl.len().alias("n")
    )
    theirs = {tuple(row[:4]): row[4:] for row in sums.iter_rows()}
    rows = marts.execute(
        "select fiscal_year, unit_code, fund_source_code, purpose_code, income_cny, spending_cny, allocable_cny, "
        "performance_cny, list_project_cny, entry_count from marts.funding"
    ).fetchall()
    ours = {tuple(row[:4]): row[4:] for row in rows}
    assert set(ours) == set(theirs)
    assert [k for k in ours if ours[k] != pytest.approx(theirs[k])] == []
    shares = marts.execute(
        "select sum(income_share), sum(spending_share) from marts.funding group by fiscal_year, unit_code"
    ).fetchall()
    assert {round(x, 9) for row in shares for x in row if x is not None} == {1.0}
    assert {k[2] for k in ours} >= {"01", "05", "07", "10", "12", "14", "15", "99"}
    assert {k[3] for k in ours} == set(books.SPENDING)


def test_funding_year(marts, facts, ledger):
    sums = ledger.group_by("fiscal_year", "inst").agg(
        pl.col("income", "spending", "other", "allocable", "performance", "project").sum()
    )
    money = {(year, inst): row for year, inst, *row in sums.iter_rows()}
    reports = {
        (int(year), inst): (on is not None, income, spending)
        for year, inst, on, income, spending in measures.last_reports(facts)
        .select("report_year", "inst_code", "submitted_on", "income_total", "expenditure_total")
        .iter_rows()
    }
    rows = marts.execute(
        "select fiscal_year, unit_code, income_cny, spending_cny, non_fiscal_cny, allocable_cny, performance_cny, "
        "list_project_cny, funding_state_code from marts.funding_year"
    ).fetchall()
    ours = {(year, unit): row for year, unit, *row in rows}
    units = facts["institution"]["inst_code"].to_list()
    assert set(ours) == {(y, u) for y in range(2022, facts.as_of.year + 1) for u in [CITY, *units]}
    states: dict[tuple, str] = {}
    for (year, unit), (*figures, state) in ours.items():
        expected = money.get((year, unit), [0.0] * 6)
        assert figures == pytest.approx(expected), (year, unit)
        if unit != CITY:
            there, income, spending = reports.get((year, unit), (False, None, None))
            known = there and None not in (income, spending)
            agrees = known and all(
                abs(said - held) <= 0.005 * said
                for said, held in zip((income, spending), expected[:2], strict=True)
            )
            states[year, unit] = "BALANCED" if agrees else "MISMATCH" if known else "NO-REPORT"
            assert state == states[year, unit], (year, unit)
    of_2025 = Counter(state for (year, _), state in states.items() if year == 2025)
    assert set(of_2025) == {"BALANCED", "MISMATCH", "NO-REPORT"}
    assert ours[2025, CITY][-1] == "MISMATCH"


def test_the_citys_grant_of_the_last_year_is_what_allocation_starts_from(marts):
    rows = marts.execute(
        "select inst_code, round(sum(allocable_cny)) from marts.funding "
        "where fiscal_year = 2025 and fund_source_code = '07' and inst_code is not null group by 1"
    ).fetchall()
    assert {inst: pytest.approx(amount, abs=2) for inst, amount in rows if amount} == books.grants()


def test_training_cost(marts, facts):
    costs = measures.training_costs(facts).filter(pl.col("fiscal_year").is_between(2022, facts.as_of.year))
    costs = costs.with_columns(pl.col("fiscal_year").cast(pl.Int64))
    both = pl.concat([costs, costs.with_columns(pl.lit(CITY).alias("inst"))])
    key = ["fiscal_year", "inst", "degree_level", "degree_type", "discipline"]
    documented, taught = pl.col("documented"), pl.col("documented") & (pl.col("fte") > 0)
    single = (pl.col("spent") / pl.col("fte")).filter(documented & (pl.col("n") >= 5))
    cells = both.group_by(key).agg(
        pl.len().alias("points"),
        pl.col("costed").sum(),
        documented.sum().alias("by_method"),
        pl.col("n").sum(),
        pl.col("fte").sum().round(2),
        pl.col("spent").filter(taught).sum().alias("cost"),
        pl.col("fte").filter(documented).sum().alias("among"),
        pl.col("n").filter(documented).sum().alias("persons"),
        single.quantile(0.1, "linear").alias("low"),
        single.quantile(0.9, "linear").alias("high"),
    )
    theirs = {}
    for *unit, points, costed, by_method, n, fte, cost, among, persons, low, high in cells.iter_rows():
        each = cost / among if persons >= 5 else None
        state = "DOCUMENTED" if by_method else "UNDOCUMENTED" if costed else "NOT-COSTED"
        theirs[tuple(unit)] = (points, costed, by_method, n, fte, each, low, high, 0 < persons < 5, state)
    rows = marts.execute(
        "select fiscal_year, unit_code, degree_level, degree_type, discipline_code, point_count, costed_point_count, "
        "documented_point_count, student_count, student_fte, cost_per_student_cny, cost_p10_cny, cost_p90_cny, "
        "is_small_cell, costing_state_code from marts.training_cost"
    ).fetchall()
    ours = {tuple(row[:5]): tuple(row[5:]) for row in rows}
    assert set(ours) == set(theirs)
    assert [(k, ours[k], theirs[k]) for k in ours if ours[k] != pytest.approx(theirs[k])] == []
    assert {row[-1] for row in ours.values()} == {"DOCUMENTED", "UNDOCUMENTED", "NOT-COSTED"}
    assert {row[-2] for row in ours.values()} == {True, False}


def test_every_planted_case_of_the_money_is_seen(marts):
    """The simulator's books say which states were planted where."""
    seen = {
        "training_cost": "select distinct unit_code, costing_state_code from marts.training_cost where fiscal_year = 2025",
        "funding_year": "select unit_code, funding_state_code from marts.funding_year where fiscal_year = 2025",
    }
    for mart, state, inst, _ in books.PLANTED:
        assert (inst, state) in marts.execute(seen[mart]).fetchall(), (mart, state, inst)


def test_few_students_hide_what_one_costs(marts):
    rows = marts.execute(
        "select count(*) from marts.training_cost where student_count < 5 "
        "and (training_spending_cny is not null or cost_per_student_cny is not null)"
    ).fetchone()
    assert rows == (0,)


def test_reports_and_platforms_of_the_last_year(marts, facts):
    """Late, missing, sent back, failed, quoting other figures: each is there once at least."""
    rows = marts.execute(
        "select inst_code, is_submitted, is_on_time, is_sampled, is_passed, is_digest_equal "
        "from star.fct_quality_report_year where report_year = 2025"
    ).fetchall()
    by_inst = {inst: flags for inst, *flags in rows}
    assert by_inst[books.NO_REPORT] == [False] * 5
    assert by_inst[books.LATE_REPORT][:2] == [True, False]
    assert by_inst[books.SENT_BACK][2:4] == [True, True]
    assert by_inst[books.FAILED_SAMPLE][2:4] == [True, False]
    assert [i for i, flags in by_inst.items() if flags[0] and not flags[4]] != []
    covers = dict(
        marts.execute(
            "select inst_code, is_whole_process from star.fct_platform_year where calendar_year = 2026"
        )
    )
    assert covers[books.NO_PLATFORM] is False
    assert True in covers.values()
    assert facts.as_of > date(2026, 3, 31)
