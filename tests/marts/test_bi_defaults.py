"""What a BI tool sums or averages without a filter: the table of docs/marts.md, each line tried on the simulated city."""

import re
from datetime import date

import polars as pl
import pytest
import sqlalchemy

from support.examples import MODELS, PAGE
from yuyan import settings
from yuyan.domain import indicators, yaml_file

pytestmark = pytest.mark.database

VIEWS = {m["name"]: m for m in yaml_file.read(MODELS / "marts" / "views" / "_views.yml")["models"]}
ROWS = re.findall(r"^\| `(select [^`]+)` \| (right|wrong|impossible) \| ([^|]+) \|$", PAGE, re.M)


def answer(marts, query: str) -> float:
    return float(marts.execute(query).fetchone()[0])


def test_the_page_shows_right_and_wrong_defaults():
    assert len(ROWS) >= 14
    assert {outcome for _, outcome, _ in ROWS} == {"right", "wrong"}


@pytest.mark.parametrize(("query", "outcome", "truth"), ROWS)
def test_a_default_aggregate_is_what_the_page_says(query, outcome, truth, marts):
    """'right' equals the figure named, counted from the star; 'wrong' does not, so that the warning stays true."""
    named = re.search(r"\[(.+?)\]", truth).group(1)
    found, expected = answer(marts, query), answer(marts, TRUTHS[named])
    if outcome == "right":
        assert found == pytest.approx(expected, rel=1e-9)
    else:
        assert abs(found - expected) > 0.001 * abs(expected)


TRUTHS = {
    "H03 of the city": "select numerator from indicators.ind_value where variant_code = 'H03' and grain = 'city' "
    "and period_code = '2026'",
    "registrations of the last census": "select count(*) from star.fct_enrolment_census where census_year = 2026 "
    "and degree_level in ('1', '2')",
    "graduates of complete years": "select count(*) from star.fct_employment where point_code = 'EP2' "
    "and status_on <= (select max(as_of) from marts.target_scorecard)",
    "H08 of the city": "select numerator / denominator from indicators.ind_value where variant_code = 'H08' "
    "and grain = 'city' and period_code = '2025-2026'",
    "H09 of the city": "select numerator / denominator from indicators.ind_value where variant_code = 'H09' "
    "and grain = 'city' and period_code = '2025'",
    "H12 of the city": "select numerator / denominator from indicators.ind_value where variant_code = 'H12' "
    "and grain = 'city' and period_code = '2025-2026'",
    "theses drawn": "select count(*) from star.fct_thesis_sampling where authority_code in ('1', '2')",
    "degree points in force, 2025": "select count(*) from star.fct_degree_point_year where calendar_year = 2025 "
    "and is_in_force and degree_level in ('1', '2')",
    "degree points with all scores, 2025": "select avg((n = s)::int) from (select count(*) as n, "
    "count(*) filter (where score_state_code <> 'THIN') as s from estimates.point_score where monitor_year = 2025 "
    "group by degree_point_id) as of_points",
    "items of the lists": "select count(distinct item_code) from plan.action_item",
}


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_has_one_grain_and_no_running_period(view, marts):
    columns = [c["name"] for c in VIEWS[view]["columns"]]
    assert {"grain", "is_plan_in_force"} & set(columns) == set()
    rows = marts.execute(f"select count(*) from marts.{view}").fetchone()[0]
    assert rows > 0
    keys = {
        "v_city": "indicator_code",
        "v_city_by_period": "indicator_code, period_code",
        "v_institution": "indicator_code, inst_code",
        "v_institution_by_period": "indicator_code, inst_code, period_code",
        "v_degree_point": "variant_code, degree_point_id",
        "v_degree_point_coverage": "monitor_year, inst_code",
        "v_destination_ep2": "grad_year, inst_code, degree_level, degree_type, destination_group, region_scope",
        "v_retention_by_origin": "grad_year, inst_code, origin_scope",
        "v_destination_by_place": "grad_year, inst_code, province_code, district_code",
        "v_time_to_degree": "award_year, inst_code, degree_level, degree_type",
        "v_plan_and_intake": "exam_year, inst_code, degree_level, degree_type, study_mode",
        "v_in_study": "inst_code, degree_level, degree_type, study_mode",
        "v_list_item": "list_item_code",
        "v_list_cycle": "list_item_code, cycle_code",
    }
    assert set(keys) == set(VIEWS)
    distinct = marts.execute(
        f"select count(*) from (select distinct {keys[view]} from marts.{view}) as k"
    ).fetchone()[0]
    assert distinct == rows
    if "period_end_on" in columns:
        latest = marts.execute(
            f"select max(period_end_on) <= (select max(as_of) from marts.target_scorecard) from marts.{view}"
        ).fetchone()
        assert latest == (True,)


def test_a_crawl_sees_what_the_views_are(simulated_city_dsn):
    engine = sqlalchemy.create_engine(simulated_city_dsn.replace("postgresql://", "postgresql+psycopg://"))
    try:
        inspector = sqlalchemy.inspect(engine)
        made = {v for v in inspector.get_view_names(schema="marts") if v.startswith("v_")}
        assert made == set(VIEWS)
        for view in VIEWS:
            comment = inspector.get_table_comment(view, schema="marts")["text"]
            assert comment.startswith("【模拟数据 / SIMULATED"), view
            assert all(c["comment"] for c in inspector.get_columns(view, schema="marts")), view
            assert f"`marts.{view}`" in PAGE
    finally:
        engine.dispose()


def test_every_table_with_a_period_says_what_is_complete(marts):
    periods = marts.execute(
        "select c.table_name from information_schema.columns c where c.table_schema = 'marts' "
        "and c.column_name = 'period_end_on' and c.table_name not like 'v\\_%'"
    ).fetchall()
    tables = {name for (name,) in periods}
    assert tables == {
        "indicator_value", "target_scorecard", "institution_profile", "student_flow", "thesis_sampling",
        "graduate_destination", "discipline_match", "course_renewal", "industry_projects", "data_confidence",
        "target_by_version", "supervisor_team", "course_core", "course_renewal_city", "resource_sharing",
        "academic_warning_flow", "warning_recall", "indicator_change", "degree_point_monitor", "degree_point_signal",
        "degree_point_adjustment", "warning_signal", "internationalisation", "degree_point_application", "funding",
        "funding_year", "training_cost", "platform_activity",
    }  # fmt: skip
    series_of = {
        "indicator_value": "variant_code, grain",
        "target_by_version": "doc_version, variant_code, grain",
        "graduate_destination": "point_code",
    }
    for table in sorted(tables - {"target_scorecard", "data_confidence", "indicator_change"}):
        series = series_of.get(table, "1")
        rows = marts.execute(
            f"select {series}, count(distinct period_end_on) filter (where is_latest_complete), "
            f"max(period_end_on) filter (where is_complete) = max(period_end_on) filter (where is_latest_complete) "
            f"from marts.{table} group by {series} having bool_or(is_complete)"
        ).fetchall()
        assert rows, table
        assert {row[-2:] for row in rows} == {(1, True)}, table


def test_institutions_have_their_official_order(marts):
    rows = marts.execute(
        "select distinct inst_order, inst_code from marts.institution_profile order by 1"
    ).fetchall()
    assert [order for order, _ in rows] == list(range(1, len(rows) + 1))
    assert [code for _, code in rows] == sorted(code for _, code in rows)
    for table in (
        "student_flow",
        "thesis_sampling",
        "graduate_destination",
        "course_renewal",
        "v_institution",
    ):
        differing = marts.execute(
            f"select count(*) from marts.{table} t join marts.institution_profile p using (inst_code) "
            "where t.inst_order <> p.inst_order"
        ).fetchone()
        assert differing == (0,), table


def test_a_figure_is_shown_as_a_reader_sees_it(marts):
    shown = dict(
        marts.execute(
            "select indicator_code, value_display || ' / ' || target_display from marts.target_scorecard"
        ).fetchall()
    )
    assert re.fullmatch(r"[\d,]+ 人 / ≥ 1,600 人（方案 160,000 人）", shown["H03"])
    assert re.fullmatch(r"\d+\.\d % / ≥ 12\.0 %", shown["H04"])
    assert shown["H06"].endswith("逐年提高")
    whole = marts.execute(
        "select count(*) from marts.indicator_value where value_display = '100.0 %' and value <> 1"
    ).fetchone()
    assert whole == (0,)
    colours = marts.execute(
        "select status_code, count(distinct status_colour), count(distinct status_order) from marts.indicator_value "
        "group by 1"
    ).fetchall()
    assert {(n, m) for _, n, m in colours} == {(1, 1)}


def test_few_theses_are_a_small_number_whatever_they_weigh(marts, facts):
    rows = marts.execute(
        "select unit_code, period_code, case_count, is_small_number from marts.indicator_value "
        "where variant_code = 'H09' and grain in ('institution', 'degree_point') and denominator > 0"
    ).fetchall()
    judged = facts.of_point("thesis_sampling").filter(
        pl.col("authority_code").is_in(["1", "2"])
        & ~pl.col("is_targeted")
        & pl.col("verdict_code").is_in(["1", "2"])
    )
    counts: dict[tuple[str, str], int] = {}
    for inst, point, year, n in judged.group_by("inst", "degree_point_id", "sampling_year").len().iter_rows():
        for unit in (inst, point):
            key = (unit, str(int(year)))
            counts[key] = counts.get(key, 0) + n
    assert len(rows) > 100
    for unit, period, cases, small in rows:
        assert cases == counts[unit, period]
        assert small == (cases < 10), (unit, period)


def test_the_match_starts_where_its_indicator_does(marts):
    first, last = marts.execute(
        "select min(period_year), max(period_year) from marts.indicator_value where variant_code = 'H02c' and grain = 'city'"
    ).fetchone()
    years = marts.execute("select min(match_year), max(match_year) from marts.discipline_match").fetchone()
    assert years == (first, last)


def test_every_version_of_the_plan_is_computed_and_one_is_in_force(marts):
    versions = marts.execute("select count(*) from plan.plan_version").fetchone()[0]
    rows = marts.execute(
        "select count(distinct doc_version), count(distinct doc_version) filter (where is_plan_in_force), "
        "count(distinct indicator_code) from marts.target_by_version"
    ).fetchone()
    assert rows == (versions, 1, len(indicators.load()))
    differing = marts.execute(
        "select count(*) from marts.target_by_version t join marts.indicator_value v "
        "using (variant_code, grain, unit_code, period_code) where v.is_official and t.is_plan_in_force "
        "and (t.value, t.target_value, t.path_value) is distinct from (v.value, v.target_value, v.path_value)"
    ).fetchone()
    assert differing == (0,)


EMPLOYED = (
    pl.read_csv(settings.SEEDS / "reference" / "destination_scope.csv", infer_schema_length=0)
    .filter(pl.col("is_employed") == "true")["destination_code"]
    .to_list()
)


def employed(facts) -> pl.DataFrame:
    """Graduates employed on 31 December of their year, with the institution of the student."""
    day = pl.col("status_on")
    return facts.of_student("employment").filter(
        (day.dt.year() == pl.col("grad_year"))
        & (day.dt.month() == 12)
        & (day.dt.day() == 31)
        & (day <= facts.as_of)
        & pl.col("destination_code").is_in(EMPLOYED)
    )


def test_retention_by_origin(marts, facts):
    origin = facts["student"].select("student_id", "origin_region_code")
    local = pl.col("origin_region_code")
    rows = employed(facts).join(origin, on="student_id", how="left")
    rows = rows.with_columns(
        pl.when(local.is_null())
        .then(pl.lit("-"))
        .when(local.str.starts_with("50"))
        .then(pl.lit("CQ"))
        .otherwise(pl.lit("OTHER"))
        .alias("scope")
    )
    stays = pl.col("region_code").str.starts_with("50").fill_null(False)
    theirs = {
        tuple(row[:3]): tuple(row[3:])
        for row in rows.group_by(pl.col("grad_year").cast(pl.Int64), "inst", "scope")
        .agg(pl.len(), stays.sum())
        .iter_rows()
    }
    ours = marts.execute(
        "select grad_year, inst_code, origin_scope, employed_count, employed_in_chongqing_count "
        "from marts.v_retention_by_origin"
    ).fetchall()
    assert {tuple(row[:3]): tuple(row[3:]) for row in ours} == theirs
    assert {scope for _, _, scope in theirs} >= {"CQ", "OTHER"}


def test_destinations_by_place_are_the_same_graduates(marts, facts):
    theirs = {
        (int(year), inst): count
        for year, inst, count in employed(facts).group_by("grad_year", "inst").len().iter_rows()
    }
    ours = marts.execute(
        "select grad_year, inst_code, sum(employed_count) from marts.v_destination_by_place group by 1, 2"
    ).fetchall()
    assert {(year, inst): count for year, inst, count in ours} == theirs
    in_city = employed(facts).filter(pl.col("region_code").str.starts_with("50")).height
    assert marts.execute(
        "select sum(employed_count) from marts.v_destination_by_place where province_code = '500000'"
    ).fetchone() == (in_city,)
    assert marts.execute(
        "select count(distinct district_code) > 5 from marts.v_destination_by_place"
    ).fetchone() == (True,)


def test_time_to_degree(marts, facts):
    first = (
        facts["degree_award"]
        .filter(pl.col("awarded_on") <= facts.as_of)
        .group_by("student_id")
        .agg(pl.col("awarded_on").min())
        .filter(pl.date(pl.col("awarded_on").dt.year(), 12, 31) <= facts.as_of)
    )
    rows = first.join(facts.of_student("student"), on="student_id")
    days = (pl.col("awarded_on") - pl.col("entry_on")).dt.total_days()
    theirs = {
        (year, inst): (count, total)
        for year, inst, count, total in rows.group_by(pl.col("awarded_on").dt.year(), "inst")
        .agg(pl.len(), days.sum().alias("days"))
        .iter_rows()
    }
    ours = marts.execute(
        "select award_year, inst_code, sum(awarded_count), sum(days_to_degree_sum) "
        "from marts.v_time_to_degree group by 1, 2"
    ).fetchall()
    assert {(year, inst): (count, total) for year, inst, count, total in ours} == theirs


def test_plan_and_intake(marts, facts):
    entrants = facts.of_point("admission").filter("registered").group_by("inst", "exam_year").len()
    theirs = {(inst, int(year)): count for inst, year, count in entrants.iter_rows()}
    ours = marts.execute(
        "select inst_code, exam_year, sum(registered_count), sum(quota_count) from marts.v_plan_and_intake group by 1, 2"
    ).fetchall()
    found = {(inst, year): count for inst, year, count, _ in ours}
    assert {k: v for k, v in found.items() if v} == {
        k: v for k, v in theirs.items() if date(k[1], 10, 31) <= facts.as_of
    }
    plans = facts.of_point("admission_plan")
    cell = ["plan_year", "degree_point_id", "study_mode", "special_plan_code"]
    newest = plans.filter(pl.col("revision_no") == pl.col("revision_no").max().over(cell))
    quotas = {
        (inst, int(year)): quota
        for inst, year, quota in newest.group_by("inst", "plan_year")
        .agg(pl.col("plan_quota").sum())
        .iter_rows()
        if date(int(year), 10, 31) <= facts.as_of and quota
    }
    assert {(inst, year): quota for inst, year, _, quota in ours if quota} == quotas
