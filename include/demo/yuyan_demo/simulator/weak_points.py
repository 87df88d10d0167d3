"""Degree points of which enough theses are sampled to be judged, some of them weak: the books of what is planted.

The sampling of theses takes 5 % of the masters' theses, so that hardly a degree point of a city at the default scale reaches
the ten sampled theses of three years below which nothing is said of it. Of the points of `PLANTED` about `SHARE` of the
theses of every year are sampled, in strata of their own (K behind the code) with the inclusion probability that they have.
`Story.problems` says in which sampling years theses have problems, and how many at least; other years are clean unless the
ordinary sample found something. What was done about a weak point: `accountability.WEAK`.
"""

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from yuyan_demo.simulator import people
from yuyan_demo.simulator.columns import (
    dates,
    decimals,
    integers,
    join,
    null_unless,
    pick,
    running,
    stream,
    text,
)

YEARS = range(2022, 2027)
SHARE = 0.6
FIRST_NUMBER = 900_000
"""Serial numbers of the samplings of a year that are taken here begin with it."""


@dataclass(frozen=True)
class Story:
    """What is planted at one degree point: sampling year -> theses with problems, and what is to be seen of it."""

    point: str
    state: str
    what: str
    problems: dict[int, int] = field(default_factory=dict)


PLANTED = (
    Story("10618-2-2-1256", "WEAK", "连续两年有存在问题论文，尚无案件", {2024: 1, 2025: 2, 2026: 2}),
    Story("10631-2-1-1001", "WEAK", "连续两年有存在问题论文，已预警并限期整改", {2024: 1, 2025: 2, 2026: 2}),
    Story("10611-2-1-0808", "WEAK", "连续两年有存在问题论文，整改逾期", {2022: 1, 2023: 2, 2024: 1, 2025: 1}),
    Story("10637-2-1-0701", "WEAK", "连续两年有存在问题论文，90天后才预警", {2024: 2, 2025: 2, 2026: 1}),
    Story("10618-2-2-0855", "WEAK", "复查不通过，核减招生计划", {2023: 1, 2024: 2, 2025: 2, 2026: 1}),
    Story("10655-2-1-1301", "RECOVERED", "整改通过后解除，此后没有存在问题论文", {2022: 1, 2023: 2}),
    Story("10617-2-1-0810", "SHAKY", "三年一篇存在问题论文", {2025: 1}),
    Story("10635-2-2-0855", "SHAKY", "三年一篇存在问题论文", {2026: 1}),
    Story("10635-2-1-0501", "SHAKY", "三年两篇、不连续", {2024: 1, 2026: 1}),
    *(
        Story(point, "SOUND", "抽检足数，没有存在问题论文")
        for point in (
            "10611-2-1-0702", "10611-2-2-1256", "10617-2-2-1256", "10618-2-1-0823", "10618-2-2-0861", "10631-2-1-0710",
            "10635-2-1-0401", "10635-2-2-0854", "10637-2-2-0951", "10643-2-2-0451", "10650-2-1-0502", "10650-2-2-0551",
            "11551-2-1-0703", "91012-2-1-1002",
        )
    ),
)  # fmt: skip
STORIES = {story.point: story for story in PLANTED}

Frames = dict[str, pl.DataFrame]
STRATUM = ("src_inst_code", "degree_level", "degree_type", "sampling_year", "is_planted")


def samplings(seed: int, made: Frames) -> Frames:
    """thesis_sampling and thesis_sampling_review with the additional samplings behind those that are there.

    What is there stays, but for stratum and inclusion probability where a stratum has lost its planted points.
    """
    frame, rng = _frame(made["degree_award"]), stream(seed, 44)
    ordinary = _with_award(made["thesis_sampling"], frame)
    new = _additional(rng, frame, ordinary)
    kept = ordinary.select(*made["thesis_sampling"].columns, *STRATUM[1:3], "is_planted", "src_of_award")
    sampled = pl.concat([kept, _records(rng, new, made, kept.columns)])
    sampled = _design(sampled, frame).select(made["thesis_sampling"].columns)
    reviews = _reviews(rng, sampled[len(ordinary) :], made["thesis_sampling_review"].columns)
    return {
        "thesis_sampling": sampled,
        "thesis_sampling_review": pl.concat([made["thesis_sampling_review"], reviews]),
    }


def _frame(awards: pl.DataFrame) -> pl.DataFrame:
    """Awards of the academic years that are sampled here: award, point, stratum and sampling year."""
    on = pl.col("awarded_on").str.to_date()
    year = on.dt.year() + (on.dt.month() >= 9).cast(pl.Int32) + 1
    return awards.with_columns(
        year.alias("year"),
        year.cast(pl.String).alias("sampling_year"),
        pl.col("degree_point_id").is_in(list(STORIES)).alias("is_planted"),
        pl.col("src_inst_code").alias("src_of_award"),
    ).filter(pl.col("year").is_in(list(YEARS)))


def _with_award(sampled: pl.DataFrame, frame: pl.DataFrame) -> pl.DataFrame:
    """The samplings, each with the stratum of its award; one of other years has none."""
    stratum = frame.select(
        "award_id", "sampling_year", "degree_level", "degree_type", "is_planted", "src_of_award"
    )
    return sampled.join(stratum, on=["award_id", "sampling_year"], how="left", maintain_order="left")


def _additional(rng: np.random.Generator, frame: pl.DataFrame, ordinary: pl.DataFrame) -> pl.DataFrame:
    """Awards of planted points that are sampled besides, with `has_problems`; by point and year."""
    counted = (pl.col("is_targeted") == "false") & (pl.col("authority_code") != "3")
    per = ["degree_point_id", "sampling_year"]
    had = ordinary.filter(counted).group_by(per).agg(
        pl.len().alias("had"), (pl.col("verdict_code") == "2").sum().alias("found")
    )  # fmt: skip
    pool = frame.filter("is_planted").sort("award_id")
    pool = pool.with_columns(pl.Series("order", rng.random(len(pool))))
    sizes = pool.group_by(per).agg(pl.len().alias("size"))
    pool = pool.join(ordinary, on=["award_id", "sampling_year"], how="anti")
    pool = pool.join(sizes, on=per).join(had, on=per, how="left").sort(*per, "order")
    place = pl.int_range(pl.len()).over(per)
    wanted = (SHARE * pl.col("size")).ceil() - pl.col("had").fill_null(0)
    problems = pl.DataFrame(
        [(s.point, str(year), n) for s in PLANTED for year, n in s.problems.items()],
        schema={"degree_point_id": pl.String, "sampling_year": pl.String, "problems": pl.Int64},
        orient="row",
    )
    return (
        pool.join(problems, on=per, how="left", maintain_order="left")
        .with_columns(place.alias("place"))
        .filter(pl.col("place") < wanted)
        .with_columns(
            (pl.col("place") < pl.col("problems").fill_null(0) - pl.col("found").fill_null(0)).alias(
                "has_problems"
            )
        )
    )


def _records(rng: np.random.Generator, new: pl.DataFrame, made: Frames, columns: list[str]) -> pl.DataFrame:
    n = len(new)
    year = new["year"].to_numpy()
    supervisor = made["thesis"].select("thesis_id", "supervisor_id")
    decided = np.array([_day_of(int(y)) for y in year], dtype=np.int64) + rng.integers(0, 50, n)
    doctor = (new["degree_level"] == "1").to_numpy()
    return (
        new.with_columns(
            pl.lit("50000").alias("src_inst_code"),
            join("50000-Q", new["sampling_year"], integers(FIRST_NUMBER + running(year))).alias(
                "sampling_id"
            ),
            pick(("2", "1"), doctor).alias("authority_code"),
            join(integers(year - 2), "-", integers(year - 1)).alias("frame_ay"),
            pl.lit("").alias("stratum_code"),
            pl.lit("").alias("inclusion_prob"),
            pl.lit("false").alias("is_targeted"),
            pl.when("has_problems").then(pl.lit("2")).otherwise(pl.lit("1")).alias("verdict_code"),
            dates(decided).alias("verdict_on"),
            pl.lit("00").alias("appeal_state"),
        )
        .join(supervisor, on="thesis_id", maintain_order="left")
        .select(columns)
    )


def _day_of(year: int) -> int:
    return (np.datetime64(f"{year}-08-20") - np.datetime64("1970-01-01")).astype(int)


def _design(sampled: pl.DataFrame, frame: pl.DataFrame) -> pl.DataFrame:
    """Stratum and inclusion probability of the strata that have planted points, and of what is left of the others."""
    per = ["src_of_award", *STRATUM[1:]]
    sizes = frame.group_by(per).agg(pl.len().alias("size"))
    taken = sampled.filter(pl.col("is_targeted") == "false").group_by(per).agg(pl.len().alias("taken"))
    touched = frame.filter("is_planted").select("src_of_award", *STRATUM[1:4]).unique()
    joined = (
        sampled.join(sizes, on=per, how="left", maintain_order="left")
        .join(taken, on=per, how="left", maintain_order="left")
        .join(
            touched.with_columns(pl.lit(True).alias("is_touched")),
            on=["src_of_award", *STRATUM[1:4]],
            how="left",
            maintain_order="left",
        )
    )
    planted = joined["is_planted"].fill_null(False).to_numpy()
    design = joined["is_touched"].fill_null(False).to_numpy() & (joined["taken"].fill_null(0) > 0).to_numpy()
    share = (joined["taken"].fill_null(0) / joined["size"].fill_null(1)).to_numpy()
    letter = pick(("M", "D"), (joined["degree_level"] == "1").fill_null(False).to_numpy())
    code = join(letter, joined["degree_type"].fill_null(""), joined["src_of_award"].fill_null(""), "K")
    return joined.with_columns(
        pl.when(pl.Series(planted)).then(code).otherwise("stratum_code").alias("stratum_code"),
        pl.when(pl.Series(design))
        .then(decimals(share, 6))
        .otherwise("inclusion_prob")
        .alias("inclusion_prob"),
    )


def _reviews(rng: np.random.Generator, sampled: pl.DataFrame, columns: list[str]) -> pl.DataFrame:
    """Three opinions each: two of them against a thesis with problems, none against the others."""
    n = len(sampled)
    at, seat = np.repeat(np.arange(n), 3), np.tile(np.arange(3), n)
    problem = (sampled["verdict_code"] == "2").to_numpy()[at]
    failed = problem & (seat < 2)
    expert = people.EXPERT_PERSONS + (rng.integers(0, 400, n)[at] + 67 * seat) % 400
    named = people.identity(expert, 1965 + expert % 25)
    ids = sampled["sampling_id"].gather(at)
    on = sampled["verdict_on"].str.to_date().cast(pl.Int32).cast(pl.Int64).gather(at).to_numpy()
    return pl.DataFrame(
        {
            "src_inst_code": text("50000", 3 * n),
            "review_id": join("50000-V", ids.str.slice(7), "-", integers(seat + 1)),
            "sampling_id": ids,
            "round_no": text("1", 3 * n),
            "expert_name": named["person_name"],
            "cert_type": named["cert_type"],
            "cert_no": named["cert_no"],
            "opinion_code": integers(np.where(failed, 4, 1 + rng.integers(0, 3, 3 * n))),
            "reason_codes": null_unless(pick(("1", "2", "1;3", "2;4"), rng.integers(0, 4, 3 * n)), failed),
            "reviewed_on": dates(on - 40 - rng.integers(0, 15, 3 * n)),
        }
    ).select(columns)
