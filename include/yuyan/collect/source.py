"""What every connector offers to the rest of the line: windows to ask for, pages of text, a count."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import polars as pl

from yuyan.domain.institutions import Institution

ITEMS, DELETES, KEY_CHANGES = "items", "deletes", "keyChanges"
"""Feeds: live (or marked) records, deletions, changed natural keys."""


class SourceError(RuntimeError):
    """A source did not deliver; the message says which, why, and what to do. Never holds a value of a record."""


class PlatformDown(SourceError):
    """The platform as a whole cannot be reached or refuses us: nothing else of it needs trying."""


class ListMoved(SourceError):
    """What was listed changed while it was being read, so that rows may have been passed over; to be read again."""


def too_much(institution: Institution, entity: str, limit: str, chinese: str, english: str) -> SourceError:
    """The refusal of a window that reaches one of the institution's limits (domain/institutions.Limits)."""
    most = getattr(institution.platform.limits, limit)
    return SourceError(
        f"{institution.inst_code} {institution.name} {entity}：{chinese}超过 {most}（limits.{limit}），未装载："
        f"请联系平台核对；确有更多时在 {institution.path.name} 的 limits 中提高。/ more than {most} {english} "
        f"(limits.{limit}), not loaded: ask the platform's operator; raise the limit if there are more"
    )


@dataclass
class Meter:
    """Requests sent and repeated for one entity; safe under threads."""

    requests: int = 0
    retries: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def count(self, retries: int = 0) -> None:
        with self._lock:
            self.requests += 1
            self.retries += retries

    def add(self, other: "Meter") -> None:
        with self._lock:
            self.requests += other.requests
            self.retries += other.retries


@dataclass(frozen=True)
class Window:
    """What to ask a source for.

    `since` and `until` are the source's own terms (empty: open). `version` is given to all rows of a source that orders
    whole deliveries, not records. `already_loaded` says that there is nothing to read, only the cursor to move. `note` is
    what the outcome says about it.
    """

    entity: str
    mode: str
    since: str = ""
    until: str = ""
    ref_period: str = ""
    version: int | None = None
    already_loaded: bool = False
    note: str = ""

    @property
    def file_name(self) -> str | None:
        """Folder and file of a delivery, as its sender knows it; None where the source is no file."""
        return None


@dataclass(frozen=True)
class Page:
    """Some rows, all text, under the source's own names, announced fields only.

    `unannounced`: field -> rows that had it; `places`: field -> number of its column, where the source has them in an order.
    `absent`: announced fields that no row of the page had.
    """

    frame: pl.DataFrame
    feed: str = ITEMS
    unannounced: dict[str, int] = field(default_factory=dict)
    absent: tuple[str, ...] = ()
    places: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Resource:
    """A table, view, file or resource that a source has, whoever announced it, with its first rows as they are.

    `rows` may hold persons: they stay in the process that asked, and yuyan.check.samples says what of them may be shown.
    `types`: column -> the source's own word for its type, where it has one. `problem`: why there are no rows.
    """

    name: str
    rows: pl.DataFrame = field(repr=False)
    types: dict[str, str] = field(default_factory=dict)
    problem: str = ""
    note: str = ""


def furthest(cursor: str | None, window: Window, greatest: str | None, latest: str) -> str | None:
    """The new cursor of a source whose cursor is a time: the greatest one seen, but never beyond `latest`.

    A wrong clock must not hide later changes. A full collection starts anew from what it saw.
    """
    base = None if window.mode == "full" else cursor
    return max((min(c, latest) for c in (base, greatest) if c), default=cursor)


class Source(Protocol):
    """One institution's platform. Safe to use from several threads.

    `proves_at_end`: only when all of a window has been read is it known to be good. `complaints`: what is wrong with the
    source as a whole but stops no window; known once it is open.
    """

    proves_at_end: bool
    complaints: list[str]

    def open(self) -> None:
        """Connect and prove that the platform answers. Raises PlatformDown."""

    def close(self) -> None:
        """Give everything back."""

    def windows(self, entity: str, cursor: str | None, full: bool) -> Iterator[Window]:
        """What there is to ask, given the cursor of the last load (None: never loaded)."""

    def pages(self, window: Window, meter: Meter) -> Iterator[Page]:
        """The rows of a window, in the source's order, in bounded memory. Raises SourceError."""

    def advance(self, cursor: str | None, window: Window, greatest: str | None) -> str | None:
        """The cursor once the window is loaded; `greatest` is the greatest version text seen, if versions are times."""

    def resources(self, rows: int) -> Iterator[Resource]:
        """All that the source shows to this login, mapped or not, with so many first rows of each."""

    def count(self, entity: str, meter: Meter) -> int | None:
        """Live records the source has now; None if the product cannot say."""
