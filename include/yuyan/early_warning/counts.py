"""What the warnings count, read from the star, the indicators and the estimates in bulk.

A count is `x` favourable of `n` cases of a degree point in a year, so that every rule speaks of rates that are better when
higher.
"""

from datetime import date

import polars as pl
import psycopg

from yuyan.early_warning import components
from yuyan.warehouse.frames import read

POINTS = """
select degree_point_id as target_code, inst_code, coalesce(degree_level, '-') as degree_level,
    coalesce(degree_type, '-') as degree_type
from star.dim_degree_point where is_current and coalesce(status_code, '10') not in ('80', '90') order by 1
"""
_INDICATOR = """
select v.variant_code as signal_code, v.unit_code as target_code, v.period_year, v.numerator::float8 as x,
    v.denominator::float8 as n
from indicators.ind_value v
join indicators.ind_status s using (variant_code, definition_version, grain, unit_code, period_code)
where v.grain = 'degree_point' and v.variant_code = any(%(variants)s) and s.is_in_force and v.period_end_on <= %(as_of)s
    and v.denominator > 0 and v.numerator between 0 and v.denominator
"""
_OTHERS = {
    "expert_opinion": """
select degree_point_id as target_code, sampling_year as period_year, sum((4 - opinion_code::int) / 3.0)::float8 as x,
    count(*)::float8 as n
from star.fct_thesis_sampling_review where opinion_code in ('1', '2', '3', '4') and degree_point_id is not null group by 1, 2
""",
    "blind_review": """
select degree_point_id as target_code, extract(year from reviewed_on)::int as period_year,
    count(*) filter (where is_passed)::float8 as x, count(*)::float8 as n
from star.fct_thesis_review where review_kind = '10' and round_no = 1 and degree_point_id is not null group by 1, 2
""",
    "delay": """
with troubled as (
    select degree_point_id, extract(year from event_on)::int as year, count(distinct student_id) as n
    from star.fct_student_status_event where event_type in ('06', '31') group by 1, 2
), enrolled as (
    select degree_point_id, census_year, count(*) as n from star.fct_enrolment_census
    where degree_point_id is not null group by 1, 2
)
select e.degree_point_id as target_code, e.census_year as period_year, greatest(e.n - coalesce(t.n, 0), 0)::float8 as x,
    e.n::float8 as n
from enrolled e left join troubled t on t.degree_point_id = e.degree_point_id and t.year = e.census_year
""",
    "supervisor_load": """
select c.degree_point_id as target_code, c.census_year as period_year,
    count(distinct c.student_id) filter (where l.student_count <= %(load_limit)s)::float8 as x,
    count(distinct c.student_id)::float8 as n
from star.fct_enrolment_census c
join star.bridge_student_supervisor r on r.student_id = c.student_id and r.role_code = '10' and r.from_on <= c.census_on
    and (r.to_on is null or r.to_on >= c.census_on)
join star.fct_supervisor_load l on l.supervisor_id = r.supervisor_id and l.census_year = c.census_year
where c.degree_point_id is not null and c.census_year > %(year)s - 8 group by 1, 2
""",
    "course_satisfaction": """
select b.degree_point_id as target_code, left(e.academic_year, 4)::int as period_year,
    sum(e.satisfied_count)::float8 as x, sum(e.response_count)::float8 as n
from star.fct_course_evaluation e join star.bridge_course_degree_point b on b.course_id = e.course_id
where e.instrument_version = %(instrument)s and e.academic_year is not null group by 1, 2
""",
    "intake": """
with plans as (
    select degree_point_id, plan_year, sum(quota_count) as quota from star.fct_admission_plan
    where is_latest_revision group by 1, 2
), came as (
    select degree_point_id, exam_year, count(*) as n from star.fct_admission where is_registered group by 1, 2
)
select p.degree_point_id as target_code, p.plan_year as period_year,
    least(coalesce(c.n, 0), p.quota)::float8 as x, p.quota::float8 as n
from plans p left join came c on c.degree_point_id = p.degree_point_id and c.exam_year = p.plan_year
where make_date(p.plan_year, 10, 31) <= %(as_of)s
""",
    "misconduct": """
select degree_point_id as target_code, extract(year from decided_on)::int as period_year, 0::float8 as x,
    count(*)::float8 as n
from accepted.misconduct_case where subject_kind = 'S' and category_code in ('10', '20', '30') and decided_on <= %(as_of)s
group by 1, 2
""",
}
SAMPLINGS = """
select degree_point_id as target_code, sampling_year as period_year,
    count(*) filter (where verdict_code = '1')::float8 as x, count(*)::float8 as n
from star.fct_thesis_sampling where verdict_code in ('1', '2') and authority_code in ('1', '2') and sampling_year <= %s
group by 1, 2
"""
EVALUATIONS = """
select distinct on (degree_point_id) degree_point_id as target_code, kind, judged_on::text as judged_on
from (
    select degree_point_id, event_type as kind, event_on as judged_on from star.fct_degree_point_event
    where event_type in ('31', '32', '33')
    union all
    select degree_point_id, 'E' || result_code, decided_on from star.fct_evaluation_result
    where eval_kind_code in ('20', '30', '40')
) judged
where judged_on <= %s order by degree_point_id, judged_on desc, kind desc
"""
"""The newest word on each point's qualification: an event (31 rectification begun, 32 passed, 33 failed) or the result of an
evaluation (E10 passed, E20 to be rectified, E30 failed) by others: a self-evaluation (10) or a certification of excellent
engineers (50) says nothing of it."""
RATES = """
select grain, unit_code as target_code, period_code::int as period_year, pooled_years, sound as x, cases as n, prior_mean,
    prior_strength, lcl95, ucl95
from estimates.rate_warning where variant_code = %s
"""
GAPS = """
select e.variant_code, e.unit_code as target_code, v.period_year, v.numerator::float8 as x, v.denominator::float8 as n,
    v.value::float8 as value, e.benchmark_value, e.benchmark_error, e.benchmark_own_share
from estimates.indicator_estimate e
join indicators.ind_value v using (variant_code, grain, unit_code, period_code)
join indicators.ind_status s using (variant_code, definition_version, grain, unit_code, period_code)
where e.grain = 'degree_point' and e.benchmark_value is not null and s.is_in_force and v.period_end_on <= %s
"""
DISTRUSTED = """
select src_inst_code as inst_code, entity from quality.scorecard
where run_id = %s and dimension = 'D11' and grade = 'NCID' and entity <> ''
"""
COUNT = ["signal_code", "target_code", "period_year", "x", "n"]


def signals(connection: psycopg.Connection, as_of: date, load_limit: float, instrument: str) -> pl.DataFrame:
    """Every signal of every degree point and year, columns COUNT. Raises psycopg.errors.UndefinedTable before the layers."""
    given = {
        "as_of": as_of,
        "load_limit": load_limit,
        "instrument": instrument,
        "year": as_of.year,
        "variants": [c.source_variant for c in components.load("W03") if c.source_variant],
    }
    found = [read(connection, _INDICATOR, given)]
    for c in components.load("W03"):
        if not c.source_variant:
            counted = read(connection, _OTHERS[c.counted_by], given)
            found.append(counted.with_columns(signal_code=pl.lit(c.signal_code)))
    return pl.concat(f.select(COUNT) for f in found).filter(pl.col("n") > 0).sort(COUNT[:3])


def pooled(counts: pl.DataFrame, year: int, window: int) -> pl.DataFrame:
    """Sums over the `window` years that end with `year`: signal_code, target_code, x, n."""
    inside = counts.filter(pl.col("period_year").is_between(year - window + 1, year))
    return (
        inside.group_by("signal_code", "target_code").agg(pl.sum("x", "n")).sort("signal_code", "target_code")
    )
