"""Theses, degree awards, the sampling of theses and its expert reviews."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from yuyan_demo.simulator import catalogue as cat
from yuyan_demo.simulator import people
from yuyan_demo.simulator.columns import (
    NEVER,
    Groups,
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
from yuyan_demo.simulator.industry import Projects
from yuyan_demo.simulator.teaching import Supervisors

SAMPLING_YEARS = range(2016, 2027)
SAMPLED_SHARE = {1: 0.10, 2: 0.05}
"""Doctors 10 % (national), masters 5 % (municipal) of the awards of the academic year before the last."""


@dataclass
class Theses:
    """Theses as arrays; `student` is an index into the registrations."""

    student: np.ndarray
    opened: np.ndarray
    supervisor: np.ndarray
    practice: np.ndarray
    ids: pl.Series


def theses(
    seed: int, s: people.Students, ids: pl.Series, t: Supervisors, first: np.ndarray, projects: tuple[Projects, Projects],
    catalogue: cat.Catalogue, enterprises: pl.DataFrame,
) -> tuple[Theses, pl.DataFrame]:  # fmt: skip
    """One thesis per registration that has got as far as its topic; about 14 % of the topics come from the front line.

    `projects` are the commissioned and the practice projects, from which enterprise topics come.
    """
    rng = stream(seed, 41)
    share = np.where(s.level == 1, 0.5, 0.58)
    opened = (s.entry + share * (s.expected - s.entry) + rng.integers(-40, 40, len(s))).astype(np.int64)
    index = np.flatnonzero((opened < np.minimum(people.AS_OF, s.left - 120)) & (s.fate != people.RESERVED))
    n, opened = len(index), opened[index]
    year = opened / 365.25 + 1970
    professional, level = s.type[index] == 2, s.level[index]
    trend = 0.9 + 0.024 * np.clip(year - 2016, -3, 11)
    draw = rng.random(n)
    commissioned = draw < (0.045 + 0.045 * professional) * trend
    front = (draw > 0.55) & (draw < 0.55 + (0.035 + 0.07 * professional) * trend)
    both = commissioned & (rng.random(n) < 0.6)
    other = np.array(["02", "04", "05", "06", "07", "09", "16", "17", "90", "99"])
    topic = other[weighted(rng, (0.05, 0.05, 0.04, 0.2, 0.05, 0.17, 0.3, 0.01, 0.1, 0.03), n)]
    written = (s.fate[index] == people.GRADUATED) | (s.fate[index] == people.COMPLETED)
    submitted = np.where(written, s.left[index] - 30 - rng.integers(0, 40, n), NEVER)
    source, in_time = _source_projects(rng, s.inst[index], submitted, projects, len(catalogue.inst_codes))
    commissioned &= in_time
    both &= in_time
    evidence = np.where(commissioned, 1, 1 + weighted(rng, (0.1, 0.4, 0.35, 0.15), n))
    evidenced = both | front | (commissioned & (rng.random(n) < 0.7))
    practice = professional & (level == 2) & (year > 2023.5) & (rng.random(n) < 0.06)
    open_text = rng.random(n) < 0.985
    company = rng.integers(0, len(enterprises), n)
    src = pick(catalogue.inst_codes, s.inst[index])
    thesis_ids = join(src, "-T", ids.gather(index).str.slice(5))
    frame = pl.DataFrame(
        {
            "src_inst_code": src,
            "thesis_id": thesis_ids,
            "student_id": ids.gather(index),
            "degree_point_id": pick([p.id for p in catalogue.points], s.point[index]),
            "supervisor_id": t.ids.gather(first[index]),
            "output_kind": integers(1 + practice),
            "title": null_unless(_titles(rng, n), open_text),
            "thesis_type_code": integers(1 + weighted(rng, (0.3, 0.5, 0.15, 0.05), n)),
            "topic_source_code": pl.Series(np.where(commissioned, "14", topic)),
            "source_project_id": null_unless(source, commissioned),
            "frontline_flag": flags(both | front),
            "frontline_evidence_code": null_unless(integers(evidence), evidenced),
            "enterprise_uscc": null_unless(enterprises["uscc"].gather(company), both | front),
            "opened_on": dates(opened),
            "submitted_on": dates(submitted),
            "similarity_pct": null_unless(decimals(15 * rng.beta(2, 3, n), 2), written),
            "confidential_level": pick(("0", "1", "2"), np.where(open_text, 0, rng.integers(1, 3, n))),
        }
    )
    return Theses(index, opened, first[index], practice, thesis_ids), frame


def _source_projects(
    rng: np.random.Generator,
    inst: np.ndarray,
    submitted: np.ndarray,
    projects: tuple[Projects, Projects],
    n: int,
) -> tuple[pl.Series, np.ndarray]:
    """A project of the institution per thesis, and whether it began before the thesis was submitted (no institution has
    any that early in the first years)."""
    drawn = []
    for p in projects:
        by_start = np.argsort(p.start, kind="stable")[::-1]
        first = np.full(n, -1)
        first[p.inst[by_start]] = by_start
        at = Groups(p.inst, n).draw(rng, inst)
        at = np.where(p.start[at] <= submitted, at, first[inst])
        drawn.append((p.ids.gather(at), p.start[at] <= submitted))
    one = rng.random(len(inst)) < 0.75
    (ids, known), (other_ids, other_known) = drawn
    chosen = pl.select(pl.when(pl.Series(one)).then(ids).otherwise(other_ids)).to_series()
    return chosen, np.where(one, known, other_known)


def _titles(rng: np.random.Generator, n: int) -> pl.Series:
    parts = (_OBJECTS, _ASPECTS, _KINDS)
    return join(*(pick(p, rng.integers(0, len(p), n)) for p in parts))


_OBJECTS = ("山地城市桥梁", "锂离子电池", "车载操作系统", "县域普惠金融", "基层治理", "肝细胞癌", "镁合金",
            "柑橘黄龙病", "中学语文课堂", "跨境电商",
            "页岩气井", "卫星物联网", "非遗纹样", "三峡库区消落带", "数字政府", "司法鉴定", "高强钢",
            "机器翻译", "农村养老", "功率器件")  # fmt: skip
_ASPECTS = (
    "损伤识别",
    "热失控机理",
    "评价体系",
    "风险预警",
    "演化规律",
    "影响因素",
    "优化设计",
    "协同机制",
    "质量控制",
    "检测方法",
)
_KINDS = ("研究", "的实证分析", "及其应用", "——以重庆为例", "关键技术研究", "方案设计")


def awards(
    seed: int, s: people.Students, ids: pl.Series, th: Theses, catalogue: cat.Catalogue
) -> tuple[np.ndarray, pl.DataFrame]:
    """The degree of every graduate with a thesis. Returns the index into the theses beside the entity `degree_award`."""
    rng = stream(seed, 42)
    index = np.flatnonzero(s.fate[th.student] == people.GRADUATED)
    student = th.student[index]
    n = len(index)
    level, kind = s.level[student], s.type[student]
    discipline = pick([p.discipline for p in catalogue.points], s.point[student])
    category = discipline.str.slice(0, 2).cast(pl.Int64).to_numpy()
    degree = np.where(level == 1, 200, 300) + np.where(kind == 2, 90, category)
    src = pick(catalogue.inst_codes, s.inst[student])
    frame = pl.DataFrame(
        {
            "src_inst_code": src,
            "award_id": join(src, "-A", ids.gather(student).str.slice(5)),
            "student_id": ids.gather(student),
            "thesis_id": th.ids.gather(index),
            "degree_point_id": pick([p.id for p in catalogue.points], s.point[student]),
            "degree_code": integers(degree),
            "degree_level": integers(level),
            "degree_type": integers(kind),
            "discipline_code": discipline,
            "awarded_on": dates(s.left[student]),
            "basis_code": integers(1 + th.practice[index]),
            "applicant_kind": pick(("10", "20"), rng.random(n) < 0.01),
        }
    )
    return index, frame


def sampling(
    seed: int,
    s: people.Students,
    th: Theses,
    t: Supervisors,
    awarded: np.ndarray,
    award: pl.DataFrame,
    catalogue: cat.Catalogue,
) -> dict[str, pl.DataFrame]:
    """thesis_sampling and thesis_sampling_review: a fixed share of each stratum (level × type × institution) and year.

    Most verdicts of 2026 on doctoral theses, and some on master's, are still open; a few theses are targeted or sampled by
    the institution itself, which do not count.
    """
    rng = stream(seed, 43)
    student = th.student[awarded]
    left, level = s.left[student], s.level[student]
    stratum = (s.inst[student] * 2 + (level - 1)) * 2 + (s.type[student] - 1)
    chosen, years, probs, targeted = [], [], [], []
    for year in SAMPLING_YEARS:
        frame = np.flatnonzero((left >= day(year - 2, 9, 1)) & (left <= day(year - 1, 8, 31)))
        frame = frame[np.lexsort((rng.random(len(frame)), stratum[frame]))]
        size = np.bincount(stratum[frame], minlength=stratum.max() + 1)
        take = np.maximum(
            np.rint(size * np.where(np.arange(len(size)) // 2 % 2 == 0, SAMPLED_SHARE[1], SAMPLED_SHARE[2])),
            1,
        )
        place = running(stratum[frame])
        extra = (place >= take[stratum[frame]]) & (rng.random(len(frame)) < 0.002)
        extra[np.flatnonzero(place >= take[stratum[frame]])[:2]] = True
        mine = (place < take[stratum[frame]]) | extra
        chosen.append(frame[mine])
        years.append(np.full(mine.sum(), year))
        probs.append((take / np.maximum(size, 1))[stratum[frame]][mine])
        targeted.append(extra[mine])
    at, year, prob, is_targeted = (np.concatenate(x) for x in (chosen, years, probs, targeted))
    n = len(at)
    doctor = level[at] == 1
    own = np.arange(n) % 97 == 13
    verdict, opinions = _opinions(rng, n)
    pending = (year == 2026) & (rng.random(n) < np.where(doctor, 0.7, 0.25))
    excused = ~pending & (np.arange(n) % 211 == 50)
    decided = days(year, 8, 20) + rng.integers(0, 50, n)
    final = ~pending & ~excused
    src = text("50000", n)
    ids = join("50000-Q", integers(year), padded(running(year), 6))
    frame = pl.DataFrame(
        {
            "src_inst_code": src,
            "sampling_id": ids,
            "sampling_year": integers(year),
            "authority_code": integers(np.where(own, 3, np.where(doctor, 1, 2))),
            "frame_ay": join(integers(year - 2), "-", integers(year - 1)),
            "award_id": award["award_id"].gather(at),
            "thesis_id": award["thesis_id"].gather(at),
            "degree_point_id": award["degree_point_id"].gather(at),
            "supervisor_id": t.ids.gather(th.supervisor[awarded[at]]),
            "stratum_code": join(
                pick(("M", "D"), doctor),
                integers(s.type[student[at]]),
                pick(catalogue.inst_codes, s.inst[student[at]]),
            ),
            "inclusion_prob": decimals(prob, 6),
            "is_targeted": flags(is_targeted),
            "verdict_code": pl.Series(
                np.where(pending, "0", np.where(excused, "9", np.where(verdict, "2", "1")))
            ),
            "verdict_on": dates(decided, final),
            "appeal_state": pick(
                ("00", "10", "20"), np.where(final & verdict, weighted(rng, (0.8, 0.05, 0.15), n), 0)
            ),
        }
    )
    return {
        "thesis_sampling": frame,
        "thesis_sampling_review": _reviews(rng, ids, opinions, np.flatnonzero(final), decided),
    }


def _opinions(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Whether a thesis has problems, and the five opinions (0: not asked): two of three fail, or one and one of two more."""
    kind = weighted(rng, (0.946, 0.03, 0.011, 0.013), n)
    opinions = np.zeros((n, 5), dtype=np.int64)
    opinions[:, :3] = 1 + weighted(rng, (0.2, 0.55, 0.25), 3 * n).reshape(n, 3)
    opinions[kind > 0, 0] = 4
    opinions[kind == 3, 1] = 4
    again = (kind == 1) | (kind == 2)
    opinions[again, 3:] = 1 + weighted(rng, (0.1, 0.5, 0.4), 2 * int(again.sum())).reshape(-1, 2)
    opinions[kind == 2, 3] = 4
    return kind >= 2, opinions


def _reviews(
    rng: np.random.Generator, ids: pl.Series, opinions: np.ndarray, asked: np.ndarray, decided: np.ndarray
) -> pl.DataFrame:
    thesis, seat = np.nonzero(opinions[asked])
    at = asked[thesis]
    opinion, second = opinions[at, seat], seat >= 3
    n = len(at)
    expert = people.EXPERT_PERSONS + (rng.integers(0, 400, len(opinions))[at] + 67 * seat) % 400
    named = people.identity(expert, 1965 + expert % 25)
    failed = opinion == 4
    return pl.DataFrame(
        {
            "src_inst_code": text("50000", n),
            "review_id": join("50000-V", ids.gather(at).str.slice(7), "-", integers(seat + 1)),
            "sampling_id": ids.gather(at),
            "round_no": integers(1 + second),
            "expert_name": named["person_name"],
            "cert_type": named["cert_type"],
            "cert_no": named["cert_no"],
            "opinion_code": integers(opinion),
            "reason_codes": null_unless(pick(("1", "2", "1;3", "2;4"), rng.integers(0, 4, n)), failed),
            "reviewed_on": dates(decided[at] - np.where(second, 5, 40) - rng.integers(0, 15, n)),
        }
    )
