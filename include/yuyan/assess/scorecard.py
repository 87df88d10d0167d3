"""The data-quality scorecard D01–D11 and the confidence it gives each indicator.

A measure is a numerator and a denominator per source, entity and dimension; the value and its grade follow from them, and
the city's from their sums. Dimensions and the limits of their grades are the seed plan/quality_dimension.csv; facts that
need evidence (D09) or that a second source also carries (D10) are expectations/scorecard_fact.csv. What cannot be
assessed is NULL, never a pass.
"""

import csv
from datetime import date, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import psycopg

from yuyan import settings
from yuyan.assess import checks, frames
from yuyan.domain import catalogue, contracts, institutions
from yuyan.domain.credibility_rules import SUBJECT, load

CITY = "500000"
GRADES = ["A", "B", "C", "D", "NCID"]
WINDOW_DAYS = 30
"""D01 looks at the collections of so many days up to `as_of`, not at a month that has just begun [param]."""
OF_ENTITY = ["D01", "D02", "D03", "D04", "D05", "D07", "D09", "D10"]
"""Assessed per entity, and summed over all of them; the others are of an institution as a whole (entity '')."""
MEASURE = ["src_inst_code", "entity", "dimension", "numerator", "denominator"]
COLUMNS = [*MEASURE, "value", "target", "grade"]

_COUNTED = """
with live as (
    select src_inst_code, entity, max(eligible) as rows from quality.current_result group by 1, 2
), waiting as (
    select src_inst_code, entity, count(*) as rows from quality.quarantine where state = 'open' group by 1, 2
), passed as (
    select src_inst_code, entity, count(distinct raw_id) as rows from quality.row_failure
    where override_id in (select override_id from quality.override where state = 'active') and resolved_run_id is null
    group by 1, 2
), drift as (
    select distinct on (c.src_inst_code, c.entity) c.* from ops.count_check c join ops.run r using (run_id)
    where r.as_of <= %(as_of)s order by c.src_inst_code, c.entity, r.as_of desc, r.started_at desc
)
select src_inst_code, entity, 'D02' as dimension, sum(eligible - failed - unverifiable)::float8 as numerator,
    sum(eligible)::float8 as denominator from quality.current_result where rule_id = any(%(presence)s) group by 1, 2
union all
select l.src_inst_code, l.entity, 'D03', l.rows - coalesce(w.rows, 0), l.rows
from live l left join waiting w using (src_inst_code, entity)
union all
select src_inst_code, entity, 'D04', sum(eligible - failed - unverifiable), sum(eligible)
from quality.current_result where rule_id = any(%(reference)s) group by 1, 2
union all
select src_inst_code, entity, 'D05',
    case when action = 'still_different' then abs(source_count - warehouse_count) else 0 end,
    greatest(source_count, warehouse_count, 1)
from drift
union all
select l.src_inst_code, l.entity, 'D07', coalesce(p.rows, 0), l.rows
from live l left join passed p using (src_inst_code, entity)
"""
_COLLECTED = """
select r.as_of, c.src_inst_code, c.entity, bool_or(c.outcome <> 'failed') as delivered
from ops.collection_result c join ops.run r using (run_id)
where r.kind = 'collect' and r.as_of between %(since)s and %(as_of)s group by 1, 2, 3
"""
_REVISED = """
with assessed as (
    select rule_id, src_inst_code, period_code, run_id, observed, cases from quality.credibility
    where run_id = %(run)s and rule_id like 'QR.' || %(subject)s || '.%%.11' and observed is not null
), noted as (
    insert into quality.first_assessed as f (rule_id, src_inst_code, period_code, run_id, observed, cases)
    select * from assessed
    on conflict (rule_id, src_inst_code, period_code) do update
        set observed = excluded.observed, cases = excluded.cases
        where f.run_id = excluded.run_id
)
select n.rule_id, n.src_inst_code, f.observed as first, n.observed as now, coalesce(f.cases, n.cases) as cases
from assessed n join quality.first_assessed f using (rule_id, src_inst_code, period_code)
where f.run_id <> n.run_id
"""
_OVERRIDES = """
select o.src_inst_code, count(*) filter (where o.state = 'active') as active,
    count(*) filter (where o.state = 'active' and s.role = 'commission') as by_commission,
    count(*) filter (where o.lapse_reason = 'expired' and p.state not in ('fixed', 'overridden', 'override_requested')
        and not exists (select 1 from quality.override n where n.problem_id = o.problem_id
            and n.override_id > o.override_id and n.state in ('active', 'requested'))) as expired
from quality.override o join quality.problem p using (problem_id) left join quality.steward s on s.name = o.decided_by
group by 1
"""
_ALARMS = """
select c.src_inst_code, u.indicators[1] as indicator_code, count(*) filter (where c.is_alarm) as opened,
    count(*) filter (where c.is_alarm and p.state = 'known') as explained
from quality.credibility c join quality.rule u on u.rule_id = c.rule_id and u.is_current
left join quality.problem p on p.rule_id = c.rule_id and p.src_inst_code = c.src_inst_code
where c.run_id = %s group by 1, 2
"""


def assess(connection: psycopg.Connection, run_id: str, as_of: date) -> pl.DataFrame:
    """The scorecard as it stands after this run's checks of credibility; columns COLUMNS.

    A row for every source, every entity it is known by ('' is all of them) and every dimension; the city is CITY. Writes
    quality.first_assessed: values of this run that no run assessed before.
    """
    given = {"as_of": as_of, "presence": _presence_rules(), "reference": _reference_rules()}
    parts = [
        frames.read(connection, _COUNTED, given),
        _timeliness(connection, as_of),
        *(_fact(connection, row) for row in _facts()),
    ]
    counted = pl.concat(parts).group_by(MEASURE[:3]).agg(pl.col("numerator", "denominator").sum())
    of_institutions = [_revisions(connection, run_id), _overrides(connection), _alarms(connection, run_id)]
    return graded(pl.concat([counted, *of_institutions]))


def graded(measured: pl.DataFrame) -> pl.DataFrame:
    """Values and grades of measures (columns MEASURE, a row per source, entity and dimension), with their sums over entities
    and over sources, a row without a value for what was not measured, and D11."""
    columns = [pl.col("numerator").sum(), pl.col("denominator").sum()]
    of_entity = measured.filter(pl.col("entity") != "")
    sums = of_entity.group_by("src_inst_code", "dimension").agg(columns).with_columns(entity=pl.lit(""))
    every = pl.concat([measured.select(MEASURE), sums.select(MEASURE)])
    city = every.group_by("entity", "dimension").agg(columns).with_columns(src_inst_code=pl.lit(CITY))
    every = pl.concat([every, city.select(MEASURE)])
    grid = (
        every.select("src_inst_code", "entity")
        .unique()
        .join(_limits(), how="cross")
        .filter(
            (pl.col("dimension") != "D11") & ((pl.col("entity") == "") | pl.col("dimension").is_in(OF_ENTITY))
        )
    )
    found = grid.join(every, on=MEASURE[:3], how="left").with_columns(value=_value())
    found = found.with_columns(
        grade=_grade(), denominator=pl.when(~_is_count()).then(pl.col("denominator"))
    ).select(COLUMNS)
    weakest = found.group_by("src_inst_code", "entity").agg(grade=_weakest("grade"))
    blank = {"numerator": None, "denominator": None, "value": None, "target": None}
    last = weakest.with_columns(
        pl.lit("D11").alias("dimension"), *(pl.lit(v, pl.Float64).alias(k) for k, v in blank.items())
    )
    return pl.concat([found, last.select(COLUMNS)]).sort(MEASURE[:3])


def confidence(
    card: pl.DataFrame, sources: pl.DataFrame, units: list[str], alarms: pl.DataFrame
) -> pl.DataFrame:
    """The grade of every variant in every unit: the weakest of its source entities' grades.

    `sources`: variant_code, indicator_code, entity. A unit has its own grade for entities that universities report and the
    commission's for those it reports itself; the city has the pooled one. `alarms` (src_inst_code, indicator_code, opened,
    explained): an alarm on the indicator itself lowers it too, under the entity `indicator`. Columns variant_code,
    unit_code, grade and, unless it is A, weakest_entity and weakest_dimension; no row where nothing was assessed.
    """
    owners = {e: c.owner for e, c in contracts.load().items()}
    reporter = pl.when(pl.col("entity").replace_strict(owners, default="university") == "commission")
    wanted = sources.join(pl.DataFrame({"unit_code": units}, schema={"unit_code": pl.String}), how="cross")
    wanted = wanted.with_columns(
        src_inst_code=pl.when(pl.col("unit_code") == CITY)
        .then(pl.lit(CITY))
        .otherwise(reporter.then(pl.lit(settings.COMMISSION)).otherwise(pl.col("unit_code")))
    )
    single = card.filter((pl.col("dimension") != "D11") & pl.col("grade").is_not_null())
    of_sources = wanted.join(
        single.select("src_inst_code", "entity", "dimension", "grade"), on=["src_inst_code", "entity"]
    )
    alarm_grades = alarms.filter(pl.col("opened") > 0).select(
        pl.col("src_inst_code").alias("unit_code"),
        "indicator_code",
        entity=pl.lit(SUBJECT),
        dimension=pl.lit("D08"),
        numerator=pl.col("explained").cast(pl.Float64),
        denominator=pl.col("opened").cast(pl.Float64),
    )
    alarm_grades = (
        alarm_grades.join(_limits(), on="dimension").with_columns(value=_value()).with_columns(grade=_grade())
    )
    of_alarms = (
        sources.select("variant_code", "indicator_code").unique().join(alarm_grades, on="indicator_code")
    )
    keys = ["variant_code", "unit_code", "entity", "dimension", "grade"]
    ranked = pl.concat([of_sources.select(keys), of_alarms.select(keys)]).with_columns(rank=_rank("grade"))
    weakest = ranked.sort("rank", "entity", "dimension", descending=[True, False, False])
    is_weak = pl.col("grade") != "A"
    return (
        weakest.unique(["variant_code", "unit_code"], keep="first", maintain_order=True)
        .select(
            "variant_code", "unit_code", "grade",
            weakest_entity=pl.when(is_weak).then(pl.col("entity")),
            weakest_dimension=pl.when(is_weak).then(pl.col("dimension")),
        )
        .sort("variant_code", "unit_code")
    )  # fmt: skip


def alarms(connection: psycopg.Connection, run_id: str) -> pl.DataFrame:
    """src_inst_code, indicator_code, opened, explained: what the checks of a run came to. An institution that was checked
    and gave no alarm has a row with zeros."""
    return frames.read(connection, _ALARMS, [run_id])


def _limits() -> pl.DataFrame:
    """dimension, better, target, a, b, c, d, minimum_faults."""
    dimensions = pl.DataFrame(_dimensions(), infer_schema_length=None)
    return dimensions.select(
        pl.col("dimension_code").alias("dimension"), "better",
        *(pl.col(k).cast(pl.Float64, strict=False) for k in ("target", "a", "b", "c", "d")),
        pl.col("minimum_faults").cast(pl.Float64, strict=False).fill_null(0),
    )  # fmt: skip


def _value() -> pl.Expr:
    n, d = pl.col("numerator"), pl.col("denominator")
    return (
        pl.when(_is_count())
        .then(n)
        .when(d > 0)
        .then(n / d)
        .when((pl.col("dimension") == "D08") & (d == 0))
        .then(1.0)  # checked, and no alarm
    )


def _is_count() -> pl.Expr:
    return pl.col("dimension").is_in(["D07a", "D07b"])


def _grade() -> pl.Expr:
    """From value and limits. Fewer faults than `minimum_faults` are at worst B, unless nothing at all is right."""
    high = pl.col("better") == "high"
    name = pl.when(pl.col("value").is_null() | pl.col("a").is_null()).then(None)
    for grade, limit in zip(GRADES[:-1], "abcd", strict=True):
        # a D limit left empty: this dimension alone never takes all confidence away
        meets = (
            pl.when(high).then(pl.col("value") >= pl.col(limit)).otherwise(pl.col("value") <= pl.col(limit))
        )
        name = name.when(meets.fill_null(limit == "d")).then(pl.lit(grade))
    name = name.otherwise(pl.lit("NCID"))
    faults = pl.when(high).then(pl.col("denominator") - pl.col("numerator")).otherwise(pl.col("numerator"))
    nothing_right = high & (pl.col("numerator") <= 0)
    is_few = (faults < pl.col("minimum_faults")) & ~nothing_right
    return pl.when(is_few & name.is_in(GRADES[2:])).then(pl.lit("B")).otherwise(name)


def _rank(column: str) -> pl.Expr:
    return pl.col(column).replace_strict(
        GRADES, list(range(len(GRADES))), default=None, return_dtype=pl.Int64
    )


def _weakest(column: str) -> pl.Expr:
    return (
        _rank(column)
        .max()
        .replace_strict(list(range(len(GRADES))), GRADES, default=None, return_dtype=pl.String)
    )


def _timeliness(connection: psycopg.Connection, as_of: date) -> pl.DataFrame:
    """D01. A platform that was down delivered nothing of what its institution file names."""
    since = as_of - timedelta(days=WINDOW_DAYS - 1)
    held = connection.execute(_COLLECTED, {"since": since, "as_of": as_of}).fetchall()
    reached = {(day, code) for day, code, entity, _ in held if entity}
    known = institutions.load()
    counts = [(code, entity, float(delivered)) for _, code, entity, delivered in held if entity]
    counts += [
        (code, entity, 0.0)
        for day, code, total, delivered in held
        if not total and not delivered and (day, code) not in reached and code in known
        for entity in known[code].entities
    ]
    frame = pl.DataFrame(
        counts, schema=["src_inst_code", "entity", "delivered"], orient="row", schema_overrides=_TYPES
    )
    counted = frame.group_by("src_inst_code", "entity").agg(
        numerator=pl.col("delivered").sum(), denominator=pl.len().cast(pl.Float64)
    )
    return counted.with_columns(dimension=pl.lit("D01")).select(MEASURE)


def _fact(connection: psycopg.Connection, row: dict[str, str]) -> pl.DataFrame:
    """D09 or D10 of one kind of fact."""
    return frames.read(
        connection,
        f"select r.src_inst_code, '{row['entity']}' as entity, '{row['dimension']}' as dimension, "
        f"(count(*) filter (where {row['holds']}))::float8 as numerator, count(*)::float8 as denominator "
        f"from {row['source']} where {row['eligible']} group by 1",
    )


def _revisions(connection: psycopg.Connection, run_id: str) -> pl.DataFrame:
    """D06, D06a, D06b: what a value of the latest complete period was when it was first assessed, and what it is now.

    A rate that stays within its first interval counts as unchanged in D06, which is graded; D06a (signed) and D06b (in half
    widths of the interval) count it. Values of checks that are no more are left out.
    Notes in quality.first_assessed what is assessed for the first time; the query sees what was noted before it."""
    parameters = {c.rule_id: c for c in load()}
    found = frames.read(connection, _REVISED, {"run": run_id, "subject": SUBJECT})
    found = found.filter(pl.col("rule_id").is_in(list(parameters))).sort("rule_id", "src_inst_code")
    of_check = [parameters[rule] for rule in found["rule_id"]]
    moved, in_halves = checks.revision(
        *(found[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in ("first", "now", "cases")),
        np.array([c.is_relative for c in of_check], dtype=bool),
        np.array([c.least for c in of_check], dtype=float),
    )
    found = found.select(
        "src_inst_code",
        D06=pl.Series(np.where(np.abs(in_halves) <= 1, 0.0, np.abs(moved)), dtype=pl.Float64),
        D06a=pl.Series(moved, dtype=pl.Float64),
        D06b=pl.Series(np.abs(in_halves), dtype=pl.Float64).fill_nan(None),
    )
    by_source = found.group_by("src_inst_code")
    return pl.concat(
        _of_institution(
            by_source.agg(numerator=pl.col(name).sum(), denominator=pl.col(name).count().cast(pl.Float64)),
            name,
        )
        for name in ("D06", "D06a", "D06b")
    )


def _overrides(connection: psycopg.Connection) -> pl.DataFrame:
    """D07a-c. Institutions without any override have none active and none expired."""
    found = frames.read(connection, _OVERRIDES)
    reporting = frames.read(connection, "select distinct src_inst_code from quality.current_result")
    found = reporting.join(found, on="src_inst_code", how="left").fill_null(0)
    number = {k: pl.col(k).cast(pl.Float64) for k in ("active", "by_commission", "expired")}
    none = pl.lit(None, pl.Float64)
    return pl.concat(
        _of_institution(found.select("src_inst_code", numerator=n, denominator=d), dimension)
        for dimension, n, d in (
            ("D07a", number["active"], none),
            ("D07b", number["expired"], none),
            ("D07c", number["by_commission"], number["active"]),
        )
    )


def _alarms(connection: psycopg.Connection, run_id: str) -> pl.DataFrame:
    by_source = alarms(connection, run_id).group_by("src_inst_code")
    return _of_institution(
        by_source.agg(
            numerator=pl.col("explained").sum().cast(pl.Float64),
            denominator=pl.col("opened").sum().cast(pl.Float64),
        ),
        "D08",
    )


def _of_institution(frame: pl.DataFrame, dimension: str) -> pl.DataFrame:
    return frame.with_columns(entity=pl.lit(""), dimension=pl.lit(dimension)).select(MEASURE)


def _presence_rules() -> list[str]:
    """Rules that a mandatory field, or a conditional one whose condition holds, is filled in (D02)."""
    found = []
    for entity, rules in catalogue.load().rules.items():
        conditional = {f.name for f in contracts.load()[entity].columns if f.presence == "conditional"}
        found += [r.rule_id for r in rules if r.rule_id.endswith(".1") and not r.is_business]
        found += [
            r.rule_id
            for r in rules
            if r.is_business and r.column in conditional and r.assert_ == f"{r.column} is not null"
        ]
    return found


def _reference_rules() -> list[str]:
    rules = (r for of_entity in catalogue.load().rules.values() for r in of_entity)
    return [r.rule_id for r in rules if r.rule_id.endswith(".5") and not r.is_business]


_TYPES = {"src_inst_code": pl.String, "entity": pl.String, "delivered": pl.Float64}


@cache
def _dimensions() -> list[dict[str, str]]:
    return _rows(settings.SEEDS / "plan" / "quality_dimension.csv")


@cache
def _facts() -> list[dict[str, str]]:
    return _rows(settings.EXPECTATIONS / "scorecard_fact.csv")


def _rows(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as f:
        return list(csv.DictReader(f))
