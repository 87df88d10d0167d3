"""What a check shows of rows that nobody has mapped: never a person; and what it recognises in them."""

import polars as pl
import pytest
import yaml

from yuyan.check import propose, recognise, samples
from yuyan.collect.field_names import HIDDEN
from yuyan.collect.source import Resource
from yuyan.domain import contracts

STUDENT = contracts.load()["student"]


def seen(*values: str | None, name: str = "x") -> samples.Column:
    (column,) = samples.columns(Resource("t", pl.DataFrame({name: pl.Series(values, dtype=pl.String)})))
    return column


@pytest.mark.parametrize(
    ("values", "form", "shown"),
    [
        (["男", "女"] * 6, "汉", ("女", "男")),
        (["硕士"] * 6, "汉汉", ("硕士",)),
        (["王伟"] * 6, "汉汉", ()),
        (["Wu"] * 6, "Aa", ()),
        (["WU"] * 6, "AA", ()),
        (["A", "B"] * 6, "A", ("A", "B")),
        (["10", "20"] * 6, "整数", ("10", "20")),
        (["10"] * 4, "整数", ()),
        (["20231"] * 6, "整数", ()),
        (["007", "012"], "999", ()),
        (["1,5", "2"], "数值", ()),
        (["2013J"] * 6, "9999A", ()),
        (["true", "false"] * 6, "aaaa", ("false", "true")),
        (["13.09.2026", "01.02.2026"], "dd.mm.yyyy", ()),
        (["01/02/2026"], "dd/mm/yyyy 或 mm/dd/yyyy", ()),
        (["01/02/2026", "13/02/2026"], "dd/mm/yyyy", ()),
        (["20260131", "20261231"], "yyyymmdd", ()),
        (["2026-01-31 00:00:00"], "yyyy-mm-dd", ()),
        (["01-SEP-26"], "dd-mon-yy", ()),
        (["", None, " "], "（空）", ()),
        (["x" * 40], "a" * 24 + "…", ()),
    ],
)
def test_values_are_shown_where_they_are_codes_and_as_shapes_elsewhere(values, form, shown):
    column = seen(*values)
    assert (column.form, column.values) == (form, shown)


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("11010519491231002X", "证件号码"),
        ("110105491231002", "证件号码"),
        ("13900000001", "电话"),
        ("+86 139-0000-0001", "电话"),
        ("+49 30 1234567", "电话"),
        ("023-68000000", "电话"),
        ("a.b@example.org", "电子邮箱"),
    ],
)
def test_what_looks_like_a_persons_is_hidden_whatever_stands_beside_it(value, what):
    column = seen("10", "10", "10", "10", "10", value)
    assert (column.personal, column.form, column.values) == (what, "（已隐去）", ())


def test_a_first_line_that_is_a_person_is_not_shown_as_names():
    assert [seen("a", name=n).name for n in ("13900000001", "姓名", "x" * 65)] == [HIDDEN, "姓名", HIDDEN]


def rows(**columns: list[str | None]) -> pl.DataFrame:
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))


@pytest.mark.parametrize(
    ("column", "values", "field", "is_guess"),
    [
        ("student_id", ["1"], "student_id", False),
        ("StudentId", ["1"], "student_id", False),
        ("学籍编号", ["1"], "student_id", False),
        ("XJBH", ["1"], "student_id", True),
        ("xuejibianhao", ["1"], "student_id", True),
        ("XH", ["1"], "student_id", False),  # as another product calls it
        ("study-mode", ["1"], "study_mode", False),
        ("entry_date", ["2026-09-01"], "entry_on", True),
        ("entryDate", ["2026-09-01"], "entry_on", True),
        ("entry_date", ["soon"], None, None),
        ("姓名", ["王伟"], "person_name", False),
        ("colour", ["1"], None, None),
    ],
)
def test_a_column_is_recognised_by_name_label_pinyin_or_another_products_name(
    column, values, field, is_guess
):
    found = recognise.fields(STUDENT, rows(**{column: values}))
    assert {name: (m.column, m.is_guess) for name, m in found.items()} == (
        {field: (column, is_guess)} if field else {}
    )


@pytest.mark.parametrize(
    "name", ["student", "students.csv", "V_STUDENT", "学籍.xlsx", "dbo.tbl_student", "student_2026.csv"]
)
def test_a_table_is_recognised_by_its_name(name):
    assert recognise.is_called(name, STUDENT)
    assert not recognise.is_called(name, contracts.load()["course"])


def test_a_proposal_is_yaml_that_names_doubts_and_gaps_and_no_values_of_persons():
    table = rows(
        学籍编号=["S1", "S2"], 姓名=["王伟", "李娜"], 性别=["男", "女"], 入学日期=["1.9.2026", "13.9.2026"], 备注=["x", "y"]
    )  # fmt: skip
    text = propose.yaml("19001", [Resource("学籍.csv", table)], ["student", "course"], with_version=True)
    proposed = yaml.safe_load(text)["entities"]
    assert proposed.keys() == {"student"}
    fields = proposed["student"]["fields"]
    assert fields["gender_code"] == {"column": "性别", "codes": {"女": "2", "男": "1"}}
    assert (proposed["student"]["record_id"], fields["inst_code"]) == ("学籍编号", {"text": "19001"})
    assert "缺必填：" in text
    assert "未用到的列：备注" in text
    assert "王伟" not in text
    assert propose.yaml("19001", [Resource("别的", rows(甲=["1"]))], ["student"], with_version=False) == ""
