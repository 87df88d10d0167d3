"""YAML for an institution's file, for the entities and fields that were recognised; what was not stands there as a comment.

entities:
  student:
    table: xs_xx
    record_id: xh
    fields:
      student_id: xh
      gender_code: {column: xb, codes: {男: "1", 女: "2"}}
      entry_on: {column: rxrq, date: dd/mm/yyyy}  # 请核对
      # 缺必填：培养层次 degree_level
"""

import json
from collections.abc import Iterable

import polars as pl

from yuyan.check import recognise, samples
from yuyan.check.recognise import Match
from yuyan.collect.moments import WORDS
from yuyan.collect.source import Resource
from yuyan.domain import contracts
from yuyan.domain.contracts import Contract, Field

LEAST = 2
"""Recognised fields, besides the institution's code, by which a table of another name is taken for an entity."""
_UPDATED = ("update", "upd", "modif", "chang", "gxsj", "xgsj", "timestamp", "zuletzt")


def yaml(inst_code: str, resources: Iterable[Resource], asked: Iterable[str], with_version: bool) -> str:
    """The proposal for the entities `asked` of, empty where no table was recognised. `with_version`: of a database, of which
    an update time is worth naming."""
    readable = [r for r in resources if r.rows.width]
    lines = []
    for entity in asked:
        contract = contracts.load()[entity]
        if (found := _table(contract, readable)) is not None:
            lines += _entity(inst_code, contract, *found, with_version)
    return "\n".join(["entities:", *lines, ""]) if lines else ""


def _table(contract: Contract, resources: list[Resource]) -> tuple[Resource, dict[str, Match]] | None:
    """The table that is most probably the entity's: by its name, else by the fields recognised in it."""
    candidates = []
    for resource in resources:
        found = recognise.fields(contract, resource.rows)
        telling = [f for f in found if f != "inst_code"]
        is_called = recognise.is_called(resource.name, contract)
        needed = [f.name for f in contract.supplied if f.mandatory and f.name != "inst_code"]
        share = len(set(needed) & set(found)) / max(len(needed), 1)
        if is_called or (len(telling) >= LEAST and share > 0.5):
            candidates.append(((is_called, share, len(telling)), resource, found))
    if not candidates:
        return None
    _, resource, found = max(candidates, key=lambda c: c[0])
    return resource, found


def _entity(
    inst_code: str, contract: Contract, resource: Resource, found: dict[str, Match], with_version: bool
) -> list[str]:
    rows = resource.rows
    ids = _record_id(contract, rows, found)
    lines = [f"  {contract.entity}:  # {contract.label}", f"    table: {_scalar(resource.name)}"]
    if ids:
        columns = ", ".join(map(_scalar, ids))
        lines.append(f"    record_id: {columns if len(ids) == 1 else f'[{columns}]'}")
    else:
        lines.append("    # 缺 record_id：写明唯一标识一条记录的列（可以几列合用）")
    if with_version:
        version = next((c for c in rows.columns if any(word in c.lower() for word in _UPDATED)), None)
        lines.append(
            f"    version: {_scalar(version)}" if version else "    # 没有认出更新时间列：每次全量比对"
        )
    lines.append("    fields:")
    for field in contract.supplied:
        if field.name == "inst_code":
            lines.append(f'      inst_code: {{text: "{inst_code}"}}')
        elif match := found.get(field.name):
            doubt = "  # 请核对" if match.is_guess else ""
            lines.append(f"      {field.name}: {_value(field, match.column, rows)}{doubt}")
        elif field.mandatory:
            lines.append(f"      # 缺必填：{field.label} {field.name}（{_wanted(field)}）")
    used = {m.column for m in found.values()} | set(ids)
    if left := [name for name in (c.name for c in samples.columns(resource)) if name not in used]:
        lines.append(f"    # 未用到的列：{'、'.join(left)}")
    return lines


def _record_id(contract: Contract, rows: pl.DataFrame, found: dict[str, Match]) -> list[str]:
    """A column without empty or equal values: the natural key's own, one that is called an id; else the key's together."""
    personal = contract.personal
    key = [found[n].column for n in contract.key if n in found and n not in personal]

    def names(columns: list[str]) -> bool:
        part = rows.select(columns)
        return rows.height > 1 and not part.is_duplicated().any() and not any(part.null_count().row(0))

    hidden = {m.column for n, m in found.items() if n in personal}
    hidden |= {c.name for c in samples.columns(Resource("", rows)) if c.personal}
    like_ids = [
        c for c in rows.columns if c not in hidden and c.lower().endswith(("id", "_no", "_nr", "编号", "bh"))
    ]
    for columns in ([key] if len(key) == 1 else []), [[c] for c in like_ids], [key] if key else []:
        for one in columns:
            if names(one):
                return one
    return []


def _value(field: Field, column: str, rows: pl.DataFrame) -> str:
    there = samples.given(rows[column])
    options = []
    if field.code_set and not field.privacy:
        known = samples.local_codes(field.code_set)
        if local := {v: known[v] for v in sorted(set(there)) if known.get(v, v) != v}:
            options.append(
                "codes: {" + ", ".join(f"{_scalar(v)}: {_scalar(c)}" for v, c in local.items()) + "}"
            )
    if field.type == "date" and there and (forms := samples.date_forms(there)) and forms[0] != "yyyy-mm-dd":
        options.append(f"date: {forms[0]}")
    if field.type == "boolean" and len(set(there)) == 2 and not set(there) <= set(WORDS):
        options.append("boolean: [真值, 假值]")
    if not options:
        return _scalar(column)
    return "{" + ", ".join([f"column: {_scalar(column)}", *options]) + "}"


def _wanted(field: Field) -> str:
    return f"代码集 {field.code_set}" if field.code_set else field.sql_type


def _scalar(text: str) -> str:
    """A text as YAML would read it again: quoted where it would be something else."""
    if text and text.replace("_", "").isalnum() and not text[0].isdigit() and text.lower() not in _OTHER:
        return text
    return json.dumps(text, ensure_ascii=False)


_OTHER = ("true", "false", "yes", "no", "on", "off", "null", "y", "n")
"""Words that YAML takes for something else."""
