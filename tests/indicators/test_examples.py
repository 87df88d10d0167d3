"""The examples of every indicator, by the SQL compiled from its file and by the second evaluator; compared exactly."""

import csv
import io
import secrets

import psycopg
import pytest

from support import evaluate
from yuyan.domain import indicators
from yuyan.domain.indicators import Example, Indicator, counting_models, dbt_files
from yuyan_demo.runtime import postgres

EXAMPLES = [
    pytest.param(indicator, example, id=f"{indicator.code}-{n}")
    for indicator in indicators.load().values()
    for n, example in enumerate(indicator.examples, 1)
]
Row = tuple[str, int, str, str, str, float, float | None]
"""Variant, version, grain, unit, period, numerator, denominator."""


@pytest.fixture(scope="module")
def database(pg_home) -> psycopg.Connection:
    """An empty database; what an example makes in it is rolled back."""
    name = f"examples_{secrets.token_hex(4)}"
    dsn = postgres.create_database(pg_home, name)
    with psycopg.connect(dsn) as connection:
        yield connection
    with psycopg.connect(postgres.dsn(pg_home), autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")


def expected(example: Example) -> set[Row]:
    """What the example says, each figure as the number that is written there."""
    return {
        (
            r["variant_code"],
            int(r.get("definition_version") or 1),
            r["grain"],
            r["unit_code"],
            r["period_code"],
            float(r["numerator"]),
            float(r["denominator"]) if r["denominator"] else None,
        )
        for r in csv.DictReader(io.StringIO(example.expect))
    }


def of_named_periods(rows: set[Row], example: Example) -> set[Row]:
    """An example is compared whole, variants and units, in every period that it names."""
    periods = {r[4] for r in expected(example)}
    return {r for r in rows if r[4] in periods}


def last_year(example: Example) -> int:
    return int(example.as_of[:4])


def compiled(connection: psycopg.Connection, indicator: Indicator, example: Example) -> set[Row]:
    """The rows that the counting models make of the example, of this indicator."""
    models, found = counting_models.models(), set()
    variables = {**indicators.parameters(), **example.parameters, "as_of": example.as_of}
    with connection.transaction(force_rollback=True):
        connection.execute(
            "create temp table ind_period (period_basis text, period_code text, period_year int)"
        )
        connection.cursor().executemany(
            "insert into ind_period values (%s, %s, %s)",
            [(b, str(y), y) for b in indicators.period_bases() for y in range(2000, last_year(example) + 1)],
        )
        for fact in {*(v.fact for v in indicator.variants), "bridge_key_cluster"}:
            columns = indicators.facts()[fact]
            connection.execute(
                f"create temp table {fact} ({', '.join(f'{c} {t}' for c, t in columns.items())})"
            )
            given = list(csv.DictReader(io.StringIO(example.rows.get(fact, ""))))
            for row in given:
                places = ", ".join(f"cast(%s as {columns[c]})" for c in row)
                connection.execute(
                    f"insert into {fact} ({', '.join(row)}) values ({places})",
                    [v or None for v in row.values()],
                )
        for fact in sorted({v.fact for v in indicator.variants}):
            sql = dbt_files.render(models["ind_counted_" + fact.removeprefix("fct_")], str, variables)
            found |= {row[:7] for row in connection.execute(sql).fetchall()}
    own = {(v.code, v.version) for v in indicator.variants}
    return {r for r in found if r[:2] in own}


def evaluated(indicator: Indicator, example: Example) -> set[Row]:
    """The same by the evaluator on data frames."""
    frames = {
        fact: evaluate.table(fact, example.rows.get(fact, ""))
        for fact in {*(v.fact for v in indicator.variants), "bridge_key_cluster"}
    }
    evaluator = evaluate.Evaluator(
        frames, example.as_of, range(2000, last_year(example) + 1), example.parameters
    )
    return set(evaluator.rows(indicator.variants).rows())


@pytest.mark.database
@pytest.mark.parametrize(("indicator", "example"), EXAMPLES)
def test_the_compiled_model_counts_what_the_example_says(database, indicator, example):
    assert of_named_periods(compiled(database, indicator, example), example) == expected(example)


@pytest.mark.parametrize(("indicator", "example"), EXAMPLES)
def test_the_second_evaluator_counts_what_the_example_says(indicator, example):
    assert of_named_periods(evaluated(indicator, example), example) == expected(example)


def test_every_variant_has_an_example_in_which_something_is_counted():
    shown = {row[:2] for i in indicators.load().values() for e in i.examples for row in expected(e) if row[5]}
    assert {(v.code, v.version) for v in indicators.variants()} - shown == set()


@pytest.mark.database
def test_a_figure_that_is_nearly_right_is_wrong(database):
    """No expected figure is cast to the type of what was counted: 1.4 is not 1."""
    indicator = indicators.load()["H13"]
    before, after = "H13c,city,500000,2025,1,1", "H13c,city,500000,2025,1.4,1"
    (example,) = (e for e in indicator.examples if before in e.expect)
    wrong = Example(
        example.name, example.as_of, example.parameters, example.rows, example.expect.replace(before, after)
    )
    assert of_named_periods(compiled(database, indicator, wrong), wrong) != expected(wrong)
    assert of_named_periods(evaluated(indicator, wrong), wrong) != expected(wrong)
