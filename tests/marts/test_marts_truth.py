"""Every figure of the marts equals what is counted here, without SQL, in the simulated population's accepted records."""

from datetime import date
from itertools import pairwise

import polars as pl
import pytest

from yuyan import settings
from yuyan_demo.simulator import truth
from yuyan_demo.simulator.truth_table import CITY

pytestmark = pytest.mark.database

EMPLOYED = (
    pl.read_csv(settings.SEEDS / "reference" / "destination_scope.csv", infer_schema_length=0)
    .filter(pl.col("is_employed") == "true")["destination_code"]
    .to_list()
)
GROUPS = {"G2": ["75"], "G3": ["76"], "G4": ["80", "85"], "G5": ["70", "71", "72"]}


def table(marts, query: str, keys: int) -> dict[tuple, tuple]:
    """Rows of a query as {first columns: other columns}."""
    rows = marts.execute(query).fetchall()
    found = {tuple(row[:keys]): tuple(row[keys:]) for row in rows}
    assert len(found) == len(rows) > 0
    return found


def counted(frame: pl.DataFrame, keys: list, values: list) -> dict[tuple, tuple]:
    """The same shape from a frame."""
    grouped = frame.group_by(keys).agg(values)
    return {tuple(row[: len(keys)]): tuple(row[len(keys) :]) for row in grouped.iter_rows()}


def same(ours: dict[tuple, tuple], theirs: dict[tuple, tuple]) -> None:
    """Equal keys and figures, decimals and floats to nine digits."""
    assert set(ours) == set(theirs)
    for key, values in theirs.items():
        assert [float(v) for v in ours[key]] == pytest.approx([float(v) for v in values], rel=1e-9), key


def census_year(day: str) -> pl.Expr:
    """Year of the first 30 September on or after a day."""
    return pl.col(day).dt.year() + (pl.col(day).dt.month() > 9).cast(pl.Int32)


def test_student_flow(marts, facts):
    ours = table(
        marts,
        "select census_year, inst_code, degree_level, degree_type, study_mode, entrant_count, leaver_count, "
        "in_study_count from marts.student_flow",
        5,
    )
    students = facts.of_student("student").filter(
        (pl.col("status_code") != "30") & pl.col("degree_level").is_in(["1", "2"])
    )
    kind = ["inst", "degree_level", "degree_type", "study_mode"]
    expected: dict[tuple, list[int]] = {}
    for year in facts.years(2016, 9, 30):
        day = date(year, 9, 30)
        here = (pl.col("entry_on") <= day) & (pl.col("left_on").is_null() | (pl.col("left_on") > day))
        parts = (
            census_year("entry_on") == year,
            (census_year("left_on") == year).fill_null(False),
            here,
        )
        for place, which in enumerate(parts):
            for key, (count,) in counted(students.filter(which), kind, [pl.len()]).items():
                expected.setdefault((year, *key), [0, 0, 0])[place] = count
    stock = {key for key in ours if ours[key] == (0, 0, 0)}  # only an opening stock of zero would be no row
    assert stock == set()
    same(ours, {k: tuple(v) for k, v in expected.items()})


def test_student_flow_closes_over_the_years(marts, facts):
    rows = marts.execute(
        "select census_year, sum(opening_in_study_count), sum(entrant_count), sum(leaver_count), "
        "sum(in_study_count), min(residual_count), max(residual_count) from marts.student_flow group by 1 order by 1"
    ).fetchall()
    assert [r[0] for r in rows] == list(facts.years(2016, 9, 30))
    assert (rows[0][1], rows[0][5]) == (None, None)
    for before, (_, opening, entrants, leavers, in_study, least, most) in pairwise(rows):
        assert opening == before[4]
        assert in_study == opening + entrants - leavers
        assert (least, most) == (0, 0)


def test_thesis_sampling(marts, facts):
    ours = table(
        marts,
        "select sampling_year, inst_code, degree_level, degree_type, category_code, drawn_count, targeted_count, "
        "passed_count, problem_count, pending_count, exempt_count, self_sampled_count, weighted_passed, weighted_judged "
        "from marts.thesis_sampling",
        5,
    )
    official = pl.col("authority_code").is_in(["1", "2"])
    verdict, weight = pl.col("verdict_code"), 1.0 / pl.col("inclusion_prob")
    random = official & ~pl.col("is_targeted")
    theirs = counted(
        facts.of_point("thesis_sampling").with_columns(
            pl.col("sampling_year").cast(pl.Int64),
            pl.col("point_level", "point_type").fill_null("-"),
            pl.col("discipline").str.slice(0, 2).fill_null("-"),
        ),
        ["sampling_year", "inst", "point_level", "point_type", "discipline"],
        [
            official.sum().alias("drawn"),
            (official & pl.col("is_targeted")).sum().alias("targeted"),
            *((official & (verdict == code)).sum().alias(f"verdict_{code}") for code in "1209"),
            (~official).sum().alias("self"),
            weight.filter(random & (verdict == "1")).sum().alias("passed"),
            weight.filter(random & verdict.is_in(["1", "2"])).sum().alias("judged"),
        ],
    )
    same(ours, theirs)


def test_graduate_destination(marts, facts):
    ours = table(
        marts,
        "select grad_year, point_code, inst_code, degree_level, degree_type, destination_group, region_scope, "
        "graduate_count, employed_count, employed_in_chongqing_count, key_post_count, verified_count "
        "from marts.graduate_destination",
        7,
    )
    day, region = pl.col("status_on"), pl.col("region_code")
    of_year = day.dt.year() == pl.col("grad_year")
    point = (
        pl.when(of_year & (day.dt.month() == 8) & (day.dt.day() == 31))
        .then(pl.lit("EP1"))
        .when(of_year & (day.dt.month() == 12) & (day.dt.day() == 31))
        .then(pl.lit("EP2"))
    )
    group = pl.lit("G1")
    for name, codes in GROUPS.items():
        group = (
            pl.when(pl.col("destination_code").str.slice(0, 2).is_in(codes))
            .then(pl.lit(name))
            .otherwise(group)
        )
    here = region.str.starts_with("50").fill_null(False)
    employed = pl.col("destination_code").is_in(EMPLOYED)
    students = facts["student"].select("student_id", "degree_level", "degree_type")
    rows = (
        facts.of_student("employment")
        .join(students, on="student_id", how="left")
        .with_columns(
            pl.col("grad_year").cast(pl.Int64),
            point.alias("point"),
            group.alias("group"),
            pl.when(region.is_null()).then(pl.lit("-")).when(here).then(pl.lit("CQ")).otherwise(pl.lit("OTHER"))
            .alias("scope"),
            pl.col("degree_level", "degree_type").fill_null("-"),
        )
        .filter(pl.col("point").is_not_null())
    )  # fmt: skip
    theirs = counted(
        rows,
        ["grad_year", "point", "inst", "degree_level", "degree_type", "group", "scope"],
        [
            pl.len().alias("graduates"),
            employed.sum().alias("employed"),
            (employed & here).sum().alias("here"),
            (employed & pl.col("is_key_post").fill_null(False)).sum().alias("key_post"),
            pl.col("verify_state").is_in(["2", "3"]).fill_null(False).sum().alias("verified"),
        ],
    )
    same(ours, theirs)


def test_discipline_match(marts, facts, simulated_city):
    ours = table(
        marts,
        "select match_year, cluster_code, discipline_code, discipline_graduate_count, supply_graduates, demand_count "
        "from marts.discipline_match",
        3,
    )
    strength = facts.strengths().filter(pl.col("strength") > 0)
    part = pl.col("strength") / pl.col("strength").sum().over("discipline")
    awards = facts.of_point("degree_award").filter(pl.col("awarded_on") <= facts.as_of)
    degrees = awards.group_by(pl.col("awarded_on").dt.year().alias("year"), "discipline").len("degrees")
    supplied = degrees.join(strength.with_columns(part.alias("part")), on="discipline")
    wanted = (
        facts["talent_demand"]
        .filter(pl.col("headcount") > 0)
        .group_by(
            pl.col("demand_year").cast(pl.Int32).alias("year"),
            pl.col("cluster_code").alias("cluster"),
            pl.col("discipline_code").alias("discipline"),
        )
        .agg(pl.col("headcount").sum())
    )
    given = {(y, d): n for y, d, n in degrees.iter_rows()}
    theirs: dict[tuple, list[float]] = {}
    for year, cluster, discipline, amount in supplied.select(
        "year", "cluster", "discipline", pl.col("degrees") * pl.col("part")
    ).iter_rows():
        theirs[year, cluster, discipline] = [given[year, discipline], amount, 0]
    for year, cluster, discipline, headcount in wanted.select(
        "year", "cluster", "discipline", "headcount"
    ).iter_rows():
        empty = [given.get((year, discipline), 0), 0, 0]
        theirs.setdefault((year, cluster, discipline), empty)[2] = headcount
    same(ours, {k: tuple(v) for k, v in theirs.items() if 2016 <= k[0] <= facts.as_of.year})
    overlap = table(
        marts,
        "select cast(match_year as text), sum(cluster_match_share) from (select distinct match_year, cluster_code, "
        "cluster_match_share from marts.discipline_match where match_year >= 2016) as c group by 1",
        1,
    )
    published = truth.indicators(simulated_city).filter(
        (pl.col("variant_code") == "H02c") & (pl.col("unit_code") == CITY) & pl.col("numerator").is_not_null()
    )
    same(overlap, {(p,): (n,) for p, n in published.select("period_code", "numerator").iter_rows()})


def test_course_renewal(marts, facts):
    rows = table(
        marts,
        "select academic_year, inst_code, unit_code, core_course_count, renewed_count, core_course_3y_count, "
        "renewed_3y_count, core_course_5y_count, renewed_5y_count from marts.course_renewal",
        3,
    )
    core = facts["course"].filter((pl.col("is_core") == "true") | pl.col("core_to").is_not_null())
    held: dict[str, list[tuple[str, str | None]]] = {}
    for course, year, term, taught in (
        facts["course_offering"].select("course_id", "academic_year", "term_code", "revision_id").iter_rows()
    ):
        held.setdefault(course, []).append((f"{year}-{term}", taught))
    renewals: dict[str, list[tuple[str, str, str]]] = {}
    for course, revision, kind, share, term in (
        facts["course_revision"]
        .select("course_id", "revision_id", "revision_kind", "changed_content_ratio", "effective_term")
        .iter_rows()
    ):
        whole = kind in ("1", "4") and share is None
        if whole or (kind in ("1", "2", "4", "5") and float(share) >= 0.3):
            renewals.setdefault(course, []).append((revision, kind, term))
    theirs: dict[tuple, list[int]] = {}
    for year in facts.years(2016, 9, 1):
        last = f"{year}-{year + 1}"
        for place, length in enumerate((1, 3, 5)):
            first = f"{year + 1 - length}-{year + 2 - length}"
            opens, closes = date(year + 1 - length, 9, 1), min(date(year + 1, 8, 31), facts.as_of)
            for course, inst, unit, since, until in core.select(
                "course_id", "inst_code", "unit_code", "core_from", pl.coalesce("core_to", "active_to")
            ).iter_rows():
                if since > closes or (until is not None and until < opens):
                    continue
                renewed = any(
                    first <= term[:9] <= last
                    and (
                        kind == "4"
                        or any(
                            (taught == revision or term <= t) and t[:9] <= last
                            for t, taught in held.get(course, [])
                        )
                    )
                    for revision, kind, term in renewals.get(course, [])
                )
                entry = theirs.setdefault((last, inst, unit), [0] * 6)
                entry[2 * place] += 1
                entry[2 * place + 1] += renewed
    same(rows, {k: tuple(v) for k, v in theirs.items()})
    newest = max(k[0] for k in rows)
    totals = [sum(v[i] for k, v in rows.items() if k[0] == newest) for i in (3, 5)]
    assert 0 < totals[0] < totals[1]  # five years renew more than three


def test_industry_projects(marts, facts):
    columns = "project_year, inst_code, cluster_code, client_kind, is_headline_scope"
    ours = table(
        marts,
        f"select {columns}, contract_count, signed_amount_cny, coalesce(median_contract_amount_cny, 0), "
        "coalesce(top_client_share, 0), receipt_amount_cny, refund_amount_cny, net_receipt_amount_cny "
        "from marts.industry_projects",
        5,
    )
    headline = (pl.col("fund_source_code") == "10") & pl.col("client_kind").is_in(["10", "20"])
    projects = facts["commissioned_project"].with_columns(
        headline.alias("headline"), pl.col("cluster_code").fill_null("-")
    )
    key = ["year", "inst", "cluster_code", "client_kind", "headline"]
    contracts = (
        projects.filter(pl.col("signed_on") <= facts.as_of)
        .with_columns(pl.col("signed_on").dt.year().alias("year"))
        .group_by(*key, "contract_no_digest")
        .agg(
            pl.col("contract_amount").max(),
            pl.coalesce("client_uscc", "contract_no_digest").max().alias("client"),
        )
    )
    amount = pl.col("contract_amount")
    signed = counted(contracts, key, [pl.len().alias("n"), amount.sum().alias("total"), amount.median()])
    clients = contracts.group_by(*key, "client").agg(amount.sum())
    largest = counted(clients, key, [amount.max() / amount.sum()])
    refund = pl.col("is_refund")
    receipts = (
        facts["commissioned_receipt"]
        .filter(pl.col("received_on") <= facts.as_of)
        .join(projects.select("project_id", *key[1:]), on="project_id", how="left")
        .with_columns(
            pl.col("received_on").dt.year().alias("year"),
            pl.coalesce("inst", "src_inst_code").alias("inst"),
            pl.col("cluster_code", "client_kind").fill_null("-"),
            pl.col("headline").fill_null(False),
        )
    )
    paid = counted(
        receipts,
        key,
        [
            pl.col("amount").filter(~refund).sum().alias("receipts"),
            pl.col("amount").filter(refund).sum().alias("refunds"),
            pl.when(refund).then(-pl.col("amount")).otherwise("amount").sum().alias("net"),
        ],
    )
    theirs = {
        k: (*signed.get(k, (0, 0, 0)), *largest.get(k, (0,)), *paid.get(k, (0, 0, 0)))
        for k in {*signed, *paid}
    }
    assert set(ours) == set(theirs)
    for k, values in theirs.items():
        assert [float(v) for v in ours[k]] == pytest.approx(list(values), rel=1e-6, abs=0.01), k


def test_institution_profile(marts, facts, simulated_city):
    ours = table(
        marts,
        "select inst_code, profile_year, in_study_count, doctoral_count, part_time_count, entrant_count, degree_count "
        "from marts.institution_profile",
        2,
    )
    units = set(facts["institution"]["inst_code"])
    assert set(ours) == {(u, y) for u in units for y in range(2016, facts.as_of.year + 1)}
    book = {
        (variant, unit, period): (numerator, denominator)
        for variant, unit, period, numerator, denominator in truth.indicators(simulated_city)
        .select("variant_code", "unit_code", "period_code", "numerator", "denominator")
        .iter_rows()
    }
    entrants = counted(
        facts.of_point("admission").filter("registered"),
        ["inst", pl.col("exam_year").cast(pl.Int64)],
        [pl.col("person").n_unique()],
    )
    degrees = counted(
        facts.of_student("degree_award").filter(pl.col("awarded_on") <= facts.as_of),
        ["inst", pl.col("awarded_on").dt.year()],
        [pl.len()],
    )
    for (unit, year), row in ours.items():
        sizes = [book[v, unit, str(year)][0] for v in ("H03", "H04", "H03-PT")]
        own = (unit, year)
        assert row == (*sizes, entrants.get(own, (0,))[0], degrees.get(own, (0,))[0]), own
