"""The stage between the indicators and the marts that says why each cell is not what was last published.

`explain` compares with what the run before published, `publish` keeps what this run has published for the next. Schema
`previous` holds one generation: the counted columns of the facts, the versions accepted, the indicator values; where it is
known which keys changed, both read only those. Schema `changes` holds the results of every day.
"""

from datetime import date
from typing import Any

import psycopg

from yuyan import settings
from yuyan.changes import causes, definitions, facts, previous
from yuyan.changes.causes import CALENDAR, DEFINITION, UNEXPLAINED
from yuyan.domain import indicators

CELL = "variant_code, definition_version, grain, unit_code, period_code"
KEPT_DAYS = 100
"""So many days on which a run published are kept [param]."""

_NOW = f"""
select {CELL}, v.period_start_on, v.numerator, v.denominator, v.value, s.target_value, s.baseline_value
from indicators.ind_value as v inner join indicators.ind_status as s using ({CELL})
"""
# What the target would be under the plan of today if the base year had stayed as it was.
_TARGET_OF_PLAN = """
case
    when c.variant_code <> all(%(replanned)s) then c.tb
    when exists (
        select from plan.target as t
        where t.variant_code = c.variant_code and t.doc_version = %(doc_version)s and t.path_kind = 'CAGR'
    ) then coalesce(c.ta / nullif(c.base_after, 0) * c.base_before, c.ta)
    else c.ta
end
"""
# Sums of weights depend in their last digits on the order in which they are added: that is no change.
_DIFFERS = "abs(coalesce({a}, 0) - coalesce({b}, 0)) > 1e-9 * greatest(1, abs({a}), abs({b}))"
_CELLS = f"""
insert into changes.cell
with now as ({_NOW}),
compared as (
    select {CELL}, b.unit_code is null as is_new, a.period_start_on,
        b.numerator as nb, a.numerator as na, b.denominator as db, a.denominator as da,
        b.value as vb, a.value as va, b.target_value as tb, a.target_value as ta,
        b.baseline_value as base_before, a.baseline_value as base_after
    from previous.cell as b full join now as a using ({CELL})
)
select %(no)s, %(run)s, %(as_of)s, {CELL}, period_start_on > %(before)s, nb, na, db, da, vb, va, tb, ta, {_TARGET_OF_PLAN}
from compared as c
where {_DIFFERS.format(a="na", b="nb")} or {_DIFFERS.format(a="da", b="db")}
    or not is_new and va is not null and tb is not null and {_DIFFERS.format(a="ta", b="tb")}
    or not is_new and (vb is null) <> (va is null)
    or exists (select from changes_part as p where row({", ".join("p." + c for c in CELL.split(", "))})
        = row({", ".join("c." + c for c in CELL.split(", "))}))
"""
_PARTS = f"""
insert into changes.part
select %(no)s, {CELL}, cause, p.numerator, p.denominator
from changes_part as p inner join changes.cell as c using ({CELL})
where c.publication_no = %(no)s
"""
# A cluster's denominator is the city's.
_OF_CITY = f"""
with city as (
    delete from changes_part
    where (variant_code, definition_version) = (%(variant)s, %(version)s) and grain = any(%(grains)s)
    returning *
)
insert into changes_part
select {CELL}, cause, sum(numerator), sum(denominator) from (
    select {CELL}, cause, numerator, 0 as denominator from city
    union all
    select p.variant_code, p.definition_version, c.grain, c.unit_code, p.period_code, p.cause, 0, p.denominator
    from changes_part as p
    inner join (
        select grain, unit_code, period_code from previous.cell
        where (variant_code, definition_version) = (%(variant)s, %(version)s) and grain = any(%(grains)s)
        union
        select grain, unit_code, period_code from indicators.ind_value
        where (variant_code, definition_version) = (%(variant)s, %(version)s) and grain = any(%(grains)s)
    ) as c on c.period_code = p.period_code
    where (p.variant_code, p.definition_version) = (%(variant)s, %(version)s) and p.grain = 'city'
) as both_sides
group by {CELL}, cause
"""
# What is left over is the definition's where the indicator has another; a period that began counts what is in it already.
_REST = f"""
insert into changes.part as known
with explained as (
    select c.*, coalesce(p.numerator, 0) as pn, coalesce(p.denominator, 0) as pd, p.last_cause
    from changes.cell as c
    left join (
        select {CELL}, sum(numerator) as numerator, sum(denominator) as denominator, max(cause) as last_cause
        from changes.part where publication_no = %(no)s group by {CELL}
    ) as p using ({CELL})
    where c.publication_no = %(no)s
),
rest as (
    select *,
        coalesce(numerator_after, 0) - coalesce(numerator_before, 0) - pn as rn,
        coalesce(denominator_after, 0) - coalesce(denominator_before, 0) - pd as rd
    from explained
)
select %(no)s, {CELL},
    case
        when variant_code = any(%(redefined)s) then {DEFINITION}
        when is_period_new then {CALENDAR}
        when (numerator_before is null or numerator_after is null) and last_cause is not null then last_cause
        else {UNEXPLAINED}
    end,
    rn, rd
from rest
where abs(rn) > 1e-9 * greatest(1, abs(numerator_before), abs(numerator_after))
    or abs(rd) > 1e-9 * greatest(1, abs(denominator_before), abs(denominator_after))
on conflict (publication_no, {CELL}, cause) do update
set numerator = known.numerator + excluded.numerator, denominator = known.denominator + excluded.denominator
"""
_RECORDS = """
insert into changes.record_count
select %(no)s, %(as_of)s, entity, src_inst_code, cause, count(*) from changed_record group by entity, src_inst_code, cause
"""
_THIN = """
delete from changes.{table} as t using (
    select as_of from (select distinct as_of from changes.publication) as days order by as_of desc offset %s limit 1
) as oldest
where t.as_of <= oldest.as_of
"""


def explain(run_id: str, as_of: date) -> dict[str, Any]:
    """Write why each cell differs from what was last published; a repeated call replaces what it wrote.

    Returns counts: records changed, cells, differing rows by fact, unexplained cells; nothing before the first publication,
    nor where an upgrade has dropped what the last one kept.
    Raises psycopg.errors.UndefinedTable when the indicators were not built (run that layer first).
    """
    with psycopg.connect(
        settings.warehouse_dsn("transform"), application_name=f"yuyan changes {run_id}"[:63]
    ) as connection:
        last = connection.execute(
            "select publication_no, as_of from changes.publication where to_regclass('previous.definition') is not null "
            "and to_regclass('previous.accepted') is null "  # of a version before, that was still at work
            "order by publication_no desc limit 1"
        ).fetchone()
        if last is None:
            return {}
        number, before = last
        changed = definitions.compare(connection)
        given = {
            "no": number,
            "run": run_id,
            "as_of": as_of,
            "before": before,
            "redefined": changed.variants,
            "replanned": changed.targets,
            "doc_version": indicators.parameters()["plan_doc_version"],
        }
        for table in ("part", "cell", "record_count"):
            connection.execute(f"delete from changes.{table} where publication_no = %s", [number])
        connection.execute(
            "create temp table changes_part (variant_code text, definition_version int, grain text, unit_code text, "
            "period_code text, cause int, numerator float8, denominator float8) on commit drop"
        )
        connection.execute(
            "create temp table counted_step (step int, variant_code text, definition_version int, grain text, "
            "unit_code text, period_code text, numerator float8, denominator float8) on commit drop"
        )
        records = causes.find(connection)
        variables = {**{k: str(v) for k, v in indicators.parameters().items()}, "as_of": str(as_of)}
        differing = facts.parts(connection, str(before), str(as_of), changed.rows, variables)
        for variant in indicators.variants():
            if variant.share_of_city:
                whose = {
                    "variant": variant.code,
                    "version": variant.version,
                    "grains": list(variant.share_of_city),
                }
                connection.execute(_OF_CITY, whose)
        connection.execute("analyze changes_part")
        cells = connection.execute(_CELLS, given).rowcount
        connection.execute("set local enable_nestloop = off")  # joins by cell are estimated at one row
        for statement in (_PARTS, _REST, _RECORDS):
            connection.execute(statement, given)
        unexplained = connection.execute(
            "select count(*) from changes.part where publication_no = %s and cause = %s",
            [number, UNEXPLAINED],
        ).fetchone()[0]
    return {"records": records, "cells": cells, "facts": differing, "unexplained": unexplained}


def publish(run_id: str, as_of: date) -> int:
    """Keep what the run published, for the comparison of the next; returns the publication's number."""
    with psycopg.connect(settings.warehouse_dsn("transform")) as connection:
        counted = [fact.table for fact in [*facts.counted(), facts.bridge()]]
        previous.keep(connection, [*counted, *causes.tables(connection).values()])
        connection.execute(f"create table previous.cell as {_NOW}")
        definitions.keep(connection)
        number = connection.execute(
            "insert into changes.publication (run_id, as_of) values (%s, %s) returning publication_no",
            [run_id, as_of],
        ).fetchone()[0]
        for table in ("record_count", "cell"):
            connection.execute(_THIN.format(table=table), [KEPT_DAYS])
    return number
