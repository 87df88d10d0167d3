"""rest-versioned: change-version windows, key paging, deletes and key changes, OAuth2 client credentials."""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import msgspec
import polars as pl
import urllib3

from yuyan.collect.http import NotServed, Unauthorized
from yuyan.collect.prefetch import prefetched
from yuyan.collect.rest import Rest, T, decoder_of, resource_of
from yuyan.collect.source import (
    DELETES,
    ITEMS,
    KEY_CHANGES,
    Meter,
    Page,
    PlatformDown,
    Resource,
    SourceError,
    Window,
    too_much,
)
from yuyan.domain import contracts
from yuyan.domain.institutions import Institution

CATCH_UPS = 10
"""How often a complete listing of a busy platform asks what changed while it was being read."""


class _Envelope(msgspec.Struct):
    items: msgspec.Raw
    nextAfterId: str | None = None


class _Token(msgspec.Struct):
    access_token: str


class _Version(msgspec.Struct):
    changeVersion: int


class _Count(msgspec.Struct):
    count: int


class Versioned(Rest):
    """rest-versioned: one upper bound for the whole run, key paging, deletes and key changes, OAuth2 client credentials.

    The cursor of an entity is JSON: {day: the bound reached on it} of the last days, so that windows overlap by hours, since
    a change may be committed after a greater version was read. A bare number is a bound, too.
    """

    def __init__(self, institution: Institution, connection: Any, as_of: date) -> None:
        super().__init__(institution, connection)
        self._token = ""
        self._lock = threading.Lock()
        self._as_of = as_of
        self._caught_up: dict[str, int] = {}
        self.until = 0

    def open(self) -> None:
        try:
            self.until = self._get(Meter(), "/changeVersion", decoder_of(_Version)).changeVersion
        except PlatformDown:
            raise
        except SourceError as error:
            raise PlatformDown(str(error)) from None

    def windows(self, entity: str, cursor: str | None, full: bool) -> Iterator[Window]:
        bounds = _bounds(cursor)
        reached = max(bounds.values(), default=0)
        if full or not bounds:
            yield Window(entity, "full", until=str(self.until))
        elif self.until < reached:
            note = (
                f"平台的变更版本号由 {reached} 退回 {self.until}（恢复了备份或重新计数），已改为全量比对。/ the platform's "
                f"change version went back from {reached} to {self.until} (a restore?): everything was compared instead"
            )
            yield Window(entity, "full", until=str(self.until), note=note)
        elif (since := self._overlapping(bounds)) < self.until:
            yield Window(entity, "incremental", since=str(since), until=str(self.until))

    def advance(self, cursor: str | None, window: Window, greatest: str | None) -> str:
        until, bounds = int(window.until), _bounds(cursor)
        kept = {day: bound for day, bound in bounds.items() if bound <= until and day >= self._overlap_from}
        older = [bound for day, bound in bounds.items() if bound <= until and day < self._overlap_from]
        kept |= {"": max(older)} if older else {}
        return json.dumps(kept | {str(self._as_of): until}, sort_keys=True)

    @property
    def _overlap_from(self) -> str:
        return str(self._as_of - timedelta(hours=self.institution.platform.overlap_hours))

    def _overlapping(self, bounds: dict[str, int]) -> int:
        """The bound reached before the overlap began; the oldest known where there is none."""
        before = [bound for day, bound in bounds.items() if day <= self._overlap_from]
        return max(before) if before else min(bounds.values())

    def pages(self, window: Window, meter: Meter) -> Iterator[Page]:
        # A first or full collection lists everything that lives: what was deleted is simply not in it.
        feeds = (ITEMS,) if window.mode == "full" else (ITEMS, DELETES, KEY_CHANGES)
        for feed in feeds:
            yield from self._feed(window, feed, meter)
        if window.mode == "full":
            yield from self._changed_meanwhile(window, meter)

    def _feed(self, window: Window, feed: str, meter: Meter) -> Iterator[Page]:
        for raw in prefetched(self._raw_pages(window, feed, meter), size=len):
            yield self._parse(raw, window.entity, feed, _FEED_COLUMNS.get(feed, ()))

    def _changed_meanwhile(self, window: Window, meter: Meter) -> Iterator[Page]:
        """Records that got a version above the bound before their page was read: without them they would seem to be gone."""
        upto = int(window.until)
        for _ in range(CATCH_UPS):
            now = self._get(meter, "/changeVersion", decoder_of(_Version)).changeVersion
            if now <= upto:
                break
            rows = 0
            for page in self._feed(replace(window, since=str(upto), until=str(now)), ITEMS, meter):
                rows += page.frame.height
                yield page
            upto = now
            if not rows:
                break
        self._caught_up[window.entity] = upto

    def resources(self, rows: int) -> Iterator[Resource]:
        """The resources of the entities that it is asked for; it has no list of others."""
        for entity in self.institution.entities:
            table = self.institution.mapping(contracts.load()[entity]).table
            params = {"minChangeVersion": 0, "maxChangeVersion": self.until, "limit": rows}
            try:
                page = self._get(Meter(), f"/{table}", decoder_of(_Envelope), params)
                yield resource_of(table, bytes(page.items))
            except SourceError as error:
                yield Resource(table, pl.DataFrame(), problem=str(error))

    def count(self, entity: str, meter: Meter) -> int:
        params = {"maxChangeVersion": self._caught_up.get(entity, self.until)}
        table = self.institution.mapping(contracts.load()[entity]).table
        return self._get(meter, f"/{table}/count", decoder_of(_Count), params).count

    def _raw_pages(self, window: Window, feed: str, meter: Meter) -> Iterator[bytes]:
        table = self.institution.mapping(contracts.load()[window.entity]).table
        path = f"/{table}" if feed == ITEMS else f"/{table}/{feed}"
        params: dict[str, Any] = {
            "minChangeVersion": window.since or 0,
            "maxChangeVersion": window.until,
            "limit": self.institution.platform.page_size,
        }
        seen: set[bytes] = set()
        empty = 0
        while True:
            try:
                page = self._get(meter, path, decoder_of(_Envelope), params)
            except NotServed:
                raise self._not_served(window.entity, table, "HTTP 404") from None
            raw, after = bytes(page.items), page.nextAfterId
            del page  # and the whole body with it
            yield raw
            if after is None:
                return
            empty = 0 if b"{" in raw else empty + 1
            if empty > self._limits.empty_pages:
                raise too_much(
                    self.institution, window.entity, "empty_pages", "连续的空页", "empty pages in a row"
                )
            if len(seen) >= self._limits.pages:
                raise too_much(self.institution, window.entity, "pages", "页数", "pages")
            if len(after) > self._limits.next_id_characters:
                raise too_much(
                    self.institution,
                    window.entity,
                    "next_id_characters",
                    "下一页编号的长度",
                    "characters of the id of a next page",
                )
            digest = hashlib.blake2b(after.encode(errors="surrogatepass"), digest_size=16).digest()
            if digest in seen:
                raise SourceError(
                    f"{self._who} {window.entity}：翻页没有前进（nextAfterId 重复），请联系平台。/ "
                    "paging does not move on (nextAfterId repeats); ask the platform's operator"
                )
            seen.add(digest)
            params["afterId"] = after

    def _get(
        self, meter: Meter, path: str, decode: Callable[[bytes], T], params: dict[str, Any] | None = None
    ) -> T:
        token = self._token or self._renew(meter, "")
        for _ in range(2):
            try:
                headers = {"Authorization": f"Bearer {token}"}
                return self._client.request(meter, "GET", path, decode, params, headers)
            except Unauthorized:
                token = self._renew(meter, token)
        raise self._refused()

    def _renew(self, meter: Meter, expired: str) -> str:
        """A new token, unless another thread has got one since."""
        with self._lock:
            if self._token == expired:
                credentials = f"{self._connection.login or ''}:{self._connection.password or ''}"
                try:
                    self._token = self._client.request(
                        meter,
                        "POST",
                        "/oauth/token",
                        decoder_of(_Token),
                        {"grant_type": "client_credentials"},
                        urllib3.make_headers(basic_auth=credentials),
                    ).access_token
                except Unauthorized:
                    raise self._refused() from None
            return self._token

    def _refused(self) -> PlatformDown:
        return PlatformDown(
            f"{self._who}：平台拒绝了客户端凭据，请更新 Airflow 连接 {self.institution.connection} 的 login 和 password。/ "
            f"the platform refuses the client id or secret; update the connection {self.institution.connection}"
        )


_FEED_COLUMNS = {
    DELETES: ("src_record_id", "change_version", "deleted_at"),
    KEY_CHANGES: ("src_record_id", "change_version", "old_key", "new_key"),
}


def _bounds(cursor: str | None) -> dict[str, int]:
    """{day: bound} of a cursor of rest-versioned; of a bare number {"": number}. Raises ValueError."""
    if cursor is None:
        return {}
    read = json.loads(cursor)
    bounds = read if isinstance(read, dict) else {"": read}
    if not all(type(bound) is int for bound in bounds.values()):
        raise ValueError("no bound")
    return bounds
