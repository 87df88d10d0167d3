"""The stage between the indicators and the marts: are the numbers credible, how good are the data, which grade does each
indicator value carry.
"""

from datetime import date
from typing import Any

import polars as pl
import psycopg

from yuyan import settings
from yuyan.quality import credibility, frames, problems, scorecard
from yuyan.quality.indicator_rules import SEVERITY, SUBJECT

_SOURCES = """
select distinct variant_code, indicator_code, unnest(string_to_array(source_entities, ';')) as entity
from plan.indicator
"""
_UNITS = (
    "select distinct unit_code from indicators.ind_unit where grain in ('city', 'institution') order by 1"
)


def assess(run_id: str, as_of: date) -> dict[str, Any]:
    """Check credibility, open a problem for each alarm, write the scorecard and the grades; all in one transaction.

    Writes quality.credibility, problem, scorecard and indicator_confidence; a repeated call replaces what the run wrote
    before. Returns counts: checked, alarms, not_judged, the problems that took a step, and indicator values by grade.
    Raises psycopg.errors.UndefinedTable when the indicators were not built; run that layer first.
    """
    with psycopg.connect(
        settings.warehouse_dsn(), application_name=f"yuyan assess {run_id}"[:63]
    ) as connection:
        found = credibility.check(connection)
        frames.replace(connection, "credibility", run_id, found)
        alarms = found.filter(pl.col("is_alarm"))
        findings = [
            problems.Finding(rule_id, code, SUBJECT, SEVERITY, count)
            for rule_id, code, count in alarms.group_by("rule_id", "src_inst_code")
            .len()
            .sort("rule_id", "src_inst_code")
            .iter_rows()
        ]
        steps = problems.settle(connection, run_id, as_of, findings, [SUBJECT])
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
    return {
        "checked": len(found),
        "not_judged": found["threshold"].null_count(),
        "alarms": len(alarms),
        "problems": dict(steps),
        "grades": dict(sorted(grades["grade"].value_counts().iter_rows())),
    }
