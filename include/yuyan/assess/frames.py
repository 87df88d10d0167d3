"""Rows of the warehouse as frames, and frames as the rows of a run."""

from typing import Any

import polars as pl
import psycopg

_TYPES = {"float8": pl.Float64, "numeric": pl.Float64, "int4": pl.Int64, "int8": pl.Int64, "text": pl.String}


def read(connection: psycopg.Connection, query: str, given: Any = None) -> pl.DataFrame:
    """The result of a query, also an empty one with its columns; numbers are Float64 or Int64, all else must be text."""
    cursor = connection.execute(query, given)
    schema = {c.name: _TYPES[psycopg.adapters.types[c.type_code].name] for c in cursor.description}
    return pl.DataFrame(cursor.fetchall(), schema=schema, orient="row")


def replace(connection: psycopg.Connection, table: str, run_id: str, rows: pl.DataFrame) -> None:
    """Make these the rows of a run in a table of schema quality; columns by name."""
    connection.execute(f"delete from quality.{table} where run_id = %s", [run_id])
    names = ", ".join(["run_id", *rows.columns])
    with connection.cursor().copy(f"copy quality.{table} ({names}) from stdin") as copy:
        for row in rows.iter_rows():
            copy.write_row((run_id, *row))
