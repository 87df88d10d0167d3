"""The tool that plants defects: copies or spoils sound records, and notes what must be found."""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

import numpy as np
import polars as pl

from yuyan import settings
from yuyan.domain import catalogue, contracts
from yuyan_demo.simulator.columns import stream
from yuyan_demo.simulator.identities import Change, Row, renew, renew_but_key, right_check, wrong_check
from yuyan_demo.simulator.products.assignment import (
    ASSIGNMENT,
    COMMISSION,
    EXCHANGE,
    FILES,
    LEGACY,
    VERSIONED,
)

KEY = ("src_inst_code", "src_record_id")
VERSIONS_PER_DAY = 10**9
"""Change versions of day N lie between N·10⁹ and (N+1)·10⁹, so that every change of a day is newer than all before it."""

PLACES = {
    **ASSIGNMENT,
    COMMISSION: (COMMISSION,),
    FILES: tuple(i for i in ASSIGNMENT[FILES] if i != COMMISSION),
}
OWN_PARENT = {
    "practice_participation": ("practice_project", {}),
    "list_milestone": ("list_item", {"weight": "1.0000"}),
    "list_assignment": ("list_item", {}),
}
"""Entities whose copies get a copy of their parent, and what such an only child looks like."""

ANYWHERE = tuple(i for product in (VERSIONED, EXCHANGE, LEGACY, FILES) for i in PLACES[product])


class CannotPlant(ValueError):
    """No record to copy or spoil; the message names entity and places."""


@dataclass(frozen=True)
class Defect:
    """One rule that one record breaks from a day on, until a day (exclusive) if it is corrected."""

    src_inst_code: str
    entity: str
    src_record_id: str
    rule_id: str
    severity: str
    since: int
    healed: int | None = None


class Planter:
    """Plants the defects of one day into the frames of that day; nothing changes before `frames` is called."""

    def __init__(
        self, frames: dict[str, pl.DataFrame], seed: int, day: int, times: int, taken: set[str]
    ) -> None:
        self._frames, self._times = frames, times
        self._seed, self._rng = seed, stream(seed, 80, day)
        self._count = day * 100_000
        self.day = day
        self._rows: dict[str, list[Row]] = {}
        self._taken = taken
        self._used: set[str] = set()
        self.defects: list[Defect] = []

    def draw_apart(self, name: str) -> None:
        """From here on draw as nothing before has any influence on: what is added elsewhere changes no record here."""
        self._rng = stream(self._seed, 81, self.day, zlib.crc32(name.encode()))

    def clone(
        self,
        entity: str,
        place: str,
        change: Change,
        *rules: str,
        where: pl.Expr | None = None,
        healed: int | None = None,
    ) -> list[Row]:
        """Plant copies of sound records with a new identity and the change applied; each breaks `rules`."""
        rows = [self._identity(entity, row) for row in self.draw(entity, place, where)]
        return [self._plant(entity, row, change, rules, healed) for row in rows]

    def host(self, entity: str, hosts: Iterator[Row], change: Change, *rules: str) -> list[Row]:
        """Plant records made from hosts: complete rows for which the entity has no record yet."""
        return [
            self._plant(entity, self._identity(entity, next(hosts), keep_key=True), change, rules, None)
            for _ in range(self._times)
        ]

    def child(
        self, entity: str, parents: list[Row], change: Change, *rules: str, healed: int | None = None
    ) -> list[Row]:
        """Plant a child per parent: a copy of a sound record of its institution; `change` sees the parent as `_p`."""
        planted = []
        for parent in parents:
            template = self._one(entity, parent["src_inst_code"])
            row = self._identity(entity, template)
            row["_p"] = parent
            self._taken.add(parent["src_record_id"])  # what the child breaks must stay as it is
            planted.append(self._plant(entity, row, change, rules, healed))
        return planted

    def twin(
        self, entity: str, place: str, *rules: str, where: pl.Expr | None = None, key: str | None = None
    ) -> None:
        """Plant copies that keep the natural key (or, with `key`, everything but that field)."""
        for row in self.draw(entity, place, where):
            self._taken.add(row["src_record_id"])  # the first of the two must stay
            twin = self._identity(entity, row, keep_key=True)
            if key:
                twin[key] = f"{row['src_inst_code']}-X{self._count:07d}"
            else:
                twin = renew_but_key(entity, twin)
            self._plant(entity, twin, {}, rules, None)

    def spoil(
        self,
        entity: str,
        place: str,
        change: Change,
        *rules: str,
        where: pl.Expr | None = None,
        healed: int | None = 2,
    ) -> list[Row]:
        """Change sound records themselves. Returns the sound rows, to put back on the day `healed`."""
        sound = []
        for row in self.draw(entity, place, where):
            sound.append(dict(row))
            self._plant(entity, self._stamp(dict(row)), change, rules, healed)
        return sound

    def add(self, entity: str, row: Row) -> None:
        """Plant a complete row as it is: sound, unless noted otherwise."""
        self._rows.setdefault(entity, []).append(self._stamp(row))

    def note(self, entity: str, row: Row, *rules: str) -> None:
        """Note rules that a sound record breaks because of what is planted elsewhere; it stays as it is."""
        self.keep(row)
        self._note(entity, row, rules, None)

    def keep(self, row: Row) -> None:
        """Something planted depends on this record: it must stay as it is."""
        self._taken.add(row["src_record_id"])

    def sound(self, entity: str, where: pl.Expr) -> Row:
        """The first sound record of an entity that fits."""
        return self._frames[entity].filter(where & self._sound()).row(0, named=True)

    def frames(self) -> dict[str, pl.DataFrame]:
        """The changed entities with everything planted, sorted by institution and record."""
        return {
            entity: merge(self._frames[entity], rows_frame(self._frames[entity], rows))
            for entity, rows in self._rows.items()
        }

    def new_identity(self, entity: str, row: Row) -> Row:
        """A copy of a row under a new record id and natural key."""
        return self._identity(entity, row)

    def restamped(self, row: Row) -> Row:
        """A newer version of a record itself."""
        return self._stamp(dict(row))

    def place(self, entity: str, row: Row, change: Change, *rules: str) -> Row:
        """Plant one row with the change applied."""
        return self._plant(entity, row, change, rules, None)

    def _plant(
        self, entity: str, row: Row, change: Change, rules: tuple[str, ...], healed: int | None
    ) -> Row:
        before = dict(row)
        row |= {name: value(before) if callable(value) else value for name, value in change.items()}
        row.pop("_p", None)
        self._taken.add(row["src_record_id"])
        self._rows.setdefault(entity, []).append(row)
        self._note(entity, row, rules, healed)
        return row

    def _note(self, entity: str, row: Row, rules: tuple[str, ...], healed: int | None) -> None:
        for rule in rules:
            rule_id, key = f"QR.{entity}.{rule}", (row["src_inst_code"], entity, row["src_record_id"])
            self.defects.append(Defect(*key, rule_id, severities()[rule_id], self.day, healed))

    def draw(self, entity: str, place: str, where: pl.Expr | None = None) -> list[Row]:
        """Sound records at an institution of the place, the institution rotating from one call to the next.

        A record serves once as long as there are others.
        """
        insts = PLACES.get(place) or (place,)
        insts = ANYWHERE if place == "any" else insts
        turn = int(self._rng.integers(len(insts)))
        for inst in insts[turn:] + insts[:turn]:
            frame = self._frames[entity].filter(pl.col("src_inst_code") == inst)
            frame = frame.filter(where) if where is not None else frame
            frame = frame.filter(self._sound())
            unused = frame.filter(~pl.col("src_record_id").is_in(sorted(self._used)))
            frame = unused if len(unused) else frame
            if len(frame):
                picked = self._rng.choice(len(frame), min(self._times, len(frame)), replace=False)
                rows = [frame.row(int(i), named=True) for i in picked]
                self._used.update(row["src_record_id"] for row in rows)
                return rows
        raise CannotPlant(f"{entity} at {insts}: no sound record for the defect; widen its condition")

    def _sound(self) -> pl.Expr:
        return ~pl.col("is_deleted") & ~pl.col("src_record_id").is_in(sorted(self._taken))

    def _one(self, entity: str, inst: str) -> Row:
        frame = self._frames[entity].filter((pl.col("src_inst_code") == inst) & self._sound())
        if frame.is_empty():
            frame = self._frames[entity].filter(self._sound())
        return {**frame.row(int(self._rng.integers(len(frame))), named=True), "src_inst_code": inst}

    def _identity(self, entity: str, row: Row, keep_key: bool = False) -> Row:
        """A copy of a row with its own record id and, unless kept, its own natural key and what else makes it another."""
        row = self._stamp(dict(row))
        row["src_record_id"] = f"x{self._count:015d}"
        key = contracts.load()[entity].key
        if not keep_key and len(key) == 1:
            inst, name = row["src_inst_code"], key[0]
            number = (
                f"{inst}9{self._count:09d}"
                if entity in ("student", "supervisor")
                else f"{inst}-X{self._count:07d}"
            )
            row[name] = number
        return row if keep_key else renew(entity, self._under_a_parent_of_its_own(entity, row))

    def _under_a_parent_of_its_own(self, entity: str, row: Row) -> Row:
        """Where siblings are judged together, a copy beside its template would break what all of them must keep."""
        if entity not in OWN_PARENT:
            return row
        parent_entity, change = OWN_PARENT[entity]
        key = contracts.load()[parent_entity].key
        found = self._frames[parent_entity].filter(*(pl.col(name) == row[name] for name in key))
        parent = self._identity(parent_entity, found.row(0, named=True))
        self._plant(parent_entity, parent, {}, (), None)
        return row | {name: parent[name] for name in key} | change

    def _stamp(self, row: Row) -> Row:
        """Version and update time of a change of this day, later than those of unchanged records."""
        self._count += 1
        nth = self._count % 100_000
        row["change_version"] = self.day * VERSIONS_PER_DAY + 500_000_000 + nth
        row["updated_at"] = moment(self.day) + timedelta(seconds=nth % 3000)
        return row


@cache
def severities() -> dict[str, str]:
    """Rule -> its severity."""
    return {r.rule_id: r.severity for rules in catalogue.load().rules.values() for r in rules}


def records_where(
    frames: dict[str, pl.DataFrame], entity: str, where: str | None, key: tuple[str, ...] = KEY
) -> pl.Expr | None:
    """The records of an entity for which a condition in SQL holds; it may look at other entities in a subquery.

    `key`: what tells its records apart.
    """
    if where is None:
        return None
    found = pl.SQLContext(frames).execute(f"select {', '.join(key)} from {entity} where {where}", eager=True)
    return pl.struct(key).is_in(found.select(pl.struct(key).alias("key"))["key"].implode())


CREDIT_CODES = {"free_uscc": right_check, "wrong_uscc": wrong_check}


def computed(expression: str) -> Callable[[Row], str | None]:
    """A value from the record's own fields by an SQL expression.

    It may use `free_uscc`, a credit code that nobody has, and `wrong_uscc`, one whose check character is wrong.
    """

    def value(row: Row) -> str | None:
        texts = {name: text for name, text in row.items() if text is None or isinstance(text, str)}
        texts |= {name: make(row) for name, make in CREDIT_CODES.items() if name in expression}
        frame = pl.DataFrame([texts], schema=dict.fromkeys(texts, pl.String))
        return frame.select(pl.sql_expr(expression)).item()

    return value


def moment(day: int) -> datetime:
    """Shortly after midnight of a day: when that day's changes are made. Day 1's lie a day earlier."""
    shift = day - 1 if day > 1 else -1
    return datetime.combine(settings.FIRST_AS_OF, datetime.min.time()) + timedelta(days=shift, minutes=1)


def rows_frame(like: pl.DataFrame, rows: list[Row]) -> pl.DataFrame:
    """Rows as a frame of the same schema; of several rows of one record the last counts."""
    return pl.DataFrame(rows, schema=like.schema, orient="row").unique(KEY, keep="last", maintain_order=True)


def merge(frame: pl.DataFrame, changes: pl.DataFrame) -> pl.DataFrame:
    """Replace records by their changed rows and add the new ones; sorted by institution and record."""
    return pl.concat([frame.join(changes, on=KEY, how="anti"), changes]).sort(KEY)


def shift_date(text: str, days: int) -> str:
    """A date text moved by some days."""
    return str(np.datetime64(text) + np.timedelta64(days, "D"))
