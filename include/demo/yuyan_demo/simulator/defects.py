"""What is wrong at the sources: what the rule files say under `city:` and `planted:`, and stories of several records.

Most are extra records, so that sound ones stay; some sound records are spoiled and corrected a day later. Malformed dates
and numbers go where text travels.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import polars as pl

from yuyan.domain import catalogue, contracts
from yuyan.domain.breaks import City
from yuyan_demo.simulator.defects_values import added
from yuyan_demo.simulator.identities import Change, Row
from yuyan_demo.simulator.planting import Planter, computed, records_where
from yuyan_demo.simulator.products.assignment import COMMISSION, EXCHANGE, LEGACY, VERSIONED
from yuyan_demo.simulator.stories import stories

ORDER = Path(__file__).with_name("planting_order.txt")
STORY = "* "


@dataclass(frozen=True)
class Fault:
    """One fault of the rule files: the entity, the rules that find it, the change that makes it, and where."""

    entity: str
    rules: tuple[str, ...]
    change: Change
    city: City


@cache
def faults() -> dict[str, Fault]:
    """`<entity>.<rule>` (of a second one `/2` behind it) -> what the rule files say about it."""
    found = {}
    for entity, rules in catalogue.load().rules.items():
        for rule in rules:
            if rule.city:
                name = rule.rule_id.removeprefix("QR.")
                usual = rule.break_.set_ if rule.break_ else {}
                found[name] = _fault(entity, name.partition(".")[2], rule.city, usual)
        for name, city in catalogue.cases(entity).planted.items():
            found[f"{entity}.{name}"] = _fault(entity, name.partition("/")[0], city, {})
    return found


def _fault(entity: str, rule: str, city: City, usual: dict[str, str | None]) -> Fault:
    own = city.set_ is not None or city.compute or city.same
    texts = (city.set_ or {}) if own else usual
    change: Change = {**texts, **{n: computed(sql) for n, sql in city.compute.items()}}
    return Fault(entity, (*(() if rule == SOUND else (rule,)), *city.also), change, city)


SOUND = "sound"
"""Name of a planted record with which nothing is wrong."""


def order(day: int) -> list[str]:
    """What is planted on day 1 or 2, one after another: records are drawn so, and another order would be another city."""
    text = ORDER.read_text(encoding="utf-8").split("day 2\n")[day - 1]
    listed = text.split("\n")[:-1]
    if stray := [n for n in listed if not n.startswith(STORY) and n not in faults()]:
        raise ValueError(f"{ORDER}: {stray[0]} is in no rule file; remove its line")
    return listed


def plant(p: Planter, frames: dict[str, pl.DataFrame]) -> dict[str, list[Row]]:
    """Plant everything of day 1. Returns per entity the rows that day 2 brings: corrections, and parents that come late."""
    later: dict[str, list[Row]] = {}
    known = stories(p, frames, later)
    for name in order(1):
        if name.startswith(STORY):
            known[name.removeprefix(STORY)]()
        else:
            _plant(p, frames, faults()[name], later)
    return later


def plant_new(p: Planter, frames: dict[str, pl.DataFrame]) -> dict[str, list[Row]]:
    """Plant what the order does not name yet, each fault for itself: it changes nothing that was there before."""
    later: dict[str, list[Row]] = {}
    listed = set(order(1))
    for name, fault in faults().items():
        if name not in listed and not fault.city.newer:
            p.draw_apart(name)
            _plant(p, frames, fault, later)
    return later


def _plant(p: Planter, frames: dict[str, pl.DataFrame], fault: Fault, later: dict[str, list[Row]]) -> None:
    entity, city = fault.entity, fault.city
    owner = contracts.load()[entity].owner
    place = city.at or (COMMISSION if owner == "commission" else "any")
    where = records_where(frames, entity, city.where)
    if city.itself:
        rows = p.spoil(entity, place, fault.change, *fault.rules, where=where, healed=city.until)
        if city.until:
            later.setdefault(entity, []).extend(rows)
    elif city.same:
        for row in p.draw(entity, place, where):
            if city.kept:
                p.keep(row)
            shared = {name: row[name] for name in city.same}
            p.place(entity, p.new_identity(entity, row), shared | fault.change, *fault.rules)
            if city.both:
                p.note(entity, row, *fault.rules)
    else:
        p.clone(entity, place, fault.change, *fault.rules, where=where)


def plant_later(p: Planter) -> None:
    """New defects of any later day."""
    p.clone("thesis", VERSIONED, {"student_id": lambda r: f"{r['src_inst_code']}0000000000"}, "student_id.5")
    p.clone("commissioned_receipt", LEGACY, {"received_on": "2027-13-01"}, "received_on.2")
    few = {"instrument_version": f"V0-{p.day}", "n4": added("n4", plus=3)}
    p.clone("course_evaluation", EXCHANGE, few, "response_cnt.11")
    p.clone("employer_survey", COMMISSION, {"overall_score": "0"}, "overall_score.11")
