"""What `make chaos` does to a city: processes killed, its disk full, its clock put, connections cut, sources hostile.

A disturbance has three moments: before the run starts, the drawn one, and before the plain run that follows. Everything
happens in the namespaces of one run (lanes/chaos_run.py): its processes, sockets and file system are nobody else's.
"""

import contextlib
import os
import random
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg

from yuyan_demo.runtime import postgres, processes, services

LANES = Path(__file__).resolve().parent
PATIENCE = 20
"""Seconds in which a process to be killed must come up; then the scheduler is killed instead."""
MB = 1 << 20


@dataclass
class City:
    """The city that is disturbed: its work folder, the command at work, the dice of this run."""

    home: Path
    dice: random.Random
    env: dict[str, str]
    command: subprocess.Popen | None = None

    def crowd(self) -> list[psutil.Process]:
        """Every process of the namespace but this one and those above it."""
        ours = {os.getpid(), *(p.pid for p in psutil.Process().parents())}
        return [p for p in psutil.process_iter() if p.pid not in ours and p.status() != psutil.STATUS_ZOMBIE]

    def service(self, name: str) -> list[psutil.Process]:
        """The first process of a service; nobody while it does not run."""
        first = processes.leader(processes.find(name, self.home))
        return [first] if first else []

    def server(self) -> list[psutil.Process]:
        """PostgreSQL's first process."""
        first = postgres.server(self.home / "pg")
        return [first] if first else []


class Disturbance:
    """Nothing: the run must be as good as the undisturbed one. The comparison must see no difference."""

    def before(self, city: City) -> None:
        """Before the disturbed run starts."""

    def strike(self, city: City) -> str:
        """At the drawn moment; says what was done."""
        return "nothing"

    def after(self, city: City) -> None:
        """Before the plain run."""


def _backends(city: City) -> list[psutil.Process]:
    return [child for server in city.server() for child in server.children()]


def _tasks(city: City) -> list[psutil.Process]:
    """What the scheduler has forked to do tasks: executors, supervisors, the tasks themselves."""
    service = processes.find("scheduler", city.home)
    return [p for p in processes.members(service) if p.pid != service.pid] if service else []


def _command(city: City) -> list[psutil.Process]:
    return [psutil.Process(city.command.pid)] if city.command.poll() is None else []


TARGETS: dict[str, Callable[[City], list[psutil.Process]]] = {
    "PostgreSQL's first process": City.server,
    "a process of PostgreSQL": _backends,
    "a task or its supervisor": _tasks,
    "the command": _command,
    **{f"the {n}": lambda city, n=n: city.service(n) for n in services.NAMES},
    "two processes": City.crowd,
    "all at once": City.crowd,
}


@dataclass
class Kill(Disturbance):
    """SIGKILL to one process of a kind, to any two, or to all."""

    target: str

    def strike(self, city: City) -> str:
        deadline = time.monotonic() + PATIENCE
        while not (found := TARGETS[self.target](city)):
            if time.monotonic() > deadline:
                found = city.crowd()
                break
            time.sleep(0.05)
        few = {"all at once": len(found), "two processes": min(2, len(found))}.get(self.target, 1)
        killed = []
        for process in city.dice.sample(sorted(found, key=lambda p: p.pid), few):
            try:
                words = " ".join(process.cmdline()[:4])
                process.kill()
            except psutil.NoSuchProcess:
                continue
            killed.append(f"{process.pid} {words}"[:100])
        return "; ".join(killed[:3]) + (f" and {len(killed) - 3} more" if len(killed) > 3 else "")


@dataclass
class FullDisk(Disturbance):
    """A file takes all that is left of the city's file system, but for a few megabytes, until the plain run."""

    left: int = 0
    ballast: Path | None = None

    def strike(self, city: City) -> str:
        self.ballast = city.home.parent / "ballast"
        self.left = city.dice.choice((0, 0, 1, 4, 16)) * MB
        with open(self.ballast, "wb") as file:
            while (size := _free(city.home) - self.left) > 0:
                with contextlib.suppress(OSError):  # the city has just taken some of it
                    os.posix_fallocate(file.fileno(), 0, os.fstat(file.fileno()).st_size + size)
        return f"{self.left // MB} MB left"

    def after(self, city: City) -> None:
        if self.ballast:
            self.ballast.unlink()


def _free(folder: Path) -> int:
    """Bytes that may still be written to a folder's file system."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


STEPS = (-86_400, -10_800, -600, -30, 30, 600, 10_800, 86_400, 40 * 86_400)


@dataclass
class Clock(Disturbance):
    """The time of day jumps for every process (lanes/clock.c); at the plain run it is right again, or goes on from there."""

    library: Path
    file: Path | None = None
    comes_back: bool = False

    def before(self, city: City) -> None:
        self.file = city.home.parent / "clock"
        self.file.write_bytes(struct.pack("q", 0))
        self.file.chmod(0o644)
        city.env |= {"LD_PRELOAD": str(self.library), "CHAOS_CLOCK": str(self.file)}

    def strike(self, city: City) -> str:
        step, self.comes_back = city.dice.choice(STEPS), city.dice.random() < 0.5
        self._put(step)
        return f"{step:+d} s{', right again for the plain run' if self.comes_back else ''}"

    def after(self, city: City) -> None:
        if self.comes_back:
            self._put(0)

    def _put(self, step: int) -> None:
        with open(self.file, "r+b") as file:  # in its place: every process looks at it
            file.write(struct.pack("q", step))


@dataclass
class EndSessions(Disturbance):
    """pg_terminate_backend for sessions of the warehouse and of Airflow's database, three times in a row."""

    def strike(self, city: City) -> str:
        ended, share = 0, city.dice.choice((0.3, 1.0))
        for _ in range(3):
            with psycopg.connect(postgres.dsn(city.home / "pg"), autocommit=True) as connection:
                sessions = [
                    pid
                    for (pid,) in connection.execute(
                        "select pid from pg_stat_activity where datname is not null and pid <> pg_backend_pid() order by pid"
                    )
                    if city.dice.random() < share
                ]
                connection.execute("select pg_terminate_backend(pid) from unnest(%s::int[]) pid", [sessions])
            ended += len(sessions)
            time.sleep(city.dice.uniform(0.2, 2))
        return f"{ended} sessions"


@dataclass
class CutSockets(Disturbance):
    """Established connections of the namespace are reset by the kernel (ss -K), whoever holds them: to PostgreSQL, to the
    platforms in the middle of an answer, to Airflow's API."""

    def strike(self, city: City) -> str:
        cut, share = 0, city.dice.choice((0.3, 1.0))
        for _ in range(5):
            held = [c for c in psutil.net_connections(kind="tcp") if c.status == psutil.CONN_ESTABLISHED]
            for connection in held:
                if city.dice.random() < share:
                    ends = f"sport = :{connection.laddr.port} and dport = :{connection.raddr.port}"
                    subprocess.run(["ss", "-K", "-t", f"( {ends} )"], stdout=subprocess.DEVNULL, check=True)
                    cut += 1
            time.sleep(city.dice.uniform(0.2, 2))
        return f"{cut} ends of connections"


@dataclass
class Hostile(Disturbance):
    """The platforms answer a drawn share of questions with what no client wants (lanes/hostile_platforms.py)."""

    share: float = 0.0

    def before(self, city: City) -> None:
        self.share = city.dice.choice((0.02, 0.1, 0.5))
        port = services.load(city.home, remember=True).ports[services.PLATFORMS]
        words = [str(LANES / "hostile_platforms.py"), str(city.home), port, self.share, city.dice.random()]
        processes.start(services.PLATFORMS, [sys.executable, *map(str, words)], city.env, city.home)

    def strike(self, city: City) -> str:
        return f"{self.share:.0%} of answers"

    def after(self, city: City) -> None:
        processes.stop([services.PLATFORMS], city.home)


def deck(clock: Path) -> dict[str, Callable[[], Disturbance]]:
    """Kind of disturbance -> what makes one; the kinds that are drawn twice as often are named twice."""
    kinds: dict[str, Callable[[], Disturbance]] = {"nothing": Disturbance}
    kinds |= {f"SIGKILL: {target}": lambda target=target: Kill(target) for target in TARGETS}
    kinds |= {
        "full disk": FullDisk,
        "clock step": lambda: Clock(clock),
        "sessions of PostgreSQL ended": EndSessions,
        "connections cut": CutSockets,
        "hostile source": Hostile,
    }
    return kinds


TWICE = ("full disk", "clock step", "connections cut", "hostile source")
