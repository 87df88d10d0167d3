"""Rows of the warehouse as frames, and frames as the rows of a run."""

import polars as pl
import psycopg

from yuyan.warehouse.frames import read

__all__ = ["read", "replace"]


def replace(connection: psycopg.Connection, table: str, run_id: str, rows: pl.DataFrame) -> None:
    """Make these the rows of a run in a table of schema quality; columns by name."""
    connection.execute(f"delete from quality.{table} where run_id = %s", [run_id])
    names = ", ".join(["run_id", *rows.columns])
    with connection.cursor().copy(f"copy quality.{table} ({names}) from stdin") as copy:
        for row in rows.iter_rows():
            copy.write_row((run_id, *row))
