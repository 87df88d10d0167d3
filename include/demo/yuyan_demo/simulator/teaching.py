"""Supervisors and who supervises whom; courses, their revisions, offerings and evaluations."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from yuyan_demo.simulator import catalogue as cat
from yuyan_demo.simulator import people
from yuyan_demo.simulator.columns import (
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

CAMPUS, INDUSTRY, EXPERT, OVERSEAS = 1, 2, 3, 4
DOCTORAL, MASTERS, PART_TIME = 1, 2, 3


@dataclass
class Supervisors:
    """Supervisors as arrays; `unit` is an index into Catalogue.units (−1: not on campus)."""

    inst: np.ndarray
    unit: np.ndarray
    kind: np.ndarray
    qualification: np.ndarray
    person: np.ndarray
    ids: pl.Series


def supervisors(seed: int, s: people.Students, catalogue: cat.Catalogue) -> Supervisors:
    """Two or more per college, about one per six students; others from outside by institution; a few at two institutions.

    The first of every college may supervise doctoral students. Whoever is at two institutions is part-time at one.
    """
    rng = stream(seed, 21)
    load = np.bincount(unit_of(s, catalogue)[s.left > people.AS_OF], minlength=len(catalogue.units))
    unit = np.repeat(np.arange(len(catalogue.units)), np.maximum(2, load // 6))
    codes = {c: i for i, c in enumerate(catalogue.inst_codes)}
    unit_inst = np.array([codes[u[0]] for u in catalogue.units])
    per_inst = np.bincount(unit_inst[unit], minlength=len(codes))
    mentors = np.repeat(np.arange(len(codes)), np.maximum(3, per_inst // 6))
    experts = np.tile(np.arange(len(codes)), 2)
    inst = np.concatenate([unit_inst[unit], mentors, experts])
    others = [len(mentors), len(codes), len(codes)]
    kind = np.repeat([CAMPUS, INDUSTRY, EXPERT, OVERSEAS], [len(unit), *others])
    is_head = running(unit) == 0
    qualification = np.full(len(inst), PART_TIME)
    qualification[: len(unit)] = np.where(is_head | (rng.random(len(unit)) < 0.35), DOCTORAL, MASTERS)
    person = people.SUPERVISOR_PERSONS + np.arange(len(inst))
    twice = max(3, len(unit) // 100)
    first, second = rng.choice(len(unit), (2, twice), replace=False)
    apart = (inst[first] != inst[second]) & ~is_head[second]
    person[second[apart]], qualification[second[apart]] = person[first[apart]], PART_TIME
    ids = join(pick(catalogue.inst_codes, inst), "8", padded(running(inst), 5))
    unit = np.concatenate([unit, np.full(sum(others), -1)])
    return Supervisors(inst, unit, kind, qualification, person, ids)


def unit_of(s: people.Students, catalogue: cat.Catalogue) -> np.ndarray:
    """Index into Catalogue.units of every registration's college."""
    index = {u[:2]: i for i, u in enumerate(catalogue.units)}
    programme_unit = np.array([index[catalogue.points[p.point].inst, p.unit] for p in catalogue.programmes])
    return programme_unit[s.programme]


def supervisor_frame(
    seed: int, t: Supervisors, busy: pl.Series, catalogue: cat.Catalogue, enterprises: pl.DataFrame
) -> pl.DataFrame:
    """The entity `supervisor`. Nobody who is `busy` (ids of those who supervise someone today) has left."""
    rng = stream(seed, 22)
    n = len(t.inst)
    inst = pick(catalogue.inst_codes, t.inst)
    campus, mentor, expert = (t.kind == k for k in (CAMPUS, INDUSTRY, EXPERT))
    company = rng.integers(0, len(enterprises), n)
    number = t.person - people.SUPERVISOR_PERSONS
    rank = weighted(rng, (0.45, 0.45, 0.1), n)
    rank = np.where((t.qualification == DOCTORAL) & (rank == 2), 1, rank)
    state = weighted(rng, (0.9, 0.05, 0.05), n)
    state = np.where(t.ids.is_in(busy.implode()).to_numpy() & (state == 2), 0, state)
    place = pl.select(
        pl.when(pl.Series(mentor))
        .then(enterprises["region_code"].gather(company))
        .otherwise(pick(("110000", "310000", "510000"), number % 3))
    ).to_series()
    return pl.DataFrame(
        {
            "src_inst_code": inst,
            "supervisor_id": t.ids,
            "person_name": people.names(t.person),
            "mobile": people.mobiles(t.person),
            "cert_type": text("01", n),
            "cert_no": people.identity(t.person, 1962 + number % 30)["cert_no"],
            "inst_code": null_unless(inst, campus),
            "unit_code": null_unless(pick([u[1] for u in catalogue.units], np.maximum(t.unit, 0)), campus),
            "supervisor_kind": integers(t.kind),
            "title_code": pick(("011", "012", "013"), rank),
            "qualification_code": integers(t.qualification),
            "employer_uscc": null_unless(enterprises["uscc"].gather(company), mentor),
            "employer_region_code": null_unless(place, mentor | expert),
            "nationality_code": pick(("CHN", "DEU"), t.kind == OVERSEAS),
            "first_appointed_on": dates(day(1998, 9, 1) + (rng.random(n) ** 0.7 * 9900).astype(np.int64)),
            "status_code": pick(("10", "20", "90"), state),
        }
    )


def first_supervisor(seed: int, s: people.Students, t: Supervisors, catalogue: cat.Catalogue) -> np.ndarray:
    """Index of each registration's first supervisor: someone of its college, for doctors one who may supervise them."""
    rng, unit = stream(seed, 23), unit_of(s, catalogue)
    anyone, qualified = (
        who[Groups(t.unit[who], len(catalogue.units)).draw(rng, unit)]
        for who in (np.flatnonzero(t.kind == CAMPUS), np.flatnonzero(t.qualification == DOCTORAL))
    )
    return np.where(s.level == 1, qualified, anyone)


def student_supervisor(
    seed: int, s: people.Students, ids: pl.Series, t: Supervisors, first: np.ndarray, catalogue: cat.Catalogue
) -> pl.DataFrame:
    """First supervisors of all who came; industry mentors of 40 % of the professional, co-supervisors of a tenth."""
    rng = stream(seed, 24)
    n = len(s)
    came = s.fate != people.RESERVED
    mentors = np.flatnonzero(t.kind == INDUSTRY)
    mentor = mentors[Groups(t.inst[mentors], len(catalogue.inst_codes)).draw(rng, s.inst)]
    campus = np.flatnonzero(t.kind == CAMPUS)
    second = campus[Groups(t.inst[campus], len(catalogue.inst_codes)).draw(rng, s.inst)]
    start = s.entry + 10 + rng.integers(0, 20, n)
    present = came & (start < np.minimum(s.left, people.AS_OF))
    draw = rng.random(n)
    parts = [
        (np.flatnonzero(present), first, "10"),
        (np.flatnonzero(present & (s.type == 2) & (draw < 0.4)), mentor, "30"),
        (np.flatnonzero(present & (draw > 0.9)), second, "20"),
    ]
    index = np.concatenate([i for i, *_ in parts])
    who = np.concatenate([w[i] for i, w, _ in parts])
    return pl.DataFrame(
        {
            "src_inst_code": pick(catalogue.inst_codes, s.inst[index]),
            "student_id": ids.gather(index),
            "supervisor_id": t.ids.gather(who),
            "role_code": pl.concat([text(r, len(i)) for i, _, r in parts]),
            "from_on": dates(start[index]),
            "to_on": dates(s.left[index]),
        }
    )


def course_frames(
    seed: int, s: people.Students, t: Supervisors, catalogue: cat.Catalogue
) -> dict[str, pl.DataFrame]:
    """course, course_revision, course_offering and course_evaluation since the academic year 2016-2017."""
    rng = stream(seed, 25)
    load = np.bincount(unit_of(s, catalogue)[s.left > people.AS_OF], minlength=len(catalogue.units))
    unit = np.repeat(np.arange(len(catalogue.units)), np.maximum(3, np.minimum(load // 8, 90)))
    n = len(unit)
    inst = pick([u[0] for u in catalogue.units], unit)
    ids = join(inst, "-C", padded(running(np.unique(inst.to_numpy(), return_inverse=True)[1]), 5))
    core = rng.random(n) < 0.4
    since = rng.choice(np.arange(2008, 2023), n)
    tags = ("AI1", "AI2", "SZ", "JC", "CX", "ZH", "XQ", "QY", "SZ;QY", "AI1;XQ")
    course = pl.DataFrame(
        {
            "src_inst_code": inst,
            "course_id": ids,
            "inst_code": inst,
            "unit_code": pick([u[1] for u in catalogue.units], unit),
            "course_name": join(
                pick(_SUBJECTS, rng.integers(0, len(_SUBJECTS), n)),
                pick(_FORMS, rng.integers(0, len(_FORMS), n)),
            ),
            "course_rank_code": integers(1 + weighted(rng, (0.4, 0.35, 0.15, 0.1), n)),
            "is_core": flags(core),
            "core_basis_code": null_unless(pick(("1", "2"), rng.integers(0, 2, n)), core),
            "core_from": dates(days(since + 1, 9, 1), core),
            "core_to": text(None, n),
            "credits": decimals(rng.choice([1.0, 1.5, 2.0, 2.0, 3.0], n), 1),
            "tag_codes": null_unless(pick(tags, rng.integers(0, len(tags), n)), rng.random(n) < 0.3),
            "active_from": dates(days(since, 9, 1)),
            "active_to": text(None, n),
        }
    )
    revision = _revisions(rng, course, since)
    offering, size = _offerings(rng, course, revision, unit, since, t, catalogue)
    return {
        "course": course,
        "course_revision": revision,
        "course_offering": offering,
        "course_evaluation": _evaluations(rng, offering, size),
    }


_SUBJECTS = ("数值分析", "矩阵论", "机器学习", "材料科学基础", "分子生物学", "高级宏观经济学", "法理学",
             "结构动力学", "现代控制理论",
             "语言学理论", "教育研究方法", "临床流行病学", "工程伦理", "科技论文写作", "知识产权", "项目管理",
             "大数据技术", "设计思维")  # fmt: skip
_FORMS = ("", "（前沿）", "专题", "（案例）", "实践", "（双语）", "研讨")


def _revisions(rng: np.random.Generator, course: pl.DataFrame, since: np.ndarray) -> pl.DataFrame:
    times = counts(rng, np.full(len(course), 1.6)) + 1
    index = np.repeat(np.arange(len(course)), times)
    step = running(index)
    year = np.maximum(since[index], 2015) + step * 3
    keep = year <= 2026
    index, step, year = index[keep], step[keep], year[keep]
    kind = np.where(step == 0, 0, 1 + (rng.random(len(index)) < 0.35))
    approved = days(year, 5, 10) + rng.integers(0, 60, len(index))
    src = course["src_inst_code"].gather(index)
    ids = join(src, "-R", course["course_id"].gather(index).str.slice(7), "-", integers(step))
    return pl.DataFrame(
        {
            "src_inst_code": src,
            "revision_id": ids,
            "course_id": course["course_id"].gather(index),
            "revision_kind": integers(1 + kind),
            "changed_content_ratio": null_unless(decimals(0.05 + 0.4 * rng.random(len(index)), 4), kind > 0),
            "approved_on": dates(approved),
            "effective_term": join(integers(year), "-", integers(year + 1), "-1"),
            "evidence_uri": join("https://example.edu.cn/kc/", ids),
            "approver_kind": integers(1 + weighted(rng, (0.3, 0.5, 0.2), len(index))),
        }
    )


def _offerings(
    rng: np.random.Generator,
    course: pl.DataFrame,
    revision: pl.DataFrame,
    unit: np.ndarray,
    since: np.ndarray,
    t: Supervisors,
    catalogue: cat.Catalogue,
) -> tuple[pl.DataFrame, np.ndarray]:
    years = np.arange(2016, 2027)
    index, year = np.repeat(np.arange(len(course)), len(years)), np.tile(years, len(course))
    term = 1 + index % 2
    held = (rng.random(len(index)) < 0.8) & (since[index] <= year) & ((year < 2026) | (term == 1))
    index, year, term = index[held], year[held], term[held]
    campus = np.flatnonzero(t.kind == CAMPUS)
    groups = Groups(t.unit[campus], len(catalogue.units))
    teachers = [t.ids.gather(campus[groups.draw(rng, unit[index])]) for _ in range(2)]
    shared = (rng.random(len(index)) < 0.25) & (teachers[0] != teachers[1]).to_numpy()
    pair = join(teachers[0], ";", teachers[1])
    size = 8 + rng.integers(0, 50, len(index))
    src = course["src_inst_code"].gather(index)
    frame = pl.DataFrame(
        {
            "src_inst_code": src,
            "offering_id": join(
                src, "-K", course["course_id"].gather(index).str.slice(7), "-", integers(year), integers(term)
            ),
            "course_id": course["course_id"].gather(index),
            "revision_id": _version_used(course["course_id"].gather(index), year, revision),
            "academic_year": join(integers(year), "-", integers(year + 1)),
            "term_code": integers(term),
            "teacher_ids": pl.select(
                pl.when(pl.Series(shared)).then(pair).otherwise(teachers[0])
            ).to_series(),
            "enrolled_cnt": integers(size),
            "is_cross_inst_open": flags(rng.random(len(index)) < 0.06),
            "delivery_mode": integers(1 + weighted(rng, (0.75, 0.05, 0.2), len(index))),
        }
    )
    return frame, size


def _version_used(course: pl.Series, year: np.ndarray, revision: pl.DataFrame) -> pl.Series:
    """The last revision of each course that took effect by the academic year; null where there is none."""
    known = revision.select(
        "course_id", "revision_id", pl.col("effective_term").str.slice(0, 4).cast(pl.Int64).alias("year")
    ).sort("year")
    held = pl.DataFrame({"course_id": course, "year": pl.Series(year, dtype=pl.Int64)}).with_row_index("i")
    found = held.sort("year").join_asof(known, on="year", by="course_id", check_sortedness=False)
    return found.sort("i")["revision_id"]


def _evaluations(rng: np.random.Generator, offering: pl.DataFrame, size: np.ndarray) -> pl.DataFrame:
    """Answers per offering that has ended; the instrument changed after 2019-2020. About 87 % content, slowly rising."""
    year = offering["academic_year"].str.slice(0, 4).cast(pl.Int64).to_numpy()
    term = offering["term_code"].cast(pl.Int64).to_numpy()
    end = np.where(term == 1, days(year + 1, 1, 15), days(year + 1, 7, 5)) + rng.integers(0, 15, len(year))
    done = np.flatnonzero((end < people.AS_OF) & (rng.random(len(year)) < 0.93))
    year, size = year[done], size[done]
    response = rng.binomial(size, 0.66 + 0.25 * rng.random(len(done)))
    content = rng.binomial(
        response, np.clip(0.845 + 0.004 * (year - 2016) + 0.06 * rng.standard_normal(len(done)), 0.5, 0.99)
    )
    rest = response - content
    n5 = rng.binomial(content, 0.45)
    n3 = rng.binomial(rest, 0.7)
    n2 = rng.binomial(rest - n3, 0.7)
    parts = {"n1": rest - n3 - n2, "n2": n2, "n3": n3, "n4": content - n5, "n5": n5}
    return pl.DataFrame(
        {
            "src_inst_code": offering["src_inst_code"].gather(done),
            "offering_id": offering["offering_id"].gather(done),
            "instrument_version": pick(("V1", "V2"), year >= 2020),
            "eligible_cnt": integers(size),
            "response_cnt": integers(response),
            **{k: integers(v) for k, v in parts.items()},
            "collected_to": dates(end[done]),
        }
    )
