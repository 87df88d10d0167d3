"""How an institution's file says that a field is made: every option, what does not fit it, and files that are wrong."""

import polars as pl
import pytest

from yuyan import settings
from yuyan.collect import mapping as mapped
from yuyan.collect import privacy
from yuyan.domain import contracts, institutions
from yuyan.domain.contracts import NO_NUMBER

FILE = 'inst_code: "30001"\nname: 甲\nproduct: generic-database\nconnection: c\n'
COURSE = """
entities:
  course:
    table: kurs
    record_id: [nr, campus]
    fields:
      course_id: {text: "K-{campus}-{nr}"}
      inst_code: {text: "30001"}
      unit_code: {text: "{nr:1-3}"}
      course_name: titel
      course_rank_code: {column: art, codes: {Pflicht: "1"}, default: "2"}
      is_core: {column: kern, boolean: [J, N]}
      core_from: {column: von, date: dd-mon-yy}
      core_to: {column: bis, date: yyyy年m月d日}
      credits: {column: ects, times: 0.5}
      tag_codes: {column: tags, separator: ",", codes: {KI: AI1}}
      active_from: ab
formats: {date: d.m.yyyy, decimal: ","}
"""
ROW = {
    "nr": "00712", "campus": "A", "titel": " Logik ", "art": "Pflicht", "kern": "J", "von": "01-SEP-69",
    "bis": "2030年8月1日", "ects": "7,5", "tags": "KI, JC,", "ab": "1.9.2026",
}  # fmt: skip
MADE = {
    "course_id": "K-A-00712", "inst_code": "30001", "unit_code": "007", "course_name": "Logik", "course_rank_code": "1",
    "is_core": "true", "core_basis_code": None, "core_from": "2069-09-01", "core_to": "2030-08-01", "credits": "3.75",
    "tag_codes": "AI1;JC", "active_from": "2026-09-01", "active_to": None,
}  # fmt: skip


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Write an institution's file and read it back."""
    monkeypatch.setenv("YUYAN_INSTITUTIONS", str(tmp_path))

    def as_institution(text: str) -> institutions.Institution:
        (tmp_path / "30001.yml").write_text(FILE + text, encoding="utf-8")
        return institutions.load()["30001"]

    return as_institution


def made(
    institution: institutions.Institution, entity: str = "course", **row: str | None
) -> dict[str, str | None]:
    """One row of the source, mapped; with its record id as `id`."""
    contract = contracts.load()[entity]
    mapping = institution.mapping(contract)
    frame = pl.DataFrame([ROW | row], schema=dict.fromkeys(ROW, pl.String))
    columns = [mapped.record_id(mapping).alias("id"), *mapped.columns(contract, mapping)]
    return frame.select(columns).row(0, named=True)


def test_every_option_makes_the_value_that_the_contract_wants(read):
    institution = read(COURSE)
    assert institution.entities == ("course",)
    assert institution.mapping(contracts.load()["course"]).table == "kurs"
    assert made(institution) == MADE | {"id": "00712|A"}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"campus": None}, {"id": None, "course_id": None}),
        ({"campus": " "}, {"id": None, "course_id": None}),
        ({"nr": "1|2", "campus": "3"}, {"id": r"1\|2|3"}),
        ({"nr": "1", "campus": r"2\|3"}, {"id": r"1|2\\\|3"}),
        ({"nr": "07"}, {"unit_code": "07"}),  # too short to cut: as it is
        ({"art": "Wahl"}, {"course_rank_code": "Wahl"}),
        ({"art": None}, {"course_rank_code": "2"}),
        ({"art": ""}, {"course_rank_code": "2"}),
        ({"kern": "vielleicht"}, {"is_core": "vielleicht"}),
        ({"von": "01-FOO-69"}, {"core_from": "01-FOO-69"}),
        ({"von": "9-SEP-26"}, {"core_from": "9-SEP-26"}),
        ({"von": "01-sep-70"}, {"core_from": "1970-09-01"}),
        ({"bis": "2030/8/1"}, {"core_to": "2030/8/1"}),
        ({"ects": "1.234,5"}, {"credits": "617.25"}),
        ({"ects": "1.5"}, {"credits": "0.75"}),
        ({"ects": "sieben"}, {"credits": "sieben"}),
        ({"ects": "1,2,3"}, {"credits": "1,2,3"}),
        ({"ects": "1e2"}, {"credits": "50"}),
        ({"tags": ","}, {"tag_codes": None}),
        ({"tags": "XX"}, {"tag_codes": "XX"}),
        ({"ab": "2026-09-01"}, {"active_from": "2026-09-01"}),
        ({"ab": "31.13.2026"}, {"active_from": "2026-13-31"}),
    ],
)  # fmt: skip
def test_what_does_not_fit_stays_for_a_rule_to_name(read, row, expected):
    found = made(read(COURSE), **row)
    assert {name: found[name] for name in expected} == expected


STUDENT = """
entities:
  student:
    table: s
    record_id: nr
    fields:
      student_id: nr
      cert_type: {text: "01"}
      cert_no: {column: ident}
      person_name: {text: "{first} {last}"}
"""


def test_what_identifies_a_person_is_made_before_it_is_hashed_and_does_not_land(read):
    contract = contracts.load()["student"]
    mapping = read(STUDENT).mapping(contract)
    rows = {"nr": ["1", "2"], "ident": ["11010519491231002X", "无"], "first": ["A", "B"], "last": ["C", "D"]}
    landed = privacy.protect(pl.DataFrame(rows), contract, mapping, b"key", 1)
    assert landed.columns == ["nr", "person_key", "person_key_version"]
    key, none = landed["person_key"].to_list()
    assert (len(key), none, landed["person_key_version"].to_list()) == (64, None, ["1", NO_NUMBER])


def field(entity: str, name: str, what: str) -> str:
    return f"entities:\n  {entity}:\n    record_id: a\n    fields:\n      {name}: {what}\n"


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        (field("course", "credits", "{column: a, times: 0}"), 9, "times: 0"),
        (field("course", "credits", "{column: a, times: many}"), 9, "decimal"),
        (field("course", "course_name", "{column: a, times: 2}"), 9, "times: is for integer and number fields"),
        (field("course", "credits", "{column: a, date: yyyymmdd}"), 9, "date: is for date fields"),
        (field("course", "core_from", "{column: a, date: yyyy-mm}"), 9, "once each, as in dd.mm.yyyy"),
        (field("course", "core_from", "{column: a, date: dd/mm/mm/yyyy}"), 9, "is no form of a date"),
        (field("course", "is_core", "{column: a, boolean: [J]}"), 9, "boolean"),
        (field("course", "course_name", "{column: a, text: b}"), 9, "either column: or text:"),
        (field("course", "course_name", "{codes: {a: b}}"), 9, "either column: or text:"),
        (field("course", "course_name", '{text: "{a"}'), 9, "brace"),
        (field("course", "course_name", '{text: "{a:3-2}"}'), 9, "count from 1"),
        (field("course", "course_name", "{column: a, cut: 3}"), 9, "Extra inputs"),
        (field("course", "is_core", "{column: a, codes: {x: 1}}"), 9, "quotes"),
        (field("course", "hair", "a"), 9, "is not a field that a platform supplies"),
        (field("student", "student_id", '"{ident}"') + "      cert_no: '{ident}'\n", 9, "is the name of two fields"),
        (field("student", "student_id", '{text: "X{ident}"}') + "      cert_no: ident\n", 9, "identifies a person"),
        (field("student", "mobile", "a"), 7, "identifies a person"),
        ("entities:\n  course: {table: kurs, fields: {course_name: a}}\n", 6, "has no record_id"),
        ("entities:\n  course: {table: kurs}\n", 6, "no map of course"),
        ("entities:\n  course: {recordid: a}\n", 6, "Extra inputs"),
        ("formats: {delimiter: ';;'}\n", 5, "at most 1 character"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_with_its_line_and_what_to_do(read, text, line, says):
    with pytest.raises(institutions.InstitutionError, match=says) as refused:
        read(text)
    assert str(refused.value).startswith(f"{settings.institutions_dir() / '30001.yml'}:{line}:")


def test_a_product_that_pages_by_one_record_id_takes_no_composite(read, tmp_path):
    text = FILE.replace("generic-database", "rest-versioned") + "entities: {course: {record_id: [a, b]}}\n"
    (tmp_path / "30001.yml").write_text(text, encoding="utf-8")
    with pytest.raises(institutions.InstitutionError, match="by one record id"):
        institutions.load()["30001"]
