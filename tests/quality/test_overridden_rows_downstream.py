"""Rows that may be let pass cannot break what comes after: every layer is built on one of each."""

from datetime import timedelta

import broken
import pytest

from support import fill
from yuyan import transform
from yuyan.decisions import overrides
from yuyan.domain import catalogue, contracts
from yuyan_demo.simulator import defects_structural

pytestmark = pytest.mark.database


def malformed(raw, may: set[str]) -> list[dict]:
    """Per entity a new version of its sound record, in which every form that may be overridden is wrong."""
    rows = []
    for entity, contract in contracts.load().items():
        row = raw.version(entity)
        for rule, change, _ in defects_structural.breaks(contract):
            if f"QR.{entity}.{rule}" in may:
                row |= {k: v(row) if callable(v) else v for k, v in change.items()}
        rows.append(row)
    return rows


def grant_everything(raw) -> int:
    """Let pass what may be; returns how many problems that were."""
    found = raw.rows(
        "select p.problem_id from quality.problem p join quality.rule r on r.rule_id = p.rule_id and r.is_current "
        "where p.state = 'open' and r.severity in ('ERROR', 'REJECT') and r.override_by <> 'nobody'"
    )
    until = fill.AS_OF + timedelta(days=9)
    for (number,) in found:
        overrides.request(raw.connection, number, "jw-data-1", 1000, "试验", until, fill.AS_OF)
        overrides.decide(raw.connection, number, "jw-data-2", True, "试验", fill.AS_OF)
    return len(found)


@pytest.mark.long
def test_every_rule_that_may_be_overridden_lets_pass_what_the_warehouse_can_bear(raw):
    """A rule for which this fails says `override: nobody`: its rows have no type, key, parent or institution."""
    rules = {r.rule_id: r for rules in catalogue.load().rules.values() for r in rules}
    may = {r for r, rule in rules.items() if rule.blocks and rule.override != "nobody"}
    raw.put(*broken.sound(raw))
    raw.put(*(row for rule_id, _, row in broken.business(raw) if rule_id in may), *malformed(raw, may))
    raw.judge("found")
    assert grant_everything(raw) > 100
    raw.judge("passed")
    assert grant_everything(raw) > 0, "what could not be judged before its parent passed"
    raw.judge("passed too")
    passed = raw.rows(
        "select distinct f.rule_id from quality.row_failure f where f.override_id is not null and f.resolved_run_id is null "
        "and not exists (select 1 from quality.quarantine q where q.entity = f.entity and q.raw_id = f.raw_id)"
    )
    waiting = {
        r for (ids,) in raw.rows("select rule_ids from quality.quarantine where state = 'open'") for r in ids
    }
    assert waiting & may == set()
    not_passed = may - {rule_id for (rule_id,) in passed} - defects_structural.unplantable().keys()
    assert len(not_passed) < len(may) / 10, sorted(
        not_passed
    )  # their copies break a rule that nobody may override too
    for layer in transform.SELECTIONS:
        transform.run_layer(layer, "passed", fill.AS_OF)  # raises for every node that fails
