"""Rules and findings made up for the tests of problems: no row is judged for them."""

from datetime import date, timedelta

import psycopg

from yuyan.decisions import overrides, problems
from yuyan.decisions.overrides import Override
from yuyan.decisions.problems import PROBLEMS, Finding, Problem

DAY = date(2026, 10, 15)
NEXT = DAY + timedelta(days=1)
INST, OTHER = "10611", "10635"
UNI, UNI2, JW, STRANGER = "data-10611-1", "data-10611-2", "jw-data-1", "data-10635-1"
COMMISSION, UNIVERSITY, NOBODY = "QR.student.left_on.14", "QR.student.entry_on.17", "QR.student.key.6"
WARNING = "QR.student.birth_year.16"
RULES = {
    COMMISSION: ("ERROR", "commission"),
    UNIVERSITY: ("ERROR", "university"),
    NOBODY: ("ERROR", "nobody"),
    WARNING: ("WARN", "university"),
    "QR.student.birth_year.18": ("WARN", "commission"),
    "QR.student.birth_year.19": ("INFO", "nobody"),
}
"""Rule id -> severity, who may override."""


def publish_rules(connection: psycopg.Connection) -> None:
    """Write RULES as a run would have written them."""
    for rule_id, (severity, override_by) in RULES.items():
        connection.execute(
            "insert into quality.rule (rule_id, version, entity, level, severity, definition, override_by, message, why, "
            "fix, owner, digest, first_run_id, is_current) "
            "values (%s, 1, 'student', 2, %s, 'true', %s, '有问题', '因为', '改正', '某处', 'x', 'r0', true)",
            [rule_id, severity, override_by],
        )


def finding(rule_id: str, failed: int, inst: str = INST) -> Finding:
    return Finding(rule_id, inst, "student", RULES[rule_id][0], failed, causes=1)


def settle(connection: psycopg.Connection, *findings: Finding, run: str = "r1", as_of: date = DAY) -> dict:
    """A run that checked student and found this."""
    return problems.settle(connection, run, as_of, findings, ["student"])


def found(connection: psycopg.Connection, rule_id: str = COMMISSION, failed: int = 12) -> int:
    """The number of a fresh problem."""
    settle(connection, finding(rule_id, failed))
    return state(connection, rule_id).problem_id


def state(connection: psycopg.Connection, rule_id: str = COMMISSION) -> Problem:
    """The problem as it is now."""
    (number,) = connection.execute(
        "select problem_id from quality.problem where rule_id = %s and src_inst_code = %s", [rule_id, INST]
    ).fetchone()
    return PROBLEMS.get(connection, number)


def ask(
    connection: psycopg.Connection,
    number: int,
    actor: str = UNI,
    rows: int = 20,
    until: date = DAY + timedelta(days=30),
) -> Override:
    """Ask for an override."""
    return overrides.request(connection, number, actor, rows, "历史档案缺失", until, DAY)


def events(connection: psycopg.Connection, number: int) -> list[tuple]:
    """(actor, action, from, to, reason, as_of, run, has an override) of every step."""
    return connection.execute(
        "select actor, action, from_state, to_state, reason, as_of, run_id, override_id is not null "
        "from quality.problem_event where problem_id = %s order by event_id",
        [number],
    ).fetchall()
