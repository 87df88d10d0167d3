"""How each rule is broken.

`world.yml` has one sound record of every entity. `breaks/<entity>.yml` adds to it:

    sound:   # further sound records: what a rule looks up, and what passes rules for which the first one is not eligible
      - {record: x2, student_id: 10611X2}
    copy: {cert_no: "P{n}"}  # what makes a copy of the sound record another sound record, besides a simple key
    breaks:  # rule -> how a copy breaks it
      left_on.13: {changes: {left_on: "2021-08-31"}}
      #            record: a newer version of that record instead of a copy; also: rules of the entity that break with it;
      #            others: {entity/record: [rules]} that fail elsewhere because of it;
     #            with: [{entity: …, record: …, many: 3, …}] sound records that come with it

In values {n} is the number of the case (or of the record, of many) and {uscc} a credit code that nobody else has.
Structural rules are broken as the contracts say.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import yaml
from small_world import SOUND, Raw

from yuyan.domain import contracts
from yuyan_demo.simulator import defects_structural
from yuyan_demo.simulator.columns import uscc_numbers

CASES = {
    path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in sorted(Path(__file__).with_name("breaks").glob("*.yml"))
}
LONG = "长" * 400


def sound(raw: Raw) -> list[dict]:
    """The sound record of every entity and the further ones."""
    further = [
        row
        for entity, case in CASES.items()
        for more in case.get("sound", ())
        for row in records(raw, {"entity": entity} | more)
    ]
    return [*(raw.version(entity) for entity in SOUND), *further]


def records(raw: Raw, more: dict) -> Iterator[dict]:
    """The records that an entry of `sound` or `with` stands for."""
    values = {k: v for k, v in more.items() if k not in ("entity", "record", "many")}
    for number in range(1, more.get("many", 1) + 1):
        yield raw.version(more["entity"], more["record"].format(n=number), **_values(values, number))


def business(raw: Raw) -> Iterator[tuple[str, dict, dict]]:
    """(rule id, how it is broken, the record that does) of every case."""
    for entity, case in CASES.items():
        for number, (rule, how) in enumerate(case["breaks"].items(), start=1):
            record = how.get("record", f"x{number:03d}")
            fresh = {} if "record" in how else _new_key(entity, number) | case.get("copy", {})
            values = _values(fresh | how["changes"], number)
            yield f"QR.{entity}.{rule}", how, raw.version(entity, record, **values)


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
