"""What the estimates are made of: frames read from the star, the indicators and the plan's seeds, in bulk."""

import io
from datetime import date
from typing import Any

import polars as pl
import psycopg
from psycopg import sql

REGISTRY = """
select distinct on (variant_code) variant_code, estimator, adjustment, comparator, city_rule, unit_rule, value_kind,
    answers, value_upper, sampled_kinds
from plan.indicator order by variant_code, is_official desc, definition_version desc
"""
COMPOSITE = "select indicator_code, variant_code, weight::float8 as weight from plan.composite order by 1, 2"
VALUES = """
select v.variant_code, v.grain, v.unit_code, v.period_code, v.period_year, v.value_kind,
    (v.period_end_on <= {as_of})::int as is_complete, v.numerator, v.denominator, v.value, s.target_value as target,
    s.path_value as path, s.status_code as path_status, s.status_reason_code as path_reason,
    extract(year from t.due_on)::int as due_year,
    coalesce(t.baseline_year, {base_year})::int as base_year, t.path_kind
from indicators.ind_value v
join indicators.ind_status s using (variant_code, definition_version, grain, unit_code, period_code)
left join plan.target t on t.variant_code = v.variant_code and t.doc_version = {doc_version}
where v.value is not null and s.is_in_force
order by v.variant_code, v.grain, v.unit_code, v.period_year
"""
POINTS = """
select degree_point_id as unit_code, inst_code, coalesce(degree_level, '-') as degree_level,
    coalesce(degree_type, '-') as degree_type, coalesce(left(discipline_code, 2), '-') as category_code
from star.dim_degree_point where is_current order by degree_point_id
"""
SAMPLINGS = """
select sampling_year::text as period_code, inst_code, authority_code || '|' || stratum_code as stratum,
    case degree_level when '1' then '1' else degree_level || degree_type end as kind,
    sampling_weight::float8 as weight, (verdict_code = '1')::int as is_passed
from star.fct_thesis_sampling
where authority_code in ('1', '2') and not is_targeted and verdict_code in ('1', '2')
order by sampling_id
"""
COURSES = """
select e.academic_year as period_code, left(e.academic_year, 4)::int as period_year, e.inst_code,
    coalesce(c.unit_code, '-') || '|' || coalesce(c.course_rank_code, '-') as stratum,
    e.satisfied_count::float8 as satisfied, e.score_sum::float8 as score, e.response_count::float8 as n,
    e.eligible_count::float8 as frame
from star.fct_course_evaluation e left join star.dim_course c on c.course_id = e.course_id
where e.instrument_version = {instrument} and e.academic_year is not null
order by e.offering_id, e.instrument_version
"""
EMPLOYERS = """
select survey_year::text as period_code, survey_year::int as period_year, inst_code, '-' as stratum,
    (case when overall_score >= 4 then design_weight else 0 end)::float8 as satisfied,
    (overall_score * design_weight)::float8 as score, design_weight::float8 as n, design_weight::float8 as frame
from star.fct_employer_survey
where inst_code is not null and design_weight > 0 and overall_score is not null
order by response_id
"""
ORIGINS = """
select e.grad_year::text as period_code, e.inst_code, (s.origin_region_code like '50%')::text as stratum,
    count(*) filter (where e.is_in_chongqing)::float8 as x, count(*)::float8 as n
from star.fct_employment e
join star.dim_student s on s.student_id = e.student_id and s.is_current
where e.point_code = 'EP2' and e.is_employed and s.origin_region_code is not null
group by 1, 2, 3 order by 1, 2, 3
"""
MILESTONES = """
select series_code, name_zh, unit_zh, year as period_year, level, is_start::int as is_start
from plan.milestone where doc_version = {doc_version} order by series_code, year
"""
POINT_YEARS = """
select y.calendar_year as monitor_year, y.degree_point_id, coalesce(y.degree_level, '-') as degree_level,
    coalesce(y.degree_type, '-') as degree_type, coalesce(left(y.discipline_code, 2), '-') as category_code,
    (not coalesce(d.is_h02_excluded, false))::int as is_applied
from star.fct_degree_point_year y
left join star.dim_discipline d on d.discipline_code = y.discipline_code
where y.is_in_force and y.degree_level in ('1', '2') and y.calendar_year >= {first_year}
order by y.calendar_year, y.degree_point_id
"""
POINT_EVIDENCE = """
select component_code, degree_point_id, evidence_year, evidence_end_on, numerator, denominator, squares
from indicators.ind_point_evidence
where is_complete
order by component_code, degree_point_id, evidence_year
"""
POINT_COMPONENTS = """
select component_code, dimension_code, kind, weight, pooled_years, minimum_cases, missing_zh
from plan.point_component order by component_code
"""
POINT_DIMENSIONS = """
select dimension_code, minimum_evidence_share, is_applied_only::int as is_applied_only
from plan.point_dimension order by dimension_code
"""
TEXTS = (
    "variant_code", "grain", "unit_code", "period_code", "value_kind", "path_status", "path_reason", "path_kind",
    "inst_code", "stratum", "kind", "degree_level", "degree_type", "category_code", "estimator", "adjustment",
    "comparator", "city_rule", "unit_rule", "series_code", "name_zh", "unit_zh", "indicator_code", "answers",
    "sampled_kinds", "degree_point_id", "component_code", "dimension_code", "missing_zh",
)  # fmt: skip
YEARS = ("period_year", "due_year", "base_year", "monitor_year", "evidence_year", "pooled_years")
DAYS = ("evidence_end_on",)
TRUTHS = ("is_complete", "is_passed", "is_start", "is_applied", "is_applied_only")


def read(connection: psycopg.Connection, query: str, **given: Any) -> pl.DataFrame:
    """The rows of one of the queries above; codes are text, figures floats. Raises psycopg.errors.UndefinedTable."""
    literals = {k: sql.Literal(v.isoformat() if isinstance(v, date) else v) for k, v in given.items()}
    statement = sql.SQL("copy ({}) to stdout with (format csv, header)").format(
        sql.SQL(query).format(**literals)
    )
    buffer = io.BytesIO()
    with connection.cursor().copy(statement) as copy:
        for block in copy:
            buffer.write(block)
    buffer.seek(0)
    names = buffer.readline().decode().strip().split(",")
    buffer.seek(0)
    kinds = {
        **dict.fromkeys(TEXTS, pl.String),
        **dict.fromkeys((*YEARS, *TRUTHS), pl.Int64),
        **dict.fromkeys(DAYS, pl.Date),
    }
    types = {n: kinds.get(n, pl.Float64) for n in names}
    frame = pl.read_csv(buffer, schema=types)
    return frame.with_columns(pl.col(n).cast(pl.Boolean) for n in names if n in TRUTHS)


def replace(connection: psycopg.Connection, table: str, rows: pl.DataFrame) -> None:
    """Make the table hold these rows; columns by name, NaN is NULL.

    Readers neither wait nor see it empty; another writer waits for the end of the transaction.
    """
    name = sql.Identifier("estimates", table)
    connection.execute(sql.SQL("lock table {} in share row exclusive mode").format(name))
    connection.execute(sql.SQL("delete from {}").format(name))
    columns = sql.SQL(", ").join(map(sql.Identifier, rows.columns))
    statement = sql.SQL("copy {} ({}) from stdin with (format csv)").format(name, columns)
    floats = [n for n, kind in rows.schema.items() if kind.is_float()]
    text = rows.with_columns(pl.col(n).fill_nan(None) for n in floats).write_csv(include_header=False)
    with connection.cursor().copy(statement) as copy:
        copy.write(text)
