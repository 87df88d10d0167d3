"""The accepted records of one simulated day as typed facts, from which truths are computed."""

from collections.abc import Iterable
from datetime import date

import polars as pl

from yuyan import settings
from yuyan.domain import contracts
from yuyan_demo.simulator.population import Population


class Facts:
    """Accepted records of one day, typed; `inst` is the institution a record belongs to."""

    def __init__(self, population: Population) -> None:
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
