"""The registry and the targets agree with docs/indicators.md and with the plan's own sentences."""

import csv
import re

import pytest

from yuyan import settings
from yuyan.domain import contracts

PAGE = (settings.PROJECT / "docs" / "indicators.md").read_text(encoding="utf-8")
OPERATORS = {"≥": ">=", ">": ">", "trend": "trend"}


def seed(name: str) -> list[dict[str, str]]:
    """Rows of a seed of the plan."""
    with open(settings.SEEDS / "plan" / f"{name}.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def table(header: str) -> list[list[str]]:
    """Cells of the page's table with this header."""
    lines = PAGE[PAGE.index(header) :].splitlines()[2:]
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


@pytest.fixture(scope="module")
def documented() -> dict[str, tuple[str, str, bool]]:
    """Variant -> (basis, first year, official) as the page has them."""
    variants = {}
    for names, basis, *_ in table("| variant | basis · first |"):
        code, *more = re.split(r" / ", names.removesuffix(" ★"))
        kind, years = basis.split(" ", 1)
        first = re.split(r" / ", years)
        for i, name in enumerate([code, *more]):
            variants[name] = (kind, first[min(i, len(first) - 1)], names.endswith("★"))
    return variants


def test_the_page_and_the_registry_have_the_same_variants(documented):
    registered = {
        r["variant_code"]: (r["period_basis"], r["first_year"], r["is_official"] == "true")
        for r in seed("indicator")
    }
    assert len(registered) == 50
    assert registered == documented


def test_every_headline_target_has_one_official_variant():
    official = [r["indicator_code"] for r in seed("indicator") if r["is_official"] == "true"]
    assert official == [f"H{n:02d}" for n in range(1, 16)]


def test_the_page_and_the_targets_agree():
    documented = {}
    for names, op, target, path in table("| target | op | T | path |"):
        number = target.replace("+5 % a year", "0.05").replace("—", "")
        for name in names.split(", "):
            documented[name] = (OPERATORS[op], float(number) if number else None, path.split()[0].rstrip(","))
    rows = {
        r["variant_code"]: (r["op"], float(r["target_value"]) if r["target_value"] else None, r["path_kind"])
        for r in seed("target")
    }
    assert len(rows) == 15
    assert rows == documented


def test_the_page_and_the_steps_agree():
    (path,) = [row[3] for row in table("| target | op | T | path |") if row[0] == "H01"]
    documented = re.findall(r"(\d{4}) (\d+)(?: \(red below (\d+)\))?", path)
    assert [(r["period_year"], r["path_value"], r["red_below"]) for r in seed("target_path")] == documented


def test_a_clause_is_a_sentence_of_the_plan():
    sentences = {(r["indicator_code"], r["source_sentence"]) for r in seed("plan_target_text")}
    assert {(r["indicator_code"], r["clause_zh"]) for r in seed("indicator")} - sentences == set()


def test_a_target_value_is_the_plans():
    plan = {r["indicator_code"]: r for r in seed("plan_target_text")}
    for r in seed("target"):
        text = plan[r["variant_code"][:3]]
        if text["target_value"]:
            scale = 100 if text["unit"] == "%" else 1
            assert float(r["target_value"]) * scale == pytest.approx(float(text["target_value"])), r[
                "variant_code"
            ]


def test_a_path_has_what_it_needs():
    for r in seed("target"):
        thresholds = bool(r["green_from"] and r["amber_from"])
        assert thresholds == (r["path_kind"] in ("LINEAR", "CAGR")), r["variant_code"]
        assert bool(r["baseline_status"]) == thresholds, r["variant_code"]
        # signed is a figure; provisional is one that follows from the definition, or the unit's own of the base year
        assert r["baseline_value"] or r["baseline_status"] != "SIGNED", r["variant_code"]
        assert r["baseline_status"] in ("PROVISIONAL", "SIGNED") or not r["baseline_value"], r["variant_code"]
        assert not thresholds or float(r["green_from"]) > float(r["amber_from"])


def test_guards_name_variants_and_reasons_that_exist():
    variants = {r["variant_code"]: r for r in seed("indicator")}
    reasons = {r["status_reason_code"] for r in seed("indicator_status")}
    guarded = {code: r for code, r in variants.items() if r["guard_variant_code"]}
    assert set(guarded) == {"H06", "H13a"}
    for r in guarded.values():
        assert variants[r["guard_variant_code"]]["period_basis"] == r["period_basis"]
        assert r["guard_reason_code"] in reasons
        assert 0 < float(r["guard_minimum"]) < 1


def test_grains_are_known_and_models_can_count_them():
    known = [r["grain"] for r in seed("grain")]
    for r in seed("indicator"):
        grains = r["grains"].split(";")
        assert {"city", "institution"} <= set(grains) <= set(known), r["variant_code"]
        assert grains == sorted(grains, key=known.index), r["variant_code"]
    for r in seed("target"):
        (of_variant,) = {v["grains"] for v in seed("indicator") if v["variant_code"] == r["variant_code"]}
        finer = set(filter(None, r["judged_finer_grains"].split(";")))
        assert finer <= set(of_variant.split(";")) - {"city", "institution"}, r["variant_code"]


def test_the_page_and_the_registry_have_the_same_grains():
    documented = {
        code: {"city", "institution", *re.findall(r"`(\w+)`", grains)}
        for codes, grains in table("| indicator | finer grains |")
        for code in codes.split(", ")
    }
    registered = {(r["indicator_code"], frozenset(r["grains"].split(";"))) for r in seed("indicator")}
    assert registered == {(code, frozenset(grains)) for code, grains in documented.items()}
    described = {
        g for names, *_ in table("| grain | a unit is | `unit_code` |") for g in re.findall(r"`(\w+)`", names)
    }
    assert described == {r["grain"] for r in seed("grain")} - {"city", "institution"}


def test_sources_are_entities():
    named = {entity for r in seed("indicator") for entity in r["source_entities"].split(";")}
    assert named - set(contracts.load()) == set()


def test_every_denominator_says_on_which_day_it_is_read():
    for row in seed("indicator"):
        assert bool(row["denominator_day_zh"]) == (row["value_kind"] != "count"), row["variant_code"]


def test_no_baseline_is_signed_before_somebody_signed_it():
    assert {r["baseline_status"] for r in seed("target")} <= {"", "MISSING", "PROVISIONAL"}


def test_a_third_of_the_core_courses_is_due_at_the_end_of_2027():
    levels = {r["year"]: r["level"] for r in seed("milestone") if r["series_code"] == "M06.1"}
    assert levels == {"2024": "0", "2027": "0.3", "2030": "1"}
