"""The judging pass: one SQL statement per entity that types every row in scope and gives a verdict per rule.

Work table `judging.<entity>`: src_inst_code, src_record_id, raw_id, batch_id, the typed columns, is_newest (false for a last
good version judged beside the newest one), `v1`…`vN` (one per rule in catalogue order, type "char": '0' fails, '1'
unverifiable, '2' holds, NULL not eligible) and `worst`, the least of them.
"""

from datetime import date

import psycopg

from yuyan.domain import contracts, macros
from yuyan.domain.catalogue import BLOCKING, Rule
from yuyan.warehouse import ddl

HIDDEN = "（假名，不显示）"
META = ("src_inst_code", "src_record_id", "raw_id", "batch_id")
FAILS, UNVERIFIABLE, HOLDS = "'0'::\"char\"", "'1'::\"char\"", "'2'::\"char\""


def build(connection: psycopg.Connection, entity: str, rules: tuple[Rule, ...], as_of: date) -> int:
    """Create the entity's work table from `scope_<entity>`, `taken_<entity>` and what its rules look up; returns rows."""
    columns = [*META, *(f.name for f in contracts.load()[entity].columns), "is_newest"]
    verdicts = [f"{verdict(entity, rule, as_of)} as v{i}" for i, rule in enumerate(rules, start=1)]
    worst = ", ".join(f"v{i}" for i in range(1, len(rules) + 1))
    connection.execute(f"drop table if exists judging.{entity}")
    # offset 0 keeps the planner from merging the levels, which would compute every cast and verdict several times
    connection.execute(
        f"create unlogged table judging.{entity} as select v.*, least({worst}) as worst from ("
        f"select {', '.join('r.' + c for c in columns)}, {', '.join(verdicts)} from ({rows(entity)}) r offset 0) v"
    )
    blocking = ", ".join(f"n.v{i}" for i, rule in enumerate(rules, start=1) if rule.severity in BLOCKING)
    connection.execute(  # a last good version stands in for a newest one that does not pass, and for no other
        f"delete from judging.{entity} w using judging.{entity} n where not w.is_newest and n.is_newest "
        "and n.src_inst_code = w.src_inst_code and n.src_record_id = w.src_record_id "
        f"and least({blocking}) is distinct from {FAILS}"
    )
    (judged,) = connection.execute(f"select count(*) from judging.{entity}").fetchone()
    return judged


def rows(entity: str) -> str:
    """SQL of the rows in scope: META, record_key, is_newest, key_is_taken, typed columns, `<column>__raw` where not text."""
    contract = contracts.load()[entity]
    raw = [f"r.{f.name} as {f.name}__raw" for f in contract.columns if f.type != "string"]
    return (
        f"select {', '.join('r.' + c for c in META)}, r.record_key, s.is_newest, (t.raw_id is not null) as key_is_taken, "
        f"{', '.join([ddl.typed_columns(contract), *raw])} from raw.{entity} r "
        f"join scope_{entity} s on s.raw_id = r.raw_id left join taken_{entity} t on t.raw_id = r.raw_id offset 0"
    )


def verdict(entity: str, rule: Rule, as_of: date) -> str:
    """SQL of a rule's verdict over alias r. Nothing is eligible for a rule that is not in force."""
    if not rule.holds_on(as_of):
        return 'null::"char"'
    raw_names = {
        f.name: f"r.{f.name}" if f.type == "string" else f"r.{f.name}__raw"
        for f in contracts.load()[entity].columns
    }
    condition = macros.expand(rule.assert_, as_of, raw_names)
    judged = f"case ({condition}) when true then {HOLDS} when false then {FAILS} else {UNVERIFIABLE} end"
    return (
        f"case when {macros.expand(rule.when, as_of, raw_names)} then {judged} end" if rule.when else judged
    )


def observed(entity: str, rule: Rule, alias: str = "r") -> str:
    """SQL of what the rule saw: the text of its column as received, joined by | where there are several. Of a pseudonym only
    that there was one: who reads findings has no need to know which.
    """
    derived = {f.name for f in contracts.load()[entity].columns if f.derived}
    parts = [
        f"case when {alias}.{name} is not null then '{HIDDEN}' end" if name in derived else f"{alias}.{name}"
        for name in rule.column.split("|")
    ]
    return parts[0] if len(parts) == 1 else f"concat_ws('|', {', '.join(parts)})"
