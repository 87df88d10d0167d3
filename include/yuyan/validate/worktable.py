"""The judging pass: one SQL statement per entity that types every row in scope and gives a verdict per rule.

Work table `judging.<entity>`: src_inst_code, src_record_id, raw_id, batch_id, the typed columns, is_newest (false for a last
good version judged beside the newest one), `v1`…`vN` (one per rule in catalogue order, type "char": '0' fails, '1'
unverifiable, '2' holds, NULL not eligible) and `worst`, the least of them.
"""

from datetime import date

import psycopg

from yuyan.domain import contracts, macros, structural
from yuyan.domain.catalogue import BLOCKING, Rule
from yuyan.warehouse import ddl

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
    _add_isolated(connection, entity, rules)
    blocking = ", ".join(f"n.v{i}" for i, rule in enumerate(rules, start=1) if rule.severity in BLOCKING)
    connection.execute(  # a last good version stands in for a newest one that does not pass, and for no other
        f"delete from judging.{entity} w using judging.{entity} n where not w.is_newest and n.is_newest "
        "and n.src_inst_code = w.src_inst_code and n.src_record_id = w.src_record_id "
        f"and least({blocking}) is distinct from {FAILS}"
    )
    connection.execute(f"create index on judging.{entity} (raw_id)")
    connection.execute(f"analyze judging.{entity} (src_inst_code, src_record_id, raw_id, is_newest, worst)")
    (judged,) = connection.execute(f"select count(*) from judging.{entity}").fetchone()
    return judged


def _add_isolated(connection: psycopg.Connection, entity: str, rules: tuple[Rule, ...]) -> None:
    """The rows in scope that break the judgement: no value is typed, one rule fails, no other is asked."""
    broken = structural.isolated_id(entity)
    number = next(i for i, rule in enumerate(rules, start=1) if rule.rule_id == broken)
    connection.execute(
        f"insert into judging.{entity} ({', '.join(META)}, is_newest, v{number}, worst) "
        f"select {', '.join('r.' + c for c in META)}, s.is_newest, {FAILS}, {FAILS} from isolated i "
        f"join raw.{entity} r on r.raw_id = i.raw_id join scope_{entity} s on s.raw_id = i.raw_id"
    )


def rows(entity: str) -> str:
    """SQL of the rows in scope that are not kept out: META, record_key, is_newest, key_is_taken, is_isolated (false), typed
    columns, `<column>__raw` where not text.
    """
    contract = contracts.load()[entity]
    raw = [f"r.{f.name} as {f.name}__raw" for f in contract.columns if f.type != "string"]
    return (
        f"select {', '.join('r.' + c for c in META)}, r.record_key, s.is_newest, (t.raw_id is not null) as key_is_taken, "
        "false as is_isolated, "
        f"{', '.join([ddl.typed_columns(contract), *raw])} from raw.{entity} r "
        f"join scope_{entity} s on s.raw_id = r.raw_id left join taken_{entity} t on t.raw_id = r.raw_id "
        "left join isolated i on i.raw_id = r.raw_id where i.raw_id is null offset 0"
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


def observed(rule: Rule, alias: str = "r") -> str:
    """SQL of what the rule saw: the text of its column as received, joined by | where there are several; of a row that was
    kept out, the error that it raised.
    """
    if rule.rule_id == structural.isolated_id(rule.rule_id.split(".")[1]):
        return f"(select i.error from isolated i where i.raw_id = {alias}.raw_id)"
    names = rule.column.split("|")
    return (
        f"{alias}.{names[0]}"
        if len(names) == 1
        else f"concat_ws('|', {', '.join(f'{alias}.{n}' for n in names)})"
    )
