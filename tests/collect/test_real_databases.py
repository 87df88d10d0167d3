"""Exchange databases on real servers: what their own types become, by the contract's text. MariaDB where it is installed."""

import shutil
import subprocess
from collections.abc import Iterator
from datetime import date

import psycopg
import pytest
import sqlalchemy as sa
import tenacity

from yuyan.collect.connect import source
from yuyan.domain import institutions
from yuyan.load.run import collect_institution
from yuyan_demo.runtime import postgres, sockets

pytestmark = pytest.mark.database

COLUMNS = ("record_id", "update_time", "is_del", "f_inst_code", "f_unit_code", "f_unit_name", "f_parent_unit_code",
           "f_unit_kind", "f_is_entity", "f_valid_from", "f_valid_to")  # fmt: skip
VENDORS = {
    "postgresql": ("char(8)", "timestamptz", "boolean", "char(5)", "char(10)", "text", "varchar(10)",
                   "integer", "smallint", "timestamptz", "date"),
    "mariadb": ("char(8)", "timestamp(6) null", "bit(1)", "char(5)", "char(10)", "text", "varchar(10)",
                "int", "tinyint(1)", "datetime", "date"),
}  # fmt: skip
"""Types of the view's columns, in their order, as vendors choose them."""

YES = {"postgresql": "true", "mariadb": "b'1'"}
NO = {"postgresql": "false", "mariadb": "b'0'"}


@pytest.fixture(scope="module")
def mariadb(tmp_path_factory) -> Iterator[str]:
    """URL of a MariaDB server of this test's own, on loopback and in a temporary folder."""
    if not (server := shutil.which("mariadbd", path="/usr/sbin:/usr/bin:/usr/local/bin")):
        pytest.skip(
            "MariaDB is not installed (Debian: apt-get install mariadb-server-core mariadb-client-core)"
        )
    folder = tmp_path_factory.mktemp("mariadb")
    common = ["--no-defaults", f"--datadir={folder / 'data'}", "--user=root"]
    subprocess.run(
        ["mariadb-install-db", *common, "--auth-root-authentication-method=normal", "--skip-test-db"],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    port = sockets.free()
    process = subprocess.Popen(
        [server, *common, "--bind-address=127.0.0.1", f"--port={port}", f"--socket={folder}/s",
         "--innodb-buffer-pool-size=8M", "--default-time-zone=+00:00"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    url = f"mysql+pymysql://root@127.0.0.1:{port}/"
    try:
        for attempt in tenacity.Retrying(
            stop=tenacity.stop_after_delay(60), wait=tenacity.wait_fixed(0.2), reraise=True
        ):
            with attempt:
                _run(url, "create database exchange character set utf8mb4")
        yield url + "exchange"
    finally:
        process.terminate()
        process.wait(timeout=60)


@pytest.fixture(params=VENDORS)
def server(request, pg_home) -> tuple[str, str]:
    """(vendor, URL) of a server with an empty schema `exchange`."""
    return request.param, _empty(request.param, request, pg_home)


def _empty(vendor: str, request, pg_home) -> str:
    if vendor == "mariadb":
        url = request.getfixturevalue("mariadb")
        _run(url, "drop view if exists v_org_unit", "drop table if exists t")
        return url
    with psycopg.connect(postgres.dsn(pg_home), autocommit=True) as admin:
        admin.execute("drop database if exists vendor with (force)")
        admin.execute("create database vendor")
    url = postgres.dsn(pg_home, "vendor").replace("postgresql://", "postgresql+psycopg://")
    _run(url, "create schema exchange")
    return url


def _run(url: str, *commands: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for command in commands:
            connection.exec_driver_sql(command.replace("%", "%%"))
    engine.dispose()


def _fill(vendor: str, url: str, *rows: str, types: dict[str, str] | None = None) -> None:
    kinds = dict(zip(COLUMNS, VENDORS[vendor], strict=True)) | (types or {})
    mark = {"yes": YES[vendor], "no": NO[vendor]}
    _run(
        url,
        f"create table exchange.t ({', '.join(f'{name} {kind}' for name, kind in kinds.items())})",
        "create view exchange.v_org_unit as select * from exchange.t",
        *(f"insert into exchange.t values ({row.format(**mark)})" for row in rows),
    )


def _collect(dsn: str, url: str, connect, own_institutions, run_id: str = "run-1", day: int = 15) -> dict:
    connect("10643", conn_type="generic", extra={"sqlalchemy_url": url})
    own_institutions("10643", "exchange-database", entities=["org_unit"])
    collect_institution("10643", run_id, date(2026, 10, day))
    with psycopg.connect(dsn) as connection:
        query = "select outcome, error from ops.collection_result where run_id = %s and entity = 'org_unit'"
        outcome = connection.execute(query, [run_id]).fetchone()
        rows = connection.execute(
            "select src_record_id, unit_code, unit_kind, is_entity, valid_from, valid_to, parent_unit_code from "
            "(select distinct on (src_record_id) * from raw.org_unit "
            "order by src_record_id, source_version desc, raw_id desc) r "
            "where not is_deleted order by 1"
        ).fetchall()
        action = connection.execute(
            "select action from ops.count_check where run_id = %s", [run_id]
        ).fetchone()
    return {"outcome": outcome, "rows": rows, "action": action}


def test_types_of_a_vendor_become_the_contracts_text(server, warehouse, connect, own_institutions):
    vendor, url = server
    _fill(
        vendor, url,
        "'u1', '2026-10-01 08:00:00', {no}, '10643', '001', '机械学院', '', 10, 1, '2001-09-01 00:00:00', '2099-12-31'",
        "'u2', '2026-10-01 08:00:00', null, '10643', '002', '艺术学院', null, 10, 0, '2001-09-01 00:00:00', null",
        "'u3', '2026-10-01 08:00:00', {yes}, '10643', '003', '旧学院', null, 10, 0, '2001-09-01 00:00:00', null",
    )  # fmt: skip
    found = _collect(warehouse, url, connect, own_institutions)
    zone = "2001-09-01" if vendor == "mariadb" else found["rows"][0][4]
    assert found["outcome"] == ("success", None)
    assert found["rows"] == [
        ("u1", "001", "10", "true", zone, "2099-12-31", None),
        ("u2", "002", "10", "false", zone, None, None),
    ]
    assert found["action"] == ("none",)


def test_a_moment_is_the_same_whatever_the_servers_zone(server, warehouse, connect, own_institutions):
    """The cursor is Beijing's time: a server in another zone neither repeats a day nor passes one over."""
    vendor, url = server
    moment = "'2026-10-14 02:00:00'" + ("" if vendor == "mariadb" else "::timestamp at time zone 'UTC'")
    _fill(vendor, url, f"'u1', {moment}, {{no}}, '10643', '001', '学院', null, 10, 1, '2001-09-01', null")
    assert _collect(warehouse, url, connect, own_institutions)["outcome"] == ("success", None)
    with psycopg.connect(warehouse) as connection:
        ((cursor,),) = connection.execute("select cursor_value from ops.watermark").fetchall()
    assert cursor == "2026-10-14 10:00:00.000000"


def test_a_row_without_an_update_time_is_followed(server, warehouse, connect, own_institutions):
    vendor, url = server
    row = "'u1', null, {no}, '10643', '001', '学院', null, 10, 1, '2001-09-01', null"
    _fill(vendor, url, row, row.replace("'u1', null", "'u2', '2026-10-01'").replace("001", "002"))
    _collect(warehouse, url, connect, own_institutions)
    _run(url, "update exchange.t set f_unit_code = '009' where record_id = 'u1'")
    found = _collect(warehouse, url, connect, own_institutions, "run-2", 16)
    assert [r[:2] for r in found["rows"]] == [("u1", "009"), ("u2", "002")]


def test_a_view_that_repeats_records_is_refused_by_row(server, warehouse, connect, own_institutions):
    vendor, url = server
    row = "'u1', '2026-10-01', {no}, '10643', '001', '学院', null, 10, 1, '2001-09-01', null"
    _fill(vendor, url, row, row.replace("'001'", "'002'"))
    outcome, error = _collect(warehouse, url, connect, own_institutions)["outcome"]
    assert outcome == "failed"
    assert "2 行的记录编号与别的行相同而内容不同（例如第 1、2 行）" in error


def test_an_unknown_deletion_mark_is_refused_by_row(server, warehouse, connect, own_institutions):
    vendor, url = server
    row = "'u1', '2026-10-01', '0', '10643', '001', '学院', null, 10, 1, '2001-09-01', null"
    _fill(
        vendor,
        url,
        row,
        row.replace("'u1'", "'u2'").replace("'0'", "'作废'"),
        types={"is_del": "varchar(10)"},
    )
    outcome, error = _collect(warehouse, url, connect, own_institutions)["outcome"]
    assert outcome == "failed"
    assert "1 行的 is_del 写法无法识别（首行为第 2 行）" in error


@pytest.mark.parametrize(
    ("vendor", "kind", "value", "text"),
    [
        ("postgresql", "date", "'infinity'", "infinity"),
        ("postgresql", "date", "'0044-03-15 BC'", "0044-03-15 BC"),
        ("postgresql", "timestamp", "'-infinity'", "-infinity"),
        ("mariadb", "date", "'0000-00-00'", "0000-00-00"),
    ],
)
def test_a_date_that_python_cannot_hold_stops_nothing(
    vendor, kind, value, text, request, pg_home, warehouse, connect, own_institutions
):
    url = _empty(vendor, request, pg_home)
    if vendor == "mariadb":
        _run(url, "set global sql_mode = ''")
    row = f"'u1', '2026-10-01', {{no}}, '10643', '001', '学院', null, 10, 1, {value}, null"
    good = row.replace("'u1'", "'u2'").replace("'001'", "'002'").replace(value, "'2001-09-01'")
    _fill(vendor, url, row, good, types={"f_valid_from": kind})
    found = _collect(warehouse, url, connect, own_institutions)
    assert found["outcome"] == ("success", None)
    assert [r[4] for r in found["rows"]] == [text, "2001-09-01"]


READER = "yuyan_reader"
GRANTS = {
    "mariadb": (
        f"drop user if exists '{READER}'@'127.0.0.1'",
        f"create user '{READER}'@'127.0.0.1' identified by 'only-select'",
        f"grant select on exchange.v_org_unit to '{READER}'@'127.0.0.1'",
    ),
    "postgresql": (
        f"do $$ begin if not exists (select from pg_roles where rolname = '{READER}') then "
        f"create role {READER} login password 'only-select'; end if; end $$",
        f"grant usage on schema exchange to {READER}",
        f"grant select on exchange.v_org_unit to {READER}",
    ),
}


def test_a_login_that_may_only_select_is_enough(server, warehouse, connect, own_institutions):
    vendor, url = server
    _fill(
        vendor,
        url,
        "'u1', '2026-10-01 08:00:00', {no}, '10643', '001', '学院', null, 10, 1, '2001-09-01', null",
    )
    _run(url, *GRANTS[vendor])
    reader = (
        sa.make_url(url).set(username=READER, password="only-select").render_as_string(hide_password=False)
    )
    found = _collect(warehouse, reader, connect, own_institutions)
    assert (found["outcome"], len(found["rows"]), found["action"]) == (("success", None), 1, ("none",))
    platform = source(institutions.load()["10643"], date(2026, 10, 15))
    (view,) = [r for r in platform.resources(5) if r.name.lower().endswith("v_org_unit")]
    platform.close()
    assert [code.strip() for code in view.rows["f_unit_code"]] == ["001"]


def test_what_a_database_refuses_is_said_in_its_own_words_without_the_password(
    server, warehouse, connect, own_institutions
):
    vendor, url = server
    _fill(
        vendor,
        url,
        "'u1', '2026-10-01 08:00:00', {no}, '10643', '001', '学院', null, 10, 1, '2001-09-01', null",
    )
    _run(url, *GRANTS[vendor][:-1])
    if vendor == "mariadb":  # an account without any right may not even name the database
        _run(url, "create table if not exists exchange.other (a int)",
             f"grant select on exchange.other to '{READER}'@'127.0.0.1'")  # fmt: skip
    else:
        _run(url, f"revoke select on exchange.v_org_unit from {READER}")
    reader = (
        sa.make_url(url).set(username=READER, password="only-select").render_as_string(hide_password=False)
    )
    outcome, error = _collect(warehouse, reader, connect, own_institutions)["outcome"]
    assert outcome == "failed"
    code, words = {"mariadb": ("1142", "denied"), "postgresql": ("42501", "permission denied")}[vendor]
    assert code in error
    assert words in error
    assert "only-select" not in error
