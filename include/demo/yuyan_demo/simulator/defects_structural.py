"""A broken record for every structural rule of every contract: what the switch `every-rule` adds to the ordinary city.

What a rule is called and what it forbids is worked out here from the contracts, apart from the line's own derivation.
A malformed date or number goes to a product where text travels; everything else to any product in turn.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from yuyan.domain import catalogue, contracts
from yuyan.domain.contracts import Contract, Field, Reference
from yuyan_demo.simulator.identities import Change, Row
from yuyan_demo.simulator.planting import CannotPlant, Planter, records_where
from yuyan_demo.simulator.products.assignment import COMMISSION, EXCHANGE, FILES, LEGACY, VERSIONED

PRODUCTS = (VERSIONED, EXCHANGE, FILES, LEGACY)
TEXT = (VERSIONED, FILES, LEGACY)
"""Products on which a malformed date, number or truth value travels as it was written."""

SPOILED = ("employment", "student_supervisor", "degree_award")
"""Entities of which no copy can be sound beside its template: records that nobody refers to are spoiled themselves."""

MALFORMED = {"integer": "若干", "number": "若干", "boolean": "待核", "date": "2024-02-30"}


def unplantable() -> dict[str, str]:
    """Structural rules that no source can break, and why."""
    reason = "由采集端生成，来源无法给出：{}"
    found = {}
    for entity, contract in contracts.load().items():
        found[f"QR.{entity}.src_record_id.8"] = "记录编号由平台自己生成，长度固定"
        found[f"QR.{entity}.src_record_id.9"] = "没有已知的值会使判定中断"
        sources = {f.becomes: f for f in contract.fields if f.becomes}
        for f in contract.columns:
            if f.derived and f.name in sources:
                found[f"QR.{entity}.{f.name}.3"] = reason.format("任何证件号码都得到格式正确的标识")
            elif f.derived:
                found |= {f"QR.{entity}.{f.name}.{n}": reason.format("密钥版本总是一个整数") for n in (1, 2)}
    return found


def plant(p: Planter, frames: dict[str, pl.DataFrame]) -> None:
    """Break every structural rule that a source can break, each in a record of its own."""
    world = _World(frames)
    for contract in contracts.load().values():
        for turn, (rule, change, text_only) in enumerate(breaks(contract)):
            _one(p, world, contract, rule, change, TEXT if text_only else PRODUCTS, turn)
        _twin(p, world, contract)


@dataclass(frozen=True)
class _World:
    """The frames, and which keys of parents exist in them."""

    frames: dict[str, pl.DataFrame]

    @cached_property
    def _keys(self) -> dict[tuple[str, tuple[str, ...]], set[tuple]]:
        return {}

    def where(self, contract: Contract, rule: str) -> pl.Expr | None:
        """Which records can be broken for a rule."""
        said = catalogue.cases(contract.entity).structural.where
        return records_where(self.frames, contract.entity, said.get(rule, said.get("every")))

    def fails(self, contract: Contract, row: Row, change: Change) -> Iterator[str]:
        """References and ownership that the row violates since the change."""
        for ref in contract.references:
            own = tuple(row[n] for n in ref.fields)
            if change.keys() & set(ref.fields) and None not in own and own not in self._parents(ref):
                yield _reference_rule(contract, ref)
        if _is_owned(contract) and row["inst_code"] not in (None, row["src_inst_code"]):
            yield "inst_code.7"

    def _parents(self, ref: Reference) -> set[tuple]:
        at = (ref.entity, ref.to_fields)
        if at not in self._keys:
            self._keys[at] = set(self.frames[ref.entity].select(ref.to_fields).iter_rows())
        return self._keys[at]


def breaks(contract: Contract) -> Iterator[tuple[str, Change, bool]]:
    """(rule, the change that breaks it, whether it needs a product that carries text)."""
    sources = {f.becomes: f.name for f in contract.fields if f.becomes}
    for f in contract.columns:
        if f.derived and f.name not in sources:
            continue
        if f.mandatory:
            yield f"{f.name}.1", {sources.get(f.name, f.name): None}, False
        if f.derived:
            continue
        if f.type in MALFORMED:
            yield f"{f.name}.2", {f.name: MALFORMED[f.type]}, True
        if f.code_set:
            yield f"{f.name}.4", {f.name: "ZZ"}, False
        elif f.pattern or f.max_length:
            yield f"{f.name}.3", {f.name: _misshapen(f)}, False
    for ref in contract.references:
        yield _reference_rule(contract, ref), {ref.fields[-1]: _nobody(contract[ref.fields[-1]])}, False
    if _is_owned(contract):
        yield (
            "inst_code.7",
            {"inst_code": lambda r: "10635" if r["src_inst_code"] != "10635" else "10611"},
            False,
        )


def _misshapen(f: Field) -> str:
    """A value that does not match the pattern, or is one letter too long."""
    if not f.pattern:
        return "超" * (f.max_length + 1)
    value = "？"
    assert not re.search(f.pattern, value), f.name
    return value


def _nobody(f: Field) -> str:
    """A value of the right length that no parent has."""
    return {18: "91500000MA00000000", 5: "19999"}.get(f.max_length, "X0")


def _one(
    p: Planter,
    world: _World,
    contract: Contract,
    rule: str,
    change: Change,
    products: tuple[str, ...],
    turn: int,
) -> None:
    places = (COMMISSION,) if contract.owner == "commission" else products[turn % len(products) :] + products
    rule_id = f"QR.{contract.entity}.{rule}"
    p.draw_apart(rule_id)
    for place in places:
        try:
            rows = p.draw(contract.entity, place, world.where(contract, rule))
        except CannotPlant:
            continue
        for row in rows:
            spoil = contract.entity in SPOILED
            copy = p.restamped(row) if spoil else p.new_identity(contract.entity, row)
            after = copy | {k: v(copy) if callable(v) else v for k, v in change.items()}
            typed = rule.endswith(".2")
            seen = [] if typed else [r for r in world.fails(contract, after, change) if r != rule]
            p.place(contract.entity, copy, change, rule, *seen, *_also(contract, rule))
        return
    raise CannotPlant(f"{rule_id}: no sound {contract.entity} at {', '.join(places)}; widen its condition")


def _twin(p: Planter, world: _World, contract: Contract) -> None:
    p.draw_apart(f"{contract.entity}.key.6")
    place = COMMISSION if contract.owner == "commission" else "any"
    rules = ("key.6", *_also(contract, "key.6"))
    p.twin(contract.entity, place, *rules, where=world.where(contract, "key.6"))


def _also(contract: Contract, rule: str) -> tuple[str, ...]:
    """Business rules that look at a field without asking whether it is sound, and so break with it."""
    return catalogue.cases(contract.entity).structural.also.get(rule, ())


def _reference_rule(contract: Contract, ref: Reference) -> str:
    """Named after the first field, or the last where another reference has that name."""
    before = [r.fields[0] for r in contract.references[: contract.references.index(ref)]]
    return f"{ref.fields[-1] if ref.fields[0] in before else ref.fields[0]}.5"


def _is_owned(contract: Contract) -> bool:
    return contract.owner == "university" and any(f.name == "inst_code" for f in contract.columns)
