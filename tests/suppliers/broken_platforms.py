"""The simulated platforms, broken on purpose: every kind of break is a path of its own in front of the same server.

/<break>/versioned/10611/… is the simulator's /versioned/10611/… with its question or its answer changed.
"""

import asyncio
import gzip
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import parse_qs, urlencode

import httpx
import uvicorn
from starlette.requests import Request
from starlette.responses import Response

from yuyan_demo.simulator.products import faults, server

SOUND = "none"
"""The path of the platforms as they are, with the simulator's own faults of the day."""
CALM = 0
"""The seed of days without faults."""
TICKS = count()
OWN = "org_unit"
"""The entity at which a break is made that concerns one."""


class Asked:
    """A question on its way: path below the institution, parameters, headers; and the true answer once it is there."""

    def __init__(self, path: str, params: dict[str, str], headers: dict[str, str]) -> None:
        self.path, self.params, self.headers = path, params, headers
        self.status, self.out, self.json = 0, {}, None

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Records of an entity's page; else none."""
        is_feed = "/deletes" in self.path or "/keyChanges" in self.path
        body = self.json if isinstance(self.json, dict) and not is_feed else {}
        return body.get("items") or body.get("data") or []


def each(change: Callable[[dict[str, Any]], None]) -> Callable[[Asked], None]:
    """A break of every record."""

    def apply(asked: Asked) -> None:
        for row in asked.rows:
            change(row)

    return apply


def member(name: str, value: Callable[[Any], Any]) -> Callable[[Asked], None]:
    """A break of one field of every record that has it."""

    def change(row: dict[str, Any]) -> None:
        if name in row:
            row[name] = value(row[name])

    return each(change)


def body(**changes: Callable[[Any], Any]) -> Callable[[Asked], None]:
    """A break of members of the envelope."""

    def apply(asked: Asked) -> None:
        for name, value in changes.items():
            if isinstance(asked.json, dict) and name in asked.json:
                asked.json[name] = value(asked.json[name])

    return apply


def status(wrong: int, instead: int) -> Callable[[Asked], None]:
    def apply(asked: Asked) -> None:
        asked.status = instead if asked.status == wrong else asked.status

    return apply


def code(wrong: int, instead: int) -> Callable[[Asked], None]:
    return body(code=lambda given: instead if given == wrong else given)


def drop_first_of_later_pages(asked: Asked) -> None:
    later = asked.params.get("afterId") or asked.params.get("pageNo", "1") != "1"
    if later and len(asked.rows) > 1:
        asked.rows.pop(0)


def renamed(old: str, new: str) -> Callable[[Asked], None]:
    def apply(asked: Asked) -> None:
        if isinstance(asked.json, dict) and old in asked.json:
            asked.json[new] = asked.json.pop(old)

    return apply


def without(name: str) -> Callable[[Asked], None]:
    return each(lambda row: row.pop(name, None))


def a_live_record_among_the_deleted(asked: Asked) -> None:
    if asked.path == f"{OWN}/deletes" and int(asked.params["minChangeVersion"]) == 0:
        gone = {"src_record_id": f"10611-{OWN}-000", "change_version": 1, "deleted_at": "2026-10-15T00:00:00"}
        asked.json["items"].append(gone)


def nothing_is_ever_deleted(asked: Asked) -> None:
    if "/deletes" in asked.path:
        asked.json["items"] = []


def no_retry_after(asked: Asked) -> None:
    if next(TICKS) % 9 == 0 and asked.path == OWN:
        asked.status = 429


def busy_without_a_time(asked: Asked) -> None:
    if next(TICKS) % 9 == 0 and "/api/" in f"/{asked.path}":
        asked.json = {"code": 42900, "msg": "busy"}


def other_content_under_one_version(asked: Asked) -> None:
    for row in asked.rows:
        for name in {"unit_name", "YXMC"} & row.keys():
            row[name] = f"第{next(TICKS)}个"


def two_institutions(row: dict[str, Any]) -> None:
    if "src_inst_code" in row:
        row["src_inst_code"] = f"1061{int(row['src_record_id'][-1]) % 2}"


def compressed_for_everyone(asked: Asked) -> None:
    asked.headers["accept-encoding"] = "gzip"


def the_first_key(asked: Asked) -> None:
    if "x-api-key" in asked.headers:
        asked.headers["x-api-key"] = asked.headers["x-api-key"].removesuffix("x")


def at_or_above(asked: Asked) -> None:
    low = asked.params.get("minChangeVersion", "")
    if low.isdecimal() and int(low) > 0 and "/" not in asked.path:
        asked.params["minChangeVersion"] = str(int(low) - 1)


def without_upper_end(asked: Asked) -> None:
    if (
        asked.params.get("maxChangeVersion", "").isdecimal()
        and "/" not in asked.path
        and "limit" in asked.params
    ):
        asked.params["maxChangeVersion"] = "999999"


def after_the_moment(asked: Asked) -> None:
    since = asked.params.get("updatedSince", "")
    if since.isdecimal():
        asked.params["updatedSince"] = str(int(since) + 1)


QUESTIONS = {
    "versioned": {
        "compression": compressed_for_everyone,
        "window: its lower end belongs to it": at_or_above,
        "window: has no upper end": without_upper_end,
    },
    "legacy": {
        "compression": compressed_for_everyone,
        "authentication": the_first_key,
        "window: the moment itself is left out": after_the_moment,
    },
}
"""Breaks of how a question is understood."""

ANSWERS: dict[str, dict[str, Callable[[Asked], None]]] = {
    "versioned": {
        "token": body(token_type=lambda given: "mac"),
        "authentication": status(401, 403),
        "errors: unknown entity": status(404, 200),
        "errors: bad parameter": status(400, 500),
        "busy": no_retry_after,
        "envelope": renamed("items", "records"),
        "ids: no text": member("src_record_id", lambda given: int(given[-3:])),
        "ids: others every time": member("src_record_id", lambda given: f"{given}-{next(TICKS):06d}"),
        "fields: one is gone": without("unit_name"),
        "fields: two institutions": each(two_institutions),
        "types: numbers as text": member("birth_year", str),
        "types: numbers for text": member("unit_code", lambda given: 7),
        "types: truth values as text": member("is_entity", lambda given: "是" if given else "否"),
        "types: dates with slashes": member("valid_from", lambda given: given.replace("-", "/")),
        "types: arrays as text": member("teacher_ids", ";".join),
        "codes": member("gender_code", lambda given: "男"),
        "versions: as text": member("change_version", str),
        "versions: other content under one": other_content_under_one_version,
        "versions: update times": member("updated_at", lambda given: given.replace("T", " ")),
        "paging": drop_first_of_later_pages,
        "count": body(count=lambda given: given + 1),
        "tombstones": a_live_record_among_the_deleted,
    },
    "legacy": {
        "errors: unknown table": code(40400, 50001),
        "errors: bad parameter": code(40000, 0),
        "busy": busy_without_a_time,
        "envelope": renamed("data", "rows"),
        "ids: no text": member("JLID", lambda given: int(given[-3:])),
        "fields: one is gone": without("YXMC"),
        "types: no text": member("YXDM", lambda given: 7),
        "types: null": member("SJYXDM", lambda given: given or None),
        "types: dates with hyphens": member("SXRQ", lambda given: f"{given[:4]}-{given[4:6]}-{given[6:]}"),
        "types: other truth values": member("SFST", lambda given: {"是": "Y", "否": "N"}.get(given, given)),
        "codes": member("XBM", lambda given: {"男": "1", "女": "2"}.get(given, given)),
        "versions: with hyphens": member("GXSJ", lambda given: f"{given[:4]}-{given[4:]}"),
        "versions: other content under one": other_content_under_one_version,
        "paging": drop_first_of_later_pages,
        "count": body(total=lambda given: given + 1),
    },
}
"""Breaks of what is answered. The name begins with the check that is meant to catch it."""

BYTES = {
    "encoding: GB18030": lambda text: (text.encode("gb18030"), {}),
    "encoding: a byte order mark": lambda text: (text.encode("utf-8-sig"), {}),
    "encoding: not said to be JSON": lambda text: (text.encode(), {"content-type": "text/html"}),
    "compression: said, not done": lambda text: (text.encode(), {"content-encoding": "gzip"}),
}
"""Breaks of how an answer is written, on either product."""


@contextmanager
def serving(home: Path) -> Iterator[str]:
    """The platforms of a home with all their breaks in front, on a port of loopback; the URL. Breaks want a CALM day."""
    application = server.app(home)
    usual = faults.plan
    inner = httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://platform")

    async def front(scope: Any, receive: Any, send: Any) -> None:
        kind, _, path = scope["path"].lstrip("/").partition("/")
        if kind == SOUND:
            await application(scope | {"path": f"/{path}", "raw_path": f"/{path}".encode()}, receive, send)
        else:
            await (await _answer(Request(scope, receive), inner))(scope, receive, send)

    listener = socket.create_server(("127.0.0.1", 0))
    running = uvicorn.Server(uvicorn.Config(front, log_level="error", lifespan="off"))
    thread = threading.Thread(target=lambda: asyncio.run(running.serve(sockets=[listener])))
    thread.start()
    try:
        with mock.patch.object(
            faults, "plan", lambda seed, *day: usual(seed, *day) if seed else faults.Plan({})
        ):
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        running.should_exit = True
        thread.join()


async def _answer(request: Request, inner: httpx.AsyncClient) -> Response:
    kind, product, inst, path = request.url.path.lstrip("/").split("/", 3)
    params = {name: value[0] for name, value in parse_qs(request.url.query).items()}
    asked = Asked(path, params, {k.lower(): v for k, v in request.headers.items()})
    QUESTIONS[product].get(kind, lambda asked: None)(asked)
    accepts = asked.headers.pop("accept-encoding", "")
    url, headers = (
        f"/{product}/{inst}/{path}?{urlencode(params)}",
        asked.headers | {"accept-encoding": "identity"},
    )
    answer = await inner.request(request.method, url, headers=headers, content=await request.body())
    asked.status, asked.json = answer.status_code, answer.json()
    asked.out = {
        k: v for k, v in answer.headers.items() if k in ("content-type", "retry-after", "www-authenticate")
    }
    ANSWERS[product].get(kind, lambda asked: None)(asked)
    text = json.dumps(asked.json, ensure_ascii=False)
    content, headers = BYTES.get(kind, lambda text: (text.encode(), {}))(text)
    if "gzip" in accepts and "content-encoding" not in headers:
        content, headers = gzip.compress(content), headers | {"content-encoding": "gzip"}
    return Response(content, asked.status, asked.out | headers)
