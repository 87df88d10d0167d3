"""Truth of the mechanisms on money, reports and platforms (M18.1, M18.2c/d, M19.1, M20.1–M20.4), in plain frames."""

from datetime import date

import polars as pl

from yuyan_demo.simulator.facts import Facts
from yuyan_demo.simulator.measures import in_study
from yuyan_demo.simulator.measures_results import topics
from yuyan_demo.simulator.measures_supervision import year_ends
from yuyan_demo.simulator.products.assignment import ASSIGNMENT
from yuyan_demo.simulator.truth_table import COMMON, TruthTable, Values, total

FISCAL, ALLOCATING = ["01", "05", "07"], ["01", "07"]
PART_TIME = 0.5
FIRST_YEAR = 2022


def enter(table: TruthTable, facts: Facts) -> None:
    """Enter every variant and period."""
    _platforms(table, facts)
    _reports(table, facts)
    _money(table, facts)
    _resources(table, facts)


def _count(units: list[str], which: list[str]) -> Values:
    """One for each institution that is among `which`, and their number for the city."""
    found: Values = {("institution", u): float(u in which) for u in units}
    return found | {("city", "500000"): sum(found.values())}


def _platforms(table: TruthTable, facts: Facts) -> None:
    """Every simulated platform answers on every day."""
    units = facts["institution"]["inst_code"].to_list()
    enabled = facts["digital_capability"].filter("enabled")
    simulated = {i for insts in ASSIGNMENT.values() for i in insts}
    for year, last in year_ends(facts, 2026):
        connected = facts["institution"].filter(pl.col("connected_on") <= last)["inst_code"].to_list()
        there = _count(units, [i for i in connected if i in simulated])
        table.add("M18.1", str(year), there, _count(units, units))
        whole = (
            enabled.filter(
                (pl.col("report_year") == year) & pl.col("capability_code").is_in(["10", "20", "30"])
            )
            .group_by("inst")
            .agg(pl.col("capability_code").n_unique())
            .filter(pl.col("capability_code") == 3)
        )
        table.add("M18.1p", str(year), _count(units, whole["inst"].to_list()), _count(units, units))
    for year, _ in year_ends(facts, 2023):
        here = enabled.filter(pl.col("report_year") == year)
        for variant, number, which in (
            ("M18.2c", 8, pl.lit(True)),
            ("M18.2d", 3, pl.col("capability_code").is_in(["60", "70", "80"])),
        ):
            every = {unit: number * n for unit, n in _count(units, units).items()}
            table.add(variant, str(year), total(here.filter(which)), every)


def last_reports(facts: Facts) -> pl.DataFrame:
    """The last version of every institution's report of a year; `on_time` by any version."""
    on_time = (pl.col("submitted_on") <= pl.col("due_on")).fill_null(False)
    return (
        facts["quality_report"]
        .with_columns(on_time.any().over("inst_code", "report_year").alias("on_time"))
        .sort("version_no")
        .unique(["inst_code", "report_year"], keep="last", maintain_order=True)
    )


def _reports(table: TruthTable, facts: Facts) -> None:
    units = facts["institution"].select(pl.col("inst_code").alias("inst"))
    reports = last_reports(facts)
    for year, _ in year_ends(facts, 2023):
        here = units.join(reports.filter(pl.col("report_year") == year - 1), on="inst", how="left")
        due = pl.col("due_on").fill_null(date(year, 3, 31)) <= facts.as_of
        here = here.filter(due)
        handed = here.filter(pl.col("submitted_on") <= facts.as_of)
        judged = handed.filter(pl.col("sampling_result_code").is_not_null())
        equal = (pl.col("indicator_digest") == pl.col("snapshot_digest")).fill_null(False)
        period = str(year)
        table.add("M19.1", period, total(here.filter(pl.col("on_time").fill_null(False))), total(here))
        table.add("M19.1s", period, total(handed.filter("is_sampled")), total(handed))
        table.add(
            "M19.1p", period, total(judged.filter(pl.col("sampling_result_code") == "10")), total(judged)
        )
        table.add("M19.1d", period, total(handed.filter(equal)), total(handed))


def _money(table: TruthTable, facts: Facts) -> None:
    income = facts["fund_ledger"].filter(pl.col("direction") == "IN")
    allocable = income.filter(
        pl.col("fund_source_code").is_in(ALLOCATING) & pl.col("list_project_id").is_null()
    )
    amount, source = pl.col("amount"), pl.col("fund_source_code")
    before: Values = {}
    for year in facts.years(FIRST_YEAR, 1, 1):
        period, of_year = str(year), pl.col("fiscal_year") == year
        here, theirs = income.filter(of_year), allocable.filter(of_year)
        table.add(
            "M20.1", period, total(theirs.filter("is_performance_funded"), amount), total(theirs, amount)
        )
        other = total(here.filter(~source.is_in(FISCAL)), amount)
        table.add("M20.3", period, other, total(here, amount))
        table.add("M20.3a", period, total(here.filter(source == "10"), amount), total(here, amount))
        table.add("M20.3b", period, total(here.filter(source == "99"), amount), total(here, amount))
        if year > FIRST_YEAR:
            table.add("M20.3g", period, other, before)
        before = other


def training_costs(facts: Facts) -> pl.DataFrame:
    """Degree points and years with inputs or training spending: inst, the point's attributes, staff_fte, spent, n, fte and
    whether `costed` and `documented`."""
    spent = (
        facts["fund_ledger"]
        .filter(
            (pl.col("direction") == "OUT")
            & (pl.col("purpose_code") == "10")
            & pl.col("degree_point_id").is_not_null()
        )
        .group_by("degree_point_id", "fiscal_year")
        .agg(pl.col("amount").sum().alias("spent"))
    )
    fte = pl.when(pl.col("study_mode") == "2").then(PART_TIME).otherwise(1.0)
    students = pl.concat(
        in_study(facts["student"], date(year, 9, 30))
        .group_by("degree_point_id")
        .agg(pl.len().alias("n"), fte.sum().alias("fte"))
        .with_columns(pl.lit(float(year)).alias("fiscal_year"))
        for year in facts.years(2016, 9, 30)
    )
    key = ["degree_point_id", "fiscal_year"]
    points = facts["degree_point"].select(
        "degree_point_id",
        "inst",
        "degree_level",
        "degree_type",
        pl.col("discipline_code").alias("discipline"),
    )
    inputs = facts["resource_input"].select(*key, "staff_fte", "cost_method_doc_no")
    return (
        pl.concat([inputs.select(key), spent.select(key)])
        .unique()
        .join(points, on="degree_point_id")
        .join(inputs, on=key, how="left")
        .join(spent, on=key, how="left")
        .join(students, on=key, how="left")
        .with_columns(pl.col("spent", "n", "fte").fill_null(0))
        .with_columns((pl.col("spent") > 0).alias("costed"))
        .with_columns((pl.col("costed") & pl.col("cost_method_doc_no").is_not_null()).alias("documented"))
        .sort(key)
    )


def _resources(table: TruthTable, facts: Facts) -> None:
    units = facts["institution"]["inst_code"].to_list()
    costs = training_costs(facts)
    for year in facts.years(FIRST_YEAR, 1, 1):
        here, period = costs.filter(pl.col("fiscal_year") == year), str(year)
        documented = here.filter("documented")
        table.add("M20.4", period, _count(units, documented["inst"].to_list()), _count(units, units))
        table.add("M20.4p", period, total(documented), total(here))
        grains = (*COMMON, "level_type", "discipline")
        taught = documented.filter(pl.col("fte") > 0)
        table.add(
            "M20.4c", period, total(taught, pl.col("spent"), grains), total(documented, pl.col("fte"), grains)
        )
    yearly = {year: in_and_out(table, facts, costs, year) for year in facts.years(FIRST_YEAR, 1, 1)}
    for year in facts.years(FIRST_YEAR + 2, 1, 1):
        three = pl.concat(yearly[y] for y in range(year - 2, year + 1))
        whole = three.group_by("inst", maintain_order=True).agg(
            pl.all().sum(), (((pl.col("staff") > 0) & (pl.col("spent") > 0)).sum() == 3).alias("is_whole")
        )
        whole = whole.filter("is_whole")
        for variant, above, below in (
            ("M20.2", "degrees", "staff"),
            ("M20.2s", "spent", "degrees"),
            ("M20.2r", "received", "staff"),
            ("M20.2f", "frontline", "staff"),
        ):
            table.add(variant, str(year), total(whole, pl.col(above)), total(whole, pl.col(below)))


def in_and_out(table: TruthTable, facts: Facts, costs: pl.DataFrame, year: int) -> pl.DataFrame:
    """Institutions with a year's staff, spending on training, degrees, theses on topics from industry and receipts (H11)."""
    of_year = pl.col("fiscal_year") == year
    staff = costs.filter(of_year).group_by("inst").agg(pl.col("staff_fte").sum().alias("staff"))
    training = facts["fund_ledger"].filter(
        of_year & (pl.col("direction") == "OUT") & (pl.col("purpose_code") == "10")
    )
    spent = training.group_by("inst").agg(pl.col("amount").sum().alias("spent"))
    awards = facts.of_student("degree_award").filter(
        (pl.col("awarded_on").dt.year() == year)
        & (pl.col("awarded_on") <= facts.as_of)
        & pl.col("degree_level").is_in(["1", "2"])
    )
    awards = awards.join(topics(facts).select("thesis_id", "evidenced"), on="thesis_id", how="left")
    degrees = awards.group_by("inst").agg(
        pl.len().alias("degrees"), pl.col("evidenced").sum().alias("frontline")
    )
    receipts = [
        (code, n or 0.0)
        for (grain, code), n in table.numerators("H11", str(year)).items()
        if grain == "institution"
    ]
    received = pl.DataFrame(receipts, schema={"inst": pl.String, "received": pl.Float64}, orient="row")
    found = facts["institution"].select(pl.col("inst_code").alias("inst"))
    for part in (staff, spent, degrees, received):
        found = found.join(part, on="inst", how="left")
    return found.select("inst", pl.exclude("inst").cast(pl.Float64).fill_null(0))
