"""A patient HTTP client: bounded retries with back-off that honour Retry-After, a rate limit, few requests at once."""

import email.utils
import threading
import time
import zlib
from collections.abc import Callable
from typing import Any, TypeVar

import httpx
import tenacity

from yuyan.collect.source import Meter, PlatformDown, SourceError

ATTEMPTS = 6
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
LONGEST_RETRY_AFTER = 300.0
"""Seconds. A platform that asks for more than this is asked again after this long."""

BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})

T = TypeVar("T")


class Transient(Exception):
    """May pass: try again, after `retry_after` seconds if the platform said so."""

    def __init__(self, reason: str, retry_after: float | None = None, unreachable: bool = False) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.unreachable = unreachable


class Unauthorized(SourceError):
    """HTTP 401: the credential is missing, wrong or has expired."""


class Gate:
    """Lets at most `concurrency` requests through at once and `per_second` of them each second."""

    def __init__(self, per_second: float, concurrency: int) -> None:
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
    """Requests to one platform. `who` names the institution in errors."""

    def __init__(self, who: str, base_url: str, gate: Gate, timeout: float, proxy: str | None = None) -> None:
        self._who, self._gate = who, gate
        self._down: str | None = None
        self._http = httpx.Client(
            base_url=base_url,
            timeout=httpx.Timeout(timeout, connect=10),
            proxy=proxy,
            trust_env=False,
            verify=base_url.startswith("https"),
            headers={"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": "yuyan"},
        )

    def close(self) -> None:
        self._http.close()

    def request(self, meter: Meter, method: str, url: str, decode: Callable[[bytes], T], **how: Any) -> T:
        """Send until it is answered, and decode the body; `decode` raises Transient for a body that may be whole next time.

        Raises Unauthorized, PlatformDown when nothing listens any more, SourceError for every other failure.
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
            return patient(self._once, method, url, decode, **how)
        except Transient as error:
            message = (
                f"{self._who}：{ATTEMPTS} 次请求 {url} 均未成功（{error}），请与平台管理员联系后重跑。/ "
                f"{ATTEMPTS} requests for {url} failed ({error}); ask the platform's operator, then run again"
            )
            if error.unreachable:
                self._down = message
                raise PlatformDown(message) from None
            raise SourceError(message) from None

    def _once(self, method: str, url: str, decode: Callable[[bytes], T], **how: Any) -> T:
        try:
            with self._gate, self._http.stream(method, url, **how) as answer:
                body = b"".join(
                    answer.iter_raw()
                )  # half the cost of .content, which takes every chunk through a decoder
            if answer.headers.get("Content-Encoding") == "gzip":
                body = zlib.decompress(body, wbits=31)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise Transient(f"无法连接 {type(error).__name__}", unreachable=True) from None
        except (httpx.TransportError, zlib.error) as error:
            raise Transient(type(error).__name__) from None
        if answer.status_code == 401:
            raise Unauthorized(
                f"{self._who}：{url} 返回 HTTP 401，请更新 Airflow 连接中的凭据。/ "
                "HTTP 401; update the connection's credentials"
            )
        if answer.status_code in BUSY:
            raise Transient(f"HTTP {answer.status_code}", retry_after(answer.headers.get("Retry-After")))
        if answer.status_code != 200:
            raise SourceError(
                f"{self._who}：{url} 返回 HTTP {answer.status_code}，请核对连接路径和平台版本。/ "
                f"HTTP {answer.status_code} from {url}; check the connection's path and the platform's version"
            )
        return decode(body)


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
    except ValueError:
        return None


_backoff = tenacity.wait_exponential_jitter(multiplier=FIRST_WAIT, max=LONGEST_WAIT, jitter=FIRST_WAIT)


def _wait(state: tenacity.RetryCallState) -> float:
    asked = state.outcome.exception().retry_after
    return _backoff(state) if asked is None else min(asked, LONGEST_RETRY_AFTER)
