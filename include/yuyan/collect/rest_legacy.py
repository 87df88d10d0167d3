"""rest-legacy: page numbers with an envelope, errors inside HTTP 200, update times."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date, datetime, time, timedelta
from typing import Any

import msgspec
import numpy as np
import polars as pl

from yuyan.collect.http import Transient
from yuyan.collect.rest import Rest, T, decoder_of, resource_of
from yuyan.collect.source import (
    ITEMS,
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


UNKNOWN_TABLE = 40400


class _UnknownTable(Exception):
    """The platform says that it has no such table."""


class _Legacy(msgspec.Struct):
    code: int
    msg: str = ""
    total: int = 0
    pages: int = 0
    data: msgspec.Raw = msgspec.Raw(b"[]")
    retryAfter: float | None = None


class Legacy(Rest):
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

    def _check_unmoved(self, window: Window, ids: list[np.ndarray], answer: _Legacy, meter: Meter) -> None:
        """Ask for the last row of every page but the last again. Raises ListMoved."""
        size = np.unique(ids[0]).size
        rows = np.unique(np.concatenate(ids)).size
        if not size or rows != answer.total or -(-rows // size) != answer.pages:
            raise self._moved(window)

        def stays(number: int) -> bool:
            last, again = self._page(window, number * size, meter, 1)
            if again.pages != again.total:  # the platform does not cut pages that small: the whole page then
                last, again = self._page(window, number, meter)
            found = self._ids(last, window)
            return again.total == answer.total and found.size > 0 and np.isin(found, ids[number - 1]).all()

        if not all(self._several(stays, range(1, answer.pages))):
            raise self._moved(window)

    def _ids(self, page: Page, window: Window) -> np.ndarray:
        """Digests (64 bits) of a page's record ids as they came: those of a whole window are kept."""
        columns = self.institution.mapping(contracts.load()[window.entity]).record_id
        ids = pl.concat_str(pl.col(columns).fill_null(""), separator="|")
        return page.frame.select(ids.hash()).to_series().to_numpy().copy()

    def resources(self, rows: int) -> Iterator[Resource]:
        """The tables of the entities that it is asked for; it has no list of others."""
        for entity in self.institution.entities:
            table = self.institution.mapping(contracts.load()[entity]).table
            try:
                answer = self._ask(Window(entity, "full"), 1, rows, Meter())
                yield resource_of(table, bytes(answer.data))
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
        try:
            return self._client.request(meter, "GET", f"/api/{table}", self._open_envelope, params, headers)
        except _UnknownTable:
            raise self._not_served(window.entity, table, f"code {UNKNOWN_TABLE}") from None

    def _open_envelope(self, body: bytes) -> _Legacy:
        answer = decoder_of(_Legacy)(body)
        if answer.code == 0:
            return answer
        if answer.code in (42900, 50000):
            raise Transient(f"code {answer.code}", answer.retryAfter)
        if answer.code == UNKNOWN_TABLE:
            raise _UnknownTable
        if answer.code == 40101:
            raise PlatformDown(
                f"{self._who}：平台拒绝了接口密钥，请更新 Airflow 连接 {self.institution.connection} 的 password。/ "
                f"the platform refuses the API key; update the connection {self.institution.connection}"
            )
        raise SourceError(
            f"{self._who}：平台返回错误码 {answer.code}，请核对平台的表名和参数。/ "
            f"the platform answers with error code {answer.code}; check its table names and parameters"
        )
