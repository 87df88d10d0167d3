"""The whole line of two builds side by side: `python bench/side_by_side.py BASE [HEAD] [--scale 0.0667] [--rounds 1]`.

Each revision is unpacked below .yuyan/side-by-side and installs its own locked environment with `make`. Then both run as a
user runs them (`yuyan run`), two days each, one after the other on one machine; a second round goes in the opposite order.
Installing is not in the figures. Memory is the greatest sum over all processes of a run, its simulated platforms included, a
page that processes share counted once, sampled every second. Prints a Markdown table of medians; the exit status is 1 when
the day on which everything comes takes more than LIMITS times as long or as much as the base's.

A base must have `yuyan_demo` (from 0a07aed on). The build before the entities that came after the domain became data is
2e079a0:

    python bench/side_by_side.py 2e079a0
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import psycopg

from yuyan import settings
from yuyan_demo.runtime import processes

FOLDER = Path(os.environ.get("YUYAN_HOME", settings.PROJECT / ".yuyan")) / "side-by-side"
LIMITS = {"wall seconds": 1.6, "peak MB": 1.3}
DAYS = ("first day, everything", "the day after, changes only")
FIGURES = ("rows received", "wall seconds", "microseconds a row", "peak MB")
Figures = dict[str, float]

WAREHOUSE = """
from pathlib import Path
from yuyan_demo.runtime import services
print(services.load(Path({home!r})).warehouse_dsn)
"""
STAGES = """
select coalesce(json_object_agg(stage, seconds), '{}') from (
    select s.stage, sum(s.seconds) as seconds from ops.stage_result s join ops.run r using (run_id)
    where r.as_of = (select max(as_of) from ops.run) group by 1
) as of_day
"""
ROWS = "select sum(rows_received) from ops.batch where as_of = (select max(as_of) from ops.run)"


class Memory(threading.Thread):
    """Greatest memory of the processes of one work folder while a run lasts, in MB."""

    def __init__(self, home: Path) -> None:
        super().__init__(daemon=True)
        self.home, self.peak, self.done = str(home), 0.0, threading.Event()

    def run(self) -> None:
        while not self.done.wait(1):
            self.peak = max(self.peak, processes.memory(self._processes()) / 1e6)

    def _processes(self) -> set[psutil.Process]:
        """Those that name the folder in their command or environment, and all that come from them.

        A server process of PostgreSQL names nothing, but its parent does.
        """
        found: set[psutil.Process] = set()
        for process in psutil.process_iter():
            try:
                named = (
                    self.home in " ".join(process.cmdline())
                    or process.environ().get("YUYAN_HOME") == self.home
                )
                if named and process.pid != os.getpid():
                    found |= {process, *process.children(recursive=True)}
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return found


class Build:
    """One revision, unpacked and installed in a folder of its own."""

    def __init__(self, revision: str) -> None:
        self.name = _git("rev-parse", "--short", revision).strip()
        self.folder = FOLDER / self.name
        self.home = self.folder / ".yuyan"
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("YUYAN_", "AIRFLOW_", "DBT_"))}
        self.env["YUYAN_HOME"] = str(self.home)

    def install(self) -> None:
        """Unpack and install, unless that is done."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.folder / "Makefile").exists():
            archive = subprocess.Popen(
                ["git", "archive", self.name], cwd=settings.PROJECT, stdout=subprocess.PIPE
            )
            subprocess.run(["tar", "-x", "-C", str(self.folder)], stdin=archive.stdout, check=True)
            if archive.wait():
                sys.exit(f"{self.name}: git archive failed")
        subprocess.run(["make", "down"], cwd=self.folder, env=self.env, check=True, stdout=subprocess.DEVNULL)

    def yuyan(self, *arguments: str) -> None:
        """Run its command line. What it prints goes to a log beside it."""
        command = [str(self.home / "venv" / "bin" / "yuyan"), *arguments]
        with (self.folder / "side-by-side.log").open("a", encoding="utf-8") as log:
            done = subprocess.run(command, cwd=self.folder, env=self.env, stdout=log, stderr=log)
        if done.returncode:
            sys.exit(f"{self.name}: yuyan {' '.join(arguments)} ended with {done.returncode}; see {log.name}")

    def day(self, scale: float) -> Figures:
        """Run one day; rows, seconds in all and per stage, megabytes."""
        memory, began = Memory(self.home), time.monotonic()
        memory.start()
        try:
            self.yuyan("run", "--scale", str(scale))
        finally:
            seconds = time.monotonic() - began
            memory.done.set()
            memory.join()
        python = str(self.home / "venv" / "bin" / "python")
        code = WAREHOUSE.format(home=str(self.home))
        dsn = subprocess.run(
            [python, "-c", code], cwd=self.folder, env=self.env, check=True, capture_output=True, text=True
        ).stdout.strip()
        with psycopg.connect(dsn) as connection:
            (rows,) = connection.execute(ROWS).fetchone()
            (stages,) = connection.execute(STAGES).fetchone()
        stages = stages if isinstance(stages, dict) else json.loads(stages)
        figures = (float(rows), seconds, seconds / float(rows) * 1e6, memory.peak)
        return dict(zip(FIGURES, figures, strict=True)) | {k: float(v) for k, v in stages.items()}


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=settings.PROJECT, check=True, capture_output=True, text=True
    ).stdout


def measure(builds: list[Build], scale: float, rounds: int) -> dict[str, list[list[Figures]]]:
    """Build -> day -> the figures of every round."""
    found: dict[str, list[list[Figures]]] = {b.name: [[] for _ in DAYS] for b in builds}
    for number in range(rounds):
        for build in builds if number % 2 == 0 else builds[::-1]:
            build.yuyan("clean")
            try:
                for day in range(len(DAYS)):
                    found[build.name][day].append(build.day(scale))
            finally:
                build.yuyan("clean")
    return found


def report(base: Build, head: Build, found: dict[str, list[list[Figures]]]) -> bool:
    """Print the tables; whether the first day stays within the limits."""
    kept = True
    for day, title in enumerate(DAYS):
        before, after = (_medians(found[b.name][day]) for b in (base, head))
        print(f"\n| {title} | {base.name} | {head.name} | ratio |\n|---|--:|--:|--:|")
        for name in (*FIGURES, *sorted({*before, *after} - set(FIGURES))):
            a, b = before.get(name, 0.0), after.get(name, 0.0)
            ratio = b / a if a else float("nan")
            limit = LIMITS.get(name) if day == 0 else None
            kept = kept and not (limit and ratio > limit)
            digits = 0 if name in ("rows received", "peak MB") else 1
            print(
                f"| {name} | {a:,.{digits}f} | {b:,.{digits}f} | {ratio:.2f}{f' (at most {limit})' if limit else ''} |"
            )
    return kept


def _medians(rounds: list[Figures]) -> Figures:
    return {
        name: statistics.median(r.get(name, 0.0) for r in rounds) for name in {n for r in rounds for n in r}
    }


def main() -> int:
    """Install both, run both, report."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("base")
    parser.add_argument("head", nargs="?", default="HEAD")
    parser.add_argument("--scale", type=float, default=1 / 15)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--forget", action="store_true", help="remove the unpacked builds afterwards")
    given = parser.parse_args()
    builds = [Build(given.base), Build(given.head)]
    if builds[0].name == builds[1].name:
        parser.error(f"both are {builds[0].name}")
    for build in builds:
        build.install()
    found = measure(builds, given.scale, given.rounds)
    print(
        f"scale {given.scale:.4g}, {given.rounds} round(s), {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end"
    )
    kept = report(*builds, found)
    if given.forget:
        shutil.rmtree(FOLDER)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
