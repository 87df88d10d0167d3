"""Role × schema × verb, and what a session could do to the line: what is not listed as allowed is refused."""

import shutil

import psycopg
import pytest
from psycopg import errors, sql

from support import how_to
from yuyan import settings
from yuyan.domain import yaml_file
from yuyan.warehouse import line_roles, logins, roles

pytestmark = pytest.mark.database

SCHEMAS = sorted(
    {"raw", "latest", "accepted", "judging", "public"}
    | {s for schemas in roles.readable().values() for s in schemas}
)
VERBS = {
    "select": "select * from {}.probe",
    "insert": "insert into {}.probe values (1)",
    "update": "update {}.probe set n = 2",
    "delete": "delete from {}.probe",
    "truncate": "truncate {}.probe",
    "create": "create table {}.mine (n int)",
    "drop": "drop table {}.probe",
    "lock": "lock table {}.probe in access exclusive mode",
}
REFUSED = (errors.InsufficientPrivilege, errors.ReadOnlySqlTransaction)


@pytest.fixture
def readers(warehouse):
    """Role -> an open session of it, in a warehouse with a table in every schema."""
    passwords = dict.fromkeys(roles.readable(), "a-password")
    with psycopg.connect(warehouse, autocommit=True) as owner:
        roles.create(owner, passwords)
        for schema in SCHEMAS:
            owner.execute(f"create schema if not exists {schema}; create table {schema}.probe (n int)")
    sessions = {
        role: psycopg.connect(logins.dsn(warehouse, role, "a-password"), autocommit=True)
        for role in roles.readable()
    }
    yield sessions
    for session in sessions.values():
        session.close()


def allows(session: psycopg.Connection, statement: sql.Composed | str) -> bool:
    """Does the statement go through? Refusals are answers, any other error is one of the test."""
    try:
        with session.transaction():
            session.execute(statement)
        return True
    except REFUSED:
        return False


def test_a_role_may_select_from_its_schemas_and_nothing_else(readers):
    found = {
        (role, schema, verb)
        for role, session in readers.items()
        for schema in SCHEMAS
        for verb, statement in VERBS.items()
        # a session may switch its own read-only default off: rights must hold without it
        if allows(session, "set default_transaction_read_only = off")
        and allows(session, sql.SQL(statement).format(sql.Identifier(schema)))
    }
    assert found == {
        (role, schema, "select") for role, schemas in roles.readable().items() for schema in schemas
    }


HINDRANCES = (
    "select pg_advisory_lock(7220261)",
    "select pg_advisory_lock(1, 2)",
    "select pg_advisory_lock_shared(7220261)",
    "select pg_try_advisory_lock(7220261)",
    "select pg_advisory_xact_lock(7220262)",
    "create temp table mine (n int)",
    "select lo_create(0)",
    "select lo_from_bytea(0, 'x')",
    "select pg_notify('channel', 'text')",
    "select pg_read_file('postgresql.conf')",
    "copy marts.probe to program 'true'",
    "set temp_file_limit = -1",
    "set role yuyan",
    "alter role current_user superuser",
    "create role another",
    "create schema mine",
)


@pytest.mark.parametrize("role", roles.readable())
def test_a_reader_cannot_hold_up_the_line(warehouse, readers, role):
    session = readers[role]
    session.execute("set default_transaction_read_only = off")
    with psycopg.connect(warehouse) as line:
        of_line = f"select pg_terminate_backend({line.info.backend_pid})"
        assert [statement for statement in (*HINDRANCES, of_line) if allows(session, statement)] == []


@pytest.mark.parametrize("role", roles.readable())
def test_what_a_reader_does_ends(readers, role):
    session = readers[role]
    expected = roles.LIMITS | roles.SERVER_LIMITS
    if role in roles.bound():  # states its purpose, which is recorded
        expected |= {"default_transaction_read_only": "off"}
    said = {
        name: session.execute(f"show {name}").fetchone()[0] for name in roles.LIMITS | roles.SERVER_LIMITS
    }
    assert said == expected


def test_persons_are_read_with_a_stated_purpose_only(warehouse, readers):
    """A session that has not said what for gets an error, not rows; what it said is recorded by the server and stays."""
    with psycopg.connect(warehouse, autocommit=True) as line:
        line.execute("alter table star.probe enable row level security")
        line.execute(
            "create policy stated on star.probe for select using ((select disclosure.has_purpose()))"
        )
        line.execute("insert into star.probe values (7)")
        session = readers["analyst"]
        with pytest.raises(errors.InsufficientPrivilege, match="state a purpose"):
            session.execute("select * from star.probe")
        with pytest.raises(errors.RaiseException, match="10"):
            session.execute("select access.state_purpose('why')")
        session.execute("select access.state_purpose('年度就业质量报告，供学位办使用')")
        assert session.execute("select n from star.probe").fetchall() == [(7,)]
        another = psycopg.connect(logins.dsn(warehouse, "analyst", "a-password"))
        with another, pytest.raises(errors.InsufficientPrivilege, match="state a purpose"):
            another.execute("select * from star.probe")
        assert line.execute("select reader, purpose from access.purpose").fetchall() == [
            ("analyst", "年度就业质量报告，供学位办使用")
        ]
        with pytest.raises(errors.RaiseException, match="只增不改"):
            line.execute("delete from access.purpose")
        assert line.execute("select n from star.probe").fetchall() == [(7,)]  # the line itself reads on
        for role in set(readers) - set(roles.bound()):
            assert not allows(readers[role], "select access.state_purpose('年度就业质量报告，供学位办使用')")
        assert not allows(
            session,
            "insert into access.purpose (purpose, backend_start) values ('自己写的用途，不经函数', now())",
        )


def test_every_table_of_the_star_asks_for_the_purpose():
    """The policy is made in the transaction that makes the table."""
    project = yaml_file.read(settings.DBT_PROJECT / "dbt_project.yml")
    hooks = project["models"]["yuyan"]["star"]["+post-hook"]
    assert any("enable row level security" in hook for hook in hooks)
    assert any("disclosure.has_purpose()" in hook for hook in hooks)


def test_the_line_keeps_its_locks_and_does_not_wait_for_ever(warehouse, readers):
    with psycopg.connect(warehouse, autocommit=True) as line:
        line.execute("select pg_advisory_lock(7220261), pg_advisory_unlock(7220261)")
        assert line.execute("show lock_timeout").fetchone() == (line_roles.LOCK_TIMEOUT,)


def test_the_roles_may_be_made_again(warehouse, readers):
    with psycopg.connect(warehouse, autocommit=True) as owner:
        roles.create(owner, dict.fromkeys(roles.readable(), "another"))
    psycopg.connect(logins.dsn(warehouse, "auditor", "another")).close()


def test_the_role_of_the_page_reads_what_it_may(warehouse, tmp_path, monkeypatch):
    shutil.copy(settings.roles_file(), tmp_path / "roles.yml")
    how_to.follow(settings.PROJECT, "add-a-role", "A role", {"include/": tmp_path})
    monkeypatch.setenv("YUYAN_ROLES", str(tmp_path / "roles.yml"))
    with psycopg.connect(warehouse, autocommit=True) as owner:
        for schema in ("published", "star"):
            owner.execute(f"create schema if not exists {schema}; create table {schema}.probe (n int)")
        roles.create(owner, dict.fromkeys(roles.readable(), "a-password"))
        with psycopg.connect(logins.dsn(warehouse, "statistics_bureau", "a-password")) as session:
            assert session.execute("select count(*) from published.probe").fetchone() == (0,)
            with pytest.raises(errors.InsufficientPrivilege):
                session.execute("select count(*) from star.probe")
        owner.execute("drop owned by statistics_bureau; drop role statistics_bureau")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("Reader: {label: x, reads: [marts]}", "no role name"),
        ("reader: {label: x, reads: [marts, raw]}", "may not read raw"),
        ("reader: {label: x}", "needs `label:` and `reads:"),
        ("reader: [marts]", "needs `label:` and `reads:"),
        ("a: {label: x, reads: [marts]}\na: {label: y, reads: [star]}", "used twice"),
    ],
)
def test_a_role_that_cannot_be_is_refused_with_its_line(tmp_path, monkeypatch, entry, said):
    path = tmp_path / "roles.yml"
    path.write_text(entry, encoding="utf-8")
    monkeypatch.setenv("YUYAN_ROLES", str(path))
    with pytest.raises(ValueError, match=said) as refused:
        roles.readable()
    assert f"{path}:" in str(refused.value)
