"""Two foreign platforms connected as the how-to tells, with YAML alone: from registration and first check to accepted rows.

One drops files (GB18030 with semicolons, a workbook; no manifest), the other has a database of its own. Names, dates, codes,
units and record ids are theirs; columns that nobody asked for, and persons, are among them.
"""

import json
from datetime import date
from pathlib import Path

import polars as pl
import psycopg
import pytest
import sqlalchemy as sa
import xlsxwriter
import yaml
from typer.testing import CliRunner

from support import fill, how_to
from yuyan import settings
from yuyan.commands.cli import app
from yuyan.domain import contracts, institutions, registration, stewards, yaml_file
from yuyan.load.run import collect_institution
from yuyan.validate.run import validate

AS_OF = date(2026, 10, 15)
PERSONS = ("Müller", "Anna Lee", "Bo Chan", "13900000001", "P1234567", "Q7654321", "anna@example.org")
"""What must never be shown of a person."""

UNITS = [
    ["campus", "nr", "bezeichnung", "art", "real", "von", "hausmeister"],
    *(
        [c, f"{n:02}", f"Bereich {c}{n}", "Fak" if n % 2 else "Inst", "J", "19980901", "Müller"]
        for c in "AB"
        for n in range(1, 9)
    ),
]
COURSES = [
    ["lvnr", "bereich", "titel", "art", "kern", "minuten", "tags", "von", "raum"],
    *(
        [f"LV{n:03}", f"A{n % 8 + 1:02}-x", f"Kurs {n}", "P" if n % 3 else "W", "N", "2500", "AI1,", "01.09.2015", "H1"]
        for n in range(40)
    ),
    ["LV900", "A01-x", "Kurs 900", "Wahl", "N", "zwei", "", "2015-09-31", "H1"],
]  # fmt: skip


@pytest.fixture
def city(warehouse, tmp_path, monkeypatch):
    """A warehouse without institutions, a folder of institution files and a stewards' file of the test's own."""
    folder = tmp_path / "institutions"
    folder.mkdir()
    accounts = tmp_path / "stewards.yml"
    accounts.write_text(settings.stewards_file().read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setenv("YUYAN_INSTITUTIONS", str(folder))
    monkeypatch.setenv("YUYAN_STEWARDS", str(accounts))
    stewards.forget()
    with psycopg.connect(warehouse, autocommit=True) as connection:
        yield connection
    stewards.forget()


def yuyan(*words: str, code: int = 0) -> str:
    """What the command prints."""
    done = CliRunner().invoke(app, list(words), env={"COLUMNS": "200"})
    assert done.exit_code == code, done.output
    assert not any(person in done.output for person in PERSONS)
    return done.output


def check(inst_code: str, *options: str, code: int = 0) -> dict:
    return json.loads(yuyan("check", inst_code, "--json", *options, code=code))


def judged(report: dict) -> dict[str, tuple[int, int, set[str]]]:
    """Entity -> rows tried, rows that would be accepted, rules that fail."""
    return {
        t["entity"]: (t["rows"], t["verdict"]["accepted"], {f["rule_id"] for f in t["verdict"]["failures"]})
        for t in report["tried"]
    }


def commission_delivers(city: psycopg.Connection, inst_code: str) -> None:
    """The commission's record of the institution arrives and is accepted."""
    record, _ = registration.from_commission()
    row = {f.name: record.sample.get(f.name) for f in record.supplied} | {"inst_code": inst_code}
    meta = {
        "src_inst_code": settings.COMMISSION,
        "src_record_id": inst_code,
        "change_version": 1,
        "is_deleted": False,
    }
    fill.load(city, {"institution": pl.DataFrame([meta | row])}, f"commission-{inst_code}")
    validate("run-0", AS_OF, ["institution"])


def line(inst_code: str) -> tuple[dict, dict]:
    """Collect and validate as the DAGs do; results of both."""
    collected = collect_institution(inst_code, "run-1", AS_OF)
    return collected, validate("run-1", AS_OF, institutions.load()[inst_code].entities)


def rows(city: psycopg.Connection, query: str) -> list[tuple]:
    return city.execute(query).fetchall()


@pytest.mark.database
def test_a_platform_that_drops_files_of_its_own_kind(city, connect, tmp_path):
    told = yuyan("institution", "new", "19001", "--name", "示例大学", "--product", "generic-files")
    assert all(
        part in told for part in ("先由市教委报送", "AIRFLOW_CONN_PLATFORM_19001", "yuyan check 19001")
    )
    assert [s.name for s in stewards.load().values() if s.inst_code == "19001"] == [
        "data-19001-1",
        "data-19001-2",
    ]
    assert "# Who may act" in settings.stewards_file().read_text(encoding="utf-8")
    assert "已存在" in yuyan(
        "institution", "new", "19001", "--name", "x", "--product", "generic-files", code=1
    )

    connect("19001", conn_type="fs", extra={"path": str(tmp_path / "drop")})
    assert "不存在" in check("19001", code=1)["stopped"]
    deliver(tmp_path / "drop" / "2026-10-15")
    first = check("19001")
    assert {r["name"]: len(r["columns"]) for r in first["resources"]} == {"bereich_2026.csv": 7, "lv.xlsx": 9}
    forms = {c["name"]: c["form"] for r in first["resources"] for c in r["columns"]}
    assert (forms["bezeichnung"], forms["minuten"]) == ("Aaaaaaa A9", "9999")
    assert ["没有说明任何实体" in text for text in first["missing"]] == [False, True]

    path = settings.institutions_dir() / "19001.yml"
    path.unlink()
    how_to.follow(
        settings.PROJECT,
        "connect-an-institution",
        "Names and values of its own",
        {"include/institutions/": path.parent},
    )
    tried = check("19001")
    assert [text for text in tried["missing"] if "培养单位记录" in text]
    of_course = {"QR.course.course_rank_code.4", "QR.course.credits.2", "QR.course.active_from.2"}
    assert judged(tried) == {
        "org_unit": (16, 0, {"QR.org_unit.inst_code.5"}),
        "course": (41, 40, of_course),
    }
    (unknown,) = [
        f for t in tried["tried"] for f in t["verdict"]["failures"] if f["rule_id"].endswith("rank_code.4")
    ]
    assert (unknown["rows"], unknown["first_row"], unknown["observed"]) == (1, 41, ["Wahl"])
    assert rows(city, "select count(*) from raw.course union all select count(*) from ops.batch") == [
        (0,),
        (0,),
    ]

    commission_delivers(city, "19001")
    assert check("19001")["missing"] == []
    collected, validated = line("19001")
    assert (collected["outcome"], collected["error"], collected["rows_stored"]) == ("success", None, 57)
    assert {e: (v["accepted"], v["quarantined"]) for e, v in validated.items()} == {
        "org_unit": (16, 0),
        "course": (40, 1),
    }
    columns = "course_id, unit_code, course_rank_code, is_core, credits::float, tag_codes, active_from"
    assert rows(city, f"select {columns} from accepted.course where src_record_id = 'LV001'") == [
        ("LV001", "A02", "1", False, 2.5, ["AI1"], date(2015, 9, 1))
    ]
    assert rows(
        city, "select unit_code, unit_kind, valid_from from accepted.org_unit where src_record_id = 'B|02'"
    ) == [("B02", "20", date(1998, 9, 1))]
    assert rows(
        city, "select row_no, observed_value from quality.row_failure where rule_id = 'QR.course.credits.2'"
    ) == [(41, "zwei")]

    path.write_text(path.read_text(encoding="utf-8").replace('W: "2"', 'W: "3"'), encoding="utf-8")
    changed = {t["entity"]: t["verdict"]["changed"] for t in check("19001", "--against", "landing")["tried"]}
    assert changed == {"org_unit": 0, "course": 14}
    assert rows(city, "select distinct course_rank_code from accepted.course order by 1") == [("1",), ("2",)]


def deliver(folder: Path) -> None:
    folder.mkdir(parents=True)
    text = "".join(";".join(row) + "\r\n" for row in UNITS)
    (folder / "bereich_2026.csv").write_bytes(text.encode("gb18030"))
    with xlsxwriter.Workbook(folder / "lv.xlsx") as book:
        sheet = book.add_worksheet()
        for number, row in enumerate(COURSES):
            sheet.write_row(number, 0, row)
    (folder / "_SUCCESS").touch()


STAFF = """
org_unit:
  table: dept
  record_id: code
  fields:
    inst_code: {text: "19002"}
    unit_code: code
    unit_name: title
    unit_kind: {text: "10"}
    is_entity: {text: "true"}
    valid_from: {text: "1990-01-01"}
supervisor:
  table: STAFF
  record_id: [site, staff_no]
  version: changed_at
  deleted: gone
  fields:
    supervisor_id: {text: "19002-{site}-{staff_no}"}
    person_name: full_name
    mobile: phone
    cert_type: {text: "03"}
    cert_no: passport
    inst_code: {text: "19002"}
    unit_code: {column: dept, default: D1}
    supervisor_kind: {column: kind, codes: {internal: "1"}}
    title_code: {column: rank, codes: {prof: "011", lect: "013"}}
    qualification_code: {text: "2"}
    nationality_code: nation
    first_appointed_on: {column: hired, date: mm/dd/yyyy}
    status_code: {column: state, codes: {A: "10", L: "90"}}
"""
PEOPLE = [
    (1, "N", "Anna Lee", "P1234567", "13900000001", "anna@example.org", "D1", "prof", "09/30/2010", "A", 0),
    (1, "S", "Bo Chan", "Q7654321", "13900000001", "", None, "lect", "01/15/2011", "L", 0),
    (2, "S", "Bo Chan", "", "13900000001", "", "D2", "lect", "15/01/2011", "A", 0),
    (3, "S", "Anna Lee", "P1234567", "", "", "D1", "prof", "09/30/2010", "A", 1),
]


@pytest.mark.database
def test_a_platform_with_a_database_of_its_own(city, connect, tmp_path):
    yuyan("institution", "new", "19002", "--name", "海外示例大学", "--product", "generic-database")
    url = f"sqlite:///{tmp_path / 'campus.db'}"
    fill_database(url)
    connect("19002", conn_type="sqlite", extra={"sqlalchemy_url": url})
    first = check("19002")
    found = {
        r["name"]: {c["name"]: (c["form"], c["personal"]) for c in r["columns"]} for r in first["resources"]
    }
    assert found["staff"]["phone"] == ("（已隐去）", "电话")
    assert found["staff"]["email"] == ("（已隐去）", "电子邮箱")
    assert found["staff"]["full_name"] == ("Aaaa Aaa", "")
    proposed = yaml.safe_load(first["proposal"])["entities"]["course"]
    assert proposed["fields"] == {
        "inst_code": {"text": "19002"}, "course_id": "KCBH", "unit_code": "YXDM", "course_name": "KCMC",
        "credits": "XF", "active_from": {"column": "QYRQ", "date": "dd.mm.yyyy"},
    }  # fmt: skip
    assert (proposed["table"], proposed["record_id"], "缺必填：课程属性" in first["proposal"]) == (
        "kc_xx",
        "KCBH",
        True,
    )

    path = settings.institutions_dir() / "19002.yml"
    file = yaml_file.read(path) | {"entities": yaml.safe_load(STAFF)}
    path.write_text(yaml.safe_dump(file, allow_unicode=True), encoding="utf-8")
    commission_delivers(city, "19002")
    tried = check("19002")
    assert tried["missing"] == []
    failing = {"QR.supervisor.first_appointed_on.2", "QR.supervisor.person_key.1"}
    assert judged(tried) == {"org_unit": (2, 2, set()), "supervisor": (4, 2, failing)}
    collected, validated = line("19002")
    assert (collected["outcome"], collected["error"], collected["rows_stored"]) == ("success", None, 6)
    assert validated["supervisor"]["accepted"] == 2
    columns = "src_record_id, unit_code, title_code, first_appointed_on, status_code, length(person_key)"
    assert rows(city, f"select {columns} from accepted.supervisor order by 1") == [
        ("N|1", "D1", "011", date(2010, 9, 30), "10", 64),
        ("S|1", "D1", "013", date(2011, 1, 15), "90", 64),
    ]
    landed = [pl.read_parquet(f) for f in Path(settings.landing()).glob("19002/supervisor/*.parquet")]
    assert landed
    assert not any(person in str(frame.to_dicts()) for frame in landed for person in PERSONS)
    again = collect_institution("19002", "run-2", AS_OF)
    assert (again["outcome"], again["rows_stored"]) == ("success", 0)


def fill_database(url: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for statement in (
            "create table dept (code text, title text, budget integer)",
            "insert into dept values ('D1', 'Engineering', 1), ('D2', 'Law', 2)",
            "create table staff (staff_no integer, site text, full_name text, passport text, phone text, email text, "
            "dept text, rank text, hired text, state text, gone integer, kind text, nation text, changed_at timestamp)",
            "create table kc_xx (KCBH text, YXDM text, KCMC text, XF numeric, QYRQ text, BZ text)",
            "insert into kc_xx values ('k1', 'D1', 'Logic', 2, '31.08.2020', ''), "
            "('k2', 'D1', 'Ethics', 3, '01.09.2020', '')",
        ):
            connection.exec_driver_sql(statement)
        for person in PEOPLE:
            connection.exec_driver_sql(
                f"insert into staff values ({', '.join('?' * 11)}, 'internal', 'DEU', '2026-10-01 08:00:00')",
                person,
            )
    engine.dispose()


def test_what_the_commission_delivers_follows_from_the_contracts():
    record, others = registration.from_commission()
    assert record.entity == "institution"
    assert {c.owner for c in others} == {"commission"}
    assert set(others) < set(contracts.load().values())
