"""Students and persons: cohorts by institution and degree point, lives from entry to leaving, and who is the same person.

Everything is arrays over students (one registration each); text is made at the end.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from yuyan_demo.simulator import catalogue as cat
from yuyan_demo.simulator.columns import (
    NEVER,
    Groups,
    cert_numbers,
    counts,
    dates,
    day,
    days,
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
    year_of,
)

AS_OF = day(2026, 10, 15)
FIRST_COHORT, LAST_COHORT = 2008, 2026
FORGET = day(2014, 9, 1)
"""Registrations that ended before this day are not kept: no period from 2016 on asks for them."""

MASTERS_2025, DOCTORS_2025 = 41_000, 2_950
"""Entrants of 2025 at SCALE 1, which give about 125,000 in study with a doctoral share of about 10 %."""

GRADUATED, COMPLETED, DROPPED, TRANSFERRED, STUDYING, RESERVED = range(6)
"""How a registration ended (or did not): 毕业, 结业, 退学, 硕博转段; still in study; place reserved."""

REGIONS = [
    "500101", "500102", "500103", "500106", "500107", "500108", "500109", "500113", "500116", "500117",
    "500118", "500154",
    "110000", "130000", "140000", "150000", "210000", "220000", "230000", "320000", "330000", "340000",
    "350000", "360000",
    "370000", "410000", "420000", "430000", "440000", "450000", "460000", "510000", "520000", "530000",
    "540000", "610000",
    "620000", "630000", "640000", "650000",
]  # fmt: skip
"""Places of origin: districts of Chongqing, provinces elsewhere."""

SUPERVISOR_PERSONS, EXPERT_PERSONS, APPLICANT_PERSONS = 5_000_000, 6_000_000, 7_000_000
"""First person numbers of those who are not students; students count from 0."""

_SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕"
_GIVEN = "梓涵昊宸沐妤奕铭煜珩芷萱睿渊婧琬翊霖澜玥颢钰琛熙皓瑾璇瑜骁桐菡岚晗湛琰嫣翰彧"


@dataclass
class Students:
    """Registrations as arrays of equal length. Days are day numbers, NEVER where nothing has happened."""

    inst: np.ndarray
    point: np.ndarray
    programme: np.ndarray
    level: np.ndarray
    type: np.ndarray
    year: np.ndarray
    entry: np.ndarray
    expected: np.ndarray
    left: np.ndarray
    fate: np.ndarray
    mode: np.ndarray
    admission_mode: np.ndarray
    serial: np.ndarray
    person: np.ndarray

    def __len__(self) -> int:
        return len(self.inst)

    def take(self, index: np.ndarray) -> "Students":
        """The registrations at an index or mask."""
        return Students(**{k: v[index] for k, v in vars(self).items()})


@dataclass
class Persons:
    """Attributes by student person number."""

    birth_year: np.ndarray
    gender: np.ndarray
    ethnic: np.ndarray
    political: np.ndarray
    origin: np.ndarray


def students(seed: int, scale: float, catalogue: cat.Catalogue) -> Students:
    """Every registration that has not ended before FORGET, ordered by (institution, cohort, level, serial number)."""
    rng = stream(seed, 1)
    s = _cohorts(rng, scale, catalogue)
    _lives(rng, s)
    _same_person(rng, s)
    s = s.take(s.left >= FORGET)
    order = np.lexsort((s.serial, s.level, s.year, s.inst))
    s = s.take(order)
    _, s.person = np.unique(s.person, return_inverse=True)
    return s


def _cohorts(rng: np.random.Generator, scale: float, catalogue: cat.Catalogue) -> Students:
    point_inst = np.array([catalogue.inst_codes.index(p.inst) for p in catalogue.points])
    level, kind = (catalogue.point_array(n).astype(int) for n in ("level", "type"))
    weight, since = catalogue.point_array("weight"), np.array([p.authorised.year for p in catalogue.points])
    closed = np.array([{"30": 2023, "80": 2018, "90": 2018}.get(p.status, 9999) for p in catalogue.points])
    total = {2: sum(cat.SIZES.values()), 1: sum(cat.DOCTORAL_SIZES.values())}
    parts = []
    for i, inst in enumerate(catalogue.inst_codes):
        for lv, size in ((2, cat.SIZES), (1, cat.DOCTORAL_SIZES)):
            mine = np.flatnonzero((point_inst == i) & (level == lv))
            for year in range(FIRST_COHORT, LAST_COHORT + 1):
                growth, base = ((1.045, MASTERS_2025), (1.055, DOCTORS_2025))[lv == 1]
                expected = base * growth ** (year - 2025) * scale * size.get(inst, 0.0) / total[lv]
                professional = (
                    (0.44 + 0.018 * (year - 2016)) if lv == 2 else 0.06 + 0.012 * max(0, year - 2016)
                )
                p = weight[mine] * (since[mine] < year) * (year <= closed[mine])
                for t, share in ((1, 1 - professional), (2, professional)):
                    p[kind[mine] == t] *= share / max(p[kind[mine] == t].sum(), 1e-9)
                n = int(counts(rng, np.array([expected]))[0]) if p.sum() > 0 else 0
                if n:
                    parts.append((np.full(n, year), mine[weighted(rng, p, n)]))
    year, point = (np.concatenate(x) for x in zip(*parts, strict=True))
    n = len(year)
    programme = Groups(np.array([p.point for p in catalogue.programmes]), len(catalogue.points)).draw(
        rng, point
    )
    part_time_share = np.array([0.42 if p.discipline[:2] in ("12", "03") else 0.16 for p in catalogue.points])
    part_time = (kind[point] == 2) & (level[point] == 2) & (rng.random(n) < part_time_share[point])
    lv = level[point]
    entry = days(year, 9, 1) + rng.choice([0, 0, 0, 0, 1, 2, 4, 7, 9], n)
    duration = np.array([p.duration for p in catalogue.programmes])[programme]
    blank = np.zeros(n, dtype=np.int64)
    return Students(
        inst=point_inst[point], point=point, programme=programme, level=lv, type=kind[point], year=year, entry=entry,
        expected=days(year + duration.astype(int), 6, 30), left=np.full(n, NEVER), fate=np.full(n, STUDYING),
        mode=np.where(part_time, 2, 1), admission_mode=blank.copy(),
        serial=running(point_inst[point] * 100_000 + year * 10 + lv), person=np.arange(n),
    )  # fmt: skip


def _lives(rng: np.random.Generator, s: Students) -> None:
    """How and when each registration ends, as if the future were known; what lies after AS_OF has not happened."""
    n, doctor = len(s), s.level == 1
    late_m, late_d = (0, 0.5, 1, 2), (0, 0.5, 1, 2, 3, 4)
    late = np.array(late_m)[weighted(rng, (0.87, 0.05, 0.06, 0.02), n)]
    late = np.where(doctor, np.array(late_d)[weighted(rng, (0.42, 0.16, 0.22, 0.11, 0.06, 0.03), n)], late)
    late = np.minimum(late, 8 - (year_of(s.expected) - s.year))
    end = days(year_of(s.expected) + np.floor(late).astype(int), 6, 18) + rng.integers(0, 14, n)
    s.left = np.where(late % 1 == 0.5, days(year_of(end), 12, 12) + rng.integers(0, 17, n), end)
    s.fate = np.full(n, GRADUATED)
    draw = rng.random(n)
    s.fate[draw < np.where(doctor, 0.065, 0.035)] = COMPLETED
    dropped = draw < np.where(doctor, 0.04, 0.018)
    s.fate[dropped] = DROPPED
    s.left[dropped] = (s.entry + 60 + rng.random(n) * (s.expected - s.entry - 60)).astype(np.int64)[dropped]
    _admission_modes(rng, s)
    future = s.left > AS_OF
    s.left[future], s.fate[future] = NEVER, STUDYING
    fresh = np.flatnonzero(s.year == LAST_COHORT)
    s.fate[fresh[:: max(1, min(300, len(fresh) // 4))]] = RESERVED


def _admission_modes(rng: np.random.Generator, s: Students) -> None:
    masters = np.array([21, 22, 23, 40])[weighted(rng, (0.78, 0.18, 0.005, 0.035), len(s))]
    masters = np.where((masters == 40) & (s.type == 1), 21, masters)
    doctors = np.array([11, 13, 17, -1])[weighted(rng, (0.3, 0.15, 0.05, 0.5), len(s))]
    s.admission_mode = np.where(s.level == 1, doctors, masters)


def _same_person(rng: np.random.Generator, s: Students) -> None:
    """Doctoral students who were master's students here, transfers (硕博连读), and a few double registrations."""
    doctor, master = s.level == 1, s.level == 2
    taken = np.zeros(len(s), dtype=bool)
    for year in range(FIRST_COHORT + 4, LAST_COHORT + 1):
        now = np.flatnonzero(doctor & (s.year == year))
        rng.shuffle(now)
        movers = now[s.admission_mode[now] == 13]
        for inst in np.unique(s.inst[movers]):
            mine = movers[s.inst[movers] == inst]
            pool = np.flatnonzero(
                master
                & (s.year == year - 2)
                & (s.inst == inst)
                & (s.type == 1)
                & (s.left > days([year], 9, 1)[0])
            )
            chosen = pool[~taken[pool]][: len(mine)]
            mine = mine[: len(chosen)]
            s.person[mine] = s.person[chosen]
            s.left[chosen], s.fate[chosen], taken[chosen] = (
                days(np.full(len(chosen), year), 8, 31),
                TRANSFERRED,
                True,
            )
        others = now[(s.admission_mode[now] != 13) & (s.admission_mode[now] != 17)]
        pool = np.flatnonzero(
            master & (s.fate == GRADUATED) & (s.left > day(year, 1, 1)) & (s.left < day(year, 9, 1)) & ~taken
        )
        k = min(len(others) // 2, len(pool))
        chosen = rng.choice(pool, k, replace=False)
        s.person[others[:k]], taken[chosen] = s.person[chosen], True
    twice = max(4, len(s) // 1000)
    first, second = rng.choice(np.flatnonzero(~taken & master), (2, twice), replace=False)
    gap = np.abs(s.year[first] - s.year[second])
    apart = (s.inst[first] != s.inst[second]) & (gap > 0) & (gap < 3)
    s.person[second[apart]] = s.person[first[apart]]


def persons(seed: int, s: Students) -> Persons:
    """Attributes of the persons behind the registrations; the earliest registration fixes the year of birth."""
    rng = stream(seed, 2)
    n = int(s.person.max()) + 1
    first = np.full(n, 9999)
    np.minimum.at(first, s.person, s.year - np.where(s.level == 1, 3, 0) - np.where(s.mode == 2, 6, 0))
    age = 22 + np.minimum(rng.geometric(0.55, n) - 1, 12)
    return Persons(
        birth_year=first - age,
        gender=1 + (rng.random(n) < 0.52),
        ethnic=weighted(rng, (0.91, 0.001, 0.01, 0.004, 0.002, 0.02, 0.053), n),
        political=weighted(rng, (0.26, 0.04, 0.6, 0.1), n),
        origin=weighted(rng, [0.025] * 12 + [0.02] * 18 + [0.12] + [0.03] * 2 + [0.01] * 7, n),
    )


def names(person: np.ndarray) -> pl.Series:
    """Three-character names that follow from the person number."""
    p = np.asarray(person, dtype=np.int64) * 1_000_003 + 77
    k = len(_GIVEN)
    first, second, third = p % len(_SURNAMES), p // 41 % k, p // 41 // k % k
    return join(pick(list(_SURNAMES), first), pick(list(_GIVEN), second), pick(list(_GIVEN), third))


def mobiles(person: np.ndarray) -> pl.Series:
    """Eleven-digit mobile numbers that follow from the person number."""
    p = (np.asarray(person, dtype=np.int64) * 15_485_863 + 9_000_011) % 10**9
    return join("1", integers(3 + p % 7), padded(p, 9))


def identity(person: np.ndarray, birth_year: np.ndarray) -> dict[str, pl.Series]:
    """person_name, cert_type and cert_no of persons."""
    return {
        "person_name": names(person),
        "cert_type": text("01", len(person)),
        "cert_no": cert_numbers(person, birth_year, REGIONS),
    }


def student_ids(s: Students, catalogue: cat.Catalogue) -> pl.Series:
    """student_id: institution code, year of entry, level, six-digit serial number."""
    return join(pick(catalogue.inst_codes, s.inst), integers(s.year), integers(s.level), padded(s.serial, 6))


def student_frame(
    seed: int, s: Students, p: Persons, ids: pl.Series, catalogue: cat.Catalogue
) -> pl.DataFrame:
    """The entity `student`."""
    rng = stream(seed, 3)
    n = len(s)
    left = s.left < NEVER
    overdue = ~left & (s.expected < AS_OF)
    suspended = suspensions(seed, s)[2]
    status = np.select([left, s.fate == RESERVED, suspended, overdue], [4, 2, 1, 3], 0)
    foreign = rng.random(n) < 0.008
    inst = pick(catalogue.inst_codes, s.inst)
    points = [x.id for x in catalogue.points]
    joint = (rng.random(n) < 0.06) | _at_two_institutions(s)
    special = np.where((s.type == 2) & (rng.random(n) < 0.05), 1, np.where(rng.random(n) < 0.01, 5, 0))
    return pl.DataFrame(
        {
            "src_inst_code": inst,
            "student_id": ids,
            "person_name": names(s.person),
            "mobile": mobiles(s.person),
            "cert_type": text("01", n),
            "cert_no": cert_numbers(s.person, p.birth_year[s.person], REGIONS),
            "inst_code": inst,
            "unit_code": pick([x.unit for x in catalogue.programmes], s.programme),
            "degree_point_id": pick(points, s.point),
            "programme_id": pick([cat.programme_id(catalogue, x) for x in catalogue.programmes], s.programme),
            "degree_level": integers(s.level),
            "degree_type": integers(s.type),
            "study_mode": integers(s.mode),
            "entry_on": dates(s.entry),
            "expected_end_on": dates(s.expected),
            "status_code": pick(("10", "20", "30", "40", "90"), status),
            "left_on": dates(s.left),
            "enrol_category": pick(("11", "12"), (s.mode == 2) & (rng.random(n) < 0.7)),
            "nationality_code": pick(("CHN", "VNM", "LAO", "PAK"), foreign * rng.integers(1, 4, n)),
            "gatq_code": pick(("00", "05"), foreign),
            "gender_code": integers(p.gender[s.person]),
            "ethnic_code": padded(np.array([1, 2, 3, 4, 5, 6, 15])[p.ethnic[s.person]], 2),
            "political_code": pick(("01", "02", "03", "13"), p.political[s.person]),
            "birth_year": integers(p.birth_year[s.person]),
            "origin_region_code": pick(REGIONS, p.origin[s.person]),
            "is_joint_training": flags(joint),
            "platform_id": null_unless(join("PT", padded(rng.integers(1, 60, n), 3)), joint),
            "is_alternation": flags((s.type == 2) & (rng.random(n) < 0.1)),
            "special_programme_code": padded(special, 2),
        }
    )


def _at_two_institutions(s: Students) -> np.ndarray:
    """Which master's registrations are one of two that their person has at different institutions: joint training."""
    masters = np.flatnonzero(s.level == 2)
    pairs = np.unique(np.stack([s.person[masters], s.inst[masters]]), axis=1)
    persons, institutions = np.unique(pairs[0], return_counts=True)
    return (s.level == 2) & np.isin(s.person, persons[institutions > 1])


def suspensions(seed: int, s: Students) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Day of suspension (NEVER: none), day of resumption (NEVER: none yet) and whether suspended today, per registration."""
    rng = stream(seed, 4)
    n = len(s)
    chosen = (rng.random(n) < 0.016) & (s.fate != RESERVED) & (s.fate != TRANSFERRED)
    begin = s.entry + 90 + rng.integers(0, 500, n)
    back = begin + rng.integers(150, 366, n)
    chosen &= (begin < AS_OF) & (back < s.left - 30)
    back = np.where(back > AS_OF, NEVER, back)
    return np.where(chosen, begin, NEVER), np.where(chosen, back, NEVER), chosen & (back == NEVER)
