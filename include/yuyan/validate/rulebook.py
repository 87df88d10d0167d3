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


def register(connection: psycopg.Connection, catalogue: Catalogue, run_id: str) -> None:
    """Make quality.rule say what the catalogue and the rules about indicators and cases say; versions that are used no
    longer stay, not marked as current.

    A structural rule takes the version that the warehouse knows its content by, or the next one. Raises RuleError for
    business rules whose content changed under an unchanged version, before anything is written.
    """
    known: dict[str, dict[int, tuple[str, str]]] = {}
    for rule_id, version, digest, first_run in connection.execute(
        "select rule_id, version, digest, first_run_id from quality.rule"
    ):
        known.setdefault(rule_id, {})[version] = digest, first_run
    of_all = [(entity, rule) for entity, rules in catalogue.rules.items() for rule in rules]
    of_all += [(credibility_rules.SUBJECT, rule) for rule in credibility_rules.rules()]
    of_all += [(case_rules.SUBJECT, rule) for rule in case_rules.rules()]
    if refused := [
        text for entity, rule in of_all if (text := _problem(entity, rule, known.get(rule.rule_id, {})))
    ]:
        raise RuleError("; ".join(refused))
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("create temp table present (like quality.rule) on commit drop")
        with cursor.copy(f"copy present ({', '.join(COLUMNS)}) from stdin") as copy:
            for entity, rule in of_all:
                copy.write_row(_row(entity, rule, _version(rule, known.get(rule.rule_id, {})), run_id))
        cursor.execute(
            "update quality.rule r set is_current = false where is_current and not exists "
            "(select 1 from present p where p.rule_id = r.rule_id and p.version = r.version)"
        )
        names = [*EXPLAINS, "is_current"]
        setters = ", ".join(f"{n} = excluded.{n}" for n in names)
        old, new = (", ".join(f"{alias}.{n}" for n in names) for alias in ("r", "excluded"))
        cursor.execute(
            f"insert into quality.rule as r ({', '.join(COLUMNS)}) select {', '.join(COLUMNS)} from present "
            f"on conflict (rule_id, version) do update set {setters} where ({old}) is distinct from ({new})"
        )


def _problem(entity: str, rule: Rule, versions: dict[int, tuple[str, str]]) -> str | None:
    digest, run_id = versions.get(rule.version, (rule.digest, None))
    if digest == rule.digest or not rule.is_business:
        return None
    path = settings.EXPECTATIONS / FILES.get(entity, f"{entity}.yml")
    return (
        f"{path}: {rule.rule_id}: its content changed, but version {rule.version} has been in use since run {run_id}; "
        f"set version: {max(versions) + 1}, or put the content back"
    )


def _version(rule: Rule, versions: dict[int, tuple[str, str]]) -> int:
    if rule.is_business:
        return rule.version
    same = [version for version, (digest, _) in versions.items() if digest == rule.digest]
    return max(same) if same else max(versions, default=0) + 1


def _row(entity: str, rule: Rule, version: int, run_id: str) -> tuple:
    return (
        rule.rule_id, version, entity, rule.column, rule.level, rule.severity, rule.when, rule.assert_,
        rule.tolerance.rows, rule.tolerance.pct, rule.override, rule.message, rule.why, rule.fix, rule.owner,
        list(rule.indicators), rule.valid_from, rule.valid_to, rule.digest, run_id, True,
    )  # fmt: skip
