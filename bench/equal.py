"""Do two warehouses hold the same? Every cell of every table, before a change and after it.

    python bench/equal.py snapshot FOLDER [work folder]     the tables of a warehouse that runs (default .yuyan)
    python bench/equal.py compare BEFORE AFTER [schema.table …]

`snapshot` writes a Parquet file per table of the schemas accepted, quality, star, indicators, marts and published, without
the columns that differ from run to run (`VOLATILE`). `compare` prints each table that differs with its first different
cells; the exit status is 1 when one does. Names and patterns at its end may be on one side only; a column named as
`schema.table.column` is left out. Text, dates, whole numbers and exact decimals must be equal to the letter, binary floats
to 12 digits: the last bits of a sum follow the order in which the database adds.

Example: the work folder of the build before is run to day 2, then that of the build after, with the same scale and seed:

    python bench/equal.py snapshot /tmp/before ../before/.yuyan
    python bench/equal.py snapshot /tmp/after
    python bench/equal.py compare /tmp/before /tmp/after 'indicators.ind_h*'
"""

import fnmatch
import io
import re
import sys
from pathlib import Path

import polars as pl
import psycopg
from psycopg import sql

SCHEMAS = ("accepted", "quality", "star", "indicators", "marts", "published")
VOLATILE = re.compile(
    r"(.*_)?run_id|raw_id|(.*_)?batch_ids?|landing_uris|failure_id|problem_id|subject_id|event_id|evidence|thinning_id|(.*_)?at"
)
"""Columns that name a run, a moment or the order of arrival; two runs of one build differ in them."""
TOLERANCE = 1e-12
SHOWN = 5


def tables(connection: psycopg.Connection) -> dict[tuple[str, str], dict[str, str]]:
    """(schema, table) -> column -> type of every base table, volatile columns left out."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for schema, table, column, kind in connection.execute(
        "select table_schema, table_name, column_name, data_type from information_schema.columns "
        "join information_schema.tables using (table_schema, table_name) "
        "where table_schema = any(%s) and table_type = 'BASE TABLE' order by 1, 2, ordinal_position",
        [list(SCHEMAS)],
    ):
        columns = found.setdefault((schema, table), {})
        if not VOLATILE.fullmatch(column) and not kind.startswith("timestamp"):
            columns[column] = kind
    return found


def read(connection: psycopg.Connection, schema: str, table: str, columns: dict[str, str]) -> pl.DataFrame:
    """The rows of one table; binary floats are numbers, everything else is text as PostgreSQL writes it."""
    picked = sql.SQL(", ").join(
        sql.Identifier(name) if _is_float(kind) else sql.SQL("{}::text").format(sql.Identifier(name))
        for name, kind in columns.items()
    )
    query = sql.SQL("copy (select {} from {}) to stdout with (format csv, null '\\N')")
    buffer = io.BytesIO()
    with connection.cursor().copy(query.format(picked, sql.Identifier(schema, table))) as copy:
        for block in copy:
            buffer.write(block)
    buffer.seek(0)
    kinds = {name: pl.Float64 if _is_float(kind) else pl.String for name, kind in columns.items()}
    if not buffer.getbuffer().nbytes:
        return pl.DataFrame(schema=kinds)
    return pl.read_csv(buffer, has_header=False, schema=kinds, null_values="\\N", empty_string_is_null=False)


def snapshot(folder: Path, dsn: str) -> int:
    """Write every table as `<schema>.<table>.parquet`; returns the number of tables."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.parquet"):
        old.unlink()
    with psycopg.connect(dsn) as connection:
        found = {key: columns for key, columns in tables(connection).items() if columns}
        for (schema, table), columns in found.items():
            read(connection, schema, table, columns).write_parquet(folder / f"{schema}.{table}.parquet")
    return len(found)


def differences(before: pl.DataFrame, after: pl.DataFrame) -> list[str]:
    """What differs between two tables, the first rows of it in words; empty when they are equal."""
    if before.schema != after.schema:
        lost, new = (
            set(before.schema.items()) - set(after.schema.items()),
            set(after.schema.items()) - set(before.schema.items()),
        )
        return [f"columns: only before {sorted(n for n, _ in lost)}, only after {sorted(n for n, _ in new)}"]
    exact = [n for n, t in before.schema.items() if t != pl.Float64]
    floats = [n for n, t in before.schema.items() if t == pl.Float64]
    rounded = [pl.col(n).round_sig_figs(9).alias(f"~{n}") for n in floats]
    order = [*exact, *(f"~{n}" for n in floats), *floats]
    one, two = (f.with_columns(rounded).sort(order, nulls_last=True) for f in (before, after))
    if one.select(exact).equals(two.select(exact)):
        return _different_floats(one, two, exact, floats)
    sides = []
    for name, ours, theirs in (("only before", before, after), ("only after", after, before)):
        rows = ours.join(theirs, on=exact, how="anti", nulls_equal=True) if exact else ours
        sides += [f"{name}: {len(rows)} row(s)", *(f"    {row}" for row in rows.head(SHOWN).to_dicts())]
    return [f"rows: {len(before)} before, {len(after)} after", *sides]


def _different_floats(one: pl.DataFrame, two: pl.DataFrame, exact: list[str], floats: list[str]) -> list[str]:
    found = []
    for name in floats:
        a, b = one[name], two[name]
        near = (a - b).abs() <= TOLERANCE * pl.select(pl.max_horizontal(a.abs(), b.abs())).to_series()
        same = (a.is_null() & b.is_null()) | near.fill_null(False) | (a == b).fill_null(False)
        if not same.all():
            rows = one.select(*exact, before=name).with_columns(after=b).filter(~same)
            found += [f"{name}: {len(rows)} cell(s)", *(f"    {row}" for row in rows.head(SHOWN).to_dicts())]
    return found


def compare(before: Path, after: Path, allowed: list[str]) -> tuple[int, int, list[str]]:
    """Tables and cells compared, and a line per difference."""
    one, two = ({p.stem: p for p in folder.glob("*.parquet")} for folder in (before, after))
    if not one or not two:
        raise SystemExit(f"no snapshot in {before if not one else after}: make one with `equal.py snapshot`")
    said = [
        f"{name}: only {'before' if name in one else 'after'}"
        for name in sorted(set(one) ^ set(two))
        if not any(fnmatch.fnmatch(name, pattern) for pattern in allowed)
    ]
    cells = 0
    for name in sorted(set(one) & set(two)):
        frames = [pl.read_parquet(side[name]) for side in (one, two)]
        frames = [f.drop(c for c in f.columns if f"{name}.{c}" in allowed) for f in frames]
        cells += frames[0].height * frames[0].width
        said += [f"{name}: {line}" for line in differences(*frames)]
    return len(set(one) & set(two)), cells, said


def _is_float(kind: str) -> bool:
    return kind in ("double precision", "real")


def main(arguments: list[str]) -> int:
    match arguments:
        case ["snapshot", folder, *home]:
            from yuyan import settings
            from yuyan_demo.runtime import services

            dsn = services.load(Path(home[0]) if home else settings.home()).warehouse_dsn
            print(f"{snapshot(Path(folder), dsn)} tables in {folder}")
            return 0
        case ["compare", before, after, *allowed]:
            count, cells, said = compare(Path(before), Path(after), allowed)
            print("\n".join([*said, f"{count} tables, {cells:,} cells: {'DIFFERENT' if said else 'equal'}"]))
            return 1 if said else 0
        case _:
            print(__doc__)
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
