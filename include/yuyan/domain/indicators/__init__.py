"""Indicators (include/indicators/<code>.yml) as typed objects: what is counted of which fact, as which variants.

The registry, the targets, the counting models of dbt and the dictionary follow from what this room returns. The grammar is
in include/indicators/README.md; a bad file is refused with its name, line and remedy.

>>> indicators.load()["H13"].variants[0].fact
'fct_employment'
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from yuyan import settings
from yuyan.domain.indicators.grammar import Reader
from yuyan.domain.indicators.types import (
    BY_DISCIPLINE,
    GRAIN_COLUMNS,
    Example,
    Indicator,
    IndicatorError,
    Measure,
    Side,
    Term,
    Variant,
)
from yuyan.domain.indicators.vocabulary import facts, known_grains, parameters, period_bases
from yuyan.domain.yaml_file import YamlError, YamlFile

__all__ = [
    "BY_DISCIPLINE",
    "GRAIN_COLUMNS",
    "Example",
    "Indicator",
    "IndicatorError",
    "Measure",
    "Side",
    "Term",
    "Variant",
    "facts",
    "known_grains",
    "load",
    "parameters",
    "period_bases",
    "read",
    "variants",
]


@cache
def load() -> dict[str, Indicator]:
    """Every indicator by code, in the order of codes. Raises IndicatorError."""
    return read(settings.INDICATORS)


def read(folder: Path) -> dict[str, Indicator]:
    """The indicators of a folder. Raises IndicatorError."""
    found = {}
    for path in sorted(folder.glob("*.yml")):
        try:
            found[path.stem] = Reader(YamlFile(path)).indicator()
        except YamlError as error:
            raise IndicatorError(str(error)) from error
    codes = [(v.code, v.version) for v in _variants(found)]
    for code, version in codes:
        if codes.count((code, version)) > 1:
            raise IndicatorError(f"{folder}: {code} version {version} is in two files; rename one of the two")
    return found


def variants() -> list[Variant]:
    """Every variant of every indicator."""
    return list(_variants(load()))


def _variants(known: dict[str, Indicator]) -> Iterator[Variant]:
    return (v for i in known.values() for v in i.variants)
