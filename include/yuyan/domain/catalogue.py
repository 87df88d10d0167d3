"""The rule catalogue: business rules of expectations/ and structural rules of the contracts, as one list per entity.

A bad rule file is refused with its name and line. What a rule looks up in other records is read from its SQL, so that a
change there brings the rows it affects back before the judge (see docs/architecture.md, "Judging").
"""

import csv
import hashlib
import json
import re
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from yuyan import settings
from yuyan.domain import contracts, macros, rule_sql, structural
from yuyan.domain.breaks import Break, Cases, City
from yuyan.domain.contracts import Contract
from yuyan.domain.single_row import SingleRow
from yuyan.domain.yaml_file import YamlError, YamlFile

BLOCKING = ("REJECT", "ERROR")
SECTIONS = ("owner", "rules", *(f.alias or name for name, f in Cases.model_fields.items()))
"""What a rule file may say."""


class RuleError(ValueError):
    """A rule file that cannot be used; the message names file, line and remedy."""


class Tolerance(BaseModel):
    """How many eligible rows of an institution may fail before it is a problem: `rows` or `pct` (%), the wider one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int = Field(0, ge=0)
    pct: Decimal = Field(Decimal(0), ge=0, le=100)


class Rule(BaseModel):
    """One check of one entity. `when` (None: always) says which rows are eligible, `assert_` what must hold.

    `override`: who may let failing rows pass (or, where nothing is blocked, accept an explanation). Without a word in
    the file it is the commission for a rule that blocks and the university for one that does not. `valid_from` and
    `valid_to` are the first and the last day on which the rule holds, by the run's date. `single_row`: where `when` and
    `assert_` come from, when the rule is about a record's part in the city's total.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    rule_id: str
    version: int = Field(1, ge=1)
    level: int = Field(ge=0, le=5)
    severity: Literal["REJECT", "ERROR", "WARN", "INFO"]
    column: str
    when: str | None = None
    assert_: str = Field(alias="assert", min_length=1)
    message: str = Field(min_length=1)
    why: str = Field(min_length=1)
    fix: str = Field(min_length=1)
    owner: str = Field(min_length=1)
    indicators: tuple[str, ...] = ()
    tolerance: Tolerance = Tolerance()
    override: Literal["nobody", "university", "commission"]
    valid_from: date | None = None
    valid_to: date | None = None
    single_row: SingleRow | None = Field(None, exclude=True)
    break_: Break | None = Field(None, alias="break", exclude=True)
    city: City | None = Field(None, exclude=True)

    @model_validator(mode="before")
    @classmethod
    def _default_override(cls, given: dict[str, Any]) -> dict[str, Any]:
        usual = "commission" if given.get("severity") in BLOCKING else "university"
        return {"override": usual} | given

    @model_validator(mode="after")
    def _ends_after_it_began(self) -> "Rule":
        if self.valid_from and self.valid_to and self.valid_to < self.valid_from:
            raise ValueError(f"valid_to {self.valid_to} is before valid_from {self.valid_from}")
        return self

    @field_validator("indicators")
    @classmethod
    def _known_indicators(cls, codes: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := sorted(set(codes) - set(indicator_entities())):
            raise ValueError(f"{', '.join(unknown)} not in seeds/plan/indicator.csv")
        return codes

    @property
    def blocks(self) -> bool:
        """Whether a failing row goes to quarantine."""
        return self.severity in BLOCKING

    @property
    def is_business(self) -> bool:
        """Whether it comes from expectations/ (numbered from 11); the others follow from a contract."""
        return int(self.rule_id.rsplit(".", 1)[1]) >= 11

    def holds_on(self, as_of: date) -> bool:
        """Whether the rule is in force on this day."""
        return (self.valid_from or as_of) <= as_of <= (self.valid_to or as_of)

    @property
    def definition(self) -> str:
        """The rule's SQL as it is judged, with the run's date and other tables still as macros."""
        condition = macros.expand_reference(self.assert_)
        return f"when {macros.expand_reference(self.when)} then {condition}" if self.when else condition

    @property
    def digest(self) -> str:
        """Digest of what a new version must be taken for: all that decides, nothing that explains."""
        decides = {
            "level",
            "severity",
            "column",
            "when",
            "assert_",
            "tolerance",
            "override",
            "valid_from",
            "valid_to",
        }
        return hashlib.sha256(self.model_dump_json(include=decides).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Lookup:
    """What a rule of `child` reads in `parent`: rows whose `to_fields` equal its `own_fields`, and their `used` fields.

    `is_key`: it is the uniqueness of the natural key, which needs no table of its own.
    """

    kind: Literal["accepted", "latest"]
    parent: str
    to_fields: tuple[str, ...]
    child: str
    own_fields: tuple[str, ...]
    used: frozenset[str]
    is_key: bool = False


@dataclass(frozen=True)
class Catalogue:
    """All rules, the entities in the order they are judged, and what they look up in each other."""

    rules: dict[str, tuple[Rule, ...]]
    order: tuple[str, ...]
    lookups: tuple[Lookup, ...]

    def digest(self, entity: str, as_of: date) -> str:
        """Digest of what decides the entity's verdicts on this day.

        That is the contract's version and every rule's id, version, severity and SQL, and whether it is in force.
        """
        content = [contracts.load()[entity].version]
        content += [
            [r.rule_id, r.version, r.severity, r.definition, r.holds_on(as_of)] for r in self.rules[entity]
        ]
        return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()[:16]

    def dependents(self, entity: str, kind: str) -> list[Lookup]:
        """The lookups of this kind into `entity`."""
        return [x for x in self.lookups if x.parent == entity and x.kind == kind]

    def parents(self, entity: str) -> set[str]:
        """The entities that are judged before this one, since its rules look up their accepted rows."""
        return {x.parent for x in self.lookups if x.child == entity and x.kind == "accepted"} - {entity}


@cache
def load(folder: Path = settings.EXPECTATIONS) -> Catalogue:
    """The business rules in `folder` and the structural ones. Raises RuleError for a rule that cannot be used.

    >>> next(r for r in load().rules["student"] if r.rule_id == "QR.student.left_on.13").severity
    'ERROR'
    """
    known = contracts.load()
    business = {entity: _read(folder / f"{entity}.yml", contract) for entity, contract in known.items()}
    if stray := sorted({p.stem for p in folder.glob("*.yml")} - set(known)):
        raise RuleError(
            f"{folder / (stray[0] + '.yml')}:1: there is no contract of that name; name the file after one"
        )
    rules = {
        entity: tuple(
            [Rule.model_validate(r) for r in structural.rules(contract, _affected(entity))] + business[entity]
        )
        for entity, contract in known.items()
    }
    lookups = [x for contract in known.values() for x in _structural_lookups(contract)]
    lookups += [x for entity in known for rule in business[entity] for x in _lookups(entity, rule, folder)]
    merged = Catalogue(rules, (), _merge(lookups))
    try:
        order = tuple(TopologicalSorter({e: sorted(merged.parents(e)) for e in known}).static_order())
    except CycleError as error:
        raise RuleError(
            f"{folder}: rules look up accepted rows in a circle ({' → '.join(error.args[1])}); use latest: in one of them"
        ) from error
    return replace(merged, order=order)


@cache
def indicator_entities() -> dict[str, frozenset[str]]:
    """Indicator code -> the entities that any of its variants is computed from (seed plan/indicator.csv)."""
    entities: dict[str, set[str]] = {}
    with open(settings.SEEDS / "plan" / "indicator.csv", encoding="utf-8", newline="") as f:
        for row in csv.DictReader(f):
            entities.setdefault(row["indicator_code"], set()).update(
                filter(None, row["source_entities"].split(";"))
            )
    return {code: frozenset(names) for code, names in entities.items()}


def _affected(entity: str) -> tuple[str, ...]:
    """Indicators that lose rows when a record of this entity is quarantined: its own and those of all its children."""
    family, new = {entity}, {entity}
    while new:
        new = {c.entity for c in contracts.load().values() if {r.entity for r in c.references} & new} - family
        family |= new
    return tuple(sorted(code for code, entities in indicator_entities().items() if entities & family))


def _file(path: Path) -> YamlFile:
    try:
        return YamlFile(path)
    except YamlError as error:
        raise RuleError(str(error)) from error


def _read(path: Path, contract: Contract) -> list[Rule]:
    if not path.exists():
        return []
    file = _file(path)
    if unknown := sorted(file.data.keys() - SECTIONS):
        raise RuleError(
            f"{file.at(unknown[0])}: {unknown[0]!r} is none of {', '.join(SECTIONS)}; correct or remove it"
        )
    given = file.data.get("rules")
    if not isinstance(given, dict) or not all(isinstance(body, dict) for body in given.values()):
        raise RuleError(
            f"{file.at('rules')}: rules must be a mapping of <column>.<number> to a rule; compare with a neighbouring file"
        )
    common = {"owner": file.data["owner"]} if "owner" in file.data else {}
    rules: list[Rule] = []
    for name, body in given.items():
        where = f"{file.at('rules', name)}: QR.{contract.entity}.{name}"
        column = name.rpartition(".")[0] if isinstance(name, str) else ""
        identity = {"rule_id": f"QR.{contract.entity}.{name}", "column": column}
        if said := sorted(identity.keys() & body.keys()):
            raise RuleError(f"{where}: {said[0]}: follows from the name of file and rule; remove it")
        try:
            body |= _of_single_row(body, identity["rule_id"], contract, where)
            rule = Rule.model_validate(common | {"level": _level(contract.entity, body)} | body | identity)
        except ValidationError as error:
            first = error.errors()[0]
            raise RuleError(f"{where}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
        if problem := _problem(rule, contract):
            raise RuleError(f"{where}: {problem}")
        rules.append(_with_what_it_keeps_out(rule, contract))
    return rules


@cache
def cases(entity: str, folder: Path = settings.EXPECTATIONS) -> Cases:
    """What the entity's rule file says besides its rules, for the tests and the simulated city. Raises RuleError."""
    path = folder / f"{entity}.yml"
    if not path.exists():
        return Cases()
    file = _file(path)
    try:
        return Cases.model_validate({name: file.data[name] for name in SECTIONS[2:] if name in file.data})
    except ValidationError as error:
        first = error.errors()[0]
        raise RuleError(
            f"{file.at(*first['loc'])}: {'.'.join(map(str, first['loc']))}: {first['msg']}"
        ) from error


def _level(entity: str, body: dict[str, Any]) -> int:
    """The level of a rule that does not say one: 2 looks at the record alone, 3 at others, 5 at its own accepted past."""
    text = f"{body.get('when') or ''} {body.get('assert')}"
    read = {found for found in macros.MACRO.findall(text) if found[0] in macros.ENTITY_MACROS}
    if not read:
        return 2
    return 5 if read == {("accepted", entity)} else 3


def _of_single_row(body: dict[str, Any], rule_id: str, contract: Contract, where: str) -> dict[str, Any]:
    """The conditions of a rule about a record's part in the city's total; of other rules nothing."""
    if "single_row" not in body:
        return {}
    if said := sorted({"when", "assert"} & body.keys()):
        raise RuleError(f"{where}: {said[0]}: follows from single_row; remove it")
    single_row = SingleRow.model_validate(body["single_row"])
    if single_row.by not in {f.name for f in contract.columns if f.type in ("date", "integer")}:
        raise RuleError(
            f"{where}: single_row: by: {single_row.by!r} is no date or year of {contract.path.name}; name one"
        )
    return {"level": 3} | single_row.conditions(rule_id, contract)


def _with_what_it_keeps_out(rule: Rule, contract: Contract) -> Rule:
    """A rule that blocks affects every indicator that the record feeds, whatever it is about."""
    affected = sorted({*rule.indicators, *_affected(contract.entity)}) if rule.blocks else rule.indicators
    return rule.model_copy(update={"indicators": tuple(affected)})


def _problem(rule: Rule, contract: Contract) -> str | None:
    columns = {f.name for f in contract.columns}
    if not re.fullmatch(r"(1[1-9]|[2-9]\d)", rule.rule_id.rpartition(".")[2]):
        return "name a rule <column>.<number from 11>, with the column's next free number"
    if rule.column not in columns:
        return f"column {rule.column!r} is not stored; name a column of {contract.path.name}"
    for text in filter(None, (rule.when, rule.assert_)):
        if problem := macros.problem(text, columns):
            return problem
        try:
            found = rule_sql.lookups(text)
        except rule_sql.SqlError as error:
            return f"not SQL that can be read: {error}"
        for lookup in found:
            if lookup.entity not in contracts.load():
                return f"{{{lookup.kind}:{lookup.entity}}}: there is no such entity"
            if not lookup.pairs:
                return f"look {lookup.entity} up by {lookup.alias}.<key> = r.<column>, so that its changes are followed"
    return None


def _lookups(entity: str, rule: Rule, folder: Path) -> list[Lookup]:
    found = []
    for part in filter(None, (rule.when, rule.assert_)):
        for lookup in rule_sql.lookups(part):
            to_fields, own_fields = zip(*lookup.pairs, strict=True)
            used = lookup.used - {"src_inst_code", "src_record_id"}
            if unknown := sorted(used - {f.name for f in contracts.load()[lookup.entity].columns}):
                raise RuleError(
                    f"{folder / (entity + '.yml')}: {rule.rule_id}: {lookup.entity} has no column {unknown[0]!r}"
                )
            found.append(Lookup(lookup.kind, lookup.entity, to_fields, entity, own_fields, used))
    return found


def _merge(lookups: list[Lookup]) -> tuple[Lookup, ...]:
    """One lookup per pair of keys. A rule about the record's own accepted past is left out: only the record changes it."""
    used: dict[Lookup, frozenset[str]] = {}
    for x in lookups:
        if (x.kind, x.parent) != ("accepted", x.child):
            bare = replace(x, used=frozenset())
            used[bare] = used.get(bare, frozenset()) | x.used | frozenset(x.to_fields)
    return tuple(replace(x, used=names) for x, names in used.items())


def _structural_lookups(contract: Contract) -> list[Lookup]:
    key = contract.key
    found = [
        Lookup("accepted", ref.entity, ref.to_fields, contract.entity, ref.fields, frozenset(ref.to_fields))
        for ref in contract.references
    ]
    return [*found, Lookup("latest", contract.entity, key, contract.entity, key, frozenset(key), is_key=True)]
