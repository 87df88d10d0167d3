"""Which definitions are others than when the marts were last published: of the facts that are counted, of how each is
counted, and of the plan's targets. A publication keeps them in schema previous; nobody declares a change."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psycopg

from yuyan import settings
from yuyan.changes import facts, lineage
from yuyan.domain import indicators

_TARGETS = """
select variant_code, to_jsonb(t) - array['doc_version', 'note_zh'] as target from plan.target as t where doc_version = '{}'
"""


@dataclass(frozen=True)
class Changed:
    """`rows`: facts whose rows are made otherwise. `variants`: indicators that are made or counted otherwise. `targets`:
    indicators whose target the plan in force states otherwise."""

    rows: frozenset[str]
    variants: list[str]
    targets: list[str]


def keep(connection: psycopg.Connection) -> None:
    """Write what is in force now into schema previous."""
    connection.execute("create table previous.definition (fact text, rows_digest text, counting_digest text)")
    connection.cursor().executemany(
        "insert into previous.definition values (%s, %s, %s)", [(f, *d) for f, d in digests().items()]
    )
    connection.execute(f"create table previous.target as {_targets()}")


def compare(connection: psycopg.Connection) -> Changed:
    """What is in force now against what schema previous has."""
    before = {
        fact: kept for fact, *kept in connection.execute("select * from previous.definition").fetchall()
    }
    now = digests()
    rows = frozenset(f for f, (made, _) in now.items() if f not in before or made != before[f][0])
    counted = {f for f, (_, how) in now.items() if f not in before or how != before[f][1]}
    if facts.BRIDGE in rows:
        counted |= {f.name for f in facts.counted() if f.by_discipline}
    targets = connection.execute(
        f"select variant_code from previous.target as b full join ({_targets()}) as a using (variant_code) "
        "where a.target is distinct from b.target order by 1"
    ).fetchall()
    variants = sorted({v.code for v in indicators.variants() if v.fact in rows | counted})
    return Changed(rows, variants, [code for (code,) in targets])


def digests() -> dict[str, tuple[str, str]]:
    """Fact -> digests of what its rows are made of and of how they are counted: models, macros, reference data,
    parameters."""
    shared = [
        path
        for path in settings.DBT_PROJECT.glob("models/indicators/*.sql")
        if not path.name.startswith("ind_counted")
    ]
    parameters = {k: v for k, v in indicators.parameters().items() if k != "plan_doc_version"}
    given = str(sorted(parameters.items(), key=str))
    found = {}
    for fact in [*facts.counted(), facts.bridge()]:
        registered = [sorted(v.row.items()) for v in indicators.variants() if v.fact == fact.name]
        counting = _digest(shared, f"{given}{fact.sql}{registered}") if fact.sql else ""
        found[fact.name] = (_digest(lineage.definition(fact.name), given), counting)
    return found


def _targets() -> str:
    return _TARGETS.format(indicators.parameters()["plan_doc_version"])


def _digest(paths: Iterable[Path], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for path in sorted(paths):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
