"""What students take and what it is made of: courses for degree points, enrolments since 2023-2024, teaching resources."""

import numpy as np
import polars as pl

from yuyan_demo.simulator import people
from yuyan_demo.simulator.columns import (
    NEVER,
    Groups,
    counts,
    dates,
    day,
    days,
    decimals,
    flags,
    integers,
    join,
    null_unless,
    padded,
    pick,
    running,
    stream,
    text,
    weighted,
)

Frames = dict[str, pl.DataFrame]
FIRST_YEAR = 2023
"""Enrolments are reported from the academic year 2023-2024 on."""
SICHUAN = (
    ("10610", "510100"),
    ("10613", "510100"),
    ("10614", "510100"),
    ("10615", "510100"),
    ("10626", "511800"),
)
"""Partners in Sichuan, whose courses are not reported here, and where they are."""
PASSED, FAILED, WITHDRAWN = "1", "2", "3"


def frames(seed: int, made: Frames) -> Frames:
    """course_degree_point, course_enrolment, teaching_resource."""
    return {
        "course_degree_point": _course_points(seed, made),
        "course_enrolment": _enrolments(seed, made),
        "teaching_resource": _resources(seed, made),
    }


def _index(frame: pl.DataFrame, *names: str) -> pl.Series:
    """College or other group of each row as one text."""
    return frame.select(pl.concat_str([pl.col(n).fill_null("-") for n in names], separator="|").alias("g"))[
        "g"
    ]


def _course_points(seed: int, made: Frames) -> pl.DataFrame:
    """Every course is for one to three degree points of its college, or of its institution where the college has none."""
    rng = stream(seed, 41)
    course = made["course"]
    points = made["degree_point"].filter(pl.col("status_code") == "10")
    times = 1 + weighted(rng, (0.55, 0.3, 0.15), len(course))
    row = np.repeat(np.arange(len(course)), times)
    drawn = _draw(
        rng, _index(points, "inst_code", "unit_code"), _index(course, "inst_code", "unit_code"), row
    )
    wider = _draw(rng, points["inst_code"], course["inst_code"], row)
    at = np.where(drawn >= 0, drawn, wider)
    known = at >= 0
    frame = pl.DataFrame(
        {
            "src_inst_code": course["src_inst_code"].gather(row[known]),
            "course_id": course["course_id"].gather(row[known]),
            "degree_point_id": points["degree_point_id"].gather(at[known]),
            "from_on": course["active_from"].gather(row[known]),
            "to_on": text(None, int(known.sum())),
        }
    )
    return frame.unique(("course_id", "degree_point_id"), keep="first", maintain_order=True)


def _draw(rng: np.random.Generator, members: pl.Series, wanted: pl.Series, row: np.ndarray) -> np.ndarray:
    """For each row of `wanted` one member of the same group; −1 where there is none."""
    groups = pl.concat([members, wanted]).rank("dense").to_numpy().astype(np.int64) - 1
    inside = Groups(groups[: len(members)], int(groups.max()) + 1)
    return inside.draw(rng, groups[len(members) :][row])


def _enrolments(seed: int, made: Frames) -> pl.DataFrame:
    """Nine in the first year, six in the second, fewer later; some at other institutions and in Sichuan."""
    rng = stream(seed, 42)
    s = (
        made["student"]
        .filter(pl.col("status_code") != "30")
        .select(
            "student_id",
            pl.col("src_inst_code").alias("inst"),
            _index(made["student"].filter(pl.col("status_code") != "30"), "inst_code", "unit_code").alias(
                "college"
            ),
            pl.col("entry_on").str.to_date().cast(pl.Int32).cast(pl.Int64).alias("entry"),
            pl.col("left_on").str.to_date().cast(pl.Int32).cast(pl.Int64).fill_null(NEVER).alias("left"),
        )
    )
    courses = made["course"].select("course_id", "inst_code", "unit_code", "credits")
    offered = (
        made["course_offering"]
        .with_columns(pl.col("academic_year").str.slice(0, 4).cast(pl.Int64).alias("year"))
        .filter(pl.col("year") >= FIRST_YEAR)
        .join(courses, on="course_id")
    )
    college = _index(offered, "inst_code", "unit_code")
    year_text = offered["academic_year"]
    entry, left = s["entry"].to_numpy(), s["left"].to_numpy()
    parts = []
    for year in range(FIRST_YEAR, 2027):
        begin = day(year, 9, 1)
        here = np.flatnonzero((entry < begin + 45) & (left > begin + 130))
        nth = (begin + 45 - entry[here]) // 365
        half = 0.5 if year == 2026 else 1.0
        times = counts(rng, np.select([nth == 0, nth == 1], [10.5, 8.0], 4.5) * half)
        parts.append((np.repeat(here, times), np.full(int(times.sum()), year)))
    who, year = (np.concatenate(x) for x in zip(*parts, strict=True))
    label = join(integers(year), "-", integers(year + 1))
    kind = weighted(rng, (0.948, 0.04, 0.012), len(who))
    every = np.arange(len(who))
    own = _draw(rng, join(college, "|", year_text), join(s["college"].gather(who), "|", label), every)
    wide = _draw(
        rng, join(offered["inst_code"], "|", year_text), join(s["inst"].gather(who), "|", label), every
    )
    shared = np.flatnonzero((offered["is_cross_inst_open"] == "true").to_numpy())
    abroad = _draw(rng, year_text.gather(shared), label, every)
    at = np.where((own >= 0) & (rng.random(len(who)) < 0.4), own, wide)
    away = np.where(abroad >= 0, shared[np.maximum(abroad, 0)], -1) if len(shared) else np.full(len(who), -1)
    elsewhere = (
        (kind == 1)
        & (away >= 0)
        & (offered["inst_code"].gather(np.maximum(away, 0)) != s["inst"].gather(who)).to_numpy()
    )
    at = np.where(elsewhere, away, at)
    sichuan = kind == 2
    term = np.where(
        sichuan,
        np.where(year == 2026, 1, 1 + rng.integers(0, 2, len(who))),
        offered["term_code"].cast(pl.Int64).to_numpy()[np.maximum(at, 0)],
    )
    begins = np.where(term == 1, days(year, 9, 1), days(year + 1, 2, 20))
    ends = np.where(term == 1, days(year + 1, 1, 12), days(year + 1, 6, 25))
    fits = (sichuan | (at >= 0)) & (entry[who] < begins + 45) & (left[who] > ends - 20)
    chosen = pl.DataFrame({"who": who, "at": np.where(sichuan, -1 - every, at), "row": every}).filter(
        pl.Series(fits)
    )
    row = chosen.unique(("who", "at"), keep="first", maintain_order=True)["row"].to_numpy()
    who, year, at, sichuan, elsewhere, ends = (x[row] for x in (who, year, at, sichuan, elsewhere, ends))
    term, n = term[row], len(row)
    order = np.lexsort((term, year, who))
    who, year, at, sichuan, elsewhere, ends, term = (
        x[order] for x in (who, year, at, sichuan, elsewhere, ends, term)
    )
    result = weighted(rng, (0.945, 0.03, 0.025), n)
    ended = ends + 20 < people.AS_OF
    passed = ended & (result == 0)
    earned = np.where(sichuan, 2.0, offered["credits"].cast(pl.Float64).to_numpy()[np.maximum(at, 0)])
    cross = sichuan | elsewhere
    recognised_on = ends + rng.integers(15, 140, n)
    recognised = passed & cross & (rng.random(n) < 0.96) & (recognised_on < people.AS_OF)
    partner = rng.integers(0, len(SICHUAN), n)
    place = dict(made["institution"].select("inst_code", "region_code").iter_rows())
    host = offered["inst_code"].gather(np.maximum(at, 0))
    src = s["inst"].gather(who)
    number = running(np.unique(src.to_numpy(), return_inverse=True)[1])
    return pl.DataFrame(
        {
            "src_inst_code": src,
            "enrolment_id": join(src, "-XK", padded(number, 7)),
            "student_id": s["student_id"].gather(who),
            "offering_id": null_unless(offered["offering_id"].gather(np.maximum(at, 0)), ~sichuan),
            "academic_year": join(integers(year), "-", integers(year + 1)),
            "term_code": integers(term),
            "is_cross_inst": flags(cross),
            "partner_inst_code": pl.select(
                pl.when(pl.Series(sichuan))
                .then(pick([code for code, _ in SICHUAN], partner))
                .when(pl.Series(elsewhere))
                .then(host)
            ).to_series(),
            "partner_region_code": pl.select(
                pl.when(pl.Series(sichuan))
                .then(pick([region for _, region in SICHUAN], partner))
                .when(pl.Series(elsewhere))
                .then(host.replace_strict(place, default="500000"))
            ).to_series(),
            "result_code": null_unless(pick((PASSED, FAILED, WITHDRAWN), result), ended),
            "credits_earned": null_unless(decimals(earned, 1), passed),
            "credits_recognised": null_unless(decimals(earned, 1), recognised),
            "recognised_on": dates(recognised_on, recognised),
        }
    )


_KINDS = ("10", "20", "30", "40", "50")
_NAMES = ("教材", "教学案例", "虚拟仿真实验", "活页讲义", "课件")
_FIELDS = (
    "桥梁施工监测",
    "智能网联汽车",
    "城市轨道交通",
    "生态修复",
    "临床决策",
    "公司治理",
    "乡村振兴",
    "芯片封装",
    "数据治理",
)


def _resources(seed: int, made: Frames) -> pl.DataFrame:
    """Half a dozen or more per institution, by the size of its staff; cases are mostly made with enterprises."""
    rng = stream(seed, 43)
    staff = made["supervisor"].group_by("src_inst_code").len().sort("src_inst_code")
    inst = np.repeat(np.arange(len(staff)), np.maximum(8, staff["len"].to_numpy() // 4))
    n = len(inst)
    src = staff["src_inst_code"].gather(inst)
    kind = weighted(rng, (0.2, 0.4, 0.12, 0.13, 0.15), n)
    points = made["degree_point"].filter(pl.col("status_code") == "10")
    at = _draw(rng, points["inst_code"], src, np.arange(n))
    firms = made["enterprise"]["uscc"]
    together = rng.random(n) < np.where(kind == 1, 0.6, 0.2)
    done = day(2021, 1, 10) + rng.integers(0, people.AS_OF - day(2021, 1, 10), n)
    return pl.DataFrame(
        {
            "src_inst_code": src,
            "resource_id": join(src, "-JX", padded(running(inst), 5)),
            "inst_code": src,
            "kind_code": pick(_KINDS, kind),
            "title": join(pick(_FIELDS, rng.integers(0, len(_FIELDS), n)), pick(_NAMES, kind), "（模拟）"),
            "degree_point_id": null_unless(
                points["degree_point_id"].gather(np.maximum(at, 0)), (at >= 0) & (rng.random(n) < 0.8)
            ),
            "co_dev_uscc": null_unless(firms.gather(rng.integers(0, len(firms), n)), together),
            "completed_on": dates(done, rng.random(n) < 0.88),
            "list_project_id": text(None, n),
            "is_digital": flags((kind == 2) | (kind == 4) | (rng.random(n) < 0.35)),
            "level_code": pick(("60", "31", "23", "10"), weighted(rng, (0.65, 0.2, 0.1, 0.05), n)),
        }
    )
