"""Worked examples of indicators: the rows of facts that their files give and the rows they expect of them.

The rows are made up; the test suite runs every one of these examples, so that none can say anything the formula does not.
"""

import csv
import io
from dataclasses import dataclass
from functools import cache

from yuyan.domain import indicators


@dataclass(frozen=True)
class Rows:
    """Rows of one table, all text: its name, columns and cells."""

    name: str
    columns: list[str]
    cells: list[list[str]]

    def dicts(self) -> list[dict[str, str]]:
        return [dict(zip(self.columns, row, strict=True)) for row in self.cells]


@dataclass(frozen=True)
class Case:
    """One example: what is given and what is expected of the indicator."""

    name: str
    says: str
    as_of: str
    given: tuple[Rows, ...]
    expect: Rows

    def of(self, variant_code: str) -> list[dict[str, str]]:
        """The expected rows of a variant."""
        return [row for row in self.expect.dicts() if row.get("variant_code") == variant_code]


@cache
def cases() -> tuple[Case, ...]:
    """Every example, in the order of the indicators; `H13-2` is the second of H13."""
    return tuple(
        Case(
            f"{code}-{n}",
            example.name,
            example.as_of,
            tuple(_rows(fact, text) for fact, text in example.rows.items()),
            _rows(code, example.expect),
        )
        for code, indicator in indicators.load().items()
        for n, example in enumerate(indicator.examples, 1)
    )


def _rows(name: str, text: str) -> Rows:
    columns, *cells = [[cell.strip() for cell in line] for line in csv.reader(io.StringIO(text)) if line]
    return Rows(name, columns, cells)
