"""Whether what was decided about a case has come to pass in the data: admission plans and events of degree points."""

from collections import Counter
from datetime import date
from typing import Any

import psycopg
from psycopg.rows import dict_row

_WAITING = """
select e.*, c.target_kind, c.target_code, c.src_inst_code from accountability.case_effect e
join accountability.case_file c using (case_id) where e.state <> 'done' order by e.event_id for update of e
"""
_QUOTA = """
select sum(quota_count) filter (where {target}), count(*) from star.fct_admission_plan
where is_latest_revision and plan_year = %(year)s and issued_on <= %(as_of)s and inst_code = %(inst)s
"""
_EVENTS = """
select count(*), min(event_on) from star.fct_degree_point_event where {target} and event_type = any(%(types)s)
and event_on between %(start)s and least(%(end)s, %(as_of)s) and inst_code = %(inst)s
"""
EVENTS = {"SUSPENSION": ("41", "暂停招生"), "REVOCATION": ("21", "撤销")}
"""Effect -> the degree_point_event_type that must be there, and its name."""
NEW = ["11", "12", "13"]
"""degree_point_event_type: granted by review, by adjustment, by self-review."""


def check(connection: psycopg.Connection, as_of: date) -> Counter[str]:
    """Look at every effect that has not come to pass; returns institution -> effects that are missed.

    QUOTA: the target's quota of the year of effect, once the institution has a plan of it, is at least the cut below that of
    the year before. SUSPENSION, REVOCATION: the event by the end of the year. NO_NEW: no point is added by then.
    """
    missed: Counter[str] = Counter()
    with connection.cursor(row_factory=dict_row) as cursor:
        waiting = cursor.execute(_WAITING).fetchall()
    for effect in waiting:
        judge = (
            _quota
            if effect["effect_code"] == "QUOTA"
            else _no_new
            if effect["effect_code"] == "NO_NEW"
            else _event
        )
        state, found, more = judge(connection, effect, as_of)
        columns = {"state": state, "finding_zh": found, "checked_on": as_of} | more
        connection.execute(
            f"update accountability.case_effect set {', '.join(f'{n} = %s' for n in columns)} where event_id = %s",
            [*columns.values(), effect["event_id"]],
        )
        missed[effect["src_inst_code"]] += state == "missed"
    return +missed


def _target(effect: dict[str, Any]) -> str:
    return "degree_point_id = %(target)s" if effect["target_kind"] == "DP" else "inst_code = %(target)s"


def _quota(connection: psycopg.Connection, effect: dict[str, Any], as_of: date) -> tuple[str, str, dict]:
    given = {"target": effect["target_code"], "inst": effect["src_inst_code"], "as_of": as_of}
    query = _QUOTA.format(target=_target(effect))
    year, cut = effect["effect_year"], effect["quota_cut"]
    before = connection.execute(query, given | {"year": year - 1}).fetchone()[0] or 0
    after, plans = connection.execute(query, given | {"year": year}).fetchone()
    counted = {"quota_before": before, "quota_after": int(after or 0) if plans else None}
    if not plans:
        is_over = as_of > date(year, 12, 31)
        text = f"{year} 年度招生计划{'没有报送' if is_over else '尚未下达'}"
        return ("missed" if is_over else "waiting"), text, counted
    text = f"{year - 1} 年度计划 {before}，{year} 年度 {after or 0}，应核减 {cut}"
    return ("done" if (after or 0) <= before - cut else "missed"), text, counted


def _event(connection: psycopg.Connection, effect: dict[str, Any], as_of: date) -> tuple[str, str, dict]:
    code, name = EVENTS[effect["effect_code"]]
    end = date(effect["effect_year"], 12, 31)
    count, first = _events(connection, effect, [code], effect["decided_on"], end, as_of)
    if count:
        return "done", f"学位点变动 {code} {name}：{first}", {}
    return ("missed" if as_of > end else "waiting"), f"至 {min(as_of, end)} 没有学位点变动 {code} {name}", {}


def _no_new(connection: psycopg.Connection, effect: dict[str, Any], as_of: date) -> tuple[str, str, dict]:
    end = date(effect["effect_year"], 12, 31)
    whole = effect | {"target_kind": "INST", "target_code": effect["src_inst_code"]}
    count, first = _events(connection, whole, NEW, effect["decided_on"], end, as_of)
    if count:
        return "missed", f"决定之后又新增 {count} 个学位点（{first} 起）", {}
    return ("done" if as_of > end else "waiting"), f"至 {min(as_of, end)} 没有新增学位点", {}


def _events(
    connection: psycopg.Connection,
    effect: dict[str, Any],
    types: list[str],
    start: date,
    end: date,
    as_of: date,
) -> tuple[int, date | None]:
    given = {"target": effect["target_code"], "inst": effect["src_inst_code"], "types": types}
    given |= {"start": start, "end": end, "as_of": as_of}
    return connection.execute(_EVENTS.format(target=_target(effect)), given).fetchone()
