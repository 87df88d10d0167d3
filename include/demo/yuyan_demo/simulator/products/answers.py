"""HTTP answers of the simulated platforms, whole or broken."""

import gzip
import time

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from yuyan_demo.simulator.products import faults

GZIP_FROM = 1000
"""Bodies of at least this many bytes are compressed when the client accepts it."""


class Cut(Response):
    """Announces the whole body, sends half of it and lets the server close the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send(
            {"type": "http.response.body", "body": self.body[: len(self.body) // 2], "more_body": True}
        )


def json_answer(
    request: Request,
    body: str,
    status: int = 200,
    headers: dict[str, str] | None = None,
    fault: str | None = None,
) -> Response:
    """A JSON text as response, compressed if the client likes, slow or cut off if today's fault says so."""
    data, headers = body.encode(), dict(headers or {})
    if len(data) >= GZIP_FROM and "gzip" in request.headers.get("accept-encoding", ""):
        data = gzip.compress(data, compresslevel=1)
        headers["content-encoding"] = "gzip"
    if fault == faults.SLOW:
        time.sleep(faults.SLOW_SECONDS)
    kind = Cut if fault == faults.CUT else Response
    return kind(data, status_code=status, headers=headers, media_type="application/json")


class BadParameter(ValueError):
    """A query parameter that cannot be read; the message names it."""


def integer(request: Request, name: str, default: int | None = None) -> int:
    """A query parameter that must be a whole number from 0 up. Raises BadParameter."""
    text = request.query_params.get(name)
    if text is None and default is not None:
        return default
    if text is None or not text.isascii() or not text.isdigit():
        raise BadParameter(f"{name} must be a whole number from 0 up, not {text!r}")
    return int(text)
