"""Problems: a rule that an institution breaks beyond its tolerance, from the day it is found to the day it is settled.

Whatever finds problems reports through one function: `settle(connection, run_id, as_of, findings, subjects)`. Validation
does so by `settle_results`, from `quality.current_result`; the assessment of indicators calls `settle` with its alarms as
findings and `subjects=["indicator"]`. A subject is the second part of a rule id (`QR.<subject>.…`). A problem of these
subjects that was checked and that no finding mentions is fixed.

What people do (`promise`, `explain`, `reopen`, and the steps of overrides.py) is a row of quality.problem_event, like what
the line does itself (actor `yuyan`). The whole life cycle is include/life_cycles/problem.yml.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Any

import psycopg
from psycopg.rows import dict_row

from yuyan.decisions.life_cycle import DecisionError, LifeCycle
from yuyan.domain import stewards
from yuyan.domain.life_cycles import LINE

EXPLAINABLE = ("WARN", "INFO")
"""Severities that hold no row back, so that an explanation is enough."""


@dataclass(frozen=True)
class Finding:
    """A rule that an institution breaks beyond the tolerance: how many rows (or alarms), and from how many causes.

    `new_period`: the period of an alarm if the one found before is of another, whose explanation does not cover it.
    """

    rule_id: str
    src_inst_code: str
    entity: str
    severity: str
    failed: int
    causes: int = 0
    new_period: str = ""
    reason: str = ""
    """What the problem's first event says instead of the amount."""

    @property
    def amount(self) -> str:
        """What is wrong, counted."""
        unit = {"indicator": "个警报", "case": "件问责事项"}.get(self.rule_id.split(".")[1], "行不合格")
        return f"{self.failed} {unit}"


@dataclass(frozen=True)
class Problem:
    """A row of quality.problem."""

    problem_id: int
    rule_id: str
    src_inst_code: str
    entity: str
    severity: str
    state: str
    failed: int
    causes: int
    known_rows: int | None
    promised_for: date | None
    opened_run_id: str
    last_run_id: str
    fixed_run_id: str | None

    @property
    def name(self) -> str:
        """How a message names it."""
        return f"问题 {self.problem_id}（{self.src_inst_code} {self.rule_id}）"


PROBLEMS = LifeCycle("problem", Problem)


def settle(
    connection: psycopg.Connection,
    run_id: str,
    as_of: date,
    findings: Iterable[Finding],
    subjects: Iterable[str],
    is_checked: Callable[[str, str], bool] = lambda rule_id, src_inst_code: True,
) -> Counter[str]:
    """Open, reopen and fix problems as the findings say; returns how many problems took which step.

    `subjects`: the second parts of all rule ids that were checked (entities, or `indicator`). `is_checked(rule_id,
    src_inst_code)`: whether that pair could be judged this time; if not, its problem stays as it is. A problem under a live
    override is left to that override. Safe to repeat. Raises ValueError for a finding whose rule is not of these subjects.

    >>> settle(connection, "run-1", as_of, [Finding("QR.student.left_on.13", "10611", "student", "ERROR", 12)], ["student"])
    Counter({'found': 1})
    """
    subjects = list(subjects)
    found = {(f.rule_id, f.src_inst_code): f for f in findings}
    if stray := sorted(f.rule_id for f in found.values() if f.rule_id.split(".")[1] not in subjects):
        raise ValueError(
            f"finding of {stray[0]}, but only {', '.join(subjects)} were checked; name its subject"
        )
    taken: Counter[str] = Counter()
    with connection.transaction():
        known = {
            (p.rule_id, p.src_inst_code): p
            for p in PROBLEMS.select(
                connection, "split_part(rule_id, '.', 2) = any(%s) for update", [subjects]
            )
        }
        for finding in (f for key, f in found.items() if key not in known):
            _open(connection, finding, run_id, as_of)
            taken["found"] += 1
        for key, problem in known.items():
            finding = found.get(key)
            if not finding and not is_checked(*key):
                continue
            if finding:
                connection.execute(
                    "update quality.problem set entity = %s, severity = %s, failed = %s, causes = %s, last_run_id = %s "
                    "where problem_id = %s",
                    [
                        finding.entity,
                        finding.severity,
                        finding.failed,
                        finding.causes,
                        run_id,
                        problem.problem_id,
                    ],
                )
            if step := next_step(problem, finding, as_of):
                action, reason = step
                changes = {"failed": 0, "causes": 0, "fixed_run_id": run_id} if action == "settled" else {}
                PROBLEMS.take(
                    connection, problem, action, LINE, reason, as_of, run_id=run_id, changes=changes
                )
                taken[action] += 1
    return taken


def next_step(problem: Problem, finding: Finding | None, as_of: date) -> tuple[str, str] | None:
    """What the line does about a problem after a check: (action, reason), or None."""
    if finding is None:
        # an override lets rows pass until nothing fails, also where the rest would be tolerated
        is_done = problem.state in PROBLEMS.cycle.steps["settled"].sources
        return ("settled", "已无不合格，或已在容许范围内") if is_done else None
    if problem.state == "fixed":
        return "failed_again", finding.reason or f"再次出现 {finding.amount}，超出容许范围"
    if PROBLEMS.is_due(problem, "overdue", as_of):
        return "overdue", f"承诺 {problem.promised_for} 前修复，仍有 {finding.amount}"
    if problem.state == "known" and finding.failed > problem.known_rows:
        return "unexplained", f"现有 {finding.amount}，多于已说明的 {problem.known_rows}"
    if problem.state == "known" and finding.new_period:
        return "unexplained", f"{finding.new_period} 期又有 {finding.amount}，先前的说明不涵盖这一期"
    if problem.state == "known" and finding.severity not in EXPLAINABLE:
        return "unexplained", f"规则已改为 {finding.severity} 级，不合格的行被隔离"
    return None


def settle_results(
    connection: psycopg.Connection,
    run_id: str,
    as_of: date,
    others: Sequence[Finding] = (),
    reasons: Mapping[tuple[str, str], str] = MappingProxyType({}),
) -> Counter[str]:
    """`settle` with what stands of every entity, whichever run judged it: a run may have broken off before it came here.

    `others`: findings about entities that could not be judged; `reasons`: (rule, institution) -> what the problem says.
    """
    stewards.publish(connection)
    judged = [entity for (entity,) in connection.execute("select entity from quality.last_judged")]
    findings = connection.execute(
        "select r.rule_id, r.src_inst_code, r.entity, u.severity, r.failed, coalesce(c.causes, 0) "
        "from quality.current_result r join quality.rule u on u.rule_id = r.rule_id and u.version = r.rule_version "
        "left join ("
        " select rule_id, src_inst_code, count(distinct cause_id) as causes from quality.row_failure"
        " where resolved_run_id is null group by 1, 2) c on c.rule_id = r.rule_id and c.src_inst_code = r.src_inst_code "
        "where r.verdict = 'fail' or r.overridden > 0 order by 1, 2"
    ).fetchall()
    findings = [Finding(*row, reason=reasons.get(row[:2], "")) for row in findings]
    subjects = {*judged, *(finding.entity for finding in others)}
    return settle(connection, run_id, as_of, [*findings, *others], subjects)


def promise(
    connection: psycopg.Connection, problem_id: int, actor: str, by: date, reason: str, as_of: date
) -> Problem:
    """The institution promises a fix by a date. After it the problem is open again, unless it is fixed."""
    with connection.transaction():
        problem = checked(connection, problem_id, "promise", actor, reason)
        if by <= as_of:
            raise DecisionError(f"{problem.name}：承诺日期 {by} 须晚于统计日期 {as_of}")
        PROBLEMS.take(connection, problem, "promise", actor, reason, as_of, changes={"promised_for": by})
    return PROBLEMS.get(connection, problem_id)


def explain(connection: psycopg.Connection, problem_id: int, actor: str, reason: str, as_of: date) -> Problem:
    """Accept what stands with an explanation (WARN and INFO: no row is held back). More of it opens the problem again.

    Whom the rule's `override` names: `university` is also the commission, `nobody` is nobody.
    """
    with connection.transaction():
        problem = checked(connection, problem_id, "explain", actor, reason)
        if problem.severity not in EXPLAINABLE:
            raise DecisionError(
                f"{problem.name}：{problem.severity} 级的问题使数据行被隔离，说明不能放行；请更正数据，或用 request 申请豁免"
            )
        override_by = rule(connection, problem.rule_id)["override_by"]
        if override_by == "nobody":
            raise DecisionError(f"{problem.name}：该规则不接受说明，只能更正数据")
        if override_by == "commission" and stewards.find(actor).role != "commission":
            raise DecisionError(f"{problem.name}：该规则的说明须由市教委的管理员认可，{actor} 不是")
        PROBLEMS.take(
            connection, problem, "explain", actor, reason, as_of, changes={"known_rows": problem.failed}
        )
    return PROBLEMS.get(connection, problem_id)


def reopen(connection: psycopg.Connection, problem_id: int, actor: str, reason: str, as_of: date) -> Problem:
    """Take a promise or an explanation back."""
    with connection.transaction():
        problem = checked(connection, problem_id, "reopen", actor, reason)
        PROBLEMS.take(connection, problem, "reopen", actor, reason, as_of)
    return PROBLEMS.get(connection, problem_id)


def checked(connection: psycopg.Connection, problem_id: int, action: str, actor: str, reason: str) -> Problem:
    """The problem, locked for this transaction, if this steward may take the step. Raises DecisionError, StewardError."""
    PROBLEMS.get(connection, problem_id)
    steward = stewards.find(actor)
    problem = PROBLEMS.locked(connection, problem_id)
    PROBLEMS.check(problem, action, reason, steward)
    return problem


def rule(connection: psycopg.Connection, rule_id: str) -> dict[str, Any]:
    """The rule in force: version, severity, override_by, message, fix. Raises DecisionError when there is none any more."""
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(
            "select rule_id, version, severity, override_by, message, fix from quality.rule "
            "where rule_id = %s and is_current",
            [rule_id],
        ).fetchone()
    if found is None:
        raise DecisionError(f"规则 {rule_id} 已停用；下一次校验会了结它的问题")
    return found


def _open(connection: psycopg.Connection, finding: Finding, run_id: str, as_of: date) -> None:
    row = {
        name: getattr(finding, name)
        for name in ("rule_id", "src_inst_code", "entity", "severity", "failed", "causes")
    }
    row |= {"opened_run_id": run_id, "last_run_id": run_id}
    reason = finding.reason or f"{finding.amount}，超出容许范围"
    PROBLEMS.start(connection, "found", row, LINE, reason, as_of, run_id)
