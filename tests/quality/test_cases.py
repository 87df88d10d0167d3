"""Accountability cases: what the line proposes, what people may decide and when, what is refused and why."""

import json
import zipfile
from datetime import date, timedelta
from xml.etree import ElementTree

import psycopg
import pytest
from typer.testing import CliRunner

from yuyan import settings
from yuyan.commands.cli import app
from yuyan.decisions import cases
from yuyan.decisions.case_review import review
from yuyan.decisions.cases import CASES, Case, Decision
from yuyan.decisions.life_cycle import DecisionError
from yuyan.domain import life_cycles
from yuyan.warehouse import roles

pytestmark = pytest.mark.database

DAY = date(2026, 10, 15)
POINT, INST = "10611-2-1-0802", "10611"
JW, UNI, STRANGER = "jw-data-1", "data-10611-1", "data-10635-1"
SIGNED = Decision("学位办主任", "渝学位〔2026〕1号")
STAR = """
create schema star;
create table star.dim_institution (inst_code text, inst_name text);
insert into star.dim_institution values ('10611', '重庆大学');
create table star.fct_admission_plan (degree_point_id text, inst_code text, plan_year int, quota_count int, issued_on date,
    is_latest_revision boolean default true);
create table star.fct_degree_point_event (degree_point_id text, inst_code text, event_type text, event_on date);
"""


def signal(
    connection, level, x=18, n=24, year=2025, rule="W02", target=POINT, restricted=False, **more
) -> None:
    """What the stage would have found about a target, instead of what it found before by this rule and year."""
    kind = "DP" if "-" in target else "INST"
    connection.execute(
        "delete from accountability.warning_signal where target_code = %s and rule_code = %s and period_year = %s "
        "and is_restricted = %s",
        [target, rule, year, restricted],
    )
    connection.execute(
        "update accountability.warning_signal set is_current = false where target_code = %s and rule_code = %s",
        [target, rule],
    )
    row = {"target_kind": kind, "target_code": target, "inst_code": target[:5], "rule_code": rule, "signal_code": "ALL",
           "period_year": year, "is_current": True, "is_restricted": restricted, "numerator": x, "denominator": n,
           "value": x / n, "lcl95": 0.53, "ucl95": 0.9, "probability": 0.83, "level_code": level, "reason_zh": f"{x}/{n}",
           "parameter_version": "W-1", "rule_version": 1, "run_id": f"r{year}", "as_of": DAY} | more  # fmt: skip
    connection.execute(
        f"insert into accountability.warning_signal ({', '.join(row)}) values ({', '.join(['%s'] * len(row))})",
        list(row.values()),
    )


def the_case(connection, target=POINT, restricted=False) -> Case:
    return CASES.select(
        connection, "target_code = %s and is_restricted = %s order by case_id desc", [target, restricted]
    )[0]


@pytest.fixture
def world(connection) -> psycopg.Connection:
    """A warehouse in which one point has a RED rate."""
    connection.execute(STAR)
    connection.execute("insert into ops.run (run_id, kind, as_of) values ('r1', 'warehouse', %s)", [DAY])
    signal(connection, "RED")
    return connection


def advance(connection, *actions: str, day: date = DAY) -> Case:
    """Take signed steps, hearing the institution where that is needed."""
    case = the_case(connection)
    for action in actions:
        if CASES.cycle.steps[action].is_heard:
            cases.notify(connection, case.case_id, action, JW, "拟定", day)
            cases.state(connection, case.case_id, UNI, "陈述", day)
        more = (
            {"quota_cut": 5, "effect_year": day.year + 1}
            if action == "cut_quota"
            else {"effect_year": day.year}
        )
        case = cases.decide(
            connection,
            case.case_id,
            action,
            JW,
            "属实",
            day,
            Decision(SIGNED.role_name, SIGNED.document_no, **more),
        )
    return case


def test_the_line_opens_and_proposes_and_changes_no_state(world):
    assert review(world, "r1", DAY)["open"] == 1
    case = the_case(world)
    assert (case.state, case.proposed_action, case.rule_codes, case.level_code) == (
        "normal",
        "watch",
        ["W02"],
        "RED",
    )
    records = cases.records(world, case.case_id)
    assert [(r["action"], r["figures"][0]["numerator"], r["parameter_version"]) for r in records] == [
        ("open", 18, "W-1"), ("propose", 18, "W-1"),
    ]  # fmt: skip
    again = review(world, "r1", DAY)
    assert again == {"cases": 1, "problems": {}}, "what was said is not said again"
    for level in ("AMBER", "GREEN"):
        signal(world, level, x=24)
        review(world, "r2", DAY)
    assert the_case(world).proposed_action == "dismiss"
    assert the_case(world).state == "normal"


@pytest.mark.parametrize(
    ("news", "opened"),
    [
        ({}, 0),
        ({"level": "GREEN"}, 0),
        ({"year": 2026}, 1),
        ({"level": "STATUTORY"}, 1),
        ({"level": "AMBER", "rule": "W05"}, 1),
    ],
)
def test_what_a_decision_closed_is_opened_again_by_news_only(world, news, opened):
    review(world, "r1", DAY)
    assert advance(world, "dismiss").state == "dismissed"
    assert review(world, "r2", DAY)["cases"] == 0
    signal(world, **{"level": "RED"} | news)
    assert review(world, "r3", DAY).get("open", 0) == opened
    assert the_case(world).state == ("normal" if opened else "dismissed")


def test_a_statutory_trigger_opens_again_when_it_says_something_else(world):
    signal(world, "STATUTORY", x=0, n=1, rule="W01")
    review(world, "r1", DAY)
    advance(world, "dismiss")
    assert review(world, "r2", DAY)["cases"] == 0
    signal(world, "STATUTORY", x=0, n=2, rule="W01")
    assert review(world, "r3", DAY)["open"] == 1, "a second case of the same year"


def test_a_target_that_cannot_be_judged_opens_nothing_and_moves_nothing(world):
    signal(world, "GREY")
    assert review(world, "r1", DAY) == {"cases": 0, "problems": {}}
    signal(world, "RED")
    review(world, "r1", DAY)
    signal(world, "NCID", year=2026)
    review(world, "r2", DAY)
    assert the_case(world).proposed_action is None, "no proposal on data without confidence"


REFUSED = {
    "unsigned": (["watch"], "watch", Decision(), JW, DAY, "未签署，须写明决定人的职务（--role）和文号（--document）"),
    "no document": ([], "watch", Decision("主任", " "), JW, DAY, "未签署"),
    "impossible": (["watch"], "rectify", SIGNED, JW, DAY, "现为“关注”，不能责令限期整改（只能从“预警”）"),
    "not theirs": ([], "watch", SIGNED, UNI, DAY, "不是市教委的数据管理员，不能列入关注"),
    "unheard": (["watch"], "warn", SIGNED, JW, DAY, "对单位不利，须先告知并听取陈述"),
    "too early": (["watch", "warn", "rectify"], "recheck", SIGNED, JW, date(2028, 10, 15),
                  "整改期至 2028-10-15，未满且单位没有提交整改报告"),
    "no decision": ([], "open", SIGNED, JW, DAY, "open 不是决定"),
    "no places": (["watch", "warn", "rectify"], "cut_quota", SIGNED, JW, DAY, "现为“限期整改”"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_decision_is_refused_with_its_reason(world, name):
    done, action, decision, actor, day, said = REFUSED[name]
    done = [] if name == "unsigned" else done
    review(world, "r1", DAY)
    before = advance(world, *done) if done else the_case(world)
    with pytest.raises(DecisionError, match=said.replace("（", ".").replace("）", ".")) as refused:
        cases.decide(world, before.case_id, action, actor, "属实", day, decision)
    assert "（" in str(refused.value) or "不是决定" in str(refused.value)
    assert CASES.get(world, before.case_id) == before


def test_a_notice_is_of_a_step_that_is_possible_and_opens_one_window(world):
    review(world, "r1", DAY)
    case = advance(world, "watch")
    with pytest.raises(DecisionError, match="须先听取陈述的下一步只有 warn，cut_quota 不是"):
        cases.notify(world, case.case_id, "cut_quota", JW, "拟定", DAY)
    with pytest.raises(DecisionError, match="没有待陈述的告知"):
        cases.state(world, case.case_id, UNI, "我们有话说", DAY)
    case = cases.notify(world, case.case_id, "warn", JW, "拟定", DAY)
    last = DAY + timedelta(days=30)
    assert case.statement_until == last
    with pytest.raises(DecisionError, match="尚未陈述，2026-11-14 还不能发出预警"):
        cases.decide(world, case.case_id, "warn", JW, "属实", last, SIGNED)
    with pytest.raises(DecisionError, match="10635 的数据管理员，不能处理 10611"):
        cases.state(world, case.case_id, STRANGER, "x", DAY)
    review(world, "r2", last)
    assert [r["action"] for r in cases.records(world, case.case_id)][-1] == "notify"
    review(world, "r3", last + timedelta(days=1))
    review(world, "r4", last + timedelta(days=2))
    assert [r["action"] for r in cases.records(world, case.case_id)].count("lapse") == 1
    with pytest.raises(DecisionError, match="陈述期已于 2026-11-14 届满"):
        cases.state(world, case.case_id, UNI, "太晚", last + timedelta(days=1))
    case = cases.decide(world, case.case_id, "warn", JW, "属实", last + timedelta(days=1), SIGNED)
    record = cases.records(world, case.case_id)[-1]
    assert (case.state, record["statement"], record["statement_until"]) == ("warned", None, last)


def test_a_statement_lets_a_decision_come_before_the_window_ends_and_stays_with_it(world):
    review(world, "r1", DAY)
    case = advance(world, "watch")
    cases.notify(world, case.case_id, "warn", JW, "拟定", DAY)
    cases.state(world, case.case_id, UNI, "两篇为同一导师，已停招", DAY)
    cases.decide(world, case.case_id, "warn", JW, "属实", DAY, SIGNED)
    record = cases.records(world, case.case_id)[-1]
    assert (record["statement"], record["role_name"], record["document_no"], record["signal_run_id"]) == (
        "两篇为同一导师，已停招", "学位办主任", "渝学位〔2026〕1号", "r2025",
    )  # fmt: skip
    frozen = record["figures"][0]
    assert [frozen[k] for k in ("numerator", "denominator", "lcl95", "ucl95")] == [18, 24, 0.53, 0.9]


def test_a_report_lets_the_recheck_come_before_the_period_ends(world):
    review(world, "r1", DAY)
    case = advance(world, "watch", "warn", "rectify")
    assert case.rectify_by == date(2028, 10, 15)
    case = cases.report(world, case.case_id, UNI, "导师组已调整", date(2027, 5, 1))
    review(world, "r2", date(2027, 5, 2))
    assert the_case(world).proposed_action == "recheck"
    case = cases.decide(world, case.case_id, "recheck", JW, "同意", date(2027, 5, 3), SIGNED)
    assert (case.state, case.rectify_by, case.reported_on) == ("rechecking", None, None)


def test_a_revised_figure_reopens_nothing_and_is_said_once(world):
    review(world, "r1", DAY)
    case = advance(world, "watch")
    signal(world, "GREEN", x=24)
    review(world, "r2", DAY)
    case = CASES.get(world, case.case_id)
    assert (case.state, case.corrected_on) == ("watched", DAY)
    record = next(r for r in cases.records(world, case.case_id) if r["action"] == "correct")
    assert record["reason"].startswith(
        "基于的数据已更正：W02 ALL 2025 年：18/24 更正为 24/24。事项不因此自动重开"
    )
    decided = next(r for r in cases.records(world, case.case_id) if r["action"] == "watch")
    assert decided["figures"][0]["numerator"] == 18, "what was seen stays as it was seen"
    assert "correct" not in review(world, "r3", DAY)


def test_later_data_is_needed_for_another_step_but_not_for_a_statutory_trigger(world):
    review(world, "r1", DAY)
    advance(world, "watch")
    review(world, "r2", DAY)
    assert the_case(world).proposed_action is None
    signal(world, "STATUTORY", rule="W01")
    review(world, "r3", DAY)
    assert the_case(world).proposed_action == "warn"


def problems_of(connection) -> list[tuple]:
    return connection.execute(
        "select rule_id, src_inst_code, state, failed from quality.problem where rule_id like 'QR.case.%' order by 1, 2"
    ).fetchall()


def test_a_passed_deadline_escalates_and_is_a_problem_until_it_is_met(world):
    review(world, "r1", DAY)
    late = DAY + timedelta(days=61)
    assert review(world, "r2", late - timedelta(days=1))["problems"] == {}
    assert review(world, "r3", late)["escalate"] == 1
    assert problems_of(world) == [("QR.case.deadline.11", INST, "open", 1)]
    assert the_case(world).escalated_on == late
    assert "escalate" not in review(world, "r4", late)
    advance(world, "watch", day=late)
    review(world, "r5", late)
    assert problems_of(world) == [("QR.case.deadline.11", INST, "fixed", 0)]


def test_a_quota_cut_must_appear_in_the_next_plan(world):
    world.execute(
        "insert into star.fct_admission_plan values (%s, %s, 2028, 20, '2028-03-01'), "
        "('10611-2-1-0801', %s, 2028, 30, '2028-03-01')",
        [POINT, INST, INST],
    )
    review(world, "r1", DAY)
    advance(world, "watch", "warn", "rectify")
    day = date(2028, 10, 16)
    case = advance(world, "recheck", "cut_quota", day=day)
    assert case.state == "quota_cut"

    def effect() -> tuple:
        return world.execute(
            "select state, quota_before, quota_after from accountability.case_effect"
        ).fetchone()

    review(world, "r2", day)
    assert effect() == ("waiting", 20, None)
    world.execute(
        "insert into star.fct_admission_plan values (%s, %s, 2029, 19, '2029-03-01')", [POINT, INST]
    )
    review(world, "r3", date(2029, 3, 2))
    assert effect() == ("missed", 20, 19)
    assert problems_of(world)[-1] == ("QR.case.effect.11", INST, "open", 1)
    world.execute("update star.fct_admission_plan set quota_count = 15 where plan_year = 2029")
    review(world, "r4", date(2029, 3, 3))
    assert effect() == ("done", 20, 15)
    assert problems_of(world)[-1][2:] == ("fixed", 0)


@pytest.mark.parametrize(
    ("action", "event", "missed", "done"),
    [
        ("suspend", "41", "missed", "done"),
        ("propose_revocation", "21", "missed", "done"),
        ("restrict", "12", "done", "missed"),
    ],
)
def test_what_was_decided_must_show_among_the_events_of_degree_points(world, action, event, missed, done):
    review(world, "r1", DAY)
    advance(world, "watch", "warn", "rectify")
    advance(world, "recheck", action, day=date(2028, 10, 16))
    effect = "select state from accountability.case_effect"
    review(world, "r2", date(2028, 12, 31))
    assert world.execute(effect).fetchone() == ("waiting",)
    world.execute("savepoint before")
    review(world, "r3", date(2029, 1, 1))
    assert world.execute(effect).fetchone() == (missed,)
    world.execute("rollback to savepoint before")
    world.execute(
        "insert into star.fct_degree_point_event values (%s, %s, %s, '2028-11-01')", [POINT, INST, event]
    )
    review(world, "r3", date(2028, 12, 31))
    assert world.execute(effect).fetchone() == (done,)


def test_reasons_about_persons_are_in_their_own_schema_only(world):
    signal(world, "STATUTORY", rule="W01", restricted=True, x=1, n=1, reason_zh="已认定学术不端 1 件")
    review(world, "r1", DAY)
    case = the_case(world, restricted=True)
    assert case.is_restricted
    assert case.case_id != the_case(world).case_id
    assert "不端" in cases.records(world, case.case_id)[0]["reason"]
    told = world.execute(
        "select string_agg(reason || evidence::text, '') from quality.life_cycle_event"
    ).fetchone()[0]
    assert "不端" not in told
    assert not any("不端" in f["reason_zh"] for f in cases.figures(world, the_case(world)))
    readers = {role for role, schemas in roles.readable().items() if "accountability" in schemas}
    assert readers == {"case_officer"}


def test_the_published_transitions_are_those_of_the_life_cycle():
    cycle = life_cycles.load("case")
    rows = life_cycles.transitions(cycle)
    assert {(r["from_state"], r["action"], r["to_state"]) for r in rows} == {
        (source, name, step.target or source)
        for name, step in cycle.steps.items()
        for source in step.sources or ("-",)
    }
    one = next(r for r in rows if r["action"] == "rectify")
    assert (one["decided_by"], one["deadline_zh"], one["is_heard"], one["required_evidence"], one["next_zh"]) == (
        "commission", "24个月", "true", "rectify_by;role_name;document_no", "启动复查",
    )  # fmt: skip
    adverse = {
        "warned",
        "rectifying",
        "interviewed",
        "quota_cut",
        "restricted",
        "suspended",
        "revocation_proposed",
    }
    assert {s.target for s in cycle.steps.values() if s.is_heard} == adverse
    assert all(s.is_signed for s in cycle.steps.values() if s.target and s.by != "line")


def test_the_command_and_the_letters(warehouse, tmp_path, monkeypatch):
    monkeypatch.setenv("YUYAN_SIMULATED", "0.01")
    with psycopg.connect(warehouse, autocommit=True) as connection:
        connection.execute(STAR)
        connection.execute("insert into ops.run (run_id, kind, as_of) values ('r1', 'warehouse', %s)", [DAY])
        signal(connection, "RED")
        review(connection, "r1", DAY)

    def yuyan(*words: object, code: int = 0) -> str:
        done = CliRunner().invoke(app, ["case", *map(str, words)], env={"COLUMNS": "250"})
        assert done.exit_code == code, done.output
        return done.output

    (listed,) = json.loads(yuyan("list", "--json"))["rows"]
    number = listed["case_id"]
    assert (listed["state"], listed["proposed_action"]) == ("normal", "watch")
    assert "列入关注" in yuyan("list")
    sign = ["--role", "学位办主任", "--document", "渝学位〔2026〕2号", "--reason", "属实", "--as", JW]
    assert "还没有作出须发函的决定" in yuyan("letter", number, code=1)
    assert "未签署" in yuyan("decide", number, "--step", "watch", "--reason", "x", "--as", JW, code=1)
    assert "正常 → 关注" in yuyan("decide", number, "--step", "watch", *sign)
    assert "陈述期至 2026-11-14" in yuyan("notify", number, "--step", "warn", "--reason", "拟定", "--as", JW)
    yuyan("state", number, "--reason", "同意 <整改>", "--as", UNI)
    assert "关注 → 预警" in yuyan("decide", number, "--step", "warn", *sign)
    shown = yuyan("show", number)
    for text in ("预警", "W02", "18/24", "渝学位", "单位陈述"):
        assert text in shown or text in yuyan("show", number, "--json"), text
    yuyan("letter", number, "--to", tmp_path)
    (page,), (document,) = tmp_path.glob("预警通知书-*.html"), tmp_path.glob("预警通知书-*.docx")
    with zipfile.ZipFile(document) as archive:
        assert archive.testzip() is None
        ElementTree.fromstring(archive.read("[Content_Types].xml"))
        words = "".join(ElementTree.fromstring(archive.read("word/document.xml")).itertext())
    html = page.read_text(encoding="utf-8")
    for text in (
        "草稿",
        settings.SIMULATED,
        "预警通知书",
        "18/24",
        "学位办主任",
        "渝学位〔2026〕2号",
        "签发：＿＿",
        POINT,
    ):
        assert text in words, text
        assert text in html, text
    assert "同意 <整改>" in words
    before = document.read_bytes()
    yuyan("letter", number, "--kind", "预警通知书", "--to", tmp_path)
    assert document.read_bytes() == before
    assert "没有贺信" in yuyan("letter", number, "--kind", "贺信", code=1)
