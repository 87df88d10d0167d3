"""Requests to a platform as a patient connector sends them, with what their answers were like."""

import gzip
import http.client
import json
import time
import urllib.parse
import zlib
from collections.abc import Callable
from typing import Any

ATTEMPTS = 5
SECONDS = 60.0
LONGEST_WAIT = 30.0
LARGEST = 64 << 20


class Unreachable(Exception):
    """The platform does not answer at all."""


class Answer:
    """One answer. `faults`: check -> what is wrong with its form."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body
        self.faults: dict[str, str] = {}
        self.json = self._parsed(self._unpacked())

    @property
    def is_compressed(self) -> bool:
        return "gzip" in self.headers.get("content-encoding", "").lower()

    def _unpacked(self) -> bytes:
        if not self.is_compressed:
            return self.body
        try:
            return gzip.decompress(self.body)
        except (OSError, EOFError, zlib.error):
            self.faults["compression"] = "Content-Encoding: gzip, but the body is not / 声明为 gzip，内容不是"
            return self.body

    def _parsed(self, body: bytes) -> Any:
        kind = self.headers.get("content-type", "")
        if kind.partition(";")[0].strip().lower() != "application/json":
            self.faults["encoding"] = (
                f"Content-Type 为 {kind[:60]!r}，应为 application/json / should be application/json"
            )
        charset = kind.lower().partition("charset=")[2].strip(' "')
        if charset not in ("", "utf-8", "utf8"):
            self.faults["encoding"] = f"charset 为 {charset[:20]}，应为 UTF-8 / should be UTF-8"
        if body.startswith(b"\xef\xbb\xbf"):
            self.faults["encoding"] = "以字节顺序标记开头 / begins with a byte order mark"
        for encoding in ("utf-8-sig", "gb18030"):
            try:
                text = body.decode(encoding)
            except UnicodeDecodeError:
                self.faults["encoding"] = "不是 UTF-8 / not UTF-8"
                continue
            try:
                return json.loads(text)
            except (ValueError, RecursionError):
                break
        self.faults["envelope"] = "不是 JSON / not JSON"
        return None


class Client:
    """`on_answer` sees every answer; `wait` waits as long as the platform asks for."""

    def __init__(
        self,
        base_url: str,
        on_answer: Callable[[str, Answer], None],
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._url = urllib.parse.urlsplit(base_url if "://" in base_url else f"http://{base_url}")
        if self._url.scheme not in ("http", "https") or not self._url.hostname:
            raise Unreachable(f"{base_url} 不是 http 或 https 地址 / is no http or https address")
        self._on_answer, self._wait = on_answer, wait
        self.requests = 0

    def ask(
        self,
        path: str,
        params: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        form: dict[str, str] | None = None,
        compressed: bool = True,
    ) -> Answer:
        """One question, repeated while the platform is busy or the connection breaks. Raises Unreachable."""
        query = f"?{urllib.parse.urlencode(params)}" if params else ""
        sent = {"Accept": "application/json", "User-Agent": "yuyan-conformance", **(headers or {})}
        sent["Accept-Encoding"] = "gzip" if compressed else "identity"
        body = urllib.parse.urlencode(form) if form else None
        if body:
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        error: object = None
        for attempt in range(ATTEMPTS):
            try:
                answer = self._once(self._url.path.rstrip("/") + path + query, body, sent)
            except (OSError, http.client.HTTPException) as broken:
                error = type(broken).__name__
                self._wait(min(0.5 * 2**attempt, LONGEST_WAIT))
                continue
            self._on_answer(path, answer)
            seconds = busy_for(answer)
            if seconds is None:
                return answer
            error = f"HTTP {answer.status}"
            self._wait(min(seconds, LONGEST_WAIT))
        raise Unreachable(
            f"{path}：试了 {ATTEMPTS} 次没有应答（{error}） / no answer in {ATTEMPTS} attempts ({error})"
        )

    def _once(self, target: str, body: str | None, headers: dict[str, str]) -> Answer:
        kind = http.client.HTTPSConnection if self._url.scheme == "https" else http.client.HTTPConnection
        connection = kind(self._url.hostname, self._url.port, timeout=SECONDS)
        try:
            connection.request("POST" if body else "GET", target, body, headers)
            response = connection.getresponse()
            content = response.read(LARGEST + 1)
            self.requests += 1
            if len(content) > LARGEST:
                raise Unreachable(
                    f"{target.partition('?')[0]}：一个应答超过 64 MB / an answer of more than 64 MB"
                )
            if response.length:
                raise http.client.IncompleteRead(content)
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, content)
        finally:
            connection.close()


def busy_for(answer: Answer) -> float | None:
    """Seconds after which to ask again; None for an answer that counts."""
    code = answer.json.get("code") if isinstance(answer.json, dict) else None
    if answer.status in (429, 503) or code in (42900, 50000):
        asked = answer.headers.get("retry-after") if answer.status != 200 else answer.json.get("retryAfter")
        try:
            return max(0.0, float(asked))
        except (TypeError, ValueError):
            return 1.0
    return None
