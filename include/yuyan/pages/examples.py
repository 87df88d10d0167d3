"""Worked examples of indicators: the rows that dbt's unit tests give a formula and the rows they expect of it.

The rows are made up; the test suite runs every one of these tests, so an example cannot say anything the formula does not.
"""

import csv
import io
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from yuyan import settings

FOLDER = settings.DBT_PROJECT / "models" / "indicators" / "unit_tests"


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
    """One unit test: what is given (tables with rows only) and what is expected of the model."""

    name: str
    model: str
    says: str
    as_of: str
    given: tuple[Rows, ...]
    expect: Rows

    def of(self, variant_code: str) -> list[dict[str, str]]:
        """The expected rows of a variant."""
        return [row for row in self.expect.dicts() if row.get("variant_code") == variant_code]


@cache
def cases(folder: Path = FOLDER) -> tuple[Case, ...]:
    """Every unit test of the indicator models, those of files named after a model first."""
    found = []
    for path in sorted(folder.glob("*.yml"), key=lambda p: (not p.stem.startswith("ind_"), p.stem)):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        found += [_case(one) for one in document["unit_tests"] if re.fullmatch(r"ind_[a-z]\d+", one["model"])]
    return tuple(found)


def _case(one: dict[str, Any]) -> Case:
    variables = one.get("overrides", {}).get("vars", {})
    given = [_rows(_table(g["input"]), g.get("rows")) for g in one["given"]]
    return Case(
        one["name"],
        one["model"],
        " ".join(one["description"].split()),
        str(variables.get("as_of", "")),
        tuple(g for g in given if g.cells),
        _rows(one["model"], one["expect"]["rows"]),
    )


def _table(reference: str) -> str:
    """ref('dim_student') -> dim_student."""
    return re.search(r"'(\w+)'\s*\)$", reference)[1]


def _rows(name: str, rows: str | list[dict[str, Any]] | None) -> Rows:
    if isinstance(rows, str):
        lines = list(csv.reader(io.StringIO(rows)))
        columns, *cells = [[cell.strip() for cell in line] for line in lines if line]
        return Rows(name, columns, cells)
    dicts = rows or []
    columns = list(dict.fromkeys(key for row in dicts for key in row))
    return Rows(
        name, columns, [["" if row.get(c) is None else str(row[c]) for c in columns] for row in dicts]
    )
