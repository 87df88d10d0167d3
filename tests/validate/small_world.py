"""A small warehouse to judge: the samples of the contracts, and a helper that puts versions of them into raw."""

from collections.abc import Iterable
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import psycopg

from support import fill
from yuyan.domain import contracts
from yuyan.validate import run
from yuyan_demo.simulator.columns import uscc_numbers

SOUND: dict[str, dict[str, str | None]] = {e: c.sample for e, c in contracts.load().items()}
"""The sound record of every entity: the contracts' samples, consistent with each other."""
STUDENT = ("institution", "org_unit", "degree_point", "programme", "student")
"""A student and everything above."""


class Raw:
    """Puts versions of records into raw and judges them; every `put` is a load of its own."""

    def __init__(self, dsn: str) -> None:
        self.connection = psycopg.connect(dsn, autocommit=True)
        self._loads = 0

    def version(
        self, entity: str, record_id: str = "r1", *, deleted: bool = False, source: str = "", **changes: Any
    ) -> dict:
        """A version of a record: the sound one of the entity with changes. Newer than any put before."""
        contract = contracts.load()[entity]
        source = source or ("10611" if contract.owner == "university" else "50000")
        row = dict.fromkeys((f.name for f in contract.supplied), None) | SOUND[entity] | changes
        return {
            "src_inst_code": source,
            "src_record_id": record_id,
            "is_deleted": deleted,
            "entity": entity,
            **row,
        }

    def institutions(self, *codes: str) -> list[dict]:
        """The sound institution under other codes, each with a credit code of its own."""
        credit = uscc_numbers("12", ["500000"] * len(codes), np.arange(len(codes)))
        return [
            self.version("institution", code, inst_code=code, uscc=uscc)
            for code, uscc in zip(codes, credit, strict=True)
        ]

    def put(self, *versions: dict) -> None:
        """Load the versions: one batch per entity and source."""
        self._loads += 1
        frames = {}
        for entity in contracts.load():
            rows = [{k: v for k, v in r.items() if k != "entity"} for r in versions if r["entity"] == entity]
            if rows:
                schema = {k: pl.Boolean if k == "is_deleted" else pl.String for k in rows[0]}
                frame = pl.DataFrame(rows, schema=schema)
                frames[entity] = frame.with_columns(pl.lit(self._loads, pl.Int64).alias("change_version"))
        fill.load(self.connection, frames, f"load-{self._loads}")

    def put_sound(self, entities: Iterable[str]) -> None:
        """Load the sound record of each entity."""
        self.put(*(self.version(e) for e in entities))

    def judge(
        self, run_id: str, entities: Iterable[str] | None = None, as_of: date = fill.AS_OF
    ) -> dict[str, Any]:
        """Validate and return the summaries."""
        return run.validate(run_id, as_of, entities)

    def rows(self, query: str, *parameters: Any) -> list[tuple]:
        """All rows of a query."""
        return self.connection.execute(query, parameters or None).fetchall()

    def failures(self) -> dict[tuple[str, str], set[str]]:
        """(entity, record id) -> rules that it breaks."""
        found: dict[tuple[str, str], set[str]] = {}
        for entity, record, rule in self.rows(
            "select entity, src_record_id, rule_id from quality.row_failure where resolved_run_id is null"
        ):
            found.setdefault((entity, record), set()).add(rule)
        return found

    def quarantine(self, state: str = "open") -> set[tuple[str, str]]:
        """(entity, record id) of rows in quarantine in this state."""
        return set(self.rows("select entity, src_record_id from quality.quarantine where state = %s", state))

    def accepted(self, entity: str, column: str = "src_record_id") -> list:
        """One column of the accepted table, sorted."""
        return sorted(value for (value,) in self.rows(f"select {column} from accepted.{entity}"))
