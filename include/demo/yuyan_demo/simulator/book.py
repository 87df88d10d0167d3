"""The book of truths: numerator and denominator per variant, unit and period, and the facts they are computed from."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

import polars as pl

from yuyan import settings
from yuyan.domain import contracts

if TYPE_CHECKING:
    from yuyan_demo.simulator.population import Population

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
class Book:
    """Entries {(variant, period): (numerators, denominators)} by unit; denominators are None for counts."""

    entries: dict[tuple[str, str], tuple[Values, Values | None]] = field(default_factory=dict)

    def add(self, variant: str, period: str, numerator: Values, denominator: Values | None = None) -> None:
        """Enter one variant and period; a unit that is missing counts as zero."""
        self.entries[variant, period] = (numerator, denominator)

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
                for unit in [*always, *counted]
            ]
        names = ("variant_code", "grain", "unit_code", "period_code")
        schema = dict.fromkeys(names, pl.String) | dict.fromkeys(("numerator", "denominator"), pl.Float64)
        return pl.DataFrame(rows, schema=schema, orient="row").sort(names)


class Facts:
    """Accepted records of one day, typed; `inst` is the institution a record belongs to."""

    def __init__(self, population: "Population") -> None:
        self.as_of = population.as_of
        self._population = population
        self._frames: dict[str, pl.DataFrame] = {}

    def __getitem__(self, entity: str) -> pl.DataFrame:
        """An entity with dates, numbers and booleans; `person` where it has a certificate number."""
        if entity not in self._frames:
            self._frames[entity] = _typed(entity, self._population.accepted(entity))
        return self._frames[entity]

    def of_student(self, entity: str) -> pl.DataFrame:
        """An entity that refers to students, with the institution of the student."""
        return self[entity].with_columns(pl.col("student_id").str.slice(0, 5).alias("inst"))

    def of_point(self, entity: str) -> pl.DataFrame:
        """An entity that refers to degree points, with institution, and level, type and discipline of the accepted point."""
        point = self["degree_point"].select(
            "degree_point_id",
            *(
                pl.col(f).alias(f"point_{f.split('_')[1]}" if f != "discipline_code" else "discipline")
                for f in _POINT
            ),
        )
        joined = self[entity].join(point, on="degree_point_id", how="left")
        return joined.with_columns(pl.col("degree_point_id").str.slice(0, 5).alias("inst"))

    def of_accepted_point(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame without the degree points that are not accepted: their records stay, and are of no point."""
        known = pl.col("degree_point_id").is_in(self["degree_point"]["degree_point_id"].implode())
        return frame.with_columns(pl.when(known).then("degree_point_id"))

    def by_cluster(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Rows of a frame with `discipline`, once for every key cluster that the discipline matches."""
        pairs = self.strengths().filter(pl.col("strength") >= 0.5)
        return frame.join(pairs.select("discipline", "cluster"), on="discipline")

    def years(self, first: int, month: int, day: int) -> Iterable[int]:
        """Years from `first` whose month and day have come."""
        return range(first, self.as_of.year + (self.as_of >= date(self.as_of.year, month, day)))

    def key_clusters(self) -> list[str]:
        """Clusters that are key in the latest edition of their layer's catalogue."""
        latest = self["cluster_reference"].filter(pl.col("edition") == pl.col("edition").max().over("layer"))
        return sorted(latest.filter("is_key")["cluster_code"])

    def strengths(self) -> pl.DataFrame:
        """discipline, cluster, strength: the greatest of the pair's valid map rows to a key cluster."""
        key = self["cluster_reference"].filter("is_key").select("cluster_code", "edition")
        valid = (pl.col("valid_from") <= self.as_of) & (
            pl.col("valid_to").is_null() | (pl.col("valid_to") >= self.as_of)
        )
        rows = (
            self["discipline_cluster_map"].filter(valid).join(key, on=["cluster_code", "edition"], how="semi")
        )
        return rows.group_by(
            pl.col("discipline_code").alias("discipline"), pl.col("cluster_code").alias("cluster")
        ).agg(pl.col("strength").max())

    def matched(self) -> list[str]:
        """Disciplines with a map strength of at least 0.5 to a key cluster."""
        return sorted(self.strengths().filter(pl.col("strength") >= 0.5)["discipline"].unique())


_POINT = ("degree_level", "degree_type", "discipline_code")

_TYPED = {
    "date": lambda column: column.str.to_date(),
    "integer": lambda column: column.cast(pl.Float64),
    "number": lambda column: column.cast(pl.Float64),
    "boolean": lambda column: column == "true",
}
"""Type of a contract's field -> the column from its text; other types stay text."""


def _typed(entity: str, frame: pl.DataFrame) -> pl.DataFrame:
    fields = [f for f in contracts.load()[entity].supplied if f.type in _TYPED]
    frame = frame.with_columns(_TYPED[f.type](pl.col(f.name)).alias(f.name) for f in fields)
    if "cert_no" in frame.columns:
        frame = frame.with_columns((pl.col("cert_type") + pl.col("cert_no")).alias("person"))
    if "inst_code" in frame.columns:
        frame = frame.with_columns(pl.col("inst_code").alias("inst"))
    return frame


def scope(column: str) -> list[str]:
    """Disciplines that the seed `discipline_scope` marks with `column`."""
    seed = pl.read_csv(settings.SEEDS / "reference" / "discipline_scope.csv", infer_schema_length=0)
    return seed.filter(pl.col(column) == "true")["discipline_code"].to_list()


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
