"""What may be asked for, who may decide, and when a decision comes too late."""

from datetime import date, timedelta

import pytest
from made_up import (
    COMMISSION,
    DAY,
    INST,
    JW,
    NOBODY,
    STRANGER,
    UNI,
    UNI2,
    UNIVERSITY,
    ask,
    events,
    found,
    settle,
    state,
)

from yuyan.decisions import overrides, problems
from yuyan.decisions.life_cycle import DecisionError
from yuyan.decisions.overrides import OVERRIDES
from yuyan.decisions.problems import Finding

pytestmark = pytest.mark.database


@pytest.mark.parametrize(
    ("rule_id", "requester", "decider", "refusal"),
    [
        (COMMISSION, UNI, JW, None),
        (COMMISSION, UNI, "jw-data-2", None),
        (COMMISSION, JW, "jw-data-2", None),
        (
            COMMISSION,
            UNI,
            UNI2,
            "审批人须是市教委管理员，data-10611-2 不是；可审批的账号：jw-data-1、jw-data-2",
        ),
        (COMMISSION, JW, JW, "申请人不能审批自己的申请；可审批的账号：jw-data-2"),
        (UNIVERSITY, UNI, UNI2, None),
        (UNIVERSITY, JW, UNI, None),
        (UNIVERSITY, UNI, UNI, "申请人不能审批自己的申请；可审批的账号：data-10611-2"),
        (UNIVERSITY, UNI, JW, "审批人须是 10611 管理员，jw-data-1 不是"),
        (UNIVERSITY, UNI, STRANGER, "不能处理 10611 的问题"),
    ],
)
def test_who_approves_follows_from_the_rule(world, rule_id, requester, decider, refusal):
    number = found(world, rule_id)
    ask(world, number, requester)
    for is_approved in (False, True):
        if refusal:
            with pytest.raises(DecisionError, match=refusal):
                overrides.decide(world, number, decider, is_approved, "属实", DAY)
        else:
            decided = overrides.decide(world, number, decider, is_approved, "属实", DAY)
            assert (decided.state, decided.decided_by, decided.decided_on, decided.decision_reason) == (
                "active" if is_approved else "rejected", decider, DAY, "属实",
            )  # fmt: skip
            if not is_approved:
                ask(world, number, requester)
    assert state(world, rule_id).state == ("override_requested" if refusal else "overridden")


def test_a_nobody_rule_refuses_with_the_remedy(world):
    with pytest.raises(DecisionError, match=r"该规则不可豁免.*会破坏下游；请更正数据：改正"):
        ask(world, found(world, NOBODY))
    assert world.execute("select count(*) from quality.override").fetchone() == (0,)


@pytest.mark.parametrize(
    ("days", "allowed"), [(-1, False), (0, False), (1, True), (366, True), (367, False), (3660, False)]
)
def test_an_override_always_ends_and_within_a_year(world, days, allowed):
    number = found(world)
    until = DAY + timedelta(days=days)
    if allowed:
        assert ask(world, number, until=until).expires_on == until
    else:
        with pytest.raises(
            DecisionError, match=f"到期日 {until} 须晚于统计日期 2026-10-15，且不晚于 2027-10-16"
        ):
            ask(world, number, until=until)


def test_fewer_rows_than_fail_are_not_asked_for(world):
    number = found(world, failed=12)
    with pytest.raises(DecisionError, match="现有 12 行不合格，只申请 11 行会立即失效"):
        ask(world, number, rows=11)
    assert ask(world, number, rows=12).granted_rows == 12


def test_nobody_left_to_decide_is_said_when_asking(world, tmp_path, monkeypatch):
    path = tmp_path / "stewards.yml"
    path.write_text(f"commission: [{JW}]\nuniversities: {{'10611': [{UNI}]}}\n")
    monkeypatch.setenv("YUYAN_STEWARDS", str(path))
    number = found(world, UNIVERSITY)
    with pytest.raises(DecisionError, match="除申请人 data-10611-1 外没有可审批的 10611 管理员"):
        ask(world, number, UNI)
    assert ask(world, number, JW).state == "requested"


def test_a_request_that_no_longer_holds_can_only_be_rejected(world):
    number = found(world, failed=12)
    override = ask(world, number, rows=12, until=DAY + timedelta(days=2))
    late = DAY + timedelta(days=3)
    with pytest.raises(DecisionError, match=r"已于 2026-10-17 到期.*请驳回"):
        overrides.decide(world, number, JW, True, "属实", late)
    settle(world, Finding(COMMISSION, INST, "student", "ERROR", 13), run="r2")
    with pytest.raises(DecisionError, match="现有 13 行不合格，超过放行的 12 行"):
        overrides.decide(world, number, JW, True, "属实", DAY)
    world.execute("update quality.rule set version = 2 where rule_id = %s", [COMMISSION])
    with pytest.raises(DecisionError, match="规则已由第 1 版改为第 2 版"):
        overrides.decide(world, number, JW, True, "属实", DAY)
    assert overrides.decide(world, number, JW, False, "请重新申请", late).state == "rejected"
    assert OVERRIDES.get(world, override.override_id).decided_on == late


def test_a_rule_that_is_gone_cannot_be_overridden(world):
    number = found(world)
    world.execute("update quality.rule set is_current = false where rule_id = %s", [COMMISSION])
    with pytest.raises(DecisionError, match=r"规则 QR\.student\.left_on\.14 已停用"):
        ask(world, number)


def test_only_one_override_of_a_problem_lives(world):
    number = found(world)
    ask(world, number)
    with pytest.raises(DecisionError, match="现为“已申请豁免”，不能申请豁免"):
        ask(world, number, JW)
    overrides.decide(world, number, JW, True, "属实", DAY)
    overrides.withdraw(world, number, JW, "查明不属实", DAY)
    ask(world, number)
    held = OVERRIDES.select(world, "problem_id = %s", [number])
    assert [(o.state, o.decided_by) for o in held] == [("withdrawn", JW), ("requested", None)]


def test_every_step_says_who_when_why_and_which_override(world):
    number = found(world)
    problems.promise(world, number, UNI, DAY + timedelta(days=9), "联系厂商", DAY)
    later = DAY + timedelta(days=1)
    override = overrides.request(world, number, UNI, 12, "厂商无法修复", date(2027, 3, 31), later)
    overrides.decide(world, number, JW, True, "同意至学期末", later)
    assert [e[:6] for e in events(world, number)] == [
        ("yuyan", "found", None, "open", "12 行不合格，超出容许范围", DAY),
        (UNI, "promise", "open", "fix_promised", "联系厂商", DAY),
        (UNI, "request", "fix_promised", "override_requested", "厂商无法修复", later),
        (JW, "approve", "override_requested", "overridden", "同意至学期末", later),
    ]
    assert [e[7] for e in events(world, number)] == [False, False, True, True]
    noted = world.execute(
        "select distinct override_id from quality.problem_event where override_id is not null"
    )
    assert noted.fetchall() == [(override.override_id,)]
    assert world.execute(
        "select bool_and(recorded_at <= clock_timestamp()) from quality.problem_event"
    ).fetchone() == (True,)
