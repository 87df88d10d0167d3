"""The exchange-database product: one PostgreSQL database per institution with views that only its reader may read.

Tables `exchange.<entity>` are written here, views `exchange.v_<entity>` are what an institution shows. A day brings
only the records that differ from what the table holds.
"""

import hashlib
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from yuyan.domain.contracts import Contract, Field
from yuyan_demo.simulator.products import credentials, state
from yuyan_demo.simulator.products.assignment import entities_of, unannounced

SCHEMA = "exchange"
_TYPES = {"date": "date", "integer": "bigint", "number": "numeric", "boolean": "smallint"}
_CANONICAL = {
    "integer": r"^-?\d{1,18}$",
    "number": r"^-?\d+(?:\.\d+)?$",
    "boolean": "^(?:true|false)$",
}


def fill(
    home: Path, day: int, institutions: list[str], held: dict[str, Any], admin_dsn: str
) -> list[dict[str, str]]:
    """Bring the databases of these institutions to a day.

    Returns the values that a typed column could not hold, which are NULL there: inst_code, entity, src_record_id,
    field, value.
    """
    lost = []
    for inst in institutions:
        _create(inst, held["institutions"][inst]["database_password"], admin_dsn)
        with psycopg.connect(make_conninfo(admin_dsn, dbname=credentials.database(inst))) as connection:
            _structure(connection, inst, held["home"])
            for contract in entities_of(inst):
                lost += _entity(connection, home, day, inst, contract)
    return lost


def _create(inst: str, password: str, admin_dsn: str) -> None:
    """Make database and reader if they are not there; the reader gets this home's password."""
    database, reader = credentials.database(inst), credentials.reader(inst)
    names = {
        "database": sql.Identifier(database),
        "reader": sql.Identifier(reader),
        "password": sql.Literal(password),
    }
    with psycopg.connect(admin_dsn, autocommit=True) as connection:
        if not connection.execute("select 1 from pg_database where datname = %s", [database]).fetchone():
            connection.execute(sql.SQL("create database {database}").format(**names))
        if not connection.execute("select 1 from pg_roles where rolname = %s", [reader]).fetchone():
            connection.execute(sql.SQL("create role {reader} login").format(**names))
        connection.execute(sql.SQL("alter role {reader} password {password}").format(**names))
        connection.execute(
            sql.SQL("alter role {reader} set default_transaction_read_only = on").format(**names)
        )
        connection.execute(sql.SQL("revoke connect on database {database} from public").format(**names))
        connection.execute(sql.SQL("grant connect on database {database} to {reader}").format(**names))


def _structure(connection: psycopg.Connection, inst: str, home_id: str) -> None:
    """Tables and views; built anew when the contracts changed or the database served another home."""
    statements = [s for contract in entities_of(inst) for s in _ddl(contract, inst)]
    mark = hashlib.sha256("\n".join([home_id, *statements]).encode()).hexdigest()
    found = connection.execute(
        "select obj_description(oid, 'pg_namespace') from pg_namespace where nspname = %s", [SCHEMA]
    ).fetchone()
    if found and found[0] == mark:
        return
    reader = credentials.reader(inst)
    connection.execute(
        f"drop schema if exists {SCHEMA} cascade; create schema {SCHEMA}; " + "; ".join(statements)
    )
    connection.execute(f"grant usage on schema {SCHEMA} to {reader}")
    for contract in entities_of(inst):
        connection.execute(f"grant select on {SCHEMA}.v_{contract.entity} to {reader}")
    connection.execute(f"comment on schema {SCHEMA} is '{mark}'")


def _ddl(contract: Contract, inst: str) -> list[str]:
    fields = [f"f_{f.name} {_TYPES.get(f.type, 'text')}" for f in contract.supplied]
    if unannounced(inst, contract.entity):
        fields.append(f"f_{state.PHONE} text")
    shown = ", ".join(["record_id", "update_time", "is_del", *(f.split()[0] for f in fields)])
    table = f"{SCHEMA}.{contract.entity}"
    return [
        f"create table {table} (record_id text primary key, update_time timestamp not null, "
        f"is_del smallint not null, change_version bigint not null, {', '.join(fields)})",
        f"create index on {table} (update_time, record_id)",
        f"create view {SCHEMA}.v_{contract.entity} as select {shown} from {table}",
    ]


def _entity(
    connection: psycopg.Connection, home: Path, day: int, inst: str, contract: Contract
) -> list[dict[str, str]]:
    table, frame = f"{SCHEMA}.{contract.entity}", state.records(home, day, contract.entity, inst)
    rows = connection.execute(f"select record_id, change_version from {table}").fetchall()
    held = pl.DataFrame(rows, schema={"src_record_id": pl.String, "change_version": pl.Int64}, orient="row")
    gone = held.join(frame, on="src_record_id", how="anti")["src_record_id"].to_list()
    if gone:
        connection.execute(f"delete from {table} where record_id = any(%s)", [gone])
    frame = frame.join(held, on=["src_record_id", "change_version"], how="anti")
    if frame.is_empty():
        return []
    columns = _columns(frame, contract, inst)
    names = ", ".join(columns.columns)
    with connection.cursor() as cursor:
        target = table
        if held.height:
            target = f"incoming_{contract.entity}"
            cursor.execute(f"create temporary table {target} (like {table}) on commit drop")
        with cursor.copy(f"copy {target} ({names}) from stdin (format csv)") as copy:
            copy.write(columns.write_csv(include_header=False).encode())
        if held.height:
            changes = ", ".join(f"{c} = excluded.{c}" for c in columns.columns[1:])
            cursor.execute(
                f"insert into {table} ({names}) select {names} from {target} on conflict (record_id) do update set {changes}"
            )
    return _lost(frame, columns, contract, inst)


def _columns(frame: pl.DataFrame, contract: Contract, inst: str) -> pl.DataFrame:
    """The table's columns as text that PostgreSQL casts; what does not fit its type is null."""
    columns = frame.select(
        pl.col("src_record_id").alias("record_id"),
        pl.col("updated_at").dt.strftime("%Y-%m-%d %H:%M:%S%.6f").alias("update_time"),
        pl.col("is_deleted").cast(pl.Int8).alias("is_del"),
        "change_version",
        *(_value(f).alias(f"f_{f.name}") for f in contract.supplied),
    )
    if unannounced(inst, contract.entity):
        columns = columns.with_columns(state.guardian_phone(frame).alias(f"f_{state.PHONE}"))
    return columns


def _value(f: Field) -> pl.Expr:
    value = pl.col(f.name)
    if f.type == "date":
        shaped = value.str.contains(r"^\d{4}-\d{2}-\d{2}$")
        return pl.when(shaped).then(value).str.to_date("%Y-%m-%d", strict=False).cast(pl.String)
    if f.type in _CANONICAL:
        value = pl.when(value.str.contains(_CANONICAL[f.type])).then(value)
    if f.type == "boolean":
        return value.replace({"true": "1", "false": "0"})
    return value


def _lost(frame: pl.DataFrame, columns: pl.DataFrame, contract: Contract, inst: str) -> list[dict[str, str]]:
    lost = []
    for f in contract.supplied:
        if columns[f"f_{f.name}"].null_count() == frame[f.name].null_count():
            continue
        missing = frame[f.name].is_not_null() & columns[f"f_{f.name}"].is_null()
        lost += [
            {
                "inst_code": inst,
                "entity": contract.entity,
                "src_record_id": record,
                "field": f.name,
                "value": value,
            }
            for record, value in frame.filter(missing).select("src_record_id", f.name).iter_rows()
        ]
    return lost
