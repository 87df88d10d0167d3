"""Small hand-made platforms for the tests of this room: real sockets, records and faults as the test wants them."""

import gzip
import json
import threading
from collections import Counter, defaultdict
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlparse

from yuyan.collect import certificates
from yuyan.domain import contracts

Answer = tuple[int, dict[str, str], bytes]


class Server:
    """An HTTP server on a free port. `faults[path]` holds answers (or 'cut') that come before the true one; `on_answer`
    makes the true ones."""

    def __init__(
        self, answer: Callable[["Server", str, str, dict[str, str], dict[str, str]], Answer]
    ) -> None:
        self.faults: dict[str, list[Any]] = defaultdict(list)
        self.asked: Counter[str] = Counter()
        self.questions: list[str] = []
        self.most_at_once = 0
        self.on_answer = answer
        self._at_once, self._lock = 0, threading.Lock()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                with fake._lock:
                    fake._at_once += 1
                    fake.most_at_once = max(fake.most_at_once, fake._at_once)
                try:
                    self._serve()
                finally:
                    with fake._lock:
                        fake._at_once -= 1

            do_POST = do_GET

            def _serve(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                url = urlparse(self.path)
                params = {k: v[0] for k, v in parse_qs(url.query).items()}
                with fake._lock:
                    fake.asked[url.path] += 1
                    fake.questions.append(self.path)
                    fault = fake.faults[url.path].pop(0) if fake.faults[url.path] else None
                status, headers, body = fake.on_answer(fake, self.command, url.path, params, self.headers)
                if fault == "cut":
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(body) + 10))
                    self.end_headers()
                    self.wfile.write(body[: len(body) // 2])
                    self.close_connection = True
                    return
                if fault is not None:
                    status, headers, body = fault
                elif "gzip" in self.headers.get("Accept-Encoding", ""):
                    body = gzip.compress(body)
                    headers = headers | {"Content-Encoding": "gzip"}
                self.send_response(status)
                for name, value in (headers | {"Content-Length": str(len(body))}).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Tests read `asked`, not a log."""

        self._httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._httpd.server_port
        threading.Thread(target=self._httpd.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._httpd.shutdown()
        self._httpd.server_close()


class Versioned(Server):
    """rest-versioned. `records[entity]`: dicts with src_record_id, change_version; `_deleted` marks a deletion."""

    def __init__(self, inst_code: str = "10611") -> None:
        self.inst_code = inst_code
        self.records: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.key_changes: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.token, self.page = "token-1", 1000
        self.repeat_border = False
        super().__init__(Versioned.answer)

    def answer(self, method: str, path: str, params: dict[str, str], headers: dict[str, str]) -> Answer:
        if path == "/oauth/token":
            return _json({"access_token": self.token, "token_type": "bearer", "expires_in": 1800})
        if headers.get("Authorization") != f"Bearer {self.token}":
            return 401, {}, b"{}"
        everything = [r for rows in self.records.values() for r in rows]
        if path == "/changeVersion":
            return _json({"changeVersion": max((r["change_version"] for r in everything), default=0)})
        entity, _, feed = path.strip("/").partition("/")
        high = int(params["maxChangeVersion"])
        if feed == "count":
            live = [r for r in self.records[entity] if r["change_version"] <= high and not r.get("_deleted")]
            return _json({"count": len(live)})
        rows = self.key_changes[entity] if feed == "keyChanges" else self.records[entity]
        low, after = int(params["minChangeVersion"]), params.get("afterId", "")
        rows = [r for r in rows if low < r["change_version"] <= high]
        if feed == "deletes":
            rows = [
                {k: r[k] for k in ("src_record_id", "change_version")} | {"deleted_at": "2026-10-15T00:00:00"}
                for r in rows
                if r.get("_deleted")
            ]
        elif feed == "":
            rows = [r for r in rows if not r.get("_deleted")]
        rows = sorted(rows, key=lambda r: r["src_record_id"])
        start = next((i for i, r in enumerate(rows) if r["src_record_id"] > after), len(rows))
        size = min(self.page, int(params["limit"]))
        page = rows[start : start + size]
        last = page[-1]["src_record_id"] if start + size < len(rows) else None
        if self.repeat_border and start:
            page = [rows[start - 1], *page]
        return _json({"items": page, "nextAfterId": last})


class Legacy(Server):
    """rest-legacy. `records[table]`: dicts with JLID, GXSJ."""

    def __init__(self) -> None:
        self.records: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.key, self.page = "key-1", 1000
        super().__init__(Legacy.answer)

    def answer(self, method: str, path: str, params: dict[str, str], headers: dict[str, str]) -> Answer:
        if headers.get("X-API-Key") != self.key:
            return _json({"code": 40101, "msg": "接口密钥无效"})
        table = path.rpartition("/")[2]
        rows = [r for r in self.records[table] if r["GXSJ"] >= params.get("updatedSince", "")]
        rows = sorted(rows, key=lambda r: (r["GXSJ"], r["JLID"]))
        size = min(self.page, int(params["pageSize"]))
        pages, number = -(-len(rows) // size), int(params["pageNo"])
        page = rows[(number - 1) * size : number * size]
        return _json({"code": 0, "msg": "ok", "total": len(rows), "pages": pages, "data": page})


def envelope(code: int, **more: Any) -> Answer:
    """An error of rest-legacy: HTTP 200 with a code."""
    return _json({"code": code, "msg": "", **more})


def unit(i: int, inst_code: str = "10611", version: int | None = None, **more: Any) -> dict[str, Any]:
    """An org_unit as rest-versioned sends it."""
    return {
        "src_inst_code": inst_code,
        "src_record_id": f"u{i:04d}",
        "change_version": i + 1 if version is None else version,
        "updated_at": "2026-10-14T08:00:00",
        "inst_code": inst_code,
        "unit_code": f"{i:03d}",
        "unit_name": f"第{i}学院",
        "parent_unit_code": None,
        "unit_kind": "1",
        "is_entity": True,
        "valid_from": "2001-01-01",
        "valid_to": None,
        **more,
    }


def student(i: int, inst_code: str = "10611", **more: Any) -> dict[str, Any]:
    """A student as rest-versioned sends it, with the direct identifiers that must never land."""
    contract = contracts.load()["student"]
    row = {f.name: f"x{i}" for f in contract.supplied} | {
        "src_inst_code": inst_code,
        "src_record_id": f"s{i:04d}",
        "change_version": i + 1,
        "updated_at": "2026-10-14T08:00:00",
        "person_name": f"欧阳机密{i}",
        "mobile": f"1398888{i:04d}",
        "cert_type": "1",
        "cert_no": (body := f"50010119990101{i:03d}") + certificates.check_character(body),
        "student_id": f"{inst_code}{i:04d}",
    }
    return row | more


def _json(value: Any) -> Answer:
    return 200, {"Content-Type": "application/json"}, json.dumps(value, ensure_ascii=False).encode()
