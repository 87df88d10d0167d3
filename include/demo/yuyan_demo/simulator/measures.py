"""Truth of the indicators of structure, scale and intake: H01–H05 and H08 (docs/indicators.md)."""

from datetime import date
from math import fsum

import polars as pl

from yuyan_demo.simulator.facts import Facts, scope
from yuyan_demo.simulator.truth_table import (
    BY_DISCIPLINE,
    BY_LEVEL,
    COMMON,
    WHOLE,
    TruthTable,
    Values,
    academic_year,
    distinct,
)

GRANTS, REVOCATIONS = ("11", "12", "13"), ("21", "22")
ACTIVE, INACTIVE = ("11", "12", "13", "32", "42"), ("21", "22", "31", "33", "41")
PLAN_START = date(2026, 1, 1)


def enter(table: TruthTable, facts: Facts) -> None:
    """Enter H01–H05 and H08."""
    _urgent_points(table, facts)
    _structure(table, facts)
    _enrolment(table, facts)
    _overlap(table, facts)
    _intake(table, facts)
    _practice(table, facts)


def _urgent_points(table: TruthTable, facts: Facts) -> None:
    events = facts.of_point("degree_point_event").join(
        facts["degree_point"].select("degree_point_id", "is_joint_built"), on="degree_point_id", how="inner"
    )
    listed = facts["urgent_discipline_list"].filter(pl.col("category_code") == "10").select(
        pl.col("list_id").alias("urgent_list_id"), pl.col("discipline_code").alias("discipline"),
        pl.col("degree_level").alias("point_level"),
        "valid_from", "valid_to",
    )  # fmt: skip
    grants = events.filter(pl.col("event_type").is_in(GRANTS)).join(
        listed, on=["urgent_list_id", "discipline", "point_level"]
    )
    valid = (pl.col("valid_from") <= pl.col("event_on")) & (
        pl.col("valid_to").is_null() | (pl.col("event_on") <= pl.col("valid_to"))
    )
    grants = grants.filter(valid & (pl.col("event_on") >= PLAN_START)).with_columns(
        pl.col("point_level").alias("degree_level"), pl.col("point_type").alias("degree_type")
    )
    grains = (*COMMON, *BY_LEVEL)
    revoked = events.filter(pl.col("event_type").is_in(REVOCATIONS)).select(
        "degree_point_id", pl.col("event_on").alias("revoked_on")
    )
    for year in facts.years(2026, 1, 1):
        end = min(date(year, 12, 31), facts.as_of)
        within = grants.filter(pl.col("event_on") <= end).join(
            revoked.filter(pl.col("revoked_on") <= end), on="degree_point_id", how="left"
        )
        fallen = (
            (pl.col("revoked_on") > pl.col("event_on"))
            .fill_null(False)
            .any()
            .over("degree_point_id", "event_id")
        )
        standing = within.filter(~fallen)
        for variant, which in {
            "H01": pl.lit(True),
            "H01b": pl.col("point_level") == "1",
            "H01c": pl.col("is_joint_built"),
            "H01d": pl.col("event_type") != "12",
            "H01e": pl.col("event_type") == "12",
        }.items():
            part = standing.filter(which)
            in_clusters = distinct(facts.by_cluster(part), "degree_point_id", ["cluster"])
            table.add(variant, str(year), distinct(part, "degree_point_id", grains) | in_clusters)


def _structure(table: TruthTable, facts: Facts) -> None:
    points = (
        facts["degree_point"]
        .filter(
            pl.col("degree_level").is_in(["1", "2"])
            & ~pl.col("discipline_code").is_in(scope("is_h02_excluded"))
        )
        .rename({"discipline_code": "discipline"})
    )
    events = facts["degree_point_event"].filter(pl.col("event_type").is_in([*ACTIVE, *INACTIVE]))
    for year in facts.years(2016, 9, 30):
        census = date(year, 9, 30)
        last = (
            events.filter(pl.col("event_on") <= census)
            .sort("event_on", "event_id")
            .unique("degree_point_id", keep="last")
        )
        now = points.filter(pl.col("authorised_on") <= census).join(
            last.select("degree_point_id", "event_type"), on="degree_point_id", how="left"
        )
        now = now.filter(pl.col("event_type").is_null() | pl.col("event_type").is_in(ACTIVE))
        _match(table, facts, "H02a", str(year), now, "degree_point_id")


def _match(
    table: TruthTable, facts: Facts, variant: str, period: str, now: pl.DataFrame, column: str
) -> None:
    """Distinct values in matched disciplines among all; a cluster's among all of the city."""
    matched = pl.col("discipline").is_in(facts.matched())
    in_clusters = distinct(facts.by_cluster(now), column, ["cluster"])
    everything = distinct(now, column)
    table.add(
        variant,
        period,
        distinct(now.filter(matched), column) | in_clusters,
        everything | dict.fromkeys(in_clusters, everything[WHOLE]),
    )


def in_study(students: pl.DataFrame, day: date) -> pl.DataFrame:
    """Registrations in study on a day."""
    here = (pl.col("entry_on") <= day) & (pl.col("left_on").is_null() | (pl.col("left_on") > day))
    return students.filter(here & (pl.col("status_code") != "30") & pl.col("degree_level").is_in(["1", "2"]))


def _students(facts: Facts) -> pl.DataFrame:
    return facts.of_point("student").with_columns(pl.col("student_id").str.slice(0, 5).alias("inst"))


def _enrolment(table: TruthTable, facts: Facts) -> None:
    students = _students(facts)
    counted = pl.col("discipline").is_not_null() & ~pl.col("discipline").is_in(scope("is_h02_excluded"))
    by_discipline = (*COMMON, *BY_DISCIPLINE)
    grains = (*by_discipline, *BY_LEVEL)
    for year in facts.years(2016, 9, 30):
        now, period = in_study(students, date(year, 9, 30)), str(year)
        everyone = distinct(now, "person", grains)
        _match(table, facts, "H02b", period, now.filter(counted), "person")
        table.add("H03", period, everyone)
        table.add("H03-FT", period, distinct(now.filter(pl.col("study_mode") == "1"), "person", grains))
        table.add("H03-PT", period, distinct(now.filter(pl.col("study_mode") == "2"), "person", grains))
        doctoral = distinct(now.filter(pl.col("degree_level") == "1"), "person", by_discipline)
        table.add("H04", period, doctoral, {u: n for u, n in everyone.items() if u[0] in by_discipline})


def _overlap(table: TruthTable, facts: Facts) -> None:
    """H02c: Σ over key clusters of the smaller of supply share and demand share."""
    strength = facts.strengths().with_columns(
        (pl.col("strength") / pl.col("strength").sum().over("discipline")).alias(
            "part"
        )  # Σ over key clusters
    )
    awards = facts.of_point("degree_award").with_columns(pl.col("student_id").str.slice(0, 5).alias("inst"))
    awards = awards.filter(pl.col("awarded_on") <= facts.as_of)
    demand = facts["talent_demand"].filter(pl.col("cluster_code").is_in(facts.key_clusters()))
    units = sorted(facts["institution"]["inst_code"])
    for year in facts.years(2016, 1, 1):
        wanted = (
            demand.filter(pl.col("demand_year") == year)
            .group_by("cluster_code")
            .agg(pl.col("headcount").sum())
        )
        given = awards.filter(pl.col("awarded_on").dt.year() == year).group_by("inst", "discipline").len()
        parts = given.join(strength, on="discipline").sort("inst", "discipline", "cluster")
        supply = parts.group_by("inst", "cluster", maintain_order=True).agg(
            (pl.col("len") * pl.col("part")).sum().alias("s")
        )
        city = supply.group_by("cluster", maintain_order=True).agg(pl.col("s").sum())
        values: Values = {}
        posts = dict(wanted.iter_rows())
        for unit in units:
            own = supply.filter(pl.col("inst") == unit).select("cluster", "s")
            shares = _shared(dict(own.iter_rows()), posts)
            values["institution", unit] = None if shares is None else fsum(shares.values())
        of_city = _shared(dict(city.iter_rows()), posts)
        values[WHOLE] = None if of_city is None else fsum(of_city.values())
        values |= {("cluster", c): share for c, share in (of_city or {}).items()}
        table.add("H02c", str(year), values, {u: None if v is None else 1.0 for u, v in values.items()})


def _shared(supply: dict[str, float], demand: dict[str, float]) -> dict[str, float] | None:
    """The smaller of supply share and demand share of every supplied cluster; None without supply or demand."""
    s, d = fsum(supply.values()), fsum(demand.values())
    if not s or not d:
        return None
    return {c: min(n / s, demand.get(c, 0.0) / d) for c, n in sorted(supply.items())}


def _intake(table: TruthTable, facts: Facts) -> None:
    came = facts.of_point("admission").filter("registered")
    urgent = came.filter(pl.col("discipline").is_in(scope("is_urgent")))
    per_year = {
        year: tuple(
            distinct(f.filter(pl.col("exam_year") == year), "person", (*COMMON, *BY_DISCIPLINE))
            for f in (urgent, came)
        )
        for year in range(2015, facts.as_of.year + 1)
    }
    for year in facts.years(2016, 9, 1):
        table.add("H05a", str(year), per_year[year][0], per_year[2025][0])
        table.add("H05c", str(year), per_year[year][1], per_year[2025][1])
        if year >= 2017:
            table.add("H05b", str(year), per_year[year][0], per_year[year - 1][0])


def _practice(table: TruthTable, facts: Facts) -> None:
    students = _students(facts)
    major = facts["practice_project"].filter(
        pl.col("is_major_industry") & pl.col("major_basis_code").is_not_null()
    )
    counted = facts["practice_participation"].filter(
        pl.col("verified") & (pl.col("days") >= 30) & (pl.col("from_on") <= facts.as_of)
    )
    counted = counted.join(major.select("project_id"), on="project_id", how="semi").select(
        "student_id", "from_on"
    )
    known = students.filter((pl.col("status_code") != "30") & pl.col("degree_level").is_in(["1", "2"]))
    joined = counted.join(known, on="student_id", how="inner")
    for year in facts.years(2016, 9, 1):
        first, last, period = date(year, 9, 1), date(year + 1, 8, 31), academic_year(year)
        overlapping = (pl.col("entry_on") <= last) & (
            pl.col("left_on").is_null() | (pl.col("left_on") > first)
        )
        active = joined.filter(overlapping & pl.col("from_on").is_between(first, last))
        active = active.with_columns(is_senior=pl.col("entry_on") < first)
        present = [
            in_study(students, date(y, 9, 30)).with_columns(is_senior=pl.col("entry_on") < date(y, 9, 1))
            for y in (year, year + 1)
            if date(y, 9, 30) <= facts.as_of
        ]
        for variant, which in {
            "H08": pl.lit(True),
            "H08b": pl.col("degree_type") == "2",
            "H08c": pl.col("is_senior"),
        }.items():
            sizes = [_persons(facts, census.filter(which)) for census in present]
            mean = {u: fsum(s.get(u) or 0 for s in sizes) / len(sizes) for u in set().union(*sizes)}
            table.add(variant, period, _persons(facts, active.filter(which)), mean)


def _persons(facts: Facts, students: pl.DataFrame) -> Values:
    """Distinct persons by city, institution, degree point and the clusters of the discipline."""
    known = facts.of_accepted_point(students)
    in_clusters = distinct(facts.by_cluster(students), "person", ["cluster"])
    return distinct(known, "person", (*COMMON, "degree_point")) | in_clusters


def growth(table: TruthTable, base: str, facts: Facts) -> None:
    """Growth variants a (against 2025, from 2026) and b (against the year before, from 2017) of an annual level."""
    for year in facts.years(2017, 1, 1):
        level = table.numerators(base, str(year))
        table.add(f"{base}b", str(year), level, table.numerators(base, str(year - 1)))
        if year >= 2026:
            table.add(f"{base}a", str(year), level, table.numerators(base, "2025"))
