"""What the disclosure policy says of every figure, and what a publication remembers of the ones before."""

import csv
from collections import Counter
from datetime import date, timedelta
from types import SimpleNamespace

import numpy as np
import polars as pl
import psycopg
import pytest

from yuyan import settings
from yuyan.disclosure import counts, policy, run, tables
from yuyan.disclosure.cells import PLACE, Cells
from yuyan.disclosure.protect import System
from yuyan.domain import contracts, indicators
from yuyan.pages import published

POLICY = policy.load()
NUMBERS = ("integer", "bigint", "double", "numeric", "real", "smallint")


def test_every_figure_is_protected_a_key_or_of_no_persons():
    """A column or a fact that nobody has thought about is not published unprotected."""
    given, unknown, stray = POLICY.variants, [], []
    for name, columns in published.snapshot()[1].items():
        if name in POLICY.withheld or (name.startswith("v_") and name not in POLICY.tables):
            continue  # not published; a view of tables that are
        table = POLICY.tables.get(name)
        figures = POLICY.figures.get(name, frozenset())
        known = POLICY.things | figures | tables.protected(POLICY, name)
        known |= {*table.key, table.period} if table else set()
        numbers = {c for c, kind in columns.items() if kind.startswith(NUMBERS) or c.endswith("_count")}
        unknown += [f"{name}.{column}" for column in sorted(numbers - known)]
        stray += [f"{name}.{column}" for column in sorted(figures - numbers)]
    unknown += [
        v.code
        for v in indicators.variants()
        if not counts.counts_somebody(POLICY, v) and v.fact not in given.things
    ]
    assert (unknown, stray) == ([], [])


def test_what_lists_count_of_persons_is_in_the_policy():
    """Of their sources only awards and entries to competitions are of persons and shown: their results are public."""
    sources = {
        name: csv.DictReader((settings.SEEDS / "plan" / f"{name}.csv").open(encoding="utf-8"))
        for name in ("list_measure_definition", "list_source")
    }
    of_persons = {e for e, c in contracts.load().items() if c.privacy_tier} - {"honour", "competition_entry"}
    for name, table, column, key in (
        ("list_measure_definition", "list_measure", "measure_code", "measure_code"),
        ("list_source", "list_quantity", "list_item_code", "item_code"),
    ):
        codes = {row[key] for row in sources[name] if row["source_entity"] in of_persons}
        assert codes == set(POLICY.records[table].only[column]), table


def test_a_figure_that_begins_to_differ_from_its_like_is_known_by_what_both_were(monkeypatch):
    """Two tables count the same persons at one place; the next day one of them counts three more."""
    nobody = dict.fromkeys(PLACE) | {"population": "award", "period": "2025"}
    places = pl.DataFrame(
        [{"cell": 0, **nobody}, {"cell": 1, **dict.fromkeys(PLACE)}], infer_schema_length=None
    )
    refs = pl.DataFrame(
        [{"table": t, "column": "n", "cell": c, **nobody} for t, c in (("one", 0), ("two", 1))]
    )
    place = "award|2025|" + "|" * (len(PLACE) - 3)
    before = pl.DataFrame({"place": [place], "shown": ["100"], "exact": ["100"]})
    monkeypatch.setattr(counts, "read", lambda *_: before)
    known = run._known(None, Cells(None, refs, places.with_columns(pl.exclude("cell").cast(pl.String))))
    assert known.sort("cell").rows() == [(0, 100.0, 100.0), (1, 100.0, 100.0)]
    before = before.vstack(pl.DataFrame({"place": [f"{place}~two.n"], "shown": ["104"], "exact": ["104"]}))
    known = run._known(None, Cells(None, refs, places.with_columns(pl.exclude("cell").cast(pl.String))))
    assert known.sort("cell")["shown"].to_list() == [100.0, 104.0]


def figures(**values: float) -> Cells:
    """Figures of tables at one place; those that are equal are one cell."""
    different = list(dict.fromkeys(values.values()))
    size = len(different)
    place = {d: pl.Series([None] * size, dtype=pl.String) for d in PLACE}
    nowhere = [None] * len(values)
    refs = {d: pl.Series(nowhere, dtype=pl.String) for d in PLACE} | {
        "population": pl.Series(["award"] * len(values), dtype=pl.String),
        "table": pl.Series(list(values), dtype=pl.String),
        "column": pl.Series(["n"] * len(values), dtype=pl.String),
        "cell": pl.Series([different.index(v) for v in values.values()], dtype=pl.Int64),
        "is_open": pl.Series([False] * len(values), dtype=pl.Boolean),
    }
    value, no = np.array(different, dtype=float), np.zeros(size, dtype=bool)
    none = np.array([], dtype=np.int64)
    system = System(
        value=value, least=np.zeros(size), need=np.full(size, float(POLICY.minimum)), is_money=no.copy(), is_open=no.copy(),
        is_hidden=(value > 0) & (value < POLICY.minimum), total=none, start=np.array([0]), member=none, rest=np.array([]),
    )  # fmt: skip
    first = {"population": pl.Series(["award"][:size] + [None] * (size - 1), dtype=pl.String)}
    return Cells(system, pl.DataFrame(refs), pl.DataFrame({"cell": np.arange(size)} | place | first))


@pytest.mark.database
@pytest.mark.parametrize(
    ("published_days", "seen"),
    [
        ([{"one": 100}, {}, {"one": 102}], 100),  # as it was shown
        ([{"one": 3}, {}, {"one": 6}], None),  # hidden until it has changed by as many
        ([{"one": 100}, {}, {"one": 105}], 105),
        ([{"one": 100}, *[{}] * (POLICY.remembered_days + 1), {"one": 102}], 102),  # forgotten
        ([{"one": 100, "two": 104}, {"one": 100}, {"one": 100, "two": 105}], 104),
        ([{"one": 100, "two": 104}, {"one": 120, "two": 120}, {"one": 120, "two": 122}], 120),
    ],
)
def test_what_was_shown_is_remembered_while_it_is_not_there(warehouse, published_days, seen):
    """The last figure of the last day, as readers see it, after days on which a table was empty."""
    with psycopg.connect(warehouse) as connection:
        day = date(2026, 10, 15)
        for number, values in enumerate(published_days):
            if not values and published_days[number - 1] == values and number + 2 < len(published_days):
                continue  # a day like the one before
            shown = publish(connection, day + timedelta(days=number), values)
    assert shown[-1] == seen


@pytest.mark.database
def test_a_publication_of_an_earlier_day_lets_nothing_be_forgotten(warehouse):
    day = date(2026, 10, 15)
    with psycopg.connect(warehouse) as connection:
        for days, values in ((0, {"one": 100}), (-POLICY.remembered_days, {}), (0, {}), (399, {})):
            publish(connection, day + timedelta(days=days), values)
        assert publish(connection, day + timedelta(days=400), {"one": 102}) == [100]
        publish(connection, day + timedelta(days=400), {})
        assert publish(connection, day + timedelta(days=801), {}) == []
        assert publish(connection, day + timedelta(days=802), {"one": 102}) == [102]


def publish(connection: psycopg.Connection, day: date, values: dict[str, float]) -> list[float | None]:
    """The figures of a publication as readers see them: None where one is not shown."""
    cells = figures(**values)
    known = run._known(connection, cells)
    run.remember(cells, known, POLICY)
    states = run._states(cells, known, POLICY)
    run._store(connection, cells, states, POLICY, str(day), day)
    connection.commit()
    hidden = pl.col("mode") == run.HIDDEN
    return (
        states.select(pl.when(hidden).then(None).otherwise(pl.coalesce("keep", "value")))
        .to_series()
        .to_list()
    )


def test_what_the_last_round_left_is_attacked_too(monkeypatch):
    """A hidden 3 of a shown total, the rest of which is shown; hiding goes on when the rounds run out."""
    no = np.zeros(3, dtype=bool)
    system = System(
        value=np.array([103.0, 3, 100]), least=np.zeros(3), need=np.full(3, 5.0), is_money=no, is_open=no.copy(),
        is_hidden=np.array([False, True, False]), total=np.array([0]), start=np.array([0, 2]), member=np.array([1, 2]),
        rest=np.zeros(1),
    )  # fmt: skip
    cells = SimpleNamespace(system=system, refs=pl.DataFrame({"cell": [0, 1, 2]}))
    for name, found in {"protect": 0, "refute": 1, "harden": 1}.items():
        monkeypatch.setattr(run, name, lambda *_, found=found: found)
    monkeypatch.setattr(run, "ROUNDS", 1)
    found = run.secure(cells, system.least.copy(), np.full(3, np.inf))
    assert (found["told"], found["narrow"], found["hidden"]) == (1, 1, 1)


def test_company_that_follows_all_the_same_is_shown_and_another_is_found():
    """12 = 1 + 1 + 10, 50 = 10 + 30 + 10 and 40 = 30 + 10, all shown but the 30 and its 10: a 10 = 50 - 40 keeps nothing of
    the two 1 back that are known to be somebody, so the 12 is hidden, too."""
    no = np.zeros(8, dtype=bool)
    total, one, another, company, whole, rest, part, other = range(8)
    system = System(
        value=np.array([12.0, 1, 1, 10, 50, 40, 30, 10]), least=np.array([0.0, 1, 1, 0, 0, 0, 0, 0]), need=np.full(8, 5.0),
        is_money=no, is_open=no.copy(), is_hidden=no.copy(), total=np.array([total, whole, rest]),
        start=np.array([0, 3, 6, 8]), member=np.array([one, another, company, company, part, other, part, other]),
        rest=np.zeros(3),
    )  # fmt: skip
    system.is_hidden[[one, another, part, other]] = True
    system.is_open[[whole, rest]] = True
    cells = SimpleNamespace(system=system, refs=pl.DataFrame({"cell": range(8)}))
    found = run.secure(cells, system.least.copy(), np.full(8, np.inf))
    assert (found["told"], found["narrow"], found["unprotected"]) == (0, 0, 0)
    assert not system.is_hidden[company]
    assert system.is_hidden[[total, one, another]].all()


@pytest.mark.database
def test_a_share_of_many_persons_is_shown_to_three_places_and_fits_five_figures(warehouse):
    """(records, right ones) of students and of degree points, from one fewer than enough."""
    many = tables.many(POLICY)
    rows = [("student", many - 1, many - 2), ("student", many, many - 1), ("degree_point", 7, 6)]
    with psycopg.connect(warehouse) as connection:
        connection.execute(
            "create schema marts; create table marts.data_confidence (entity_code text, dimension_code text, "
            "denominator double precision, numerator double precision, value double precision)"
        )
        for entity, whole, right in rows:
            values = (entity, "D03", whole, right, right / whole)
            connection.execute("insert into marts.data_confidence values (%s, %s, %s, %s, %s)", values)
        records = POLICY.records["data_confidence"]
        query = tables._records(connection, POLICY, "data_confidence", records)
        shown = connection.execute(f"select denominator, numerator, value, is_suppressed from ({query}) as t")
        assert shown.fetchall() == [
            (None, None, None, True),
            (None, None, 1.0, True),
            (7, 6, 6 / 7, False),
        ]
    fitting = Counter(round(right / many, POLICY.decimals) for right in range(many + 1))
    assert min(fitting.values()) >= POLICY.minimum
