"""Truth of the mechanisms on platforms and pairings (M04.3, M09.1–M12.1, M15.1, M16.1), in frames of accepted records."""

from datetime import date

import polars as pl

from yuyan_demo.simulator.facts import Facts
from yuyan_demo.simulator.measures_supervision import in_study, open_on, year_ends
from yuyan_demo.simulator.truth_table import TruthTable, distinct, total

BASES, MAJOR = ("P08", "B1"), ("K1", "K2", "K3")
SPECIAL = {"M15.1": ("02", "03", "04", "08"), "M15.1a": ("08",), "M15.1b": ("02",), "M15.1c": ("03",), "M15.1d": ("04",),
           "M10.1": ("07",), "M11.1": ("06",)}  # fmt: skip
AT_ONE = {
    "M10.1e": ("P01", "10"),
    "M10.1a": ("P01", "20"),
    "M10.1p": ("P01", "40"),
    "M11.1c": ("P02", "30"),
    "M11.1h": ("P02", "55"),
    "M11.1p": ("P02", "40"),
}
"""Variant -> kind of platform and of activity that it adds up."""
COMPANIONS = {"M09.2a": "61", "M09.2b": "62", "M09.2c": "63", "M09.2d": "64"}
QUANTITY = pl.col("quantity")
LEAD = pl.col("lead_inst_code").alias("inst")


def enter(table: TruthTable, facts: Facts) -> None:
    """Enter every variant and period."""
    for year in facts.years(2021, 9, 30):
        students = in_study(facts, date(year, 9, 30))
        for variant, codes in SPECIAL.items():
            table.add(
                variant,
                str(year),
                distinct(students.filter(pl.col("special_programme_code").is_in(codes)), "person"),
            )
    for year, last in year_ends(facts, 2022):
        _activities(table, facts, year)
        _platforms(table, facts, year, last)
        if year >= 2023:
            _pairings(table, facts, year, last)


def activities(facts: Facts, year: int) -> pl.DataFrame:
    """Activities of a year with `kind_code`, the kind of their platform."""
    kinds = facts["platform_base"].select("platform_id", "kind_code")
    return (
        facts["platform_activity"]
        .filter(pl.col("activity_on").dt.year() == year)
        .join(kinds, on="platform_id", how="left")
    )


def running(facts: Facts, last: date) -> pl.DataFrame:
    """Platforms that are open on a day; `inst` is the institution that leads."""
    known = facts["platform_base"].with_columns(LEAD).filter(pl.coalesce("approved_on", "opened_on") <= last)
    return known.filter(
        (pl.col("opened_on") <= last) & (pl.col("closed_on").is_null() | (pl.col("closed_on") > last))
    )


def partners(facts: Facts, last: date) -> pl.DataFrame:
    """Cooperations that stand on a day; `partner` tells partners apart."""
    return (
        facts["platform_partner"]
        .filter(open_on(last))
        .with_columns(pl.concat_str("partner_kind", pl.lit("|"), "partner_id").alias("partner"))
    )


def outside_first_class(facts: Facts) -> pl.Expr:
    """Universities that are not the city's and that some record says to be in the national scheme."""
    scheme = facts["platform_partner"].filter(
        (pl.col("partner_kind") == "10") & pl.col("is_double_first_class")
    )
    here = facts["institution"]["inst_code"]
    return (
        (pl.col("partner_kind") == "10")
        & pl.col("partner_id").is_in(scheme["partner_id"].implode())
        & ~pl.col("partner_id").is_in(here.implode())
    )


def _activities(table: TruthTable, facts: Facts, year: int) -> None:
    done = activities(facts, year)
    period, kind = str(year), pl.col("activity_kind")
    if year >= 2026:
        urgent = done.filter("is_urgent_layout")
        table.add("M04.3", period, distinct(urgent.with_columns(pl.col("inst").alias("who")), "who"))
        table.add("M04.3p", period, distinct(urgent, "platform_id"))
        table.add("M04.3j", period, total(urgent.filter(kind == "40"), QUANTITY))
        table.add("M04.3t", period, total(urgent.filter(kind.is_in(["10", "80"])), QUANTITY))
    companions = done.filter(kind.is_in(list(COMPANIONS.values())))
    table.add("M09.2", period, total(companions, QUANTITY))
    for variant, code in COMPANIONS.items():
        table.add(variant, period, total(done.filter(kind == code), QUANTITY))
    for variant, (platform, code) in AT_ONE.items():
        here = done.filter((pl.col("kind_code") == platform) & (kind == code))
        grains = ("city", "institution", "cluster") if variant == "M10.1p" else ("city", "institution")
        table.add(
            variant,
            period,
            total(here.with_columns(pl.col("cluster_code").alias("cluster")), QUANTITY, grains),
        )
    major = done.filter(pl.col("kind_code").is_in(MAJOR))
    items = major.filter(kind == "90")
    table.add("M12.1s", period, total(items, QUANTITY), total(items, pl.col("planned_quantity")))
    table.add("M12.1a", period, total(major.filter(kind == "20"), QUANTITY))
    table.add("M12.1h", period, total(major.filter(kind == "50"), QUANTITY))


def _platforms(table: TruthTable, facts: Facts, year: int, last: date) -> None:
    period, open_ones, with_whom = str(year), running(facts, last), partners(facts, last)
    bases = open_ones.filter(pl.col("kind_code").is_in(BASES))
    students = (
        in_study(facts, date(year, 9, 30)) if date(year, 9, 30) <= facts.as_of else facts["student"].clear()
    )
    heads = students.group_by("platform_id").agg(pl.col("person").n_unique().alias("heads"))
    sums = {
        code: activities(facts, year)
        .filter(pl.col("activity_kind") == code)
        .group_by("platform_id")
        .agg(QUANTITY.sum().alias(code))
        for code in ("25", "85")
    }
    for more in (heads, *sums.values()):
        bases = bases.join(more, on="platform_id", how="left")
    table.add("M09.1", period, total(bases))
    for variant, column in (("M09.1s", "heads"), ("M09.1e", "25")):
        table.add(variant, period, total(bases, pl.col(column).fill_null(0)), total(bases))
    table.add("M09.1c", period, total(bases, pl.col("85").fill_null(0)))
    major = open_ones.filter(pl.col("kind_code").is_in(MAJOR))
    signed = with_whom.filter((pl.col("partner_kind") == "10") & (pl.col("signed_on") <= last))
    paired = major.join(signed, on="platform_id", how="semi")
    table.add_city("M12.1", period, len(paired), len(major))
    built = with_whom.join(open_ones.select("platform_id", "kind_code", "inst"), on="platform_id")
    table.add(
        "M10.1d",
        period,
        distinct(built.filter((pl.col("kind_code") == "P01") & outside_first_class(facts)), "partner"),
    )
    trains = students.filter(pl.col("special_programme_code").is_in(SPECIAL["M15.1"]))
    table.add("M15.1p", period, distinct(built.join(trains, on="platform_id", how="semi"), "partner"))


def pairings(facts: Facts, last: date) -> pl.DataFrame:
    """Pairings that are in force on a day."""
    return facts["district_pairing"].filter(
        (pl.col("signed_on") <= last) & (pl.col("valid_to").is_null() | (pl.col("valid_to") >= last))
    )


def _pairings(table: TruthTable, facts: Facts, year: int, last: date) -> None:
    period, valid = str(year), pairings(facts, last)
    units = facts["institution"].with_columns(pl.col("inst_code").alias("inst"))
    having = {level: set(valid.filter(pl.col("pairing_level") == level)["inst"]) for level in "123"}
    with_district = units.filter(pl.col("inst").is_in(sorted(having["1"])))
    with_all = units.filter(pl.col("inst").is_in(sorted(having["1"] & having["2"] & having["3"])))
    table.add("M16.1", period, total(with_district), total(units))
    table.add("M16.1t", period, total(with_all), total(units))
    for variant, level in (("M16.1a", "1"), ("M16.1b", "2"), ("M16.1c", "3")):
        table.add(variant, period, total(valid.filter(pl.col("pairing_level") == level)))
    table.add("M16.1r", period, total(valid, pl.col("result_cnt")), total(valid, pl.col("demand_cnt")))
