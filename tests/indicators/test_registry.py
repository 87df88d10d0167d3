"""The registry and the targets, compiled from include/indicators, agree with the plan's sentences and each other."""

import csv

import pytest

from yuyan import settings
from yuyan.domain import contracts, indicators


def seed(name: str) -> list[dict[str, str]]:
    """Rows of a seed of the plan."""
    with open(settings.SEEDS / "plan" / f"{name}.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_indicator_has_one_official_variant_and_a_target_is_of_it():
    official = {
        r["indicator_code"]: r["variant_code"] for r in seed("indicator") if r["is_official"] == "true"
    }
    assert set(official) == set(indicators.load())
    assert {r["variant_code"] for r in seed("target")} <= set(official.values())


def test_a_clause_is_a_sentence_of_the_plan():
    sentences = {(r["indicator_code"], r["source_sentence"]) for r in seed("plan_target_text")}
    headlines = {code for code, _ in sentences}
    clauses = {
        (r["indicator_code"], r["clause_zh"]) for r in seed("indicator") if r["indicator_code"] in headlines
    }
    assert clauses
    assert clauses - sentences == set()


def test_a_target_value_is_the_plans():
    plan = {r["indicator_code"]: r for r in seed("plan_target_text")}
    indicator_of = {r["variant_code"]: r["indicator_code"] for r in seed("indicator")}
    assert set(indicator_of.values()) & set(plan)
    for r in seed("target"):
        text = plan.get(indicator_of[r["variant_code"]], {"target_value": ""})
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
    assert guarded
    for r in guarded.values():
        assert variants[r["guard_variant_code"]]["period_basis"] == r["period_basis"]
        assert r["guard_reason_code"] in reasons
        assert 0 < float(r["guard_minimum"]) < 1


def test_grains_are_known_and_models_can_count_them():
    known = [r["grain"] for r in seed("grain")]
    for r in seed("indicator"):
        grains = r["grains"].split(";")
        assert {"city"} <= set(grains) <= set(known), r["variant_code"]
        assert grains == sorted(grains, key=known.index), r["variant_code"]
    for r in seed("target"):
        (of_variant,) = {v["grains"] for v in seed("indicator") if v["variant_code"] == r["variant_code"]}
        finer = set(filter(None, r["judged_finer_grains"].split(";")))
        assert finer <= set(of_variant.split(";")) - {"city", "institution"}, r["variant_code"]


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
