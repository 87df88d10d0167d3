"""How each rule is broken, as the entity's rule file says (see `Break` in yuyan.domain.breaks).

The contracts have one sound record of every entity (`sample:`); a rule's `break:` spoils a copy of it. The rule file adds:

    sound:   # further sound records: what a rule looks up, and what passes rules for which the first one is not eligible
      - {record: x2, student_id: 10611X2}
    copy: {cert_no: "P{n}"}  # what makes a copy of the sound record another sound record, besides a simple key
    breaks:  # how a record breaks rules that follow from the contract, where it takes more than a value of the wrong form
      unit_code.5: {set: {unit_code: "999"}}

In values {n} is the number of the case (or of the record, of many) and {uscc} a credit code that nobody else has.
Other structural rules are broken as the contracts say.
"""

from collections.abc import Iterator

import numpy as np
from small_world import SOUND, Raw

from yuyan.domain import catalogue, contracts
from yuyan.domain.breaks import Break
from yuyan_demo.simulator import defects_structural
from yuyan_demo.simulator.columns import uscc_numbers

FURTHER = {entity: catalogue.cases(entity) for entity in contracts.load()}
CASES: dict[str, dict[str, Break]] = {
    entity: {r.rule_id: r.break_ for r in catalogue.load().rules[entity] if r.break_}
    | {f"QR.{entity}.{name}": how for name, how in further.breaks.items()}
    for entity, further in FURTHER.items()
}
LONG = "长" * 400


def sound(raw: Raw) -> list[dict]:
    """The sound record of every entity and the further ones."""
    further = [
        row
        for entity, further in FURTHER.items()
        for more in further.sound
        for row in records(raw, {"entity": entity} | more)
    ]
    return [*(raw.version(entity) for entity in SOUND), *further]


def records(raw: Raw, more: dict) -> Iterator[dict]:
    """The records that an entry of `sound` or `with` stands for."""
    values = {k: v for k, v in more.items() if k not in ("entity", "record", "many")}
    for number in range(1, more.get("many", 1) + 1):
        yield raw.version(more["entity"], more["record"].format(n=number), **_values(values, number))


def business(raw: Raw) -> Iterator[tuple[str, Break, dict]]:
    """(rule id, how it is broken, the record that does) of every case."""
    for entity, cases in CASES.items():
        for number, (rule_id, how) in enumerate(cases.items(), start=1):
            record = how.record or f"x{number:03d}"
            fresh = {} if how.record else _new_key(entity, number) | FURTHER[entity].copy_
            yield rule_id, how, raw.version(entity, record, **_values(fresh | how.on | how.set_, number))


def structural(raw: Raw) -> Iterator[tuple[str, dict]]:
    """(rule id, the record that breaks it) of every structural rule that a source can break."""
    for entity, contract in contracts.load().items():
        cases = [*defects_structural.breaks(contract), ("key.6", {}, False)]
        for number, (rule, change, _) in enumerate(cases):
            key = {} if rule == "key.6" else _new_key(entity, number)
            row = raw.version(entity, f"z{number:03d}", **key)
            yield f"QR.{entity}.{rule}", row | {k: v(row) if callable(v) else v for k, v in change.items()}


def _values(changes: dict, number: int) -> dict:
    uscc = uscc_numbers("91", ["500000"], np.array([number])).item()
    return {
        k: v.format(n=number, uscc=uscc).replace("LONG", LONG) if isinstance(v, str) else v and str(v)
        for k, v in changes.items()
    }


def _new_key(entity: str, number: int) -> dict[str, str]:
    """A fresh natural key of the institution 10611 for entities whose key is one free text."""
    key = contracts.load()[entity].key
    return (
        {key[0]: f"10611N{number}"}
        if len(key) == 1 and entity not in ("institution", "enterprise", "degree_point")
        else {}
    )
