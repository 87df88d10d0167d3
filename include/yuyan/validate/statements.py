"""The statements of validation: one file each in `sql/`, named for what it does.

    statements.run(connection, "quarantine", {"entity": "student", "run": run_id}, work=Work("student"))

A file's header says what the statement reads and what it leaves. Jinja fills in the names of the work tables (`Work`), the
formulas of warehouse/records.py and lists of columns, which come from contracts and rules; values travel as parameters. A
name that a file misses is an error.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import psycopg

from yuyan.warehouse import records

FOLDER = Path(__file__).with_name("sql")


def run(
    connection: psycopg.Connection, name: str, parameters: Mapping[str, Any] | None = None, /, **parts: Any
) -> psycopg.Cursor:
    """Execute the statement `sql/<name>.sql.j2`. Raises jinja2.UndefinedError for a part that is not given."""
    return connection.execute(text(name, **parts), parameters)


def text(name: str, /, **parts: Any) -> str:
    """The statement with its parts filled in."""
    return _environment().get_template(f"{name}.sql.j2").render(**parts)


@contextmanager
def without_nested_loops(connection: psycopg.Connection) -> Iterator[None]:
    """Statements of the block join by hashing or merging, within a transaction: for joins of two tables of which neither has
    an index for it and either may have hundreds of thousands of rows. The planner, where it expects one row, would compare
    each with each.
    """
    connection.execute("set local enable_nestloop = off")
    yield
    connection.execute("set local enable_nestloop = on")


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
    )
    environment.globals |= {
        "same_record": records.same_record,
        "newest": records.newest,
        "is_newest": records.is_newest,
        "was_accepted": records.was_accepted,
    }
    return environment
