"""Truth of the indicators of teaching, theses, projects and outcomes: H02d, H06, H07, H09–H15 (docs/indicators.md)."""

from datetime import date

import polars as pl

from yuyan_demo.simulator.facts import Facts
from yuyan_demo.simulator.measures import PLAN_START, growth
from yuyan_demo.simulator.truth_table import (
    BY_DISCIPLINE,
    BY_LEVEL,
    COMMON,
    WHOLE,
    TruthTable,
    Values,
    academic_year,
    combine,
    distinct,
    total,
)

EMPLOYED = (
    "10", "11", "12", "27", "271", "46", "50", "501", "502", "503", "51", "511", "512", "513", "514", "515",
    "519", "75", "751", "752",
    "753", "76",
)  # fmt: skip
PROVINCIAL = ("10", "20", "21", "22", "23")
TEAMS = ("40", "50")


def enter(table: TruthTable, facts: Facts) -> None:
    """Enter H02d, H06, H07 and H09–H15."""
    _courses(table, facts)
    _achievements(table, facts)
    _sampling(table, facts)
    _commissioned(table, facts)
    _topics(table, facts)
    _graduates(table, facts)
    _employers(table, facts)


def _courses(table: TruthTable, facts: Facts) -> None:
    answers = facts["course_evaluation"].filter(pl.col("instrument_version") == "V2")
    offering = facts["course_offering"].select("offering_id", "academic_year", "course_id")
    answers = answers.join(offering, on="offering_id").join(
        facts["course"].select("course_id", "inst"), on="course_id"
    )
    points = pl.sum_horizontal(i * pl.col(f"n{i}") for i in range(1, 6))
    for year in facts.years(2020, 9, 1):
        now, period = answers.filter(pl.col("academic_year") == academic_year(year)), academic_year(year)
        responses = total(now, pl.col("response_cnt"))
        table.add("H06", period, total(now, pl.col("n4") + pl.col("n5")), responses)
        table.add("H06b", period, total(now, points), responses)
        table.add("H06r", period, responses, total(now, pl.col("eligible_cnt")))


def _achievements(table: TruthTable, facts: Facts) -> None:
    new = facts["achievement"].with_columns(pl.col("src_inst_code").alias("inst"))
    new = new.filter(pl.col("level_code").is_in(PROVINCIAL) & pl.col("graduate_education_related"))
    for year in facts.years(2026, 1, 1):
        now = new.filter(pl.col("granted_on").is_between(PLAN_START, min(date(year, 12, 31), facts.as_of)))
        team = pl.col("kind_code").is_in(TEAMS)
        for variant, which in {"H07": pl.lit(True), "H07a": team, "H07b": ~team}.items():
            part = now.filter(which)
            table.add(
                variant, str(year), {**total(part, pl.col("share")), WHOLE: part["canonical_id"].n_unique()}
            )


def _sampling(table: TruthTable, facts: Facts) -> None:
    drawn = facts.of_point("thesis_sampling").filter(
        pl.col("authority_code").is_in(["1", "2"]) & ~pl.col("is_targeted")
    )
    drawn = facts.of_accepted_point(drawn.filter(pl.col("verdict_code").is_in(["1", "2"])))
    grains = (*COMMON, "degree_point")
    weight, passed = 1.0 / pl.col("inclusion_prob"), pl.col("verdict_code") == "1"
    strata = {
        "H09": pl.lit(True),
        "H09a": pl.col("point_level") == "1",
        "H09b": (pl.col("point_level") == "2") & (pl.col("point_type") == "1"),
        "H09c": (pl.col("point_level") == "2") & (pl.col("point_type") == "2"),
    }
    for year in facts.years(2016, 1, 1):
        now = drawn.filter(pl.col("sampling_year") == year)
        for variant, which in strata.items():
            table.add(
                variant,
                str(year),
                total(now.filter(which & passed), weight, grains),
                total(now.filter(which), weight, grains),
            )
        table.add("H09d", str(year), total(now.filter(passed), None, grains), total(now, None, grains))


def _commissioned(table: TruthTable, facts: Facts) -> None:
    projects = (
        facts["commissioned_project"]
        .filter((pl.col("fund_source_code") == "10") & pl.col("client_kind").is_in(["10", "20"]))
        .rename({"cluster_code": "cluster"})
    )
    grains = (*COMMON, "cluster")
    signed = projects.filter(pl.col("signed_on") <= facts.as_of)
    receipts = facts["commissioned_receipt"].filter(pl.col("received_on") <= facts.as_of)
    receipts = receipts.join(projects.select("project_id", "inst", "cluster"), on="project_id")
    net = pl.when("is_refund").then(-pl.col("amount")).otherwise("amount")
    for year in facts.years(2016, 1, 1):
        now, period = signed.filter(pl.col("signed_on").dt.year() == year), str(year)
        table.add("H10", period, distinct(now, "contract_no_digest", grains))
        table.add("H11", period, total(receipts.filter(pl.col("received_on").dt.year() == year), net, grains))
        amount = pl.col("contract_amount").max()
        signed_amounts: Values = {}
        for grain, columns in {"city": [], "institution": ["inst"], "cluster": ["cluster"]}.items():
            once = now.group_by(*columns, "contract_no_digest").agg(amount)
            signed_amounts |= total(once, pl.col("contract_amount"), [grain])
        table.add("H11s", period, signed_amounts)
    growth(table, "H10", facts)
    growth(table, "H11", facts)
    for year in facts.years(2019, 1, 1):
        table.add("H10c", str(year), _three_years(table, year), _three_years(table, year - 1))


def _three_years(table: TruthTable, last: int) -> Values:
    a, b, c = (table.numerators("H10", str(y)) for y in (last - 2, last - 1, last))
    return combine(combine(a, b), c)


def topics(facts: Facts) -> pl.DataFrame:
    """Theses with their student's level and type, and whether a topic from industry is `claimed` and `evidenced`."""
    sources = [*facts["commissioned_project"]["project_id"], *facts["practice_project"]["project_id"]]
    resolved = pl.col("source_project_id").is_in(pl.Series(sources).unique().implode()).fill_null(False)
    contract = pl.col("topic_source_code") == "14"
    claimed = contract | pl.col("frontline_flag")
    evident = pl.col("frontline_evidence_code").is_not_null() & (pl.col("frontline_evidence_code") != "0")
    level = facts["student"].select("student_id", "degree_level", "degree_type")
    theses = facts.of_accepted_point(facts.of_student("thesis").join(level, on="student_id", how="left"))
    return theses.with_columns(
        claimed.alias("claimed"), (claimed & evident & (~contract | resolved)).alias("evidenced")
    )


def _topics(table: TruthTable, facts: Facts) -> None:
    grains = (*COMMON, *BY_LEVEL, "degree_point")
    theses = topics(facts)
    awards = facts.of_accepted_point(facts.of_student("degree_award")).filter(
        pl.col("awarded_on") <= facts.as_of
    )
    awards = awards.join(theses.select("thesis_id", "claimed", "evidenced"), on="thesis_id")
    opened = theses.filter(pl.col("opened_on") <= facts.as_of)
    for year in facts.years(2016, 9, 1):
        span, period = (date(year, 9, 1), date(year + 1, 8, 31)), academic_year(year)
        now = awards.filter(pl.col("awarded_on").is_between(*span))
        everyone, evidenced, claims = (
            total(f, None, grains) for f in (now, now.filter("evidenced"), now.filter("claimed"))
        )
        table.add("H12", period, evidenced, everyone)
        table.add("H12b", period, claims, everyone)
        table.add("H12g", period, combine(claims, evidenced, 1.0, -1.0), everyone)
        begun = opened.filter(pl.col("opened_on").is_between(*span))
        table.add("H12c", period, total(begun.filter("evidenced"), None, grains), total(begun, None, grains))


def _graduates(table: TruthTable, facts: Facts) -> None:
    rows = _destinations(facts)
    local = pl.col("region_code").str.starts_with("50").fill_null(False)
    key = pl.col("employer_cluster").is_in(facts.key_clusters()).fill_null(False) & pl.col(
        "is_key_post"
    ).fill_null(False)
    grains = (*COMMON, *BY_LEVEL, *BY_DISCIPLINE, "degree_point")
    for year in facts.years(2016, 8, 31):
        working = rows.filter(
            (pl.col("grad_year") == year) & (pl.col("status_on") == date(year, 8, 31)) & pl.col("employed")
        )
        table.add("H13c", str(year), total(working.filter(local), None, grains), total(working, None, grains))
    for year in facts.years(2016, 12, 31):
        everyone = rows.filter((pl.col("grad_year") == year) & (pl.col("status_on") == date(year, 12, 31)))
        working, period = everyone.filter("employed"), str(year)
        best, checked = (
            working.filter("outstanding"),
            everyone.filter(pl.col("verify_state").is_in(["2", "3"])),
        )
        jobs = working.rename({"job_cluster": "cluster"})
        by_job = (*COMMON, "cluster")
        table.add("H02d", period, total(jobs.filter("fits"), None, by_job), total(jobs, None, by_job))
        all_of_them, employed, stayed, verified = (
            total(f, None, grains) for f in (everyone, working, working.filter(local), checked)
        )
        table.add("H13a", period, stayed, employed)
        table.add("H13b", period, stayed, all_of_them)
        table.add("H13v", period, verified, all_of_them)
        table.add("H14", period, total(best.filter(key)), total(best))
        table.add("H14b", period, total(best.filter(key & local)), total(best.filter(local)))


def _destinations(facts: Facts) -> pl.DataFrame:
    """Destinations with employed, outstanding, the employer's cluster, and whether the cluster fits the discipline."""
    honours = facts["honour"]
    students = honours.filter((pl.col("honour_code") == "01") & (pl.col("holder_kind") == "S")).select(
        pl.col("holder_id").alias("student_id")
    )
    papers = honours.filter((pl.col("honour_code") == "02") & (pl.col("holder_kind") == "X")).select(
        pl.col("holder_id").alias("thesis_id")
    )
    authors = facts["thesis"].join(papers, on="thesis_id", how="semi").select("student_id")
    best = pl.concat([students, authors])["student_id"].unique().implode()
    discipline = facts.of_accepted_point(facts.of_point("student")).select(
        "student_id", "discipline", "degree_level", "degree_type", "degree_point_id"
    )
    firms = facts["enterprise"].select(
        pl.col("uscc").alias("employer_uscc"), pl.col("cluster_code").alias("employer_cluster")
    )
    pairs = (
        facts.strengths()
        .filter(pl.col("strength") >= 0.5)
        .select("discipline", pl.col("cluster").alias("job_cluster"), pl.lit(True).alias("fits"))
    )
    rows = (
        facts.of_student("employment")
        .join(discipline, on="student_id", how="left")
        .join(firms, on="employer_uscc", how="left")
    )
    rows = rows.with_columns(
        pl.col("destination_code").is_in(EMPLOYED).alias("employed"),
        pl.col("student_id").is_in(best).alias("outstanding"),
        pl.coalesce("cluster_code", "employer_cluster").alias("job_cluster"),
    )
    return rows.join(pairs, on=["discipline", "job_cluster"], how="left").with_columns(
        pl.col("fits").fill_null(False)
    )


def _employers(table: TruthTable, facts: Facts) -> None:
    answers = facts.of_accepted_point(facts["employer_survey"])
    grains = (*COMMON, "degree_point")
    weight, score = pl.col("design_weight"), pl.col("overall_score")
    for year in facts.years(2016, 1, 1):
        now = answers.filter(pl.col("survey_year") == year)
        weights = total(now, weight, grains)
        table.add("H15", str(year), total(now.filter(score >= 4), weight, grains), weights)
        table.add("H15b", str(year), total(now, weight * score, grains), weights)
