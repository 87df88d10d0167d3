"""Entity contracts (include/contracts/<entity>.yml and the field library fields.yml) as typed, immutable objects.

Raw tables, casts, structural rules, the data dictionary and the exchange format for universities all follow from what this
module returns, so a column list exists in one place only. A bad file is refused with its name and line.
"""

import csv
import re
from dataclasses import dataclass, field
from functools import cache, cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from yuyan import settings
from yuyan.domain.yaml_file import YamlError, YamlFile

TYPE = re.compile(
    r"(?P<base>varchar)\((?P<length>\d+)\)(?P<array>\[\])?|numeric\(\d+,\d+\)|integer|boolean|date"
)
"""What the type of a field may be: a type of PostgreSQL."""
LIBRARY = "fields"
"""File name of the field library."""
PRESENCE = ("mandatory", "conditional", "optional")
OWNERS = ("university", "commission")
PRIVACY = ("drop", "pseudonymise")
NO_NUMBER = "0"
"""Stands for the version of a person key where something was given that is no certificate number."""
HIDDEN = "（假名，不显示）"
"""What stands for a person's pseudonym wherever findings are read."""


class ContractError(ValueError):
    """A contract file that cannot be used; the message names file, line and remedy."""


@dataclass(frozen=True)
class Field:
    """One property of an entity. `presence` is mandatory, conditional or optional."""

    name: str
    label: str
    type: str
    sql_type: str
    presence: str
    key_position: int | None = None
    pattern: str | None = None
    code_set: str | None = None
    privacy: str | None = None
    becomes: str | None = None
    derived: bool = False
    description: str = ""
    tier: int = 0
    edition: tuple[str, str] | None = None
    """Which edition of the code set holds: ("at", date field) the one of that day, too; ("since", date field) any since."""

    @property
    def mandatory(self) -> bool:
        return self.presence == "mandatory"

    @property
    def max_length(self) -> int | None:
        """Longest text allowed (of one item, for arrays); None for other types."""
        if self.type not in ("string", "array"):
            return None
        return int(self.sql_type.split("(")[1].split(")")[0])


@dataclass(frozen=True)
class Reference:
    """A foreign key: `fields` of this entity must exist as `to_fields` of `entity`."""

    fields: tuple[str, ...]
    entity: str
    to_fields: tuple[str, ...]


@dataclass(frozen=True)
class Simulation:
    """How the simulated city makes records of an entity that no program of it makes: copies of the sample.

    `rows` of every source. `of`: parent -> SQL that holds for the parents they refer to. `values`: field -> value -> share;
    it also serves fields that a program does not know.
    """

    rows: int = 0
    of: dict[str, str] = field(default_factory=dict)
    values: dict[str, dict[str, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Contract:
    """One entity: what a platform must supply and what the warehouse stores."""

    entity: str
    label: str
    purpose: str
    version: str
    owner: str
    privacy_tier: int
    period_field: str | None
    fields: tuple[Field, ...]
    references: tuple[Reference, ...]
    path: Path = field(compare=False)
    sample: dict[str, str | None] = field(compare=False, default_factory=dict)
    """A sound record in canonical text, consistent with the samples of all other entities."""
    simulate: Simulation | None = field(compare=False, default=None)

    @property
    def columns(self) -> tuple[Field, ...]:
        """The fields that are stored: everything but direct identifiers."""
        return tuple(f for f in self.fields if f.privacy is None)

    @property
    def supplied(self) -> tuple[Field, ...]:
        """The fields a platform sends: everything but what privacy derives."""
        return tuple(f for f in self.fields if not f.derived)

    @property
    def key(self) -> tuple[str, ...]:
        """Natural key in order."""
        keyed = sorted((f.key_position, f.name) for f in self.fields if f.key_position)
        return tuple(name for _, name in keyed)

    @cached_property
    def identifiers(self) -> frozenset[str]:
        """Text that identifies or refers to something: keys, references, codes, numbers of a fixed form."""
        named = {*self.key, *(n for ref in self.references for n in ref.fields)}
        return frozenset(
            f.name
            for f in self.columns
            if f.type in ("string", "array")
            and (f.name in named or f.pattern or f.code_set or f.name.endswith(("_id", "_code", "uscc")))
        )

    @cached_property
    def personal(self) -> frozenset[str]:
        """Fields that are, or were made of, what identifies a person."""
        return frozenset(
            name for f in self.fields for name in (f.name, f.becomes) if name and (f.derived or f.privacy)
        )

    def __getitem__(self, name: str) -> Field:
        return next(f for f in self.fields if f.name == name)


@cache
def load(folder: Path = settings.CONTRACTS) -> dict[str, Contract]:
    """Every contract by entity name, parents before children (the load order).

    Raises ContractError for a file that is not usable, an unknown reference or a circle of references.

    >>> load()["student"].key
    ('student_id',)
    """
    library = _library(folder / f"{LIBRARY}.yml")
    paths = sorted(path for path in folder.glob("*.yml") if path.stem != LIBRARY)
    contracts = {path.stem: _read(path, library) for path in paths}
    _refuse_second_definitions(contracts, library)
    for contract in contracts.values():
        for ref in contract.references:
            target = contracts.get(ref.entity)
            if target is None or any(n not in {f.name for f in target.fields} for n in ref.to_fields):
                raise ContractError(
                    f"{YamlFile(contract.path).at('references')}: {contract.entity}: {ref.entity} with "
                    f"{', '.join(ref.to_fields)} does not exist; add the entity's contract or correct the reference"
                )
    graph = {c.entity: sorted({r.entity for r in c.references} - {c.entity}) for c in contracts.values()}
    try:
        order = TopologicalSorter(graph).static_order()
        return {entity: contracts[entity] for entity in order}
    except CycleError as error:
        raise ContractError(f"{folder}: entities refer to each other in a circle: {error.args[1]}") from error


@cache
def code_sets() -> dict[str, dict[str, str]]:
    """Code set name -> {code: Chinese name}, from the reference seeds of the dbt project."""
    sets: dict[str, dict[str, str]] = {}
    for row in _seed("code"):
        sets.setdefault(row["code_set"], {})[row["code"]] = row["name_zh"]
    sets["discipline"] = {r["code"]: r["name_zh"] for r in _seed("discipline")}
    sets["industry"] = {r["section_division_code"] or r["code"]: r["name_zh"] for r in _seed("industry")}
    sets["cluster"] = {r["code"]: r["name_zh"] for r in _seed("cluster")}
    return sets


def _seed(name: str) -> list[dict[str, str]]:
    with open(settings.SEEDS / "reference" / f"{name}.csv", encoding="utf-8", newline="") as f:
        return list(csv.DictReader(f))


ENTITY = {
    "label": str, "purpose": str, "version": str, "owner": str, "privacy_tier": int, "period_field": str, "key": list,
    "fields": dict, "references": list, "sample": dict, "simulate": dict,
}  # fmt: skip
"""What an entity's file may say."""
FIELD = {
    "label": str, "type": str, "presence": str, "pattern": str, "code_set": str, "privacy": str, "becomes": str,
    "derived": bool, "description": str, "tier": int, "edition": dict,
}  # fmt: skip
"""What a field may say; null takes back what the library says."""
SIMULATION = {"rows": int, "of": dict, "values": dict}
"""What `simulate:` may say."""
SHAPES = {str: "a text", int: "a whole number", bool: "true or false", list: "a list", dict: "a mapping"}


def _file(path: Path) -> YamlFile:
    try:
        return YamlFile(path)
    except YamlError as error:
        raise ContractError(str(error)) from error


def _library(path: Path) -> dict[str, dict[str, Any]]:
    """Fields that several entities share: name -> what they have in common."""
    if not path.exists():
        raise ContractError(f"{path}:1: the field library is missing; an empty mapping {{}} is enough")
    file = _file(path)
    for name, said in file.data.items():
        _check_shape(file, (name,), said, FIELD, f"{LIBRARY}.{name}")
    return file.data


def _read(path: Path, library: dict[str, dict[str, Any]]) -> Contract:
    file, entity = _file(path), path.stem
    said = file.data
    _check_shape(file, (), said, ENTITY, entity)
    if missing := [name for name in ("label", "purpose", "owner", "key", "fields") if not said.get(name)]:
        raise ContractError(
            f"{path}:1: {entity}: {missing[0]} is missing; compare with a neighbouring contract"
        )
    if said["owner"] not in OWNERS:
        raise ContractError(
            f"{file.at('owner')}: {entity}: owner {said['owner']!r} is none of {', '.join(OWNERS)}"
        )
    key = said["key"]
    for name in [*key, *filter(None, [said.get("period_field")])]:
        if name not in said["fields"]:
            where = file.at("key" if name in key else "period_field")
            raise ContractError(f"{where}: {entity}: {name!r} is not a field; name one of fields")
    fields = tuple(_field(file, name, own, library, key) for name, own in said["fields"].items())
    simulate = said.get("simulate")
    if simulate is not None:
        _check_shape(file, ("simulate",), simulate, SIMULATION, f"{entity}.simulate")
    contract = Contract(
        entity=entity,
        label=said["label"],
        purpose=said["purpose"],
        version=said.get("version", "1.0.0"),
        owner=said["owner"],
        privacy_tier=said.get("privacy_tier", 0),
        period_field=said.get("period_field"),
        fields=fields,
        references=tuple(
            _reference(file, number, ref) for number, ref in enumerate(said.get("references", []))
        ),
        path=path,
        sample={
            name: None if value is None else str(value) for name, value in said.get("sample", {}).items()
        },
        simulate=Simulation(**simulate) if simulate is not None else None,
    )
    _check_names(file, contract, "sample", contract.sample)
    if simulate:
        _check_names(file, contract, "values", contract.simulate.values, ("simulate",))
        for parent in contract.simulate.of:
            if parent not in {ref.entity for ref in contract.references}:
                where = file.at("simulate", "of", parent)
                raise ContractError(
                    f"{where}: {entity}.simulate.of: {parent!r} is no entity that it refers to"
                )
    return contract


def _check_shape(file: YamlFile, at: tuple[str, ...], said: Any, known: dict[str, type], what: str) -> None:
    if not isinstance(said, dict):
        raise ContractError(f"{file.at(*at)}: {what}: must be a mapping; compare with a neighbouring one")
    for name, value in said.items():
        where = f"{file.at(*at, name)}: {what}"
        if name not in known:
            raise ContractError(f"{where}: {name!r} is none of {', '.join(known)}; correct or remove it")
        if value is not None and type(value) is not known[name]:
            raise ContractError(f"{where}: {name} must be {SHAPES[known[name]]}, not {value!r}")


def _field(
    file: YamlFile, name: str, own: dict[str, Any] | None, library: dict[str, dict[str, Any]], key: list[str]
) -> Field:
    """The field of the library with what the entity says differently."""
    at, what = ("fields", name), f"{file.path.stem}.{name}"
    _check_shape(file, at, own or {}, FIELD, what)
    said = {"presence": "mandatory", **library.get(name, {}), **(own or {})}

    def refuse(problem: str) -> None:
        raise ContractError(f"{file.at(*at)}: {what}: {problem}")

    if missing := [part for part in ("label", "type") if not said.get(part)]:
        shared = (
            "the field library has none for it" if name in library else f"the field library has no {name}"
        )
        refuse(f"{missing[0]} is missing and {shared}; give it here, or share the field in {LIBRARY}.yml")
    kind = TYPE.fullmatch(str(said["type"]))
    if not kind:
        refuse(
            f"type {said['type']!r} is none of varchar(n), varchar(n)[], integer, numeric(p,s), boolean, date"
        )
    if said["presence"] not in PRESENCE:
        refuse(f"presence {said['presence']!r} is none of {', '.join(PRESENCE)}")
    if said.get("code_set") and said["code_set"] not in code_sets():
        refuse(f"code set {said['code_set']!r} is not in seeds/reference/code.csv")
    if said.get("privacy") not in (None, *PRIVACY):
        refuse(f"privacy {said['privacy']!r} is none of {', '.join(PRIVACY)}")
    if said.get("privacy") == "pseudonymise" and said.get("becomes") not in file.data["fields"]:
        refuse(f"becomes {said.get('becomes')!r}, which is not a field")
    return Field(
        name=name,
        label=said["label"],
        type="array" if kind["array"] else LOGICAL.get(said["type"].split("(")[0], said["type"]),
        sql_type=said["type"],
        presence=said["presence"],
        key_position=key.index(name) + 1 if name in key else None,
        pattern=said.get("pattern"),
        code_set=said.get("code_set"),
        privacy=said.get("privacy"),
        becomes=said.get("becomes"),
        derived=said.get("derived", False),
        description=said.get("description", ""),
        tier=said.get("tier", 0),
        edition=_edition(file, name, said),
    )


EDITIONS = ("at", "since")
"""How a field says which edition of its code set holds."""


def _edition(file: YamlFile, name: str, said: dict[str, Any]) -> tuple[str, str] | None:
    """`{at: awarded_on}` or `{since: authorised_on}`: a date field of the same entity."""
    if (edition := said.get("edition")) is None:
        return None
    ((how, day),) = edition.items() if len(edition) == 1 else ((None, None),)
    if (
        how not in EDITIONS
        or (file.data["fields"].get(day) or {}).get("type") != "date"
        or not said.get("code_set")
    ):
        raise ContractError(
            f"{file.at('fields', name)}: {file.path.stem}.{name}: edition {edition} is not {{at: day}} or {{since: day}} "
            "of a field with a code set, where day is a date field defined in this file; correct or remove it"
        )
    return how, day


LOGICAL = {"varchar": "string", "numeric": "number"}
"""Logical type of the types that are not called the same in PostgreSQL."""


def _reference(file: YamlFile, number: int, said: Any) -> Reference:
    """`{parent: field}`, `{parent: [fields]}`, or `{parent: {field: the parent's name of it}}`."""
    what = f"{file.at('references', number)}: {file.path.stem}: reference"
    if not isinstance(said, dict) or len(said) != 1:
        raise ContractError(f"{what} {number + 1} must be {{parent: field}}; compare with a neighbouring one")
    ((parent, names),) = said.items()
    pairs = (
        names if isinstance(names, dict) else {n: n for n in ([names] if isinstance(names, str) else names)}
    )
    for name in pairs:
        if name not in file.data["fields"]:
            raise ContractError(f"{what} to {parent}: {name!r} is not a field; name one of fields")
    return Reference(tuple(pairs), parent, tuple(pairs.values()))


def _check_names(
    file: YamlFile, contract: Contract, part: str, names: dict[str, Any], above: tuple[str, ...] = ()
) -> None:
    supplied = {f.name for f in contract.supplied}
    for name in names:
        if name not in supplied:
            raise ContractError(
                f"{file.at(*above, part, name)}: {contract.entity}.{part}: {name!r} is not a field that a platform sends"
            )


def _refuse_second_definitions(contracts: dict[str, Contract], library: dict[str, dict[str, Any]]) -> None:
    first: dict[str, str] = {}
    for contract in contracts.values():
        for f in contract.fields:
            other = first.setdefault(f.name, contract.entity)
            if other != contract.entity and f.name not in library:
                raise ContractError(
                    f"{YamlFile(contract.path).at('fields', f.name)}: {contract.entity}.{f.name}: {other} has a field "
                    f"of that name, too; move what the two share to {LIBRARY}.yml"
                )
