"""Which records are behind a row of a fact: read from the SQL of the star and the contracts, so that nobody declares it.

links("fct_practice_year")
->  student by student_id, degree_point by degree_point_id, practice_participation by student_id,
    practice_project through practice_participation (project_id), …
"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from yuyan import settings
from yuyan.domain import contracts, indicators
from yuyan.domain.contracts import Contract

READS = re.compile(
    r"source\('accepted', '(?P<source>\w+?)(?:_versions)?'\)|history\('(?P<history>\w+)'"
    r"|ref\('(?P<ref>\w+)'\)|join_version\w*\('(?P<version>\w+)'"
)
CALLS = re.compile(r"\{\{\s*(\w+)\(")
MACROS = re.compile(r"\{%-?\s*macro (\w+)\(.*?%\}(.*?)\{%-?\s*endmacro", re.DOTALL)
SUBJECTS = ("student_id", "degree_point_id")
CODES = ("discipline_code", "cluster_code")
"""Columns by which a record belongs to a row without its key, the first that both have; codes for the commission's only."""

Columns = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Link:
    """Records of an entity belong to a row of a fact where columns agree.

    `columns`: (column of the fact, column of raw.<entity>). With `through`, the accepted records of a second entity stand
    between: `reference` is (its column, column of raw.<entity>), and `columns` are of the second entity.
    """

    entity: str
    columns: Columns
    through: str | None = None
    reference: Columns = ()
    is_certain: bool = True
    """False where only the institution, or nothing, says that they belong together."""


@cache
def entities(table: str) -> tuple[str, ...]:
    """The entities whose accepted records a table of the star is made of, its own first."""
    path = settings.DBT_PROJECT / "models" / "star" / f"{table}.sql"
    if not path.exists():
        return ()
    found: dict[str, None] = {}
    for match in READS.finditer(_with_macros(path.read_text(encoding="utf-8"))):
        own = match["source"] or match["history"]
        found.update(dict.fromkeys([own] if own else entities(match["ref"] or match["version"])))
    return tuple(sorted(found, key=lambda e: e != _own(table)))


def definition(table: str) -> list[Path]:
    """The files that say what a table of the star is made of: its SQL, that of the tables it reads, their reference data,
    and the macros."""
    found: dict[str, list[Path]] = {}
    waiting = [table]
    while waiting:
        name = waiting.pop()
        if name not in found:
            models = [*settings.DBT_PROJECT.glob(f"models/star/{name}.sql")]
            found[name] = [*models, *settings.SEEDS.glob(f"*/{name}.csv")]
            sql = _with_macros("\n".join(path.read_text(encoding="utf-8") for path in models))
            waiting += [m["ref"] or m["version"] for m in READS.finditer(sql) if m["ref"] or m["version"]]
    return [*settings.DBT_PROJECT.glob("macros/*.sql"), *(path for paths in found.values() for path in paths)]


def _with_macros(sql: str) -> str:
    """A model's SQL and that of the project's macros that it calls: they read tables, too."""
    return "\n".join(
        [sql, *(_macros()[name] for name in dict.fromkeys(CALLS.findall(sql)) if name in _macros())]
    )


@cache
def _macros() -> dict[str, str]:
    """Name -> body."""
    paths = sorted((settings.DBT_PROJECT / "macros").glob("*.sql"))
    return {m[1]: m[2] for path in paths for m in MACROS.finditer(path.read_text(encoding="utf-8"))}


def links(fact: str) -> list[Link]:
    """How records belong to the rows of a fact, the surest first: by the key of the fact's own entity, by other keys and
    references, by a student or a code, through another entity; last by institution, or by being there at all."""
    known, certain, others = contracts.load(), [], []
    for entity in entities(fact):
        contract = known[entity]
        if columns := _by_key(fact, contract) or _by_subject(fact, contract):
            certain.append(Link(entity, columns))
        else:
            others.append(contract)
    certain.sort(key=lambda link: (link.entity != _own(fact), not _by_key(fact, known[link.entity])))
    through, rest = [], []
    for contract in others:
        between = [_through(contract, link) for link in certain]
        if found := [link for link in between if link]:
            through.append(found[0])
        elif contract.owner == "university" and "inst_code" in indicators.facts()[fact]:
            rest.append(Link(contract.entity, (("inst_code", "src_inst_code"),), is_certain=False))
        else:
            rest.append(Link(contract.entity, (), is_certain=False))
    return [*certain, *through, *rest]


def _own(fact: str) -> str:
    return fact.removeprefix("fct_")


def _by_key(fact: str, contract: Contract) -> Columns:
    """The natural key, by its own names or by those of a reference that the fact has kept."""
    columns = indicators.facts()[fact]
    if set(contract.key) <= set(columns):
        return tuple((c, c) for c in contract.key)
    for entity in entities(fact):
        for r in contracts.load()[entity].references:
            if r.entity == contract.entity and set(r.fields) <= set(columns):
                return tuple(zip(r.fields, r.to_fields, strict=True))
    return ()


def _by_subject(fact: str, contract: Contract) -> Columns:
    own = {f.name for f in contract.columns} & set(indicators.facts()[fact])
    subjects = SUBJECTS if contract.owner == "university" else (*SUBJECTS, *CODES)
    return tuple((c, c) for c in subjects if c in own)[:1]


def _through(contract: Contract, link: Link) -> Link | None:
    """Records that a linked entity's records refer to."""
    for r in contracts.load()[link.entity].references:
        if r.entity == contract.entity:
            reference = tuple(zip(r.fields, r.to_fields, strict=True))
            return Link(contract.entity, link.columns, link.entity, reference)
    return None
