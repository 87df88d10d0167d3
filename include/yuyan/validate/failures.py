"""What a judgement found: the life of every failing row (quality.row_failure) and the figures per rule (quality.result).

A row failure stands from the run that first saw the record break the rule until a run sees the end of it: corrected or
replaced by a newer version, deleted, healed, passed by changed rules.
"""

from typing import Any

import psycopg

from yuyan.decisions import overrides
from yuyan.domain.catalogue import BLOCKING, Rule, Tolerance
from yuyan.validate import compared, statements, suite, worktable
from yuyan.validate.scope import Arrivals
from yuyan.validate.work import Work


def write(
    connection: psycopg.Connection, of_entity: tuple[Rule, ...], work: Work, run_id: str, arrivals: Arrivals
) -> None:
    """Bring quality.row_failure to what the work table says. Leaves `failing` and `stood`.

    Takes time in proportion to the rows that fail and those that stood, however many of them end at once.
    """
    parameters = {
        "entity": work.entity,
        "run": run_id,
        "rule_set": arrivals.rule_set,
        "blocking": list(BLOCKING),
    }
    statements.run(connection, "failing", work=work, verdicts=broken(connection, of_entity, work))
    with statements.without_nested_loops(connection):
        statements.run(connection, "stood", parameters, work=work)
        ended = statements.run(connection, "resolve_failures", parameters, work=work).rowcount
        written = statements.run(connection, "write_failures", parameters, work=work).rowcount
    _analyze(connection, ended + written)


def broken(connection: psycopg.Connection, of_entity: tuple[Rule, ...], work: Work) -> list[dict[str, str]]:
    """The verdicts that are a failure in some judged row: name, rule and what it looks at. Most rules are broken by none."""
    names = [f"v{i}" for i in range(1, len(of_entity) + 1)]
    is_broken = statements.run(connection, "broken_rules", work=work, names=names).fetchone()
    return [
        {"name": name, "rule_id": rule.rule_id, "column": rule.column, "severity": rule.severity}
        | {"observed": worktable.observed(rule), "compared": compared.expression(work.entity, rule)}
        for name, rule, broken in zip(names, of_entity, is_broken, strict=True)
        if broken
    ]


def _analyze(connection: psycopg.Connection, changed: int) -> None:
    """Fresh statistics once a good part of the failures has changed: the next statements count and join them."""
    (known,) = connection.execute(
        "select greatest(reltuples, 0) from pg_class where oid = 'quality.row_failure'::regclass"
    ).fetchone()
    if changed > 1000 + known / 10:
        connection.execute(
            "analyze quality.row_failure (entity, raw_id, rule_id, src_inst_code, since_run_id, resolved_run_id)"
        )


def results(
    connection: psycopg.Connection, of_entity: tuple[Rule, ...], entity: str, run_id: str, result: Any
) -> None:
    """quality.result from the suite's own figures; a second judgement in one run replaces the first.

    Raises RuntimeError when the suite's failures are not the rows that stand.
    """
    parameters = {"entity": entity, "run": run_id}
    suites = {
        (one.expectation_config.kwargs["rule_id"], institution): figures
        for one in result.results
        for institution, figures in suite.counts(one).items()
    }
    stands = _counted(
        connection,
        parameters,
        "f.resolved_run_id is null",
        "count(*)",
        "count(*) filter (where f.since_run_id = %(run)s)",
        f"count(*) filter (where {overrides.covers('f')})",
    )
    resolved = _counted(
        connection,
        parameters,
        "f.resolved_run_id = %(run)s and f.since_run_id <> %(run)s and f.resolution <> 'replaced'",
        "count(*)",
    )
    reported = {key: failed for key, (_, failed, _) in suites.items() if failed}
    if differing := set(reported.items()) ^ {(key, failed) for key, (failed, *_) in stands.items()}:
        raise RuntimeError(
            f"{entity}: the suite and the rows written disagree ({sorted(differing)[:20]}); did another process touch "
            f"judging.{entity} or judging.standing_{entity} during run {run_id}? Run the validation again; if it "
            f"persists, truncate judging.standing_{entity}, and every record is judged anew."
        )
    versions = dict(
        connection.execute(
            "select rule_id, version from quality.rule where entity = %s and is_current", [entity]
        ).fetchall()
    )
    rules = {rule.rule_id: rule for rule in of_entity}
    columns = (
        "run_id, rule_id, rule_version, src_inst_code, entity, eligible, failed, unverifiable, tolerance_rows, "
        "tolerance_pct, overridden, new, still, resolved, verdict"
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "delete from quality.result where run_id = %(run)s and entity = %(entity)s", parameters
        )
        with cursor.copy(f"copy quality.result ({columns}) from stdin") as copy:
            for key in sorted(suites.keys() | resolved.keys()):
                rule_id, institution = key
                eligible, failed, unverifiable = suites.get(key, (0, 0, 0))
                _, new, overridden = stands.get(key, (0, 0, 0))
                (ended,) = resolved.get(key, (0,))
                if rule_id in rules and (eligible or ended):
                    rule = rules[rule_id]
                    copy.write_row(
                        (run_id, rule_id, versions[rule_id], institution, entity, eligible, failed, unverifiable,
                         rule.tolerance.rows, rule.tolerance.pct, overridden, new, failed - new, ended,
                         verdict(rule.tolerance, eligible, failed, unverifiable, overridden))
                    )  # fmt: skip


def verdict(tolerance: Tolerance, eligible: int, failed: int, unverifiable: int, overridden: int) -> str:
    """What a rule's figures at one institution come to: pass, unverifiable, tolerated, overridden or fail."""
    if not failed:
        return "unverifiable" if 0 < eligible == unverifiable else "pass"
    tolerated = max(tolerance.rows, eligible * tolerance.pct / 100)
    if failed <= tolerated:
        return "tolerated"
    return "overridden" if failed - overridden <= tolerated else "fail"


def _counted(
    connection: psycopg.Connection, parameters: dict[str, str], where: str, *counts: str
) -> dict[tuple[str, str], tuple[int, ...]]:
    """(rule, institution) -> counts over the entity's row failures f."""
    rows = statements.run(connection, "count_failures", parameters, where=where, counts=counts)
    return {(rule_id, institution): tuple(figures) for rule_id, institution, *figures in rows}
