"""What the warnings are made of: the rows of the seed plan.warning_component."""

import csv
from dataclasses import dataclass
from pathlib import Path

from yuyan import settings


@dataclass(frozen=True)
class Component:
    """A signal of a rule.

    `source_variant`: the indicator that counts it, if one does; `rated_variant`: the one that the estimates pool;
    `counted_by`: else the query of `counts` that does; `entities`: what it is counted from.
    """

    rule_code: str
    signal_code: str
    pillar_code: str
    source_variant: str
    rated_variant: str
    counted_by: str
    entities: tuple[str, ...]


def load(
    rule_code: str, path: Path = settings.SEEDS / "plan" / "warning_component.csv"
) -> tuple[Component, ...]:
    """The components of a rule, in the order of the file: of W02 by window, of W03 by pillar."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["rule_code"] == rule_code]
    return tuple(Component(**row | {"entities": tuple(row["entities"].split())}) for row in rows)
