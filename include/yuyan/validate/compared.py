"""What a rule compared a failing record with: its own other fields, and the fields of the records that the rule looked up.

    录取日期 2024-03-01；学籍 10611-s7：离校日期 2023-06-30，培养层次 2

A reader needs the old level, both dates, or the twin to mend a record, not only the field that the rule is named after.
"""

import re

from yuyan import settings
from yuyan.domain import contracts, macros, rule_sql
from yuyan.domain.catalogue import Rule
from yuyan.domain.contracts import Contract
from yuyan.domain.macros import quote
from yuyan.domain.rule_sql import Found

NAME = re.compile(r"'[^']*'|\{[^}]*\}|\b(?:(\w+)\.)?([a-z]\w*)\b")
TABLES = {"accepted": "accepted.{}", "latest": "latest_{}"}
LISTED = 3
"""Records of one lookup that are named."""


def expression(entity: str, rule: Rule) -> str:
    """SQL of that text over alias r, a row of raw.<entity>, where the tables of a judgement are at hand (`Work.latest`).

    Pseudonyms and fields of persons are left out, and what another university reported. NULL where the rule looks at
    nothing but its own column.
    """
    if not rule.is_business:
        return "null"
    contract, found = contracts.load()[entity], _lookups(rule)
    own = [n for n in _own(rule, contract, found) if n not in rule.column.split("|")]
    parts = [_fields(contract, own, "r")] if own else []
    parts += [_looked_up(entity, lookup) for lookup in found]
    return f"nullif(concat_ws('；', {', '.join(parts)}), '')" if parts else "null"


def _lookups(rule: Rule) -> list[Found]:
    texts = filter(None, (rule.when, rule.assert_))
    return list(dict.fromkeys(found for text in texts for found in rule_sql.lookups(text) if found.pairs))


def _own(rule: Rule, contract: Contract, lookups: list[Found]) -> list[str]:
    """The record's own fields that the rule names."""
    known = {f.name for f in contract.columns if f.name not in contract.personal}
    aliases = {lookup.alias for lookup in lookups}
    text = f"{rule.when or ''} {rule.assert_}"
    names = dict.fromkeys(
        m[2] for m in NAME.finditer(text) if m[2] in known and (m[1] in (None, "r") and m[1] not in aliases)
    )
    of_macros = [argument for _, argument in macros.MACRO.findall(text) if argument in known]
    return [*names, *(n for n in of_macros if n not in names)]


def _fields(contract: Contract, names: list[str], alias: str) -> str:
    """The named fields that are filled, each with its label."""
    each = (f"{quote([contract[n].label + ' '])} || cast({alias}.{n} as text)" for n in names)
    return f"nullif(concat_ws('，', {', '.join(each)}), '')"


def _looked_up(entity: str, lookup: Found) -> str:
    """The records that a lookup finds by the columns it names them with, but not the record itself; of another university's
    only whose it is."""
    other = contracts.load()[lookup.entity]
    pairs = [(to, own) for to, own in lookup.pairs if _has(other, to)]
    where = [f"cast(o.{to} as text) = r.{own}" for to, own in pairs]
    if lookup.entity == entity and lookup.kind == "latest":
        where.append("(o.src_inst_code, o.src_record_id) <> (r.src_inst_code, r.src_record_id)")
    keyed = {to for to, _ in pairs}
    shown = sorted(n for n in lookup.used if _has(other, n) and n not in other.personal and n not in keyed)
    fields = f", '：' || {_fields(other, shown, 'o')}" if shown else ""
    is_seen = f"{quote([settings.COMMISSION])} in (o.src_inst_code, r.src_inst_code) or o.src_inst_code = r.src_inst_code"
    record = f"concat(o.src_inst_code, '-', o.src_record_id{fields})"
    return (
        f"(select string_agg(distinct {quote([other.label + ' '])} || "
        f"case when {is_seen} then {record} else o.src_inst_code || ' 的记录' end, '；') "
        f"from (select * from {TABLES[lookup.kind].format(lookup.entity)} as o where {' and '.join(where)} "
        f"order by o.src_record_id limit {LISTED}) as o)"
    )


def _has(contract: Contract, name: str) -> bool:
    return any(f.name == name for f in contract.columns)
