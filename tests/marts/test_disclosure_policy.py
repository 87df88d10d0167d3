"""What the disclosure policy says of every figure."""

import csv

from yuyan import settings
from yuyan.disclosure import counts, policy, tables
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
