"""Accountability cases: what people decide about a degree point or an institution that the line has warned of.

The line opens a case, proposes its next step, closes the window in which the institution may state its view, and says when
what a decision rested on was corrected or a deadline has passed (`review`). Every change of state is a person's (`decide`):
signed with a role and a document, after the institution was heard where the step is adverse. Each step keeps the figures as
they stood (accountability.case_record). The life cycle is include/life_cycles/case.yml.
"""

import json
from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import psycopg
from psycopg.rows import dict_row

from yuyan.decisions.life_cycle import DecisionError, LifeCycle
from yuyan.domain import stewards
from yuyan.domain.stewards import Steward

TARGETS = {"DP": "学位点", "INST": "单位"}
WITHHELD = "理由涉及个人，见 accountability.case_record"
"""What the event of a restricted case says, which more people may read than the case."""
_FIGURES = """
select rule_code, signal_code, period_year, source_variant, numerator, denominator, value, lcl95, ucl95, benchmark,
    contribution, probability, q_value, level_code, reason_zh, parameter_version, rule_version, run_id
from accountability.warning_signal
where target_kind = %s and target_code = %s and is_current and (%s or not is_restricted)
order by rule_code, signal_code, period_year
"""


@dataclass(frozen=True)
class Case:
    """A row of accountability.case_file."""

    case_id: int
    target_kind: str
    target_code: str
    src_inst_code: str
    is_restricted: bool
    state: str
    level_code: str
    rule_codes: list[str]
    opened_on: date
    entered_on: date
    decided_year: int | None
    proposed_action: str | None
    proposed_on: date | None
    intended_action: str | None
    statement_until: date | None
    stated_on: date | None
    rectify_by: date | None
    reported_on: date | None
    corrected_on: date | None
    escalated_on: date | None

    @property
    def name(self) -> str:
        """How a message names it."""
        return f"问责事项 {self.case_id}（{TARGETS[self.target_kind]} {self.target_code}）"


@dataclass(frozen=True)
class Decision:
    """Who signed a step, and what it sets: role and document number; places cut, year of effect."""

    role_name: str = ""
    document_no: str = ""
    quota_cut: int | None = None
    effect_year: int | None = None


CASES = LifeCycle("case", Case)
OPEN = CASES.cycle.open_states()
DECISIONS = tuple(name for name, step in CASES.cycle.steps.items() if step.is_signed)
"""Steps that are a person's decision."""


def figures(connection: psycopg.Connection, case: Case) -> list[dict[str, Any]]:
    """The signals of a case's target as they stand, those about persons for a restricted case only."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_FIGURES, [case.target_kind, case.target_code, case.is_restricted]).fetchall()


def records(connection: psycopg.Connection, case_id: int) -> list[dict[str, Any]]:
    """Every step with what it rested on, oldest first."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "select r.*, e.actor, e.from_state, e.to_state from accountability.case_record r "
            "join quality.life_cycle_event e using (event_id) where r.case_id = %s order by r.event_id",
            [case_id],
        ).fetchall()


def notify(
    connection: psycopg.Connection, case_id: int, intended: str, actor: str, reason: str, as_of: date
) -> Case:
    """Tell the institution which step is intended; it may state its view until the window ends. Raises DecisionError."""
    with connection.transaction():
        case, _ = _checked(connection, case_id, "notify", actor, reason)
        step = CASES.cycle.steps.get(intended)
        if step is None or not step.is_heard or case.state not in step.sources:
            possible = [n for n, s in CASES.cycle.steps.items() if s.is_heard and case.state in s.sources]
            raise DecisionError(
                f"{case.name}：现为“{CASES.cycle.states[case.state]}”，须先听取陈述的下一步只有 "
                f"{'、'.join(possible) or '（无）'}，{intended} 不是"
            )
        until = due(as_of, "notify")
        changes = {"intended_action": intended, "statement_until": until, "stated_on": None}
        take(connection, case, "notify", actor, reason, as_of, changes=changes)
    return CASES.get(connection, case_id)


def state(connection: psycopg.Connection, case_id: int, actor: str, statement: str, as_of: date) -> Case:
    """The institution's statement on what it was notified of, within its window. Raises DecisionError."""
    with connection.transaction():
        case, _ = _checked(connection, case_id, "state", actor, statement)
        if case.intended_action is None:
            raise DecisionError(f"{case.name}：没有待陈述的告知；市教委告知（notify）后才能陈述")
        if as_of > case.statement_until:
            raise DecisionError(
                f"{case.name}：陈述期已于 {case.statement_until} 届满，{as_of} 的陈述不再受理；可在复查时另行说明"
            )
        take(connection, case, "state", actor, statement, as_of, changes={"stated_on": as_of})
    return CASES.get(connection, case_id)


def report(connection: psycopg.Connection, case_id: int, actor: str, reason: str, as_of: date) -> Case:
    """The institution reports that it has rectified; the recheck may begin before the period ends. Raises DecisionError."""
    with connection.transaction():
        case, _ = _checked(connection, case_id, "report", actor, reason)
        take(connection, case, "report", actor, reason, as_of, changes={"reported_on": as_of})
    return CASES.get(connection, case_id)


def decide(
    connection: psycopg.Connection,
    case_id: int,
    action: str,
    actor: str,
    reason: str,
    as_of: date,
    decision: Decision,
) -> Case:
    """Take a signed step. Raises DecisionError for one that is impossible, too early, unsigned or unheard, with the reason.

    >>> decide(connection, 7, "watch", "jw-data-1", "连续两年", as_of, Decision("学位办主任", "渝学位〔2026〕1号")).state
    'watched'
    """
    if action not in DECISIONS:
        raise DecisionError(f"{action} 不是决定；可用：{'、'.join(DECISIONS)}")
    with connection.transaction():
        case, step = _checked(connection, case_id, action, actor, reason)
        if not (decision.role_name.strip() and decision.document_no.strip()):
            raise DecisionError(
                f"{case.name}：{step.label}未签署，须写明决定人的职务（--role）和文号（--document）"
            )
        given = {"quota_cut": decision.quota_cut, "effect_year": decision.effect_year}
        missing = [name for name in step.evidence if not given.get(name)]
        if missing:
            options = "、".join(f"--{name.replace('_', '-')}" for name in missing)
            raise DecisionError(f"{case.name}：{step.label}还须给出 {options}")
        if decision.effect_year and decision.effect_year < as_of.year:
            raise DecisionError(f"{case.name}：生效年度 {decision.effect_year} 已经过去（统计日期 {as_of}）")
        _admit(case, action, as_of)
        seen = figures(connection, case)
        years = [row["period_year"] for row in seen]
        changes: dict[str, Any] = dict.fromkeys(
            ["proposed_action", "proposed_on", "intended_action", "statement_until", "stated_on", "reported_on",
             "corrected_on", "escalated_on"]
        )  # fmt: skip
        changes |= {"decided_year": max(years, default=case.decided_year)}
        changes |= {"entered_on": as_of} if step.target else {}
        if step.deadline:
            changes[step.deadline[0]] = due(as_of, action)
        signature = {"role_name": decision.role_name, "document_no": decision.document_no}
        event_id = take(
            connection,
            case,
            action,
            actor,
            reason,
            as_of,
            changes=changes,
            evidence=given | signature,
            seen=seen,
        )
        if step.effect:
            connection.execute(
                "insert into accountability.case_effect (event_id, case_id, effect_code, decided_on, effect_year, "
                "quota_cut, state, checked_on, finding_zh) values (%s, %s, %s, %s, %s, %s, 'waiting', %s, '尚未检查')",
                [event_id, case_id, step.effect, as_of, decision.effect_year, decision.quota_cut, as_of],
            )
    return CASES.get(connection, case_id)


def due(as_of: date, action: str) -> date:
    """The last day of the time that a step gives."""
    _, days, months = CASES.cycle.steps[action].deadline
    year, month = divmod(as_of.year * 12 + as_of.month - 1 + months, 12)
    return date(year, month + 1, min(as_of.day, monthrange(year, month + 1)[1])) + timedelta(days=days)


def _checked(
    connection: psycopg.Connection, case_id: int, action: str, actor: str, reason: str
) -> tuple[Case, Any]:
    """The case, locked for this transaction, and the step, if this steward may take it."""
    steward: Steward = stewards.find(actor)
    case = CASES.locked(connection, case_id)
    return case, CASES.check(case, action, reason, steward)


def _admit(case: Case, action: str, as_of: date) -> None:
    """Refuse a decision before whom it concerns was heard, or before its day."""
    step = CASES.cycle.steps[action]
    if step.is_heard:
        if case.intended_action != action:
            raise DecisionError(
                f"{case.name}：{step.label}对单位不利，须先告知并听取陈述："
                f"`yuyan case notify {case.case_id} --step {action}`"
            )
        if case.stated_on is None and as_of <= case.statement_until:
            raise DecisionError(
                f"{case.name}：{case.src_inst_code} 的陈述期至 {case.statement_until}，尚未陈述，{as_of} 还不能{step.label}"
            )
    if step.not_before is None:
        return
    day, earlier = getattr(case, step.not_before), getattr(case, step.unless or step.not_before)
    if day is not None and as_of <= day and not (step.unless and earlier):
        raise DecisionError(
            f"{case.name}：整改期至 {day}，未满且单位没有提交整改报告，{as_of} 还不能{step.label}"
        )


def take(
    connection: psycopg.Connection,
    case: Case,
    action: str,
    actor: str,
    reason: str,
    as_of: date,
    *,
    run_id: str | None = None,
    changes: dict[str, Any] | None = None,
    evidence: dict[str, Any] | None = None,
    seen: Sequence[dict[str, Any]] | None = None,
) -> int:
    """Take a step that was checked and keep what it rested on; returns the number of its event."""
    said = WITHHELD if case.is_restricted else reason
    event_id = CASES.take(
        connection, case, action, actor, said, as_of, run_id=run_id, changes=changes, evidence=evidence
    )
    keep(connection, case, event_id, action, as_of, reason, evidence or {}, seen)
    return event_id


def keep(
    connection: psycopg.Connection,
    case: Case,
    event_id: int,
    action: str,
    as_of: date,
    reason: str,
    signature: dict[str, Any],
    seen: Sequence[dict[str, Any]] | None = None,
) -> None:
    """Freeze the figures beside an event."""
    seen = figures(connection, case) if seen is None else seen
    first = seen[0] if seen else {}
    versions = ("run_id", "rule_version", "parameter_version")
    frozen = [{k: v for k, v in row.items() if k not in versions} for row in seen]
    statement = connection.execute(
        "select reason from accountability.case_record where case_id = %s and action = 'state' and as_of = %s "
        "order by event_id desc limit 1",
        [case.case_id, case.stated_on],
    ).fetchone()
    connection.execute(
        "insert into accountability.case_record (event_id, case_id, action, as_of, signal_run_id, rule_version, "
        "parameter_version, figures, role_name, document_no, statement_until, stated_on, statement, reason) "
        "values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            *(event_id, case.case_id, action, as_of, *(first.get(name) for name in versions)),
            json.dumps(frozen, ensure_ascii=False),
            *(signature.get("role_name"), signature.get("document_no"), case.statement_until, case.stated_on),
            *(statement[0] if statement else None, reason),
        ],
    )
