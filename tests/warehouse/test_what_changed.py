"""What a change of accepted records leaves in ops: a version of the table, and which records it is about."""

import psycopg
import pytest

from yuyan.warehouse import ddl

pytestmark = pytest.mark.database

RAW = "(src_inst_code, src_record_id, source_version, is_deleted, row_hash, batch_id, row_no, as_of, student_id)"


@pytest.fixture
def connection(warehouse):
    """A warehouse in which a model has read the accepted students and admission plans."""
    with psycopg.connect(warehouse, autocommit=True) as opened:
        opened.execute("insert into ops.read_version values ('star.dim_student', 'accepted.student', 0)")
        opened.execute("insert into ops.read_version values ('star.x', 'accepted.admission_plan', 0)")
        yield opened


def accept(connection: psycopg.Connection, *students: str, entity: str = "student") -> None:
    for student in students:
        connection.execute(
            f"insert into accepted.{entity} (src_inst_code, src_record_id, raw_id, batch_id"
            f"{', student_id' if entity == 'student' else ''}) "
            f"values ('10611', %(id)s, 1, 'b'{', %(id)s' if entity == 'student' else ''})",
            {"id": student},
        )


def noted(connection: psycopg.Connection, relation: str = "accepted.student") -> list[str | None]:
    """The keys that were noted since this was asked last."""
    found = connection.execute(
        "with gone as (delete from ops.changed_key where relation = %s returning version, key) "
        "select key from gone order by version, key",
        [relation],
    )
    return [key for (key,) in found.fetchall()]


def version(connection: psycopg.Connection, relation: str = "accepted.student") -> int | None:
    found = connection.execute(
        "select version from ops.table_version where relation = %s", [relation]
    ).fetchone()
    return found[0] if found else None


def test_a_statement_notes_the_records_as_they_were_and_as_they_are(connection):
    accept(connection, "a", "b")
    assert noted(connection) == ["a", "b"]
    before = version(connection)
    connection.execute("update accepted.student set student_id = 'c' where student_id = 'a'")
    assert noted(connection) == ["a", "c"]
    assert version(connection) > before
    connection.execute("delete from accepted.student where student_id = 'b'")
    assert noted(connection) == ["b"]


def test_a_statement_that_changes_nothing_leaves_the_version(connection):
    accept(connection, "a")
    before = version(connection)
    connection.execute("delete from accepted.student where student_id = 'nobody'")
    assert (noted(connection), version(connection)) == (["a"], before)


def test_what_is_rolled_back_was_no_change(connection):
    with connection.transaction(force_rollback=True):
        accept(connection, "a")
    assert (noted(connection), version(connection)) == ([], None)


def test_any_row_may_have_changed_where_no_key_is_followed_or_nobody_has_read(connection):
    accept(connection, "p", entity="admission_plan")
    assert noted(connection, "accepted.admission_plan") == [None]
    connection.execute("delete from ops.read_version")
    accept(connection, "a")
    connection.execute("truncate accepted.student")
    assert noted(connection) == [None, None]


def test_every_version_of_a_judged_batch_is_of_the_history(connection):
    """The second and third version are judged at once: the second was never in the accepted table."""
    for number, student in enumerate(("k1", "k2", "k3"), start=1):
        connection.execute(
            f"insert into raw.student {RAW} values ('10611', 'r', %s, false, '', %s, 1, '2026-10-15', %s)",
            [number, f"b{number}", student],
        )
    connection.execute("insert into quality.judged values ('student', 'b1', 's', 'run')")
    noted(connection)
    connection.execute(
        "insert into quality.judged values ('student', 'b2', 's', 'run'), ('student', 'b3', 's', 'run')"
    )
    assert noted(connection) == ["k1", "k2", "k3"]


def test_what_enters_and_leaves_quarantine_changes_the_history_of_its_record(connection):
    """The second version has another key: while it is out, the first is valid on."""
    for number, student in enumerate(("k1", "k2"), start=1):
        connection.execute(
            f"insert into raw.student {RAW} values ('10611', 'r', %s, false, '', %s, 1, '2026-10-15', %s)",
            [number, f"b{number}", student],
        )
    hold = (
        "insert into quality.quarantine (entity, raw_id, src_inst_code, src_record_id, batch_id, rule_ids, "
        "since_run_id, last_run_id) select 'student', raw_id, src_inst_code, src_record_id, batch_id, '{}', 'run', "
        "'run' from raw.student where batch_id = 'b2' on conflict (entity, raw_id) do update set last_run_id = 'next'"
    )
    connection.execute(hold)
    assert noted(connection) == ["k1", "k2"]
    connection.execute(hold)
    assert noted(connection) == []
    connection.execute("update quality.quarantine set state = 'stood_down'")
    assert noted(connection) == ["k1", "k2"]
    connection.execute("delete from quality.quarantine")
    assert noted(connection) == ["k1", "k2"]


def test_a_history_that_a_release_tells_otherwise_may_have_changed_in_any_row(connection):
    (told,) = connection.execute("select pg_get_viewdef('accepted.student_versions')").fetchone()
    connection.execute(
        f"create or replace view accepted.student_versions as select * from ({told.rstrip(';')}) as v where not is_deleted"
    )
    ddl.create(connection)
    assert (noted(connection), noted(connection, "accepted.admission_plan")) == ([None], [])
    ddl.create(connection)
    assert noted(connection) == []


def test_who_may_not_write_the_notes_cannot_have_them_written_from_a_table_of_its_own(connection):
    allowed = connection.execute(
        "select p.proname from pg_proc as p, aclexplode(p.proacl) as granted "
        "where p.pronamespace = 'ops'::regnamespace and p.proname like 'note%' and granted.grantee = 0"
    ).fetchall()
    revoked = connection.execute(
        "select count(*) from pg_proc "
        "where pronamespace = 'ops'::regnamespace and proname like 'note%' and proacl is not null"
    ).fetchone()
    assert (allowed, revoked) == ([], (4,))
