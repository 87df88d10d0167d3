"""How students are looked after and judged: warnings, training in standards and safety, misconduct, reviews of theses."""

import numpy as np
import polars as pl

from yuyan_demo.simulator import people
from yuyan_demo.simulator.columns import (
    NEVER,
    dates,
    day,
    decimals,
    flags,
    integers,
    join,
    null_unless,
    padded,
    pick,
    running,
    stream,
    weighted,
)

Frames = dict[str, pl.DataFrame]
FIRST_WARNING, FIRST_TRAINING, FIRST_REVIEW = day(2021, 1, 1), day(2020, 8, 1), day(2023, 1, 1)


def frames(seed: int, made: Frames) -> Frames:
    """academic_warning, compliance_training, misconduct_case, thesis_review."""
    return {
        "academic_warning": _warnings(seed, made),
        "compliance_training": _trainings(seed, made),
        "misconduct_case": _misconduct(seed, made),
        "thesis_review": _reviews(seed, made),
    }


def _numbers(frame: pl.DataFrame, name: str) -> np.ndarray:
    """Day numbers of a date column, NEVER where it is empty."""
    return frame[name].str.to_date().cast(pl.Int32).cast(pl.Int64).fill_null(NEVER).to_numpy()


def _ids(src: pl.Series, mark: str, width: int) -> pl.Series:
    return join(src, mark, padded(running(np.unique(src.to_numpy(), return_inverse=True)[1]), width))


def _warnings(seed: int, made: Frames) -> pl.DataFrame:
    """Most of those who were later delayed or dropped out, and some others: a warning comes before the event, or never."""
    rng = stream(seed, 51)
    s = made["student"].filter(pl.col("status_code") != "30")
    trouble = (
        made["student_status_event"]
        .filter(pl.col("event_type").is_in(["06", "31"]))
        .sort("event_on")
        .unique("student_id", keep="first", maintain_order=True)
        .select("student_id", "event_type", pl.col("event_on").alias("trouble_on"))
    )
    s = s.join(trouble, on="student_id", how="left").sort("student_id")
    entry, left, on = (_numbers(s, name) for name in ("entry_on", "left_on", "trouble_on"))
    dropped = (s["event_type"] == "31").fill_null(False).to_numpy()
    known = on < NEVER
    foreseen = np.flatnonzero(known & (rng.random(len(s)) < np.where(dropped, 0.6, 0.7)))
    others = np.flatnonzero(~known & (rng.random(len(s)) < 0.03))
    index = np.concatenate([foreseen, others])
    until = np.minimum(np.minimum(left, people.AS_OF), np.where(known, on, NEVER))[index]
    issued = np.where(
        known[index],
        until - rng.integers(20, 240, len(index)),
        entry[index] + (rng.random(len(index)) * np.maximum(until - entry[index], 1)).astype(np.int64),
    )
    keep = (
        (issued >= FIRST_WARNING)
        & (issued > entry[index] + 20)
        & (issued < people.AS_OF)
        & (issued < left[index])
    )
    index, issued = index[keep], issued[keep]
    n = len(index)
    severe = dropped[index]
    closed = issued + np.where(rng.random(n) < 0.8, rng.integers(15, 88, n), rng.integers(90, 260, n))
    closed = np.where((rng.random(n) < 0.9) & (closed < people.AS_OF), closed, NEVER)
    src = s["src_inst_code"].gather(index)
    outcome = np.where(known[index], np.where(severe, 2, 1), 0)
    return pl.DataFrame(
        {
            "src_inst_code": src,
            "warning_id": _ids(src, "-YJ", 5),
            "student_id": s["student_id"].gather(index),
            "warning_level": integers(1 + np.where(severe, 1 + rng.integers(0, 2, n), rng.integers(0, 2, n))),
            "reason_code": pick(
                ("10", "20", "30", "40", "50", "60"), weighted(rng, (0.35, 0.15, 0.2, 0.2, 0.05, 0.05), n)
            ),
            "issued_on": dates(issued),
            "closed_on": dates(closed),
            "outcome_code": null_unless(pick(("10", "20", "30"), outcome), closed < NEVER),
        }
    )


def _trainings(seed: int, made: Frames) -> pl.DataFrame:
    """Integrity and standards for everyone since 2020, ethics in engineering, safety where there are laboratories."""
    rng = stream(seed, 52)
    s = made["student"].filter(pl.col("status_code") != "30").sort("student_id")
    entry = _numbers(s, "entry_on")
    s, entry = s.filter(pl.Series(entry >= FIRST_TRAINING)), entry[entry >= FIRST_TRAINING]
    category = s["degree_point_id"].str.slice(10, 2)
    experimental = category.is_in(["07", "08", "09", "10"]).to_numpy()
    engineering = ((category == "08") & (s["degree_type"] == "2")).to_numpy()
    every = np.ones(len(s), dtype=bool)
    parts = []
    for kind, whom in (("10", experimental), ("20", every), ("30", engineering), ("40", every)):
        who = np.flatnonzero(whom)
        parts.append((who, np.full(len(who), kind)))
    index, kind = (np.concatenate(x) for x in zip(*parts, strict=True))
    n = len(index)
    passed = entry[index] + rng.integers(3, 20, n)
    passed = np.where((rng.random(n) < 0.985) & (passed < people.AS_OF), passed, NEVER)
    safety = kind == "10"
    lasts = np.where(rng.random(n) < 0.02, 700, 1830)
    valid = np.where(safety & (passed < NEVER), passed + lasts, NEVER)
    granted = (passed < NEVER) | (rng.random(n) < 0.25)
    src = s["src_inst_code"].gather(index)
    return pl.DataFrame(
        {
            "src_inst_code": src,
            "training_id": _ids(src, "-GF", 7),
            "student_id": s["student_id"].gather(index),
            "kind_code": pl.Series(kind, dtype=pl.String),
            "required": flags(np.ones(n, dtype=bool)),
            "passed_on": dates(passed),
            "valid_to": dates(valid),
            "lab_access_granted": null_unless(flags(granted), safety),
        }
    )


def _misconduct(seed: int, made: Frames) -> pl.DataFrame:
    """A handful of decided cases per institution and two years; nobody is named."""
    rng = stream(seed, 53)
    points = made["degree_point"].filter(pl.col("status_code") == "10").sort("degree_point_id")
    codes = points["src_inst_code"].unique().sort()
    src = pl.concat([codes] * 4)
    n = len(src)
    first = points.group_by("src_inst_code").agg(pl.col("degree_point_id")).sort("src_inst_code")
    chosen = [rows[int(rng.integers(len(rows)))] for rows in [*first["degree_point_id"].to_list()] * 4]
    supervisor = rng.random(n) < 0.4
    category = np.where(supervisor, np.where(rng.random(n) < 0.6, 3, 4), rng.integers(0, 3, n))
    return pl.DataFrame(
        {
            "src_inst_code": src,
            "case_id": _ids(src, "-XF", 4),
            "subject_kind": pick(("S", "T"), supervisor),
            "degree_point_id": pl.Series(chosen, dtype=pl.String),
            "category_code": pick(("10", "20", "30", "40", "50"), category),
            "decided_on": dates(day(2022, 1, 10) + rng.integers(0, people.AS_OF - day(2022, 1, 10), n)),
            "result_code": pick(("10", "20", "90"), weighted(rng, (0.6, 0.25, 0.15), n)),
        }
    )


def _reviews(seed: int, made: Frames) -> pl.DataFrame:
    """Two blind reviews and a defence of every thesis submitted since 2023; whom the first round sends back has a second."""
    rng = stream(seed, 54)
    thesis = made["thesis"].filter(pl.col("submitted_on").is_not_null()).sort("thesis_id")
    submitted = _numbers(thesis, "submitted_on")
    keep = submitted >= FIRST_REVIEW
    thesis, submitted = thesis.filter(pl.Series(keep)), submitted[keep]
    returned = rng.random(len(thesis)) < 0.05
    parts = []
    for kind, first, whom in (
        ("10", 5, None),
        ("10", 5, None),
        ("30", 26, returned),
        ("40", 40, None),
    ):
        who = np.arange(len(thesis)) if whom is None else np.flatnonzero(whom)
        parts.append((who, np.full(len(who), kind), submitted[who] + first + rng.integers(0, 18, len(who))))
    index, kind, on = (np.concatenate(x) for x in zip(*parts, strict=True))
    past = on < people.AS_OF
    index, kind, on = index[past], kind[past], on[past]
    n = len(index)
    blind = kind == "10"
    result = np.where(blind & returned[index], 2, weighted(rng, (0.7, 0.28, 0.02), n) % 2)
    score = np.where(result == 2, 55 + 5 * rng.random(n), 72 + 24 * rng.random(n))
    src = thesis["src_inst_code"].gather(index)
    enterprise = (thesis["output_kind"].gather(index) == "2").to_numpy() | (rng.random(n) < 0.06)
    return pl.DataFrame(
        {
            "src_inst_code": src,
            "review_id": _ids(src, "-PS", 7),
            "thesis_id": thesis["thesis_id"].gather(index),
            "round_no": pick(("1", "2"), kind == "30"),
            "review_kind": pl.Series(kind, dtype=pl.String),
            "reviewer_kind": pick(("10", "20", "30"), np.where(blind, np.where(enterprise, 2, 1), 0)),
            "result_code": integers(1 + result),
            "score": null_unless(decimals(score, 2), kind != "40"),
            "reviewed_on": dates(on),
        }
    )
