"""What a source can make the collection's memory grow to: the worst input that the limits allow against a normal day.

    python bench/memory.py [rows]

Each case is a process of its own that collects one institution as a task does, four entities at once (two of files), from a
server or a folder; its peak of resident memory counts. Normal: pages of 5,000 records, workbooks of 20,000 rows. Worst:
answers, values and workbooks as large as the limits of include/yuyan/domain/platforms.py let through, in the forms that
take most to read (a field that nobody announced sends a page the careful way; text that repeats compresses to nothing on the
wire). What is larger is refused by name: tests/collect/source_errors.py. Budget: 1.3 times a normal day.
"""

import gzip
import hashlib
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import psycopg
import xlsxwriter

from yuyan.domain import contracts, institutions
from yuyan.domain.platforms import Limits

BUDGET = 1.3
ROWS = 60_000
NORMAL_PAGE, NORMAL_WORKBOOK = 5_000, 20_000
REST, FILES = "10611", "10655"
ENTITIES = {REST: ("thesis", "student", "course_enrolment", "degree_award"), FILES: ("thesis", "student")}
AS_OF = date(2026, 10, 15)


def template(entity: str, inst: str, extra: dict[str, object]) -> tuple[bytes, bytes]:
    """A record as JSON, before and after its id; unique by its id alone."""
    contract = contracts.load()[entity]
    named = institutions.load()[inst].mapping(contract).names
    values = {name: contract.sample.get(field) for field, name in named.items()}
    values |= {"src_inst_code": inst, "updated_at": "2026-10-14T08:00:00", "change_version": 1} | extra
    text = json.dumps({"src_record_id": "\0", **values}, ensure_ascii=False, default=str)
    before, _, after = text.partition(json.dumps("\0")[1:-1])
    return before.encode(), after.encode()


class Source:
    """The pages of one case: `rows` records per entity, `page` of them in an answer, each with `extra` fields."""

    def __init__(self, rows: int, page: int, extra: dict[str, object]) -> None:
        self.rows, self.page, self.extra = rows, page, extra
        self.made = {entity: template(entity, REST, extra) for entity in ENTITIES[REST]}

    def items(self, entity: str, start: int) -> bytes:
        before, after = self.made[entity]
        end = min(start + self.page, self.rows)
        rows = b",".join(before + b"%016x" % i + after for i in range(start, end))
        following = b'"%d"' % end if end < self.rows else b"null"
        return b'{"items":[' + rows + b'],"nextAfterId":' + following + b"}"


@contextmanager
def served(source: Source) -> Iterator[int]:
    """Port of a rest-versioned platform with these pages, gzipped on the wire."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self._answer(b'{"access_token": "t"}')

        def do_GET(self) -> None:
            url = urlparse(self.path)
            entity, _, last = url.path.strip("/").partition("/")
            if entity == "changeVersion":
                self._answer(b'{"changeVersion": 1}')
            elif last == "count":
                self._answer(b'{"count": %d}' % (source.rows if entity in source.made else 0))
            elif entity in source.made and not last:
                self._answer(source.items(entity, int(parse_qs(url.query).get("afterId", ["0"])[0])))
            else:
                self._answer(b'{"items": [], "nextAfterId": null}')

        def _answer(self, body: bytes) -> None:
            body = gzip.compress(body, 1)
            self.send_response(200)
            self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nobody reads an access log here."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def delivered(folder: Path, rows: int, filler: int) -> None:
    """A delivery with one workbook per entity; `filler`: characters put into a text cell of every row."""
    place = folder / "2026-10-14"
    place.mkdir(parents=True)
    files = []
    for entity in ENTITIES[FILES]:
        contract = contracts.load()[entity]
        mapping = institutions.load()[FILES].mapping(contract)
        names = [*mapping.record_id, *mapping.names.values()]
        values = [str(contract.sample.get(f) or "") for f in mapping.names]
        free = next(
            i
            for i, f in enumerate(mapping.names)
            if next(c.type for c in contract.fields if c.name == f) == "string"
        )
        path = place / f"{entity}.xlsx"
        with xlsxwriter.Workbook(path, {"constant_memory": True}) as book:
            sheet = book.add_worksheet()
            sheet.write_row(0, 0, names)
            for row in range(rows):
                text = f"{row:08d}" + "课" * filler
                sheet.write_row(row + 1, 0, [f"r{row:08d}", *values[:free], text, *values[free + 1 :]])
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        files.append(
            {
                "entity": entity,
                "ref_period": "",
                "file": path.name,
                "format": "xlsx",
                "rows": rows,
                "sha256": digest,
            }
        )
    manifest = {"producer": "bench", "schema_version": "1", "sequence": 1, "files": files}
    (place / "manifest.json").write_text(json.dumps(manifest))


def measured(dsn: str, inst: str, connection: dict[str, object]) -> tuple[float, str]:
    """Peak of a process that collects (MB), and how it ended."""
    with psycopg.connect(dsn) as warehouse:
        tables = ", ".join(f"raw.{entity}" for entity in ENTITIES[inst])
        warehouse.execute(f"truncate {tables}, ops.batch, ops.watermark, quality.hold restart identity")
    with tempfile.TemporaryDirectory(prefix="yuyan-memory-") as home:
        env = os.environ | {
            "YUYAN_HOME": home,
            "YUYAN_LANDING": f"{home}/landing",
            "YUYAN_WAREHOUSE_DSN": dsn,
            "YUYAN_PERSON_KEY": "bench",
            "AIRFLOW_HOME": f"{home}/airflow",
            f"AIRFLOW_CONN_PLATFORM_{inst}": json.dumps(connection),
        }
        done = subprocess.run(
            [sys.executable, __file__, "collect", inst], env=env, capture_output=True, text=True
        )
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    peak, outcome = re.findall(r"^peak (\d+) (.*)$", done.stdout, re.M)[-1]
    return int(peak) / 1024, outcome


def collect(inst: str) -> None:
    """The process that is measured."""
    from yuyan.load.run import collect_institution

    result = collect_institution(inst, "bench", AS_OF, ENTITIES[inst])
    said = f"{result['outcome']} {result['rows_stored']} rows {(result['error'] or '')[:200]!r}"
    print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss} {said}")


def largest_page(extra: dict[str, object], limits: Limits) -> int:
    """Records of an answer that is just allowed."""
    longest = max(sum(map(len, template(entity, REST, extra))) + 17 for entity in ENTITIES[REST])
    return max(1, min(limits.page_rows, (limits.answer_mb * 1_000_000) // longest))


def main(rows: int) -> int:
    from yuyan.warehouse import ddl
    from yuyan_demo.runtime import postgres

    limits = Limits()
    more = {"nobody_announced": "x"}
    value = {"title": "长" * (limits.answer_mb * 300_000)}
    cells = limits.workbook_cells
    widest = max(
        len(institutions.load()[FILES].mapping(contracts.load()[e]).names) + 1 for e in ENTITIES[FILES]
    )
    most = min(cells // widest - 1, 1_000_000)
    characters = limits.workbook_characters // NORMAL_WORKBOOK - 300  # beside the other cells'
    rest = {
        "normal": (rows, NORMAL_PAGE, {}),
        "largest answers": (rows, largest_page({}, limits), {}),
        "largest answers with a field nobody announced": (rows, largest_page(more, limits), more),
        "values as large as an answer": (8, 1, value),
    }
    books = {
        "normal workbook": (NORMAL_WORKBOOK, 0),
        "most cells": (most, 0),
        "most text": (NORMAL_WORKBOOK, characters),
    }
    peaks: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="yuyan-memory-") as folder:
        data = Path(folder) / "pg"
        postgres.start(data)
        try:
            dsn = postgres.create_database(data, "bench")
            with psycopg.connect(dsn) as connection:
                ddl.create(connection)
            for name, case in rest.items():
                with served(Source(*case)) as port:
                    found = measured(
                        dsn,
                        REST,
                        {
                            "conn_type": "http",
                            "host": "127.0.0.1",
                            "port": port,
                            "login": "x",
                            "password": "x",
                        },
                    )
                peaks[name] = _told(name, *found)
            for name, (count, filler) in books.items():
                place = Path(folder) / name.replace(" ", "-")
                delivered(place, count, filler)
                found = measured(dsn, FILES, {"conn_type": "fs", "extra": {"path": str(place)}})
                peaks[name] = _told(name, *found)
        finally:
            postgres.stop(data)
    normal = max(peaks["normal"], peaks["normal workbook"])
    worst = max(peaks, key=peaks.get)
    ratio = peaks[worst] / normal
    verdict = "met" if ratio <= BUDGET else "MISSED"
    print(f"  worst ({worst}) / normal day  {ratio:.2f}    budget ≤ {BUDGET:g}  {verdict}")
    return 0 if ratio <= BUDGET else 1


def _told(name: str, peak: float, outcome: str) -> float:
    print(f"  {name:48} {peak:7.0f} MB  {outcome}", flush=True)
    return peak


if __name__ == "__main__":
    if sys.argv[1:2] == ["collect"]:
        collect(sys.argv[2])
    else:
        sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS))
