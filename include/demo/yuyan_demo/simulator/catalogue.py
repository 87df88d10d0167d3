"""Real input: institutions, colleges, programmes and degree points of Chongqing, completed by simulated doctoral points.

What is simulated says so (`authorised_doc_no` starts with 模拟); `authorised_on` is simulated for every degree point.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from yuyan import settings

REFERENCE = Path(__file__).with_name("reference")
LEVELS = {"doctor": "1", "master": "2"}
TYPES = {"academic": "1", "professional": "2"}
MERGED_INTO = {"91014": "92036"}

SIZES = {
    "10611": 0.21, "10635": 0.19, "10631": 0.095, "10617": 0.07, "10618": 0.07, "10652": 0.065, "10637": 0.065,
    "11660": 0.05,
    "11799": 0.045, "91012": 0.035, "10650": 0.03, "11551": 0.02, "10643": 0.018, "10655": 0.018, "92036": 0.008,
    "10642": 0.006, "89650": 0.003, "10647": 0.002,
}  # fmt: skip
"""Assumed share of the city's graduate students; institutions differ in size by two orders of magnitude."""

DOCTORAL_SIZES = {
    "10611": 0.36, "10635": 0.24, "10631": 0.12, "91012": 0.09, "10617": 0.05, "10618": 0.05, "10652": 0.05,
    "10637": 0.03,
    "10650": 0.008, "10655": 0.008, "11660": 0.006, "11799": 0.006,
}  # fmt: skip

DOCTORAL_POINTS = {
    "10611": (34, 8), "10635": (32, 6), "10631": (9, 3), "91012": (12, 3), "10617": (7, 1), "10618": (6, 2),
    "10652": (3, 1),
    "10637": (8, 1), "10650": (1, 0), "10655": (3, 1), "11660": (0, 0), "11799": (0, 0),
}  # fmt: skip
"""Assumed number of academic and professional doctoral points, the known ones included."""

NEW_POINTS = (
    # inst, level, type, discipline, event type, granted, jointly built, claims the urgent list
    ("10611", "1", "1", "1401", "13", date(2026, 3, 20), True, True),
    ("10617", "1", "2", "0855", "11", date(2026, 5, 12), False, True),
    ("10618", "2", "2", "0860", "12", date(2026, 4, 8), False, True),
    ("11551", "2", "1", "0809", "11", date(2026, 6, 18), True, True),
    ("11660", "2", "1", "1405", "12", date(2026, 6, 30), False, True),
    ("10635", "1", "1", "1405", "13", date(2026, 7, 6), False, True),
    ("10643", "2", "2", "0858", "12", date(2026, 4, 21), False, True),
    ("10652", "2", "1", "1205", "12", date(2026, 5, 30), False, False),
)
"""Simulated degree points of the plan's first year. The one of 10643 is revoked later in the year."""

OLD = {
    "10642": (2021,),
    "10643": (2013, 2018),
    "11551": (2013, 2018, 2021),
    "89650": (2006,),
    "10647": (2025,),
}
"""Years in which young institutions gained their points; the others follow the national rounds."""

ROUNDS = {
    2000: date(2000, 12, 28), 2003: date(2003, 9, 8), 2006: date(2006, 1, 25), 2010: date(2010, 10, 9),
    2011: date(2011, 3, 18),
    2013: date(2013, 7, 19), 2014: date(2014, 5, 29), 2018: date(2018, 3, 22), 2021: date(2021, 10, 26),
    2025: date(2025, 3, 3),
}  # fmt: skip


@dataclass
class Point:
    """One degree point; `weight` is its relative intake."""

    inst: str
    level: str
    type: str
    discipline: str
    authorised: date
    doc_no: str
    status: str = "10"
    joint: bool = False
    self_set: bool = False
    unit: str = ""
    weight: float = 0.0

    @property
    def id(self) -> str:
        """degree_point_id: institution-level-type-discipline."""
        return f"{self.inst}-{self.level}-{self.type}-{self.discipline}"


@dataclass
class Programme:
    """One programme of a college; `point` is an index into Catalogue.points."""

    point: int
    unit: str
    code: str
    name: str
    duration: float
    interdisciplinary: bool = False


@dataclass
class Catalogue:
    """Institutions and everything they offer, as lists that the generators index."""

    institutions: pl.DataFrame
    inst_codes: list[str]
    units: list[tuple[str, str, str, str | None, str]]
    points: list[Point]
    programmes: list[Programme] = field(default_factory=list)

    def point_array(self, name: str) -> np.ndarray:
        """An attribute of all points as an array."""
        return np.array([getattr(p, name) for p in self.points])


def load() -> Catalogue:
    """Read the reference files and complete them. The result depends on nothing but the files."""
    insts = _csv("institutions").filter(
        (pl.col("status") == "current") & (pl.col("degree_authority") == "independent")
    )
    rows = _csv("admission_catalogue").filter(
        (pl.col("year") == "2023") & pl.col("discipline_code").is_not_null()
    )
    rows = rows.with_columns(
        pl.col("institution_code_5").replace(MERGED_INTO),
        pl.col("degree_type").replace(TYPES),
        pl.col("direction_count").cast(pl.Int64).fill_null(1),
    )
    inst_codes = insts["institution_code_5"].to_list()
    units = (
        rows.select("institution_code_5", "college_code", "college_name")
        .unique()
        .sort("institution_code_5", "college_code")
    )
    catalogue = Catalogue(insts, inst_codes, [(*u, None, "10") for u in units.iter_rows()], _points(rows))
    catalogue.units += [
        ("10647", f"00{i}", name, None, "10") for i, name in enumerate(_SIMULATED_COLLEGES, 1)
    ]
    _programmes(catalogue, rows)
    parents = {inst: code for inst, code, *_ in reversed(catalogue.units)}
    catalogue.units += [
        (inst, "991", "学科交叉中心（模拟）", parents[inst], "30")
        for inst in ("10611", "10635", "10617", "10631", "10618")
    ]
    return catalogue


_SIMULATED_COLLEGES = ("教师教育学院（模拟）", "大数据与智能工程学院（模拟）", "材料与化工学院（模拟）")


def _csv(name: str) -> pl.DataFrame:
    return pl.read_csv(REFERENCE / f"{name}.csv", infer_schema_length=0)


def _points(rows: pl.DataFrame) -> list[Point]:
    known = _csv("degree_points").with_columns(
        pl.col("institution_code_5").replace(MERGED_INTO),
        pl.col("degree_level").replace(LEVELS),
        pl.col("degree_type").replace(TYPES),
    )
    weights = {
        key: w
        for *key_parts, w in rows.group_by("institution_code_5", "degree_type", "discipline_code")
        .agg((pl.col("direction_count") ** 0.7 + 1).sum())
        .iter_rows()
        for key in [tuple(key_parts)]
    }
    points: dict[str, Point] = {}
    for r in known.sort(
        "institution_code_5", "degree_level", "discipline_code", descending=[False, True, False]
    ).iter_rows(named=True):
        point = _known_point(r)
        point.weight = weights.get((point.inst, point.type, point.discipline), 2.0)
        points.setdefault(point.id, point)
    for inst, (academic, professional) in DOCTORAL_POINTS.items():
        _complete_doctoral(points, inst, "1", academic)
        _complete_doctoral(points, inst, "2", professional)
    for inst, level, kind, discipline, _, granted, joint, _ in NEW_POINTS:
        new = Point(
            inst, level, kind, discipline, granted, f"模拟授权〔2026〕{discipline}", joint=joint, weight=3.0
        )
        new.status = "80" if inst == "10643" else "10"
        if new.id in points:
            raise ValueError(
                f"{new.id} is in reference/degree_points.csv already; replace it in catalogue.NEW_POINTS"
            )
        points[new.id] = new
    ordered = [points[k] for k in sorted(points)]
    for i, point in enumerate(
        p for p in ordered if p.level == "1" and p.doc_no.startswith("模拟") and p.authorised.year < 2025
    ):
        point.joint |= i % 9 == 4
    for i, point in enumerate(
        p for p in ordered if p.level == "2" and p.type == "1" and p.authorised.year < 2014
    ):
        point.self_set = i % 37 == 5
        point.status = {41: "20", 97: "30", 150: "80", 190: "90"}.get(i, "10")
    return ordered


def _known_point(r: dict[str, str]) -> Point:
    inst, level, kind, discipline = (
        r["institution_code_5"],
        r["degree_level"],
        r["degree_type"],
        r["discipline_code"],
    )
    if r["status"] == "recommended_2024":
        return Point(inst, level, kind, discipline, ROUNDS[2025], f"模拟授权〔2025〕{discipline}")
    evidence = r["evidence"].split(";")[-1]
    source = {
        "master_catalogue_2023": "招生目录2023", "doctoral_catalogue_2023": "博士招生目录2023",
        "master_catalogue_2022": "招生目录2022",
        "master_catalogue_2021": "招生目录2021", "master_catalogue_2026": "招生目录2026",
        "double_first_class_2022": "双一流建设学科名单2022",
        "discipline_assessment_2017": "第四轮学科评估2017", "doctoral_admission_rules_2023": "博士招生办法2023",
    }[evidence]  # fmt: skip
    return Point(
        inst,
        level,
        kind,
        discipline,
        _authorised(inst, level, kind, discipline, r["first_evidence_year"]),
        source,
    )


def _authorised(inst: str, level: str, kind: str, discipline: str, first_seen: str = "2023") -> date:
    """A simulated day of authorisation: one of the national rounds before the first evidence, the same on every run."""
    if inst in OLD:
        years: Sequence[int] = OLD[inst]
    elif kind == "1":
        years = (2000, 2000, 2003, 2003, 2006, 2006, 2011, 2011, 2018, 2021)
    else:
        years = (2003, 2006, 2010, 2010, 2010, 2014, 2014, 2018, 2021)
    years = [y for y in years if y < int(first_seen)]
    return ROUNDS[years[zlib.crc32(f"{inst}-{level}-{kind}-{discipline}".encode()) % len(years)]]


def _complete_doctoral(points: dict[str, Point], inst: str, kind: str, wanted: int) -> None:
    allowed = (
        seed_table("discipline").filter(pl.col("allowed_levels").str.contains("doctor"))["code"].to_list()
    )
    masters = [
        p
        for p in points.values()
        if (p.inst, p.level, p.type) == (inst, "2", kind) and p.discipline in set(allowed)
    ]
    present = sum((p.inst, p.level, p.type) == (inst, "1", kind) for p in points.values())
    for p in points.values():
        if (p.inst, p.level, p.type) == (inst, "1", kind):
            p.weight = max(p.weight, 2.0) ** 0.7
    for master in sorted(masters, key=lambda p: (-p.weight, p.discipline)):
        if present >= wanted:
            return
        granted = max(_authorised(inst, "1", kind, master.discipline), master.authorised)
        new = Point(
            inst, "1", kind, master.discipline, granted, f"模拟授权〔{granted.year}〕{master.discipline}"
        )
        new.weight = master.weight**0.7
        if new.id not in points:
            points[new.id] = new
            present += 1


def _programmes(catalogue: Catalogue, rows: pl.DataFrame) -> None:
    names = dict(seed_table("discipline").select("code", "name_zh").iter_rows())
    index = {p.id: i for i, p in enumerate(catalogue.points)}
    keys = ["institution_code_5", "college_code", "programme_code_6"]
    offered = (
        rows.group_by(keys)
        .agg(pl.col("programme_name", "degree_type", "discipline_code").first(), pl.len())
        .sort(keys)
    )
    first_unit = {inst: unit for inst, unit, *_ in reversed(catalogue.units)}
    seen: set[int] = set()
    for inst, unit, code, name, kind, discipline, _ in offered.iter_rows():
        i = index[f"{inst}-2-{kind}-{discipline}"]
        point = catalogue.points[i]
        point.unit = point.unit or unit
        seen.add(i)
        catalogue.programmes.append(
            Programme(i, unit, code, name, _duration(point), "J" in code or "Z" in code)
        )
    for i, point in enumerate(catalogue.points):
        if i in seen:
            continue
        master = index.get(f"{point.inst}-2-{point.type}-{point.discipline}")
        college = (
            {"0451": "001", "0854": "002", "0856": "003"}.get(point.discipline)
            if point.inst == "10647"
            else None
        )
        point.unit = (
            college or (catalogue.points[master].unit if master is not None else "") or first_unit[point.inst]
        )
        catalogue.programmes.append(
            Programme(i, point.unit, f"{point.discipline}00", names[point.discipline], _duration(point))
        )


def _duration(point: Point) -> float:
    """Years of study: doctors 4, academic masters 3, professional masters 2 or 3 by field."""
    if point.level == "1":
        return 4.0
    return 2.0 if point.type == "2" and point.discipline[:2] in ("02", "03", "04", "05", "12") else 3.0


def seed_table(name: str) -> pl.DataFrame:
    """A reference seed of the dbt project, all columns text."""
    return pl.read_csv(settings.SEEDS / "reference" / f"{name}.csv", infer_schema_length=0)


def cluster_map() -> pl.DataFrame:
    """cluster_code, discipline_code, strength (1.000 core, 0.500 related) of the project's own map."""
    strength = pl.col("strength").replace({"core": "1.000", "related": "0.500"})
    return _csv("cluster_discipline_map").select("cluster_code", "discipline_code", strength)


def programme_id(catalogue: Catalogue, p: Programme) -> str:
    """institution-college-programme code-level: a programme of several colleges, or of both levels, stays unique."""
    point = catalogue.points[p.point]
    return f"{point.inst}-{p.unit}-{p.code}-{point.level}"
