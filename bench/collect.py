"""Collect and load of REST pages to raw, against dlt on the same pages and against the floor.

    python bench/collect.py [rows]

The pages (one entity, 20 columns) are made once and served by a process of its own over plain HTTP. The line does all it
does in production: token, change-version window, paging, parsing to text, privacy, landing with manifest, mapping,
digests, COPY into raw, control records and the comparison of counts. The floor fetches the pages and does nothing with
them, then sends the same values, parsed beforehand, to a table without key or index. Rounds alternate and the best counts:
whatever else the machine does only ever adds.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import httpx
import polars as pl
import psycopg

import pages
from yuyan import settings
from yuyan.collect import pages as parser
from yuyan.domain import contracts, institutions
from yuyan.load import lines
from yuyan.load.run import collect_institution
from yuyan.warehouse import ddl
from yuyan_demo.runtime import postgres

ROWS, ROUNDS = 300_000, 3
PEER_BUDGET, FLOOR_BUDGET = 10.0, 2.0
INST_CODE = "10611"
PEER = settings.PROJECT / ".yuyan" / "bench-venv" / "bin" / "python"


@contextmanager
def served(rows: int) -> Iterator[str]:
    """The page server; yields its base URL."""
    command = [sys.executable, str(Path(__file__).with_name("pages.py")), str(rows)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield f"http://127.0.0.1:{int(server.stdout.readline())}"
    finally:
        server.terminate()
        server.wait()


def timed(work: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def line(rows: int, dsn: str, number: int) -> None:
    """Everything the line does, into an empty raw table."""
    result = collect_institution(INST_CODE, f"bench-{number}", date(2026, 10, 15), [pages.ENTITY])
    if (result["outcome"], result["rows_stored"]) != ("success", rows):
        raise RuntimeError(f"the line did not load {rows} rows: {result}")


def empty(dsn: str) -> None:
    """Forget what was loaded."""
    with psycopg.connect(dsn) as connection:
        connection.execute(f"truncate raw.{pages.ENTITY}, ops.batch, ops.watermark")


def parsed(made: list[tuple[str, bytes]]) -> tuple[list[str], list[bytes]]:
    """The 20 columns of the pages and their rows as COPY text, a page at a time."""
    contract = contracts.load()[pages.ENTITY]
    mapping = institutions.load()[INST_CODE].mapping(contract)
    names = [*mapping.envelope, *mapping.names.values()]
    texts = []
    for _, body in made:
        frame = parser.parse(body[body.index(b"[") : body.rindex(b"]") + 1], names).frame
        texts.append(bytes(lines.buffer(frame.select(pl.lit(lines.copy_text(frame)) + "\n").to_series())))
    return names, texts


def stored(dsn: str) -> tuple[list[str], list[bytes]]:
    """What the line has put into raw: its columns and its rows as COPY text."""
    table = f"raw.{pages.ENTITY}"
    with psycopg.connect(dsn) as connection, connection.cursor() as cursor:
        names = [c.name for c in cursor.execute(f"select * from {table} limit 0").description][1:]
        query = f"copy (select {', '.join(names)} from {table} order by raw_id) to stdout"
        with cursor.copy(query) as source:
            text = b"".join(map(bytes, source))
    return names, [text[i : i + (1 << 22)] for i in range(0, len(text), 1 << 22)]


def fetch(base_url: str, made: list[tuple[str, bytes]]) -> None:
    """Get every page, look at none."""
    with httpx.Client(base_url=base_url, trust_env=False) as client:
        for after, _ in made:
            client.get(f"/{pages.ENTITY}", params={"limit": pages.PAGE, "afterId": after}).raise_for_status()


def copy(dsn: str, table: str, names: list[str], texts: list[bytes]) -> None:
    """Send COPY text to a table."""
    query = f"copy {table} ({', '.join(names)}) from stdin"
    with psycopg.connect(dsn) as connection, connection.cursor() as cursor, cursor.copy(query) as target:
        for text in texts:
            target.write(text)


def bare_table(dsn: str, names: list[str]) -> None:
    """A table of text columns, without index or key."""
    with psycopg.connect(dsn) as connection:
        connection.execute("drop table if exists bare")
        connection.execute(f"create table bare ({', '.join(f'{name} text' for name in names)})")


def dlt(base_url: str, dsn: str, folder: str) -> float | None:
    """Seconds dlt takes; None where its environment has not been installed."""
    if not PEER.exists():
        return None
    done = subprocess.run(
        [str(PEER), str(Path(__file__).with_name("dlt_peer.py")), base_url, dsn, folder],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return float(done.stdout.split()[-1])


def main(rows: int) -> None:
    """Measure and print the ratios against the budgets."""
    with tempfile.TemporaryDirectory(prefix="yuyan-bench-") as folder, served(rows) as base_url:
        data = Path(folder) / "pg"
        postgres.start(data)
        try:
            dsn = postgres.create_database(data, "bench")
            port = int(base_url.rpartition(":")[2])
            connection = {
                "conn_type": "http",
                "host": "127.0.0.1",
                "port": port,
                "login": "bench",
                "password": "no-secret",
            }
            os.environ |= {
                "YUYAN_HOME": folder,
                "YUYAN_WAREHOUSE_DSN": dsn,
                "YUYAN_PERSON_KEY": "bench",
                "AIRFLOW_HOME": f"{folder}/airflow",
                f"AIRFLOW_CONN_PLATFORM_{INST_CODE}": json.dumps(connection),
            }
            with psycopg.connect(dsn) as warehouse:
                ddl.create(warehouse)
            made = list(pages.pages(rows))
            names, texts = parsed(made)
            collect_institution(INST_CODE, "warm", date(2026, 10, 15), ["programme"])  # imports
            ours, fetched, copied, keyed = [], [], [], []
            for number in range(ROUNDS):
                empty(dsn)
                ours.append(timed(lambda n=number: line(rows, dsn, n)))
                raw = stored(dsn)
                bare_table(dsn, names)
                fetched.append(timed(lambda: fetch(base_url, made)))
                copied.append(timed(lambda: copy(dsn, "bare", names, texts)))
                empty(dsn)
                keyed.append(timed(lambda r=raw: copy(dsn, f"raw.{pages.ENTITY}", *r)))
            peer = dlt(base_url, postgres.create_database(data, "peer"), f"{folder}/dlt")
        finally:
            postgres.stop(data)
    floor, best = min(fetched) + min(copied), min(ours)
    size = sum(len(body) for _, body in made) / 1e6
    print(
        f"collect: {rows} rows × {len(names)} columns, {size:.0f} MB of JSON pages, best of {ROUNDS} rounds"
    )
    print(f"  line, platform to raw   {best:7.2f} s  {[round(s, 2) for s in ours]}")
    print(f"  floor: fetch + COPY     {floor:7.2f} s  {min(fetched):.2f} + {min(copied):.2f}")
    _verdict("line / floor", best / floor, "≤", FLOOR_BUDGET)
    print(
        f"  COPY of the stored rows {min(keyed):7.2f} s  by itself: raw has twice as much to keep, with keys and indexes"
    )
    if peer is None:
        print("  dlt is not installed: `make bench` installs it into an environment of its own")
    else:
        print(f"  dlt                     {peer:7.2f} s")
        _verdict("dlt / line", peer / best, "≥", PEER_BUDGET)


def _verdict(name: str, ratio: float, operator: str, budget: float) -> None:
    met = ratio <= budget if operator == "≤" else ratio >= budget
    print(f"  {name:23} {ratio:7.2f}    budget {operator} {budget:g}  {'met' if met else 'MISSED'}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS)
