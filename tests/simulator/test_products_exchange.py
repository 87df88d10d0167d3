"""The exchange databases as a connector sees them: through SQLAlchemy, as the institution's reader."""

import datetime
import decimal

import products_city
import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import ProgrammingError

from yuyan_demo.runtime import postgres
from yuyan_demo.simulator import products

pytestmark = pytest.mark.database
INSTITUTIONS = ["10643", "11551"]


@pytest.fixture(scope="module")
def admin(pg_home):
    """URL of the server's administrator; what the products made is dropped afterwards."""
    yield postgres.dsn(pg_home)
    with psycopg.connect(postgres.dsn(pg_home), autocommit=True) as connection:
        for inst in INSTITUTIONS:
            connection.execute(f"drop database if exists exchange_{inst} with (force)")
            connection.execute(f"drop role if exists exchange_{inst}_reader")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A work folder whose databases are made once."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def made(home, admin):
    """The result of the first preparation of day 1, and the state's records."""
    frames = products_city.write(home, 1, INSTITUTIONS)
    return products.prepare(home, 1, admin), frames


@pytest.fixture
def day_1(home, admin, made):
    """Databases on day 1, whatever the test before did to them."""
    products.prepare(home, 1, admin)
    return made


def reader(result: dict, inst: str) -> sa.Engine:
    c = result["connections"][f"platform_{inst}"]
    url = sa.URL.create("postgresql+psycopg", c["login"], c["password"], c["host"], c["port"], c["schema"])
    return sa.create_engine(url, poolclass=sa.NullPool)


def select(engine: sa.Engine, query: str) -> list[dict]:
    with engine.connect() as connection:
        return [dict(r) for r in connection.execute(sa.text(query)).mappings()]


def test_views_hold_typed_columns(day_1):
    result, frames = day_1
    rows = {r["record_id"]: r for r in select(reader(result, "10643"), "select * from EXCHANGE.V_STUDENT")}
    state = {r["src_record_id"]: r for r in frames["10643", "student"].iter_rows(named=True)}
    assert rows.keys() == state.keys()
    row, source = rows["10643-student-001"], state["10643-student-001"]
    assert row["update_time"] == source["updated_at"]
    assert row["is_del"] == 0
    assert row["f_entry_on"] == datetime.date.fromisoformat(source["entry_on"])
    assert row["f_birth_year"] == int(source["birth_year"])
    assert row["f_is_alternation"] == int(source["is_alternation"] == "true")
    assert row["f_student_id"] == source["student_id"]
    assert "f_src_inst_code" not in row
    assert "f_guardian_phone" not in row
    assert rows["10643-student-004"]["f_unit_code"] == source_text(state)
    course = select(
        reader(result, "10643"), "select * from exchange.v_course where record_id = '10643-course-001'"
    )[0]
    assert (course["f_credits"], course["f_tag_codes"]) == (decimal.Decimal("1.50"), "A1;B1")


def source_text(state: dict) -> str:
    return state["10643-student-004"]["unit_code"]


def test_a_typed_column_is_null_where_it_cannot_hold_the_value_and_prepare_says_so(day_1):
    result, _ = day_1
    rows = {r["record_id"]: r for r in select(reader(result, "11551"), "select * from exchange.v_student")}
    lost = {
        (u["src_record_id"], u["field"]): u["value"] for u in result["uncarried"] if u["inst_code"] == "11551"
    }
    assert lost == {
        ("11551-student-003", "entry_on"): "2023-02-30",
        ("11551-student-003", "birth_year"): "abc",
        ("11551-student-004", "is_alternation"): "maybe",
        ("11551-student-005", "entry_on"): "不详",
    }
    assert all(rows[record][f"f_{field}"] is None for record, field in lost)
    assert all(r["f_guardian_phone"].startswith("199") for r in rows.values())


def test_the_reader_reads_views_of_its_own_database_only(day_1):
    result, _ = day_1
    engine = reader(result, "10643")
    with engine.connect() as connection, pytest.raises(ProgrammingError, match="permission denied"):
        connection.execute(sa.text("select * from exchange.student"))
    with engine.connect() as connection, pytest.raises(sa.exc.DBAPIError):
        connection.execute(sa.text("delete from exchange.v_student"))
    other = sa.create_engine(engine.url.set(database="exchange_11551"), poolclass=sa.NullPool)
    with pytest.raises(sa.exc.OperationalError, match="CONNECT"):
        other.connect()


def test_the_next_day_touches_changed_rows_only(home, admin, day_1):
    result, _ = day_1
    versions = "select record_id, xmin::text as touched from exchange.thesis"
    engine = sa.create_engine(
        admin.replace("postgresql://", "postgresql+psycopg://").rsplit("/", 1)[0] + "/exchange_10643"
    )
    before = {r["record_id"]: r["touched"] for r in select(engine, versions)}
    products_city.write(home, 2, INSTITUTIONS)
    products.prepare(home, 2, admin)
    after = {r["record_id"]: r["touched"] for r in select(engine, versions)}
    assert {i for i in after if after[i] != before.get(i)} == {f"10643-thesis-00{i}" for i in range(4)}
    products.prepare(home, 2, admin)
    assert {r["record_id"]: r["touched"] for r in select(engine, versions)} == after
    engine.dispose()
    shown = select(
        reader(result, "10643"),
        "select record_id, is_del from exchange.v_thesis order by update_time, record_id",
    )
    assert [(r["record_id"], r["is_del"]) for r in shown] == [
        ("10643-thesis-000", 0),
        ("10643-thesis-001", 0),
        ("10643-thesis-002", 1),
        ("10643-thesis-003", 0),
    ]
    students = "select count(*) as n from exchange.v_student where update_time >= '2026-10-15'"
    assert select(reader(result, "10643"), students) == [{"n": 4}]
