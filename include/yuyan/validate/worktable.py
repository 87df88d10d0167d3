"""The judging pass: one SQL statement per entity that types every row in scope and gives a verdict per rule.

Work table `judging.<entity>`: src_inst_code, src_record_id, raw_id, batch_id, the typed columns, is_newest (false for a last
good version judged beside the newest one), `v1`…`vN` (one per rule in catalogue order, type "char": '0' fails, '1'
unverifiable, '2' holds, NULL not eligible) and `worst`, the least of them.
"""

import re
from datetime import date

import psycopg

from yuyan.domain import contracts, macros, structural
from yuyan.domain.catalogue import BLOCKING, Rule
from yuyan.validate import looked_up, statements
from yuyan.validate.work import Work
from yuyan.warehouse import ddl

META = ("src_inst_code", "src_record_id", "raw_id", "batch_id")
OF_ONE_CLASS = re.compile(r"([\w.]+|coalesce\([\w.]+, ''\)) ~ '\^(?:\[([^]^\\]+)\]|\\d)\{(\d+)\}\$'")
AFTER_A_TEXT = re.compile(r"([\w.]+) ~ '([^]\\'[(){}.*+?^$|]{2,})\[[^'|]*'")
FAILS, UNVERIFIABLE, HOLDS = "'0'::\"char\"", "'1'::\"char\"", "'2'::\"char\""


def build(connection: psycopg.Connection, work: Work, rules: tuple[Rule, ...], as_of: date) -> int:
    """Create the entity's work table from the rows in scope and what its rules look up; returns its rows.

    Raises psycopg.errors.CardinalityViolation where two accepted records have the key that a row looks up.
    """
    contract = contracts.load()[work.entity]
    raw = [f"r.{f.name} as {f.name}__raw" for f in contract.columns if f.type != "string"]
    columns = [*META, *(f.name for f in contract.columns), "is_newest"]
    verdicts, joins = looked_up.once(
        {f"v{i}": verdict(work.entity, rule, as_of) for i, rule in enumerate(rules, start=1)}
    )
    connection.execute(f"drop table if exists {work.judged}")
    typed = statements.run(
        connection,
        "work_table",
        work=work,
        columns=[f"r.{name}" for name in columns],
        typed=", ".join([ddl.typed_columns(contract), *raw]),
        verdicts=verdicts,
        joins=joins,
    ).rowcount
    numbered = {rule.rule_id: f"v{i}" for i, rule in enumerate(rules, start=1)}
    isolated = numbered[structural.isolated_id(work.entity)]
    typed += statements.run(connection, "work_table_isolated", work=work, verdict=isolated).rowcount
    if typed != connection.execute(f"select count(*) from {work.scope}").fetchone()[0]:
        raise psycopg.errors.CardinalityViolation("two accepted records have one key, which rules look up")
    blocking = [numbered[rule.rule_id] for rule in rules if rule.severity in BLOCKING]
    statements.run(connection, "drop_needless_stand_ins", work=work, blocking=blocking)
    connection.execute(f"create index on {work.judged} (raw_id)")
    connection.execute(f"analyze {work.judged} (src_inst_code, src_record_id, raw_id, is_newest, worst)")
    (judged,) = connection.execute(f"select count(*) from {work.judged}").fetchone()
    return judged


def verdict(entity: str, rule: Rule, as_of: date) -> str:
    """SQL of a rule's verdict over alias r. Nothing is eligible for a rule that is not in force."""
    if not rule.holds_on(as_of):
        return 'null::"char"'
    raw_names = {
        f.name: f"r.{f.name}" if f.type == "string" else f"r.{f.name}__raw"
        for f in contracts.load()[entity].columns
    }
    condition = _quick(macros.expand(rule.assert_, as_of, raw_names))
    judged = f"case ({condition}) when true then {HOLDS} when false then {FAILS} else {UNVERIFIABLE} end"
    return (
        f"case when {_quick(macros.expand(rule.when, as_of, raw_names))} then {judged} end"
        if rule.when
        else judged
    )


def _quick(condition: str) -> str:
    """The condition with patterns that PostgreSQL is slow at asked otherwise: so many characters of one class (of 64
    hexadecimal digits: 11 µs, as a length and a class 1), and what follows a text that hardly any value has.

    >>> _quick("r.region_code ~ '^\\d{6}$'")
    "(length(r.region_code) = 6 and r.region_code !~ '[^0-9]')"
    """
    condition = OF_ONE_CLASS.sub(
        lambda m: f"(length({m[1]}) = {m[3]} and {m[1]} !~ '[^{m[2] or '0-9'}]')", condition
    )
    return AFTER_A_TEXT.sub(lambda m: f"(strpos({m[1]}, '{m[2]}') > 0 and {m[0]})", condition)


def observed(rule: Rule, alias: str = "r") -> str:
    """SQL of what the rule saw: the text of its column as received, joined by | where there are several; of a row that was
    kept out, the error that it raised. Of a person's pseudonym only that there is one.
    """
    if rule.rule_id == structural.isolated_id(rule.rule_id.split(".")[1]):
        return f"(select i.error from isolated i where i.raw_id = {alias}.raw_id)"
    personal = contracts.load()[rule.rule_id.split(".")[1]].personal
    seen = [
        f"case when {alias}.{n} = '' then '' when {alias}.{n} is not null then '{contracts.HIDDEN}' end"
        if n in personal
        else f"{alias}.{n}"
        for n in rule.column.split("|")
    ]
    return seen[0] if len(seen) == 1 else f"concat_ws('|', {', '.join(seen)})"
