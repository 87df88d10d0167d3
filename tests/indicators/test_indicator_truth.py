"""Every numerator and denominator of a simulated city equals what the simulator computes from its own population."""

import polars as pl
import pytest

from support import evaluate
from yuyan.domain import indicators
from yuyan_demo.simulator import truth

pytestmark = pytest.mark.database

KEY = ["variant_code", "grain", "unit_code", "period_code"]
FIGURES = ["numerator", "denominator"]
EVIDENCE_GAP = "H12g"


@pytest.fixture
def published(warehouse_of_city) -> pl.DataFrame:
    """marts.indicator_value: key, numerator, denominator, value."""
    cursor = warehouse_of_city.execute(
        f"select {', '.join([*KEY, *FIGURES])}, value, status_code from marts.indicator_value"
    )
    schema = (
        dict.fromkeys(KEY, pl.String)
        | dict.fromkeys([*FIGURES, "value"], pl.Float64)
        | {"status_code": pl.String}
    )
    return pl.DataFrame(cursor.fetchall(), schema=schema, orient="row")


def test_every_figure_is_the_simulators_own(published, simulated_city):
    expected = truth.indicators(simulated_city)
    assert set(published.select(KEY).rows()) == set(expected.select(KEY).rows())
    assert len(published) == len(expected) > 0
    both = published.join(expected, on=KEY, suffix="_true")
    for figure in FIGURES:
        ours, theirs = pl.col(figure), pl.col(f"{figure}_true")
        near = (ours - theirs).abs() <= 1e-9 * pl.max_horizontal(ours.abs(), theirs.abs())
        same = (ours.is_null() & theirs.is_null()) | near.fill_null(False)
        different = both.filter(~same)
        assert different.select(*KEY, figure, f"{figure}_true").rows() == []


def test_the_second_evaluator_counts_the_same_of_every_variant(warehouse_of_city, simulated_city):
    """Every indicator, also one without a truth of its own: its file on data frames, against the SQL compiled from it."""
    facts = indicators.facts()
    frames = {}
    for fact in {*(v.fact for v in indicators.variants()), "bridge_key_cluster"}:
        floats = {c for c, kind in facts[fact].items() if isinstance(evaluate.kind(kind), pl.Decimal)}
        columns = ", ".join(f"{c}::float8" if c in floats else c for c in facts[fact])
        types = {c: pl.Float64 if c in floats else evaluate.kind(kind) for c, kind in facts[fact].items()}
        rows = warehouse_of_city.execute(f"select {columns} from star.{fact}").fetchall()
        frames[fact] = pl.DataFrame(rows, schema=types, orient="row")
    evaluator = evaluate.Evaluator(
        frames, str(simulated_city.as_of), range(2016, simulated_city.as_of.year + 1)
    )
    expected = evaluator.rows(indicators.variants())

    key = [*KEY, "definition_version"]
    counted = pl.DataFrame(
        warehouse_of_city.execute(
            f"select {', '.join(key)}, numerator, denominator from indicators.ind_counted "
            "where period_code is not null"
        ).fetchall(),
        schema={
            **dict.fromkeys(KEY, pl.String),
            "definition_version": pl.Int64,
            **dict.fromkeys(FIGURES, pl.Float64),
        },
        orient="row",
    )
    growth = [v.code for v in indicators.variants() if v.kind in ("growth", "cagr")]
    first = {v.code: int(v.row["first_year"]) for v in indicators.variants()}
    published = pl.col("period_code").str.slice(0, 4).cast(pl.Int64) >= pl.col("variant_code").replace_strict(
        first
    )
    ours, theirs = (f.filter(published | ~pl.col("variant_code").is_in(growth)) for f in (counted, expected))
    assert set(ours.select(key).rows()) == set(theirs.select(key).rows())
    assert set(ours["variant_code"]) >= {v.code for v in indicators.variants()} - {EVIDENCE_GAP}
    both = ours.join(theirs, on=key, suffix="_true")
    for figure in FIGURES:
        a, b = pl.col(figure), pl.col(f"{figure}_true")
        near = (a - b).abs() <= 1e-9 * pl.max_horizontal(a.abs(), b.abs())
        different = both.filter(~((a.is_null() & b.is_null()) | near.fill_null(False)))
        assert different.select(*key, figure, f"{figure}_true").rows() == []


def test_every_variant_is_counted_at_the_grains_of_the_registry(published, warehouse_of_city):
    registered = warehouse_of_city.execute(
        "select variant_code, unnest(string_to_array(grains, ';')) from plan.indicator"
    ).fetchall()
    assert set(published.select("variant_code", "grain").rows()) == set(registered)
    units = warehouse_of_city.execute("select grain from plan.grain").fetchall()
    assert {g for _, g in registered} == {g for (g,) in units}


def test_the_city_is_large_enough_to_tell_formulas_apart(published):
    counted = published.filter((pl.col("grain") == "city") & (pl.col("numerator") != 0))
    assert set(published["variant_code"]) - set(counted["variant_code"]) <= {EVIDENCE_GAP}
    sums = counted.select("variant_code", "period_code", "numerator")
    pairs = {
        tuple(g["numerator"].to_list())
        for _, g in sums.sort("period_code").group_by("variant_code", maintain_order=True)
    }
    # variants that count alike would hide a confusion of two formulas
    assert len(pairs) > 0.7 * counted["variant_code"].n_unique()


def test_finer_units_are_named_and_belong_to_their_institution(warehouse_of_city):
    rows = warehouse_of_city.execute(
        "select grain, unit_code, unit_name_zh, unit_name_en, inst_code from indicators.ind_unit "
        "where (grain, unit_code) in (select grain, unit_code from marts.indicator_value)"
    ).fetchall()
    names = {(grain, unit): (zh, en, inst) for grain, unit, zh, en, inst in rows}
    assert len(names) == len(rows)
    assert names["city", "500000"] == ("重庆市", "Chongqing", None)
    assert names["level_type", "1-1"] == ("学术学位博士", "Academic doctor", None)
    assert names["category", "08"] == ("工学", "Engineering", None)
    assert names["cluster", "L01"][1] == "Intelligent connected new energy vehicles"
    for (grain, unit), (_, _, inst) in names.items():
        assert inst == (unit[:5] if grain.startswith("institution") or grain == "degree_point" else None)


def test_the_scorecard_has_every_indicator_of_the_registry(warehouse_of_city):
    rows = warehouse_of_city.execute(
        "select indicator_code, value, status_code, status_zh from marts.target_scorecard order by 1"
    ).fetchall()
    assert [r[0] for r in rows] == list(indicators.load())
    assert {f"H{n:02d}" for n in range(1, 16)} <= {r[0] for r in rows}
    assert [r[0] for r in rows if r[1] is None] == ["H05"]  # its base year is not compared with itself
    assert {r[2] for r in rows} <= {"BLUE", "GREEN", "AMBER", "RED", "GREY"}


def test_tables_and_columns_carry_their_comments(warehouse_of_city):
    missing = warehouse_of_city.execute(
        "select table_schema, table_name, column_name from information_schema.columns c "
        "where table_schema in ('indicators', 'marts') and col_description("
        "format('%I.%I', table_schema, table_name)::regclass, ordinal_position) is null"
    ).fetchall()
    assert missing == []
