"""Pages of an entity reduced to what may land: announced fields after privacy, and how the source differs, counted."""

from collections import Counter
from dataclasses import dataclass, field

import polars as pl

from yuyan import settings
from yuyan.collect import field_names, privacy
from yuyan.collect import mapping as mapped
from yuyan.collect.file_faults import said
from yuyan.collect.source import ITEMS, Page, SourceError
from yuyan.domain.contracts import Contract
from yuyan.domain.entity_map import EntityMap


class MandatoryGone(SourceError):
    """A mandatory field is in no row any more. `drift` is what the source's fields looked like."""

    def __init__(self, message: str, drift: dict[str, tuple[str, int]]) -> None:
        super().__init__(message)
        self.drift = drift


@dataclass(frozen=True)
class Reduced:
    """Rows as they may land, how many per feed, per unannounced and per absent field, and the greatest time among them."""

    frame: pl.DataFrame = field(default_factory=pl.DataFrame)
    rows: Counter[str] = field(default_factory=Counter)
    unannounced: Counter[str] = field(default_factory=Counter)
    absent: Counter[str] = field(default_factory=Counter)
    greatest: str | None = None


def counted(one: Reduced, other: Reduced, most: int) -> Reduced:
    """What was counted of two pieces together, without their frames; so many names are told apart."""
    unannounced = one.unannounced.copy()
    field_names.count(unannounced, other.unannounced.items(), most)
    greatest = max((p.greatest for p in (one, other) if p.greatest), default=None)
    return Reduced(pl.DataFrame(), one.rows + other.rows, unannounced, one.absent + other.absent, greatest)


class PageReducer:
    """Reduces pages of one entity to what may land, and notes how the source differs from what was agreed."""

    def __init__(self, contract: Contract, mapping: EntityMap, most: int) -> None:
        self._contract, self._mapping, self._most = contract, mapping, most
        self._columns = privacy.columns(contract, mapping)
        extra = ("deleted_at", "old_key", "new_key") if mapping.version_as == "number" else ()
        self.empty = pl.DataFrame(schema=dict.fromkeys([*self._columns, *extra, "_feed"], pl.String))
        """The landing's columns, without rows."""
        self._key, self._key_version = settings.person_key_secret()
        needed = [
            mapping.fields[f.name] for f in contract.supplied if f.mandatory and f.name in mapping.fields
        ]
        self._mandatory = {c for f in needed if f.default is None for c in f.columns} | set(mapping.envelope)

    def reduce(self, page: Page) -> Reduced:
        """A page after privacy, with announced fields only."""
        frame, rows = page.frame, page.frame.height
        absent, greatest = Counter(), None
        if page.feed == ITEMS:
            absent.update(dict.fromkeys(page.absent, rows))
            if self._mapping.version_as in ("compact-time", "time"):
                moment = frame.select(mapped.source_version(self._mapping, None).max()).item()
                greatest = None if moment is None else mapped.version_text(self._mapping, moment)
            frame = privacy.protect(frame, self._contract, self._mapping, self._key, self._key_version)
        frame = pl.concat([self.empty, frame.with_columns(_feed=pl.lit(page.feed))], how="diagonal")
        counted = Counter({page.feed: rows} if rows else {})
        return Reduced(frame, counted, self._unannounced(page), absent, greatest)

    def _unannounced(self, page: Page) -> Counter[str]:
        """Rows per field that nobody announced, under the names that are recorded."""
        found: Counter[str] = Counter()
        told = (
            (field_names.recorded(name, page.places.get(name), self._mapping.announced, self._key), rows)
            for name, rows in page.unannounced.items()
        )
        field_names.count(found, told, self._most)
        return found

    def drift(self, piece: Reduced) -> dict[str, tuple[str, int]]:
        """Field -> (kind, rows) where the source differs from what was agreed."""
        kinds = {n: "missing_mandatory" if n in self._mandatory else "missing_optional" for n in piece.absent}
        absent = {name: (kinds[name], rows) for name, rows in piece.absent.items()}
        named = field_names.columns_only(piece.unannounced, piece.rows.total())
        return absent | {name: ("unannounced", rows) for name, rows in named.items()}

    def check(self, so_far: Reduced, who: str) -> None:
        """Raise MandatoryGone if a mandatory field has been in no row at all."""
        drift, rows = self.drift(so_far), so_far.rows[ITEMS]
        gone = [name for name, (kind, n) in drift.items() if kind == "missing_mandatory" and n == rows]
        if gone:
            chinese, english = said(
                "mandatory_gone", chinese="、".join(gone), english=", ".join(gone), rows=rows
            )
            raise MandatoryGone(f"{who}：{chinese}。/ {english}", drift)
