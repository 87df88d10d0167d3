"""Backup and restore on a real server: a day comes back and goes on as if nothing had happened, or nothing is changed."""

import json
import shutil
import threading
import time
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from small_world import STUDENT, Raw
from typer.testing import CliRunner

from support.fill import AS_OF
from yuyan import settings
from yuyan.commands import backup
from yuyan.commands.cli import app
from yuyan.commands.console import OperatorError
from yuyan.warehouse import line_roles, migrate, roles
from yuyan_demo.runtime import postgres

pytestmark = pytest.mark.database

NEXT_DAY = AS_OF + timedelta(days=1)


def yuyan(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, arguments)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, " ".join(done.output.split())


@pytest.fixture
def another(pg_home, monkeypatch):
    """URL of a database that is not there yet; YUYAN_WAREHOUSE_DSN can be pointed to it. Dropped afterwards."""
    with psycopg.connect(postgres.dsn(pg_home), autocommit=True) as server:
        yield postgres.dsn(pg_home, "brought_back")
        server.execute("drop database if exists brought_back with (force)")


@pytest.fixture
def landed(work) -> Path:
    """A batch in the landing area, and what a killed collection left there."""
    folder = Path(settings.landing()) / "10611" / "student"
    folder.mkdir(parents=True)
    (folder / "abc.parquet").write_bytes(b"PAR1")
    (folder / "abc.json").write_text("{}")
    (folder / ".2026-10-15.run.part").write_bytes(b"PAR")
    return folder


def second_day(raw: Raw) -> dict:
    """A change that fails, and one that passes; returns what stands afterwards."""
    raw._loads = 1
    raw.put(raw.version("student", left_on=None), raw.version("org_unit", unit_name="另一学院"))
    raw.judge("second", STUDENT, NEXT_DAY)
    tables = (
        "accepted.student",
        "accepted.org_unit",
        "quality.row_failure",
        "quality.quarantine",
        "quality.problem",
    )
    found = {
        table: raw.rows(f"select to_jsonb(t) - 'recorded_at' from {table} t order by to_jsonb(t)::text")
        for table in tables
    }
    assert raw.quarantine() == {("student", "r1")}
    return found


def test_a_day_comes_back_and_the_next_one_is_what_it_would_have_been(
    warehouse, another, landed, tmp_path, monkeypatch
):
    raw = Raw(warehouse)
    raw.put_sound(STUDENT)
    raw.judge("first", STUDENT)
    raw.connection.execute(
        "insert into ops.run (run_id, kind, as_of) values ('first', 'warehouse', %s)", [AS_OF]
    )
    passwords = dict.fromkeys((*roles.readable(), *line_roles.load()), "a-password")
    line_roles.create(raw.connection, line_roles.dsns(warehouse, passwords))
    roles.create(raw.connection, passwords)
    folder = tmp_path / "backup"
    assert yuyan("backup", "--to", str(folder))[0] == 0
    assert {p.name for p in folder.rglob("*") if p.is_file()} == {
        "manifest.json", "warehouse.dump", "abc.parquet", "abc.json",
    }  # fmt: skip
    undisturbed = second_day(raw)
    raw.connection.close()

    shutil.rmtree(landed)
    monkeypatch.setenv("YUYAN_WAREHOUSE_DSN", another)
    code, said = yuyan("restore", str(folder))
    assert (code, str(AS_OF) in said) == (0, True), said
    assert (landed / "abc.parquet").read_bytes() == b"PAR1"
    raw = Raw(another)
    assert raw.accepted("student") == ["r1"]
    with psycopg.connect(another) as owner:
        assert migrate.apply(owner) == []
        rights = (
            "select has_table_privilege('auditor', 'quality.problem', 'select'), "
            "has_table_privilege('yuyan_collect', 'quality.hold', 'insert'), "
            "has_table_privilege('yuyan_collect', 'quality.hold', 'delete')"
        )
        assert owner.execute(rights).fetchone() == (True, True, False)
    assert second_day(raw) == undisturbed
    raw.connection.close()

    code, said = yuyan("restore", str(folder))
    assert (code, "is not empty" in said) == (1, True), said


def test_no_table_goes_between_the_moment_of_a_backup_and_its_dump(warehouse, work, tmp_path, monkeypatch):
    """The line makes a table anew while pg_dump starts: it waits, so pg_dump must not wait behind it."""
    refused, waited, pg = [], [], backup._pg
    with psycopg.connect(warehouse, autocommit=True) as line:
        line.execute("create table quality.made as select 1 as x")
        line.execute("set lock_timeout = '2s'")

        def drop():
            with pytest.raises(psycopg.errors.LockNotAvailable):
                line.execute("drop table quality.made")
            refused.append("waited in vain")

        def disturbed(program, *rest):
            if refused:
                return pg(program, *rest)
            dropping = threading.Thread(target=drop)
            dropping.start()
            time.sleep(0.3)  # it stands in the queue before pg_dump comes
            try:
                return pg(program, *rest)
            except OperatorError as error:
                waited.append(str(error))
                raise
            finally:
                dropping.join()

        monkeypatch.setattr(backup, "_pg", disturbed)
        manifest = backup.backup(tmp_path / "backup")
        assert (refused, manifest["rows"]["quality.made"]) == (["waited in vain"], 1)
        assert len(waited) == 1, "pg_dump did not wait"
        assert any(said in waited[0] for said in backup.WAITED)
        line.execute("drop table quality.made")


def test_a_backup_goes_into_a_folder_of_its_own(warehouse, tmp_path):
    (tmp_path / "mine").write_text("")
    code, said = yuyan("backup", "--to", str(tmp_path))
    assert (code, "is not empty" in said) == (1, True)


@pytest.fixture
def made(work, tmp_path, monkeypatch) -> Path:
    """A folder that looks like a backup; no server is asked before it has been checked."""
    monkeypatch.setenv("YUYAN_WAREHOUSE_DSN", "postgresql://nobody@127.0.0.1:1/nothing")
    folder = tmp_path / "made"
    folder.mkdir()
    (folder / "warehouse.dump").write_bytes(b"PGDMP")
    digest = "fd0fc8f7c0cdc8f1c6a8d2d8c3b2d9ba"
    content = {
        "version": "0",
        "migration": 1,
        "person_key": "",
        "roles": [],
        "rows": {},
        "files": {"warehouse.dump": digest},
    }
    (folder / "manifest.json").write_text(json.dumps(content))
    return folder


def change(folder: Path, **entries) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


def test_what_is_no_sound_backup_of_this_line_is_refused(made):
    from yuyan.commands import backup

    assert "warehouse.dump is not what was written" in yuyan("restore", str(made))[1]
    change(made, files={"warehouse.dump": backup._digest(made / "warehouse.dump")}, migration=9999)
    assert "migration 9999, which version" in yuyan("restore", str(made))[1]
    change(made, migration=1)
    assert "would be another person" in yuyan("restore", str(made))[1]
    (made / "manifest.json").write_text("{")
    assert "empty or damaged" in yuyan("restore", str(made))[1]
    (made / "manifest.json").unlink()
    assert "this is no backup" in yuyan("restore", str(made))[1]
