"""Services as child processes that outlive the command: one session per service, its log, and a record of who it is.

A service is the leader of its own session, so that everything it forks can be found and stopped with it. The record keeps
the start time beside the process id, because ids are reused.
"""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Service:
    """A started service: its session leader and when that process was born (seconds since the epoch)."""

    name: str
    pid: int
    born_at: float
    log: str


def start(name: str, command: Sequence[str], env: Mapping[str, str], home: Path) -> Service:
    """Start a service if it does not run yet and record it in `<home>/pids/<name>.json`. Output goes to `<home>/logs`."""
    if (running := find(name, home)) is not None:
        return running
    log = home / "logs" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(env),
            cwd=home,
            start_new_session=True,
        )
    service = Service(name, process.pid, psutil.Process(process.pid).create_time(), str(log))
    record = _record(name, home)
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps(asdict(service)))
    return service


def find(name: str, home: Path) -> Service | None:
    """The running service of that name, or None when it was never started or has ended."""
    try:
        service = Service(**json.loads(_record(name, home).read_text()))
    except FileNotFoundError:
        return None
    return service if _leader(service) is not None else None


def members(service: Service) -> list[psutil.Process]:
    """Every live process of the service's session, the leader included."""
    return [
        p
        for p in psutil.process_iter()
        if _session(p.pid) == service.pid and p.status() != psutil.STATUS_ZOMBIE
    ]


def stop(names: Sequence[str], home: Path, patience: float = 15) -> list[str]:
    """Stop services and everything they forked; returns the names that were running.

    All are asked at once (SIGTERM to the leaders). What is left after `patience` seconds, and whatever a leader that has
    already died left behind, is killed.
    """
    stopped, crowd = [], []
    for name in names:
        record = _record(name, home)
        if not record.exists():
            continue
        service = Service(**json.loads(record.read_text()))
        leader = _leader(service)
        # A session id is not reused while the session has members, but may be once it is empty.
        crowd += [p for p in members(service) if leader is not None or p.create_time() >= service.born_at]
        if leader is not None:
            stopped.append(name)
            leader.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + patience
    _, alive = psutil.wait_procs(crowd, timeout=patience)
    while alive and time.monotonic() < deadline:
        _, alive = psutil.wait_procs(alive, timeout=0.2)
    for name in names:
        record = _record(name, home)
        if record.exists():
            service = Service(**json.loads(record.read_text()))
            left = [p for p in members(service) if p.create_time() >= service.born_at]
            for p in left:
                p.kill()
            psutil.wait_procs(left, timeout=5)
            record.unlink()
    return stopped


def memory(of: Iterable[psutil.Process]) -> int:
    """Memory of processes in bytes, a page shared by n processes counting 1/n for each (PSS)."""
    total = 0
    for process in of:
        with contextlib.suppress(psutil.NoSuchProcess):
            total += process.memory_full_info().pss
    return total


def _record(name: str, home: Path) -> Path:
    return home / "pids" / f"{name}.json"


def _leader(service: Service) -> psutil.Process | None:
    try:
        process = psutil.Process(service.pid)
        same = abs(process.create_time() - service.born_at) < 1 and process.status() != psutil.STATUS_ZOMBIE
        return process if same else None
    except psutil.NoSuchProcess:
        return None


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except (ProcessLookupError, PermissionError):
        return None
