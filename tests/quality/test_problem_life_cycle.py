"""The life cycle of a problem: every step that may be taken and every one that may not, who took it, when and why."""

from datetime import timedelta

import pytest
from made_up import (
    DAY,
    INST,
    JW,
    NEXT,
    OTHER,
    STRANGER,
    UNI,
    UNI2,
    ask,
    events,
    finding,
    found,
    settle,
    state,
)

from yuyan.decisions import overrides, problems
from yuyan.decisions.life_cycle import DecisionError, today
from yuyan.decisions.problems import PROBLEMS, Finding
from yuyan.domain.stewards import StewardError

pytestmark = pytest.mark.database

REACH = {
    "open": lambda c, n: None,
    "fix_promised": lambda c, n: problems.promise(c, n, UNI, NEXT, "联系厂商", DAY),
    "override_requested": lambda c, n: ask(c, n),
    "overridden": lambda c, n: (ask(c, n), overrides.decide(c, n, JW, True, "属实", DAY)),
    "fixed": lambda c, n: settle(c, run="r2"),
}
"""How a problem of a blocking rule comes into each of its states."""

PEOPLE = {
    "promise": lambda c, n: problems.promise(c, n, UNI, NEXT, "联系厂商", DAY),
    "request": lambda c, n: ask(c, n),
    "approve": lambda c, n: overrides.decide(c, n, JW, True, "属实", DAY),
    "reject": lambda c, n: overrides.decide(c, n, JW, False, "不属实", DAY),
    "withdraw": lambda c, n: overrides.withdraw(c, n, UNI, "已改正", DAY),
    "reopen": lambda c, n: problems.reopen(c, n, UNI, "来不及", DAY),
}


@pytest.mark.parametrize("start", REACH)
@pytest.mark.parametrize("action", PEOPLE)
def test_every_step_of_people_from_every_state(world, start, action):
    number = found(world)
    REACH[start](world, number)
    assert state(world).state == start
    before = events(world, number)
    step = PROBLEMS.cycle.steps[action]
    starts, end = step.sources, step.target
    if start in starts:
        PEOPLE[action](world, number)
        assert state(world).state == end
        (event,) = events(world, number)[len(before) :]
        assert event[1:4] == (action, start, end)
        assert event[4], "without a reason"
        assert event[5] == DAY
    else:
        with pytest.raises(
            DecisionError, match=f"现为“{PROBLEMS.cycle.states[start]}”.*yuyan problem show {number}"
        ):
            PEOPLE[action](world, number)
        assert state(world).state == start
        assert events(world, number) == before


@pytest.mark.parametrize("start", ["open", "fix_promised", "known", "fixed"])
def test_a_warning_is_explained_not_overridden(world, start):
    rule_id = "QR.student.birth_year.16"
    number = found(world, rule_id, 3)
    reach = REACH | {"known": lambda c, n: problems.explain(c, n, UNI, "少年班", DAY)}
    reach[start](world, number)
    says = (
        r"WARN 级规则只记录、不隔离.*explain"
        if start in PROBLEMS.cycle.steps["request"].sources
        else "不能申请豁免"
    )
    with pytest.raises(DecisionError, match=says):
        ask(world, number)
    if start in PROBLEMS.cycle.steps["explain"].sources:
        assert problems.explain(world, number, UNI, "少年班", DAY).known_rows == 3
    else:
        with pytest.raises(DecisionError, match="不能说明"):
            problems.explain(world, number, UNI, "少年班", DAY)


def test_an_error_is_not_explained_away(world):
    with pytest.raises(DecisionError, match="说明不能放行；请更正数据，或用 request 申请豁免"):
        problems.explain(world, found(world), JW, "就这样", DAY)


def test_who_may_accept_an_explanation_follows_from_the_rule(world):
    commission = found(world, "QR.student.birth_year.18")
    with pytest.raises(DecisionError, match="须由市教委的管理员认可，data-10611-1 不是"):
        problems.explain(world, commission, UNI, "少年班", DAY)
    assert problems.explain(world, commission, JW, "少年班", DAY).state == "known"
    settle(world, finding("QR.student.birth_year.18", 12), finding("QR.student.birth_year.19", 1))
    with pytest.raises(DecisionError, match="不接受说明"):
        problems.explain(world, state(world, "QR.student.birth_year.19").problem_id, JW, "就这样", DAY)


def test_a_problem_is_opened_once_and_counts_what_stands(world):
    assert settle(world, finding("QR.student.left_on.14", 12)) == {"found": 1}
    assert settle(world, finding("QR.student.left_on.14", 9), run="r2", as_of=NEXT) == {}
    problem = state(world)
    assert (problem.failed, problem.opened_run_id, problem.last_run_id) == (9, "r1", "r2")
    assert events(world, problem.problem_id) == [
        ("yuyan", "found", None, "open", "12 行不合格，超出容许范围", DAY, "r1", False)
    ]


def test_settling_the_same_run_again_changes_nothing(world):
    found(world)
    before = state(world)
    assert settle(world, finding("QR.student.left_on.14", 12)) == {}
    assert state(world) == before
    assert len(events(world, before.problem_id)) == 1


def test_what_no_finding_mentions_any_more_is_fixed_and_opens_again(world):
    number = found(world)
    assert settle(world, run="r2") == {"settled": 1}
    fixed = state(world)
    assert (fixed.state, fixed.failed, fixed.fixed_run_id) == ("fixed", 0, "r2")
    assert settle(world, finding("QR.student.left_on.14", 1), run="r3", as_of=NEXT) == {"failed_again": 1}
    again = state(world)
    assert (again.problem_id, again.state, again.failed, again.fixed_run_id) == (number, "open", 1, None)
    assert [e[1:4] for e in events(world, number)] == [
        ("found", None, "open"),
        ("settled", "open", "fixed"),
        ("failed_again", "fixed", "open"),
    ]


def test_only_what_was_checked_is_fixed(world):
    number = found(world)
    alarm = Finding("QR.indicator.change.1", INST, "student", "WARN", 2)
    assert problems.settle(world, "r2", DAY, [alarm], ["indicator"]) == {"found": 1}
    assert PROBLEMS.get(world, number).state == "open"
    assert settle(world, run="r3") == {"settled": 1}
    assert problems.settle(world, "r4", DAY, [], ["indicator"]) == {"settled": 1}
    with pytest.raises(ValueError, match=r"finding of QR\.student\.left_on\.14, but only indicator"):
        problems.settle(world, "r5", DAY, [finding("QR.student.left_on.14", 1)], ["indicator"])


def test_what_could_not_be_judged_this_time_stays_as_it_is(world):
    settle(world, finding("QR.student.left_on.14", 1), finding("QR.student.left_on.14", 2, OTHER))
    taken = problems.settle(world, "r2", DAY, [], ["student"], lambda rule_id, inst: inst == OTHER)
    assert taken == {"settled": 1}
    held = world.execute(
        "select src_inst_code, state, last_run_id from quality.problem order by 1"
    ).fetchall()
    assert held == [(INST, "open", "r1"), (OTHER, "fixed", "r1")]


def test_two_institutions_have_two_problems(world):
    settle(world, finding("QR.student.left_on.14", 1), finding("QR.student.left_on.14", 2, OTHER))
    settle(world, finding("QR.student.left_on.14", 2, OTHER), run="r2")
    held = world.execute("select src_inst_code, state from quality.problem order by 1").fetchall()
    assert held == [(INST, "fixed"), (OTHER, "open")]


def test_a_promise_that_is_not_kept_opens_the_problem(world):
    number = found(world)
    problems.promise(world, number, UNI, NEXT, "联系厂商", DAY)
    standing = finding("QR.student.left_on.14", 12)
    assert settle(world, standing, run="r2", as_of=NEXT) == {}
    assert settle(world, standing, run="r3", as_of=NEXT + timedelta(days=1)) == {"overdue": 1}
    assert state(world).promised_for is None
    assert events(world, number)[-1][:5] == (
        "yuyan",
        "overdue",
        "fix_promised",
        "open",
        "承诺 2026-10-16 前修复，仍有 12 行不合格",
    )
    with pytest.raises(DecisionError, match="承诺日期 2026-10-15 须晚于统计日期 2026-10-15"):
        problems.promise(world, number, UNI, DAY, "联系厂商", DAY)


def test_more_than_was_explained_opens_the_problem(world):
    rule_id = "QR.student.birth_year.16"
    number = found(world, rule_id, 3)
    problems.explain(world, number, UNI, "少年班", DAY)
    assert settle(world, finding(rule_id, 2), run="r2") == {}
    assert settle(world, finding(rule_id, 3), run="r3") == {}
    assert settle(world, finding(rule_id, 4), run="r4") == {"unexplained": 1}
    assert events(world, number)[-1][4] == "现有 4 行不合格，多于已说明的 3"


def test_a_warning_that_has_become_an_error_is_no_longer_known(world):
    number = found(world, "QR.student.birth_year.16", 3)
    problems.explain(world, number, UNI, "少年班", DAY)
    harder = Finding("QR.student.birth_year.16", INST, "student", "ERROR", 3)
    assert settle(world, harder, run="r2") == {"unexplained": 1}
    assert state(world, "QR.student.birth_year.16").severity == "ERROR"


def test_a_problem_under_an_override_is_left_to_the_override(world):
    number = found(world)
    for reach in ("override_requested", "overridden"):
        REACH[reach](world, number)
        assert settle(world, run="r2") == {}
        assert state(world).state == reach
        overrides.withdraw(world, number, UNI, "重来", DAY)


@pytest.mark.parametrize("action", ["promise", "request", "withdraw", "reopen"])
def test_another_university_s_steward_is_refused(world, action, monkeypatch):
    number = found(world)
    monkeypatch.setitem(globals(), "UNI", STRANGER)
    steps = PEOPLE | {"request": lambda c, n: ask(c, n, STRANGER)}
    with pytest.raises(DecisionError, match="data-10635-1 是 10635 的数据管理员，不能处理 10611 的问题"):
        steps[action](world, number)
    assert len(events(world, number)) == 1


def test_who_is_nobody_s_steward_is_refused(world):
    with pytest.raises(StewardError, match="'passer-by' 不是登记的数据管理员"):
        problems.promise(world, found(world), "passer-by", NEXT, "联系厂商", DAY)


@pytest.mark.parametrize("actor", [UNI, UNI2, JW])
def test_its_own_stewards_and_the_commission_s_may_act(world, actor):
    problems.promise(world, found(world), actor, NEXT, "联系厂商", DAY)
    assert events(world, state(world).problem_id)[-1][:2] == (actor, "promise")


@pytest.mark.parametrize("action", ["promise", "reopen"])
def test_a_step_without_a_reason_is_refused(world, action):
    number = found(world)
    if action == "reopen":
        REACH["fix_promised"](world, number)
    step = {"promise": lambda: problems.promise(world, number, UNI, NEXT, " ", DAY)}
    step["reopen"] = lambda: problems.reopen(world, number, UNI, "", DAY)
    with pytest.raises(DecisionError, match="须写明理由"):
        step[action]()


def test_an_unknown_number_is_said(world):
    with pytest.raises(DecisionError, match="没有编号为 999 的问题；编号见 `yuyan problem list --all`"):
        PROBLEMS.get(world, 999)


def test_the_line_s_date_is_its_newest_run_s(world):
    with pytest.raises(DecisionError, match="还没有运行过"):
        today(world)
    world.execute(
        "insert into ops.run (run_id, kind, as_of) values ('a', 'collect', %s), ('b', 'warehouse', %s)",
        [NEXT, DAY],
    )
    assert today(world) == NEXT
