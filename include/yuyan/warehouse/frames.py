"""Rows of the warehouse as frames."""

from typing import Any

import polars as pl
import psycopg

_TYPES = {"float8": pl.Float64, "numeric": pl.Float64, "int4": pl.Int64, "int8": pl.Int64, "text": pl.String}


def read(connection: psycopg.Connection, query: str, given: Any = None) -> pl.DataFrame:
    """The result of a query, also an empty one with its columns; numbers are Float64 or Int64, all else must be text."""
    cursor = connection.execute(query, given)
    schema = {c.name: _TYPES[psycopg.adapters.types[c.type_code].name] for c in cursor.description}
    return pl.DataFrame(cursor.fetchall(), schema=schema, orient="row")
