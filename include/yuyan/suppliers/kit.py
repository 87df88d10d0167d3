"""Facts for the deliverer's kit, from contracts, rules and the institution's mapping, and the kit as one file."""

import json
import re
from typing import Any

from yuyan.domain import catalogue, contracts, editions, structural
from yuyan.domain.contracts import Contract, Field
from yuyan.domain.entity_map import EntityMap
from yuyan.domain.institutions import Institution
from yuyan.suppliers import pack

JUDGED = (1, 2, 3, 4, 6, 7, 8)
"""Numbers of the structural rules that a deliverer can judge: what they ask is in the delivery itself."""
MODULES = (
    "yuyan",
    "yuyan.collect",
    "yuyan.collect.certificates",
    "yuyan.collect.file_faults",
    "yuyan.collect.moments",
    "yuyan.collect.workbook_check",
    "yuyan.domain",
    "yuyan.domain.date_forms",
    "yuyan.suppliers",
    "yuyan.suppliers.deliver",
    "yuyan.suppliers.deliver.cli",
    "yuyan.suppliers.deliver.delivery",
    "yuyan.suppliers.deliver.facts",
    "yuyan.suppliers.deliver.rules",
    "yuyan.suppliers.deliver.tables",
    "yuyan.suppliers.deliver.values",
)
FACTS = "yuyan/suppliers/deliver/facts.json"


class NoKit(RuntimeError):
    """There is no kit for this institution; the message says why."""


def packed(institution: Institution) -> bytes:
    """The kit of an institution as one file for `python`. Raises NoKit."""
    text = json.dumps(facts(institution), ensure_ascii=False, indent=1)
    return pack.pack("yuyan.suppliers.deliver.cli:main", MODULES, {FACTS: text.encode()})


def facts(institution: Institution) -> dict[str, Any]:
    """What the kit must know, in the shape that suppliers/deliver/facts.py describes. Raises NoKit."""
    platform = institution.platform
    if platform.connector != "files":
        raise NoKit(
            f"{institution.inst_code} {institution.name} 的平台（{platform.label}）不以文件交付，没有交付工具；平台厂商用 "
            "`yuyan conformance`。/ it does not deliver files; for its vendor there is `yuyan conformance`"
        )
    if not institution.entities:
        raise NoKit(
            f"{institution.path.name} 没有说明任何实体（entities），没有可交付的："
            f"先用 `yuyan check {institution.inst_code}` 得到建议。/ "
            "the file maps no entity; `yuyan check` proposes a map"
        )
    known = {entity: contracts.load()[entity] for entity in institution.entities}
    sets = {f.code_set for c in known.values() for f in c.columns if f.code_set}
    return {
        "institution": {"inst_code": institution.inst_code, "name": institution.name},
        "formats": platform.formats.model_dump(mode="json"),
        "schema_version": max((c.version for c in known.values()), key=_numbers),
        "entities": {name: _entity(c, institution.mapping(c)) for name, c in known.items()},
        "code_sets": {name: sorted(contracts.code_sets()[name]) for name in sorted(sets)},
        "former_codes": {
            name: [
                {"code": f.code} | {day: getattr(f, day).isoformat() for day in editions.DAYS}
                for f in editions.former_codes(name)
            ]
            for name in sorted(sets)
            if editions.former_codes(name)
        },
    }


def _numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]


def _entity(contract: Contract, mapping: EntityMap) -> dict[str, Any]:
    if mapping.prefixed:
        raise NoKit(
            f"{mapping.inst_code} {contract.entity}：带单位代码前缀的字段不在交付工具之内 / prefixed numbers"
        )
    rules = catalogue.load().rules[contract.entity]
    judged = [(rule, int(rule.rule_id.rsplit(".", 1)[1])) for rule in rules if not rule.is_business]
    people = {f.becomes for f in contract.fields if f.becomes}
    mine = [
        {
            "rule_id": rule.rule_id, "number": number, "column": rule.column, "severity": rule.severity,
            "message": rule.message, "fix": rule.fix,
        } | ({"is_person": True} if rule.column in people else {})
        for rule, number in judged
        if number in JUDGED
    ]  # fmt: skip
    isolated = structural.isolated_id(contract.entity)
    return {
        "label": contract.label,
        "table": mapping.table,
        "record_id": list(mapping.record_id),
        "columns": list(mapping.announced),
        "needed": _needed(contract, mapping),
        "period_field": contract.period_field,
        "key": list(contract.key),
        "personal": sorted(contract.personal),
        "by_the_line": len([r for r in rules if r.rule_id != isolated]) - len(mine),
        "fields": [_field(contract, f, mapping) for f in contract.fields],
        "rules": mine,
    }


def _needed(contract: Contract, mapping: EntityMap) -> list[str]:
    """Columns without which nothing is loaded: those of mandatory fields for which nothing stands in."""
    fields = [mapping.fields[f.name] for f in contract.supplied if f.mandatory and f.name in mapping.fields]
    needed = {column for f in fields if f.default is None for column in f.columns}
    return [column for column in mapping.announced if column in needed]


def _field(contract: Contract, f: Field, mapping: EntityMap) -> dict[str, Any]:
    made = None if f.derived else mapping.fields.get(f.name)
    own = (
        made.model_dump(mode="json", include={"separator", "date", "boolean", "times", "default"})
        if made
        else {}
    )
    given: dict[str, Any] = {
        "name": f.name,
        "parts": [part if isinstance(part, str) else list(part) for part in made.parts] if made else None,
        "type": f.type,
        "is_identifier": f.name in contract.identifiers,
        "is_dropped": f.privacy is not None or f.derived,
        "becomes": f.becomes,
        "pattern": f.pattern,
        "code_set": f.code_set,
        "length": f.max_length,
        "digits": [int(n) for n in re.findall(r"\d+", f.sql_type)] if f.type == "number" else None,
        "edition": list(f.edition) if f.edition else None,
        "codes": mapping.codes.get(f.name),
        **own,
    }
    kept = ("name", "type", "is_identifier")
    return {name: value for name, value in given.items() if name in kept or value}
