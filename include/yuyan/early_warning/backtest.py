"""W07 and W08: what the alarms of each year were worth in the next one, beside what chance alone would have raised."""

import polars as pl

from yuyan.early_warning.rules import ALARMS

RULES = ("W02", "W03")
"""Rules that are back-tested; of W05 only the false alarms to be expected are told."""
COLUMNS = [
    "rule_code", "alarm_year", "judged", "alarms", "expected_false_alarms", "followed", "problems",
    "positive_predictive_value", "false_alarm_rate", "detection",
]  # fmt: skip


def table(
    found: pl.DataFrame, expected: dict[tuple[str, int], float], samplings: pl.DataFrame
) -> pl.DataFrame:
    """Rows of accountability.warning_calibration, columns COLUMNS.

    A problem is a problem thesis (verdict 2) among those sampled in the year after the alarm. Of points that were judged and
    sampled then: positive predictive value = alarmed with a problem / alarmed; false alarm rate = alarmed / all without a
    problem; detection = alarmed / all with one. NULL where the denominator is 0, all three before the next year is known.
    """
    verdicts = found.filter(
        (pl.col("signal_code") == "ALL") & ~pl.col("is_restricted") & (pl.col("target_kind") == "DP")
        & pl.col("level_code").is_in(["GREEN", *ALARMS])
    )  # fmt: skip
    sampled = samplings.select(
        "target_code", period_year=pl.col("period_year") - 1, is_problem=(pl.col("n") - pl.col("x")) >= 1
    )
    rows = []
    for (rule, year), part in sorted(
        verdicts.filter(pl.col("rule_code").is_in([*RULES, "W05"]))
        .partition_by("rule_code", "period_year", as_dict=True)
        .items()
    ):
        alarm = part["level_code"].is_in(ALARMS)
        own = [rule, year, len(part), int(alarm.sum()), expected.get((rule, year), 0.0)]
        known = part.with_columns(alarm=alarm).join(sampled, on=["target_code", "period_year"])
        if rule not in RULES or known.is_empty():
            rows.append([*own, None, None, None, None, None])
            continue
        a, b = known["alarm"], known["is_problem"]
        hits, alarms, problems, sound = int((a & b).sum()), int(a.sum()), int(b.sum()), int((~b).sum())
        rows.append(
            [*own, hits, problems, _share(hits, alarms), _share(alarms - hits, sound), _share(hits, problems)]
        )
    kinds = [pl.String, *[pl.Int64] * 3, pl.Float64, *[pl.Int64] * 2, *[pl.Float64] * 3]
    return pl.DataFrame(rows, schema=dict(zip(COLUMNS, kinds, strict=True)), orient="row")


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
