"""bench/equal.py tells two snapshots apart by one cell, and does not mind the order of rows or the last bits of a sum."""

import importlib.util

import polars as pl
import pytest

from yuyan import settings

SPEC = importlib.util.spec_from_file_location("equal", settings.PROJECT / "bench" / "equal.py")
equal = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(equal)

ROWS = pl.DataFrame(
    {"unit": ["10611", "10635", None], "year": ["2025", "2025", "2025"], "value": [0.1, 0.3, None]}
)


@pytest.fixture
def folders(tmp_path):
    """Two snapshots, of the same rows in another order."""
    before, after = tmp_path / "before", tmp_path / "after"
    for folder, frame in ((before, ROWS), (after, ROWS.reverse())):
        folder.mkdir()
        frame.write_parquet(folder / "marts.t.parquet")
    return before, after


def test_the_order_of_rows_and_the_last_bits_do_not_matter(folders):
    before, after = folders
    ROWS.with_columns(pl.col("value") * (1 + 1e-15)).write_parquet(after / "marts.t.parquet")
    assert equal.compare(before, after, []) == (1, 9, [])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            pl.when(pl.col("unit") == "10635").then(0.31).otherwise(pl.col("value")).alias("value"),
            "value: 1 cell",
        ),
        (pl.col("value").fill_null(0.0), "value: 1 cell"),
        (pl.col("unit").fill_null(""), "only after: 1 row"),
        (pl.col("year").replace("2025", "2026"), "only before: 3 row"),
        (pl.col("value").cast(pl.String), "columns: only before ['value'], only after ['value']"),
        (pl.lit(1.0).alias("more"), "columns: only before [], only after ['more']"),
    ],
)
def test_one_cell_is_seen(folders, change, said):
    before, after = folders
    ROWS.with_columns(change).write_parquet(after / "marts.t.parquet")
    found = equal.compare(before, after, [])[2]
    assert any(said in line for line in found), found


def test_a_row_twice_is_seen(folders):
    before, after = folders
    pl.concat([ROWS, ROWS[:1]]).write_parquet(after / "marts.t.parquet")
    assert equal.compare(before, after, [])[2][0] == "marts.t: rows: 3 before, 4 after"


def test_a_table_of_one_side_must_be_named(folders):
    before, after = folders
    (before / "marts.t.parquet").rename(before / "marts.old.parquet")
    assert equal.compare(before, after, [])[2] == ["marts.old: only before", "marts.t: only after"]
    assert equal.compare(before, after, ["marts.*"]) == (0, 0, [])
