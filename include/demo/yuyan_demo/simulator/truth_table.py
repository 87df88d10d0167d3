"""Truth tables: numerator and denominator per variant, unit and period, computed by hand from accepted facts."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import polars as pl

CITY = "500000"
Unit = tuple[str, str]
"""Grain and unit code."""
Values = dict[Unit, float | None]
WHOLE: Unit = ("city", CITY)
GRAINS = {
    "city": (),
    "institution": ("inst",),
    "level_type": ("degree_level", "degree_type"),
    "category": ("category",),
    "discipline": ("discipline",),
    "institution_level_type": ("inst", "degree_level", "degree_type"),
    "institution_category": ("inst", "category"),
    "institution_discipline": ("inst", "discipline"),
    "degree_point": ("degree_point_id",),
    "cluster": ("cluster",),
}
"""Grain -> the columns whose values, joined by '-', are the code of a unit."""
COMMON = ("city", "institution")
BY_LEVEL = ("level_type", "institution_level_type")
BY_DISCIPLINE = ("category", "discipline", "institution_category", "institution_discipline")


@dataclass
class TruthTable:
    """Entries {(variant, period): (numerators, denominators)} by unit; denominators are None for counts."""

    entries: dict[tuple[str, str], tuple[Values, Values | None]] = field(default_factory=dict)
    of_city_only: set[str] = field(default_factory=set)
    """Variants that have no institutions."""

    def add(self, variant: str, period: str, numerator: Values, denominator: Values | None = None) -> None:
        """Enter one variant and period; a unit that is missing counts as zero."""
        self.entries[variant, period] = (numerator, denominator)

    def add_city(self, variant: str, period: str, numerator: float | None, denominator: float | None) -> None:
        """Enter one variant and period of the city alone."""
        self.of_city_only.add(variant)
        self.add(variant, period, {WHOLE: numerator}, {WHOLE: denominator})

    def numerators(self, variant: str, period: str) -> Values:
        """What was entered as numerators; nothing if the period was not."""
        return self.entries.get((variant, period), ({}, None))[0]

    def frame(self, institutions: list[str]) -> pl.DataFrame:
        """variant_code, grain, unit_code, period_code, numerator, denominator.

        The city and every institution have a row in every entry; finer units where numerator or denominator is not zero.
        """
        always = [WHOLE, *(("institution", code) for code in institutions)]
        rows = []
        for (variant, period), (n, d) in self.entries.items():
            finer = {unit for unit in {*n, *(d or {})} if unit[0] not in COMMON}
            counted = sorted(unit for unit in finer if n.get(unit) or (d or {}).get(unit))
            rows += [
                (variant, *unit, period, n.get(unit, 0.0), d.get(unit, 0.0) if d is not None else None)
                for unit in ([WHOLE] if variant in self.of_city_only else [*always, *counted])
            ]
        names = ("variant_code", "grain", "unit_code", "period_code")
        schema = dict.fromkeys(names, pl.String) | dict.fromkeys(("numerator", "denominator"), pl.Float64)
        return pl.DataFrame(rows, schema=schema, orient="row").sort(names)


def distinct(frame: pl.DataFrame, column: str, grains: Iterable[str] = COMMON) -> Values:
    """Distinct values of a column in every unit of the grains."""
    return _per_unit(frame, pl.col(column).drop_nulls().n_unique(), grains)


def total(frame: pl.DataFrame, value: pl.Expr | None = None, grains: Iterable[str] = COMMON) -> Values:
    """Sum of an expression (default: the number of rows) in every unit of the grains."""
    value = pl.lit(1.0) if value is None else value
    return _per_unit(frame.with_columns(value.cast(pl.Float64).alias("_v")), pl.col("_v").sum(), grains)


def _per_unit(frame: pl.DataFrame, measure: pl.Expr, grains: Iterable[str]) -> Values:
    """A measure of each unit's rows; rows without one of a grain's columns are in none of its units."""
    if any("category" in GRAINS[g] for g in grains):
        frame = frame.with_columns(pl.col("discipline").str.slice(0, 2).alias("category"))
    found: Values = {}
    for grain in grains:
        if parts := list(GRAINS[grain]):
            grouped = frame.drop_nulls(parts).group_by(parts).agg(measure.alias("_measure"))
            found |= {(grain, "-".join(unit)): number for *unit, number in grouped.iter_rows()}
        else:
            found[WHOLE] = frame.select(measure).item()
    return found


def combine(a: Values, b: Values, weight_a: float = 1.0, weight_b: float = 1.0) -> Values:
    """Weighted sum of two sets of values, unit by unit."""
    return {u: weight_a * (a.get(u) or 0.0) + weight_b * (b.get(u) or 0.0) for u in {*a, *b}}


def academic_year(year: int) -> str:
    """Code of the academic year that begins in `year`."""
    return f"{year}-{year + 1}"
