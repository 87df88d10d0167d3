"""The stage between the indicators and the marts: are the numbers credible, how good are the data, which grade does each
indicator value carry.
"""

from collections import Counter
from datetime import date
from typing import Any

import polars as pl
import psycopg

from yuyan import settings
from yuyan.assess import credibility, frames, retention, scorecard
from yuyan.decisions import problems
from yuyan.domain import credibility_rules
from yuyan.domain.credibility_rules import SEVERITY, SUBJECT

_SOURCES = """
select variant_code, indicator_code, unnest(string_to_array(source_entities, ';')) as entity
from (
    select distinct on (variant_code) variant_code, indicator_code, source_entities
    from plan.indicator order by variant_code, is_official desc, definition_version desc
) in_force
"""
_LAST_FOUND = """
select p.rule_id, p.src_inst_code, c.period_code
from quality.problem p left join quality.credibility c
    on c.run_id = p.last_run_id and c.rule_id = p.rule_id and c.src_inst_code = p.src_inst_code
where p.entity = %s
"""
_UNITS = (
    "select distinct unit_code from indicators.ind_unit where grain in ('city', 'institution') order by 1"
)


def assess(run_id: str, as_of: date) -> dict[str, Any]:
    """Check credibility, open a problem for each alarm, write the scorecard and the grades; all in one transaction.

    Writes quality.credibility, problem, scorecard and indicator_confidence; a repeated call replaces what the run wrote
    before. Returns counts: checked, alarms, not_judged, the problems that took a step, indicator values by grade, and the
    rows of old results that were thinned.
    Raises psycopg.errors.UndefinedTable when the indicators were not built; run that layer first.

    >>> assess("run-1", date(2026, 10, 15))["alarms"]
    """
    with psycopg.connect(
        settings.warehouse_dsn("validate"), application_name=f"yuyan assess {run_id}"[:63]
    ) as connection:
        found = credibility.check(connection, as_of)
        steps = _settle(connection, run_id, as_of, found)
        frames.replace(connection, "credibility", run_id, found)
        card = scorecard.assess(connection, run_id, as_of)
        frames.replace(
            connection,
            "scorecard",
            run_id,
            card.with_columns(as_of=pl.lit(as_of), period=pl.lit(f"{as_of:%Y-%m}")),
        )
        sources = frames.read(connection, _SOURCES)
        units = [code for (code,) in connection.execute(_UNITS)]
        grades = scorecard.confidence(card, sources, units, scorecard.alarms(connection, run_id))
        frames.replace(connection, "indicator_confidence", run_id, grades)
        thinned = retention.thin(connection, run_id, as_of)
    return {
        "checked": len(found),
        "not_judged": found["threshold"].null_count(),
        "alarms": found["is_alarm"].sum(),
        "problems": dict(steps),
        "thinned": thinned,
        "grades": dict(sorted(grades["grade"].value_counts().iter_rows())),
    }


def _settle(connection: psycopg.Connection, run_id: str, as_of: date, found: pl.DataFrame) -> Counter[str]:
    """A problem for each alarm; fixed is only what was judged and gave none, or whose check is gone.

    An institution has one row per check, so one alarm per problem. To be called while quality.credibility is as the last
    assessment left it: it says of which period the alarms were that are explained by now.
    """
    before = {(rule, code): period for rule, code, period in connection.execute(_LAST_FOUND, [SUBJECT])}
    findings = [
        problems.Finding(
            rule, code, SUBJECT, SEVERITY, 1, new_period="" if before.get((rule, code)) == period else period
        )
        for rule, code, period in found.filter("is_alarm")
        .select("rule_id", "src_inst_code", "period_code")
        .iter_rows()
    ]
    judged = set(found.drop_nulls("threshold").select("rule_id", "src_inst_code").iter_rows())
    checks = {c.rule_id for c in credibility_rules.load()}
    return problems.settle(
        connection,
        run_id,
        as_of,
        findings,
        [SUBJECT],
        lambda rule, code: rule not in checks or (rule, code) in judged,
    )
