"""Overrides: failing rows of a blocking rule are let into accepted, up to a number, for a reason, until a day.

Asked for by one steward and decided by another (whom, the rule says); what becomes of it in a run is `apply`, which
validation calls within the judgement of each entity. An override lapses by itself, see `lapse_reason`; the rows that it had
let pass are judged in every run, so they go back to quarantine in the run in which it lapses.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import psycopg

from yuyan.decisions import problems
from yuyan.decisions.life_cycle import DecisionError, LifeCycle
from yuyan.decisions.problems import Problem
from yuyan.domain import stewards
from yuyan.domain.life_cycles import LINE

LONGEST = timedelta(days=366)
"""How long an override may last from the day it is asked for."""


@dataclass(frozen=True)
class Override:
    """A row of quality.override."""

    override_id: int
    problem_id: int
    rule_id: str
    rule_version: int
    src_inst_code: str
    state: str
    granted_rows: int
    justification: str
    requested_by: str
    requested_on: date
    expires_on: date
    decided_by: str | None
    decided_on: date | None
    decision_reason: str | None
    lapsed_run_id: str | None
    lapse_reason: str | None

    @property
    def name(self) -> str:
        """How a message names it."""
        return f"豁免 {self.override_id}（{self.src_inst_code} {self.rule_id}）"


OVERRIDES = LifeCycle("override", Override)
LIVE = list(OVERRIDES.cycle.open_states())

# reads: quality.override, quality.problem; leaves: letting_pass
_LETTING_PASS = """
create temp table letting_pass on commit drop as
select o.override_id, o.rule_id, o.src_inst_code
from quality.override as o inner join quality.problem as p using (problem_id)
where o.state = 'active' and p.entity = %s
"""
# reads: letting_pass, failing; leaves: quality.row_failure (of the stand-ins, too, whose failures end with the run)
_COVER = """
update quality.row_failure as f set override_id = o.override_id
from letting_pass as o
where f.entity = %(entity)s and f.rule_id = o.rule_id and f.src_inst_code = o.src_inst_code
    and (
        f.resolved_run_id is null
        or (f.resolved_run_id = %(run)s and f.raw_id in (select raw_id from failing where not is_newest))
    )
    and f.override_id is distinct from o.override_id
"""
# reads: quality.override, quality.rule, quality.row_failure, failing: version in force and failing records by override
_FIGURES = """
select
    o.override_id,
    (select version from quality.rule as r where r.rule_id = o.rule_id and r.is_current),
    (
        select count(*)
        from (
            select f.src_record_id from quality.row_failure as f
            where f.rule_id = o.rule_id and f.src_inst_code = o.src_inst_code and f.resolved_run_id is null
            union
            select g.src_record_id from failing as g
            where not g.is_newest and g.rule_id = o.rule_id and g.src_inst_code = o.src_inst_code
        ) as records
    )
from quality.override as o
where o.override_id = any(%s)
"""


def request(
    connection: psycopg.Connection,
    problem_id: int,
    actor: str,
    rows: int,
    justification: str,
    expires_on: date,
    as_of: date,
) -> Override:
    """Ask for an override of a problem. Raises DecisionError for whatever could never be approved, StewardError."""
    with connection.transaction():
        problem = problems.checked(connection, problem_id, "request", actor, justification)
        rule = problems.rule(connection, problem.rule_id)
        if rule["severity"] in problems.EXPLAINABLE:
            raise DecisionError(
                f"{problem.name}：{rule['severity']} 级规则只记录、不隔离，没有可放行的行；情况属实请用 explain 说明"
            )
        if rule["override_by"] == "nobody":
            raise DecisionError(
                f"{problem.name}：该规则不可豁免，不合格的行无法归类、关联或计数，会破坏下游；请更正数据：{rule['fix']}"
            )
        if rows < problem.failed:
            raise DecisionError(f"{problem.name}：现有 {problem.failed} 行不合格，只申请 {rows} 行会立即失效")
        last = as_of + LONGEST
        if not as_of < expires_on <= last:
            raise DecisionError(
                f"{problem.name}：到期日 {expires_on} 须晚于统计日期 {as_of}，且不晚于 {last}（{LONGEST.days} 天内）"
            )
        if not stewards.deciders(rule["override_by"], problem.src_inst_code, actor):
            role = (
                "市教委管理员" if rule["override_by"] == "commission" else f" {problem.src_inst_code} 管理员"
            )
            raise DecisionError(
                f"{problem.name}：除申请人 {actor} 外没有可审批的{role}；请由其他账号申请，或登记更多管理员"
            )
        row = {
            "problem_id": problem_id,
            "rule_id": problem.rule_id,
            "rule_version": rule["version"],
            "src_inst_code": problem.src_inst_code,
            "granted_rows": rows,
            "justification": justification,
            "requested_by": actor,
            "requested_on": as_of,
            "expires_on": expires_on,
        }
        override_id = OVERRIDES.start(connection, "request", row, actor, justification, as_of)
        _take_with(connection, problem, "request", actor, justification, as_of, override_id)
    return OVERRIDES.get(connection, override_id)


def decide(
    connection: psycopg.Connection, problem_id: int, actor: str, is_approved: bool, reason: str, as_of: date
) -> Override:
    """Approve or reject what is asked for. Raises DecisionError when the actor may not, or when it could have no effect."""
    action = "approve" if is_approved else "reject"
    with connection.transaction():
        problem = problems.checked(connection, problem_id, action, actor, reason)
        override = _live(connection, problem)
        rule = problems.rule(connection, problem.rule_id)
        steward = stewards.find(actor)
        OVERRIDES.check(override, action, reason, steward, rule["override_by"], override.requested_by)
        lapse = lapse_reason(override, rule["version"], problem.failed, as_of)
        if is_approved and lapse:
            raise DecisionError(f"{problem.name}：申请已不成立（{lapse[1]}），请驳回，需要时重新申请")
        decision = {"decided_by": actor, "decided_on": as_of, "decision_reason": reason}
        OVERRIDES.take(connection, override, action, actor, reason, as_of, changes=decision)
        _take_with(connection, problem, action, actor, reason, as_of, override.override_id)
    return OVERRIDES.get(connection, override.override_id)


def withdraw(
    connection: psycopg.Connection, problem_id: int, actor: str, reason: str, as_of: date
) -> Override:
    """Take back a request, or end an active override: its rows go back to quarantine in the next run."""
    with connection.transaction():
        problem = problems.checked(connection, problem_id, "withdraw", actor, reason)
        override = _live(connection, problem)
        OVERRIDES.take(connection, override, "withdraw", actor, reason, as_of)
        _take_with(connection, problem, "withdraw", actor, reason, as_of, override.override_id)
    return OVERRIDES.get(connection, override.override_id)


def lapse_reason(
    override: Override, rule_version: int | None, failed: int, as_of: date
) -> tuple[str, str] | None:
    """Why a live override ends, as (quality.override.lapse_reason, Chinese text), or None while it holds."""
    if override.rule_version != rule_version:
        return "rule_changed", f"规则已由第 {override.rule_version} 版改为第 {rule_version or '—'} 版"
    if OVERRIDES.is_due(override, "lapse", as_of):
        return "expired", f"已于 {override.expires_on} 到期"
    if failed > override.granted_rows:
        return "exceeded", f"现有 {failed} 行不合格，超过放行的 {override.granted_rows} 行"
    if not failed:
        return "fixed", "已没有不合格的行"
    return None


def apply(connection: psycopg.Connection, entity: str, run_id: str, as_of: date) -> None:
    """Within the judgement of an entity, once its standing failures are written: end the overrides that lapse, and note on
    each failure which active override covers it (`covers` then asks).

    Expects `failing`. Leaves `letting_pass` (override_id, rule_id, src_inst_code): what has effect in this judgement.
    """
    for override, version, failed in _live_ones(connection, entity):
        if lapse := lapse_reason(override, version, failed, as_of):
            OVERRIDES.take(
                connection,
                override,
                "lapse",
                LINE,
                lapse[1],
                as_of,
                run_id=run_id,
                changes={"lapsed_run_id": run_id, "lapse_reason": lapse[0]},
            )
            problem = problems.PROBLEMS.get(connection, override.problem_id)
            _take_with(connection, problem, "lapsed", LINE, lapse[1], as_of, override.override_id, run_id)
    connection.execute(_LETTING_PASS, [entity])
    connection.execute(_COVER, {"entity": entity, "run": run_id})


def covers(alias: str) -> str:
    """SQL: an active override lets this failure (alias of quality.row_failure) pass. The number stays when it ends."""
    return f"exists (select 1 from quality.override o where o.override_id = {alias}.override_id and o.state = 'active')"


def _live_ones(connection: psycopg.Connection, entity: str) -> list[tuple[Override, int | None, int]]:
    """Live overrides of an entity's rules, each with the rule's version in force (None: no more) and its failing records.

    A record fails by its newest version, or by the last good one that stands in for it.
    """
    # locked as people's steps lock them, so that no decision falls in between
    where = "entity = %s and state in ('override_requested', 'overridden') order by problem_id for update"
    ids = [problem.problem_id for problem in problems.PROBLEMS.select(connection, where, [entity])]
    live = OVERRIDES.select(
        connection, "problem_id = any(%s) and state = any(%s) order by override_id", [ids, LIVE]
    )
    figures = connection.execute(_FIGURES, [[o.override_id for o in live]]).fetchall()
    by_id = {override_id: (version, failed) for override_id, version, failed in figures}
    return [(o, *by_id[o.override_id]) for o in live]


def _live(connection: psycopg.Connection, problem: Problem) -> Override:
    """The one override by which the problem is in its state."""
    return OVERRIDES.select(connection, "problem_id = %s and state = any(%s)", [problem.problem_id, LIVE])[0]


def _take_with(
    connection: psycopg.Connection,
    problem: Problem,
    action: str,
    actor: str,
    reason: str,
    as_of: date,
    override_id: int,
    run_id: str | None = None,
) -> None:
    """The step of the problem that goes with one of its override."""
    evidence = {"override_id": override_id}
    problems.PROBLEMS.take(
        connection, problem, action, actor, reason, as_of, run_id=run_id, evidence=evidence
    )
