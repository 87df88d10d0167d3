"""Does the line come back from whatever happens to it, with the same warehouse?

    python bench/chaos.py [--runs 50] [--seed 1] [--scale 0.01] [--minutes M] [--home FOLDER] [--to FILE]

A simulated city is run for a day, if its folder has none yet, and then for the next day undisturbed: that is the answer.
Then the folder is put back to the day before, as often as there are runs, and the same day is run while one or two faults
happen to it at random moments. After each, plain `yuyan run` must end with 0, and the warehouse must be the undisturbed one:
every cell of `accepted`, `star`, `indicators` and `marts`, the open row failures and the quarantine (bench/equal.py). Faults
are drawn from the seed; which process is there to be killed is the machine's affair.

What is tried: FAULTS. The work folder lies on a file system of its own in memory where this may be mounted (root), so that a
full disk is one; elsewhere that fault is left out, and said. The machine's clock is not touched: it is everybody's.
Exit status 1 when a run did not come back or differs. `make chaos` runs it; it is not part of the tests.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import equal
import psutil
import psycopg

from yuyan_demo.runtime import day as calendar
from yuyan_demo.runtime import postgres, processes, services

COMPARED = ("accepted.", "star.", "indicators.", "marts.", "quality.row_failure", "quality.quarantine")
KEPT = "warehouse_kept"
PATIENCE = 1500
"""Seconds that one command may take before it counts as one that does not come back."""
ROOM_GB = 6


class NotBack(Exception):
    """The line did not come back, or holds something else; the message says which."""


@dataclass
class Bench:
    """The work folder and what is known of its undisturbed day."""

    home: Path
    scale: str
    chance: random.Random
    disk: Path | None
    seconds: float = 0.0
    answer: Path = field(default_factory=Path)

    def yuyan(self) -> subprocess.Popen:
        command = [str(Path(sys.executable).with_name("yuyan")), "run", "--scale", self.scale]
        log = open(self.home.parent / "chaos.log", "ab")  # noqa: SIM115 - the child's
        return subprocess.Popen(
            command, env=environment(self.home), stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )

    def finish(self, process: subprocess.Popen) -> int:
        try:
            return process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def admin(self) -> psycopg.Connection:
        return psycopg.connect(postgres.dsn(self.home / "pg"), autocommit=True)

    # --- the day before ------------------------------------------------------------------------------------------------
    def keep(self) -> None:
        """Keep the state of now as the one to go back to."""
        with self.admin() as admin:
            admin.execute(f"drop database if exists {KEPT}")
            self._end_sessions(admin)
            admin.execute(f"create database {KEPT} template warehouse strategy file_copy")
        shutil.rmtree(self.home / "landing.kept", ignore_errors=True)
        shutil.copytree(self.home / "landing", self.home / "landing.kept")

    def reset(self) -> None:
        postgres.start(self.home / "pg", services.load(self.home).ports["postgres"])
        with self.admin() as admin:
            self._end_sessions(admin)
            admin.execute("drop database if exists warehouse with (force)")
            admin.execute(f"create database warehouse template {KEPT} strategy file_copy")
        shutil.rmtree(self.home / "landing", ignore_errors=True)
        shutil.copytree(self.home / "landing.kept", self.home / "landing")
        state = calendar.load(self.home)
        calendar.save(self.home, replace(state, done=state.prepared - 1))

    def _end_sessions(self, admin: psycopg.Connection) -> None:
        admin.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname in ('warehouse', %s)",
            [KEPT],
        )

    def snapshot(self, folder: Path) -> None:
        equal.snapshot(folder, services.load(self.home).warehouse_dsn)
        for path in folder.glob("*.parquet"):
            if not path.name.startswith(COMPARED):
                path.unlink()

    # --- what can happen -----------------------------------------------------------------------------------------------
    def people(self) -> dict[str, list[psutil.Process]]:
        """What runs, by what it is."""
        found: dict[str, list[psutil.Process]] = {}
        for name in services.NAMES:
            if service := processes.find(name, self.home):
                of_service = processes.members(service)
                found[name] = [p for p in of_service if p.pid == service.pid]
                if others := [p for p in of_service if p.pid != service.pid]:
                    found[f"child of {name}"] = others
        if server := postgres.server(self.home / "pg"):
            found["postgres"] = [server]
            found["session of postgres"] = server.children()
        return found

    def kill(self, command: subprocess.Popen) -> str:
        """SIGKILL to a random process, of a random kind."""
        there = {kind: of for kind, of in self.people().items() if of}
        if command.poll() is None:
            there["yuyan run"] = [psutil.Process(command.pid)]
        if not there:
            return "nothing to kill"
        kind = self.chance.choice(sorted(there))
        with contextlib.suppress(psutil.NoSuchProcess):
            self.chance.choice(there[kind]).kill()
        return f"SIGKILL: {kind}"

    def drop_connections(self, command: subprocess.Popen) -> str:
        """Every session of the warehouse ends, some times in a row."""
        for _ in range(self.chance.randint(1, 3)):
            with contextlib.suppress(postgres.PostgresError, psycopg.Error), self.admin() as admin:
                self._end_sessions(admin)
            time.sleep(1)
        return "connections dropped"

    def fill_disk(self, command: subprocess.Popen) -> str:
        """No byte is left on the work folder's file system for a while."""
        size = shutil.disk_usage(self.disk).used // 1024 + 64
        self._resize(f"{size}k")
        try:
            time.sleep(self.chance.uniform(2, 12))
        finally:
            self._resize(f"{ROOM_GB}g")
        return "full disk"

    def _resize(self, size: str) -> None:
        subprocess.run(["mount", "-o", f"remount,size={size}", str(self.disk)], check=True)

    def freeze(self, command: subprocess.Popen) -> str:
        """Platforms that accept and say nothing for a while."""
        service = processes.find(services.PLATFORMS, self.home)
        members = processes.members(service) if service else []
        for process in members:
            process.suspend()
        time.sleep(self.chance.uniform(2, 20))
        for process in members:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()
        return "platforms silent"

    def hostile_delivery(self, command: subprocess.Popen) -> str:
        """A delivery that is none appears beside the true ones: no manifest, a link out of the folder, endless nesting."""
        folders = sorted((self.home / "platforms").rglob("manifest.json"))
        if not folders:
            return "no delivery folder"
        place = self.chance.choice(folders).parents[1] / "9999-99-99"
        place.mkdir(exist_ok=True)
        text = self.chance.choice(["", "[" * 100_000, '{"sequence": -1, "files": 7}', "\x00" * 1000])
        (place / "manifest.json").write_text(text)
        with contextlib.suppress(FileExistsError):
            (place / "student.csv").symlink_to("/etc/hostname")
        return "hostile delivery"

    def clear(self) -> None:
        """Sources are mended."""
        for place in (self.home / "platforms").rglob("9999-99-99"):
            shutil.rmtree(place)

    def hostile_answers(self, command: subprocess.Popen) -> str:
        """Somebody else answers on the platforms' port for a while: nonsense, endless, or nothing."""
        port = services.load(self.home).ports[services.PLATFORMS]
        processes.stop([services.PLATFORMS], self.home, patience=0)
        with hostile(port, self.chance.randrange(4)):
            time.sleep(self.chance.uniform(2, 10))
        services.start_platforms(services.load(self.home))
        return "hostile answers"


NONSENSE = (b"\x00" * 500, b"[" * 100_000, b'{"items": ' + b"{" * 1000, b"<html>login</html>")


@contextlib.contextmanager
def hostile(port: int, which: int) -> Iterator[None]:
    """A server that says HTTP 503, closes at once, or cuts its answers: it is asked again, and what is loaded is whole."""
    answers = (
        b"HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n",
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + NONSENSE[which],
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 500\r\n\r\n" + NONSENSE[0],
    )
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("127.0.0.1", port))
    server.listen(64)

    def serve() -> None:
        while True:
            try:
                client, _ = server.accept()
                with client:
                    client.settimeout(1)
                    client.recv(65536)
                    client.sendall(answers[which])
            except TimeoutError:
                continue
            except OSError:
                if server.fileno() < 0:
                    return

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield
    finally:
        server.close()


def environment(home: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("YUYAN_", "AIRFLOW_", "DBT_"))}
    # a platform that is away is asked again soon: the day is short here
    return kept | {"YUYAN_HOME": str(home), "COLUMNS": "200", "YUYAN_RETRY_SECONDS": "20"}


FAULTS: dict[str, tuple[int, Callable]] = {
    "kill": (6, Bench.kill),
    "connections": (2, Bench.drop_connections),
    "disk": (2, Bench.fill_disk),
    "silence": (1, Bench.freeze),
    "delivery": (1, Bench.hostile_delivery),
    "answers": (1, Bench.hostile_answers),
}
"""Fault -> how often it is drawn, and what it does. An exception of its own (a process that has just gone) is no finding."""


def disturbed(bench: Bench) -> tuple[list[str], str]:
    """One run: what happened, and how the line came back. Raises NotBack."""
    bench.reset()
    names = [n for n in FAULTS if n != "disk" or bench.disk]
    weights = [FAULTS[n][0] for n in names]
    drawn = bench.chance.choices(names, weights, k=bench.chance.choice((1, 1, 2)))
    moments = sorted(bench.chance.uniform(0, bench.seconds) for _ in drawn)
    started, happened = time.monotonic(), []
    command = bench.yuyan()
    for moment, name in zip(moments, drawn, strict=True):
        while time.monotonic() - started < moment and command.poll() is None:
            time.sleep(0.2)
        at = time.monotonic() - started
        happened.append(f"{FAULTS[name][1](bench, command)} at {at:.0f} s")
    code = bench.finish(command)
    bench.clear()
    way = "it went on"
    if code != 0:
        way = "the next run went on"
        if code := bench.finish(bench.yuyan()):
            raise NotBack(f"{happened}: plain `yuyan run` ended with {code}")
    with tempfile.TemporaryDirectory() as folder:
        bench.snapshot(Path(folder))
        tables, cells, said = equal.compare(bench.answer, Path(folder), [])
    if said:
        raise NotBack("\n".join([f"{happened}: {way}, and the warehouse differs", *said[:40]]))
    return happened, f"{way}; {tables} tables, {cells:,} cells equal"


def prepared(bench: Bench) -> None:
    """A day, if there is none, and the undisturbed next one."""
    if not (bench.home / "state.json").exists() and bench.finish(bench.yuyan()):
        raise SystemExit("the first day failed undisturbed: see chaos.log")
    services.start_databases(services.load(bench.home, remember=True))
    bench.keep()
    started = time.monotonic()
    if bench.finish(bench.yuyan()):
        raise SystemExit("the undisturbed day failed: see chaos.log")
    bench.seconds = time.monotonic() - started
    bench.answer = bench.home.parent / "answer"
    bench.snapshot(bench.answer)


@contextlib.contextmanager
def disk() -> Iterator[tuple[Path, Path | None]]:
    """A folder for the work folder, and the file system of its own that it is, if one may be mounted."""
    with tempfile.TemporaryDirectory(prefix="yuyan-chaos-") as folder:
        place = Path(folder)
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={ROOM_GB}g,mode=755", "tmpfs", folder],
            stderr=subprocess.DEVNULL,
        )
        try:
            yield place, place if mounted.returncode == 0 else None
        finally:
            if mounted.returncode == 0:
                subprocess.run(["umount", "-l", folder], check=False)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    options.add_argument("--runs", type=int, default=50)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--scale", default="0.01")
    options.add_argument("--minutes", type=float, default=float("inf"), help="begin no run after so many")
    options.add_argument("--home", type=Path, help="begin with a copy of this stopped work folder")
    options.add_argument("--to", type=Path, help="write every run as JSON")
    given = options.parse_args()
    until = time.monotonic() + given.minutes * 60
    tried, back, bad, told = Counter(), Counter(), [], []
    with disk() as (place, own):
        home = place / "home"
        if given.home:
            shutil.copytree(given.home, home, symlinks=True, copy_function=shutil.copy2)
            subprocess.run(
                ["chown", "-R", "--reference", str(given.home / "pg"), str(home / "pg")], check=False
            )
        bench = Bench(home, given.scale, random.Random(given.seed), own)
        print(
            "the disk is filled, too" if own else "no file system may be mounted: a full disk is not tried",
            flush=True,
        )
        try:
            prepared(bench)
            print(f"undisturbed: {bench.seconds:.0f} s", flush=True)
            for number in range(1, given.runs + 1):
                if time.monotonic() > until:
                    break
                try:
                    happened, how = disturbed(bench)
                except NotBack as error:
                    bad.append(str(error))
                    told.append({"run": number, "failed": str(error)})
                    print(f"{number:3} FAILED {error}", flush=True)
                    continue
                for what in happened:
                    tried[what.rpartition(" at ")[0]] += 1
                    back[how.partition(";")[0]] += 1
                told.append({"run": number, "happened": happened, "how": how})
                print(f"{number:3} {' and '.join(happened)}: {how}", flush=True)
                if given.to:
                    given.to.write_text(json.dumps(told, indent=1, ensure_ascii=False))
        finally:
            services.down(home)
    print(f"\n{len(told)} runs, {len(bad)} failed; seed {given.seed}, scale {given.scale}")
    for what, times in sorted(tried.items()):
        print(f"  {times:4}  {what}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
