"""A second opinion on indicators: their files evaluated on data frames, without the SQL that is compiled from them.

Shares with the compiler the grammar (yuyan.domain.indicators) and nothing else: conditions are read by polars' own SQL
parser, each grain is counted on its own, years are shifted by looking them up.
"""

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Mapping

import polars as pl

from yuyan.domain import indicators
from yuyan.domain.conditions import Condition
from yuyan.domain.indicators import BY_DISCIPLINE, Measure, Side, Variant

CITY = "500000"
SCHEMA = {
    "variant_code": pl.String,
    "definition_version": pl.Int64,
    "grain": pl.String,
    "unit_code": pl.String,
    "period_code": pl.String,
    "numerator": pl.Float64,
    "denominator": pl.Float64,
}
KINDS = {
    "text": pl.String,
    "integer": pl.Int64,
    "bigint": pl.Int64,
    "boolean": pl.Boolean,
    "date": pl.Date,
    "double precision": pl.Float64,
}
Counts = dict[tuple[str, object], float]
"""(unit, period) -> figure."""


def kind(sql_type: str) -> pl.DataType:
    """The polars type of a column of the star; exact decimals stay exact."""
    return KINDS.get(sql_type, pl.Decimal(38, 8))


def table(fact: str, text: str) -> pl.DataFrame:
    """Rows of a star table from CSV; columns that are not given, and empty cells, are null."""
    columns = indicators.facts()[fact]
    rows = list(csv.DictReader(io.StringIO(text)))
    return pl.DataFrame(
        {c: [row.get(c) or None for row in rows] for c in columns}, schema=dict.fromkeys(columns, pl.String)
    ).with_columns(_typed(c, t) for c, t in columns.items())


def _typed(column: str, sql_type: str) -> pl.Expr:
    text = pl.col(column)
    if sql_type == "boolean":
        return text == "true"
    return text.str.to_date() if sql_type == "date" else text.cast(kind(sql_type))


class Evaluator:
    """Counts variants from frames of the star. `periods` are the years in which growth is published."""

    def __init__(
        self,
        frames: Mapping[str, pl.DataFrame],
        as_of: str,
        periods: Iterable[int],
        parameters: Mapping[str, object] | None = None,
    ) -> None:
        self.frames, self.as_of, self.periods = frames, as_of, list(periods)
        self.parameters = {**indicators.parameters(), **(parameters or {})}

    def rows(self, variants: Iterable[Variant]) -> pl.DataFrame:
        """variant_code, definition_version, grain, unit_code, period_code, numerator, denominator."""
        found = []
        for variant in variants:
            for grain in variant.grains:
                numerator, denominator = variant.value_at(grain)
                above = self._side(variant, numerator, grain)
                below = self._side(variant, denominator, grain) if denominator else {}
                if grain in variant.share_of_city:
                    whole = self._side(variant, denominator, "city")
                    below = {(unit, period): whole[CITY, period] for (unit, period), n in below.items() if n}
                keys = set(above) | set(below)
                for unit, period in keys:
                    n = above.get((unit, period), 0.0)
                    d = None if denominator is None else below.get((unit, period), 0.0)
                    if n or d:
                        found.append((variant.code, variant.version, grain, unit, str(period), n, d))
        return pl.DataFrame(found, schema=SCHEMA, orient="row")

    def _side(self, variant: Variant, side: Side, grain: str) -> Counts:
        if not side.terms:
            one = variant.value_at(grain)[0]
            return dict.fromkeys(self._side(variant, one, grain), 1.0)
        measures = indicators.load()[variant.indicator].measures
        total: Counts = defaultdict(float)
        for term in side.terms:
            counts = self._counts(variant, measures[term.measure], grain)
            for key, n in self._shifted(counts, term.shift).items():
                total[key] += n / len(side.terms)
        return total

    def _shifted(self, counts: Counts, shift: str | None) -> Counts:
        if shift is None:
            return counts
        base = int(self.parameters["base_year"])
        years = {
            "base": lambda y: [base],
            "previous": lambda y: [y - 1],
            "three_years": lambda y: [y - 2, y - 1, y],
            "three_years_before": lambda y: [y - 3, y - 2, y - 1],
        }[shift]
        units = {unit for unit, _ in counts}
        return {
            (unit, y): sum(counts.get((unit, other), 0.0) for other in years(y))
            for unit in units
            for y in self.periods
        }

    def _counts(self, variant: Variant, measure: Measure, grain: str) -> Counts:
        frame = self.frames[variant.fact].filter(pl.col(variant.period_column).is_not_null())
        for condition in (variant.where, measure.where):
            if condition:
                frame = frame.filter(self._expression(condition))
        frame = self._with_unit(frame, variant, grain).filter(pl.col("unit").is_not_null())
        frame = frame.with_columns(period=pl.col(variant.period_column))
        if measure.key:
            frame = frame.filter(pl.col(measure.key).is_not_null())
            best = pl.col(measure.amount).max() if measure.amount else pl.lit(1).alias("one").first()
            frame = frame.group_by("unit", "period", measure.key).agg(amount=best)
        elif measure.amount:
            frame = frame.with_columns(amount=pl.col(measure.amount))
        else:
            frame = frame.with_columns(amount=pl.lit(1))
        sums = frame.group_by("unit", "period").agg(pl.col("amount").sum())
        return {
            (unit, period): float(n or 0)
            for unit, period, n in sums.select("unit", "period", "amount").iter_rows()
        }

    def _expression(self, condition: Condition) -> pl.Expr:
        def parameter(name: str) -> str:
            value = self.parameters[name]
            return f"'{value}'" if isinstance(value, str) else str(value)

        return pl.sql_expr(condition.text(parameter, f"cast('{self.as_of}' as date)"))

    def _with_unit(self, frame: pl.DataFrame, variant: Variant, grain: str) -> pl.DataFrame:
        level = [pl.col("degree_level"), pl.col("degree_type")]
        parts = {
            "institution": [pl.col("inst_code")],
            "level_type": level,
            "category": [pl.col("discipline_code").str.slice(0, 2)],
            "discipline": [pl.col("discipline_code")],
            "institution_level_type": [pl.col("inst_code"), *level],
            "institution_category": [pl.col("inst_code"), pl.col("discipline_code").str.slice(0, 2)],
            "institution_discipline": [pl.col("inst_code"), pl.col("discipline_code")],
        }
        if grain == "city":
            return frame.with_columns(unit=pl.lit(CITY))
        if grain == "degree_point":
            known = pl.col("discipline_code").is_not_null()
            return frame.with_columns(unit=pl.when(known).then(pl.col("degree_point_id")))
        if grain == "cluster" and variant.cluster == BY_DISCIPLINE:
            pairs = (
                self.frames["bridge_key_cluster"]
                .filter("is_matched")
                .select("discipline_code", unit="cluster_code")
            )
            return frame.join(pairs, on="discipline_code", how="inner")
        if grain == "cluster":
            return frame.with_columns(unit=pl.col(variant.cluster))
        return frame.with_columns(unit=pl.concat_str(parts[grain], separator="-"))
