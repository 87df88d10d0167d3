"""Reference data that has editions: codes of former catalogues with the days on which they hold, and who succeeded whom.

A fact may carry a code that was valid on its own day; what it is counted as is the bridge tables' matter (seeds
reference.discipline_succession, programme_succession, institution_succession).
"""

import csv
from dataclasses import dataclass
from datetime import date
from functools import cache

from yuyan import settings

DAYS = ("valid_from", "admits_until", "valid_to")


@dataclass(frozen=True)
class FormerCode:
    """A code that the present edition of its set does not have. Facts may carry it from `valid_from` to `valid_to`; nothing
    is authorised or admitted under it after `admits_until`. All days are inclusive.
    """

    code: str
    name: str
    valid_from: date
    admits_until: date
    valid_to: date


@cache
def former_codes(code_set: str) -> tuple[FormerCode, ...]:
    """Codes of earlier editions of a code set: disciplines have them (seeds/reference/former_discipline.csv)."""
    if code_set != "discipline":
        return ()
    return tuple(
        FormerCode(r["code"], r["name_zh"], *(date.fromisoformat(r[d]) for d in DAYS))
        for r in rows("former_discipline")
    )


@cache
def successors() -> dict[str, str]:
    """Code of an institution that was merged or renumbered -> the institution that carries it on."""
    return {r["predecessor_code"]: r["successor_code"] for r in rows("institution_succession")}


@cache
def succeeded_on() -> dict[str, date]:
    """Code of an institution that was merged or renumbered -> the day on which another carried it on."""
    return {
        r["predecessor_code"]: date.fromisoformat(r["succeeded_on"]) for r in rows("institution_succession")
    }


def rows(name: str) -> list[dict[str, str]]:
    """Rows of a reference seed as text."""
    with open(settings.SEEDS / "reference" / f"{name}.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
