"""The disclosure policy (include/disclosure.yml) as typed objects: what counts whom, and from what size it is shown."""

from dataclasses import dataclass, field
from functools import cache
from typing import Any

from yuyan import settings
from yuyan.domain.yaml_file import YamlFile

FIELDS = {"period", "point", "dimensions", "key", "counts", "sums", "follows", "order_statistics", "rounded",
          "firms", "money", "groups", "marks", "is_sparse"}  # fmt: skip
OF_RECORDS = {"entity", "besides", "only", "figures", "shares", "follows"}


class PolicyError(ValueError):
    """A policy that cannot be applied; the message names file, line and remedy."""


@dataclass(frozen=True)
class Count:
    """A column that counts `population` (or money of it), at fixed coordinates `at`, `shift` periods away from its row's."""

    population: str
    at: dict[str, str] = field(default_factory=dict)
    shift: int = 0


@dataclass(frozen=True)
class OfDisciplines:
    """A population that is another one's in some disciplines: those in the scope of matching, those that match a cluster."""

    population: str
    in_scope: bool
    is_matched: bool


@dataclass(frozen=True)
class Table:
    """A table that counts persons or firms. `dimensions`: column -> dimension; the key is the period with them."""

    name: str
    period: str
    point: str | None
    dimensions: dict[str, str]
    key: tuple[str, ...]
    counts: dict[str, Count]
    money: dict[str, Count]
    sums: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]
    follows: dict[str, tuple[str, ...]]
    order_statistics: dict[str, tuple[str, ...]]
    rounded: tuple[str, ...]
    firms: dict[str, str]
    marks: tuple[str, ...]
    is_sparse: bool
    groups: dict[str, dict[str, dict[str, str]]]
    """Column -> dimension -> code of the column -> code of the dimension; `*` all other codes."""


@dataclass(frozen=True)
class Records:
    """A table in which some rows count records of persons or firms; see the file. `shares`: share -> its whole."""

    entity: str | None
    besides: dict[str, tuple[str, ...]]
    only: dict[str, tuple[str, ...]]
    figures: tuple[str, ...]
    shares: dict[str, str]
    follows: tuple[str, ...]


@dataclass(frozen=True)
class Variants:
    """How the rows of indicator values are counted; see the file."""

    persons: frozenset[str]
    firms: frozenset[str]
    single: frozenset[str]
    things: frozenset[str]
    counted: frozenset[str]
    populations: dict[str, Count]
    city_only: frozenset[str]
    beside: dict[str, str]
    below_city_withheld: tuple[str, ...]
    of_other_periods: tuple[str, ...]
    rounded: tuple[str, ...]


@dataclass(frozen=True)
class Policy:
    """The whole file."""

    minimum: int
    uniform_minimum: int
    firm_minimum: int
    dominance: float
    protection: float
    decimals: int
    remembered_days: int
    parts: dict[str, tuple[str, str]]
    points: dict[str, str]
    disciplines: dict[str, OfDisciplines]
    withheld: frozenset[str]
    things: frozenset[str]
    figures: dict[str, frozenset[str]]
    """Table -> its figures of no persons and no firms."""
    records: dict[str, Records]
    tables: dict[str, Table]
    variants: Variants


@cache
def load() -> Policy:
    """The project's policy, or that of YUYAN_DISCLOSURE. Raises PolicyError, YamlError."""
    return read(YamlFile(settings.disclosure_file()))


def read(file: YamlFile) -> Policy:
    """The policy of a file. Raises PolicyError where it names what there is not."""
    data = file.data
    for name in (
        "minimum",
        "uniform_minimum",
        "firms",
        "decimals",
        "remembered_days",
        "parts",
        "points",
        "disciplines",
        "withheld",
        "things",
        "figures",
        "records",
        "tables",
        "variants",
    ):
        if name not in data:
            raise PolicyError(f"{file.path}: {name} is missing; see include/disclosure.yml of the project")
    if not isinstance(data["minimum"], int) or data["minimum"] < 2:
        raise PolicyError(
            f"{file.at('minimum')}: minimum must be 2 or more: smaller cells than that there are none"
        )
    parts = {part: (whole, rest) for part, (whole, rest) in data["parts"].items()}
    given = data["variants"]
    return Policy(
        minimum=data["minimum"],
        uniform_minimum=data["uniform_minimum"],
        firm_minimum=data["firms"]["minimum"],
        dominance=data["firms"]["dominance"],
        protection=data["firms"]["protection"],
        decimals=data["decimals"],
        remembered_days=data["remembered_days"],
        parts=parts,
        points=data["points"],
        disciplines={
            name: OfDisciplines(of["is"], of.get("in_scope", False), of.get("is_matched", False))
            for name, of in data["disciplines"].items()
        },
        withheld=frozenset(data["withheld"]),
        things=frozenset(data["things"]),
        figures={name: frozenset(columns) for name, columns in data["figures"].items()},
        records={name: _records(file, name, entry) for name, entry in data["records"].items()},
        tables={name: _table(file, name, entry) for name, entry in data["tables"].items()},
        variants=Variants(
            persons=frozenset(given["persons"]),
            firms=frozenset(given["firms"]),
            single=frozenset(given["single"]),
            things=frozenset(given["things"]),
            counted=frozenset(given["counted"]),
            populations={side: _count(value) for side, value in given["populations"].items()},
            city_only=frozenset(given["city_only"]),
            beside=given["with"],
            below_city_withheld=tuple(given["below_city_withheld"]),
            of_other_periods=tuple(given["of_other_periods"]),
            rounded=tuple(given["rounded"]),
        ),
    )


def _records(file: YamlFile, name: str, entry: dict[str, Any]) -> Records:
    if unknown := set(entry) - OF_RECORDS:
        raise PolicyError(
            f"{file.at('records', name)}: {', '.join(sorted(unknown))} is unknown; known are {sorted(OF_RECORDS)}"
        )
    rows = {key: {c: tuple(v) for c, v in entry.get(key, {}).items()} for key in ("besides", "only")}
    return Records(
        entity=entry.get("entity"),
        figures=tuple(entry["figures"]),
        shares=entry.get("shares", {}),
        follows=tuple(entry.get("follows", [])),
        **rows,
    )


def _table(file: YamlFile, name: str, entry: dict[str, Any]) -> Table:
    if unknown := set(entry) - FIELDS:
        raise PolicyError(
            f"{file.at('tables', name)}: {', '.join(sorted(unknown))} is unknown; known are {sorted(FIELDS)}"
        )
    counts = {column: _count(value) for column, value in entry["counts"].items()}
    money = {column: _count(value) for column, value in entry.get("money", {}).items()}
    sources = {*counts, *money}
    named = {s for side in entry.get("follows", {}).values() for s in side} | set(
        entry.get("order_statistics", {})
    )
    named |= {column for both in entry.get("sums", []) for side in both for column in side}
    if stray := named - sources:
        raise PolicyError(
            f"{file.at('tables', name)}: {', '.join(sorted(stray))} is not among the counts; add it there"
        )
    return Table(
        name=name,
        period=entry["period"],
        point=entry.get("point"),
        dimensions=entry["dimensions"],
        key=tuple(entry.get("key", [entry["period"], *_point_column(entry), *entry["dimensions"]])),
        counts=counts,
        money=money,
        sums=tuple((tuple(left), tuple(right)) for left, right in entry.get("sums", [])),
        follows={column: tuple(of) for column, of in entry.get("follows", {}).items()},
        order_statistics={column: tuple(of) for column, of in entry.get("order_statistics", {}).items()},
        rounded=tuple(entry.get("rounded", [])),
        firms=entry.get("firms", {}),
        marks=tuple(entry.get("marks", [])),
        is_sparse=entry.get("is_sparse", False),
        groups=entry.get("groups", {}),
    )


def _point_column(entry: dict[str, Any]) -> list[str]:
    return [entry["point"]] if entry.get("point", "").islower() else []


def _count(value: str | dict[str, Any]) -> Count:
    if isinstance(value, str):
        return Count(value)
    return Count(value["is"], value.get("at", {}), value.get("period", 0))
