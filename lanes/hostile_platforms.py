"""The simulated platforms, some of whose answers are what no client wants: `hostile_platforms.py HOME PORT SHARE SEED`.

Every answer is small, and none of them is data that could be taken for true: what arrives of such a platform is what it
has, or is refused.
"""

import gzip
import logging
import random
import sys
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from yuyan_demo.simulator.products import server

JSON = "application/json"
ZEROS = gzip.compress(bytes(20_000_000))
"""20 KB that want to become 20 MB."""

Answer = tuple[int, str, bytes]
ANSWERS: dict[str, Answer] = {
    "nothing": (200, JSON, b""),
    "a login page": (200, "text/html", b"<html><form action=/login><input name=user></form></html>"),
    "noise": (200, JSON, random.Random(1).randbytes(2000)),
    "half of an object": (200, JSON, b'{"items": [{"src_record_id": "a", "change_ver'),
    "deeply nested": (200, JSON, b'{"items":' + b"[" * 5000 + b"]" * 5000 + b"}"),
    "another shape": (200, JSON, b'{"code": 0, "data": {"items": 7}, "items": "none", "count": "many"}'),
    "a text": (200, JSON, b'"=HYPERLINK(\\"http://127.0.0.1/\\") <script>1</script> \\u0000 \\u202e"'),
    "no number": (200, JSON, b'{"count": NaN, "changeVersion": -1e400, "items": [NaN], "pages": 1e9}'),
    "broken UTF-8": (200, JSON, b'{"items": [{"src_record_id": "\xff\xfe"}]}'),
    "an error": (500, "text/plain", b"Traceback (most recent call last):"),
    "busy": (503, JSON, b'{"error": "unavailable"}'),
    "slow down": (429, JSON, b'{"error": "too_many_requests"}'),
    "another place": (302, "text/plain", b""),
    "forbidden": (403, JSON, b'{"error": "forbidden"}'),
    "expanding": (200, JSON, ZEROS),
}


class HostileNow:
    """Between a client and an application: some answers are others, some end in the middle."""

    def __init__(self, app: ASGIApp, share: float, seed: str) -> None:
        self._app, self._share, self._dice = app, share, random.Random(seed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._dice.random() >= self._share:
            await self._app(scope, receive, send)
        elif (name := self._dice.choice(["cut", *ANSWERS])) == "cut":
            await self._app(scope, receive, _half(send))
        else:
            status, kind, body = ANSWERS[name]
            headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
            headers += [(b"location", scope["path"].encode())] if status == 302 else []
            headers += [(b"retry-after", b"1")] if status == 429 else []
            headers += [(b"content-encoding", b"gzip")] if body is ZEROS else []
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})


def _half(send: Send) -> Send:
    """Announces the whole of an answer and sends half of it; the server then closes the connection."""

    async def cut(message: Message) -> None:
        if message["type"] == "http.response.body":
            body = message.get("body", b"")
            message = {"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True}
        await send(message)

    return cut


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)
    home, port, share, seed = sys.argv[1:]
    hostile = HostileNow(server.app(Path(home)), float(share), seed)
    uvicorn.run(hostile, host="127.0.0.1", port=int(port), log_config=None, access_log=False)
