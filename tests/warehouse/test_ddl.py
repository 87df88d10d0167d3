"""Warehouse structure: repeatable, commented, tolerant of malformed text, open to new contract fields."""

import psycopg
import pytest

from yuyan.warehouse import ddl

pytestmark = pytest.mark.database


def test_create_is_repeatable_and_commented(warehouse):
    with psycopg.connect(warehouse) as connection:
        ddl.create(connection)
        bare = connection.execute(
            "select table_schema || '.' || table_name || '.' || column_name from information_schema.columns c "
            "where table_schema = 'raw' and col_description((table_schema || '.' || table_name)::regclass, "
            "ordinal_position) is null"
        ).fetchall()
        assert bare == []
        assert (
            connection.execute("select obj_description('raw.student'::regclass)")
            .fetchone()[0]
            .startswith("学籍")
        )


@pytest.mark.parametrize(
    ("column", "text", "value"),
    [
        ("entry_on", "2023-02-28", "2023-02-28"),
        ("entry_on", "2023-02-30", None),
        ("entry_on", "20230228", None),
        ("entry_on", "yesterday", None),
        ("birth_year", "1999", "1999"),
        ("birth_year", "99999999999", None),
        ("is_alternation", "true", "true"),
        ("is_alternation", "是", None),
    ],
)
def test_a_malformed_value_is_null_in_the_typed_layer_and_stays_in_raw(warehouse, column, text, value):
    with psycopg.connect(warehouse) as connection:
        connection.execute(
            "insert into raw.student (src_inst_code, src_record_id, source_version, is_deleted, row_hash, batch_id, row_no,"
            f" as_of, {column}) values ('10611', 'r1', 1, false, '\\x00', 'b', 1, '2026-10-15', %s)",
            [text],
        )
        typed, raw = connection.execute(
            f"select l.{column}::text, r.{column} from latest.student l join raw.student r using (raw_id)"
        ).fetchone()
        assert (typed, raw) == (value, text)


def test_latest_is_the_greatest_source_version_and_hides_tombstones(warehouse):
    with psycopg.connect(warehouse) as connection:
        for record, version, deleted in [("a", 2, False), ("a", 1, False), ("b", 1, False), ("b", 3, True)]:
            connection.execute(
                "insert into raw.honour (src_inst_code, src_record_id, source_version, is_deleted, row_hash, batch_id, "
                "row_no, as_of) values ('10611', %s, %s, %s, '\\x00', 'b', 1, '2026-10-15')",
                [record, version, deleted],
            )
        rows = connection.execute("select src_record_id, source_version from latest.honour").fetchall()
        assert rows == [("a", 2)]


def test_a_view_whose_columns_moved_is_rebuilt(warehouse):
    with psycopg.connect(warehouse) as connection:
        connection.execute("drop view latest.honour cascade")
        connection.execute("create view latest.honour as select 1 as another_column")
        ddl.create(connection)
        assert connection.execute("select honour_code from latest.honour").fetchall() == []


def test_an_auditor_reads_deletions_and_exits_without_a_right_on_raw(warehouse):
    with psycopg.connect(warehouse) as connection:
        connection.execute(
            "insert into raw.honour (src_inst_code, src_record_id, source_version, is_deleted, row_hash, batch_id, "
            "row_no, as_of) values ('10611', 'a', 1, true, '\\x00', 'b', 0, '2026-10-15')"
        )
        connection.execute("create role an_auditor; grant usage on schema quality to an_auditor")
        connection.execute("grant select on all tables in schema quality to an_auditor")
        connection.execute("set local role an_auditor")
        query = "select entity, src_record_id, reason, is_gone from quality.deletion"
        assert connection.execute(query).fetchall() == [("honour", "a", "missing", True)]
        assert connection.execute("select count(*) from quality.quarantine_exit").fetchone() == (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("select 1 from raw.honour")
        connection.rollback()  # and the role is gone
