"""A patient HTTP client: bounded retries with back-off that honour Retry-After, a rate limit, few requests at once."""

import email.utils
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

import tenacity
import urllib3

from yuyan.collect.source import Meter, PlatformDown, SourceError

ATTEMPTS = 6
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
LONGEST_RETRY_AFTER = 300.0
"""Seconds. A platform that asks for more than this is asked again after this long."""

CONNECT_SECONDS = 10.0
HEADERS = {"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": "yuyan"}
BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})

PATIENCE = 10
"""A body may take this many times as long as the platform may be silent: one that trickles is not waited for."""
T = TypeVar("T")


class Transient(Exception):
    """May pass: try again, after `retry_after` seconds if the platform said so."""

    def __init__(self, reason: str, retry_after: float | None = None, unreachable: bool = False) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.unreachable = unreachable


class NotServed(SourceError):
    """HTTP 404, or what a product says instead: there is nothing under this name."""


class Unauthorized(SourceError):
    """HTTP 401: the credential is missing, wrong or has expired."""


class Gate:
    """Lets at most `concurrency` requests through at once and `per_second` of them each second."""

    def __init__(self, per_second: float, concurrency: int) -> None:
        self.concurrency = concurrency
        self._interval = 1 / per_second
        self._free = threading.Semaphore(concurrency)
        self._lock = threading.Lock()
        self._next = 0.0

    def __enter__(self) -> None:
        self._free.acquire()
        with self._lock:
            now = time.monotonic()
            at = max(now, self._next)
            self._next = at + self._interval
        if at > now:
            time.sleep(at - now)

    def __exit__(self, *_: object) -> None:
        self._free.release()


class Client:
    """Requests to one platform. `who` names the institution in errors.

    urllib3, since reading large pages costs it a fifth of what httpx takes.
    """

    def __init__(
        self,
        who: str,
        base_url: str,
        gate: Gate,
        timeout: float,
        largest_mb: int,
        proxy: str | None = None,
    ) -> None:
        self._who, self._base_url, self._gate, self._largest_mb = who, base_url, gate, largest_mb
        self._down: str | None = None
        self._longest = PATIENCE * timeout
        how = {"maxsize": gate.concurrency, "timeout": urllib3.Timeout(connect=CONNECT_SECONDS, read=timeout)}
        self._pool = urllib3.ProxyManager(proxy, **how) if proxy else urllib3.PoolManager(**how)

    def close(self) -> None:
        self._pool.clear()

    def request(
        self,
        meter: Meter,
        method: str,
        path: str,
        decode: Callable[[bytes], T],
        fields: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> T:
        """Send until it is answered, and decode the body; `decode` raises Transient for a body that may be whole next time.

        `fields` become the query of a GET and the form of a POST. Raises Unauthorized, PlatformDown when nothing listens
        any more, SourceError for every other failure.
        """
        if self._down:
            raise PlatformDown(self._down)
        patient = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            wait=_wait,
            retry=tenacity.retry_if_exception_type(Transient),
            before=lambda state: meter.count(retries=int(state.attempt_number > 1)),
            reraise=True,
        )
        try:
            return patient(self._once, method, path, decode, fields, HEADERS | (headers or {}))
        except Transient as error:
            message = (
                f"{self._who}：{ATTEMPTS} 次请求 {path} 均未成功（{error}），请与平台管理员联系后重跑。/ "
                f"{ATTEMPTS} requests for {path} failed ({error}); ask the platform's operator, then run again"
            )
            if error.unreachable:
                self._down = message
                raise PlatformDown(message) from None
            raise SourceError(message) from None

    def _once(
        self,
        method: str,
        path: str,
        decode: Callable[[bytes], T],
        fields: dict[str, Any] | None,
        headers: dict[str, str],
    ) -> T:
        how = {"encode_multipart": False} if method == "POST" else {}
        try:
            with self._gate:
                answer = self._pool.request(
                    method,
                    self._base_url + path,
                    fields=fields,
                    headers=headers,
                    retries=False,
                    preload_content=False,
                    **how,
                )
                body = self._body(answer, path)
        except (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError) as error:
            raise Transient(f"无法连接 {type(error).__name__}", unreachable=True) from None
        except urllib3.exceptions.LocationValueError as error:
            raise self._unusable(error) from None
        except urllib3.exceptions.HTTPError as error:  # cut in mid-body, silent for too long, not valid gzip
            raise Transient(type(error).__name__) from None
        except (
            ValueError,
            OverflowError,
        ) as error:  # a host or port that is none, a header that cannot be sent
            raise self._unusable(error) from None
        if answer.status == 401:
            raise Unauthorized(
                f"{self._who}：{path} 返回 HTTP 401，请更新 Airflow 连接中的凭据。/ "
                "HTTP 401; update the connection's credentials"
            )
        if answer.status in BUSY:
            raise Transient(f"HTTP {answer.status}", retry_after(answer.headers.get("Retry-After")))
        if answer.status != 200:
            kind = NotServed if answer.status == 404 else SourceError
            raise kind(
                f"{self._who}：{path} 返回 HTTP {answer.status}，请核对连接路径和平台版本。/ "
                f"HTTP {answer.status} from {path}; check the connection's path and the platform's version"
            )
        return decode(body)

    def _body(self, answer: urllib3.BaseHTTPResponse, path: str) -> bytes:
        """The whole body, within bounds of time and size."""
        parts, size, until = [], 0, time.monotonic() + self._longest
        try:
            while part := answer.read1(1 << 20, decode_content=True):
                parts.append(part)
                size += len(part)
                if size > self._largest_mb << 20:
                    raise SourceError(
                        f"{self._who}：{path} 的响应解压后超过 {self._largest_mb} MB（limits.answer_mb），"
                        "请核对平台的分页。/ "
                        f"the answer to {path} is larger than {self._largest_mb} MB (limits.answer_mb); "
                        "check the platform's paging"
                    )
                if time.monotonic() > until:
                    raise Transient(f"响应超过 {self._longest:.0f} 秒未传完")
        except BaseException:
            answer.close()
            raise
        answer.release_conn()
        return b"".join(parts)

    def _unusable(self, error: Exception) -> PlatformDown:
        return PlatformDown(
            f"{self._who}：平台地址 {self._base_url} 无法使用（{type(error).__name__}），"
            "请更正 Airflow 连接的主机、端口和路径。/ the address cannot be used; correct host, port and path in Airflow"
        )


def retry_after(header: str | None) -> float | None:
    """Seconds to wait by a Retry-After header (RFC 9110 §10.2.3: seconds or an HTTP date); None if there is none."""
    if not header:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(header).timestamp() - time.time())
    except (ValueError, TypeError, IndexError, OverflowError):  # what is no date at all
        return None


_backoff = tenacity.wait_exponential_jitter(multiplier=FIRST_WAIT, max=LONGEST_WAIT, jitter=FIRST_WAIT)


def _wait(state: tenacity.RetryCallState) -> float:
    asked = state.outcome.exception().retry_after
    return _backoff(state) if asked is None else min(max(asked, 0.0), LONGEST_RETRY_AFTER)
