"""Warehouse structure: control tables, raw tables from the contracts, and the roles that may read it."""

import psycopg

from yuyan.domain.contracts import Contract, Field, load
from yuyan.warehouse import audit, migrate, records

# A date's shape is asked without a pattern, in a quarter of its time.
_SHAPES = {
    "integer": r"{0} ~ '^-?\d+$'",
    "number": r"{0} ~ '^-?\d+(\.\d+)?$'",
    "date": "{0} like '____-__-__' and length(replace({0}, '-', '')) = 8 and {0} !~ '[^0-9-]'",
    "boolean": "{0} in ('true', 'false')",
}

META_COLUMNS = {
    "raw_id": "bigint generated always as identity primary key",
    "src_inst_code": "text not null",
    "src_record_id": "text not null",
    "record_key": "text",
    "source_version": "bigint not null",
    "stated_version": "bigint",
    "is_deleted": "boolean not null",
    "row_hash": "bytea not null",
    "batch_id": "text not null",
    "row_no": "bigint not null",
    "as_of": "date not null",
}
"""Columns every raw table carries before the contract's own columns (all text)."""

META_COMMENTS = {
    "raw_id": "版本行编号",
    "src_inst_code": "报送单位代码",
    "src_record_id": "来源平台的记录编号，永不复用",
    "record_key": "自然键各字段以 | 连接；任一为空则为空",
    "source_version": "版本序，同一记录只增不减：变更版本号，或更新时间（微秒），或文件清单序号",
    "stated_version": "来源自己的版本，仅在比版本序小时填写（来源恢复备份、重新计数后全量比对）",
    "is_deleted": "删除标记",
    "row_hash": "业务字段摘要，用于识别未变化的行",
    "batch_id": "批次编号",
    "row_no": "在批次落地文件中的行号，从 1 起；装载方补记的删除为 0",
    "as_of": "采集的统计日期",
}


def create(connection: psycopg.Connection) -> None:
    """Apply the migrations, then create or complete what follows from the contracts. Safe to repeat.

    >>> with psycopg.connect(settings.warehouse_dsn(settings.OWNER)) as connection:
    ...     create(connection)
    """
    migrate.apply(connection)
    for contract in load().values():
        _raw_table(connection, contract)
        _accepted_table(connection, contract)
        _views(connection, contract)
    for view in audit.views():
        _view(connection, view.name, view.query)
        _comment(connection, f"view {view.name}", view.comment)
        for name, text in view.columns.items():
            _comment(connection, f"column {view.name}.{name}", text)
    rows = [
        (c.entity, i, f.name, f.label, f.type, f.sql_type, f.presence, f.key_position is not None, f.code_set)
        for c in load().values()
        for i, f in enumerate(c.columns, start=1)
    ]
    with connection.cursor() as cursor:
        cursor.execute("delete from ops.followed")
        cursor.executemany(
            "insert into ops.followed values (%s, %s)", [(c.entity, followed_by(c)) for c in load().values()]
        )
        cursor.execute("delete from ops.contract_field")
        cursor.executemany("insert into ops.contract_field values (%s, %s, %s, %s, %s, %s, %s, %s, %s)", rows)


def _raw_table(connection: psycopg.Connection, contract: Contract) -> None:
    columns = [f"{name} {kind}" for name, kind in META_COLUMNS.items()]
    columns += [f"{f.name} text" for f in contract.columns]
    table = f"raw.{contract.entity}"
    connection.execute(f"create table if not exists {table} ({', '.join(columns)})")
    connection.execute(f"alter table {table} add column if not exists stated_version bigint")
    for f in contract.columns:  # a field added to a contract later
        connection.execute(f"alter table {table} add column if not exists {f.name} text")
    connection.execute(
        f"create index if not exists {contract.entity}_version on {table} "
        "(src_inst_code, src_record_id, source_version desc, raw_id desc)"
    )
    # Rows of a batch lie side by side: block ranges find them, and cost nothing while loading.
    connection.execute(
        f"create index if not exists {contract.entity}_batch on {table} using brin (batch_id) with (autosummarize = on)"
    )
    connection.execute(
        f"create index if not exists {contract.entity}_deletion on {table} (src_inst_code) where is_deleted"
    )
    _comment(connection, f"table {table}", f"{contract.label}：{contract.purpose}")
    for name, text in META_COMMENTS.items():
        _comment(connection, f"column {table}.{name}", text)
    for f in contract.columns:
        _comment(connection, f"column {table}.{f.name}", f.label)


def typed(f: Field, alias: str = "r") -> str:
    """SQL that turns the raw text of a field into its type, NULL where the text does not have the type's canonical form.

    Dates are yyyy-mm-dd, booleans true/false, arrays items joined with ';'. Never raises, so a bad value is a finding.
    """
    column = f"{alias}.{f.name}"
    if f.type == "string":
        return column
    if f.type == "array":
        return f"string_to_array({column}, ';')"
    shape = _SHAPES[f.type].format(column)
    return (
        f"case when {shape} and pg_input_is_valid({column}, '{f.sql_type}') then {column}::{f.sql_type} end"
    )


def typed_columns(contract: Contract, alias: str = "r") -> str:
    """The select list of all stored columns of a contract, typed."""
    return ", ".join(f"{typed(f, alias)} as {f.name}" for f in contract.columns)


def sql_type(f: Field) -> str:
    """Column type in the typed layers: text for strings (length is a rule, not a crash)."""
    return {"string": "text", "array": "text[]"}.get(f.type, f.sql_type)


_NOTED = {
    "insert": "referencing new table as fresh",
    "update": "referencing old table as gone new table as fresh",
    "delete": "referencing old table as gone",
    "truncate": "",
}


def followed_by(contract: Contract) -> str | None:
    """The column by which models follow an entity's changes (docs/incremental.md): its student, else a key of one field."""
    if any(f.name == "student_id" for f in contract.columns):
        return "student_id"
    return contract.key[0] if len(contract.key) == 1 else None


def _accepted_table(connection: psycopg.Connection, contract: Contract) -> None:
    """accepted.<entity>: the last accepted version of every record that is not deleted; kept by the validate stage."""
    table = f"accepted.{contract.entity}"
    columns = [
        "src_inst_code text not null",
        "src_record_id text not null",
        "raw_id bigint not null",
        "batch_id text not null",
    ]
    columns += [f"{f.name} {sql_type(f)}" for f in contract.columns]
    connection.execute(
        f"create table if not exists {table} ({', '.join(columns)}, primary key (src_inst_code, src_record_id))"
    )
    for f in contract.columns:
        connection.execute(f"alter table {table} add column if not exists {f.name} {sql_type(f)}")
    connection.execute("select ops.put_back_indexes(%s)", [contract.entity])  # of a load that did not
    connection.execute(
        f"create index if not exists {contract.entity}_key on {table} ({', '.join(contract.key)})"
    )
    followed = followed_by(contract)
    if (
        followed and followed != contract.key[0]
    ):  # what is made in part reads the rows of the keys that changed
        connection.execute(f"create index if not exists {contract.entity}_{followed} on {table} ({followed})")
    for event, rows in _NOTED.items():
        connection.execute(
            f"create or replace trigger noted_{event} after {event} on {table} {rows} "
            "for each statement execute function ops.note_accepted()"
        )
    _comment(connection, f"table {table}", f"{contract.label}：已接收的最后版本")
    for f in contract.columns:
        _comment(connection, f"column {table}.{f.name}", f.label)


def _views(connection: psycopg.Connection, contract: Contract) -> None:
    """accepted.<entity>_versions: every judged and accepted version, tombstones included; latest.<entity>: newest, typed.

    A history that is told otherwise than before is a change of any row, for the models that follow it.
    """
    entity, columns = contract.entity, typed_columns(contract)
    history = f"accepted.{entity}_versions"
    definition = _definition(connection, history)
    own = [*META_COLUMNS, *(f.name for f in contract.columns)]  # not *: columns may have been added
    meta = "r.src_inst_code, r.src_record_id, r.record_key, r.raw_id, r.batch_id, r.source_version, r.is_deleted, r.as_of"
    _view(
        connection,
        history,
        f"select {meta}, {columns} from raw.{entity} r where {records.was_accepted('r', entity)}",
    )
    if definition not in (None, _definition(connection, history)):
        connection.execute("select ops.note_keys(%s, null)", [entity])
    newest = records.newest(entity, ", ".join(f"r.{name}" for name in own))
    _view(
        connection,
        f"latest.{entity}",
        f"select {meta}, {columns} from ({newest}) r where not r.is_deleted",
    )


def _definition(connection: psycopg.Connection, view: str) -> str | None:
    """What PostgreSQL says that a view is; None where it is not there."""
    return connection.execute("select pg_get_viewdef(to_regclass(%s))", [view]).fetchone()[0]


def _view(connection: psycopg.Connection, name: str, query: str) -> None:
    """Create or replace a view; when a contract's columns moved, drop it with the dbt views on it (dbt rebuilds them)."""
    try:
        with connection.transaction():
            connection.execute(f"create or replace view {name} as {query}")
    except psycopg.errors.InvalidTableDefinition:
        connection.execute(f"drop view {name} cascade")
        connection.execute(f"create view {name} as {query}")


def _comment(connection: psycopg.Connection, what: str, text: str) -> None:
    literal = psycopg.sql.Literal(text).as_string(connection)
    connection.execute(f"comment on {what} is {literal}")
