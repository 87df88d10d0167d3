"""The indicator dictionary says what the registry says, and its examples are those of the files."""

import csv
import io
import re

import pytest
from test_feedback import Text

from yuyan.pages import dictionary, examples


@pytest.fixture(scope="module")
def page() -> str:
    return dictionary.dictionary_page()


@pytest.fixture(scope="module")
def said(page) -> str:
    return str(Text(page))


@pytest.fixture(scope="module")
def listed() -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(dictionary.dictionary_csv().removeprefix("\ufeff"))))


def test_every_variant_is_there_with_all_that_the_registry_says(page, said, listed):
    registry = dictionary.seed("indicator")
    assert [row["variant_code"] for row in listed] == [row["variant_code"] for row in registry]
    for row, entry in zip(listed, registry, strict=True):
        assert row.items() >= entry.items()
        assert f'id="variant-{entry["variant_code"]}"' in page
        for column in ("name_zh", "numerator_zh", "denominator_zh", "caveat_zh", "clause_zh"):
            assert entry[column] in said, (entry["variant_code"], column)


def test_every_column_of_the_registry_has_a_chinese_name(said):
    for column in dictionary.seed("indicator")[0]:
        assert re.search(r"[\u4e00-\u9fff]", dictionary.label("indicator", column)), column


def test_every_variant_has_an_example(listed):
    assert [row["variant_code"] for row in listed if not row["examples"]] == []
    assert {name for row in listed for name in row["examples"].split(";")} == {
        c.name for c in examples.cases()
    }


def test_codes_are_explained():
    assert dictionary.explain("indicator", "estimator", "STRATIFIED") == "STRATIFIED 分层抽样"
    assert dictionary.explain("indicator", "grains", "city;institution") == "全市、培养单位"
    assert dictionary.explain("target", "path_kind", "LINEAR") == "LINEAR 直线"
    assert "类型、学科门类" in dictionary.explain("indicator", "comparator", "BENCHMARK")
    assert dictionary.explain("indicator", "unit_rule", "RATE(years=3;minimum=10)").startswith(
        "RATE(years=3;minimum=10) 多年"
    )
    assert dictionary.explain("indicator", "period_basis", "CY") == "CY 自然年"
    assert dictionary.explain("indicator", "caveat_zh", "说明") == "说明"


@pytest.mark.parametrize(
    ("kind", "numerator", "denominator", "period", "value"),
    [
        ("count", "4", "", "2026", 4),
        ("ratio", "1", "4", "2026", 0.25),
        ("ratio", "1", "0", "2026", None),
        ("index", "", "1", "2026", None),
        ("growth", "3", "2", "2027", 0.5),
        ("growth", "-1", "2", "2027", None),
        ("cagr", "4", "1", "2027", 1.0),
        ("cagr", "4", "1", "2025", None),
    ],
)
def test_values_follow_from_the_rows(kind, numerator, denominator, period, value):
    row = {"numerator": numerator, "denominator": denominator, "period_code": period}
    assert dictionary.value_of(row, {"value_kind": kind}) == (None if value is None else pytest.approx(value))


def test_the_worked_example_is_shown_with_its_sum(said):
    assert "H09，全市 500000，2025 期：30 ÷ 50 = 60 %" in said
    assert "给定：每篇被抽检论文的每次抽检一行（fct_thesis_sampling）" in said
    assert "H01，全市 500000，2026 期：2 = 2 个" in said
    assert "H05a，全市 500000，2027 期：1 ÷ 2 − 1 = -50 %" in said


def test_targets_and_paths_are_shown_in_the_published_unit(said):
    assert "2027 年 5；2028 年 8（低于 8 为偏离）" in said
    assert "目标值 98 %" in said
    assert "目标值 5% 年均增长" in said
    assert "目标值 趋势，无数值" in said


def test_contested_points_are_all_there_and_name_what_exists(page):
    decisions = dictionary.seed("decision_log")
    assert decisions
    known = {row["indicator_code"] for row in dictionary.seed("indicator")}
    items = {row["item_code"] for row in dictionary.seed("action_item")}
    for row in decisions:
        codes, named = (set(filter(None, row[c].split(";"))) for c in ("indicator_codes", "item_codes"))
        assert codes | named
        assert codes <= known
        assert named <= items
        anchors = [f"{code}-{row['decision_code']}" for code in codes] or [row["decision_code"]]
        assert [a for a in anchors if f'id="{a}"' not in page] == []
        assert row["present_handling_zh"]
        assert row["decided_by_zh"]


def test_variants_named_as_present_handling_are_registered():
    known = {row["variant_code"] for row in dictionary.seed("indicator")}
    text = " ".join(row["present_handling_zh"] for row in dictionary.seed("decision_log"))
    named = set(re.findall(r"H\d\d(?:-\w\w|[a-z])?", text))
    assert named
    assert named <= known | {code[:3] for code in known}


def test_another_definition_of_a_variant_is_shown_beside_the_one_in_force(monkeypatch):
    rows = list(dictionary.seed("indicator"))
    old = next(row for row in rows if row["variant_code"] == "H13a")
    new = old | {"definition_version": "2", "is_official": "false", "name_zh": "含升学口径"}
    seed = dictionary.seed
    monkeypatch.setattr(dictionary, "seed", lambda name: [*rows, new] if name == "indicator" else seed(name))
    dictionary._in_force.cache_clear()
    try:
        page = dictionary.dictionary_page()
    finally:
        dictionary._in_force.cache_clear()
    assert page.count('id="variant-H13a"') == page.count('id="variant-H13a-v2"') == 1
    assert "含升学口径" in page


def test_no_anchor_is_used_twice(page):
    anchors = re.findall(r'\bid="([^"]+)"', page)
    assert len(anchors) == len(set(anchors))


def test_a_composite_is_shown_with_its_parts_and_weights(page, said):
    for row in dictionary.seed("composite"):
        assert f'id="{row["indicator_code"]}"' in page
        for column in ("name_zh", "clause_zh", "reason_zh"):
            assert row[column] in said, column
    registered = {v["variant_code"] for v in dictionary.seed("indicator")}
    assert {row["variant_code"] for row in dictionary.seed("composite")} <= registered
