"""What an allocation is made of: published indicator values, measures of the star, institutions, single records.

All of it in plain rows (dictionaries), ordered, so that one state of the warehouse is always the same data.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

import psycopg
from psycopg.rows import dict_row

from yuyan.domain import indicators
from yuyan.domain.conditions import Condition
from yuyan.domain.indicators import Side

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
    "staff_fte": Measure("教职工折合人数（上一财务年度）", "人", "none", """
select inst_code, staff_fte::float8 as numerator, null::float8 as denominator
from star.fct_resource_year
where fiscal_year = extract(year from %(as_of)s::date)::int - 1 and staff_fte > 0
order by 1
"""),
    "training_spending": Measure("培养支出（上一财务年度）", "元", "none", """
select inst_code, training_spending_cny::float8 as numerator, null::float8 as denominator
from star.fct_resource_year
where fiscal_year = extract(year from %(as_of)s::date)::int - 1 and training_spending_cny > 0
order by 1
"""),
    "degrees": Measure("上一自然年授予学位", "人", "none", """
select inst_code, count(*)::float8 as numerator, null::float8 as denominator
from star.fct_degree_award
where award_year = extract(year from %(as_of)s::date)::int - 1
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

RECORD_IDS = {
    "H09": "sampling_id",
    "H10": "contract_no_digest",
    "H11": "receipt_id",
    "H12": "award_id",
    "H13a": "student_id",
}
"""Indicators whose single records the guard tries -> the column of their fact that tells the records apart. Of other
indicators it knows the counts only: any one record of a kind stands for all of it."""


def records_query(code: str) -> str:
    """The records that an indicator of RECORD_IDS counts, with what each adds, from the definition in its own file.

    Columns record_id, inst_code, numerator and denominator (NULL for a count), of %(period)s as of %(as_of)s. Raises
    ValueError for a definition of which a record has no part of its own (a growth, a mean, a condition with a parameter).
    """
    variant = next(v for v in indicators.variants() if v.code == code and v.row["is_official"] == "true")
    measures = indicators.load()[variant.indicator].measures

    def part(side: Side | None) -> str:
        """What a record adds to a side: its amount, or 1, where the side's condition holds."""
        if side is None:
            return "null::float8"
        (term,) = side.terms
        measure = measures[term.measure]
        if term.shift or (measure.key not in (None, RECORD_IDS[code])):
            raise ValueError(f"{code}: {term.measure} is not counted record by record")
        amount = measure.amount or "1"
        return f"case when {_condition(measure.where)} then {amount} else 0 end" if measure.where else amount

    numerator, denominator = (part(side) for side in variant.value_at("institution"))
    return f"""
select {RECORD_IDS[code]} as record_id, inst_code, max({numerator})::float8 as numerator,
    max({denominator})::float8 as denominator
from star.{variant.fact}
where {variant.period_column}::text = %(period)s and {_condition(variant.where) if variant.where else "true"}
group by 1, 2 having max({numerator}) <> 0 or max({denominator}) <> 0 order by 2, 1
"""


def _condition(condition: Condition) -> str:
    def parameter(name: str) -> str:
        raise ValueError(f"the condition names the parameter {name}, which the records' guard does not know")

    return f"({condition.text(parameter, '%(as_of)s')})"


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
