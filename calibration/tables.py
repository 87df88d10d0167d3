"""A measured table: rows of figures beside the budget they have to keep."""

from collections.abc import Callable
from dataclasses import dataclass, field

COVERAGE = 0.93
"""A 95 % interval holds the truth at least so often at every size."""
FALSE_RED = 0.05
"""RED at most so often where the unit is exactly at its floor; AMBER or RED at most so often of a sound degree point."""
FALSE_RED_POINT = 0.01
"""RED at most so often of a sound degree point."""


@dataclass
class Table:
    """`budgets`: column -> the test that its figures must pass; a row that fails is a breach."""

    title: str
    columns: list[str]
    budgets: dict[str, Callable[[float], bool]] = field(default_factory=dict)
    rows: list[list[str | int | float | None]] = field(default_factory=list)
    note: str = ""

    def breaches(self) -> list[str]:
        """Each figure outside its budget, named."""
        found = []
        for row in self.rows:
            for column, holds in self.budgets.items():
                figure = row[self.columns.index(column)]
                if figure is not None and not holds(figure):
                    found.append(f"{self.title}: {row[:2]}: {column} {figure:.3f}")
        return found

    def markdown(self) -> str:
        """Title, table and note; shares in percent, counts and names as they are."""
        lines = [
            f"### {self.title}",
            "",
            "| " + " | ".join(self.columns) + " |",
            "|" + "---|" * len(self.columns),
        ]
        lines += ["| " + " | ".join(map(_shown, row)) + " |" for row in self.rows]
        return "\n".join(lines + (["", self.note] if self.note else []))


def covered(figure: float) -> bool:
    """The budget of a 95 % interval."""
    return figure >= COVERAGE


def rarely(figure: float) -> bool:
    """The budget of a RED at the floor."""
    return figure <= FALSE_RED


def hardly(figure: float) -> bool:
    """The budget of a false RED of a degree point."""
    return figure <= FALSE_RED_POINT


def _shown(figure: str | int | float | None) -> str:
    if figure is None:
        return "—"
    return f"{figure:.1%}" if isinstance(figure, float) else str(figure)
