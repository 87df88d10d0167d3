"""Entity contracts (Open Data Contract Standard v3.1 YAML in include/contracts/) as typed, immutable objects.

Raw tables, casts, structural expectations and the data dictionary all follow from what this module returns, so a
column list exists in one place only. A bad file is refused with its name and line.
"""

import csv
from dataclasses import dataclass, field
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import yaml

from yuyan import settings

LOGICAL_TYPES = ("string", "integer", "number", "boolean", "date", "array")
OWNERS = ("university", "commission")
PRIVACY = ("drop", "pseudonymise")


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

    def __getitem__(self, name: str) -> Field:
        return next(f for f in self.fields if f.name == name)


@cache
def load(folder: Path = settings.CONTRACTS) -> dict[str, Contract]:
    """Every contract by entity name, parents before children (the load order).

    Raises ContractError for a file that is not usable, an unknown reference or a circle of references.
    """
    contracts = {c.entity: c for c in map(_read, sorted(folder.glob("*.yml")))}
    for contract in contracts.values():
        for ref in contract.references:
            target = contracts.get(ref.entity)
            if target is None or any(n not in {f.name for f in target.fields} for n in ref.to_fields):
                raise ContractError(
                    f"{contract.path}: reference {ref.fields} points to {ref.entity}.{ref.to_fields}, which does not exist; "
                    "add the entity's contract or correct the relationship"
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


def _read(path: Path) -> Contract:
    # libyaml's loader: every task of the line reads all contracts, and the Python one takes four times as long.
    loader = yaml.CSafeLoader(path.read_text(encoding="utf-8"))
    root = loader.get_single_node()
    document = loader.construct_document(root)
    try:
        schema = document["schema"][0]
        own = _properties(schema)
        contract = Contract(
            entity=document["name"],
            label=schema["businessName"],
            purpose=document["description"]["purpose"],
            version=document["version"],
            owner=own["owner"],
            privacy_tier=int(own["privacyTier"]),
            period_field=own.get("periodField"),
            fields=tuple(map(_field, schema["properties"])),
            references=tuple(map(_reference, schema.get("relationships", []))),
            path=path,
        )
    except (KeyError, TypeError, IndexError) as error:
        raise ContractError(
            f"{path}: {error!r} is missing or has the wrong shape; compare with a neighbouring contract"
        ) from error
    _check(contract, root)
    return contract


def _check(contract: Contract, root: yaml.Node) -> None:
    lines = dict(_property_lines(root))

    def refuse(name: str, problem: str) -> None:
        raise ContractError(f"{contract.path}:{lines.get(name, 1)}: {contract.entity}.{name}: {problem}")

    names = {f.name for f in contract.fields}
    if contract.entity != contract.path.stem:
        refuse("", f"the file is called {contract.path.stem}; name file and contract alike")
    if contract.owner not in OWNERS:
        refuse("", f"owner {contract.owner!r} is none of {OWNERS}")
    if not contract.key:
        refuse("", "no primary key; set primaryKey and primaryKeyPosition on its fields")
    if contract.period_field and contract.period_field not in names:
        refuse("", f"periodField {contract.period_field!r} is not a field")
    for f in contract.fields:
        if f.type not in LOGICAL_TYPES:
            refuse(f.name, f"logicalType {f.type!r} is none of {LOGICAL_TYPES}")
        if f.code_set and f.code_set not in code_sets():
            refuse(f.name, f"code set {f.code_set!r} is not in seeds/reference/code.csv")
        if f.privacy not in (None, *PRIVACY):
            refuse(f.name, f"privacy {f.privacy!r} is none of {PRIVACY}")
        if f.privacy == "pseudonymise" and f.becomes not in names:
            refuse(f.name, f"becomes {f.becomes!r}, which is not a field")
    for ref in contract.references:
        for name in ref.fields:
            if name not in names:
                refuse(name, "is used in a relationship but is not a field")


def _property_lines(root: yaml.Node):
    for key, value in root.value:
        if key.value == "schema":
            for schema_key, schema_value in value.value[0].value:
                if schema_key.value == "properties":
                    for node in schema_value.value:
                        for k, v in node.value:
                            if k.value == "name":
                                yield v.value, node.start_mark.line + 1


def _properties(node: dict[str, Any]) -> dict[str, Any]:
    return {p["property"]: p["value"] for p in node.get("customProperties", [])}


def _field(node: dict[str, Any]) -> Field:
    own = _properties(node)
    return Field(
        name=node["name"],
        label=node["businessName"],
        type=node["logicalType"],
        sql_type=node["physicalType"],
        presence="mandatory" if node["required"] else own["presence"],
        key_position=node.get("primaryKeyPosition"),
        pattern=node.get("logicalTypeOptions", {}).get("pattern"),
        code_set=own.get("codeSet"),
        privacy=own.get("privacy"),
        becomes=own.get("becomes"),
        derived=bool(own.get("derived", False)),
        description=node.get("description", ""),
        tier=int(node.get("classification", "tier0").removeprefix("tier")),
    )


def _reference(node: dict[str, Any]) -> Reference:
    def split(value: str | list[str]) -> list[list[str]]:
        return [v.split(".", 1) for v in ([value] if isinstance(value, str) else value)]

    source, target = split(node["from"]), split(node["to"])
    return Reference(tuple(n for _, n in source), target[0][0], tuple(n for _, n in target))
