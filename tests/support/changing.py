"""Lets accepted records change as a judgement leaves them: in raw, in accepted and in quality, one statement a change."""

from dataclasses import dataclass

import psycopg

from yuyan.domain import contracts
from yuyan.warehouse import ddl
from yuyan.warehouse.ddl import META_COLUMNS


@dataclass(frozen=True)
class Records:
    """The accepted records of one entity."""

    connection: psycopg.Connection
    entity: str

    def some(self, number: int, day: int, where: str = "true") -> list[int]:
        """raw_id of so many accepted records, others every day."""
        query = f"select raw_id from accepted.{self.entity} where {where} order by md5(src_record_id || %s) limit %s"
        return [raw_id for (raw_id,) in self.connection.execute(query, [str(day), number]).fetchall()]

    def delete(self, raw_ids: list[int]) -> None:
        """The source deleted them: a tombstone each."""
        self._append(raw_ids, is_deleted="true")
        self._withdraw(raw_ids)

    def quarantine(self, raw_ids: list[int]) -> None:
        """A rule keeps them out from now on."""
        self._withdraw(raw_ids)

    def heal(self, raw_ids: list[int]) -> None:
        """They come out of quarantine."""
        released = "entity, raw_id, src_inst_code, src_record_id, batch_id, rule_ids, since_run_id, released_run_id, reason"
        self.connection.execute(
            f"insert into quality.release ({released}) select '{self.entity}', raw_id, src_inst_code, src_record_id, "
            f"batch_id, '{{}}', 't', 't', 'healed' from raw.{self.entity} where raw_id = any(%s) on conflict do nothing",
            [raw_ids],
        )
        self._accept(raw_ids)

    def correct(self, raw_ids: list[int], **changes: str) -> None:
        """The source sent another version: column -> SQL of its text."""
        newer = self._append(raw_ids, **changes)
        self._withdraw(raw_ids)
        self._accept(newer)

    def add(self, raw_ids: list[int], day: int, **changes: str) -> None:
        """Other records like these, with another id and the changes; the natural key must be among them."""
        self._accept(self._append(raw_ids, src_record_id=f"src_record_id || '-{day}'", **changes))

    def _append(self, raw_ids: list[int], **changes: str) -> list[int]:
        names = [*(n for n in META_COLUMNS if n != "raw_id"), *(f.name for f in self._contract.columns)]
        changes = {"source_version": "source_version + 1"} | changes
        selected = ", ".join(changes.get(n, n) for n in names)
        made = self.connection.execute(
            f"insert into raw.{self.entity} ({', '.join(names)}) select {selected} from raw.{self.entity} "
            "where raw_id = any(%s) returning raw_id",
            [raw_ids],
        )
        return [raw_id for (raw_id,) in made.fetchall()]

    def _accept(self, raw_ids: list[int]) -> None:
        names = ", ".join(f.name for f in self._contract.columns)
        self.connection.execute(
            f"insert into accepted.{self.entity} (src_inst_code, src_record_id, raw_id, batch_id, {names}) "
            f"select r.src_inst_code, r.src_record_id, r.raw_id, r.batch_id, {ddl.typed_columns(self._contract)} "
            f"from raw.{self.entity} as r where r.raw_id = any(%s)",
            [raw_ids],
        )

    def _withdraw(self, raw_ids: list[int]) -> None:
        self.connection.execute(f"delete from accepted.{self.entity} where raw_id = any(%s)", [raw_ids])

    @property
    def _contract(self) -> contracts.Contract:
        return contracts.load()[self.entity]
