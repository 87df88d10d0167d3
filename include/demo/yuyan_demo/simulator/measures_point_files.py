"""Truth of plans and applications for degree points (M03.2), in plain frames of accepted records."""

import polars as pl

from yuyan_demo.simulator.facts import Facts
from yuyan_demo.simulator.truth_table import TruthTable, total


def enter(table: TruthTable, facts: Facts) -> None:
    """Enter every variant and period."""
    every = applications(facts)
    for year in facts.years(2017, 1, 1):
        here = every.filter(pl.col("applied_on").dt.year() == year)
        decided = here.filter(pl.col("result_code").is_not_null())
        table.add("M03.2", str(year), total(here.filter("planned_before")), total(here))
        named = here.filter(pl.col("plan_item_id").is_not_null())
        table.add("M03.2a", str(year), total(named), total(here))
        granted = here.filter((pl.col("result_code") == "10") & (pl.col("decided_on") <= facts.as_of))
        table.add("M03.2b", str(year), total(granted), total(decided))


def applications(facts: Facts) -> pl.DataFrame:
    """Applications with `planned_before`: whether their plan is the institution's own and of an earlier cycle."""
    own = ["plan_item_id", "inst_code", "discipline_code", "degree_level"]
    plans = facts["construction_plan"].select(
        *own, pl.col("cycle_label").alias("plan_cycle"), pl.col("filed_on").alias("plan_filed_on")
    )
    before = (pl.col("plan_cycle") < pl.col("cycle_label")) & (pl.col("plan_filed_on") < pl.col("applied_on"))
    made = facts["degree_point_application"].filter(pl.col("applied_on") <= facts.as_of)
    return made.join(plans, on=own, how="left").with_columns(before.fill_null(False).alias("planned_before"))
