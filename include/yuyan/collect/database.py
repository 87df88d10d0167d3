"""Exchange databases (中间库): views of any SQLAlchemy database, streamed by a server-side cursor in bounded memory."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import sqlalchemy as sa

from yuyan.collect.source import Meter, Page, PlatformDown, SourceError, Window, furthest
from yuyan.domain import contracts
from yuyan.domain.institutions import EntityMap, Institution

BEIJING = ZoneInfo("Asia/Shanghai")
DRIVERS = {
    "postgres": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "oracle": "oracle+oracledb",
    "mssql": "mssql+pymssql",
}
"""Airflow connection type -> SQLAlchemy dialect and driver; any other by `sqlalchemy_url` in the connection's extra. The
driver of SQL Server is not among the locked packages (it has no wheel for every machine): `pip install pymssql`."""


class Database:
    """exchange-database: update times as cursor, deletions as marked rows."""

    def __init__(self, institution: Institution, connection: Any, as_of: date) -> None:
        self.institution = institution
        self._as_of = as_of
        self._who = f"{institution.inst_code} {institution.name}"
        try:
            self._engine = sa.create_engine(
                url(connection), pool_size=institution.platform.concurrency, pool_pre_ping=True
            )
        except (ImportError, sa.exc.ArgumentError) as error:
            raise PlatformDown(
                f"{self._who}：中间库的驱动不可用（{error}），请安装驱动或更正 Airflow 连接 {institution.connection}。/ "
                f"the driver for the exchange database is not there; install it or correct {institution.connection}"
            ) from None

    def open(self) -> None:
        try:
            with self._engine.connect() as connection:
                connection.execute(sa.select(1))
        except sa.exc.SQLAlchemyError as error:
            raise PlatformDown(
                f"{self._who}：中间库无法连接（{_reason(error)}），"
                f"请检查数据库和 Airflow 连接 {self.institution.connection}。/ "
                f"cannot connect to the exchange database; check it and the connection {self.institution.connection}"
            ) from None

    def close(self) -> None:
        self._engine.dispose()

    def windows(self, entity: str, cursor: str | None, full: bool) -> Iterator[Window]:
        if full or cursor is None:
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
        except sa.exc.SQLAlchemyError as error:
            raise SourceError(
                f"{self._who} {window.entity}：读取视图 {mapping.table} 失败（{_reason(error)}），请核对视图和权限。/ "
                f"reading view {mapping.table} failed; check the view and the rights of the login"
            ) from None

    def count(self, entity: str, meter: Meter) -> int:
        mapping = self.institution.mapping(contracts.load()[entity])
        meter.count()
        view = _view(mapping.table, [mapping.deleted])
        query = sa.select(sa.func.count()).select_from(view).where(view.c[mapping.deleted] == 0)
        try:
            with self._engine.connect() as connection:
                return connection.execute(query).scalar_one()
        except sa.exc.SQLAlchemyError as error:
            raise SourceError(
                f"{self._who} {entity}：视图 {mapping.table} 计数失败（{_reason(error)}）/ counting failed"
            ) from None

    def _stream(self, mapping: EntityMap, window: Window) -> Iterator[Page]:
        announced = (*mapping.envelope, *mapping.names.values())
        there = self._columns(mapping)
        present = [name for name in announced if name in there]
        absent = tuple(name for name in announced if name not in there)
        unannounced = sorted(there - set(announced))
        if lacking := [name for name in mapping.envelope if name in absent]:
            raise SourceError(
                f"{self._who} {window.entity}：视图 {mapping.table} 缺少列 {'、'.join(lacking)}，请厂商补齐。/ "
                f"view {mapping.table} lacks {', '.join(lacking)}"
            )
        view = _view(mapping.table, present)
        query = sa.select(*view.c).order_by(view.c[mapping.version_column], view.c[mapping.record_id])
        if window.since:
            query = query.where(view.c[mapping.version_column] >= datetime.fromisoformat(window.since))
        size = self.institution.platform.page_size
        with self._engine.connect() as connection:
            rows = connection.execution_options(stream_results=True, yield_per=size).execute(query)
            for part in rows.partitions(size):
                frame = _frame(present, part).with_columns(
                    pl.lit(None, pl.String).alias(name) for name in absent
                )
                yield Page(
                    frame.select(announced), unannounced=dict.fromkeys(unannounced, len(part)), absent=absent
                )

    def _columns(self, mapping: EntityMap) -> set[str]:
        """Names of the view's columns, in lower case: regular identifiers are compared without regard to case."""
        schema, _, name = mapping.table.rpartition(".")
        return {c["name"].lower() for c in sa.inspect(self._engine).get_columns(name, schema=schema or None)}


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


def _frame(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> pl.DataFrame:
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    return pl.DataFrame(
        [pl.Series(name, _texts(values), pl.String) for name, values in zip(names, columns, strict=True)]
    )


def _texts(values: Sequence[Any]) -> list[str | None]:
    kinds = {type(v) for v in values} - {type(None)}
    if kinds <= {str}:
        return list(values)
    return [None if v is None else _text(v) for v in values]


def _text(value: Any) -> str:
    """Canonical text of a database value: booleans 1/0, dates and times ISO (with a zone: turned to Beijing's)."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, datetime):
        local = value.astimezone(BEIJING).replace(tzinfo=None) if value.tzinfo else value
        return str(local)
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, float):
        return f"{Decimal(repr(value)):f}".removesuffix(".0")
    if isinstance(value, list | tuple):
        return ";".join(map(_text, value))
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    return str(value)


def _reason(error: sa.exc.SQLAlchemyError) -> str:
    """The kind of error; its text may quote values."""
    return type(getattr(error, "orig", None) or error).__name__
