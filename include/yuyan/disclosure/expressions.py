"""What the queries of schema `published` are made of: a mart's columns, what becomes of its counts, and expressions on both.

In a query `m` is the mart, `h` what becomes of the counts of its rows, `o` the publication before.
"""

from collections.abc import Iterable

import polars as pl
import psycopg

AS_IS, KEPT, HIDDEN, CHANGED = 0, 1, 2, 3


def columns_of(connection: psycopg.Connection, table: str, schema: str = "marts") -> dict[str, str]:
    """Columns of a table and their types; none where there is no such table."""
    rows = connection.execute(
        "select attname, format_type(atttypid, atttypmod) from pg_attribute where attrelid = to_regclass(%s) and attnum > 0 "
        "and not attisdropped order by attnum",
        [f"{schema}.{table}"],
    ).fetchall()
    return dict(rows)


def stage(
    connection: psycopg.Connection,
    table: str,
    keys: list[str],
    columns: list[str],
    rows: pl.DataFrame,
    modes: pl.DataFrame,
) -> list[str]:
    """Temp table `hidden_<table>`: key, and per count m_<count> (mode), k_<count> (what is shown); returns the counts.

    Only rows of which not everything is shown as it is; none where the table is empty.
    """
    of = modes.filter(pl.col("table") == table)
    wide = of.filter(pl.col("mode").is_in([KEPT, HIDDEN])).select("row").unique(maintain_order=True)
    wide = wide.join(rows.select("row", *keys), on="row", how="inner", maintain_order="left")
    for column in columns:
        count = of.filter(pl.col("column") == column).select(
            "row", pl.col("mode").alias(f"mode_{column}"), pl.col("keep").alias(f"keep_{column}")
        )
        wide = wide.join(count, on="row", how="left", maintain_order="left")
    names = [c.replace("#", "beside_") for c in columns]
    types = columns_of(connection, table)
    fields = [f"{k} {types[k]}" for k in keys] + [f"m_{n} smallint, k_{n} double precision" for n in names]
    connection.execute(f"create temp table hidden_{table} ({', '.join(fields)}) on commit drop")
    order = [*keys, *[f"{kind}_{c}" for c in columns for kind in ("mode", "keep")]]
    with (
        connection.cursor() as cursor,
        cursor.copy(f"copy hidden_{table} from stdin with (format csv)") as copy,
    ):
        copy.write(wide.select(order).write_csv(include_header=False).encode())
    connection.execute(f"analyze hidden_{table}")
    return names


def has(names: list[str], *modes: int) -> str:
    """Is one of the counts of these modes?"""
    listed = ", ".join(map(str, modes))
    return "(" + " or ".join(f"coalesce(h.m_{n}, 0) in ({listed})" for n in names) + ")"


def shown(column: str, name: str, kind: str) -> str:
    """A count: as it is, as it was shown before, or NULL."""
    return f"case when h.m_{name} in (1, 2) then cast(h.k_{name} as {kind}) else m.{column} end"


def following(column: str, kind: str, names: list[str], has_old: bool) -> str:
    """What follows from counts: NULL with one of them, of the publication before where they are kept from it."""
    if not names:
        return f"m.{column}"
    old = f"o.{column}" if has_old else f"cast(null as {kind})"
    return (
        f"case when {has(names, HIDDEN)} then null "
        f"when {has(names, KEPT)} then case when {has(names, CHANGED)} then null else {old} end else m.{column} end"
    )


def rounded(expression: str, decimals: int) -> str:
    """The figure, to so many places."""
    return f"cast(round(cast({expression} as numeric), {decimals}) as double precision)"


def listed(codes: Iterable[str]) -> str:
    """Codes as the list of an `in`."""
    return ", ".join(f"'{code}'" for code in codes)
