"""Every rule of the catalogue is broken at a source, and the validate stage finds exactly those records."""

import pytest
from small_world import Raw

from support import fill
from yuyan.domain import catalogue
from yuyan_demo.simulator import defects_structural, population
from yuyan_demo.simulator.products.assignment import EXCHANGE, product_of

SCALE = 0.002
KEY = ("src_inst_code", "entity", "src_record_id", "rule_id", "severity")


@pytest.fixture(scope="module")
def city() -> population.Population:
    """Day 1 of a tiny city in which every rule is broken."""
    return population.build(scale=SCALE, every_rule=True)


def test_every_rule_is_planted_or_has_its_reason(city):
    rules = {r.rule_id for rules in catalogue.load().rules.values() for r in rules}
    later = {d.rule_id for d in population.build(scale=SCALE, day=2).ledger.defects}
    planted, reasons = {d.rule_id for d in city.ledger.defects} | later, defects_structural.unplantable()
    assert sorted(rules - planted - set(reasons)) == [], "say in the rule how the city breaks it: city: {}"
    assert sorted((planted | set(reasons)) - rules) == []
    assert not planted & set(reasons)
    assert all(reasons.values())


def test_malformed_values_travel_where_text_does(city):
    typed = [d.src_inst_code for d in city.ledger.defects if d.rule_id.endswith(".2")]
    assert len(typed) > 100
    assert EXCHANGE not in {product_of(inst) for inst in typed}


@pytest.mark.database
def test_findings_are_the_planted_defects_of_every_rule(raw: Raw, city):
    fill.load(raw.connection, city.frames, "day-1", city.as_of)
    raw.judge("run-1", as_of=city.as_of)
    found = set(raw.rows(f"select {', '.join(KEY)} from quality.row_failure"))
    planted = set(city.defects.select(KEY).iter_rows())
    assert sorted(found - planted) == [], "not planted: say `also` in the rule file, under city or structural"
    assert sorted(planted - found) == [], "nobody finds them"
