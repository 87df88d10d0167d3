"""W01, W02, W04 and W05: frames of counts to rows of accountability.warning_signal. W03 is index.py.

Each function gives the verdict (`signal_code` ALL) and what it is made of. Columns that a rule does not use are left out.
"""

import numpy as np
import polars as pl
from scipy import stats

from yuyan.early_warning import components
from yuyan.early_warning.parameters import Parameters
from yuyan.estimate import rates

LEVELS = ("GREY", "GREEN", "AMBER", "RED", "STATUTORY")
ALARMS = ("AMBER", "RED", "STATUTORY")
WINDOWS = (3, 5)


def statutory(
    points: pl.DataFrame, samplings: pl.DataFrame, evaluations: pl.DataFrame, year: int, given: Parameters
) -> pl.DataFrame:
    """W01: problem theses in two consecutive sampling years and many of them; a failed or running qualification evaluation.

    Many: at least `problem_count` in the newer year, or a share over both years above the city's `city_percentile` of the
    points that were sampled. GREY without theses in both years and without an evaluation: no trigger is no proof.
    """
    both = samplings.filter(pl.col("period_year").is_in([year - 1, year])).with_columns(
        bad=pl.col("n") - pl.col("x")
    )
    now, before = pl.col("period_year") == year, pl.col("period_year") == year - 1
    rows = both.group_by("target_code").agg(
        pl.sum("x", "n"),
        newer=pl.col("bad").filter(now).sum(),
        older=pl.col("bad").filter(before).sum(),
        years=pl.col("period_year").n_unique(),
    )
    share = 1 - pl.col("x") / pl.col("n")
    limit = (
        rows.select(share.quantile(given("W01", "city_percentile"), "linear")).item() if len(rows) else None
    )
    is_many = (pl.col("newer") >= given("W01", "problem_count")) | (share > pl.lit(limit, pl.Float64))
    is_hit = (pl.col("newer") >= 1) & (pl.col("older") >= 1) & is_many
    rows = points.select("target_code").join(rows, on="target_code", how="left")
    consecutive = rows.select(
        "target_code",
        signal_code=pl.lit("CONSECUTIVE"),
        source_variant=pl.lit("fct_thesis_sampling"),
        numerator="x",
        denominator="n",
        value=share,
        benchmark=pl.lit(limit, pl.Float64),
        level_code=pl.when(is_hit.fill_null(False))
        .then(pl.lit("STATUTORY"))
        .when(pl.col("years") == 2)
        .then(pl.lit("GREEN"))
        .otherwise(pl.lit("GREY")),
        reason_zh=pl.format(
            f"{year - 1}、{year} 年存在问题学位论文 {{}}、{{}} 篇",
            pl.col("older").fill_null(0).cast(pl.Int64),
            pl.col("newer").fill_null(0).cast(pl.Int64),
        ),
    )
    named = {"31": "整改中", "33": "整改不通过", "E20": "结论为限期整改", "E30": "结论为不合格"}
    evaluated = (
        evaluations.join(points.select("target_code"), on="target_code")
        .filter(pl.col("kind").is_in(list(named)))
        .select(
            "target_code",
            signal_code=pl.lit("EVALUATION"),
            source_variant=pl.when(pl.col("kind").str.starts_with("E"))
            .then(pl.lit("fct_evaluation_result"))
            .otherwise(pl.lit("fct_degree_point_event")),
            level_code=pl.lit("STATUTORY"),
            reason_zh=pl.format("合格评估{}（{}）", pl.col("kind").replace_strict(named), "judged_on"),
        )
    )
    return _with_verdicts(pl.concat([consecutive, evaluated], how="diagonal"), "W01")


def misconduct(points: pl.DataFrame, counts: pl.DataFrame, year: int, given: Parameters) -> pl.DataFrame:
    """W01, restricted: confirmed academic misconduct by students within the last years. Only points with a case."""
    years = int(given("W01", "misconduct_years"))
    rows = counts.filter(
        (pl.col("signal_code") == "MISCONDUCT") & pl.col("period_year").is_between(year - years + 1, year + 1)
    )
    rows = rows.group_by("target_code").agg(pl.sum("n")).join(points.select("target_code"), on="target_code")
    found = rows.sort("target_code").select(
        "target_code",
        signal_code=pl.lit("MISCONDUCT"),
        source_variant=pl.lit("misconduct_case"),
        numerator=pl.lit(0.0),
        denominator="n",
        value="n",
        level_code=pl.lit("STATUTORY"),
        reason_zh=pl.format(f"近 {years} 年已认定学术不端 {{}} 件", pl.col("n").cast(pl.Int64)),
    )
    return _with_verdicts(found, "W01").with_columns(is_restricted=pl.lit(True))


def statistical(points: pl.DataFrame, pooled: pl.DataFrame, year: int, given: Parameters) -> pl.DataFrame:
    """W02: P(true pass rate < floor), pooled over three years; over five where three have too few theses.

    `pooled`: the counts and priors of the estimates (rate_warning), whatever colour they gave. AMBER and RED need a failed
    thesis. q-values count the points judged as one family.
    """
    floor, minimum = given("W02", "floor"), given("W02", "minimum")
    parts = []
    for window, component in zip(WINDOWS, components.load("W02"), strict=True):
        rows = pooled.filter((pl.col("period_year") == year) & (pl.col("pooled_years") == window))
        rows = points.select("target_code").join(rows, on="target_code").sort("target_code")
        x, n = rows["x"].to_numpy(), rows["n"].to_numpy()
        alpha = (rows["prior_mean"] * rows["prior_strength"]).to_numpy()
        beta = rows["prior_strength"].to_numpy() - alpha
        judged = rates.warning(
            x,
            n,
            alpha,
            beta,
            floor=floor,
            amber=given("W02", "amber"),
            red=given("W02", "red"),
            minimum=minimum,
        )
        parts.append(
            rows.select(
                "target_code",
                signal_code=pl.lit(component.signal_code),
                source_variant=pl.lit(component.source_variant),
                numerator="x",
                denominator="n",
                value=pl.Series(judged.shrunk, dtype=pl.Float64),
                lcl95="lcl95",
                ucl95="ucl95",
                benchmark=pl.lit(floor),
                probability=pl.Series(judged.probability_below, dtype=pl.Float64),
                q_value=pl.Series(judged.q_value, dtype=pl.Float64),
                level_code=pl.Series(judged.status, dtype=pl.String),
                reason_zh=pl.format(
                    f"{window} 年合并 {{}}/{{}} 篇合格，低于 {floor:.0%} 的概率 {{}}",
                    pl.col("x").cast(pl.Int64),
                    pl.col("n").cast(pl.Int64),
                    pl.Series(judged.probability_below, dtype=pl.Float64).round(2),
                ),
            )
        )
    three, five = parts
    known = three.filter(pl.col("level_code") != "GREY")
    longer = five.filter(
        (pl.col("level_code") != "GREY") & ~pl.col("target_code").is_in(known["target_code"].to_list())
    )
    verdict = pl.concat([known, longer])
    rest = points.select("target_code").filter(~pl.col("target_code").is_in(verdict["target_code"].to_list()))
    few = rest.with_columns(
        signal_code=pl.lit("ALL"),
        level_code=pl.lit("GREY"),
        reason_zh=pl.lit(f"合并后不足 {minimum:g} 篇，不判断"),
    )
    verdict = verdict.with_columns(signal_code=pl.lit("ALL"))
    return pl.concat([verdict, few, three, five], how="diagonal").with_columns(rule_code=pl.lit("W02"))


def gaps(points: pl.DataFrame, compared: pl.DataFrame, year: int, given: Parameters) -> pl.DataFrame:
    """W05: the observed rate lies more than a margin below what the point would have at the city's rates of its like.

    P(true gap < -margin), normal; at most AMBER. GREY with too few cases, or where the benchmark is mostly the point itself.
    """
    margin, minimum = given("W05", "margin"), given("W05", "minimum")
    rows = compared.filter(pl.col("period_year") == year).join(points.select("target_code"), on="target_code")
    rows = rows.sort("variant_code", "target_code")
    gap, error = (rows["value"] - rows["benchmark_value"]).to_numpy(), rows["benchmark_error"].to_numpy()
    is_judged = (
        (rows["n"] >= minimum)
        & (rows["benchmark_own_share"] <= given("W05", "own_share"))
        & (rows["benchmark_error"] > 0)
    ).to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        below = np.where(is_judged, stats.norm.cdf((-margin - gap) / error), np.nan)
    q = np.full(len(rows), np.nan)
    for variant in rows["variant_code"].unique():
        own = (rows["variant_code"] == variant).to_numpy()
        q[own] = rates.q_values(1 - below[own])
    level = np.select([~is_judged, below >= given("W05", "probability")], ["GREY", "AMBER"], "GREEN")
    found = rows.select(
        "target_code",
        signal_code="variant_code",
        source_variant="variant_code",
        numerator="x",
        denominator="n",
        value="value",
        lcl95=pl.col("value") - 1.96 * pl.col("benchmark_error"),
        ucl95=pl.col("value") + 1.96 * pl.col("benchmark_error"),
        benchmark="benchmark_value",
        probability=pl.Series(below, dtype=pl.Float64),
        q_value=pl.Series(q, dtype=pl.Float64),
        level_code=pl.Series(level, dtype=pl.String),
        reason_zh=pl.format(
            "{} 比同类期望低 {} 个百分点",
            "variant_code",
            ((pl.col("benchmark_value") - pl.col("value")) * 100).round(1),
        ),
    )
    rest = points.select("target_code").filter(~pl.col("target_code").is_in(found["target_code"].to_list()))
    few = rest.with_columns(
        signal_code=pl.lit("ALL"), level_code=pl.lit("GREY"), reason_zh=pl.lit("没有可比的数")
    )
    return pl.concat(
        [_with_verdicts(found, "W05"), few.with_columns(rule_code=pl.lit("W05"))], how="diagonal"
    )


def institutions(
    points: pl.DataFrame, verdicts: pl.DataFrame, pooled: pl.DataFrame, year: int, given: Parameters
) -> pl.DataFrame:
    """W04: the share of an institution's judged points with an alarm, and its place in the funnel of H09.

    The funnel's limits are those of the exact binomial at the city's pooled rate (95 % and 99.8 %): P(X <= x | n, city).
    `verdicts`: target_code, level_code, of the points.
    """
    known = verdicts.filter(pl.col("level_code").is_in(["GREEN", *ALARMS])).join(
        points.select("target_code", "inst_code"), on="target_code"
    )
    graver = known.with_columns(
        rank=pl.col("level_code").replace_strict({v: i for i, v in enumerate(LEVELS)})
    )
    by_point = graver.group_by("inst_code", "target_code").agg(pl.max("rank"))
    rows = (
        by_point.group_by("inst_code").agg(alarmed=(pl.col("rank") >= 2).sum(), n=pl.len()).sort("inst_code")
    )
    share = pl.col("alarmed") / pl.col("n")
    is_enough = pl.col("alarmed") >= given("W04", "minimum_alarmed")
    shares = rows.select(
        target_code="inst_code",
        signal_code=pl.lit("SHARE"),
        numerator=(pl.col("n") - pl.col("alarmed")).cast(pl.Float64),
        denominator=pl.col("n").cast(pl.Float64),
        value=share,
        level_code=pl.when(pl.col("n") < given("W04", "minimum_points"))
        .then(pl.lit("GREY"))
        .when(is_enough & (share >= given("W04", "red_share")))
        .then(pl.lit("RED"))
        .when(is_enough & (share >= given("W04", "amber_share")))
        .then(pl.lit("AMBER"))
        .otherwise(pl.lit("GREEN")),
        reason_zh=pl.format("受判学位点 {} 个中 {} 个有警报", "n", "alarmed"),
    )
    rows = pooled.filter((pl.col("period_year") == year) & (pl.col("pooled_years") == WINDOWS[0])).sort(
        "target_code"
    )
    city = rows["x"].sum() / max(rows["n"].sum(), 1)
    p = rates.p_value_below(rows["x"].to_numpy(), rows["n"].to_numpy(), city)
    is_few = (rows["n"] < given("W02", "minimum")).to_numpy()
    level = np.select(
        [is_few, p < given("W04", "funnel_red"), p < given("W04", "funnel_amber")],
        ["GREY", "RED", "AMBER"],
        "GREEN",
    )
    funnel = rows.select(
        "target_code",
        signal_code=pl.lit("FUNNEL"),
        source_variant=pl.lit(components.load("W02")[0].source_variant),
        numerator="x",
        denominator="n",
        value=pl.col("x") / pl.col("n"),
        lcl95="lcl95",
        ucl95="ucl95",
        benchmark=pl.lit(city, pl.Float64),
        probability=pl.Series(1 - p, dtype=pl.Float64),
        q_value=pl.Series(rates.q_values(np.where(is_few, np.nan, p)), dtype=pl.Float64),
        level_code=pl.Series(level, dtype=pl.String),
        reason_zh=pl.format(
            f"3 年合并 {{}}/{{}} 篇合格，全市 {city:.1%}，纯属偶然的概率 {{}}",
            pl.col("x").cast(pl.Int64),
            pl.col("n").cast(pl.Int64),
            pl.Series(p, dtype=pl.Float64).round(4),
        ),
    )
    return _with_verdicts(pl.concat([shares, funnel], how="diagonal"), "W04")


def _with_verdicts(found: pl.DataFrame, rule: str) -> pl.DataFrame:
    """The rows of a rule and per target its verdict: the gravest of them, with the reasons of those that are as grave."""
    rank = pl.col("level_code").replace_strict({v: i for i, v in enumerate(LEVELS)}, return_dtype=pl.Int64)
    gravest = found.with_columns(rank=rank).filter(pl.col("rank") == pl.col("rank").max().over("target_code"))
    verdict = gravest.group_by("target_code").agg(
        pl.first("level_code"), reason_zh=pl.col("reason_zh").sort_by("signal_code").str.join("；")
    )
    verdict = verdict.with_columns(signal_code=pl.lit("ALL"))
    return (
        pl.concat([verdict, found], how="diagonal")
        .with_columns(rule_code=pl.lit(rule))
        .sort("target_code", "signal_code")
    )
