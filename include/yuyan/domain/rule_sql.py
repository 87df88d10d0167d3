"""What a rule's SQL looks up in other records, read by a SQL parser.

    lookups("exists (select 1 from {accepted:student} s where s.student_id = r.student_id and s.left_on is null)")
    ->  (Found("accepted", "student", "s", (("student_id", "student_id"),), frozenset({"student_id", "left_on"})),)

A table of other records is a macro with an alias; what names the record is every equality between a column of that alias and
a column of `r`, the judged record.
"""

import re
from dataclasses import dataclass
from functools import cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError

from yuyan.domain.macros import ENTITY_MACROS, MACRO

OWN = "r"
"""Alias of the judged record."""


class SqlError(ValueError):
    """SQL that cannot be read; the message says where."""


@dataclass(frozen=True)
class Found:
    """A table that a rule reads: its kind (`accepted`, `latest`), entity, alias, (its column, own column) of every equality,
    and all of its columns that the rule names.
    """

    kind: str
    entity: str
    alias: str
    pairs: tuple[tuple[str, str], ...]
    used: frozenset[str]


@cache
def lookups(text: str) -> tuple[Found, ...]:
    """The lookups of a condition, in its order. Raises SqlError for SQL that PostgreSQL's grammar does not have."""
    if not any(f"{{{name}:" in text for name in ENTITY_MACROS):
        return ()
    try:
        tree = sqlglot.parse_one(f"select {_plain(text)}", read="postgres")
    except ParseError as error:
        where = error.errors[0]
        raise SqlError(f"{where['description']} near {where['highlight']!r}") from error
    return tuple(_of(table) for table in tree.find_all(exp.Table, bfs=False) if table.db in ENTITY_MACROS)


def _plain(text: str) -> str:
    """The condition with every macro as the SQL it stands for, as far as its shape goes."""

    def one(match: re.Match[str]) -> str:
        name, argument = match.groups()
        if name in ENTITY_MACROS:
            return f"{name}.{argument}"
        return f"{OWN}.{argument}" if argument else "current_date"

    return MACRO.sub(one, text)


def _of(table: exp.Table) -> Found:
    """Columns of a table's alias, within the query that has the table in its FROM."""
    alias = table.alias_or_name
    query = table.find_ancestor(exp.Select)
    columns = [c for c in query.find_all(exp.Column, bfs=False) if c.table == alias]
    equalities = [e for e in query.find_all(exp.EQ, bfs=False) if alias in (_alias(e.left), _alias(e.right))]
    pairs = []
    for equality in equalities:
        sides = {_alias(side): side.name for side in (equality.left, equality.right)}
        if sides.keys() == {alias, OWN}:
            pairs.append((sides[alias], sides[OWN]))
    return Found(table.db, table.name, alias, tuple(dict.fromkeys(pairs)), frozenset(c.name for c in columns))


def _alias(side: exp.Expression) -> str | None:
    return side.table if isinstance(side, exp.Column) else None
