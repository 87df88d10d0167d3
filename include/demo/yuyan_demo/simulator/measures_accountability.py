"""Truth of accountability (M19.2), in plain frames of accepted records."""

from datetime import date, timedelta

import polars as pl

from yuyan_demo.simulator.facts import Facts
from yuyan_demo.simulator.measures_supervision import year_ends
from yuyan_demo.simulator.truth_table import WHOLE, TruthTable

IN_TIME = timedelta(days=90)


def enter(table: TruthTable, facts: Facts) -> None:
    """Enter every variant and period."""
    answered = triggers(facts)
    known = cases(facts)
    for year, last in year_ends(facts, 2017):
        due = [t for t in answered if t["on"].year == year and t["is_due"]]
        table.add_city("M19.2", str(year), sum(t["in_time"] for t in due), len(due))
        first = [c for c in known if c["issued_on"].year == year]
        days = sum((c["issued_on"] - c["triggered_on"]).days for c in first)
        table.of_city_only.add("M19.2a")
        table.add("M19.2a", str(year), {WHOLE: days if first else None}, {WHOLE: len(first) or None})
        here = [c for c in known if is_open(c, last)]
        late = [c for c in here if (term := term_of(c, last)) and term < last]
        table.add_city("M19.2b", str(year), len(late), len(here))


def cases(facts: Facts) -> list[dict]:
    """Cases about institutions and degree points, each with its `events` by day."""
    steps = facts["accountability_event"].sort("event_on", "event_id").to_dicts()
    found = facts["accountability_case"].filter(
        (pl.col("target_kind") != "SUP")
        & (pl.col("trigger_code") != "MISC")
        & (pl.col("issued_on") <= facts.as_of)
    )
    return [
        case | {"events": [s for s in steps if s["case_id"] == case["case_id"]]} for case in found.to_dicts()
    ]


def is_open(case: dict, day: date) -> bool:
    """Whether a case had begun and was not closed on a day."""
    return case["issued_on"] <= day and (case["closed_on"] is None or case["closed_on"] > day)


def term_of(case: dict, day: date) -> date | None:
    """The term that held on a day: the case's own, or that of the last order or measure before its present action."""
    if case["action_on"] <= day:
        return case["due_on"]
    orders = [e for e in case["events"] if e["event_kind"] in ("40", "70") and e["event_on"] <= day]
    return orders[-1]["due_on"] if orders else None


def triggers(facts: Facts) -> list[dict]:
    """What should set off an action at a degree point: `point`, `on`, whether it `is_due` and was answered `in_time`."""
    found = [
        {"id": f"EVAL-{e['eval_id']}", "point": e["degree_point_id"], "on": e["decided_on"]}
        for e in facts["evaluation_result"].to_dicts()
        if e["result_code"] != "10" and e["eval_kind"] != "50" and e["decided_on"] <= facts.as_of
    ]
    problems: dict[tuple[str, int], list[date]] = {}
    for s in facts["thesis_sampling"].to_dicts():
        if s["verdict_code"] == "2" and s["authority_code"] != "3" and s["verdict_on"] <= facts.as_of:
            problems.setdefault((s["degree_point_id"], int(s["sampling_year"])), []).append(s["verdict_on"])
    found += [
        {"id": f"W01-{point}-{year}", "point": point, "on": max(days)}
        for (point, year), days in problems.items()
        if (point, year - 1) in problems
    ]
    known = cases(facts)
    for trigger in found:
        begun = [
            c["issued_on"]
            for c in known
            if c["target_id"] == trigger["point"]
            and (c["closed_on"] is None or c["closed_on"] >= trigger["on"])
        ]
        trigger["in_time"] = bool(begun) and min(begun) - trigger["on"] <= IN_TIME
        trigger["is_due"] = trigger["in_time"] or facts.as_of - trigger["on"] >= IN_TIME
    return found
