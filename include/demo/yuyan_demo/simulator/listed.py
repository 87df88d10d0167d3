"""What list projects bring forth and the lists count: party branches (X10), supervisor teams (X02), teaching cases (X05).

And programmes with foreign partners.

Every project of X02 has its team, of X05 its case, of X10 its branch: who counts the one counts the other.
"""

import numpy as np
import polars as pl

from yuyan_demo.simulator import people
from yuyan_demo.simulator.columns import (
    NEVER,
    dates,
    day,
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
from yuyan_demo.simulator.research import day_numbers, numbered

Frames = dict[str, pl.DataFrame]
PARTNERS = ("DEU", "GBR", "FRA", "USA", "SGP", "AUS")
"""Countries of the partners of joint programmes (simulated)."""
BASES = (("K1", "K2", "K3"), ("P08", "B1"))
"""Kinds of platforms on which a branch is based: major research platforms, joint training bases."""
PLANTED = (
    ("list_quantity", "MET", "X14", "当年已举办市赛"),
    ("list_category", "STARTED", "R1", "方面有试点而没有合格结题"),
    ("list_category", "CLOSED", "R1", "方面有合格结题的试点"),
    ("list_category", "MISSING", "X07", "四类课程缺一类"),
    ("list_document", "LATE", "Z1", "逾期印发"),
    ("list_document", "OVERDUE", "Z2", "里程碑报为完成，文件没有登记"),
    ("list_document", "ISSUED", "Z3", "现行版已印发"),
    ("list_document", "SUPERSEDED", "Z3", "上一版已被新版替代"),
    ("list_document", "NOT-DUE", "Z4", "未到期"),
    ("list_measure", "UNDER", "X12", "立项没有资助"),
    ("list_measure", "NO-TARGET", "X14", "没有目标"),
)
"""Cases that are there so that each state of the marts can be seen: mart, state, item, what is planted."""


def frames(seed: int, made: Frames) -> Frames:
    """party_branch, sino_foreign_programme; team, team_member and teaching_resource with those of list projects."""
    team, member = _teams(seed, made)
    return {
        "party_branch": _branches(seed, made),
        "sino_foreign_programme": _joint_programmes(seed, made),
        "team": pl.concat([made["team"], team]),
        "team_member": pl.concat([made["team_member"], member]),
        "teaching_resource": pl.concat([made["teaching_resource"], _cases(seed, made)]),
    }


def _of_item(made: Frames, item: str) -> pl.DataFrame:
    """Projects of a list item with `approved`, a day number."""
    mine = made["list_project"].filter(pl.col("list_item_id") == item)
    return mine.with_columns(day_numbers("approved_on").alias("approved")).sort("list_project_id")


def _branches(seed: int, made: Frames) -> pl.DataFrame:
    """One per project of X10, and one to four more at every institution; one in ten of these is closed again."""
    rng = stream(seed, 144)
    supported = _of_item(made, "X10")
    codes = made["institution"]["inst_code"].sort()
    codes = codes.filter(codes.is_in(made["degree_point"]["src_inst_code"].unique().implode()))
    more = pl.concat(
        [pl.Series(codes).gather(np.repeat(np.arange(len(codes)), rng.integers(1, 5, len(codes))))]
    )
    src = pl.concat([supported["inst_code"], more])
    n, m = len(src), len(supported)
    cycle = supported["cycle_year"].cast(pl.Int64).to_numpy()
    established = np.concatenate(
        [
            supported["approved"].to_numpy() - rng.integers(20, 500, m),
            day(2019, 3, 1) + rng.integers(0, people.AS_OF - day(2019, 3, 1), n - m),
        ]
    )
    closed = established + rng.integers(400, 1500, n)
    closed = np.where((np.arange(n) >= m) & (rng.random(n) < 0.25) & (closed < people.AS_OF), closed, NEVER)
    kind = weighted(rng, (0.3, 0.3, 0.4), n)
    bases = made["platform_base"].filter(pl.col("opened_on").is_not_null()).sort("platform_id")
    of_kind = [bases.filter(pl.col("kind_code").is_in(codes))["platform_id"] for codes in BASES]
    which = rng.random(n)
    platform = pl.Series(
        [
            of_kind[k][int(w * len(of_kind[k]))] if k < len(of_kind) else None
            for k, w in zip(kind, which, strict=True)
        ],
        dtype=pl.String,
    )
    disciplines = made["degree_point"].filter(pl.col("status_code") == "10").sort("degree_point_id")
    of_inst = dict(
        disciplines.group_by("src_inst_code", maintain_order=True).agg("discipline_code").iter_rows()
    )
    field = [of_inst[i][int(k * len(of_inst[i]))] for i, k in zip(src, rng.random(n), strict=True)]
    return pl.DataFrame(
        {
            "src_inst_code": src,
            "branch_id": numbered(src, "-DZ", 4),
            "inst_code": src,
            "basis_kind": pick(("10", "20", "30"), kind),
            "platform_id": platform,
            "discipline_code": null_unless(pl.Series(field, dtype=pl.String), kind == 2),
            "established_on": dates(established),
            "closed_on": dates(closed),
            "supported_cycle": pl.concat([integers(cycle), text(None, n - m)]),
            "list_project_id": pl.concat([supported["list_project_id"], text(None, n - m)]),
            "member_cnt": integers(rng.integers(3, 40, n)),
        }
    )


def _teams(seed: int, made: Frames) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The team of every project of X02: its leader, three of the campus, and a mentor where an enterprise takes part."""
    rng = stream(seed, 145)
    projects = _of_item(made, "X02").filter(pl.col("lead_supervisor_id").is_not_null())
    staff = made["supervisor"].filter(pl.col("status_code") != "90").sort("supervisor_id")
    kinds = {
        kind: dict(
            staff.filter(pl.col("supervisor_kind") == kind)
            .group_by("src_inst_code", maintain_order=True)
            .agg("supervisor_id")
            .iter_rows()
        )
        for kind in ("1", "2")
    }
    college = dict(staff.select("supervisor_id", pl.col("unit_code").fill_null("-")).iter_rows())
    groups = {"X02-1": "10", "X02-2": "30", "X02-9": "90"}
    teams, members = [], []
    order = (
        running(np.unique(projects["inst_code"].to_numpy(), return_inverse=True)[1]) if len(projects) else []
    )
    for nth, p in zip(order, projects.iter_rows(named=True), strict=True):
        inst, identity = p["inst_code"], f"{p['inst_code']}-TL{nth:04d}"
        people_of = kinds["1"][inst]
        others = sorted(
            {people_of[int(k)] for k in rng.integers(0, len(people_of), 3)} - {p["lead_supervisor_id"]}
        )
        mentors = kinds["2"].get(inst, [])
        with_industry = p["is_school_enterprise"] == "true" and bool(mentors)
        mentor = [mentors[int(rng.integers(len(mentors)))]] if with_industry else []
        whole = [p["lead_supervisor_id"], *others, *mentor]
        crossing = len({college[m] for m in whole[: 1 + len(others)]}) > 1
        teams.append(
            (inst, identity, inst, "20", "23", p["approved_on"], *(str(f).lower() for f in (crossing, with_industry)),
             "false", groups.get(p["category_code"], "90"), p["list_project_id"])
        )  # fmt: skip
        members += [
            (inst, identity, m, "10" if k == 0 else "20", p["approved_on"], None) for k, m in enumerate(whole)
        ]
    return (
        pl.DataFrame(teams, schema=made["team"].schema, orient="row"),
        pl.DataFrame(members, schema=made["team_member"].schema, orient="row"),
    )


def _cases(seed: int, made: Frames) -> pl.DataFrame:
    """The teaching case of every project of X05, finished when the project is closed."""
    rng = stream(seed, 146)
    p = _of_item(made, "X05")
    n = len(p)
    frame = pl.DataFrame(
        {
            "src_inst_code": p["inst_code"],
            "resource_id": numbered(p["inst_code"], "-JL", 5) if n else text(None, 0),
            "inst_code": p["inst_code"],
            "kind_code": text("20", n),
            "title": join("专业学位教学案例", padded(np.arange(1, n + 1), 4), "（模拟）")
            if n
            else text(None, 0),
            "degree_point_id": text(None, n),
            "co_dev_uscc": p["co_uscc"],
            "completed_on": p["closed_on"],
            "list_project_id": p["list_project_id"],
            "is_digital": flags(rng.random(n) < 0.4),
            "level_code": text("23", n),
        }
    )
    return frame.select(made["teaching_resource"].columns)


def _joint_programmes(seed: int, made: Frames) -> pl.DataFrame:
    """One or two at institutions with doctoral points, one at every third other; some have expired."""
    rng = stream(seed, 147)
    points = made["degree_point"].filter((pl.col("status_code") == "10") & (pl.col("degree_level") != "3"))
    by_inst = points.sort("degree_point_id").group_by("src_inst_code", maintain_order=True).agg(
        "discipline_code", (pl.col("degree_level") == "1").any().alias("doctoral")
    ).sort("src_inst_code")  # fmt: skip
    times = np.where(
        by_inst["doctoral"].to_numpy(), rng.integers(1, 3, len(by_inst)), np.arange(len(by_inst)) % 3 == 0
    )
    at = np.repeat(np.arange(len(by_inst)), times)
    n = len(at)
    src = by_inst["src_inst_code"].gather(at)
    size = dict(made["student"].group_by("src_inst_code").len().iter_rows())
    approved = day(2012, 3, 1) + rng.integers(0, people.AS_OF - day(2012, 3, 1), n)
    until = approved + 365 * rng.integers(6, 13, n)
    valid = np.where(rng.random(n) < 0.8, until, NEVER)
    field = [
        rows[int(k * len(rows))]
        for rows, k in zip(by_inst["discipline_code"].gather(at), rng.random(n), strict=True)
    ]
    enrolled = [max(2, int(size[i] * s)) for i, s in zip(src, rng.random(n) * 0.02, strict=True)]
    return pl.DataFrame(
        {
            "src_inst_code": src,
            "programme_ext_id": numbered(src, "-ZW", 3),
            "inst_code": src,
            "degree_level": text("2", n),
            "discipline_code": pl.Series(field, dtype=pl.String),
            "country_code": pick(PARTNERS, rng.integers(0, len(PARTNERS), n)),
            "approved_on": dates(approved),
            "valid_to": dates(valid),
            "enrolled_cnt": integers(np.where(valid < people.AS_OF, 0, enrolled)),
        }
    )
