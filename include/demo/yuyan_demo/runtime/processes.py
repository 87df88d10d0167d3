"""Services as child processes that outlive the command: one session per service, its log, and a record of who it is.

A service is the leader of its own session, so that everything it forks can be found and stopped with it. The record keeps
the start beside the process id, because ids are reused: as seconds since the machine's boot, since the clock may be put.
"""

import contextlib
import json
import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from yuyan import files

MARK = "YUYAN_SERVICE"
"""Variable in the environment of a service and of all that it starts: `<home>:<name>`."""


@dataclass(frozen=True)
class Service:
    """A started service: its session leader, and when that process was born: by the clock of then (seconds since the
    epoch), and in seconds since which boot."""

    name: str
    pid: int
    born_at: float
    uptime: float
    boot: str
    log: str


def start(name: str, command: Sequence[str], env: Mapping[str, str], home: Path) -> Service:
    """Start a service if it does not run yet and record it in `<home>/pids/<name>.json`. Output goes to `<home>/logs`."""
    if (running := find(name, home)) is not None:
        return running
    stop([name], home, patience=0)  # what a leader that was killed has left would never be found again
    return _spawn(name, command, env, home)[1]


def run(commands: Mapping[str, Sequence[str]], env: Mapping[str, str], home: Path) -> list[str]:
    """Run commands side by side to their end, each a service meanwhile, so that `stop` finds it when who waits here is gone;
    returns the names of those that failed. One that such a command has left is stopped first.
    """
    stop(list(commands), home)
    running = {name: _spawn(name, command, env, home)[0] for name, command in commands.items()}
    failed = [name for name, process in running.items() if process.wait() != 0]
    for name in running:
        _record(name, home).unlink(missing_ok=True)
    return failed


def _spawn(
    name: str, command: Sequence[str], env: Mapping[str, str], home: Path
) -> tuple[subprocess.Popen, Service]:
    log = home / "logs" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**env, MARK: _mark(name, home)},
            cwd=home,
            start_new_session=True,
            umask=0o077,
        )
    service = _service(name, psutil.Process(process.pid), log)
    files.write(_record(name, home), json.dumps(asdict(service)))
    return process, service


def find(name: str, home: Path) -> Service | None:
    """The running service of that name, or None when it was never started or has ended."""
    service = _read(name, home)
    return service if service and leader(service) is not None else None


def members(service: Service) -> list[psutil.Process]:
    """Every live process of the service's session, the leader included; also those that a dead leader left behind.

    Nobody if the session's id has gone to somebody else meanwhile: another process has it, or the machine was restarted.
    """
    taken = psutil.pid_exists(service.pid) and _first(service) is None
    if taken or service.boot != _boot():
        return []
    return [p for p in psutil.process_iter() if _session(p.pid) == service.pid and _is_alive(p)]


def stop(names: Sequence[str], home: Path, patience: float = 20) -> list[str]:
    """Stop services and everything they forked; returns the names that were running.

    All leaders are asked at once (SIGTERM). What is left after `patience` seconds, or by a leader that died, is killed. The
    records go first: who finds a service ended and its record there knows that nobody has stopped it.
    """
    services = [service for name in names if (service := _read(name, home))]
    stopped = [service.name for service in services if leader(service) is not None]
    everybody = [process for service in services for process in members(service)]
    for name in names:
        _record(name, home).unlink(missing_ok=True)
    for service in services:
        if process := leader(service):
            process.terminate()
    psutil.wait_procs(everybody, timeout=patience)
    left = [process for service in services for process in members(service)]
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left, timeout=5)
    return stopped


def was_stopped(name: str, home: Path) -> bool:
    """Was the service stopped, or never started, rather than ended of itself?"""
    return not _record(name, home).exists()


def memory(of: Iterable[psutil.Process]) -> int:
    """Memory of processes in bytes, a page shared by n processes counting 1/n for each (PSS)."""
    total = 0
    for process in of:
        with contextlib.suppress(psutil.NoSuchProcess):
            total += process.memory_full_info().pss
    return total


def _record(name: str, home: Path) -> Path:
    return home / "pids" / f"{name}.json"


def _mark(name: str, home: Path) -> str:
    return f"{home.resolve()}:{name}"


def _read(name: str, home: Path) -> Service | None:
    """What is recorded of a service; where the record is lost, what its marked processes tell."""
    try:
        if held := files.read_json(_record(name, home), ""):
            return Service(**held)
    except (files.DamagedFile, TypeError):
        pass
    log = home / "logs" / f"{name}.log"
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(MARK) == _mark(name, home) and (session := _session(process.pid)):
                first = psutil.Process(session) if psutil.pid_exists(session) else process
                return _service(name, first, log, session)
    return None


def _service(name: str, first: psutil.Process, log: Path, session: int | None = None) -> Service:
    return Service(name, session or first.pid, first.create_time(), _uptime(first), _boot(), str(log))


def _uptime(process: psutil.Process) -> float:
    """Seconds from the machine's boot to a process's birth. Its birth by the clock moves when the clock is put."""
    return process.create_time() - psutil.boot_time()


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def leader(service: Service | None) -> psutil.Process | None:
    """The service's first process, None when it has ended or there is no service."""
    process = service and _first(service)
    return process if process and _is_alive(process) else None


def _first(service: Service) -> psutil.Process | None:
    """The process of the service's id if it is still that one, were it ended and not yet asked how."""
    try:
        process = psutil.Process(service.pid)
        return process if service.boot == _boot() and abs(_uptime(process) - service.uptime) < 1 else None
    except psutil.NoSuchProcess:
        return None


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except (ProcessLookupError, PermissionError):
        return None
