"""The truth of a day, for tests: open defects, accepted records, and every indicator's numerator and denominator."""

from pathlib import Path

import polars as pl

from yuyan.domain import contracts
from yuyan_demo.simulator import (
    measures,
    measures_accountability,
    measures_coursework,
    measures_funding,
    measures_mechanisms,
    measures_platforms,
    measures_point_files,
    measures_research,
    measures_results,
    measures_supervision,
    measures_welfare,
)
from yuyan_demo.simulator.facts import Facts
from yuyan_demo.simulator.population import Population
from yuyan_demo.simulator.truth_table import TruthTable


def write(population: Population, folder: Path) -> None:
    """Write defects, accepted counts, accepted records and indicators of the day."""
    (folder / "accepted_records").mkdir(parents=True, exist_ok=True)
    population.defects.write_parquet(folder / "defects.parquet")
    counts = []
    for entity, contract in contracts.load().items():
        accepted = population.accepted(entity)
        fields = [f.name for f in contract.supplied if f.privacy is None]
        accepted.select("src_inst_code", "src_record_id", *fields).write_parquet(
            folder / "accepted_records" / f"{entity}.parquet"
        )
        counts.append(
            accepted.group_by("src_inst_code")
            .agg(pl.len().alias("rows"))
            .with_columns(pl.lit(entity).alias("entity"))
        )
    pl.concat(counts).select("src_inst_code", "entity", pl.col("rows").cast(pl.Int64)).sort(
        "entity", "src_inst_code"
    ).write_parquet(folder / "accepted.parquet")
    indicators(population).write_parquet(folder / "indicators.parquet")


def indicators(population: Population) -> pl.DataFrame:
    """variant_code, grain, unit_code, period_code, numerator, denominator: every variant, unit and published period."""
    facts, table = Facts(population), TruthTable()
    measures.enter(table, facts)
    measures_results.enter(table, facts)
    measures_supervision.enter(table, facts)
    measures_coursework.enter(table, facts)
    measures_welfare.enter(table, facts)
    measures_accountability.enter(table, facts)
    measures_point_files.enter(table, facts)
    measures_mechanisms.enter(table, facts)
    measures_platforms.enter(table, facts)
    measures_funding.enter(table, facts)
    measures_research.enter(table, facts)
    return table.frame(sorted(facts["institution"]["inst_code"]))
