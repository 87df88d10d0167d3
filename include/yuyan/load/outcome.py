"""How the collection of an entity, or of an institution as a whole, ended: a row of ops.collection_result."""

from dataclasses import dataclass

import psycopg

_SUMS = ("rows_received", "rows_stored", "requests", "retries", "seconds")


@dataclass
class Outcome:
    """How one entity fared: success, failed, skipped (a repeated file) or held (quality.hold). Entity '' is the institution,
    which may be partial: of its entities one failed or is held.

    `error` may be a note of a success: a bad file that a later one put right.
    """

    entity: str
    outcome: str = "success"
    rows_received: int = 0
    rows_stored: int = 0
    requests: int = 0
    retries: int = 0
    seconds: float = 0.0
    error: str | None = None

    def record(self, connection: psycopg.Connection, run_id: str, inst_code: str) -> None:
        """Write the row. A task that is tried again adds to the figures of its first attempt."""
        connection.execute(
            "insert into ops.collection_result as earlier (run_id, src_inst_code, entity, outcome, error, "
            f"{', '.join(_SUMS)}) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) "
            "on conflict (run_id, src_inst_code, entity) do update set outcome = excluded.outcome, "
            f"error = excluded.error, {', '.join(f'{name} = earlier.{name} + excluded.{name}' for name in _SUMS)}",
            [
                *(run_id, inst_code, self.entity, self.outcome),
                self.error and self.error.replace("\0", "␀"),  # which no text of PostgreSQL may have
                *(getattr(self, name) for name in _SUMS),
            ],
        )
