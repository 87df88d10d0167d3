"""What a source can make the collection's memory grow to: the worst input that the limits allow against a normal day.

    make bench-memory [ROWS=60000]

Each case is a process of its own that collects one institution as a task does, four entities at once (two of files), from a
server or a folder; its peak of resident memory counts. Normal: pages of 5,000 records, workbooks of 20,000 rows. Worst:
answers, values and workbooks as large as the limits of include/yuyan/domain/platforms.py let through, in the forms that
take most to read (a field that nobody announced sends a page the careful way; the text of a workbook stands in its cells, or
a third of it in a list that no cell uses; ids of numbered pages are long; text that repeats compresses to nothing on the
wire). What is larger is refused by name: tests/collect/source_errors.py. Budget: 1.3 times the largest normal collection, a
first load of several batches: where a case has more bytes than one batch takes, the next is landed while one is loaded.
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
REST, LEGACY, FILES = "10611", "10618", "10655"
QUERIED = ("thesis", "student", "course_enrolment", "degree_award")
ENTITIES = {REST: QUERIED, LEGACY: QUERIED, FILES: ("thesis", "student")}
ENVELOPE = {
    REST: {
        "src_record_id": "\0",
        "src_inst_code": REST,
        "updated_at": "2026-10-14T08:00:00",
        "change_version": 1,
    },
    LEGACY: {"JLID": "\0", "GXSJ": "20261014080000"},
}
"""What a record has beside its fields; the record's id takes the place of the NUL."""
LONG_ID = 2_000
LONG_TEXT = 30_000
"""Characters of a cell; a workbook takes 32,767."""
AS_OF = date(2026, 10, 15)


def template(entity: str, inst: str, extra: dict[str, object]) -> tuple[bytes, bytes]:
    """A record as JSON, before and after its id; unique by its id alone."""
    contract = contracts.load()[entity]
    named = institutions.load()[inst].mapping(contract).names
    values = {name: contract.sample.get(field) for field, name in named.items()}
    text = json.dumps(values | ENVELOPE[inst] | extra, ensure_ascii=False, default=str)
    before, _, after = text.partition(json.dumps("\0")[1:-1])
    return before.encode(), after.encode()


class Source:
    """The pages of one case: `rows` records per entity, `page` of them in an answer, each with `extra` fields.

    `many`: all records of an answer but the first have an id only, and two fields of their own that nobody announced.
    `longer`: characters that an id has more. `inst` is of rest-versioned or of rest-legacy.
    """

    def __init__(
        self,
        rows: int,
        page: int,
        extra: dict[str, object] | None = None,
        many: bool = False,
        longer: int = 0,
        inst: str = REST,
    ) -> None:
        self.rows, self.page, self.many, self.filler = rows, page, many, b"x" * longer
        known = contracts.load()
        self.table = {institutions.load()[inst].mapping(known[e]).table: e for e in ENTITIES[inst]}
        self.made = {entity: template(entity, inst, extra or {}) for entity in ENTITIES[inst]}

    def records(self, entity: str, start: int, size: int) -> bytes:
        """A JSON array of records."""
        before, after = self.made[entity]
        short = b'{"src_record_id":"%016x","change_version":1,"a%x":1,"b%x":1}'
        rows = (
            short % (i, i, i) if self.many and i % size else before + b"%016x" % i + self.filler + after
            for i in range(start, min(start + size, self.rows))
        )
        return b"[" + b",".join(rows) + b"]"

    def keyed(self, entity: str, start: int) -> bytes:
        """An answer of rest-versioned."""
        end = start + self.page
        following = b'"%d"' % end if end < self.rows else b"null"
        return b'{"items":' + self.records(entity, start, self.page) + b',"nextAfterId":' + following + b"}"

    def numbered(self, entity: str, number: int, asked: int) -> bytes:
        """An answer of rest-legacy."""
        size = min(asked, self.page)
        of = b'{"code":0,"total":%d,"pages":%d,"data":' % (self.rows, -(-self.rows // size))
        return of + self.records(entity, (number - 1) * size, size) + b"}"


@contextmanager
def served(source: Source) -> Iterator[int]:
    """Port of a platform with these pages, gzipped on the wire; what is asked for tells which of the two products it is."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self._answer(b'{"access_token": "t"}')

        def do_GET(self) -> None:
            url = urlparse(self.path)
            asked = parse_qs(url.query)
            entity, _, last = url.path.strip("/").partition("/")
            if entity == "api" and last in source.table:
                number, size = int(asked["pageNo"][0]), int(asked["pageSize"][0])
                self._answer(source.numbered(source.table[last], number, size))
            elif entity == "api":
                self._answer(b'{"code": 0, "total": 0, "pages": 0, "data": []}')
            elif entity == "changeVersion":
                self._answer(b'{"changeVersion": 1}')
            elif last == "count":
                self._answer(b'{"count": %d}' % (source.rows if entity in source.made else 0))
            elif entity in source.made and not last:
                self._answer(source.keyed(entity, int(asked.get("afterId", ["0"])[0])))
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


def own_characters(entity: str) -> int:
    """Characters of a row without filler."""
    contract = contracts.load()[entity]
    named = institutions.load()[FILES].mapping(contract).names
    return 9 + 8 + sum(len(str(contract.sample.get(f) or "")) for f in named)


def delivered(folder: Path, rows: int, filler: int, unused: int) -> None:
    """A delivery with one workbook per entity; `filler`: characters put into a text cell of every row.

    Texts stand in their cells; with `unused` in the list that cells share, which has so many characters more that no cell of
    the first sheet uses.
    """
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
        with xlsxwriter.Workbook(path, {"constant_memory": not unused}) as book:
            sheet = book.add_worksheet()
            sheet.write_row(0, 0, names)
            for row in range(rows):
                text = f"{0 if unused else row:08d}" + "课" * filler
                sheet.write_row(row + 1, 0, [f"r{row:08d}", *values[:free], text, *values[free + 1 :]])
            texts = (f"{i:08d}" + "课" * (LONG_TEXT - 8) for i in range(unused // LONG_TEXT))
            book.add_worksheet().write_column(0, 0, texts)
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
    characters = limits.workbook_characters // NORMAL_WORKBOOK - max(map(own_characters, ENTITIES[FILES])) - 1
    unused = limits.workbook_characters - 20 * NORMAL_WORKBOOK  # beside the texts of the first sheet
    rest = {
        "normal day": Source(rows, NORMAL_PAGE),
        "normal first load": Source(4 * rows, NORMAL_PAGE),
        "largest answers": Source(rows, largest_page({}, limits)),
        "largest answers with a field nobody announced": Source(rows, largest_page(more, limits), more),
        "most records in an answer, names nobody announced": Source(rows, limits.page_rows, many=True),
        "values as large as an answer": Source(8, 1, value),
        "long ids on numbered pages": Source(rows, NORMAL_PAGE, longer=LONG_ID, inst=LEGACY),
    }
    books = {
        "normal workbook": (NORMAL_WORKBOOK, 0, 0),
        "most cells": (most, 0, 0),
        "most text in cells": (NORMAL_WORKBOOK, characters, 0),
        "half of it shared, a third in no cell": (NORMAL_WORKBOOK, characters // 2, unused // 3),
    }
    peaks: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="yuyan-memory-") as folder:
        data = Path(folder) / "pg"
        postgres.start(data)
        try:
            dsn = postgres.create_database(data, "bench")
            with psycopg.connect(dsn) as connection:
                ddl.create(connection)
            for name, source in rest.items():
                inst = LEGACY if source.filler else REST
                with served(source) as port:
                    found = measured(
                        dsn,
                        inst,
                        {
                            "conn_type": "http",
                            "host": "127.0.0.1",
                            "port": port,
                            "login": "x",
                            "password": "x",
                        },
                    )
                peaks[name] = _told(name, *found)
            for name, (count, filler, unused) in books.items():
                place = Path(folder) / name.replace(" ", "-")
                delivered(place, count, filler, unused)
                found = measured(dsn, FILES, {"conn_type": "fs", "extra": {"path": str(place)}})
                peaks[name] = _told(name, *found)
        finally:
            postgres.stop(data)
    normal = max(peak for name, peak in peaks.items() if name.startswith("normal"))
    worst = max(peaks, key=peaks.get)
    ratio = peaks[worst] / normal
    verdict = "met" if ratio <= BUDGET else "MISSED"
    print(f"  worst ({worst}) / normal  {ratio:.2f}    budget ≤ {BUDGET:g}  {verdict}")
    return 0 if ratio <= BUDGET else 1


def _told(name: str, peak: float, outcome: str) -> float:
    print(f"  {name:48} {peak:7.0f} MB  {outcome}", flush=True)
    return peak


if __name__ == "__main__":
    if sys.argv[1:2] == ["collect"]:
        collect(sys.argv[2])
    else:
        sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS))
