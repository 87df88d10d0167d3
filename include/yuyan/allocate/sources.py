"""What an allocation is made of: published indicator values, measures of the star, institutions, single records.

All of it in plain rows (dictionaries), ordered, so that one state of the warehouse is always the same data.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

import psycopg
from psycopg.rows import dict_row

Row = dict[str, Any]

AS_OF = "select max(as_of) as as_of from marts.indicator_value"
REGISTRY = """
select distinct on (variant_code) variant_code, name_zh, unit_zh, direction, value_kind,
    'institution' = any(string_to_array(grains, ';')) as has_institutions
from plan.indicator order by variant_code, is_official desc, definition_version desc
"""
INSTITUTIONS = """
select inst_code, inst_name, affiliation_code, affiliation_name, peer_group_code, peer_group_name
from star.dim_institution
where valid_from <= %(as_of)s and (valid_to is null or valid_to >= %(as_of)s) order by inst_code
"""
VALUES = """
with known as (
    select distinct on (variant_code) variant_code, definition_version
    from plan.indicator where variant_code = any(%(variants)s)
    order by variant_code, is_official desc, definition_version desc
),
own as (
    select v.* from marts.indicator_value v join known k using (variant_code, definition_version)
    where v.grain = 'institution' and v.is_complete
),
newest as (
    select distinct on (variant_code) variant_code, period_code from own
    where value is not null order by variant_code, period_end_on desc, period_code desc
)
select o.variant_code, o.inst_code, o.period_code, o.numerator, o.denominator, o.value, o.adjusted_value, o.benchmark_value,
    e.benchmark_error, o.lcl95, o.ucl95, o.is_small_number, o.confidence_grade, o.confidence_entity_code,
    o.confidence_dimension_code, w.shrunk_value, w.prior_mean * w.prior_strength + w.sound as shrunk_sound,
    w.prior_strength + w.cases as shrunk_cases
from own o
join newest n using (variant_code, period_code)
left join estimates.indicator_estimate e
    on (e.variant_code, e.grain, e.unit_code, e.period_code) = (o.variant_code, o.grain, o.unit_code, o.period_code)
left join estimates.rate_warning w
    on (w.variant_code, w.grain, w.unit_code, w.period_code) = (o.variant_code, o.grain, o.unit_code, o.period_code)
    and w.pooled_years = 3
order by o.variant_code, o.inst_code
"""
SIZES = """
select inst_code, degree_level, coalesce(left(discipline_code, 2), '-') as category_code,
    count(distinct person_key) as persons
from star.fct_enrolment_census
where census_year = (select max(census_year) from star.fct_enrolment_census)
group by 1, 2, 3 order by 1, 2, 3
"""


@dataclass(frozen=True)
class Measure:
    """A figure of the star that a scheme can name beside the registry's variants.

    The query gives inst_code, numerator and denominator (NULL for a count) as of %(as_of)s.
    """

    name_zh: str
    unit_zh: str
    direction: str
    query: str


MEASURES = {
    "in_study": Measure("在学研究生（最近一次9月30日）", "人", "none", """
select inst_code, count(distinct person_key)::float8 as numerator, null::float8 as denominator
from star.fct_enrolment_census
where census_year = (select max(census_year) from star.fct_enrolment_census)
group by 1 order by 1
"""),
    "supervisors": Measure("在岗导师（含停招）", "人", "none", """
select inst_code, count(distinct supervisor_id)::float8 as numerator, null::float8 as denominator
from star.dim_supervisor
where is_current and status_code in ('10', '20') and inst_code is not null
group by 1 order by 1
"""),
    "degrees": Measure("上一自然年授予学位", "人", "none", """
select inst_code, count(*)::float8 as numerator, null::float8 as denominator
from star.fct_degree_award
where award_year = extract(year from %(as_of)s::date)::int - 1
group by 1 order by 1
"""),
    "core_renewal": Measure("核心课程三年更新比例", "%", "up", """
select inst_code, sum(renewed_3y_count)::float8 as numerator, sum(core_course_3y_count)::float8 as denominator
from marts.course_renewal
where academic_year = (select max(academic_year) from marts.course_renewal where is_complete)
group by 1 order by 1
"""),
    # of those whose end was expected in three years up to a quarter ago: degrees are awarded within the quarter after it
    "on_time": Measure("按期毕业比例（近三年应毕业）", "%", "up", """
select inst_code, count(*) filter (where first_awarded_on <= expected_end_on + 92)::float8 as numerator,
    count(*)::float8 as denominator
from star.fct_student_lifecycle
where degree_level in ('1', '2') and expected_end_on between %(as_of)s::date - 1187 and %(as_of)s::date - 92
group by 1 order by 1
"""),
}  # fmt: skip
"""Beside them a scheme names any variant that the registry has at institutions."""

RECORDS = {
    "H09": """
select sampling_id as record_id, inst_code, sampling_weight::float8 as denominator,
    (case when verdict_code = '1' then sampling_weight else 0 end)::float8 as numerator
from star.fct_thesis_sampling
where sampling_year::text = %(period)s and authority_code in ('1', '2') and not is_targeted
    and verdict_code in ('1', '2')
order by 2, 1
""",
    "H10": """
select contract_no_digest as record_id, inst_code, 1::float8 as numerator, null::float8 as denominator
from star.fct_commissioned_project
where signed_year::text = %(period)s and signed_on <= %(as_of)s
    and fund_source_code = '10' and client_kind in ('10', '20')
group by 1, 2 order by 2, 1
""",
    "H11": """
select receipt_id as record_id, inst_code, net_amount_cny::float8 as numerator, null::float8 as denominator
from star.fct_commissioned_receipt
where received_year::text = %(period)s and received_on <= %(as_of)s
    and fund_source_code = '10' and client_kind in ('10', '20')
order by 2, 1
""",
    "H12": """
select a.award_id as record_id, a.inst_code, ((t.is_frontline_claimed or t.topic_source_code = '14')
    and coalesce(t.frontline_evidence_code, '0') <> '0'
    and (coalesce(t.topic_source_code, '') <> '14' or t.is_source_project_accepted))::int::float8 as numerator,
    1::float8 as denominator
from star.fct_degree_award a join star.fct_thesis t on t.thesis_id = a.thesis_id
where a.academic_year = %(period)s and a.awarded_on <= %(as_of)s order by 2, 1
""",
    "H13a": """
select student_id as record_id, inst_code, is_in_chongqing::int::float8 as numerator, 1::float8 as denominator
from star.fct_employment where grad_year::text = %(period)s and point_code = 'EP2' and is_employed order by 2, 1
""",
}
"""The records an indicator is counted from, with what each adds to numerator and denominator. Of other indicators the guard
knows the counts only: any one record of a kind stands for all of it."""


def rows(connection: psycopg.Connection, query: str, given: dict[str, Any] | None = None) -> list[Row]:
    """The rows of a query as dictionaries. Raises psycopg.errors.UndefinedTable where the marts were never built."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, given).fetchall()


def as_of(connection: psycopg.Connection) -> date:
    """The day that the published values stand for. Raises LookupError when there are none."""
    day = rows(connection, AS_OF)[0]["as_of"]
    if day is None:
        raise LookupError("marts.indicator_value 是空的：先运行一次数仓（yuyan run）")
    return day


def measured(connection: psycopg.Connection, names: set[str], day: date) -> dict[str, list[Row]]:
    """Measure -> its rows, for the measures among the names."""
    return {n: rows(connection, MEASURES[n].query, {"as_of": day}) for n in sorted(names & set(MEASURES))}
