"""quality.rule: every version of every rule that was ever used, the present ones marked."""

import psycopg

from yuyan import settings
from yuyan.domain import case_rules, credibility_rules
from yuyan.domain.catalogue import Catalogue, Rule, RuleError

COLUMNS = (
    "rule_id", "version", "entity", "column_name", "level", "severity", "eligible", "definition", "tolerance_rows",
    "tolerance_pct", "override_by", "message", "why", "fix", "owner", "indicators", "valid_from", "valid_to", "digest",
    "first_run_id", "is_current",
)  # fmt: skip
FILES = {credibility_rules.SUBJECT: "credibility.csv", case_rules.SUBJECT: "case.csv"}
EXPLAINS = ("message", "why", "fix", "owner", "indicators")
"""Columns that may change under one version."""
MAY_CHANGE = (*EXPLAINS, "is_current")


def register(connection: psycopg.Connection, catalogue: Catalogue, run_id: str) -> None:
    """Make quality.rule say what the catalogue and the rules about indicators and cases say; versions that are used no
    longer stay, not marked as current.

    A structural rule takes the version that the warehouse knows its content by, or the next one. Raises RuleError for
    business rules whose content changed under an unchanged version, before anything is written.
    """
    known: dict[str, dict[int, tuple[str, str]]] = {}
    stored: dict[tuple[str, int], tuple] = {}
    for rule_id, version, digest, first_run, *rest in connection.execute(
        f"select rule_id, version, digest, first_run_id, {', '.join(MAY_CHANGE)} from quality.rule"
    ):
        known.setdefault(rule_id, {})[version] = digest, first_run
        stored[rule_id, version] = tuple(rest)
    of_all = [(entity, rule, rule.digest) for entity, rules in catalogue.rules.items() for rule in rules]
    of_all += [(credibility_rules.SUBJECT, rule, rule.digest) for rule in credibility_rules.rules()]
    of_all += [(case_rules.SUBJECT, rule, rule.digest) for rule in case_rules.rules()]
    if refused := [
        text
        for entity, rule, digest in of_all
        if (text := _problem(entity, rule, digest, known.get(rule.rule_id, {})))
    ]:
        raise RuleError("; ".join(refused))
    present = {}
    for entity, rule, digest in of_all:
        version = _version(rule, digest, known.get(rule.rule_id, {}))
        present[rule.rule_id, version] = _row(entity, rule, version, digest, run_id)
    gone = [key for key, (*_, is_current) in stored.items() if is_current and key not in present]
    changed = [row for key, row in present.items() if stored.get(key) != (*_explains(row), True)]
    with connection.transaction(), connection.cursor() as cursor:
        if gone:
            cursor.executemany(
                "update quality.rule set is_current = false where (rule_id, version) = (%s, %s)", gone
            )
        if changed:
            _store(cursor, changed)


def _store(cursor: psycopg.Cursor, rows: list[tuple]) -> None:
    """Add versions that are new; of one that is known, what may change."""
    cursor.execute("create temp table present (like quality.rule) on commit drop")
    with cursor.copy(f"copy present ({', '.join(COLUMNS)}) from stdin") as copy:
        for row in rows:
            copy.write_row(row)
    setters = ", ".join(f"{name} = excluded.{name}" for name in MAY_CHANGE)
    cursor.execute(
        f"insert into quality.rule ({', '.join(COLUMNS)}) select {', '.join(COLUMNS)} from present "
        f"on conflict (rule_id, version) do update set {setters}"
    )


def _problem(entity: str, rule: Rule, digest: str, versions: dict[int, tuple[str, str]]) -> str | None:
    before, run_id = versions.get(rule.version, (digest, None))
    if digest == before or not rule.is_business:
        return None
    path = settings.EXPECTATIONS / FILES.get(entity, f"{entity}.yml")
    return (
        f"{path}: {rule.rule_id}: its content changed, but version {rule.version} has been in use since run {run_id}; "
        f"set version: {max(versions) + 1}, or put the content back"
    )


def _version(rule: Rule, digest: str, versions: dict[int, tuple[str, str]]) -> int:
    if rule.is_business:
        return rule.version
    same = [version for version, (before, _) in versions.items() if before == digest]
    return max(same) if same else max(versions, default=0) + 1


def _row(entity: str, rule: Rule, version: int, digest: str, run_id: str) -> tuple:
    return (
        rule.rule_id, version, entity, rule.column, rule.level, rule.severity, rule.when, rule.assert_,
        rule.tolerance.rows, rule.tolerance.pct, rule.override, rule.message, rule.why, rule.fix, rule.owner,
        list(rule.indicators), rule.valid_from, rule.valid_to, digest, run_id, True,
    )  # fmt: skip


def _explains(row: tuple) -> tuple:
    """The columns EXPLAINS of a row of COLUMNS."""
    return tuple(row[COLUMNS.index(name)] for name in EXPLAINS)
