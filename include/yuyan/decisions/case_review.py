"""What the line does about accountability cases after each run: open, propose, close windows, compare, watch deadlines.

It never changes a state. Reads accountability.warning_signal (written by the stage `warn`) and the star.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import psycopg

from yuyan.decisions import case_effects, problems
from yuyan.decisions.cases import CASES, DECISIONS, OPEN, WITHHELD, Case, keep, records, take
from yuyan.domain import case_rules
from yuyan.domain.life_cycles import LINE

LEVELS = ("GREEN", "AMBER", "RED", "STATUTORY")
"""From the least grave. GREY and NCID say nothing."""
_VERDICTS = """
select target_kind, target_code, inst_code, is_restricted, rule_code, level_code, reason_zh, period_year
from accountability.warning_signal where signal_code = 'ALL' and is_current order by rule_code
"""
_COUNTS = """
select rule_code, signal_code, period_year, numerator, denominator from accountability.warning_signal
where target_kind = %s and target_code = %s and is_restricted <= %s
"""


def review(connection: psycopg.Connection, run_id: str, as_of: date) -> dict[str, Any]:
    """Bring every case up to date; returns how many steps of each kind the line took, and the problems that moved.

    Safe to repeat: what was said already is not said again. Runs within the caller's transaction.
    """
    taken: Counter[str] = Counter()
    verdicts: dict[tuple, list[dict]] = defaultdict(list)
    for kind, code, inst, restricted, rule, level, reason, year in connection.execute(_VERDICTS):
        row = {"inst": inst, "rule": rule, "level": level, "reason": reason, "year": year}
        verdicts[kind, code, restricted].append(row)
    cases = {
        (c.target_kind, c.target_code, c.is_restricted): c
        for c in CASES.select(connection, "state = any(%s) order by case_id for update", [list(OPEN)])
    }
    closed = _closed(connection)
    for target, rows in verdicts.items():
        if target not in cases and _is_to_open(connection, rows, closed.get(target)):
            cases[target] = _open(connection, target, rows, run_id, as_of)
            taken["open"] += 1
    overdue: Counter[str] = Counter()
    for target, case in cases.items():
        rows = verdicts.get(target, [])
        if alarmed := [r for r in rows if r["level"] in LEVELS[1:]]:
            codes, level = [r["rule"] for r in alarmed], gravest(rows)
        else:
            codes, level = [], gravest(rows) or "GREY"
        connection.execute(
            "update accountability.case_file set level_code = %s, rule_codes = %s, last_run_id = %s where case_id = %s",
            [level, codes, run_id, case.case_id],
        )
        for step in (_lapse, _correct, _propose, _escalate):
            case = CASES.get(connection, case.case_id)
            taken[step.__name__[1:]] += step(connection, case, rows, run_id, as_of)
        if overdue_reason(CASES.get(connection, case.case_id), as_of):
            overdue[case.src_inst_code] += 1
    missed = case_effects.check(connection, as_of)
    findings = [
        problems.Finding(case_rules.DEADLINE, inst, case_rules.SUBJECT, case_rules.SEVERITY, n)
        for inst, n in overdue.items()
    ]
    findings += [
        problems.Finding(case_rules.EFFECT, inst, case_rules.SUBJECT, case_rules.SEVERITY, n)
        for inst, n in missed.items()
    ]
    steps = problems.settle(connection, run_id, as_of, findings, [case_rules.SUBJECT])
    return {"cases": len(cases), **{k: n for k, n in sorted(taken.items()) if n}, "problems": dict(steps)}


def _closed(connection: psycopg.Connection) -> dict[tuple[str, str, bool], Case]:
    """Target -> the last case of it that a decision closed."""
    closed = CASES.select(connection, "state <> all(%s) order by case_id", [list(OPEN)])
    return {(c.target_kind, c.target_code, c.is_restricted): c for c in closed}


def _is_to_open(connection: psycopg.Connection, rows: list[dict], last: Case | None) -> bool:
    """Whether a target without an open case gets one: on an alarm that the decision that closed the last has not seen, of a
    later year, graver, or by another rule; where a rule is statutory, on anything else that it says."""
    alarmed = [r for r in rows if r["level"] in LEVELS[1:]]
    if not alarmed or last is None or last.decided_year is None:
        return bool(alarmed)
    was = LEVELS.index(last.level_code) if last.level_code in LEVELS else -1
    if any(
        r["year"] > last.decided_year or LEVELS.index(r["level"]) > was or r["rule"] not in last.rule_codes
        for r in alarmed
    ):
        return True
    statutory = {(r["rule"], r["reason"]) for r in alarmed if r["level"] == "STATUTORY"}
    if not statutory:
        return False
    decided = [r for r in records(connection, last.case_id) if r["action"] in DECISIONS]
    seen = {(f["rule_code"], f["reason_zh"]) for f in decided[-1]["figures"] if f["signal_code"] == "ALL"}
    return not statutory <= seen


def gravest(rows: list[dict]) -> str | None:
    """The gravest level of a target's rules; None where no rule could be judged."""
    return max((r["level"] for r in rows if r["level"] in LEVELS), key=LEVELS.index, default=None)


def overdue_reason(case: Case, as_of: date) -> str | None:
    """Which deadline of a case has passed, in words; None when none has."""
    within = timedelta(days=CASES.cycle.decide_within_days)
    if case.state == "rectifying" and case.rectify_by and as_of > case.rectify_by:
        what = "已收到整改报告，尚未启动复查" if case.reported_on else "没有整改报告，也没有启动复查"
        return f"整改期已于 {case.rectify_by} 届满：{what}"
    if case.intended_action and as_of > case.statement_until + within:
        label = CASES.cycle.steps[case.intended_action].label
        return f"拟“{label}”的陈述期已于 {case.statement_until} 结束，{within.days} 天内没有作出决定"
    if case.proposed_action and not case.intended_action and as_of > case.proposed_on + within:
        label = CASES.cycle.steps[case.proposed_action].label
        return f"{case.proposed_on} 建议“{label}”，{within.days} 天内没有处理"
    return None


def next_proposal(case: Case, rows: list[dict], as_of: date, is_declined: bool) -> str | None:
    """What the line proposes: by state and level, on data of a later year than those that the last decision saw.

    At once where a rule is statutory or the state waits for a decision, unless the last one declined just that.
    """
    level = gravest(rows)
    if level is None and case.state != "rectifying":
        return None
    action = CASES.cycle.proposals.get(case.state, {}).get(level or "GREEN")
    if case.state == "rectifying":
        return action if case.reported_on or as_of > case.rectify_by else None
    newest = max((r["year"] for r in rows if r["level"] in LEVELS), default=0)
    is_news = case.decided_year is None or newest > case.decided_year
    is_pressing = level == "STATUTORY" or case.state in ("normal", "rechecking")
    return action if is_news or (is_pressing and not is_declined) else None


def proposals(
    connection: psycopg.Connection, verdicts: Sequence[dict[str, Any]], as_of: date
) -> dict[tuple[str, str], str | None]:
    """(target_kind, target_code) -> what the line would propose on these verdicts (rows of warning_signal); for a target
    without a case, what it would propose on opening one. Cases about persons are left out.
    """
    by_target: dict[tuple[str, str], list[dict]] = defaultdict(list)
    for row in verdicts:
        told = {"rule": row["rule_code"], "level": row["level_code"], "reason": row["reason_zh"]}
        by_target[row["target_kind"], row["target_code"]].append(told | {"year": row["period_year"]})
    cases = {
        (c.target_kind, c.target_code): c
        for c in CASES.select(connection, "state = any(%s) and not is_restricted", [list(OPEN)])
    }
    closed = _closed(connection)
    found = {}
    for target, rows in by_target.items():
        if case := cases.get(target):
            found[target] = next_proposal(case, rows, as_of, _is_declined(connection, case))
        elif _is_to_open(connection, rows, closed.get((*target, False))):
            found[target] = CASES.cycle.proposals["normal"][gravest(rows)]
    return found


def _is_declined(connection: psycopg.Connection, case: Case) -> bool:
    decided = [r["action"] for r in records(connection, case.case_id) if r["action"] in DECISIONS]
    return decided[-1:] == ["decline"]


def _open(connection: psycopg.Connection, target: tuple, rows: list[dict], run_id: str, as_of: date) -> Case:
    kind, code, restricted = target
    row = {
        "target_kind": kind,
        "target_code": code,
        "src_inst_code": rows[0]["inst"],
        "is_restricted": restricted,
        "level_code": gravest(rows),
        "rule_codes": [r["rule"] for r in rows if r["level"] in LEVELS[1:]],
        "opened_on": as_of,
        "entered_on": as_of,
        "opened_run_id": run_id,
        "last_run_id": run_id,
    }
    reason = _because(rows)
    number = CASES.start(connection, "open", row, LINE, WITHHELD if restricted else reason, as_of, run_id)
    case = CASES.get(connection, number)
    event_id = connection.execute(
        "select max(event_id) from quality.life_cycle_event where life_cycle = 'case' and subject_id = %s",
        [number],
    ).fetchone()[0]
    keep(connection, case, event_id, "open", as_of, reason, {})
    return case


def _because(rows: list[dict]) -> str:
    alarmed = [r for r in rows if r["level"] in LEVELS[1:]]
    return "；".join(f"{r['rule']} {r['reason']}" for r in alarmed) or "各规则均无信号"


def _lapse(connection: psycopg.Connection, case: Case, rows: list[dict], run_id: str, as_of: date) -> int:
    if case.intended_action is None or case.stated_on or not CASES.is_due(case, "lapse", as_of):
        return 0
    if any(
        r["action"] == "lapse" and r["statement_until"] == case.statement_until
        for r in records(connection, case.case_id)
    ):
        return 0
    reason = f"陈述期已于 {case.statement_until} 届满，单位没有陈述"
    take(connection, case, "lapse", LINE, reason, as_of, run_id=run_id)
    return 1


def _correct(connection: psycopg.Connection, case: Case, rows: list[dict], run_id: str, as_of: date) -> int:
    """Compare what the last decision saw with the same figures now; nothing is reopened."""
    decided = [r for r in records(connection, case.case_id) if r["action"] in DECISIONS]
    if not decided or case.corrected_on:
        return 0
    now = {
        (rule, signal, year): (x, n)
        for rule, signal, year, x, n in connection.execute(
            _COUNTS, [case.target_kind, case.target_code, case.is_restricted]
        )
    }
    told = []
    for f in decided[-1]["figures"]:
        key, before = (f["rule_code"], f["signal_code"], f["period_year"]), (f["numerator"], f["denominator"])
        if key in now and before != (None, None) and now[key] != before:
            told.append("{} {} {} 年：{:g}/{:g} 更正为 {:g}/{:g}".format(*key, *before, *now[key]))
    if not told:
        return 0
    reason = f"基于的数据已更正：{'；'.join(told)}。事项不因此自动重开，请复核 {decided[-1]['document_no']}"
    take(connection, case, "correct", LINE, reason, as_of, run_id=run_id, changes={"corrected_on": as_of})
    return 1


def _propose(connection: psycopg.Connection, case: Case, rows: list[dict], run_id: str, as_of: date) -> int:
    action = next_proposal(case, rows, as_of, _is_declined(connection, case))
    if action == case.proposed_action:
        return 0
    label = CASES.cycle.steps[action].label if action else "（撤回先前的建议）"
    take(
        connection, case, "propose", LINE, f"建议{label}：{_because(rows)}", as_of, run_id=run_id,
        changes={"proposed_action": action, "proposed_on": as_of if action else None},
        evidence={"proposed_action": action or "none"},
    )  # fmt: skip
    return 1


def _escalate(connection: psycopg.Connection, case: Case, rows: list[dict], run_id: str, as_of: date) -> int:
    reason = overdue_reason(case, as_of)
    if reason is None or case.escalated_on:
        return 0
    take(
        connection,
        case,
        "escalate",
        LINE,
        f"逾期：{reason}",
        as_of,
        run_id=run_id,
        changes={"escalated_on": as_of},
    )
    return 1
