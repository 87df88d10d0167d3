"""Migrations: applied once, in order, recorded; a warehouse made before they were is upgraded in place."""

from pathlib import Path

import psycopg
import pytest

from yuyan.warehouse import migrate
from yuyan.warehouse.migrate import Migration, MigrationError

pytestmark = pytest.mark.database


def test_each_is_applied_once_and_recorded(warehouse):
    with psycopg.connect(warehouse) as connection:
        assert migrate.apply(connection) == []
        recorded = connection.execute("select number, name, digest from ops.migration order by 1").fetchall()
    assert recorded == [(m.number, m.name, m.digest) for m in migrate.load()]


def test_a_new_one_is_applied_after_the_others_and_only_once(warehouse):
    another = Migration(len(migrate.load()) + 1, "another", "create table ops.another (a int)")
    with psycopg.connect(warehouse) as connection:
        assert migrate.apply(connection, (*migrate.load(), another)) == [another.number]
        assert migrate.apply(connection, (*migrate.load(), another)) == []


def test_one_that_fails_leaves_nothing_behind(warehouse):
    number = len(migrate.load()) + 1
    good = Migration(number, "good", "create table ops.good (a int)")
    bad = Migration(number + 1, "bad", "create table ops.bad (a nonsense)")
    with psycopg.connect(warehouse, autocommit=True) as connection:
        with pytest.raises(psycopg.errors.UndefinedObject):
            migrate.apply(connection, (*migrate.load(), good, bad))
        assert connection.execute(
            "select to_regclass('ops.good'), max(number) from ops.migration"
        ).fetchone() == (
            None,
            number - 1,
        )


def test_an_applied_file_that_changed_is_refused(warehouse):
    *others, last = migrate.load()
    changed = Migration(last.number, last.name, last.sql + "\n-- changed")
    with (
        psycopg.connect(warehouse) as connection,
        pytest.raises(MigrationError, match=rf"{last.number:04d}_{last.name}\.sql has changed.*another file"),
    ):
        migrate.apply(connection, (*others, changed))


def test_a_warehouse_newer_than_the_files_is_refused(warehouse):
    with (
        psycopg.connect(warehouse) as connection,
        pytest.raises(
            MigrationError, match=rf"{migrate.load()[-1].number:04d}, which this version does not know"
        ),
    ):
        migrate.apply(connection, migrate.load()[:-1])


@pytest.mark.parametrize(
    "names", [("0001_a.sql", "0003_c.sql"), ("0002_b.sql",), ("0001.sql",), ("first.sql",)]
)
def test_a_gap_or_a_name_without_number_is_refused(tmp_path: Path, names):
    for name in names:
        (tmp_path / name).write_text("select 1")
    with pytest.raises(MigrationError, match=r"the next migration must be named 000\d_<what>\.sql"):
        migrate.load(tmp_path)
