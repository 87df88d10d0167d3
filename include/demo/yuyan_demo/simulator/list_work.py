"""What is done about the four lists: projects that were approved, documents that were issued, who was given what.

The plan counts from 2026 on; projects of the three years before are history, by which closure on time can be seen.
"""

import hashlib
from datetime import date, timedelta

import numpy as np
import polars as pl

from yuyan import settings
from yuyan_demo.simulator import catalogue as cat
from yuyan_demo.simulator.columns import stream
from yuyan_demo.simulator.lists import REPORTED_VERSION, YEAR, departments, plan

YESTERDAY = settings.FIRST_AS_OF - timedelta(days=1)

PROJECTS = {
    # item: a year's number at full size, month of approval, months until it is due to be closed, amount in yuan
    "R1": (11, 3, 5, 100_000),
    "X01": (400, 4, 24, 20_000),
    "X02": (190, 6, 36, 50_000),
    "X03": (120, 5, 24, 30_000),
    "X04": (40, 5, 36, 40_000),
    "X05": (28, 4, 12, 10_000),
    "X06": (95, 7, 24, 20_000),
    "X07": (80, 7, 12, 20_000),
    "X08": (1330, 6, 24, 6_000),
    "X10": (25, 9, 12, 5_000),
    "X11": (12, 9, 36, 80_000),
    "X12": (10, 9, 36, 60_000),
    "X13": (6, 9, 36, 60_000),
}
UNFUNDED = ("X06", "X12")
"""Items whose projects of the year have no grant (planted)."""
CATEGORIES = {"R1": "1234567", "X01": "1234567", "X02": "129", "X06": "129", "X07": "123"}
"""Item -> the categories that its projects have; X07 lacks the fourth of its kinds (planted)."""
OPEN_ASPECTS = ("R1-6", "R1-7")
"""Aspects of R1 whose pilots are not closed (planted)."""
PARTNERS = {"X05": 0.7, "X08": 0.4, "X02": 0.5, "X11": 1.0, "X13": 0.3, "R1": 0.5}
"""Item -> share of projects together with an enterprise."""

PLANTED = (
    ("list_quantity", "OVER", "X02", "立项数超过上限"),
    ("list_quantity", "UNDER", "X05", "立项数不足下限"),
    ("list_quantity", "MET", "X08", "立项数在区间内"),
    ("list_quantity", "PARTIAL", "R1", "两个试点方面没有结题的试点"),
    ("list_item_status", "UNFUNDED", "X06", "立项没有资助"),
    ("list_item_status", "UNFUNDED", "X12", "立项没有资助"),
    ("list_quantity", "KIND-MISSING", "X07", "四类课程缺一类"),
)
"""Cases that are there so that each state of the marts can be seen: mart, state, item, what is planted."""


def list_projects(
    seed: int, scale: float, catalogue: cat.Catalogue, firms: pl.DataFrame, supervisors: pl.DataFrame
) -> pl.DataFrame:
    """Approved projects of every item that is worked on by projects, 2023 to 2026, at institutions by their size."""
    rng = stream(seed, 64)
    partners = firms.filter((pl.col("org_kind") == "10") & pl.col("cluster_code").is_not_null())[
        "uscc"
    ].to_list()
    people = {
        inst[0]: rows["supervisor_id"].to_list()
        for inst, rows in supervisors.filter(
            (pl.col("supervisor_kind") == "1") & (pl.col("status_code") == "10")
        ).group_by("src_inst_code", maintain_order=True)
    }
    insts = [i for i in catalogue.inst_codes if i in cat.SIZES]
    sizes = np.array([cat.SIZES[i] for i in insts])
    rows = []
    for item, (number, month, months, amount) in PROJECTS.items():
        for year in range(YEAR if item == "R1" else YEAR - 3, YEAR + 1):
            n = 11 if item == "R1" else _at_scale(item, number, scale)
            for k in range(n):
                inst = insts[int(rng.choice(len(insts), p=sizes / sizes.sum()))]
                approved = date(year, month, 3 + k % 22)
                rows.append(_project(rng, item, year, k, inst, approved, months, amount, partners, people))
    names = (
        "src_inst_code", "list_project_id", "list_item_id", "cycle_year", "inst_code", "title", "lead_supervisor_id",
        "category_code", "discipline_code", "amount", "approved_on", "doc_no", "co_uscc", "is_school_enterprise",
        "is_cross_discipline", "is_multi_institution", "is_digital", "due_close_on", "closed_on", "close_result_code",
    )  # fmt: skip
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")


def _at_scale(item: str, number: int, scale: float) -> int:
    """How many at this scale: rounded to the side on which the item's state at full size stays."""
    return int(np.ceil(number * scale)) if item in ("X02", "X08") else max(int(number * scale), item != "X05")


def _project(rng, item, year, k, inst, approved, months, amount, partners, people) -> tuple:
    due = approved + timedelta(days=30 * months)
    late = int(rng.integers(-60, 90))
    category = f"{item}-{CATEGORIES[item][k % len(CATEGORIES[item])]}" if item in CATEGORIES else None
    closed = min(due, due + timedelta(days=late)) if item == "R1" else due + timedelta(days=late)
    closed = max(closed, approved + timedelta(days=30))
    is_closed = closed <= YESTERDAY and category not in OPEN_ASPECTS and rng.random() < 0.93
    is_closed = is_closed or (item == "R1" and category not in OPEN_ASPECTS)
    together = rng.random() < PARTNERS.get(item, 0.15)
    funded = not (item in UNFUNDED and year == YEAR)
    leaders = people.get(inst, [])
    return (
        "50000", f"50000-LP{year}-{item}-{k + 1:04d}", item, str(year), inst, f"模拟立项{item}第{k + 1}项（{year}年）",
        leaders[int(rng.integers(len(leaders)))] if leaders else None, category, None,
        f"{amount + 1000 * int(rng.integers(0, 10))}.00" if funded else None, str(approved), f"模拟渝教研〔{year}〕{item}号",
        partners[int(rng.integers(len(partners)))] if together else None, _flag(together), _flag(rng.random() < 0.3),
        _flag(rng.random() < 0.2), _flag(item == "X07" or rng.random() < 0.35), str(due),
        str(min(closed, YESTERDAY)) if is_closed else None,
        ("20" if rng.random() < 0.04 and item != "R1" else "10") if is_closed else None,
    )  # fmt: skip


def _flag(value: bool) -> str:
    return str(bool(value)).lower()


ISSUED = {
    "Z1": (date(2026, 8, 19), None),  # late (planted)
    "Z3": (date(2025, 12, 20), "2025"),
    "R4": (date(2026, 9, 30), None),
    "R3": (date(2026, 6, 12), None),
}
"""City documents that are out, with their edition. Z2 was due in May: its milestones are reported as done, its text is not
there (planted)."""
FILED = {"20": ("R3", 0.7), "30": ("R7", 0.5)}
"""Kind of document -> the item that it carries out and the share of institutions that have filed theirs."""


MEETINGS = ((2025, 11), (2026, 2), (2026, 5), (2026, 9))
"""Sessions of the joint meeting that have minutes."""
FORGETFUL = 0.2
"""Share of annual plans that leave out tasks which the institution was given (planted)."""


def policy_documents(seed: int, catalogue: cat.Catalogue, given: pl.DataFrame) -> pl.DataFrame:
    """City documents, minutes, and what institutions filed: degree standards, supervisor standards, annual plans.

    `given`: list_assignment; an annual plan carries the items of its institution, but for some.
    """
    rng, forgetting = stream(seed, 65), stream(seed, 66)
    tasks = dict(
        given.filter(pl.col("assignee_kind") == "I")
        .group_by("assignee_code")
        .agg(pl.col("list_item_id").sort())
        .iter_rows()
    )
    names = {r["item_code"]: r["name_zh"] for r in plan()}
    rows = [
        _document(f"PD-{item}-{on.year}", item, "10", None, names[item], on, edition, None)
        for item, (on, edition) in ISSUED.items()
    ]
    older = _document("PD-Z3-2024", "Z3", "10", None, names["Z3"], date(2024, 12, 20), "2024", None)
    rows = [older, *((*r[:-3], "50000-PD-Z3-2024", *r[-2:]) if r[2] == "Z3" else r for r in rows)]
    for inst in catalogue.inst_codes:
        for kind, (item, share) in FILED.items():
            if rng.random() < share:
                on = date(2026, 3, 1) + timedelta(days=int(rng.integers(0, 200)))
                rows.append(
                    _document(
                        f"PD-{item}-{inst}", item, kind, inst, f"{names[item]}：单位标准", on, None, None
                    )
                )
        for year in (2025, 2026):
            if rng.random() < 0.9:
                on = date(year, 1, 10) + timedelta(days=int(rng.integers(0, 60)))
                left_out = 2 if forgetting.random() < FORGETFUL else 0
                carried = ";".join(tasks.get(inst, ["R1"])[left_out:])
                rows.append(
                    _document(
                        f"PD-YD-{inst}-{year}",
                        None,
                        "40",
                        inst,
                        f"{year}年度工作要点",
                        on,
                        str(year),
                        None,
                        carried,
                    )
                )
    for year, month in MEETINGS:
        title = f"联席会议纪要（{year}年{month}月）"
        rows.append(
            _document(f"PD-LX-{year}-{month:02d}", None, "50", None, title, date(year, month, 18), None, None)
        )
    columns = (
        "src_inst_code", "doc_id", "list_item_id", "kind_code", "inst_code", "title", "doc_no", "issued_on",
        "effective_on", "edition_year", "supersedes_doc_id", "file_digest", "carried_item_ids",
    )  # fmt: skip
    return pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")


def _document(number, item, kind, inst, title, on, edition, supersedes, carried=None) -> tuple:
    identity = f"50000-{number}"
    effective = None if kind in ("40", "50") else str(on + timedelta(days=10))
    digest = hashlib.sha256(identity.encode()).hexdigest()
    number = f"模拟文〔{on.year}〕{digest[:4]}号"
    return (
        "50000",
        identity,
        item,
        kind,
        inst,
        title,
        number,
        str(on),
        effective,
        edition,
        supersedes,
        digest,
        carried,
    )


def list_assignments(catalogue: cat.Catalogue) -> pl.DataFrame:
    """Lead and supporting departments of every item, and the institutions that carry projects, with their shares.

    Shares follow size and add up to the plan's least quantity, to the last one.
    """
    rows = []
    insts = [i for i in catalogue.inst_codes if i in cat.SIZES]
    for r in plan():
        item = r["item_code"]
        lead, support = departments(item)
        rows.append(_assigned(item, "D", lead, "10", None))
        rows += [_assigned(item, "D", d, "30", None) for d in support]
        if item not in PROJECTS and r["list"] != "reform":
            continue
        least = float(r["quantity_min"]) if item in PROJECTS and item != "R1" and r["quantity_min"] else None
        shares = _shares(least, insts) if least else dict.fromkeys(insts)
        rows += [_assigned(item, "I", inst, "20", share) for inst, share in shares.items()]
    columns = (
        "src_inst_code", "assignment_id", "list_item_id", "doc_version", "assignee_kind", "assignee_code", "role_code",
        "target_quantity", "from_on", "to_on",
    )  # fmt: skip
    return pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")


def _shares(total: float, insts: list[str]) -> dict[str, float]:
    """The total by size, in hundredths; the largest institution takes what rounding leaves."""
    whole = sum(cat.SIZES[i] for i in insts)
    shares = {i: round(total * cat.SIZES[i] / whole, 2) for i in insts}
    largest = max(insts, key=cat.SIZES.__getitem__)
    shares[largest] = round(shares[largest] + total - sum(shares.values()), 2)
    return {i: share for i, share in shares.items() if share > 0}


def _assigned(item: str, kind: str, who: str, role: str, target: float | None) -> tuple:
    digest = hashlib.sha256(f"{item}|{kind}|{who}|{role}".encode()).hexdigest()[:8]
    quantity = None if target is None else f"{target:.2f}"
    identity = f"50000-LA-{item}-{digest}"
    return ("50000", identity, item, REPORTED_VERSION, kind, who, role, quantity, "2026-01-01", None)
