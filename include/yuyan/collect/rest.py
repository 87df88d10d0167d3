"""The two REST products: change-version windows (rest-versioned) and page numbers with an envelope (rest-legacy)."""

import json
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any, TypeVar

import msgspec
import polars as pl
import urllib3

from yuyan.collect.http import Client, Gate, Transient, Unauthorized
from yuyan.collect.pages import BadPage, parse
from yuyan.collect.prefetch import prefetched
from yuyan.collect.source import (
    DELETES,
    ITEMS,
    KEY_CHANGES,
    ListMoved,
    Meter,
    Page,
    PlatformDown,
    Resource,
    SourceError,
    Window,
    furthest,
    too_much,
)
from yuyan.domain import contracts
from yuyan.domain.institutions import Institution

STAMP = "%Y%m%d%H%M%S"
CATCH_UPS = 10
"""How often a complete listing of a busy platform asks what changed while it was being read."""

T = TypeVar("T")


class _Envelope(msgspec.Struct):
    items: msgspec.Raw
    nextAfterId: str | None = None


class _Token(msgspec.Struct):
    access_token: str


class _Version(msgspec.Struct):
    changeVersion: int


class _Count(msgspec.Struct):
    count: int


class _Legacy(msgspec.Struct):
    code: int
    msg: str = ""
    total: int = 0
    pages: int = 0
    data: msgspec.Raw = msgspec.Raw(b"[]")
    retryAfter: float | None = None


class _Rest:
    """What both products share: a client, the announced names of an entity, parsing."""

    proves_at_end = False

    def __init__(self, institution: Institution, connection: Any) -> None:
        extra = connection.extra_dejson
        host = connection.host or ""
        base = host if "://" in host else f"{connection.schema or 'http'}://{host}"
        if connection.port:
            base = f"{base}:{connection.port}"
        platform = institution.platform
        self.institution = institution
        self.complaints: list[str] = []
        self._connection = connection
        self._who = f"{institution.inst_code} {institution.name}"
        gate = Gate(platform.requests_per_second, platform.concurrency)
        self._limits = platform.limits
        self._client = Client(
            self._who,
            base + extra.get("path", ""),
            gate,
            platform.timeout_seconds,
            self._limits.answer_mb,
            extra.get("proxy"),
        )

    def close(self) -> None:
        self._client.close()

    def _parse(self, raw: bytes, entity: str, feed: str, names: tuple[str, ...] = ()) -> Page:
        if raw.count(b"{") > self._limits.page_rows:
            raise too_much(self.institution, entity, "page_rows", "一页的记录", "records of one page")
        contract = contracts.load()[entity]
        mapping = self.institution.mapping(contract)
        arrays = frozenset(
            mapping.names[f.name] for f in contract.supplied if f.type == "array" and f.name in mapping.names
        )
        try:
            return parse(raw, names or mapping.announced, arrays, feed)
        except BadPage as error:
            raise SourceError(
                f"{self._who} {entity}：返回的数据不是约定的 JSON 记录数组，请核对平台版本。/ "
                f"{error}; check the platform's version"
            ) from None


class Versioned(_Rest):
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
            self.until = self._get(Meter(), "/changeVersion", _decode(_Version)).changeVersion
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
        for raw in prefetched(self._raw_pages(window, feed, meter), size=lambda raw: memoryview(raw).nbytes):
            yield self._parse(bytes(raw), window.entity, feed, _FEED_COLUMNS.get(feed, ()))

    def _changed_meanwhile(self, window: Window, meter: Meter) -> Iterator[Page]:
        """Records that got a version above the bound before their page was read: without them they would seem to be gone."""
        upto = int(window.until)
        for _ in range(CATCH_UPS):
            now = self._get(meter, "/changeVersion", _decode(_Version)).changeVersion
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
                page = self._get(Meter(), f"/{table}", _decode(_Envelope), params)
                yield _resource(table, bytes(page.items))
            except SourceError as error:
                yield Resource(table, pl.DataFrame(), problem=str(error))

    def count(self, entity: str, meter: Meter) -> int:
        params = {"maxChangeVersion": self._caught_up.get(entity, self.until)}
        table = self.institution.mapping(contracts.load()[entity]).table
        return self._get(meter, f"/{table}/count", _decode(_Count), params).count

    def _raw_pages(self, window: Window, feed: str, meter: Meter) -> Iterator[msgspec.Raw]:
        table = self.institution.mapping(contracts.load()[window.entity]).table
        path = f"/{table}" if feed == ITEMS else f"/{table}/{feed}"
        params: dict[str, Any] = {
            "minChangeVersion": window.since or 0,
            "maxChangeVersion": window.until,
            "limit": self.institution.platform.page_size,
        }
        seen: set[str] = set()
        empty = 0
        while True:
            page = self._get(meter, path, _decode(_Envelope), params)
            yield page.items
            if page.nextAfterId is None:
                return
            empty = 0 if b"{" in bytes(page.items) else empty + 1
            if empty > self._limits.empty_pages:
                raise too_much(
                    self.institution, window.entity, "empty_pages", "连续的空页", "empty pages in a row"
                )
            if len(seen) >= self._limits.pages:
                raise too_much(self.institution, window.entity, "pages", "页数", "pages")
            if page.nextAfterId in seen:
                raise SourceError(
                    f"{self._who} {window.entity}：翻页没有前进（nextAfterId 重复），请联系平台。/ "
                    "paging does not move on (nextAfterId repeats); ask the platform's operator"
                )
            seen.add(page.nextAfterId)
            params["afterId"] = page.nextAfterId

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
                        _decode(_Token),
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


class Legacy(_Rest):
    """rest-legacy: numbered pages, errors inside HTTP 200, an API key, update times only.

    A row that goes or moves while numbered pages are read shifts all behind it: the first of each later page is never seen.
    So a window of several pages counts only if its totals stayed, its rows are as many, and no page's end has moved.
    """

    proves_at_end = True

    def __init__(self, institution: Institution, connection: Any, as_of: date) -> None:
        super().__init__(institution, connection)
        self._as_of = as_of

    def open(self) -> None:
        try:
            self.count(self.institution.entities[0], Meter())
        except SourceError as error:
            raise PlatformDown(str(error)) from None

    def windows(self, entity: str, cursor: str | None, full: bool) -> Iterator[Window]:
        if full or cursor is None:
            yield Window(entity, "full")
        else:
            overlap = timedelta(hours=self.institution.platform.overlap_hours)
            yield Window(
                entity, "incremental", since=(datetime.strptime(cursor, STAMP) - overlap).strftime(STAMP)
            )

    def advance(self, cursor: str | None, window: Window, greatest: str | None) -> str | None:
        latest = datetime.combine(self._as_of, time()) + timedelta(days=1)
        return furthest(cursor, window, greatest, latest.strftime(STAMP))

    def pages(self, window: Window, meter: Meter) -> Iterator[Page]:
        first, answer = self._page(window, 1, meter)
        if answer.pages > self._limits.pages:
            raise too_much(self.institution, window.entity, "pages", "页数", "pages")
        yield first
        ids = [self._ids(first, window)]
        for page, other in self._several(lambda n: self._page(window, n, meter), range(2, answer.pages + 1)):
            if (other.total, other.pages) != (answer.total, answer.pages):
                raise self._moved(window)
            ids.append(self._ids(page, window))
            yield page
        if answer.pages > 1:
            self._check_unmoved(window, ids, answer, meter)

    def _check_unmoved(self, window: Window, ids: list[pl.Series], answer: _Legacy, meter: Meter) -> None:
        """Ask for the last row of every page but the last again. Raises ListMoved."""
        size = ids[0].n_unique()
        if pl.concat(ids).n_unique() != answer.total or -(-answer.total // size) != answer.pages:
            raise self._moved(window)

        def stays(number: int) -> bool:
            last, again = self._page(window, number * size, meter, 1)
            if again.pages != again.total:  # the platform does not cut pages that small: the whole page then
                last, again = self._page(window, number, meter)
            found = self._ids(last, window)
            return (
                again.total == answer.total
                and found.len() > 0
                and found.is_in(ids[number - 1].implode()).all()
            )

        if not all(self._several(stays, range(1, answer.pages))):
            raise self._moved(window)

    def _ids(self, page: Page, window: Window) -> pl.Series:
        """Record ids of a page as they came."""
        columns = self.institution.mapping(contracts.load()[window.entity]).record_id
        return page.frame.select(pl.concat_str(pl.col(columns).fill_null(""), separator="|")).to_series()

    def resources(self, rows: int) -> Iterator[Resource]:
        """The tables of the entities that it is asked for; it has no list of others."""
        for entity in self.institution.entities:
            table = self.institution.mapping(contracts.load()[entity]).table
            try:
                answer = self._ask(Window(entity, "full"), 1, rows, Meter())
                yield _resource(table, bytes(answer.data))
            except SourceError as error:
                yield Resource(table, pl.DataFrame(), problem=str(error))

    def _several(self, ask: Callable[[int], T], numbers: Iterable[int]) -> Iterator[T]:
        """Ask for numbers, a few at once, in order."""
        at_once = self.institution.platform.concurrency
        with ThreadPoolExecutor(at_once) as pool:
            waiting: deque[Future] = deque()
            try:
                for number in numbers:
                    if len(waiting) == at_once:
                        yield waiting.popleft().result()
                    waiting.append(pool.submit(ask, number))
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def _moved(self, window: Window) -> ListMoved:
        return ListMoved(
            f"{self._who} {window.entity}：读取期间平台的数据一直在变，翻页可能漏行，本次未装载，请在平台空闲时重跑。/ "
            "the platform's rows kept changing while they were read and pages may have passed some over; nothing was "
            "loaded, run again at a quiet time"
        )

    def count(self, entity: str, meter: Meter) -> int:
        return self._ask(Window(entity, "full"), 1, 1, meter).total

    def _page(
        self, window: Window, number: int, meter: Meter, size: int | None = None
    ) -> tuple[Page, _Legacy]:
        answer = self._ask(window, number, size or self.institution.platform.page_size, meter)
        return self._parse(bytes(answer.data), window.entity, ITEMS), answer

    def _ask(self, window: Window, number: int, size: int, meter: Meter) -> _Legacy:
        table = self.institution.mapping(contracts.load()[window.entity]).table
        params: dict[str, Any] = {"pageNo": number, "pageSize": size}
        if window.since:
            params["updatedSince"] = window.since
        headers = {"X-API-Key": self._connection.password or ""}
        return self._client.request(meter, "GET", f"/api/{table}", self._open_envelope, params, headers)

    def _open_envelope(self, body: bytes) -> _Legacy:
        answer = _decode(_Legacy)(body)
        if answer.code == 0:
            return answer
        if answer.code in (42900, 50000):
            raise Transient(f"code {answer.code}", answer.retryAfter)
        if answer.code == 40101:
            raise PlatformDown(
                f"{self._who}：平台拒绝了接口密钥，请更新 Airflow 连接 {self.institution.connection} 的 password。/ "
                f"the platform refuses the API key; update the connection {self.institution.connection}"
            )
        raise SourceError(
            f"{self._who}：平台返回错误码 {answer.code}，请核对平台的表名和参数。/ "
            f"the platform answers with error code {answer.code}; check its table names and parameters"
        )


def _resource(table: str, raw: bytes) -> Resource:
    """Records of a page with all their fields, announced or not, as text; the type of a field is that of its first value."""
    try:
        records = json.loads(raw)
        names = list(dict.fromkeys(name for record in records for name in record))
    except (ValueError, TypeError, RecursionError):
        return Resource(
            table, pl.DataFrame(), problem="返回的不是 JSON 记录数组 / not a JSON array of records"
        )
    types, columns = {}, {}
    for name in names:
        values = [record.get(name) for record in records]
        types[name] = next((type(v).__name__ for v in values if v is not None), "")
        columns[name] = pl.Series(
            [v if v is None or isinstance(v, str) else json.dumps(v, ensure_ascii=False) for v in values],
            dtype=pl.String,
        )
    return Resource(table, pl.DataFrame(columns), types)


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


def _decode(kind: type[T]) -> Callable[[bytes], T]:
    decoder = msgspec.json.Decoder(kind)

    def decode(body: bytes) -> T:
        try:
            return decoder.decode(body)
        except (msgspec.DecodeError, msgspec.ValidationError):  # cut in mid-body: whole next time
            raise Transient("应答不完整或不是约定的结构") from None
        except RecursionError:
            raise Transient("应答的嵌套过深，不是约定的结构") from None

    return decode
