"""A moment between two backups, for real: docs/operations.md, A moment between backups, on a server of its own.

The settings and commands are read from the page and run as they stand there. `make pitr-test`.
"""

import os
import pwd
import re
import shutil
import subprocess
from datetime import date
from pathlib import Path

import psycopg
import pytest

from yuyan import runs, settings
from yuyan.warehouse import ddl
from yuyan_demo.runtime import postgres

PAGE = (settings.PROJECT / "docs" / "operations.md").read_text(encoding="utf-8")
SECTION = PAGE.split("## A moment between backups")[1].split("\n## ")[0]
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", SECTION, re.S)


def block(language: str, number: int = 0) -> str:
    """A block of code of the page."""
    return [text for found, text in BLOCKS if found == language][number]


@pytest.fixture
def cluster(folder):
    """A cluster with the page's settings, its archive beside it; stopped afterwards."""
    data, archive = folder / "pg", folder / "archive"
    archive.mkdir()
    if os.geteuid() == 0:  # the server then runs as nobody
        os.chown(archive, pwd.getpwnam("nobody").pw_uid, pwd.getpwnam("nobody").pw_gid)
    postgres.start(data)
    postgres.stop(data)
    with open(data / "postgresql.conf", "a", encoding="utf-8") as file:
        file.write(block("ini").replace("/srv/archive", str(archive)))
    postgres.start(data)
    yield data
    postgres.stop(data)


def shell(text: str, names: dict[str, str], **variables: str) -> None:
    """Run the page's commands with these paths in place of its own, as the server's user."""
    for name, value in names.items():
        text = text.replace(name, value)
    nobody = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
    variables["PATH"] = f"{postgres.BINARIES}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-ec", text], env=os.environ | variables, capture_output=True, text=True, cwd="/", **nobody
    )
    assert done.returncode == 0, done.stderr


def days(data: Path, database: str) -> list[tuple]:
    with psycopg.connect(postgres.dsn(data, database)) as connection:
        return connection.execute("select run_id, state from ops.run order by run_id").fetchall()


def test_a_moment_between_two_runs_comes_back(cluster, folder, monkeypatch):
    dsn = postgres.create_database(cluster, "warehouse")
    with psycopg.connect(dsn) as connection:
        ddl.create(connection)
    monkeypatch.setenv("YUYAN_WAREHOUSE_DSN", dsn)
    base = folder / "base"
    base.mkdir()
    if os.geteuid() == 0:
        shutil.chown(base, "nobody", "nogroup")
    shell(block("sh", 0), {"/srv/base": str(base)}, DSN=postgres.dsn(cluster))

    runs.open_run("first", "collect", date(2026, 10, 15))
    runs.close_run("first", "success")
    with psycopg.connect(dsn, autocommit=True) as connection:
        moment = connection.execute("select clock_timestamp()::text").fetchone()[0]
        runs.open_run("second", "collect", date(2026, 10, 16))
        connection.execute("delete from ops.run where run_id = 'first'")  # the accident
        connection.execute("select pg_switch_wal()")
    assert days(cluster, "warehouse") == [("second", "running")]
    postgres.stop(cluster)

    back = folder / "back"
    shutil.copytree(base, back)
    shutil.copy(folder / "pg.password", folder / "back.password")
    for path in [back, *back.rglob("*")]:
        if os.geteuid() == 0:
            shutil.chown(path, "nobody", "nogroup")
    back.chmod(0o700)
    archive = str(folder / "archive")
    shell(block("sh", 1), {"/srv/back": str(back), "/srv/archive": archive, "2026-10-15 18:00:00+08": moment})
    postgres.start(back)
    try:
        assert days(back, "warehouse") == [("first", "success")]
    finally:
        postgres.stop(back)
