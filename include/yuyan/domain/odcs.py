"""The entity contracts as universities receive them: Open Data Contract Standard v3.1, one YAML file per entity."""

from pathlib import Path
from typing import Any

import yaml

from yuyan.domain import contracts
from yuyan.domain.contracts import Contract, Field, Reference

API_VERSION = "v3.1.0"


def export(folder: Path, entities: list[str] | None = None) -> list[Path]:
    """Write `<entity>.odcs.yaml` for the entities (None: all) into the folder, which is made if need be.

    Raises ContractError for an entity that has no contract.
    """
    known = contracts.load()
    if unknown := sorted(set(entities or []) - known.keys()):
        raise contracts.ContractError(f"没有名为 {unknown[0]} 的数据约定；现有：{'、'.join(sorted(known))}")
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for entity in entities or known:
        path = folder / f"{entity}.odcs.yaml"
        path.write_text(text(known[entity]), encoding="utf-8")
        written.append(path)
    return written


def text(contract: Contract) -> str:
    """The contract's document as YAML."""
    head = (
        f"# {contract.label} — what a platform must supply. Open Data Contract Standard {API_VERSION[:4]}.\n"
    )
    return head + yaml.safe_dump(document(contract), allow_unicode=True, sort_keys=False, width=120)


def document(contract: Contract) -> dict[str, Any]:
    """The contract by the standard's own names; what the standard has no name for stands in customProperties."""
    table = {
        "name": contract.entity,
        "physicalType": "table",
        "businessName": contract.label,
        "description": contract.purpose,
        "customProperties": _custom(
            owner=contract.owner, privacyTier=contract.privacy_tier, periodField=contract.period_field
        ),
    }
    if contract.references:
        table["relationships"] = [_relationship(contract, ref) for ref in contract.references]
    table["properties"] = [_property(f, contract.sample.get(f.name)) for f in contract.fields]
    return {
        "apiVersion": API_VERSION,
        "kind": "DataContract",
        "id": f"yuyan.{contract.entity}",
        "name": contract.entity,
        "version": contract.version,
        "status": "active",
        "description": {"purpose": contract.purpose},
        "schema": [table],
    }


def _custom(**properties: Any) -> list[dict[str, Any]]:
    return [{"property": name, "value": value} for name, value in properties.items() if value is not None]


def _property(f: Field, example: str | None) -> dict[str, Any]:
    property_: dict[str, Any] = {
        "name": f.name,
        "businessName": f.label,
        "logicalType": f.type,
        "physicalType": f.sql_type,
        "required": f.mandatory,
    }
    if f.type == "array":
        property_["items"] = {"logicalType": "string"}
    if f.key_position:
        property_ |= {"primaryKey": True, "primaryKeyPosition": f.key_position}
    if f.description:
        property_["description"] = f.description
    if example is not None and not f.privacy:
        property_["examples"] = [example]
    if f.pattern:
        property_["logicalTypeOptions"] = {"pattern": f.pattern}
    if f.tier:
        property_["classification"] = f"tier{f.tier}"
    custom = _custom(
        presence=None if f.mandatory else f.presence,
        privacy=f.privacy,
        becomes=f.becomes,
        codeSet=f.code_set,
        derived=f.derived or None,
    )
    return property_ | ({"customProperties": custom} if custom else {})


def _relationship(contract: Contract, ref: Reference) -> dict[str, Any]:
    def names(entity: str, fields: tuple[str, ...]) -> str | list[str]:
        return f"{entity}.{fields[0]}" if len(fields) == 1 else [f"{entity}.{name}" for name in fields]

    return {
        "type": "foreignKey",
        "from": names(contract.entity, ref.fields),
        "to": names(ref.entity, ref.to_fields),
    }
