"""Practice projects and who took part, commissioned projects and their receipts, achievements."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from yuyan_demo.simulator import catalogue as cat
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
    hexadecimal,
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
from yuyan_demo.simulator.teaching import CAMPUS, Supervisors

YEARS = np.arange(2016, 2027)
LEADING_ENTERPRISE, LARGE_AMOUNT = 2, 4
"""Why a practice project counts as major: these two name an enterprise, or an amount."""


@dataclass
class Projects:
    """Practice or commissioned projects as arrays, for those who refer to them."""

    inst: np.ndarray
    start: np.ndarray
    ids: pl.Series


def practice_projects(
    seed: int, scale: float, catalogue: cat.Catalogue, enterprises: pl.DataFrame
) -> tuple[Projects, pl.DataFrame]:
    """Projects of each institution and academic year; at least two begin on the year's first day."""
    rng = stream(seed, 31)
    sizes = np.array([cat.SIZES[c] for c in catalogue.inst_codes])
    number = 2 + counts(rng, np.outer(sizes, 300 * scale * 1.05 ** (YEARS - 2016)))
    inst, year = (np.repeat(np.indices(number.shape)[k].ravel(), number.ravel()) for k in (0, 1))
    year = YEARS[year]
    nth = running(inst * 10_000 + year)
    start = days(year, 9, 1) + np.where(nth < 2, 0, rng.integers(0, 300, len(inst)))
    keep = start < people.AS_OF
    inst, year, nth, start = inst[keep], year[keep], nth[keep], start[keep]
    n = len(inst)
    end = start + rng.integers(400, 900, n)
    major = (nth == 0) | (rng.random(n) < 0.74)
    company = rng.integers(0, len(enterprises), n)
    src = pick(catalogue.inst_codes, inst)
    ids = join(src, "-S", integers(year), padded(nth, 4))
    cluster = enterprises["cluster_code"].gather(company)
    basis = np.where(major, 1 + weighted(rng, (0.15, 0.4, 0.3, 0.15), n), 0)
    frame = pl.DataFrame(
        {
            "src_inst_code": src,
            "project_id": ids,
            "inst_code": src,
            "project_name": join(
                pick(_THEMES, rng.integers(0, len(_THEMES), n)),
                pick(("攻关", "实践", "联合研发"), rng.integers(0, 3, n)),
            ),
            "is_major_industry": flags(major),
            "major_basis_code": null_unless(integers(basis), major),
            "enterprise_uscc": null_unless(
                enterprises["uscc"].gather(company), (rng.random(n) < 0.9) | (basis == LEADING_ENTERPRISE)
            ),
            "platform_id": text(None, n),
            "cluster_code": cluster,
            "amount": null_unless(
                decimals(rng.lognormal(13.2, 0.9, n), 2), (rng.random(n) < 0.8) | (basis == LARGE_AMOUNT)
            ),
            "start_on": dates(start),
            "end_on": dates(end, end < people.AS_OF),
        }
    )
    return Projects(inst, start, ids), frame


_THEMES = ("智能网联汽车关键部件", "功率半导体封装", "轻合金成形", "新型显示驱动", "储能系统安全",
           "中药质量控制", "医疗器械检测", "山地桥梁监测",
           "工业互联网平台", "农产品冷链", "卫星通信终端", "高端装备可靠性")  # fmt: skip


def participations(
    seed: int, s: people.Students, ids: pl.Series, projects: Projects, catalogue: cat.Catalogue
) -> pl.DataFrame:
    """Students' participation by academic year; from about 13 % of them (2016-2017) to 21 %, not all of it counts.

    Nobody is twice on one project at one time.
    """
    parts = [_participation_year(stream(seed, 32, int(y)), int(y), s, projects) for y in YEARS]
    index, project, begin, end, number_of_days, year = (np.concatenate(x) for x in zip(*parts, strict=True))
    n = len(index)
    rng = stream(seed, 33)
    verified = rng.random(n) < 0.9
    src = pick(catalogue.inst_codes, s.inst[index])
    frame = pl.DataFrame(
        {
            "src_inst_code": src,
            "participation_id": join(
                src,
                "-J",
                ids.gather(index).str.slice(5),
                "-",
                integers(year),
                integers(running(index * 100 + year % 100)),
            ),
            "project_id": projects.ids.gather(project),
            "student_id": ids.gather(index),
            "role_code": integers(1 + weighted(rng, (0.05, 0.3, 0.65), n)),
            "from_on": dates(begin),
            "to_on": dates(end, end < people.AS_OF),
            "days": integers(number_of_days),
            "verified": flags(verified),
            "verifier_kind": null_unless(integers(1 + weighted(rng, (0.4, 0.6), n)), verified),
            "outcome_code": null_unless(text("1", n), rng.random(n) < 0.2),
        }
    )
    place = pl.DataFrame({"student": index, "project": project, "begin": begin, "end": end}).with_row_index(
        "row"
    )
    before = pl.col("end").cum_max().shift(1).over("student", "project", order_by="begin")
    apart = place.with_columns(before.alias("before")).filter(
        pl.col("before").is_null() | (pl.col("before") < pl.col("begin"))
    )
    return frame[apart.sort("row")["row"]]


def _participation_year(
    rng: np.random.Generator, year: int, s: people.Students, projects: Projects
) -> tuple[np.ndarray, ...]:
    first, last = day(year, 9, 1), min(day(year + 1, 8, 31), people.AS_OF)
    share = 0.12 + 0.0095 * (year - 2016) + 0.045 * (s.type == 2)
    index = np.flatnonzero(
        (s.entry <= last) & (s.left > first) & (s.fate != people.RESERVED) & (rng.random(len(s)) < share)
    )
    if year == 2026:
        index = index[rng.random(len(index)) < 0.4]
    again = index[rng.random(len(index)) < 0.08]
    index = np.concatenate([index, again])
    open_now = np.flatnonzero(
        (projects.start <= first + 240)
        & (projects.start >= day(year - 1, 9, 1))
        & (projects.start < last - 20)
    )
    project = open_now[Groups(projects.inst[open_now], int(s.inst.max()) + 1).draw(rng, s.inst[index])]
    low = np.maximum(np.maximum(s.entry[index] + 3, projects.start[project]), first)
    room = np.minimum(s.left[index], last) - low
    fits = room > 3
    index, project, low, room = index[fits], project[fits], low[fits], room[fits]
    begin = low + (rng.random(len(index)) * np.minimum(room - 2, 200)).astype(np.int64)
    span = 12 + (rng.gamma(3.0, 38.0, len(index))).astype(np.int64)
    end = np.minimum(begin + span, np.where(s.left[index] < NEVER, s.left[index] - 1, begin + span))
    spent = np.minimum(end, people.AS_OF - 1) - begin + 1
    return (
        index,
        project,
        begin,
        end,
        np.maximum((spent * (0.75 + 0.25 * rng.random(len(index)))).astype(np.int64), 0),
        np.full(len(index), year),
    )


def commissioned(
    seed: int, scale: float, t: Supervisors, catalogue: cat.Catalogue, enterprises: pl.DataFrame
) -> tuple[Projects, dict[str, pl.DataFrame]]:
    """commissioned_project and commissioned_receipt since 2013, growing about 6 % a year; some contracts reported twice."""
    rng = stream(seed, 34)
    years = np.arange(2013, 2027)
    sizes = np.array([cat.SIZES[c] ** 0.8 for c in catalogue.inst_codes])
    share_of_year = np.where(years == 2026, 0.79, 1.0)
    number = 1 + counts(
        rng, np.outer(sizes / sizes.sum(), 3600 * scale * 1.062 ** (years - 2016) * share_of_year)
    )
    inst, year = (np.repeat(np.indices(number.shape)[k].ravel(), number.ravel()) for k in (0, 1))
    year = years[year]
    signed = days(year, 1, 4) + (rng.random(len(inst)) * np.where(year == 2026, 284, 360)).astype(np.int64)
    digest = rng.integers(0, 2**63, (len(inst), 4)).astype(np.uint64)
    amount = np.rint(rng.lognormal(12.35, 1.05, len(inst)) / 100) * 100 + 100
    twin = rng.choice(len(inst), max(3, len(inst) // 60), replace=False)
    partner = (inst[twin] + rng.integers(1, len(sizes), len(twin))) % len(sizes)
    inst, year, signed = (
        np.concatenate(x) for x in ((inst, partner), (year, year[twin]), (signed, signed[twin]))
    )
    digest = np.concatenate([digest, digest[twin]])
    amount = np.concatenate([amount, np.rint(amount[twin] * 0.4 / 100) * 100 + 100])
    n = len(inst)
    campus = np.flatnonzero(t.kind == CAMPUS)
    pi = campus[Groups(t.inst[campus], len(sizes)).draw(rng, inst)]
    company = rng.integers(0, len(enterprises), n)
    abroad, country = rng.random(n) < 0.02, rng.integers(1, 4, n)
    fund = weighted(rng, (0.93, 0.04, 0.02, 0.01), n)
    for drawn in (company, abroad, country, fund):
        drawn[-len(twin) :] = drawn[twin]
    client = np.where(abroad, 4, enterprises["org_kind"].cast(pl.Int64).to_numpy()[company] // 10 - 1)
    fund = np.where(client < 2, fund, client + 2)
    domestic = ~abroad
    src = pick(catalogue.inst_codes, inst)
    ids = join(src, "-H", integers(year), padded(running(inst * 10_000 + year), 5))
    state = np.where(
        signed < people.AS_OF - 900, weighted(rng, (0.1, 0.86, 0.04), n), weighted(rng, (0.93, 0.05, 0.02), n)
    )
    project = pl.DataFrame(
        {
            "src_inst_code": src,
            "project_id": ids,
            "inst_code": src,
            "unit_code": pick([u[1] for u in catalogue.units], t.unit[pi]),
            "pi_supervisor_id": null_unless(t.ids.gather(pi), rng.random(n) < 0.95),
            "client_uscc": null_unless(enterprises["uscc"].gather(company), domestic),
            "client_kind": integers(10 * (1 + client)),
            "client_country_code": pick(("CHN", "USA", "DEU", "SGP"), np.where(domestic, 0, country)),
            "fund_source_code": pick(("10", "07", "12", "99", "07", "99", "14"), fund),
            "contract_no_digest": hexadecimal(digest),
            "tech_contract_reg_no": null_unless(
                join("2026500001", padded(np.arange(n), 6)), rng.random(n) < 0.5
            ),
            "signed_on": dates(signed),
            "contract_amount": decimals(amount, 2),
            "cluster_code": enterprises["cluster_code"].gather(company),
            "status_code": pick(("10", "20", "30"), state),
            "graduate_involved": flags(rng.random(n) < 0.8),
        }
    )
    return Projects(inst, signed, ids), {
        "commissioned_project": project,
        "commissioned_receipt": _receipts(rng, project, signed, amount),
    }


def _receipts(
    rng: np.random.Generator, project: pl.DataFrame, signed: np.ndarray, amount: np.ndarray
) -> pl.DataFrame:
    """One to three receipts per contract within two years, and a refund after one in fifty."""
    index = np.repeat(np.arange(len(signed)), rng.integers(1, 4, len(signed)))
    step = running(index)
    received = signed[index] + 5 + step * 200 + rng.integers(0, 180, len(index))
    part = np.rint(amount[index] * np.array([0.45, 0.35, 0.18])[step] * 100) / 100
    refund = np.flatnonzero(rng.random(len(index)) < 0.02)
    index = np.concatenate([index, index[refund]])
    received = np.concatenate([received, received[refund] + 60])
    part = np.concatenate([part, np.rint(part[refund] * 30) / 100])
    is_refund = np.arange(len(index)) >= len(step)
    come = received < people.AS_OF
    index, received, part, is_refund = index[come], received[come], part[come], is_refund[come]
    src = project["src_inst_code"].gather(index)
    return pl.DataFrame(
        {
            "src_inst_code": src,
            "receipt_id": join(
                src, "-D", project["project_id"].gather(index).str.slice(7), "-", integers(running(index))
            ),
            "project_id": project["project_id"].gather(index),
            "received_on": dates(received),
            "amount": decimals(part, 2),
            "is_refund": flags(is_refund),
        }
    )


def achievements(seed: int, catalogue: cat.Catalogue) -> pl.DataFrame:
    """About twenty a year, some provincial or above; joint ones are reported by every partner with its share (Σ = 1)."""
    rng = stream(seed, 35)
    sizes = np.array([cat.SIZES[c] ** 0.7 for c in catalogue.inst_codes])
    granted = np.sort(day(2016, 3, 1) + rng.integers(0, people.AS_OF - day(2016, 3, 1), 210))
    n = len(granted)
    lead = weighted(rng, sizes, n)
    level = weighted(rng, (0.05, 0.05, 0.05, 0.05, 0.22, 0.58), n)
    kind = weighted(rng, (0.25, 0.25, 0.1, 0.15, 0.15, 0.1), n)
    related = rng.random(n) < 0.75
    joint = rng.random(n) < 0.15
    recent = np.flatnonzero(granted >= day(2026, 1, 1))
    level[recent[:5]], related[recent[:5]] = np.resize((4, 0, 4, 2, 4), len(recent[:5])), True
    joint[recent[1:2]] = True
    second = (lead + 1 + rng.integers(0, len(sizes) - 1, n)) % len(sizes)
    owner = np.concatenate([lead, second[joint]])
    index = np.concatenate([np.arange(n), np.flatnonzero(joint)])
    share = np.where(joint[index], np.where(np.arange(len(index)) < n, 0.6, 0.4), 1.0)
    src = pick(catalogue.inst_codes, owner)
    canonical = join("CQ-A", padded(index, 5))
    return pl.DataFrame(
        {
            "src_inst_code": src,
            "achievement_id": join(src, "-E", padded(index, 5)),
            "canonical_id": canonical,
            "kind_code": integers(10 * (1 + kind[index])),
            "level_code": pick(("10", "20", "21", "22", "23", "60"), level[index]),
            "granted_on": dates(granted[index]),
            "doc_no": join("模拟文〔", integers(year_of(granted[index])), "〕", integers(index), "号"),
            "lead_inst_code": pick(catalogue.inst_codes, lead[index]),
            "share": decimals(share, 4),
            "graduate_education_related": flags(related[index]),
        }
    )
