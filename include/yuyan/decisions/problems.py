"""Problems: a rule that an institution breaks beyond its tolerance, from the day it is found to the day it is settled.

Whatever finds problems reports through one function: `settle(connection, run_id, as_of, findings, subjects)`. Validation
does so by `settle_results`, from `quality.current_result`; the assessment of indicators calls `settle` with its alarms as
findings and `subjects=["indicator"]`. A subject is the second part of a rule id (`QR.<subject>.…`). A problem of these
subjects that was checked and that no finding mentions is fixed.

What people do (`promise`, `explain`, `reopen`, and the steps of overrides.py) is a row of quality.problem_event, like what
the line does itself (actor `yuyan`). `STEPS` is the whole life cycle.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Any

import psycopg
from psycopg.rows import class_row, dict_row

from yuyan.domain import stewards

LINE = "yuyan"
"""Actor of the steps that the line takes itself."""

EXPLAINABLE = ("WARN", "INFO")
"""Severities that hold no row back, so that an explanation is enough."""

STEPS: dict[str, tuple[tuple[str, ...], str]] = {
    "promise": (("open", "fix_promised"), "fix_promised"),
    "request": (("open", "fix_promised"), "override_requested"),
    "approve": (("override_requested",), "overridden"),
    "reject": (("override_requested",), "open"),
    "withdraw": (("override_requested", "overridden"), "open"),
    "explain": (("open", "fix_promised"), "known"),
    "reopen": (("fix_promised", "known"), "open"),
    "found": ((), "open"),
    "failed_again": (("fixed",), "open"),
    "overdue": (("fix_promised",), "open"),
    "unexplained": (("known",), "open"),
    "lapsed": (("override_requested", "overridden"), "open"),
    "settled": (("open", "fix_promised", "known"), "fixed"),
}
"""Action -> the states it may start from and the state it leads to. `found` starts a problem."""

STATES = {
    "open": "待处理",
    "fix_promised": "已承诺修复",
    "override_requested": "已申请豁免",
    "overridden": "已豁免",
    "fixed": "已修复",
    "known": "已知",
}
ACTIONS = {
    "promise": "承诺修复", "request": "申请豁免", "approve": "批准豁免", "reject": "驳回豁免", "withdraw": "撤回豁免",
    "explain": "说明", "reopen": "重新打开", "found": "发现", "failed_again": "再次发生", "overdue": "承诺逾期",
    "unexplained": "说明不再成立", "lapsed": "豁免失效", "settled": "了结",
}  # fmt: skip


class ProblemError(ValueError):
    """A step that cannot be taken; the message (Chinese) says why and what to do."""


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
        return (
            f"{self.failed} 个警报" if self.rule_id.startswith("QR.indicator.") else f"{self.failed} 行不合格"
        )


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
    """
    subjects = list(subjects)
    found = {(f.rule_id, f.src_inst_code): f for f in findings}
    if stray := sorted(f.rule_id for f in found.values() if f.rule_id.split(".")[1] not in subjects):
        raise ValueError(
            f"finding of {stray[0]}, but only {', '.join(subjects)} were checked; name its subject"
        )
    taken: Counter[str] = Counter()
    with connection.transaction():
        held = {
            (p.rule_id, p.src_inst_code): p
            for p in _problems(connection, "split_part(rule_id, '.', 2) = any(%s) for update", [subjects])
        }
        for finding in (f for key, f in found.items() if key not in held):
            _open(connection, finding, run_id, as_of)
            taken["found"] += 1
        for key, problem in held.items():
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
                move(connection, problem, action, LINE, reason, as_of, run_id=run_id, **changes)
                taken[action] += 1
    return taken


def next_step(problem: Problem, finding: Finding | None, as_of: date) -> tuple[str, str] | None:
    """What the line does about a problem after a check: (action, reason), or None."""
    if finding is None:
        # an override lets rows pass until nothing fails, also where the rest would be tolerated
        is_done = problem.state in STEPS["settled"][0]
        return ("settled", "已无不合格，或已在容许范围内") if is_done else None
    if problem.state == "fixed":
        return "failed_again", finding.reason or f"再次出现 {finding.amount}，超出容许范围"
    if problem.state == "fix_promised" and as_of > problem.promised_for:
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
        problem = locked(connection, problem_id, actor)
        check(problem, "promise", reason)
        if by <= as_of:
            raise ProblemError(f"{problem.name}：承诺日期 {by} 须晚于统计日期 {as_of}")
        move(connection, problem, "promise", actor, reason, as_of, promised_for=by)
    return get(connection, problem_id)


def explain(connection: psycopg.Connection, problem_id: int, actor: str, reason: str, as_of: date) -> Problem:
    """Accept what stands with an explanation (WARN and INFO: no row is held back). More of it opens the problem again.

    Whom the rule's `override` names: `university` is also the commission, `nobody` is nobody.
    """
    with connection.transaction():
        problem = locked(connection, problem_id, actor)
        check(problem, "explain", reason)
        if problem.severity not in EXPLAINABLE:
            raise ProblemError(
                f"{problem.name}：{problem.severity} 级的问题使数据行被隔离，说明不能放行；请更正数据，或用 request 申请豁免"
            )
        override_by = rule(connection, problem.rule_id)["override_by"]
        if override_by == "nobody":
            raise ProblemError(f"{problem.name}：该规则不接受说明，只能更正数据")
        if override_by == "commission" and stewards.find(actor).role != "commission":
            raise ProblemError(f"{problem.name}：该规则的说明须由市教委的管理员认可，{actor} 不是")
        move(connection, problem, "explain", actor, reason, as_of, known_rows=problem.failed)
    return get(connection, problem_id)


def reopen(connection: psycopg.Connection, problem_id: int, actor: str, reason: str, as_of: date) -> Problem:
    """Take a promise or an explanation back."""
    with connection.transaction():
        move(connection, locked(connection, problem_id, actor), "reopen", actor, reason, as_of)
    return get(connection, problem_id)


def get(connection: psycopg.Connection, problem_id: int) -> Problem:
    """One problem. Raises ProblemError for an unknown number."""
    found = _problems(connection, "problem_id = %s", [problem_id])
    if not found:
        raise ProblemError(f"没有编号为 {problem_id} 的问题；编号见 `yuyan problem list`")
    return found[0]


def rule(connection: psycopg.Connection, rule_id: str) -> dict[str, Any]:
    """The rule in force: version, severity, override_by, message, fix. Raises ProblemError when there is none any more."""
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(
            "select rule_id, version, severity, override_by, message, fix from quality.rule "
            "where rule_id = %s and is_current",
            [rule_id],
        ).fetchone()
    if found is None:
        raise ProblemError(f"规则 {rule_id} 已停用；下一次校验会了结它的问题")
    return found


def locked(connection: psycopg.Connection, problem_id: int, actor: str) -> Problem:
    """The problem, locked for this transaction. Raises ProblemError when the actor may not act on its institution."""
    problem = get(connection, problem_id)
    steward = stewards.find(actor)
    if not steward.acts_on(problem.src_inst_code):
        raise ProblemError(
            f"{actor} 是 {steward.inst_code} 的数据管理员，不能处理 {problem.src_inst_code} 的问题 {problem_id}；"
            f"请由 {problem.src_inst_code} 或市教委的管理员处理"
        )
    return _problems(connection, "problem_id = %s for update", [problem_id])[0]


def move(
    connection: psycopg.Connection,
    problem: Problem,
    action: str,
    actor: str,
    reason: str,
    as_of: date,
    *,
    run_id: str | None = None,
    override_id: int | None = None,
    **changes: Any,
) -> None:
    """Take a step of STEPS: the new state with further column changes, and the event. Raises ProblemError when refused."""
    check(problem, action, reason)
    state = STEPS[action][1]
    changes = {"promised_for": None, "known_rows": None, "fixed_run_id": None} | changes | {"state": state}
    connection.execute(
        f"update quality.problem set {', '.join(f'{name} = %s' for name in changes)} where problem_id = %s",
        [*changes.values(), problem.problem_id],
    )
    _note(connection, problem.problem_id, as_of, actor, action, problem.state, reason, run_id, override_id)


def check(problem: Problem, action: str, reason: str) -> None:
    """Raises ProblemError when the step cannot start from the problem's state, or says no reason."""
    starts = STEPS[action][0]
    if problem.state not in starts:
        possible = "、".join(STATES[s] for s in starts)
        raise ProblemError(
            f"{problem.name}现为“{STATES[problem.state]}”，不能{ACTIONS[action]}（只能从“{possible}”）；"
            f"经过见 `yuyan problem show {problem.problem_id}`"
        )
    if not reason.strip():
        raise ProblemError(f"{ACTIONS[action]}须写明理由")


def today(connection: psycopg.Connection) -> date:
    """The line's own date: `as_of` of its newest run. Raises ProblemError before the first run."""
    (day,) = connection.execute("select max(as_of) from ops.run").fetchone()
    if day is None:
        raise ProblemError("数据线还没有运行过，没有统计日期；请先运行，或给出 --as-of")
    return day


def _open(connection: psycopg.Connection, finding: Finding, run_id: str, as_of: date) -> None:
    (problem_id,) = connection.execute(
        "insert into quality.problem (rule_id, src_inst_code, entity, severity, state, failed, causes, opened_run_id, "
        "last_run_id) values (%s, %s, %s, %s, 'open', %s, %s, %s, %s) returning problem_id",
        [finding.rule_id, finding.src_inst_code, finding.entity, finding.severity, finding.failed, finding.causes,
         run_id, run_id],
    ).fetchone()  # fmt: skip
    reason = finding.reason or f"{finding.amount}，超出容许范围"
    _note(connection, problem_id, as_of, LINE, "found", None, reason, run_id, None)


def _note(
    connection: psycopg.Connection,
    problem_id: int,
    as_of: date,
    actor: str,
    action: str,
    from_state: str | None,
    reason: str,
    run_id: str | None,
    override_id: int | None,
) -> None:
    connection.execute(
        "insert into quality.problem_event (problem_id, as_of, actor, action, from_state, to_state, reason, run_id, "
        "override_id) values (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [problem_id, as_of, actor, action, from_state, STEPS[action][1], reason, run_id, override_id],
    )


def _problems(connection: psycopg.Connection, where: str, parameters: list) -> list[Problem]:
    columns = ", ".join(Problem.__dataclass_fields__)
    with connection.cursor(row_factory=class_row(Problem)) as cursor:
        return cursor.execute(f"select {columns} from quality.problem where {where}", parameters).fetchall()
