"""The truth the project is tested against: planted defects, accepted records, numerators and denominators."""

from datetime import date

import judge
import polars as pl
import pytest
from tiny_city import SEED, SMALL

from yuyan import settings
from yuyan.domain import catalogue, contracts
from yuyan_demo.simulator import day_files, population, truth
from yuyan_demo.simulator.planting import KEY
from yuyan_demo.simulator.truth_table import CITY


@pytest.fixture(scope="module")
def indicators(days) -> pl.DataFrame:
    """The indicators of day 1."""
    return truth.indicators(days[0])


def test_planted_rules_exist_with_their_severity_and_cover_levels_1_to_4(days):
    rules = {r.rule_id: r for of_entity in catalogue.load().rules.values() for r in of_entity}
    planted = pl.concat([d.defects for d in days]).unique("rule_id")
    assert {r: s for r, s in planted.select("rule_id", "severity").iter_rows()} == {
        r: rules[r].severity for r in planted["rule_id"]
    }
    levels = [rules[r].level for r in planted["rule_id"]]
    assert {1, 2, 3, 4} <= set(levels)


def test_every_business_rule_is_broken_somewhere(days):
    business = {
        r.rule_id
        for rules in catalogue.load().rules.values()
        for r in rules
        if int(r.rule_id.rsplit(".", 1)[1]) >= 11
    }
    assert business <= set(pl.concat([d.defects for d in days])["rule_id"])


def test_a_larger_city_breaks_the_same_rules(days):
    larger = population.build(SEED, 0.02, 1)
    assert set(larger.defects["rule_id"]) == set(days[0].defects["rule_id"])


def test_defects_heal_and_appear(days):
    first, second, third = (d.defects.drop("state") for d in days)
    healed = first.join(second, on=first.columns, how="anti")
    assert {"QR.practice_participation.project_id.5", "QR.employment.destination_code.4"} <= set(
        healed["rule_id"]
    )
    new = second.join(first, on=first.columns, how="anti")
    assert (new["rule_id"] == "QR.student.degree_level.18").sum() == 2
    past = second.join(third, on=first.columns, how="anti")
    assert set(past["severity"]) == {
        "WARN"
    }  # of a changed past: what was accepted yesterday is the past of today
    assert past.join(first, on=first.columns, how="semi").is_empty()


def test_an_impossible_jump_leaves_the_accepted_version_in_place(days):
    first, second, _ = days
    jumped = second.defects.filter(pl.col("rule_id") == "QR.student.degree_level.18").select(KEY)
    held = second.accepted("student").join(jumped, on=KEY, how="semi")
    assert held.equals(first.accepted("student").join(jumped, on=KEY, how="semi"))
    assert set(held["degree_level"]) == {"2"}
    assert set(second.frames["student"].join(jumped, on=KEY, how="semi")["degree_level"]) == {"1"}


@pytest.mark.database
def test_a_naive_judge_of_all_rules_finds_the_planted_defects_and_no_others(warehouse, tmp_path):
    opinion = judge.Judge(warehouse)
    try:
        for number in (1, 2, 3):
            made = day_files.write(tmp_path, SEED, SMALL, number)
            found = opinion.take(tmp_path / "simulator" / "state" / f"day_{number}", str(made.as_of))
            planted = made.defects.drop("state")
            assert found.join(planted, on=planted.columns, how="anti").rows() == [], (
                f"day {number}: not planted"
            )
            assert planted.join(found, on=planted.columns, how="anti").rows() == [], (
                f"day {number}: nobody finds them"
            )
            for entity, contract in contracts.load().items():
                names = [*KEY, *(f.name for f in contract.supplied if f.privacy is None)]
                held = opinion.accepted(entity).select(names).sort(KEY)
                assert held.equals(made.accepted(entity).select(names)), f"day {number}: {entity}"
    finally:
        opinion.close()


@pytest.mark.database
def test_without_defects_no_rule_fails(warehouse, tmp_path):
    for entity, frame in population.clean(7, SMALL).items():
        frame.write_parquet(tmp_path / f"{entity}.parquet")
    opinion = judge.Judge(warehouse)
    try:
        assert opinion.take(tmp_path, str(settings.FIRST_AS_OF)).rows() == []
    finally:
        opinion.close()


def test_truth_covers_every_variant_unit_and_period(indicators):
    registry = pl.read_csv(settings.SEEDS / "plan" / "indicator.csv", infer_schema_length=0)
    last = {
        "CD": 2026,
        "CY": 2026,
        "EX": 2026,
        "EP1": 2026,
        "EP2": 2025,
        "AY": 2026,
    }  # begun or reached on 2026-10-15
    expected, rows = set(), 0
    columns = registry.select("variant_code", "period_basis", "first_year", "grains")
    for code, basis, first, grains in columns.iter_rows():
        basis = "EP1" if code == "H13c" else basis
        for year in range(int(first), last[basis] + 1):
            rows += 1 + 18 * ("institution" in grains.split(";"))
            expected.add((code, f"{year}-{year + 1}" if basis == "AY" else str(year)))
    assert set(indicators.select("variant_code", "period_code").unique().iter_rows()) == expected
    everywhere = indicators.filter(pl.col("grain").is_in(["city", "institution"]))
    assert len(everywhere) == rows
    assert indicators.select("variant_code", "grain", "unit_code", "period_code").is_unique().all()
    finer = indicators.filter(~pl.col("grain").is_in(["city", "institution"]))
    assert finer.filter((pl.col("numerator") == 0) & (pl.col("denominator").fill_null(0) == 0)).is_empty()
    given = {
        (code, grain)
        for code, grains in registry.select("variant_code", "grains").iter_rows()
        for grain in grains.split(";")
    }
    assert set(indicators.select("variant_code", "grain").unique().iter_rows()) <= given
    assert set(indicators.filter(pl.col("grain") == "city")["unit_code"]) == {CITY}
    # an index and a mean: where nothing is, they have no numerator
    assert set(indicators.filter(pl.col("numerator").is_null())["variant_code"]) <= {
        "H02c",
        "M02.3",
        "M04.2",
        "M19.2a",
    }


def test_ratios_are_ratios_and_units_add_up(indicators):
    registry = pl.read_csv(settings.SEEDS / "plan" / "indicator.csv", infer_schema_length=0)
    value_kind = dict(registry.select("variant_code", "value_kind").iter_rows())
    shares = registry.filter((pl.col("value_kind") == "ratio") & (pl.col("unit_zh") == "%"))["variant_code"]
    rates = indicators.filter(pl.col("variant_code").is_in(shares.implode()))
    assert set(rates["variant_code"]) == set(shares)
    exceeding = rates.filter(pl.col("numerator") > pl.col("denominator") + 1e-9)
    # persons of a year may be more than the mean of its two ends: at a few places of a small city
    assert set(exceeding.select("variant_code", "grain").rows()) <= {
        *((f"H08{v}", g) for v in ("", "b", "c") for g in ("degree_point", "cluster")),
        ("M12.1s", "institution"),  # more of a mutual service list may be done than was planned
    }
    counts = indicators.filter(
        pl.col("variant_code").is_in([c for c, k in value_kind.items() if k == "count"])
    )
    assert counts["denominator"].is_null().all()
    wide = (
        indicators.filter(pl.col("variant_code") == "H13b")
        .group_by("period_code", "grain")
        .agg(pl.col("numerator", "denominator").sum())
    )
    city, insts = (wide.filter(pl.col("grain") == g).sort("period_code") for g in ("city", "institution"))
    assert city["numerator"].to_list() == insts["numerator"].to_list()
    assert city["denominator"].to_list() == insts["denominator"].to_list()
    persons = (
        indicators.filter(pl.col("variant_code") == "H03")
        .group_by("period_code", "grain")
        .agg(pl.col("numerator").sum())
    )
    city, insts = (
        persons.filter(pl.col("grain") == g).sort("period_code")["numerator"] for g in ("city", "institution")
    )
    assert (city <= insts).all()
    assert (city < insts).any()  # a few are registered at two institutions


def test_finer_units_add_up_to_coarser_ones(indicators):
    """Graduates and theses with an accepted degree point are in one unit of a grain each, persons in one or more."""

    def summed(variant: str, grain: str, column: str = "denominator") -> list[float]:
        rows = indicators.filter((pl.col("variant_code") == variant) & (pl.col("grain") == grain))
        return rows.group_by("period_code").agg(pl.col(column).sum()).sort("period_code")[column].to_list()

    for variant in ("H13b", "H12c"):
        assert summed(variant, "level_type") == summed(variant, "city")
        assert summed(variant, "institution_level_type") == summed(variant, "city")
    for finer, coarser in (
        ("institution_discipline", "discipline"),
        ("discipline", "category"),
        ("degree_point", "discipline"),
    ):
        assert summed("H13b", finer) == summed("H13b", coarser)
    assert all(a <= b for a, b in zip(summed("H13b", "category"), summed("H13b", "city"), strict=True))
    categories, disciplines = (summed("H03", g, "numerator") for g in ("category", "discipline"))
    assert all(a <= b for a, b in zip(categories, disciplines, strict=True))


def test_enrolment_and_practice_agree_with_a_loop_over_records(days, indicators):
    day = days[0]
    people, took = {}, set()
    for s in day.accepted("student").iter_rows(named=True):
        if s["status_code"] == "30" or s["degree_level"] not in "12":
            continue
        people[s["student_id"]] = s
    projects = {
        p["project_id"]
        for p in day.accepted("practice_project").iter_rows(named=True)
        if p["is_major_industry"] == "true" and p["major_basis_code"]
    }
    for p in day.accepted("practice_participation").iter_rows(named=True):
        s = people.get(p["student_id"])
        long_enough = p["verified"] == "true" and int(p["days"]) >= 30 and p["project_id"] in projects
        if (
            s
            and long_enough
            and "2024-09-01" <= p["from_on"] <= "2025-08-31"
            and s["entry_on"] <= "2025-08-31"
            and not (s["left_on"] and s["left_on"] <= "2024-09-01")
        ):
            took.add((s["student_id"][:5], s["cert_no"]))

    def studying(on: str) -> set[tuple[str, str]]:
        return {
            (s["student_id"][:5], s["cert_no"])
            for s in people.values()
            if s["entry_on"] <= on and not (s["left_on"] and s["left_on"] <= on)
        }

    def value(variant: str, unit: str, period: str) -> tuple[float, float]:
        keys = (
            (pl.col("variant_code") == variant)
            & (pl.col("unit_code") == unit)
            & (pl.col("period_code") == period)
        )
        return indicators.filter(keys).select("numerator", "denominator").row(0)

    for unit in (CITY, "10611", "10655"):

        def among(found: set[tuple[str, str]], unit: str = unit) -> int:
            return len({c for i, c in found if unit in (CITY, i)})

        assert value("H03", unit, "2025")[0] == among(studying("2025-09-30"))
        assert value("H08", unit, "2024-2025") == (
            among(took),
            (among(studying("2024-09-30")) + among(studying("2025-09-30"))) / 2,
        )


def test_a_later_day_moves_the_indicators(days, indicators):
    later = truth.indicators(days[1])
    moved = indicators.join(
        later, on=["variant_code", "grain", "unit_code", "period_code"], suffix="_2"
    ).filter((pl.col("numerator") != pl.col("numerator_2")) & (pl.col("grain") == "city"))
    assert {"H01", "H07", "H10", "H11"} <= set(moved["variant_code"])
    revoked = moved.filter(pl.col("variant_code") == "H01")
    assert revoked["numerator_2"].item() == revoked["numerator"].item() - 1
    assert days[1].as_of == date(2026, 10, 16)


def test_the_first_of_two_twins_stays():
    """Were it deleted, the second would be accepted (seed 12 once did that on day 2)."""
    day = population.build(12, SMALL, 3)
    twins = day.defects.filter(pl.col("rule_id").str.ends_with(".key.6"))
    assert len(twins) >= 4
    for entity, contract in contracts.load().items():
        mine = twins.filter(pl.col("entity") == entity)
        frame = day.accepted(entity).select(contract.key)
        second = day.frames[entity].join(mine, on=KEY, how="semi").select(contract.key)
        assert second.join(frame, on=list(contract.key), how="anti").is_empty(), entity
