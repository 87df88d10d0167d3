"""The rules about accountability cases (expectations/case.csv): deadlines, and decisions that must show in the data."""

import csv
from dataclasses import dataclass
from functools import cache

from yuyan import settings
from yuyan.domain.catalogue import Rule

SUBJECT = "case"
"""The second part of the rule ids, and their `entity` in quality.rule."""
SEVERITY = "WARN"
DEADLINE, EFFECT = "QR.case.deadline.11", "QR.case.effect.11"


@dataclass(frozen=True)
class Subject:
    """What the rules are about, where a rule of an entity has its contract."""

    entity: str = SUBJECT
    label: str = "问责事项"


@cache
def rules() -> tuple[Rule, ...]:
    """Both rules, for quality.rule and the rule directory. An explanation is for the commission to accept."""
    with (settings.EXPECTATIONS / "case.csv").open(encoding="utf-8", newline="") as file:
        return tuple(Rule(**row | {"override": "commission"}) for row in csv.DictReader(file))
