"""What an indicator file says, as typed objects."""

from dataclasses import dataclass

from yuyan.domain.conditions import Condition

GRAIN_COLUMNS = {
    "city": (),
    "institution": ("inst_code",),
    "level_type": ("degree_level", "degree_type"),
    "category": ("discipline_code",),
    "discipline": ("discipline_code",),
    "institution_level_type": ("inst_code", "degree_level", "degree_type"),
    "institution_category": ("inst_code", "discipline_code"),
    "institution_discipline": ("inst_code", "discipline_code"),
    "degree_point": ("degree_point_id", "discipline_code"),
}
"""Grain -> the columns that a fact must have; `cluster` needs what the key `cluster` says."""
BY_DISCIPLINE = "by discipline"


class IndicatorError(ValueError):
    """An indicator file that cannot be used; the message names file, line and remedy."""


@dataclass(frozen=True)
class Measure:
    """`count`, `distinct person_key`, `sum amount` or `sum amount per contract_no_digest`, each with an optional `where`.

    `key` is what is counted once per unit and period: the distinct column, or the one after `per`; None for plain rows.
    `amount` is the column that is summed; with a key its greatest value of each key.
    """

    name: str
    amount: str | None
    key: str | None
    where: Condition | None


@dataclass(frozen=True)
class Term:
    """A measure, as counted or shifted in time (SHIFTS)."""

    measure: str
    shift: str | None = None


@dataclass(frozen=True)
class Side:
    """A numerator or denominator: one term, the mean of two, or no term, which is 1."""

    terms: tuple[Term, ...]


@dataclass(frozen=True)
class Variant:
    """One definition of an indicator. `values` maps a grain, or `*` for all others, to numerator and denominator."""

    indicator: str
    code: str
    version: int
    fact: str
    basis: str
    period_column: str
    cluster: str | None
    where: Condition | None
    grains: tuple[str, ...]
    kind: str
    values: dict[str, tuple[Side, Side | None]]
    share_of_city: tuple[str, ...]
    cases: Term | None
    """What the weights of the denominator stand for: a count of its own."""
    row: dict[str, str]
    """The registry's row, by column, as text."""

    def value_at(self, grain: str) -> tuple[Side, Side | None]:
        return self.values.get(grain, self.values.get("*", (Side(()), None)))


@dataclass(frozen=True)
class Example:
    """Rows of facts, as CSV, and the rows that an indicator must make of them in the periods that are named."""

    name: str
    as_of: str
    parameters: dict[str, str]
    rows: dict[str, str]
    expect: str


@dataclass(frozen=True)
class Indicator:
    """One file."""

    code: str
    measures: dict[str, Measure]
    variants: tuple[Variant, ...]
    targets: tuple[dict[str, str], ...]
    """Rows of the seed plan/target.csv."""
    steps: tuple[dict[str, str], ...]
    """Rows of the seed plan/target_path.csv."""
    examples: tuple[Example, ...]
