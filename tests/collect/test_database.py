"""The database connector on an ordinary SQLAlchemy URL (SQLite here), streaming."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
import sqlalchemy as sa

from yuyan.collect import database
from yuyan.collect.connect import source
from yuyan.collect.source import Meter, PlatformDown, SourceError
from yuyan.domain import institutions

AS_OF = date(2026, 10, 15)
COLUMNS = {
    "RECORD_ID": "text",
    "UPDATE_TIME": "timestamp",
    "IS_DEL": "integer",
    "F_INST_CODE": "text",
    "F_UNIT_CODE": "text",
    "F_UNIT_NAME": "text",
    "F_PARENT_UNIT_CODE": "text",
    "F_UNIT_KIND": "text",
    "F_IS_ENTITY": "integer",
    "F_VALID_FROM": "date",
    "F_VALID_TO": "date",
}


@pytest.fixture
def exchange(tmp_path, connect, own_institutions):
    """A database with an attached schema `exchange`, its engine, and the source that reads it."""
    main, attached = tmp_path / "main.db", tmp_path / "exchange.db"
    url = f"sqlite:///{main}"
    connect("10643", conn_type="sqlite", extra={"sqlalchemy_url": url})
    engine = sa.create_engine(url)
    sa.event.listen(
        sa.Engine, "connect", attach := lambda c, _: c.execute(f"attach '{attached}' as exchange")
    )
    own_institutions("10643", "exchange-database", page_size=10)
    found = source(institutions.load()["10643"], AS_OF)
    yield engine, found
    found.close()
    engine.dispose()
    sa.event.remove(sa.Engine, "connect", attach)


def fill(engine, rows, columns=COLUMNS):
    with engine.begin() as connection:
        kinds = ", ".join(f"{name} {kind}" for name, kind in columns.items())
        connection.execute(sa.text(f"create table exchange.org_unit ({kinds})"))
        connection.execute(sa.text("create view exchange.V_ORG_UNIT as select * from org_unit"))
        for row in rows:
            names = ", ".join(row)
            connection.execute(
                sa.text(
                    f"insert into exchange.org_unit ({names}) values ({', '.join(f':{n}' for n in row)})"
                ),
                row,
            )


def unit(i: int, day: int = 10, gone: int = 0, **more) -> dict:
    return {
        "RECORD_ID": f"u{i:03d}",
        "UPDATE_TIME": f"2026-10-{day:02d} 08:00:00.{i:06d}",
        "IS_DEL": gone,
        "F_INST_CODE": "10643",
        "F_UNIT_CODE": f"{i:03d}",
        "F_IS_ENTITY": 1,
        "F_VALID_FROM": "2001-01-01",
        **more,
    }


def test_everything_streams_in_chunks_ordered_by_time(exchange):
    engine, found = exchange
    fill(engine, [unit(i) for i in reversed(range(25))])
    found.open()
    (window,) = found.windows("org_unit", None, False)
    pages = list(found.pages(window, Meter()))
    assert [p.frame.height for p in pages] == [10, 10, 5]
    assert [r for p in pages for r in p.frame["record_id"]] == [f"u{i:03d}" for i in range(25)]
    row = pages[0].frame.row(0, named=True)
    assert (row["f_is_entity"], row["f_valid_from"], row["f_valid_to"], row["is_del"]) == (
        "1",
        "2001-01-01",
        None,
        "0",
    )
    assert row["update_time"].startswith("2026-10-10 08:00:00")
    assert set(pages[0].frame.dtypes) == {pages[0].frame["record_id"].dtype}


def test_deletions_are_marked_rows_and_do_not_count(exchange):
    engine, found = exchange
    fill(engine, [unit(0), unit(1, gone=1)])
    (window,) = found.windows("org_unit", None, False)
    assert [p.frame["is_del"].to_list() for p in found.pages(window, Meter())] == [["0", "1"]]
    assert found.count("org_unit", Meter()) == 1


def test_a_later_window_overlaps_three_days(exchange):
    engine, found = exchange
    fill(engine, [unit(0, day=1), unit(1, day=9), unit(2, day=12)])
    (window,) = found.windows("org_unit", "2026-10-12 08:00:00.000002", False)
    assert (window.mode, window.since) == ("incremental", "2026-10-09 08:00:00.000002")
    assert [p.frame["record_id"].to_list() for p in found.pages(window, Meter())] == [["u002"]]
    assert found.advance("2026-10-12 08:00:00", window, "2099-01-01 00:00:00") == "2026-10-16 00:00:00"


def test_columns_nobody_announced_are_not_even_read(exchange):
    engine, found = exchange
    fill(engine, [unit(i, F_PHONE="13900000000") for i in range(12)], COLUMNS | {"F_PHONE": "text"})
    (window,) = found.windows("org_unit", None, False)
    pages = list(found.pages(window, Meter()))
    assert [p.unannounced for p in pages] == [{"f_phone": 10}, {"f_phone": 2}]
    assert "f_phone" not in pages[0].frame.columns


def test_a_column_that_is_gone_is_reported(exchange):
    engine, found = exchange
    columns = {k: v for k, v in COLUMNS.items() if k != "F_UNIT_NAME"}
    fill(engine, [unit(0)], columns)
    (window,) = found.windows("org_unit", None, False)
    (page,) = found.pages(window, Meter())
    assert page.absent == ("f_unit_name",)
    assert page.frame["f_unit_name"].to_list() == [None]


def test_a_view_without_record_ids_is_refused(exchange):
    engine, found = exchange
    fill(engine, [], {k: v for k, v in COLUMNS.items() if k != "RECORD_ID"})
    (window,) = found.windows("org_unit", None, False)
    with pytest.raises(SourceError, match="缺少列 record_id"):
        list(found.pages(window, Meter()))


def test_a_missing_view_is_the_entitys_failure(exchange):
    _, found = exchange
    (window,) = found.windows("org_unit", None, False)
    with pytest.raises(SourceError, match=r"exchange\.v_org_unit"):
        list(found.pages(window, Meter()))
    with pytest.raises(SourceError, match="计数失败"):
        found.count("org_unit", Meter())


def test_a_database_that_is_down(connect, own_institutions):
    connect("10643", conn_type="postgres", host="127.0.0.1", port=1, login="a", password="b", schema="c")
    own_institutions("10643", "exchange-database")
    found = source(institutions.load()["10643"], AS_OF)
    with pytest.raises(PlatformDown, match="中间库无法连接") as down:
        found.open()
    assert "127.0.0.1" not in str(down.value)


def test_a_driver_that_is_not_installed_is_said_with_its_remedy(connect, own_institutions):
    connect("10643", conn_type="postgres", extra={"sqlalchemy_url": "firebird+nosuch://h/d"})
    own_institutions("10643", "exchange-database")
    with pytest.raises(PlatformDown, match="驱动") as refused:
        source(institutions.load()["10643"], AS_OF)
    assert "platform_10643" in str(refused.value)


@pytest.mark.parametrize("conn_type", ["postgres", "mysql", "oracle"])
def test_the_drivers_of_common_vendors_are_there(conn_type):
    assert sa.create_engine(f"{database.DRIVERS[conn_type]}://u:p@h/d").dialect.dbapi


def test_urls_of_other_vendors():
    def connection(**parts):
        defaults = {
            "login": "u",
            "password": "p/w",
            "host": "h",
            "port": 1521,
            "schema": "db",
            "extra_dejson": {},
        }
        return type("Connection", (), defaults | parts)()

    assert database.url(connection(conn_type="postgres")).drivername == "postgresql+psycopg"
    assert (
        database.url(connection(conn_type="oracle")).render_as_string(False)
        == "oracle+oracledb://u:p%2Fw@h:1521/db"
    )
    own = connection(conn_type="generic", extra_dejson={"sqlalchemy_url": "mssql+pyodbc://dsn"})
    assert str(database.url(own)) == "mssql+pyodbc://dsn"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "1"),
        (3, "3"),
        (Decimal("1234.50"), "1234.50"),
        (Decimal("1E+3"), "1000"),
        (0.00001, "0.00001"),
        (2.0, "2"),
        (date(2026, 1, 2), "2026-01-02"),
        (datetime(2026, 1, 2, 3, 4, 5), "2026-01-02 03:04:05"),
        (datetime(2026, 1, 2, 20, tzinfo=UTC), "2026-01-03 04:00:00"),
        (["a", "b"], "a;b"),
    ],
)
def test_values_have_one_text(value, text):
    assert database._texts([value, None]) == [text, None]
