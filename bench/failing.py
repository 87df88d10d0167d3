"""An institution all of whose records fail, against the same institution while it is sound.

    python bench/failing.py [records] [rounds] [--beside FOLDER]

A mapping mistake looks like this: every student of one institution breaks eight rules on one day, is corrected on another,
is bad again and is deleted. Each day is a load, a validation and the feedback pages; beside it the same records change and
are deleted without a fault.
`--beside` runs the same days with another build of the package (a checkout of an earlier commit) in the same run.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import yaml

from yuyan import settings
from yuyan.domain import contracts
from yuyan.pages import feedback
from yuyan.validate import run
from yuyan.warehouse import ddl
from yuyan_demo.runtime import postgres

sys.path.insert(0, str(settings.PROJECT / "tests"))
from support import fill

BUDGET = 2.0
LIMIT = "600s"
"""A statement that takes longer is reported as such and ends the build's part."""
ENTITY, INSTITUTION = "student", "10611"
IN_STUDY = {"entry_on": "2024-09-01", "expected_end_on": "2027-07-01", "status_code": "10", "left_on": None}
BAD = dict.fromkeys(
    ("enrol_category", "gatq_code", "gender_code", "ethnic_code", "political_code", "special_programme_code",
     "study_mode", "is_alternation"),
    "?",
)  # fmt: skip
"""Field -> a value that breaks exactly one rule (a code set, a type)."""


def world() -> dict[str, dict[str, Any]]:
    """One sound record of every entity."""
    path = settings.PROJECT / "tests" / "validate" / "world.yml"
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def students(records: int, version: int, *, gone: bool = False, **changes: Any) -> pl.DataFrame:
    """All students of the institution in one version, sound but for the changes."""
    contract = contracts.load()[ENTITY]
    row = dict.fromkeys((f.name for f in contract.supplied), None) | world()[ENTITY] | IN_STUDY | changes
    numbers = pl.int_range(1, records + 1, eager=True).cast(pl.String).str.zfill(7)
    return pl.DataFrame({"n": numbers}).select(
        pl.lit(INSTITUTION).alias("src_inst_code"),
        (pl.lit("s") + pl.col("n")).alias("src_record_id"),
        pl.lit(version, pl.Int64).alias("change_version"),
        pl.lit(gone).alias("is_deleted"),
        *(pl.lit(v, pl.String).alias(k) for k, v in row.items() if k not in ("student_id", "cert_no")),
        (pl.lit(f"{INSTITUTION}X") + pl.col("n")).alias("student_id"),
        pl.col("n").alias("cert_no"),
    )


def others() -> dict[str, pl.DataFrame]:
    """The records that a student refers to."""
    frames = {}
    for entity in ("institution", "org_unit", "degree_point", "programme"):
        contract = contracts.load()[entity]
        row = dict.fromkeys((f.name for f in contract.supplied), None) | world()[entity]
        source = INSTITUTION if contract.owner == "university" else settings.COMMISSION
        meta = {"src_inst_code": source, "src_record_id": "r1", "is_deleted": False, "change_version": 1}
        frames[entity] = pl.DataFrame([meta | row], schema_overrides=dict.fromkeys(row, pl.String))
    return frames


def days(records: int, is_bad: bool) -> list[tuple[str, pl.DataFrame, int]]:
    """(day, versions that arrive, failures that then stand)."""
    bad = BAD if is_bad else {}
    stands = len(BAD) * records if is_bad else 0
    return [
        ("first", students(records, 2), 0),
        ("bad", students(records, 3, birth_year="2000", **bad), stands),
        ("corrected", students(records, 4), 0),
        ("bad again", students(records, 5, birth_year="2000", **bad), stands),
        ("deleted", students(records, 6, gone=True), 0),
    ]


def timed(work: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def line(cluster: Path, name: str, records: int, is_bad: bool) -> dict[str, float]:
    """(day and stage) -> seconds of validation and of feedback, in a warehouse of its own."""
    dsn = postgres.create_database(cluster, name)
    with psycopg.connect(dsn) as connection:
        connection.execute(f"alter database {name} set statement_timeout = '{LIMIT}'")
        connection.execute(f"alter database {name} set client_min_messages = error")
    os.environ["YUYAN_WAREHOUSE_DSN"] = dsn
    seconds = {}
    with psycopg.connect(dsn) as connection:
        ddl.create(connection)
        connection.execute(
            "insert into ops.collection_result (run_id, src_inst_code, outcome) values ('c', %s, 'success')",
            [INSTITUTION],
        )
        connection.execute(
            "insert into ops.run (run_id, kind, as_of) values ('c', 'collect', %s)", [fill.AS_OF]
        )
        fill.load(connection, others(), "load-0")
        for number, (day, frame, stands) in enumerate(days(records, is_bad), start=1):
            fill.load(connection, {ENTITY: frame}, f"load-{number}")
            run_id, as_of = f"run-{number}", date(2026, 10, 15)
            seconds[f"{day}, validation"] = timed(lambda r=run_id, d=as_of: run.validate(r, d))
            (found,) = connection.execute(
                "select count(*) from quality.row_failure where resolved_run_id is null"
            ).fetchone()
            if found != stands:
                raise SystemExit(f"{name}, {day}: {found} failures stand, expected {stands}")
            connection.rollback()
            folder = Path(os.environ["YUYAN_HOME"]) / name
            seconds[f"{day}, feedback"] = timed(
                lambda r=run_id, d=as_of, f=folder: feedback.build(
                    connection, r, d, settings.SIMULATED, [INSTITUTION], f
                )
            )
            connection.rollback()
    return seconds


def measure(records: int, rounds: int) -> dict[str, list[tuple[float, float]]]:
    """(day and stage) -> (seconds of the sound, of the failing institution) per round."""
    found: dict[str, list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory(prefix="yuyan-bench-") as folder:
        home = Path(folder)
        os.environ["YUYAN_HOME"] = folder
        postgres.start(home / "pg")
        try:
            for number in range(rounds):
                sound = line(home / "pg", f"sound{number}", records, False)
                bad = line(home / "pg", f"bad{number}", records, True)
                for what in sound:
                    found.setdefault(what, []).append((sound[what], bad[what]))
        finally:
            postgres.stop(home / "pg")
    return found


def report(records: int, found: dict[str, list[tuple[float, float]]]) -> None:
    """Print seconds and ratios of the medians; days whose work is the same are left out."""
    print(
        f"failing: {records} records, {len(BAD)} rules broken by each, {len(next(iter(found.values())))} rounds"
    )
    for day in ("bad", "corrected", "deleted"):
        sums = [0.0, 0.0]
        for stage in ("validation", "feedback"):
            pairs = found[f"{day}, {stage}"]
            sound, bad = (statistics.median(p[i] for p in pairs) for i in range(2))
            sums = [sums[0] + sound, sums[1] + bad]
            print(f"  {day:10} {stage:10}  sound {sound:7.2f} s   failing {bad:7.2f} s   {bad / sound:5.2f}")
        ratio = sums[1] / sums[0]
        print(
            f"  {day:10} {'both':10}  sound {sums[0]:7.2f} s   failing {sums[1]:7.2f} s   {ratio:5.2f}   "
            f"budget ≤ {BUDGET}  {'met' if ratio <= BUDGET else 'MISSED'}",
            flush=True,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("records", nargs="?", type=int, default=30_000)
    parser.add_argument("rounds", nargs="?", type=int, default=1)
    parser.add_argument("--beside", type=Path, help="folder of another build")
    arguments = parser.parse_args()
    report(arguments.records, measure(arguments.records, arguments.rounds))
    if arguments.beside:
        print(f"beside: {arguments.beside.name}", flush=True)
        command = [sys.executable, __file__, str(arguments.records), str(arguments.rounds)]
        subprocess.run(
            command, check=False, env=os.environ | {"PYTHONPATH": str(arguments.beside / "include")}
        )
