"""Login × table × privilege, as the catalogue of a live warehouse has them: what is not listed as allowed is refused.

Everything is asked of the server: all its schemas, tables and privileges, and all logins of include/line_roles.yml and
include/roles.yml. What is new is refused until a file names it.
"""

from datetime import date
from types import SimpleNamespace

import psycopg
import pytest
from psycopg import errors, sql

from yuyan import line_state, runs, settings
from yuyan.warehouse import line_roles, logins, roles

pytestmark = pytest.mark.database

PASSWORD = "a-password"
STAGES = tuple(line_roles.load())
LOGIN = {stage: line_roles.PREFIX + stage for stage in STAGES}
EVENT = (
    "insert into quality.life_cycle_event (life_cycle, subject_id, as_of, actor, action, to_state, reason) "
    "values ('hold', 1, '2026-10-15', %s, 'found', 'waiting', '理由') returning recorded_by"
)


@pytest.fixture
def owner(warehouse):
    """The owner's connection to a warehouse with all logins; dbt's layers have a table each, and something is new."""
    with psycopg.connect(warehouse, autocommit=True) as connection:
        make(connection)
        connection.execute("create schema brand_new")
        for schema, maker in connection.execute(
            "select nspname, pg_get_userbyid(nspowner) from pg_namespace where nspname !~ '^(pg_|information_schema$)'"
        ).fetchall():
            names = {"schema": sql.Identifier(schema), "maker": sql.Identifier(maker)}
            for statement in (
                "set role {maker}",
                "create table {schema}.probe (n int)",
                "create view {schema}.shown as select n from {schema}.probe",
                "reset role",
            ):
                connection.execute(sql.SQL(statement).format(**names))
        made_later = ["probe", "shown"]
        every = {"logins": [*LOGIN.values(), *roles.readable()]}
        rights = connection.execute(ALL_RIGHTS, every).fetchall()
        assert {privilege for *_, table, _, privilege in rights if table in made_later} == {"SELECT"}
        make(connection)
        yield connection


def make(connection: psycopg.Connection) -> None:
    passwords = dict.fromkeys((*STAGES, *roles.readable()), PASSWORD)
    with connection.transaction():
        line_roles.create(connection, line_roles.dsns(f"postgresql://x/{connection.info.dbname}", passwords))
        roles.create(connection, passwords)


@pytest.fixture
def connected(owner, warehouse):
    """Stage -> an open session of its login."""
    sessions = {
        stage: psycopg.connect(logins.dsn(warehouse, LOGIN[stage], PASSWORD), autocommit=True)
        for stage in STAGES
    }
    yield sessions
    for session in sessions.values():
        session.close()


def listed(schema: str, table: str, is_table: bool) -> set[tuple[str, str]]:
    """(login, privilege) that the files allow on a table; an owner's are not among them."""
    found = {(role, "SELECT") for role, schemas in roles.readable().items() if schema in schemas}
    for stage, role in line_roles.load().items():
        for privilege, places in role.rights.items():
            if {schema, f"{schema}.{table}"} & set(places) and (is_table or privilege == "SELECT"):
                found.add((LOGIN[stage], privilege))
    return found


def owned(connection: psycopg.Connection) -> set[tuple[str, str]]:
    return set(
        connection.execute(
            "select pg_get_userbyid(nspowner), nspname from pg_namespace where nspowner::regrole::text = any(%s)",
            [list(LOGIN.values())],
        ).fetchall()
    )


ALL_RIGHTS = """
select l.login, n.nspname, c.relname, c.relkind in ('r', 'p'), p.privilege
from pg_class c join pg_namespace n on n.oid = c.relnamespace
cross join unnest(%(logins)s::text[]) l (login)
cross join (select distinct (aclexplode(acldefault('r', 10))).privilege_type) p (privilege)
where n.nspname !~ '^(pg_|information_schema$)' and c.relkind in ('r', 'p', 'v', 'm')
    and pg_get_userbyid(c.relowner) <> l.login
    and case
        when p.privilege in ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES')
            then has_any_column_privilege(l.login, c.oid, p.privilege)
        else has_table_privilege(l.login, c.oid, p.privilege)
    end
"""


def test_a_login_may_what_is_listed_on_every_table_and_nothing_else(owner):
    every = [*LOGIN.values(), *roles.readable()]
    found = {row[:3] + row[4:] for row in owner.execute(ALL_RIGHTS, {"logins": every}).fetchall()}
    tables = owner.execute(
        "select n.nspname, c.relname, c.relkind in ('r', 'p'), pg_get_userbyid(c.relowner) from pg_class c "
        "join pg_namespace n on n.oid = c.relnamespace where n.nspname !~ '^(pg_|information_schema$)' "
        "and c.relkind in ('r', 'p', 'v', 'm')"
    ).fetchall()
    wanted = {
        (login, schema, table, privilege)
        for schema, table, is_table, maker in tables
        for login, privilege in listed(schema, table, is_table)
        if login != maker
    }
    assert len(tables) > 250
    assert {"not listed": found - wanted, "not given": wanted - found} == {
        "not listed": set(),
        "not given": set(),
    }


def test_a_login_owns_and_enters_what_is_listed_and_can_make_nothing_elsewhere(owner):
    every = [*LOGIN.values(), *roles.readable()]
    found = set(
        owner.execute(
            "select l.login, n.nspname, p.privilege from pg_namespace n cross join unnest(%s::text[]) l (login) "
            "cross join (values ('USAGE'), ('CREATE')) p (privilege) where n.nspname !~ '^(pg_|information_schema$)' "
            "and has_schema_privilege(l.login, n.oid, p.privilege) and (n.nspname, p.privilege) <> ('public', 'USAGE')",
            [every],
        ).fetchall()
    )
    wanted = {(role, schema, "USAGE") for role, schemas in roles.readable().items() for schema in schemas}
    for stage, role in line_roles.load().items():
        places = {place.partition(".")[0] for named in role.rights.values() for place in named}
        wanted |= {(LOGIN[stage], schema, "USAGE") for schema in places}
        wanted |= {(LOGIN[stage], schema, verb) for schema in role.owns for verb in ("USAGE", "CREATE")}
    assert found == wanted
    assert owned(owner) == {
        (LOGIN[s], schema) for s, role in line_roles.load().items() for schema in role.owns
    }


def test_a_login_is_no_administrator_and_nobodys_member(owner):
    every = [*LOGIN.values(), *roles.readable()]
    powers = (
        "select rolname from pg_roles where rolname = any(%s) and (rolsuper or rolcreaterole or rolcreatedb "
        "or rolreplication or rolbypassrls)"
    )
    assert owner.execute(powers, [every]).fetchall() == []
    assert (
        owner.execute("select from pg_auth_members where member::regrole::text = any(%s)", [every]).fetchall()
        == []
    )
    database = owner.execute(
        "select l.login, p.privilege from unnest(%s::text[]) l (login) cross join "
        "(values ('CREATE'), ('TEMPORARY')) p (privilege) "
        "where has_database_privilege(l.login, current_database(), p.privilege)",
        [every],
    ).fetchall()
    assert set(database) == {
        (LOGIN[s], "TEMPORARY") for s, role in line_roles.load().items() if role.temporary
    }


def test_functions_by_which_a_session_can_hold_up_another_are_the_stages_that_need_them(owner):
    found = owner.execute(
        "select l.login, p.oid::regprocedure::text from pg_proc p cross join unnest(%s::text[]) l (login) "
        "where p.pronamespace = 'pg_catalog'::regnamespace and p.proname ~ %s "
        "and has_function_privilege(l.login, p.oid, 'execute')",
        [[*LOGIN.values(), *roles.readable()], roles.OUT_OF_REACH],
    ).fetchall()
    needed = [s for s, role in line_roles.load().items() if role.locks]
    assert set(found) == {(LOGIN[s], function) for s in needed for function in line_roles.LOCKS.split(", ")}


def test_functions_that_run_as_the_owner_are_called_by_the_stages_that_need_them(owner):
    """But for those of triggers, which nobody can call, and those that say or note something of the caller alone."""
    found = owner.execute(
        "select l.login, p.oid::regprocedure::text from pg_proc p cross join unnest(%s::text[]) l (login) "
        "where p.prosecdef and p.pronamespace = 'ops'::regnamespace and p.prorettype <> 'trigger'::regtype "
        "and p.proname <> 'next_change' and has_function_privilege(l.login, p.oid, 'execute')",
        [[*LOGIN.values(), *roles.readable()]],
    ).fetchall()
    assert set(found) == {(LOGIN[s], f) for s, role in line_roles.load().items() for f in role.calls}


def test_what_runs_as_the_owner_looks_for_nothing_in_a_session_of_the_caller_first(owner):
    found = owner.execute(
        "select oid::regprocedure::text, proconfig from pg_proc "
        "where prosecdef and pronamespace <> 'pg_catalog'::regnamespace"
    ).fetchall()
    assert len(found) > 5
    assert [f for f, config in found if config != ["search_path=pg_catalog, pg_temp"]] == []


STATEMENTS = {
    "SELECT": "select * from {}",
    "INSERT": "insert into {} values (1)",
    "UPDATE": "update {} set n = 2",
    "DELETE": "delete from {}",
    "TRUNCATE": "truncate {}",
    "ALTER": "alter table {} add column m int",
    "DROP": "drop table {}",
}


def test_the_server_does_as_its_catalogue_says(owner, connected):
    """Every statement on a table of every schema, as every stage; an owner may all."""
    mine = owned(owner)
    schemas = [
        name for (name,) in owner.execute("select schemaname from pg_tables where tablename = 'probe'")
    ]
    found, wanted = set(), set()
    for stage, session in connected.items():
        for schema in schemas:
            allowed = {verb for login, verb in listed(schema, "probe", True) if login == LOGIN[stage]}
            is_mine = (LOGIN[stage], schema) in mine
            for verb, statement in STATEMENTS.items():
                table = sql.Identifier(schema, "probe")
                try:
                    with session.transaction(force_rollback=True):
                        session.execute(sql.SQL(statement).format(table))
                        found.add((stage, schema, verb))
                except errors.InsufficientPrivilege:
                    pass
                except errors.DependentObjectsStillExist:
                    found.add((stage, schema, verb))  # the view on it
                if is_mine or verb in allowed:
                    wanted.add((stage, schema, verb))
    assert found == wanted


HISTORY = (
    "quality.life_cycle_event", "quality.release", "quality.thinning", "allocation.sign_off", "allocation.run",
    "accountability.case_record", "quality.row_failure",
)  # fmt: skip


@pytest.mark.parametrize("stage", STAGES)
def test_no_stage_can_take_away_what_was_decided_released_thinned_or_found(connected, stage):
    for table in HISTORY:
        for statement in (
            f"delete from {table}",
            f"truncate {table}",
            f"alter table {table} disable trigger all",
        ):
            with pytest.raises(errors.InsufficientPrivilege):
                connected[stage].execute(statement)
    with pytest.raises(errors.InsufficientPrivilege):
        connected[stage].execute("set session_replication_role = replica")


FAILURE = (
    "insert into quality.row_failure (entity, raw_id, rule_id, rule_version, src_inst_code, src_record_id, batch_id, "
    "row_no, severity, since_run_id, last_run_id) values ('student', 1, 'R', 1, '10611', 's1', 'b1', 1, 'major', 'r1', 'r1')"
)
OF_A_FAILURE = {
    "failure_id", "entity", "raw_id", "rule_id", "src_inst_code", "src_record_id", "record_key", "batch_id", "row_no",
    "since_run_id",
}  # fmt: skip
"""What a failure is of, and since when."""
NEWEST = "where failure_id = (select max(failure_id) from quality.row_failure)"


def test_a_failure_is_settled_once_and_stays_what_it_was(owner, connected):
    """As the stage that writes it and as the owner: every column, while it stands and when it has ended."""
    columns = [c for (c,) in owner.execute("select attname from pg_attribute where attrelid = "
               "'quality.row_failure'::regclass and attnum > 0 and not attisdropped")]  # fmt: skip
    for session in (connected["validate"], owner):
        session.execute(FAILURE)
        assert changed(session, columns) == set(columns) - OF_A_FAILURE
        session.execute(
            f"update quality.row_failure set resolved_run_id = 'r2', resolution = 'healed' {NEWEST}"
        )
        assert changed(session, columns) == {
            "override_id"
        }  # a stand-in's, whose failure ends where it is found
    for statement in ("delete from quality.row_failure", "truncate quality.row_failure"):
        with pytest.raises(errors.RaiseException, match="不得删除"):
            owner.execute(statement)


def changed(session: psycopg.Connection, columns: list[str]) -> set[str]:
    """The columns of a failure that the session may write."""
    found = set()
    for column in columns:
        try:
            with session.transaction(force_rollback=True):
                session.execute(f"update quality.row_failure set {column} = {column} {NEWEST}")
            found.add(column)
        except (errors.RaiseException, errors.GeneratedAlways):
            pass
    return found


def test_only_decide_speaks_for_people_and_the_server_says_who_spoke(connected):
    for stage, session in connected.items():
        if line_roles.EVENTS not in line_roles.load()[stage].insert:
            with pytest.raises(errors.InsufficientPrivilege):
                session.execute(EVENT, ["yuyan"])
            continue
        assert session.execute(EVENT, ["yuyan"]).fetchone() == (LOGIN[stage],)
        if stage == "decide":
            assert session.execute(EVENT, ["jw-data-1"]).fetchone() == (LOGIN[stage],)
        else:
            with pytest.raises(errors.InsufficientPrivilege, match="row-level security"):
                session.execute(EVENT, ["jw-data-1"])


def test_what_a_list_no_longer_names_is_taken_back_and_repeating_changes_nothing(
    owner, tmp_path, monkeypatch
):
    before = owner.execute("select oid, relacl, relowner from pg_class order by oid").fetchall()
    make(owner)
    assert owner.execute("select oid, relacl, relowner from pg_class order by oid").fetchall() == before
    path = tmp_path / "roles.yml"
    path.write_text("analyst: {label: x, reads: [marts]}\n", encoding="utf-8")
    monkeypatch.setenv("YUYAN_ROLES", str(path))
    make(owner)
    assert set(owner.execute("select nspname from pg_namespace where has_schema_privilege('analyst', oid, 'usage') "
                             "and nspname !~ '^(pg_|information_schema$|public$)'").fetchall()) == {("marts",)}  # fmt: skip
    owner.execute("set role yuyan_transform; create table star.later (n int); reset role")
    assert owner.execute("select has_table_privilege('analyst', 'star.later', 'select')").fetchone() == (
        False,
    )


def test_who_keeps_the_book_of_runs_may_book_and_watch(owner, warehouse, monkeypatch):
    """The DAG processor and the monitor of docker-compose.yml have this login alone."""
    monkeypatch.delenv(settings.dsn_variable(settings.OWNER))
    monkeypatch.setenv(settings.dsn_variable(runs.BOOK), logins.dsn(warehouse, LOGIN[runs.BOOK], PASSWORD))
    runs.open_run("r1", "warehouse", date(2026, 10, 15))
    runs.on_failure({"dag_run": SimpleNamespace(run_id="r1")})
    assert owner.execute("select state from ops.run where run_id = 'r1'").fetchone() == ("failed",)
    assert line_state.gauges(settings.warehouse_dsn(runs.BOOK))


def test_rights_are_given_though_the_line_makes_tables_anew_meanwhile(owner, warehouse):
    """One that is made after the tables were asked for the first time; one that is listed and goes before its turn."""
    moves = ["drop table marts.probe cascade", "create table marts.made (n int)"]

    class Moving:
        """The owner's session; another works after each of its two questions about tables."""

        info, transaction = owner.info, owner.transaction

        def execute(self, statement, *parameters):
            rows = owner.execute(statement, *parameters)
            if statement in (logins._ON_TABLES, logins._RELATIONS) and moves:
                rows = SimpleNamespace(fetchall=rows.fetchall().copy)
                with psycopg.connect(warehouse, autocommit=True) as other:
                    other.execute("set role yuyan_transform")
                    other.execute(moves.pop())
            return rows

    owner.execute("revoke select on marts.probe from analyst")
    logins.grant(Moving(), "analyst", {"SELECT": roles.readable()["analyst"]})
    assert moves == []
    assert owner.execute("select has_table_privilege('analyst', 'marts.made', 'select')").fetchone() == (
        True,
    )


def test_one_url_serves_all_stages_and_some_of_them_are_refused(monkeypatch):
    for role in (settings.OWNER, *settings.STAGES):
        monkeypatch.delenv(settings.dsn_variable(role), raising=False)
    with pytest.raises(KeyError, match="YUYAN_WAREHOUSE_DSN_COLLECT"):
        settings.warehouse_dsn("collect")
    monkeypatch.setenv("YUYAN_WAREHOUSE_DSN", "postgresql://owner@h/w")
    assert {settings.warehouse_dsn(stage) for stage in settings.STAGES} == {"postgresql://owner@h/w"}
    assert settings.stage_dsns() == {}
    monkeypatch.setenv("YUYAN_WAREHOUSE_DSN_COLLECT", "postgresql://yuyan_collect@h/w")
    with pytest.raises(KeyError, match="YUYAN_WAREHOUSE_DSN_VALIDATE is not set"):
        settings.stage_dsns()
    assert tuple(line_roles.load()) == settings.STAGES
