"""Money and what it is spent on: the ledger, what degree points take in, annual reports on quality, digital platforms.

The city's appropriation of 2025 is the grant that allocation starts from (include/schemes/last_grants.csv), and the reports'
totals are the ledger's own sums. Money does not shrink with the city: grants are as they are at any scale.
"""

import csv
import hashlib
from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np
import polars as pl

from yuyan import settings
from yuyan_demo.simulator.catalogue import SIZES
from yuyan_demo.simulator.columns import stream

Frames = dict[str, pl.DataFrame]
YESTERDAY = settings.FIRST_AS_OF - timedelta(days=1)
YEARS = range(2022, YESTERDAY.year + 1)
FIRST_CAPABILITIES = 2023
LAST_GRANTS_YEAR, GROWTH = 2025, 1.04
OTHER_GRANT_CNY = 180_000_000
"""What the competent authority gives an institution whose money the city does not allocate, per unit of size."""
MINISTRY = ("10611", "10635")
"""Institutions of the Ministry of Education: its appropriation comes beside the city's."""
INCOME = {
    "05": ("20", 0.08),
    "10": ("60", 0.22),
    "12": ("10", 0.50),
    "14": ("90", 0.01),
    "15": ("90", 0.005),
    "99": ("20", 0.03),
}
"""Other sources -> purpose, and yuan per yuan of appropriation in 2025."""
SPENDING = {"10": 0.46, "20": 0.22, "30": 0.08, "40": 0.07, "50": 0.06, "60": 0.05, "70": 0.04, "90": 0.02}
"""Purpose -> share of the year's spending."""
LEVEL_COST = {"1": 2.5, "2": 1.0}
FIELD_COST = {"07": 1.3, "08": 1.5, "09": 1.5, "10": 1.8, "13": 1.3, "14": 1.4}

NOT_COSTING, UNDOCUMENTED, LATE_TO_COST = ("10642", "89650"), ("10650",), ("10655", "11551")
"""Institutions that do not break training cost down to degree points; that do by no written method; that do from 2024 on."""
NO_REPORT, LATE_REPORT, SENT_BACK, FAILED_SAMPLE = "10647", "10652", "10643", "11660"
"""Of 2025: no annual report; one after the due date; one sent back and handed in again; one that failed the sample."""
NO_PLATFORM = "10647"
"""Without a platform for admission, training and employment."""

PLANTED = (
    ("training_cost", "NOT-COSTED", "10642", "培养支出没有归集到学位点"),
    ("training_cost", "UNDOCUMENTED", "10650", "已归集而没有成文的核算办法"),
    ("training_cost", "DOCUMENTED", "10611", "按成文办法核算"),
    ("funding_year", "NO-REPORT", "10647", "没有提交 2025 年度报告"),
    ("funding_year", "MISMATCH", "10631", "年度报告少列三成收入"),
    ("funding_year", "BALANCED", "10635", "年度报告与台账相符"),
)
"""Cases that are there so that each state of the marts can be seen: mart, state, institution, what is planted."""


def frames(seed: int, made: Frames) -> Frames:
    """fund_ledger, resource_input, quality_report, digital_capability."""
    points = _points(made)
    ledger = _ledger(seed, made, points)
    return {
        "fund_ledger": ledger,
        "resource_input": _inputs(seed, points),
        "quality_report": _reports(seed, ledger),
        "digital_capability": _capabilities(seed),
    }


def _frame(rows: list[tuple], names: str) -> pl.DataFrame:
    return pl.DataFrame(
        rows, schema=dict.fromkeys(["src_inst_code", *names.split()], pl.String), orient="row"
    )


def grants() -> dict[str, int]:
    """Institution -> the city's grant of 2025 in yuan."""
    with open(
        settings.PROJECT / "include" / "schemes" / "last_grants.csv", encoding="utf-8", newline=""
    ) as file:
        return {r["inst_code"]: int(r["amount_cny"]) for r in csv.DictReader(file)}


def is_costing(inst: str, year: int) -> bool:
    """Whether an institution breaks the training cost of a year down to its degree points."""
    return inst not in NOT_COSTING and not (inst in LATE_TO_COST and year < 2024)


def _points(made: Frames) -> pl.DataFrame:
    """Points in force and their students in study at each year's census: inst, point, unit, level, field, year, n."""
    censuses = pl.DataFrame({"year": list(YEARS), "on": [date(y, 9, 30) for y in YEARS]})
    entry, left = pl.col("entry_on").str.to_date(), pl.col("left_on").str.to_date()
    students = (
        made["student"]
        .filter(pl.col("status_code") != "30")
        .select("degree_point_id", entry, left)
        .join(censuses, how="cross")
        .filter(
            (pl.col("entry_on") <= pl.col("on"))
            & (pl.col("left_on").is_null() | (pl.col("left_on") > pl.col("on")))
        )
        .group_by("degree_point_id", "year")
        .agg(pl.len().alias("n"))
    )
    points = made["degree_point"].filter(
        (pl.col("status_code") == "10") & pl.col("degree_level").is_in(["1", "2"])
    )
    return (
        points.select(
            "src_inst_code",
            "inst_code",
            "degree_point_id",
            "unit_code",
            "degree_level",
            "discipline_code",
            "authorised_on",
        )
        .join(censuses.drop("on"), how="cross")
        .filter(pl.col("authorised_on").str.slice(0, 4).cast(pl.Int64) <= pl.col("year"))
        .join(students, on=["degree_point_id", "year"], how="left")
        .with_columns(pl.col("n").fill_null(0))
        .sort("degree_point_id", "year")
    )


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def _parts(cents: int, weights: list[float]) -> list[int]:
    """Whole cents in proportion to weights that add up to the amount."""
    edges = np.rint(np.cumsum([0.0, *weights]) / sum(weights) * cents).astype(np.int64)
    return [int(n) for n in np.diff(edges)]


def _ledger(seed: int, made: Frames, points: pl.DataFrame) -> pl.DataFrame:
    """Income and spending of every institution and year."""
    rng = stream(seed, 76, 1)
    given = grants()
    projects = made["list_project"].filter(pl.col("amount").is_not_null()).sort("list_project_id")
    of_points = {
        key: list(
            part.select("degree_point_id", "unit_code", "degree_level", "discipline_code", "n").iter_rows()
        )
        for key, part in points.group_by("inst_code", "year", maintain_order=True)
    }
    rows: list[tuple] = []
    for inst in sorted(SIZES):
        number = 0
        for year in YEARS:
            own = projects.filter((pl.col("inst_code") == inst) & (pl.col("cycle_year") == str(year)))
            entries = list(_income(rng, inst, year, given.get(inst)))
            granted = sum(cents for cents, *_ in entries)
            entries += list(_project_grants(rng, own))
            entries += list(_spending(rng, inst, year, granted, of_points.get((inst, year), [])))
            for cents, on, direction, source, purpose, unit, point, project, is_performance in entries:
                if on > YESTERDAY or cents <= 0:
                    continue
                number += 1
                rows.append(
                    (
                        inst, f"{inst}-JF{number:06d}", inst, unit, point, str(year), str(on), direction, source, purpose,
                        _money(cents), project, str(is_performance).lower(),
                    )
                )  # fmt: skip
    return _frame(
        rows,
        "entry_id inst_code unit_code degree_point_id fiscal_year posted_on direction fund_source_code purpose_code amount "
        "list_project_id is_performance_funded",
    )


def _income(rng: np.random.Generator, inst: str, year: int, grant: int | None) -> Iterator[tuple]:
    """Appropriations by the quarter, three tenths of the city's by performance in June; other sources in two entries."""
    factor = GROWTH ** (year - LAST_GRANTS_YEAR)
    base = grant if grant is not None else int(OTHER_GRANT_CNY * SIZES[inst])
    appropriated = round(base * factor) * 100
    source = "01" if grant is None else "07"
    performance = round(appropriated * (0.30 if year >= 2024 else 0.20)) if grant is not None else 0
    for quarter, cents in enumerate(_parts(appropriated - performance, [1, 1, 1, 1])):
        yield cents, date(year, 1 + 3 * quarter, 20), "IN", source, "10", None, None, None, False
    yield performance, date(year, 6, 25), "IN", source, "10", None, None, None, True
    if inst in MINISTRY:
        for half, cents in enumerate(_parts(round(appropriated * 0.8), [1, 1])):
            yield cents, date(year, 3 + 6 * half, 15), "IN", "01", "10", None, None, None, False
    for other, (purpose, share) in INCOME.items():
        grows = 1.05 ** (year - LAST_GRANTS_YEAR) if other in ("10", "99") else 1.0
        cents = round(appropriated * share * grows * float(rng.uniform(0.7, 1.3)))
        for half, part in enumerate(_parts(cents, [1, 1])):
            on = date(year, 4 + 5 * half, int(rng.integers(1, 28)))
            yield part, on, "IN", other, purpose, None, None, None, False


def _project_grants(rng: np.random.Generator, own: pl.DataFrame) -> Iterator[tuple]:
    """The grant of each list project, a month or two after its approval."""
    for project, amount, approved in own.select("list_project_id", "amount", "approved_on").iter_rows():
        on = date.fromisoformat(approved) + timedelta(days=int(rng.integers(20, 70)))
        yield round(float(amount) * 100), on, "IN", "07", "70", None, None, project, False


def _spending(
    rng: np.random.Generator, inst: str, year: int, income: int, points: list[tuple]
) -> Iterator[tuple]:
    """Nearly all of the income; training at degree points by students and cost where the institution accounts so."""
    total = round(income * float(rng.uniform(0.90, 0.99)))
    for purpose, cents in zip(SPENDING, _parts(total, list(SPENDING.values())), strict=True):
        if purpose != "10" or not is_costing(inst, year) or not points:
            for half, part in enumerate(_parts(cents, [1, 1])):
                yield part, date(year, 5 + 6 * half, 18), "OUT", "12", purpose, None, None, None, False
            continue
        shared, direct = _parts(cents, [0.15, 0.85])
        yield shared, date(year, 8, 28), "OUT", "12", purpose, None, None, None, False
        weights = [
            (n + 0.5) * LEVEL_COST[level] * FIELD_COST.get(field[:2], 1.0) * float(rng.uniform(0.8, 1.25))
            for _, _, level, field, n in points
        ]
        for (point, unit, *_), part in zip(points, _parts(direct, weights), strict=True):
            yield part, date(year, 8, 30), "OUT", "07", purpose, unit, point, None, False


def _inputs(seed: int, points: pl.DataFrame) -> pl.DataFrame:
    """Of every year that is over: staff by students, supervisors among them; a method where there is a written one."""
    rng = stream(seed, 76, 2)
    rows = []
    lean: dict[str, float] = {}
    for inst, point, field, year, n in points.select(
        "inst_code", "degree_point_id", "discipline_code", "year", "n"
    ).iter_rows():
        if year == YEARS[-1]:
            continue
        lean.setdefault(point, float(rng.uniform(0.8, 1.3)))
        staff = (4 + n / 6) * lean[point] * float(rng.uniform(0.97, 1.03))
        equipment = FIELD_COST.get(field[:2], 1.0) ** 3 * staff * 60_000
        documented = is_costing(inst, year) and inst not in UNDOCUMENTED
        rows.append(
            (
                inst, inst, point, str(year), f"{staff:.2f}", f"{staff * float(rng.uniform(0.4, 0.7)):.2f}",
                f"{equipment:.2f}", f"{staff * 22:.2f}", f"模拟{inst}财〔2021〕8号" if documented else None,
            )
        )  # fmt: skip
    return _frame(
        rows,
        "inst_code degree_point_id fiscal_year staff_fte supervisor_fte equipment_value space_m2 cost_method_doc_no",
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _reports(seed: int, ledger: pl.DataFrame) -> pl.DataFrame:
    """A report of every institution and year that is over, due on 31 March; totals are the ledger's."""
    rng = stream(seed, 76, 3)
    cents = (pl.col("amount").cast(pl.Float64) * 100).round().cast(pl.Int64).sum()
    sums = ledger.group_by("inst_code", "fiscal_year", "direction").agg(cents)
    totals = {(inst, int(year), direction): n for inst, year, direction, n in sums.iter_rows()}
    rows = []
    for inst in sorted(SIZES):
        for year in YEARS[:-1]:
            is_last = year == YEARS[-2]
            due = date(year + 1, 3, 31)
            submitted = due - timedelta(days=int(rng.integers(1, 40)))
            is_late = rng.random() < 0.06
            if is_late or (is_last and inst == LATE_REPORT):
                submitted = due + timedelta(days=int(rng.integers(3, 40)))
            is_sampled = bool(rng.random() < 0.3) or (is_last and inst in (SENT_BACK, FAILED_SAMPLE))
            passed = bool(rng.random() < 0.9) and not (is_last and inst in (SENT_BACK, FAILED_SAMPLE))
            sampled = submitted + timedelta(days=int(rng.integers(30, 90)))
            versions = [(submitted, is_sampled, sampled, passed)]
            if is_last and inst == SENT_BACK:
                versions.append((sampled + timedelta(days=20), True, sampled + timedelta(days=60), True))
            for number, (on, is_taken, seen, is_sound) in enumerate(versions, 1):
                is_there = not (is_last and inst == NO_REPORT)
                is_judged = is_taken and is_there
                snapshot = _digest(f"{year} 年度冻结指标")
                rows.append(
                    (
                        "50000", f"50000-NB{year}-{inst}-{number}", inst, str(year), str(due), str(on) if is_there else None,
                        str(number), str(is_judged).lower(), str(seen) if is_judged else None,
                        ("10" if is_sound else "20") if is_judged else None,
                        _digest(f"{inst} {year} {number}") if is_there else None, snapshot if is_there else None, snapshot,
                        _money(totals[inst, year, "IN"]) if is_there else None,
                        _money(totals[inst, year, "OUT"]) if is_there else None,
                    )
                )  # fmt: skip
    return _frame(
        rows,
        "report_id inst_code report_year due_on submitted_on version_no is_sampled sampled_on sampling_result_code "
        "file_digest indicator_digest snapshot_digest income_total expenditure_total",
    )


ADOPTED = {"10": 2019, "20": 2020, "30": 2022, "40": 2023, "50": 2025, "60": 2026, "70": 2026, "80": 2024}
"""Capability -> the year in which a middling institution has it."""


def _capabilities(seed: int) -> pl.DataFrame:
    """Every institution and capability since 2023; once enabled, it stays."""
    rng = stream(seed, 76, 4)
    rows = []
    for inst in sorted(SIZES):
        ahead = min(2.0, 40 * SIZES[inst]) - 1.0
        for capability, middling in ADOPTED.items():
            since = middling - ahead + float(rng.normal(0, 0.9))
            users, covered = int(rng.integers(40, 900)), int(rng.integers(200, 4000))
            for year in range(FIRST_CAPABILITIES, YEARS[-1] + 1):
                enabled = since <= year and not (inst == NO_PLATFORM and capability in ("10", "30"))
                rows.append(
                    (
                        inst, inst, capability, str(year), str(enabled).lower(),
                        str(users + 20 * (year - FIRST_CAPABILITIES)) if enabled else None,
                        str(covered + 50 * (year - FIRST_CAPABILITIES)) if enabled else None,
                    )
                )  # fmt: skip
    return _frame(rows, "inst_code capability_code report_year enabled active_users coverage_students")
