"""Exchange databases (中间库): views of any SQLAlchemy database, streamed by a server-side cursor in bounded memory."""

import json
import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import polars as pl
import psycopg
import sqlalchemy as sa
from psycopg.types import datetime as pg
from pymysql.constants import FIELD_TYPE
from sqlalchemy.dialects import mysql

from yuyan.collect import mapping as mapped
from yuyan.collect.source import Meter, Page, PlatformDown, Resource, SourceError, Window, furthest
from yuyan.domain import contracts
from yuyan.domain.entity_map import EntityMap
from yuyan.domain.institutions import Institution

BEIJING = ZoneInfo("Asia/Shanghai")
DRIVERS = {
    "postgres": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "oracle": "oracle+oracledb",
    "mssql": "mssql+pymssql",
}
"""Airflow connection type -> SQLAlchemy dialect and driver; any other by `sqlalchemy_url` in the connection's extra. The
driver of SQL Server is not among the locked packages (it has no wheel for every machine): `pip install pymssql`."""

SESSIONS = {
    "postgresql": "set time zone 'Asia/Shanghai'",
    "mysql": "set time_zone = '+08:00'",
    "mariadb": "set time_zone = '+08:00'",
    "oracle": "alter session set time_zone = '+08:00'",
}
"""Dialect -> what makes a session show moments as Beijing's time (SQL Server's carry their offset)."""


class Column(NamedTuple):
    """A column as the database calls it, and its type."""

    name: str
    type: sa.types.TypeEngine


TOLD = 300
"""Characters of a database's message that an outcome repeats."""

_MYSQL = ("mysql", "mariadb")
_SYSTEM = re.compile(
    r"information_schema|pg_.*|mysql|performance_schema|sys|system|sys.*|.*sys|outln|xdb|dbsnmp|guest|db_\w+|audsys|dvf|dip",
    re.IGNORECASE,
)
"""Schemas that a database server has for itself."""


class Database:
    """exchange-database: update times as cursor, deletions as marked rows.

    Values reach the contract's text by the type that the driver hands out (`text_of`), and sessions have Beijing's time.
    Rows without an update time are in every window; an update time kept as text has no order that the database knows, so
    that every window of such a view is all of it. A table without an update time is listed completely every time.
    """

    proves_at_end = False

    def __init__(self, institution: Institution, connection: Any, as_of: date) -> None:
        self.institution = institution
        self._as_of = as_of
        self._who = f"{institution.inst_code} {institution.name}"
        self.complaints: list[str] = []
        try:
            self._engine = sa.create_engine(
                url(connection), pool_size=institution.platform.concurrency, pool_pre_ping=True
            )
        except Exception as error:  # whatever a driver or a wrong URL comes up with
            raise PlatformDown(
                f"{self._who}：中间库的驱动不可用（{error}），请安装驱动或更正 Airflow 连接 {institution.connection}。/ "
                f"the driver for the exchange database is not there; install it or correct {institution.connection}"
            ) from None
        sa.event.listen(self._engine, "connect", self._prepare)

    def _prepare(self, connection: Any, _: object) -> None:
        """A new session: times with a zone as Beijing's, dates that Python cannot hold as their text."""
        if command := SESSIONS.get(self._engine.dialect.name):
            cursor = connection.cursor()
            cursor.execute(command)
            cursor.close()
        if self._engine.dialect.driver == "psycopg":
            for name, loader in _LOADERS.items():
                connection.adapters.register_loader(name, loader)

    def _told(self, error: Exception) -> str:
        return _reason(error, self._engine.url.password)

    def open(self) -> None:
        try:
            with self._engine.connect() as connection:
                connection.execute(sa.select(1))
        except Exception as error:  # drivers raise more than SQLAlchemy wraps
            raise PlatformDown(
                f"{self._who}：中间库无法连接（{_kind(error)}），"
                f"请检查数据库和 Airflow 连接 {self.institution.connection}。/ "
                f"cannot connect to the exchange database; check it and the connection {self.institution.connection}"
            ) from None

    def close(self) -> None:
        self._engine.dispose()

    def windows(self, entity: str, cursor: str | None, full: bool) -> Iterator[Window]:
        mapping = self.institution.mapping(contracts.load()[entity])
        if full or cursor is None or mapping.version_column is None:
            yield Window(entity, "full")
        else:
            overlap = timedelta(hours=self.institution.platform.overlap_hours)
            yield Window(entity, "incremental", since=str(datetime.fromisoformat(cursor) - overlap))

    def advance(self, cursor: str | None, window: Window, greatest: str | None) -> str | None:
        latest = datetime.combine(self._as_of, time()) + timedelta(days=1)
        return furthest(cursor, window, greatest, str(latest))

    def pages(self, window: Window, meter: Meter) -> Iterator[Page]:
        mapping = self.institution.mapping(contracts.load()[window.entity])
        meter.count()
        try:
            yield from self._stream(mapping, window)
        except SourceError:
            raise
        except Exception as error:  # drivers raise more than SQLAlchemy wraps
            raise SourceError(
                f"{self._who} {window.entity}：读取视图 {mapping.table} 失败（{self._told(error)}），"
                f"请核对视图、列的类型和权限。/ reading view {mapping.table} failed; "
                "check the view, the types of its columns and the rights of the login"
            ) from None

    def count(self, entity: str, meter: Meter) -> int:
        mapping = self.institution.mapping(contracts.load()[entity])
        meter.count()
        try:
            if mapping.deleted is None:
                query = sa.select(sa.literal("false"), sa.func.count()).select_from(_view(mapping.table, ()))
            else:
                mark = _view(mapping.table, [self._actual(mapping, mapping.deleted)]).columns[0]
                query = sa.select(mark, sa.func.count()).group_by(mark)
            with self._engine.connect() as connection:
                counted = connection.execute(query).all()
        except Exception as error:  # drivers raise more than SQLAlchemy wraps
            raise SourceError(
                f"{self._who} {entity}：视图 {mapping.table} 计数失败（{self._told(error)}），请核对视图和权限。/ "
                f"counting view {mapping.table} failed; check the view and the rights of the login"
            ) from None
        if mapping.deleted is None:
            return counted[0][1]
        marks = pl.DataFrame(
            {mapping.deleted: _texts([m for m, _ in counted])}, schema={mapping.deleted: pl.String}
        )
        live = marks.select(~mapped.is_deleted(mapping)).to_series().fill_null(False)
        return sum(rows for (_, rows), is_live in zip(counted, live, strict=True) if is_live)

    def resources(self, rows: int) -> Iterator[Resource]:
        """Tables and views of every schema that this login sees, but the server's own."""
        try:
            inspector = sa.inspect(self._engine)
            own = inspector.default_schema_name
            names = [
                name if schema == own else f"{schema}.{name}"
                for schema in inspector.get_schema_names()
                if not _SYSTEM.fullmatch(schema)
                for name in sorted(
                    {*inspector.get_table_names(schema=schema), *inspector.get_view_names(schema=schema)}
                )
            ]
        except Exception as error:  # drivers raise more than SQLAlchemy wraps
            raise SourceError(
                f"{self._who}：无法列出数据库的表和视图（{self._told(error)}），请核对账号的权限。/ "
                "the tables and views cannot be listed; check the rights of the login"
            ) from None
        for name in names:
            try:
                yield self._first_rows(name, rows)
            except Exception as error:  # one table that may not be read hides no other
                yield Resource(name, pl.DataFrame(), problem=self._told(error))

    def _first_rows(self, name: str, rows: int) -> Resource:
        columns = self._columns_of(name).values()
        query = sa.select(*_view(name, [c.name for c in columns]).columns).limit(rows)
        bits = [isinstance(c.type, mysql.BIT) for c in columns]
        with self._engine.connect() as connection:
            found = connection.execute(query).fetchall()
        types = {c.name: "" if c.type is sa.types.NULLTYPE else str(c.type).lower() for c in columns}
        return Resource(name, _frame([c.name for c in columns], found, bits), types)

    def _stream(self, mapping: EntityMap, window: Window) -> Iterator[Page]:
        announced = mapping.announced
        there = self._columns(mapping)
        present = [name for name in announced if name.lower() in there]
        absent = tuple(name for name in announced if name.lower() not in there)
        known = {name.lower() for name in announced}
        places = {name: number for number, name in enumerate(there, start=1) if name not in known}
        if lacking := [name for name in mapping.envelope if name in absent]:
            raise SourceError(
                f"{self._who} {window.entity}：视图 {mapping.table} 缺少列 {'、'.join(lacking)}，请厂商补齐。/ "
                f"view {mapping.table} lacks {', '.join(lacking)}"
            )
        kinds = {name: there[name.lower()].type for name in present}
        view = _view(mapping.table, [there[name.lower()].name for name in present])
        columns = dict(zip(present, view.columns, strict=True))
        order = [n for n in (mapping.version_column, *mapping.record_id) if n]
        query = sa.select(*columns.values()).order_by(*(columns[name] for name in order))
        if window.since and not isinstance(kinds[mapping.version_column], sa.String):
            changed = columns[mapping.version_column]
            query = query.where((changed >= datetime.fromisoformat(window.since)) | changed.is_(None))
        bits = [isinstance(kind, mysql.BIT) for kind in kinds.values()]
        size = self.institution.platform.page_size
        with self._engine.connect() as connection:
            rows = connection.execution_options(stream_results=True, yield_per=size).execute(query)
            for part in rows.partitions(size):
                frame = _frame(present, part, bits).with_columns(
                    pl.lit(None, pl.String).alias(name) for name in absent
                )
                yield Page(
                    frame.select(announced),
                    unannounced=dict.fromkeys(places, len(part)),
                    absent=absent,
                    places=places,
                )

    def _actual(self, mapping: EntityMap, name: str) -> str:
        """A column's name as the database has it; names in lower case it folds by itself."""
        if name.islower():
            return name
        found = self._columns(mapping).get(name.lower())
        return found.name if found else name

    def _columns(self, mapping: EntityMap) -> dict[str, Column]:
        """The view's columns by name in lower case: regular identifiers are compared without regard to case.

        A login that may only SELECT cannot ask MySQL how a view is made; an empty SELECT tells as much as is needed.
        """
        return self._columns_of(mapping.table)

    def _columns_of(self, table: str) -> dict[str, Column]:
        schema, _, name = table.rpartition(".")
        try:
            found = sa.inspect(self._engine).get_columns(name, schema=schema or None)
        except sa.exc.DBAPIError:
            return self._described(table)
        return {c["name"].lower(): Column(c["name"], c["type"]) for c in found}

    def _described(self, table: str) -> dict[str, Column]:
        """Columns as the driver describes those of an empty SELECT: text, bits, anything else."""
        query = sa.select(sa.text("*")).select_from(_view(table, ())).where(sa.false())
        dbapi = self._engine.dialect.dbapi
        with self._engine.connect() as connection:
            described = connection.execute(query).cursor.description
        columns: dict[str, Column] = {}
        for name, code, *_ in described:
            is_text = code == dbapi.STRING or (
                self._engine.dialect.name in _MYSQL and code == FIELD_TYPE.BLOB
            )
            is_bit = self._engine.dialect.name in _MYSQL and code == FIELD_TYPE.BIT
            kind = sa.String() if is_text else mysql.BIT() if is_bit else sa.types.NULLTYPE
            columns[name.lower()] = Column(name, kind)
        return columns


def url(connection: Any) -> sa.URL:
    """The SQLAlchemy URL of an Airflow connection: `sqlalchemy_url` of its extra, or made of its parts."""
    if text := connection.extra_dejson.get("sqlalchemy_url"):
        return sa.make_url(text)
    return sa.URL.create(
        DRIVERS.get(connection.conn_type, connection.conn_type),
        username=connection.login,
        password=connection.password,
        host=connection.host,
        port=connection.port,
        database=connection.schema,
    )


def _view(name: str, columns: Sequence[str]) -> sa.TableClause:
    schema, _, table = name.rpartition(".")
    return sa.table(table, *(sa.column(c) for c in columns), schema=schema or None)


def _frame(names: Sequence[str], rows: Sequence[Sequence[Any]], bits: Sequence[bool]) -> pl.DataFrame:
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    return pl.DataFrame(
        [
            pl.Series(name, _texts(values, is_bit), pl.String)
            for name, values, is_bit in zip(names, columns, bits, strict=True)
        ]
    )


def _texts(values: Sequence[Any], is_bit: bool = False) -> list[str | None]:
    kinds = {type(v) for v in values} - {type(None)}
    if kinds <= {str}:
        return list(values)
    return [None if v is None else text_of(v, is_bit) for v in values]


def text_of(value: Any, is_bit: bool = False) -> str:
    """Canonical text of a value as drivers hand it out.

    bool, and BIT(n) of MySQL (its driver gives bytes): 1/0, the number. A byte 00 or 01: 0/1. Other bytes: hexadecimal.
    int, Decimal, float: digits without an exponent, without a fraction of noughts where a float is whole. date, datetime:
    ISO; with a zone, turned to Beijing's. Arrays: items joined by ';'. Structures: JSON. Anything else, a text that the
    driver could not turn into a date among them: as it prints.
    """
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, datetime):
        local = value.astimezone(BEIJING).replace(tzinfo=None) if value.tzinfo else value
        return str(local)
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, float):
        return f"{Decimal(repr(value)):f}".removesuffix(".0")
    if isinstance(value, list | tuple | set | frozenset):
        return ";".join(map(text_of, sorted(value) if isinstance(value, set | frozenset) else value))
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, bytes | bytearray | memoryview):
        raw = bytes(value)
        return str(int.from_bytes(raw)) if is_bit or raw in (b"\x00", b"\x01") else raw.hex()
    return str(value)


def _or_text(loader: type) -> type:
    """A psycopg loader that gives the text of a value that Python's type cannot hold (infinity, BC)."""

    class OrText(loader):
        def load(self, data: Any) -> Any:
            try:
                return super().load(data)
            except psycopg.DataError:
                return bytes(data).decode()

    return OrText


_LOADERS = {
    "date": _or_text(pg.DateLoader),
    "timestamp": _or_text(pg.TimestampLoader),
    "timestamptz": _or_text(pg.TimestamptzLoader),
}


_QUOTE_VALUES = sa.exc.DataError, sa.exc.IntegrityError
"""Errors whose text may quote a value of a record."""


def _kind(error: Exception) -> str:
    """The kind of error with the database's own code: `OperationalError 1142`."""
    cause = getattr(error, "orig", None) or error
    first = cause.args[0] if cause.args else None
    code = first if isinstance(first, int) else getattr(first, "full_code", getattr(cause, "sqlstate", None))
    return f"{type(cause).__name__} {code}" if code else type(cause).__name__


def _reason(error: Exception, secret: str | None = None) -> str:
    """`_kind`, and the database's own text where that is about the database and not about a record: `OperationalError 1142:
    SELECT command denied to user …`. The login's password is masked.
    """
    if not isinstance(error, sa.exc.DBAPIError) or isinstance(error, _QUOTE_VALUES):
        return _kind(error)
    told = " ".join(str(error.orig.args[-1]).split())[:TOLD]
    return f"{_kind(error)}: {told.replace(secret, '***') if secret else told}"
