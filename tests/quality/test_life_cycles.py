"""Life cycles are data: what the files say is what the tables allow, a new one needs no code, a bad one is refused."""

import re
from dataclasses import dataclass
from datetime import date

import psycopg
import pytest

from yuyan import settings
from yuyan.decisions.life_cycle import DecisionError, LifeCycle
from yuyan.domain import life_cycles
from yuyan.domain.stewards import Steward

NAMES = sorted(path.stem for path in settings.LIFE_CYCLES.glob("*.yml"))
DAY, LATER = date(2026, 10, 15), date(2026, 11, 15)
JW, UNI = Steward("jw-data-1", "commission"), Steward("data-10611-1", "university", "10611")

INQUIRY = """
label: 督办
table: quality.inquiry
key: inquiry_id
look: yuyan inquiry
states:
  open: 待整改
  planned: {label: 已有整改方案, with: [plan_uri, due_on]}
  closed: 已办结
steps:
  raise: {label: 立项, to: open, by: line}
  plan: {label: 提交方案, from: [open], to: planned, by: institution}
  overdue: {label: 逾期, from: [planned], to: open, by: line, after: due_on}
  close: {label: 办结, from: [planned], to: closed, by: commission, evidence: [checked_by]}
"""


@dataclass(frozen=True)
class Inquiry:
    inquiry_id: int
    src_inst_code: str
    state: str
    plan_uri: str | None
    due_on: date | None

    @property
    def name(self) -> str:
        return f"督办 {self.inquiry_id}"


@pytest.mark.database
@pytest.mark.parametrize("name", NAMES)
def test_the_table_allows_the_states_and_has_the_columns(warehouse, name):
    cycle = life_cycles.load(name)
    with psycopg.connect(warehouse) as connection:
        checks = connection.execute(
            "select pg_get_constraintdef(oid) from pg_constraint where conrelid = %s::regclass and contype = 'c'",
            [cycle.table],
        ).fetchall()
        columns = [
            column.name for column in connection.execute(f"select * from {cycle.table} limit 0").description
        ]
    (allowed,) = [c for (c,) in checks if c.startswith("CHECK ((state = ANY")]
    assert set(re.findall(r"'(\w+)'::text", allowed)) == set(cycle.states)
    needed = {cycle.key, *(c for of_state in cycle.columns.values() for c in of_state)}
    assert needed | {step.after for step in cycle.steps.values() if step.after} <= set(columns)
    assert all(cycle.steps[action].sources or cycle.steps[action].target for action in cycle.steps)


@pytest.mark.database
def test_a_new_life_cycle_needs_no_code(warehouse, tmp_path, monkeypatch):
    (tmp_path / "inquiry.yml").write_text(INQUIRY, encoding="utf-8")
    monkeypatch.setattr(settings, "LIFE_CYCLES", tmp_path)
    inquiries = LifeCycle("inquiry", Inquiry)
    with psycopg.connect(warehouse, autocommit=True) as connection:
        connection.execute(
            "create table quality.inquiry (inquiry_id bigint generated always as identity, src_inst_code text, "
            "state text, plan_uri text, due_on date)"
        )
        number = inquiries.start(
            connection, "raise", {"src_inst_code": "10611"}, "yuyan", "指标偏离", DAY, "r1"
        )

        def inquiry() -> Inquiry:
            return inquiries.get(connection, number)

        with pytest.raises(DecisionError, match="data-10635-1 是 10635 的数据管理员，不能处理 10611 的督办"):
            inquiries.check(inquiry(), "plan", "x", Steward("data-10635-1", "university", "10635"))
        inquiries.check(inquiry(), "plan", "方案见函", UNI)
        with pytest.raises(ValueError, match="requires plan_uri, due_on"):
            inquiries.take(connection, inquiry(), "plan", UNI.name, "方案见函", DAY)
        plan = {"plan_uri": "https://jw.example.cn/1", "due_on": DAY}
        inquiries.take(connection, inquiry(), "plan", UNI.name, "方案见函", DAY, changes=plan)
        assert (
            inquiries.is_due(inquiry(), "overdue", DAY),
            inquiries.is_due(inquiry(), "overdue", LATER),
        ) == (False, True)
        inquiries.take(connection, inquiry(), "overdue", "yuyan", "到期未办结", LATER, run_id="r2")
        assert inquiry() == Inquiry(number, "10611", "open", None, None)
        with pytest.raises(
            DecisionError, match=r"现为“待整改”，不能办结（只能从“已有整改方案”）.*yuyan inquiry show"
        ):
            inquiries.check(inquiry(), "close", "x", JW)
        inquiries.take(connection, inquiry(), "plan", UNI.name, "新方案", LATER, changes=plan)
        with pytest.raises(DecisionError, match="不是市教委的数据管理员，不能办结"):
            inquiries.check(inquiry(), "close", "已整改", UNI)
        inquiries.check(inquiry(), "close", "已整改", JW)
        evidence = {"checked_by": "jw-data-2"}
        inquiries.take(connection, inquiry(), "close", JW.name, "已整改", LATER, evidence=evidence)
        told = [
            (e["actor"], e["action"], e["to_state"], e["evidence"])
            for e in inquiries.events(connection, number)
        ]
    given = {"plan_uri": "https://jw.example.cn/1", "due_on": "2026-10-15"}
    assert told == [
        ("yuyan", "raise", "open", {}),
        ("data-10611-1", "plan", "planned", given),
        ("yuyan", "overdue", "open", {}),
        ("data-10611-1", "plan", "planned", given),
        ("jw-data-1", "close", "closed", evidence),
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("from: [open], to: planned", "from: [opened], to: planned", r"inquiry\.yml:12: opened is no state"),
        ("by: commission", "by: minister", r"inquiry\.yml:14: by 'minister' is not one of line"),
        ("label: 办结, ", "", r"inquiry\.yml:14: has by, evidence, from, to"),
        ("key: inquiry_id", "keys: inquiry_id", r"inquiry\.yml:\d+: has keys, label"),
        ("with: [plan_uri, due_on]", "having: [plan_uri]", r"inquiry\.yml:8: has having, label"),
    ],
)
def test_a_bad_file_is_refused_with_its_line(tmp_path, monkeypatch, old, new, said):
    assert old in INQUIRY
    (tmp_path / "inquiry.yml").write_text(INQUIRY.replace(old, new), encoding="utf-8")
    monkeypatch.setattr(settings, "LIFE_CYCLES", tmp_path)
    life_cycles.load.cache_clear()
    with pytest.raises(life_cycles.LifeCycleError, match=said):
        life_cycles.load("inquiry")
