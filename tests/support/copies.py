"""A database copied from another, for a test that changes it."""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg

from yuyan_demo.runtime import postgres


def copy_of(pg_home: Path, dsn: str, prepare: Callable[[str], None] = lambda dsn: None) -> Iterator[str]:
    """URL of a copy of the database of `dsn`, prepared; dropped afterwards. Nobody may be connected to the original."""
    name = f"copy_{secrets.token_hex(4)}"
    with psycopg.connect(postgres.dsn(pg_home), autocommit=True) as admin:
        original = dsn.rpartition("/")[2].partition("?")[0]
        admin.execute(f"create database {name} template {original} strategy file_copy")
    prepare(postgres.dsn(pg_home, name))
    yield postgres.dsn(pg_home, name)
    with psycopg.connect(postgres.dsn(pg_home), autocommit=True) as admin:
        admin.execute(f"drop database {name} with (force)")
