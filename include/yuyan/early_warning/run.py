"""The stage between the estimates and the marts that warns: W01-W05 of every degree point and institution, what the alarms
of earlier years were worth (W07, W08), and what follows for accountability cases. It proposes; nothing here decides.
"""

from datetime import date
from typing import Any

import numpy as np
import polars as pl
import psycopg

from yuyan import settings
from yuyan.decisions import case_review
from yuyan.domain import indicators
from yuyan.early_warning import backtest, components, counts, index, parameters, rules
from yuyan.early_warning.parameters import Parameters
from yuyan.estimate import rates
from yuyan.warehouse.frames import read

RULE_VERSION = 1
"""Raise it when a rule computes something else from the same data."""
YEARS_BACK = 4
"""How many earlier years are computed too: for back-tests, and to see whether a figure that was decided on has changed."""
COLUMNS = {
    "target_kind": pl.String, "target_code": pl.String, "inst_code": pl.String, "rule_code": pl.String,
    "signal_code": pl.String, "period_year": pl.Int64, "is_current": pl.Boolean, "is_restricted": pl.Boolean,
    "pillar_code": pl.String, "source_variant": pl.String, "numerator": pl.Float64, "denominator": pl.Float64,
    "value": pl.Float64, "lcl95": pl.Float64, "ucl95": pl.Float64, "benchmark": pl.Float64, "standardised": pl.Float64,
    "contribution": pl.Float64, "probability": pl.Float64, "q_value": pl.Float64, "level_code": pl.String,
    "reason_zh": pl.String,
}  # fmt: skip


class Facts:
    """What the rules are fed with, read once."""

    def __init__(self, connection: psycopg.Connection, run_id: str, as_of: date, load_limit: float) -> None:
        self.year = as_of.year - 1
        """The last calendar year that is over: the newest that is judged."""
        self.points = read(connection, counts.POINTS)
        self.samplings = read(connection, counts.SAMPLINGS, [as_of.year])
        self.evaluations = read(connection, counts.EVALUATIONS, [as_of])
        rated = read(connection, counts.RATES, [components.load("W02")[0].rated_variant])
        self.rated_points = rated.filter(pl.col("grain") == "degree_point")
        self.rated_institutions = rated.filter(pl.col("grain") == "institution")
        self.gaps = read(connection, counts.GAPS, [as_of])
        instrument = str(indicators.parameters()["evaluation_instrument"])
        self.signals = counts.signals(connection, as_of, load_limit, instrument)
        self.distrusted = set(read(connection, counts.DISTRUSTED, [run_id]).iter_rows())


def warn(run_id: str, as_of: date) -> dict[str, Any]:
    """Compute all signals anew, replace the tables, and bring the cases up to date; all in one transaction.

    Returns counts: points, signals, verdicts by rule and level of the newest year, and what the line did about cases.
    Raises psycopg.errors.UndefinedTable before the indicators, parameters.ParameterError.

    >>> warn("run-1", date(2026, 10, 15))["cases"]
    """
    with psycopg.connect(
        settings.warehouse_dsn("decide"), application_name=f"yuyan warn {run_id}"[:63]
    ) as connection:
        versions = parameters.load(connection)
        given = parameters.in_force(versions, as_of)
        facts = Facts(connection, run_id, as_of, given("W03", "load_limit"))
        found, expected = signals(facts, given)
        _replace(connection, found, given.version, run_id, as_of)
        tested = backtest.table(found, expected, facts.samplings)
        connection.execute("delete from accountability.warning_calibration")
        with connection.cursor() as cursor:
            cursor.executemany(
                f"insert into accountability.warning_calibration ({', '.join(tested.columns)}, parameter_version, run_id) "
                f"values ({', '.join(['%s'] * (len(tested.columns) + 2))})",
                [(*row, given.version, run_id) for row in tested.iter_rows()],
            )
        upcoming = {
            p.version: len(_changes(connection, facts, found, p, run_id, as_of))
            for p in versions
            if p.effective_on > as_of
        }
        reviewed = case_review.review(connection, run_id, as_of)
    verdicts = found.filter(
        pl.col("is_current") & (pl.col("signal_code") == "ALL") & ~pl.col("is_restricted")
    )
    by_level = verdicts.group_by("rule_code", "level_code").len().sort("rule_code", "level_code")
    return {
        "points": len(facts.points),
        "signals": len(found),
        "levels": {f"{rule} {level}": n for rule, level, n in by_level.iter_rows()},
        "parameters": given.version,
        "upcoming": upcoming,
        **reviewed,
    }


def preview(dsn: str, version: str, as_of: date | None = None) -> dict[str, Any]:
    """What another version of the parameters (of the seed's file) would change, were it in force on the newest data.

    Returns `in_force`, `version`, `as_of` and `changes`: target_kind, target_code, rule_code, before, after (levels of the
    rule), proposal_before, proposal_after (steps that the line proposes). Nothing is written. Raises ParameterError,
    LookupError before the first run.
    """
    with psycopg.connect(dsn) as connection:
        newest = connection.execute(
            "select run_id, as_of from ops.run where kind = 'warehouse' and state = 'success' "
            "order by as_of desc, started_at desc limit 1"
        ).fetchone()
        if newest is None:
            raise LookupError("数据线还没有成功运行过，没有可以比较的数")
        run_id, day = newest[0], as_of or newest[1]
        versions = parameters.load_file()
        given, other = parameters.in_force(versions, day), parameters.named(versions, version)
        facts = Facts(connection, run_id, day, given("W03", "load_limit"))
        changes = _changes(connection, facts, signals(facts, given)[0], other, run_id, day)
    return {"in_force": given.version, "version": version, "as_of": day, "changes": changes}


def _changes(
    connection: psycopg.Connection,
    facts: Facts,
    found: pl.DataFrame,
    other: Parameters,
    run_id: str,
    as_of: date,
) -> list[dict[str, Any]]:
    """Verdicts, and what is proposed on them, that differ under another version; not those about persons."""
    then = signals(Facts(connection, run_id, as_of, other("W03", "load_limit")), other)[0]
    key = ["target_kind", "target_code", "rule_code"]
    now, after = (
        f.filter(pl.col("is_current") & (pl.col("signal_code") == "ALL") & ~pl.col("is_restricted"))
        for f in (found, then)
    )
    both = now.select(*key, before="level_code").join(
        after.select(*key, after="level_code"), on=key, how="full", coalesce=True
    )
    differ = both.filter(pl.col("before").ne_missing(pl.col("after"))).sort(key)
    proposed = [case_review.proposals(connection, f.rows(named=True), as_of) for f in (now, after)]
    return [
        row | {"proposal_before": proposed[0].get(target), "proposal_after": proposed[1].get(target)}
        for row in differ.rows(named=True)
        for target in [(row["target_kind"], row["target_code"])]
    ]


def signals(facts: Facts, given: Parameters) -> tuple[pl.DataFrame, dict[tuple[str, int], float]]:
    """Every row of accountability.warning_signal, columns COLUMNS; and (rule, year) -> false alarms to be expected."""
    parts, expected = [], {}
    for year in range(facts.year - YEARS_BACK, facts.year + 1):
        one = [
            rules.statistical(facts.points, facts.rated_points, year, given),
            *_risk(facts, year, given, expected),
        ]
        if year == facts.year:
            one += [
                rules.statutory(facts.points, facts.samplings, facts.evaluations, year, given),
                rules.misconduct(facts.points, facts.signals, year, given),
                rules.gaps(facts.points, facts.gaps, year, given),
            ]
        else:
            one += [rules.statutory(facts.points, facts.samplings, facts.evaluations.clear(), year, given)]
        of_year = _distrust(facts, pl.concat(one, how="diagonal"))
        parts.append(of_year.with_columns(period_year=pl.lit(year, pl.Int64), target_kind=pl.lit("DP")))
        if year == facts.year:
            open_ones = of_year.filter(
                (pl.col("signal_code") == "ALL") & ~pl.col("is_restricted").fill_null(False)
            )
            units = rules.institutions(
                facts.points,
                open_ones.select("target_code", "level_code"),
                facts.rated_institutions,
                year,
                given,
            )
            parts.append(units.with_columns(period_year=pl.lit(year, pl.Int64), target_kind=pl.lit("INST")))
    found = pl.concat(parts, how="diagonal")
    unknown = [c for c in COLUMNS if c not in (*found.columns, "inst_code", "is_current", "is_restricted")]
    found = found.with_columns(
        *(pl.lit(None, COLUMNS[c]).alias(c) for c in unknown),
        inst_code=pl.col("target_code").str.slice(0, 5),
        is_current=pl.col("period_year") == facts.year,
        is_restricted=pl.col("is_restricted").fill_null(False),
    )
    alarmed = found.filter(
        pl.col("rule_code").is_in(["W02", "W05"])
        & pl.col("level_code").is_in(rules.ALARMS)
        & ((pl.col("signal_code") == "ALL") == (pl.col("rule_code") == "W02"))
    )
    for rule, year, n in (
        alarmed.group_by("rule_code", "period_year").agg((1 - pl.col("probability")).sum()).iter_rows()
    ):
        expected[rule, year] = n
    return found.select(pl.col(c).cast(t) for c, t in COLUMNS.items()), expected


def _risk(
    facts: Facts, year: int, given: Parameters, expected: dict[tuple[str, int], float]
) -> list[pl.DataFrame]:
    """W03 of a year; and once more, restricted, with the pillar of misconduct, of the points that have a case."""
    groups = facts.points.select(
        "target_code", group=pl.concat_str("degree_level", "degree_type", separator="-")
    )
    pooled = counts.pooled(facts.signals, year, int(given("W03", "window_years")))
    is_case = pl.col("signal_code") == "MISCONDUCT"
    cases = pooled.filter(is_case).select("target_code", cases="n")
    students = pooled.filter(pl.col("signal_code") == "DELAY").join(cases, on="target_code", how="left")
    honest = students.select(
        signal_code=pl.lit("MISCONDUCT"),
        target_code="target_code",
        x=(pl.col("n") - pl.col("cases").fill_null(0)).clip(0),
        n="n",
    )
    rows = index.standardised(
        pl.concat([pooled.filter(~is_case), honest]), groups, given("W03", "minimum_cases")
    )
    rows, left_out = _trusted(facts, rows)
    open_rows = rows.filter(~is_case)
    points = facts.points["target_code"].to_list()
    found = index.values(open_rows, points)
    p_value, above = index.chance(open_rows, found, given("W03", "amber"), given("W03", "minimum_signals"))
    expected["W03", year] = float(np.nansum(above))
    parts = [_verdicts(found, given, left_out, p_value), _parts(found)]
    with_case = cases["target_code"].to_list()
    own = rows.filter(pl.col("target_code").is_in(with_case))
    if len(own):
        full = index.values(own, own["target_code"].unique(maintain_order=True).to_list())
        restricted = [_verdicts(full, given, left_out, np.full(len(full.points), np.nan)), _parts(full)]
        parts += [r.with_columns(is_restricted=pl.lit(True)) for r in restricted]
    return [pl.concat(parts, how="diagonal").with_columns(rule_code=pl.lit("W03"))]


def _verdicts(
    found: index.Index, given: Parameters, left_out: pl.DataFrame, p_value: np.ndarray
) -> pl.DataFrame:
    """The index of each point with its level, its greatest contributions and the pillars that were left out."""
    is_few = found.signals < given("W03", "minimum_signals")
    above = [found.value >= given("W03", name) for name in ("red", "amber")]
    worst = (
        found.parts.sort("contribution", descending=True)
        .group_by("target_code", maintain_order=True)
        .agg(worst=pl.col("signal_code").head(3).str.join("、"))
    )
    columns = {
        "target_code": found.points,
        "value": found.value,
        "probability": 1 - p_value,
        "n": found.signals,
    }
    columns |= {"q_value": rates.q_values(p_value)}
    columns |= {"level_code": np.select([is_few, *above], ["GREY", "RED", "AMBER"], "GREEN")}
    rows = (
        pl.DataFrame(columns)
        .join(worst, on="target_code", how="left")
        .join(left_out, on="target_code", how="left")
    )
    why = pl.format(
        "{} 个信号的指数 {}，主要为 {}", "n", pl.col("value").round(2), pl.col("worst").fill_null("—")
    )
    few = pl.format("只有 {} 个信号，不判断", "n")
    named = pl.format("；数据不可信而不计入：{}", "left_out").fill_null("")
    is_grey = pl.col("level_code") == "GREY"
    return rows.select(
        "target_code", "value", "probability", "q_value",
        level_code=pl.when(is_grey & pl.col("left_out").is_not_null()).then(pl.lit("NCID")).otherwise("level_code"),
        signal_code=pl.lit("ALL"), reason_zh=pl.when(is_grey).then(few).otherwise(why) + named,
    )  # fmt: skip


def _parts(found: index.Index) -> pl.DataFrame:
    return found.parts.select(
        "target_code", "signal_code", "pillar_code", "standardised", "contribution", "benchmark",
        source_variant="signal_code", numerator="x", denominator="n", value="shrunk",
        level_code=pl.lit("GREEN"), reason_zh=pl.lit("风险指数的分项"),
    )  # fmt: skip


def _trusted(facts: Facts, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Without the pillars that are counted from data without confidence; and target_code, left_out (their names)."""
    distrusted = [
        (signal, inst)
        for signal, entities in index.ENTITIES.items()
        for inst, entity in facts.distrusted
        if entity in entities
    ]
    schema = {"signal_code": pl.String, "source": pl.String}
    bad = pl.DataFrame(distrusted, schema=schema, orient="row")
    inst = rows.with_columns(inst=pl.col("target_code").str.slice(0, 5))
    hit = (
        pl.concat(
            [
                inst.join(
                    bad, left_on=["signal_code", "inst"], right_on=["signal_code", "source"], how="semi"
                ),
                inst.join(bad.filter(pl.col("source") == settings.COMMISSION), on="signal_code", how="semi"),
            ]
        )
        .select("target_code", "pillar_code")
        .unique()
    )
    left_out = (
        hit.sort("target_code", "pillar_code")
        .group_by("target_code")
        .agg(left_out=pl.col("pillar_code").str.join("、"))
    )
    return rows.join(hit, on=["target_code", "pillar_code"], how="anti"), left_out


def _distrust(facts: Facts, rows: pl.DataFrame) -> pl.DataFrame:
    """W02 rests on thesis sampling alone: without confidence in it it says NCID instead of a level."""
    bad = [inst for inst, entity in facts.distrusted if entity == "thesis_sampling"]
    if not bad:
        return rows
    is_bad = pl.col("target_code").str.slice(0, 5).is_in(bad) | pl.lit(settings.COMMISSION in bad)
    is_hit = is_bad & (pl.col("rule_code") == "W02")
    return rows.with_columns(
        level_code=pl.when(is_hit).then(pl.lit("NCID")).otherwise("level_code"),
        reason_zh=pl.when(is_hit).then(pl.lit("论文抽检数据不可信，不作评价")).otherwise("reason_zh"),
    )


def _replace(
    connection: psycopg.Connection, found: pl.DataFrame, version: str, run_id: str, as_of: date
) -> None:
    """Make accountability.warning_signal hold these rows; readers neither wait nor see it empty."""
    connection.execute("lock table accountability.warning_signal in share row exclusive mode")
    connection.execute("delete from accountability.warning_signal")
    rows = found.with_columns(pl.col(c).fill_nan(None) for c, t in found.schema.items() if t.is_float())
    rows = rows.with_columns(
        parameter_version=pl.lit(version),
        rule_version=pl.lit(RULE_VERSION),
        run_id=pl.lit(run_id),
        as_of=pl.lit(as_of),
    )
    statement = f"copy accountability.warning_signal ({', '.join(rows.columns)}) from stdin with (format csv)"
    with connection.cursor().copy(statement) as copy:
        copy.write(rows.write_csv(include_header=False))
