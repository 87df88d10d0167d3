"""`yuyan check` on platforms with an API: their resources as they may be shown, one that fails alone, and no more asked than
the first rows."""

import json

import fake_platforms as fake
import pytest
from typer.testing import CliRunner

from yuyan.commands.cli import app
from yuyan.domain import contracts, institutions

pytestmark = pytest.mark.usefixtures("work", "patience")

PERSONS = ("欧阳机密", "1398888", "5001011999", "隐秘路")


def check(inst_code: str, *options: str, code: int = 0) -> dict:
    done = CliRunner().invoke(app, ["check", inst_code, "--json", *options])
    assert done.exit_code == code, done.output
    assert not any(person in done.output for person in PERSONS)
    return json.loads(done.stdout)


def shown(report: dict, name: str) -> dict[str, dict]:
    (resource,) = [r for r in report["resources"] if r["name"] == name]
    return {column["name"]: column for column in resource["columns"]}


def test_a_versioned_platform_shows_its_resources_and_no_person(versioned, own_institutions):
    own_institutions("10611", "rest-versioned", entities=["org_unit", "student", "course"])
    versioned.records["org_unit"] = [fake.unit(i, dean="隐秘路1号", floor=3) for i in range(300)]
    versioned.records["student"] = [fake.student(i) for i in range(300)]
    versioned.faults["/course"] = [(404, {}, b"")] * 9
    report = check("10611", "--rows", "20")
    assert {(r["name"], *r["entities"], bool(r["problem"])) for r in report["resources"]} == {
        ("org_unit", "org_unit", False),
        ("student", "student", False),
        ("course", "course", True),
    }
    unit, student = shown(report, "org_unit"), shown(report, "student")
    assert (unit["unit_kind"]["values"], unit["is_entity"]["form"]) == (["1"], "aaaa")
    assert (unit["dean"]["form"], unit["floor"]["form"], unit["valid_to"]["form"]) == (
        "汉汉汉9汉",
        "整数",
        "（空）",
    )
    assert (student["mobile"]["personal"], student["cert_no"]["personal"]) == ("电话", "证件号码")
    assert {t["entity"]: (t["rows"], t["is_all"], bool(t["problem"])) for t in report["tried"]} == {
        "org_unit": (20, False, False),
        "student": (20, False, False),
        "course": (0, True, True),
    }
    assert all("limit=20" in q for q in versioned.questions if q.startswith(("/org_unit", "/student")))
    assert [text for text in report["missing"] if "HTTP 404" in text]


def test_a_field_that_the_platform_calls_otherwise_is_named_on_both_sides(versioned, own_institutions):
    own_institutions("10611", "rest-versioned", entities={"org_unit": {"fields": {"unit_name": "dept_name"}}})
    versioned.records["org_unit"] = [fake.unit(i) for i in range(5)]
    (tried,) = check("10611")["tried"]
    assert tried["absent"] == ["dept_name"]


def test_a_legacy_platform_shows_its_tables(legacy, own_institutions):
    own_institutions("10618", "rest-legacy", entities=["org_unit", "student"])
    known = institutions.load()["10618"]
    unit = known.mapping(contracts.load()["org_unit"])
    student = known.mapping(contracts.load()["student"])
    legacy.records[unit.table] = [
        dict.fromkeys(unit.announced, "x") | {"JLID": f"u{i}", "GXSJ": "20261014080000", "YXMC": f"第{i}学院"}
        for i in range(50)
    ]
    legacy.records[student.table] = [
        dict.fromkeys(student.announced)
        | {
            "JLID": f"s{i}",
            "GXSJ": "20261014080000",
            student.names["person_name"]: "欧阳机密",
            "BZ": f"1398888{i:04d}",
        }
        for i in range(50)
    ]
    report = check("10618", "--rows", "10")
    assert [r["name"] for r in report["resources"]] == [unit.table, student.table]
    assert shown(report, unit.table)["YXMC"]["form"] == "汉99汉汉"
    assert shown(report, student.table)["BZ"]["personal"] == "电话"
    assert {t["entity"]: t["rows"] for t in report["tried"]} == {"org_unit": 10, "student": 10}


def test_a_platform_that_refuses_the_login_stops_the_check_and_names_its_connection(
    versioned, legacy, own_institutions, connect
):
    """What Airflow logs of a connection (here: a secret too short to be masked) is not in the answer for a program."""
    connect("10611", conn_type="http", host="127.0.0.1", port=versioned.port, login="client", password="abc")
    own_institutions("10611", "rest-versioned", entities=["org_unit"])
    own_institutions("10618", "rest-legacy", entities=["org_unit"])
    versioned.faults["/oauth/token"] = [(401, {}, b"")] * 9
    legacy.key = "another"
    stopped = check("10611", code=1)["stopped"]
    assert "platform_10611" in stopped
    report = check("10618", code=1)
    assert "platform_10618" in report["stopped"]
