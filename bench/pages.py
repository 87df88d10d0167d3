"""A page server for the benchmark: one entity's pages made once, served by a process of its own over plain HTTP/1.1."""

import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

import orjson

ENTITY = "thesis"
PAGE = 5000
SOURCES, KINDS = ("14", "09", "16", "06", "02"), ("10", "20", "30")


def row(i: int) -> dict[str, object]:
    """One thesis in the shape of the rest-versioned product: four columns of the envelope, sixteen of the contract."""
    student, day = (
        f"10611{2015 + i % 10}{i % 997:03d}{i:07d}",
        f"20{16 + i % 10}-{1 + i % 12:02d}-{1 + i % 28:02d}",
    )
    claimed = i % 7 == 0
    return {
        "src_inst_code": "10611",
        "src_record_id": f"{i:016x}",
        "change_version": i + 1,
        "updated_at": f"2026-10-{1 + i % 14:02d}T{i % 24:02d}:{i % 60:02d}:{i * 7 % 60:02d}",
        "thesis_id": f"10611-LW-{i:09d}",
        "student_id": student,
        "degree_point_id": f"10611-{1 + i % 2}-{1 + i // 2 % 2}-0{800 + i % 30}",
        "supervisor_id": f"10611S{i % 4001:06d}",
        "output_kind": "1" if i % 9 else "2",
        "title": f"面向重庆产业集群的关键技术研究与应用（第{i}号）：以长江上游地区装备制造企业为例",
        "thesis_type_code": KINDS[i % 3],
        "topic_source_code": SOURCES[i % 5],
        "source_project_id": f"10611-HX-{i % 5003:07d}" if i % 5 == 0 else None,
        "frontline_flag": claimed,
        "frontline_evidence_code": "1" if claimed else None,
        "enterprise_uscc": f"91500000MA5U{i % 9973:06d}" if claimed else None,
        "opened_on": day,
        "submitted_on": None if i % 11 == 0 else day,
        "similarity_pct": round(i * 37 % 300 / 10, 1),
        "confidential_level": "0",
    }


def pages(rows: int) -> Iterator[tuple[str, bytes]]:
    """(afterId that asks for it, JSON page) of a first collection, in the order of the record id."""
    after = ""
    for start in range(0, rows, PAGE):
        items = [row(i) for i in range(start, min(start + PAGE, rows))]
        last = items[-1]["src_record_id"] if start + PAGE < rows else None
        yield after, orjson.dumps({"items": items, "nextAfterId": last})
        after = str(last)


def serve(rows: int) -> None:
    """Serve on a free port of 127.0.0.1 until stopped; prints the port."""
    nothing = b'{"items": [], "nextAfterId": null}'
    place = {after: page for after, page in pages(rows)}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self._answer(b'{"access_token": "t", "token_type": "bearer", "expires_in": 1800}')

        def do_GET(self) -> None:
            url = urlparse(self.path)
            last = url.path.rpartition("/")[2]
            if last == "changeVersion":
                self._answer(b'{"changeVersion": %d}' % rows)
            elif last == "count":
                self._answer(b'{"count": %d}' % rows)
            elif last == ENTITY:
                self._answer(place[parse_qs(url.query).get("afterId", [""])[0]])
            else:
                self._answer(nothing)

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nobody reads an access log here."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
