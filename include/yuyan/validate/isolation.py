"""Rows that break the judgement itself: found by judging fewer and fewer rows, and kept out, so that all others are judged.

A value may raise an error in the database where a rule is evaluated or a table written (a number out of range, a text too
long for an index). Such a row fails the rule `QR.<entity>.src_record_id.9` with the error as its observed value, waits in
quarantine like any other, and is judged as usual again in the next run.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby

import psycopg

PROBES = 200
"""Judgements of parts that a search may take; then the parts that still fail are kept out whole."""
LONGEST = 300
"""Characters of an error that are kept."""

OF_ROWS = ("21", "22", "23", "54")
"""Classes of SQLSTATE that a row's values raise: two rows where one is looked up, data exceptions, constraints, limits (of
an index entry, say). Anything else (no space, no memory, a lock, a cancelled statement) is the server's matter or the
code's, whichever rows it meets."""

Probe = Callable[[Sequence[int]], Exception | None]
"""What these rows (raw_id) and no others do to the judgement, or None; leaves no trace. Raises what is not theirs."""


def text(error: Exception) -> str:
    """An error in one line: the database's own code and message, or the exception's name and text."""
    message = (
        f"{error.sqlstate} {error.diag.message_primary or error}"
        if getattr(error, "sqlstate", None)
        else f"{type(error).__name__}: {error}"
    )
    return " ".join(message.split())[:LONGEST]


def is_of_rows(error: Exception) -> bool:
    """Can an exception be a row's, so that it is worth looking for the row?"""
    return isinstance(error, psycopg.Error) and (error.sqlstate or "")[:2] in OF_ROWS


def find(rows: Sequence[tuple[str, int]], probe: Probe) -> dict[int, str]:
    """The rows that break the judgement: raw_id -> error. `rows`: (src_inst_code, raw_id), sorted by institution.

    Institution by institution, then by halves. Rows that break it only together are all named. Empty when every
    institution can be judged by itself, so that it is no matter of rows. What `probe` raises ends the search.
    """
    search = _Search(probe)
    found: dict[int, str] = {}
    for _, of_institution in groupby(rows, key=lambda row: row[0]):
        found |= search.within([raw_id for _, raw_id in of_institution])
    return found


class _Search:
    def __init__(self, probe: Probe) -> None:
        self._probe, self._left = probe, PROBES

    def within(self, rows: Sequence[int]) -> dict[int, str]:
        self._left -= 1
        if (error := self._probe(rows)) is None:
            return {}
        if len(rows) == 1 or self._left <= 0:
            return dict.fromkeys(rows, text(error))
        half = len(rows) // 2
        return self.within(rows[:half]) | self.within(rows[half:]) or dict.fromkeys(rows, text(error))


def keep_out(connection: psycopg.Connection, rows: Mapping[int, str]) -> None:
    """Fill `isolated` (raw_id, error), the rows that the next judgement keeps out."""
    connection.execute(
        "create temp table if not exists isolated (raw_id bigint primary key, error text not null)"
    )
    connection.execute("truncate isolated")
    with connection.cursor() as cursor, cursor.copy("copy isolated from stdin") as copy:
        for row in rows.items():
            copy.write_row(row)


def known(connection: psycopg.Connection, entity: str, rule_id: str) -> dict[int, str]:
    """Rows that were kept out before and have not been corrected: raw_id -> error."""
    return dict(
        connection.execute(
            "select raw_id, observed_value from quality.row_failure "
            "where entity = %s and rule_id = %s and resolved_run_id is null",
            [entity, rule_id],
        ).fetchall()
    )
