"""Platforms and bases of the plan, who builds them together, and whom they train.

The register is the commission's. Students, supervisors' secondments and projects that name a platform are moved to one that
exists and fits them; a stream of its own draws each, so nothing else of the city changes.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from yuyan_demo.simulator import catalogue as cat
from yuyan_demo.simulator import people
from yuyan_demo.simulator.columns import NEVER, dates, day, stream

Frames = dict[str, pl.DataFrame]
COMMISSION = "50000"
OUTSIDE = ("10001", "10003", "10248", "10335", "10487", "10698", "10213", "10610")
"""Universities outside the city in the national double first-class scheme, with which P01 and P02 cooperate."""
HOSTS = ("LAO", "THA", "SGP", "DEU")
DISTRICTS = (
    "500101",
    "500106",
    "500107",
    "500108",
    "500112",
    "500120",
    "500151",
    "500152",
    "500156",
    "500229",
)
"""Districts with which bases are built; the last four have one base or none in a small city."""

KINDS = {
    # kind: (how many, name, level, how many are open, fields, leading institutions)
    "P01": (1, "教育部（重庆）高等研究院", "21", 1, ("90",), ("10611",)),
    "P02": (1, "重庆人工智能学院", "23", 1, ("10",), ("10617",)),
    "P03": (6, "卓越工程师学院", "23", 6, ("30", "90"), ("10611", "10635", "10617", "10618", "11660", "10643")),
    "P04": (6, "学科交叉中心", "23", 3, ("10", "50", "60"), ("10611", "10635", "10631", "10617", "91012", "10618")),
    "P05": (1, "重庆市研究生导师发展中心", "23", 1, ("90",), ("10635",)),
    "P06": (3, "基础学科拔尖人才培养中心", "23", 2, ("90",), ("10611", "10635", "10637")),
    "P07": (4, "研究生创新创业基地", "23", 2, ("90",), ("10611", "10617", "10618", "11799")),
    "P08": (14, "产教融合研究生培养基地", "23", 11, ("10", "20", "30", "40"), ()),
    "P09": (4, "海外实习实践基地", "23", 2, ("90",), ("10611", "10618", "10650", "11660")),
    "P10": (1, "重庆市研究生导师资源库", "23", 1, ("90",), ()),
    "P11": (5, "导师产教融合实训基地", "23", 4, ("10", "30"), ("10611", "10617", "10618", "11660", "10655")),
    "B1": (12, "研究生联合培养基地", "31", 12, ("20", "30", "40"), ()),
    "K1": (4, "国家重点实验室", "10", 4, ("30", "40"), ()),
    "K2": (4, "重庆实验室", "23", 3, ("20", "50"), ()),
    "K3": (4, "科研院所", "31", 4, ("40", "60"), ()),
}  # fmt: skip
"""The register of a city of any size: a platform is not a tenth of one where the city is a tenth."""
NEW_IN_PLAN = ("P04", "P05", "P06", "P07", "P11")
"""Kinds of which the plan asks: none was open before 2026."""
UNPAIRED = ("K2", "K3")
"""Kinds of which the last open one has no signed pairing (planted)."""
CLOSED, RECTIFYING = "B1", "P08"
"""Kinds of which the last one is closed, the last open one is being put in order (planted)."""
SPECIAL = {"06": "P02", "07": "P01", "08": "P06", "02": "B1", "03": "B1"}
"""Special programme -> kind of platform that trains its students; that of military use (04) names none."""


def frames(seed: int, made: Frames) -> Frames:
    """platform_base and platform_partner, and the entities that refer to platforms, referring to one of these."""
    base = _bases(seed, made)
    return {"platform_base": base, "platform_partner": _partners(seed, base, made)} | _placed(
        seed, base, made
    )


def _bases(seed: int, made: Frames) -> pl.DataFrame:
    rng = stream(seed, 91)
    largest = sorted(cat.SIZES, key=cat.SIZES.__getitem__, reverse=True)
    insts = [i for i in largest if i in set(made["institution"]["inst_code"])]
    rows = []
    for kind, (number, name, level, opened, fields, leads) in KINDS.items():
        for k in range(number):
            heads = leads or (() if kind[0] == "K" or kind == "P10" else insts)
            lead = heads[k % len(heads)] if heads else None
            first, last = ((2026, 2), (2026, 9)) if kind in NEW_IN_PLAN else ((2014, 1), (2025, 6))
            approved = int(rng.integers(day(*first, 1), day(*last, 1)))
            starts = min(approved + int(rng.integers(20, 200)), people.AS_OF - 20 - k)
            is_open = k < opened
            certified = kind == "P08" and is_open and k % 3 != 0
            status = "20" if is_open else "10"
            if kind == CLOSED and k == number - 1:
                status = "40"
            if kind == RECTIFYING and k == opened - 1:
                status = "30"
            abroad = kind == "P09"
            rows.append(
                {
                    "src_inst_code": COMMISSION,
                    "platform_id": f"PT{len(rows) + 1:03d}",
                    "kind_code": kind,
                    "name": name if number == 1 else f"{name}{k + 1:02d}（模拟）",
                    "lead_inst_code": lead,
                    "level_code": level,
                    "field_code": fields[k % len(fields)],
                    "cluster_code": f"L{k % 3 + 1:02d}" if kind in ("P01", "P03", "P08", "B1") else None,
                    "region_code": None if abroad else DISTRICTS[k % len(DISTRICTS)],
                    "country_code": HOSTS[k % len(HOSTS)] if abroad else "CHN",
                    "approved_on": approved,
                    "opened_on": starts if is_open else NEVER,
                    "certified_on": people.AS_OF - 30 - k if certified else NEVER,
                    "closed_on": people.AS_OF - 200 if status == "40" else NEVER,
                    "doc_no": f"渝教研发〔{2026 if kind in NEW_IN_PLAN else 2025}〕{len(rows) + 1}号",
                    "status_code": status,
                }
            )
    frame = pl.DataFrame(rows, infer_schema_length=None)
    return frame.with_columns(
        dates(frame[name].to_numpy()).alias(name)
        for name in ("approved_on", "opened_on", "certified_on", "closed_on")
    )


def _firms(made: Frames, local: bool = False) -> list[str]:
    """Enterprises of the directory that are in a cluster, of Chongqing only on demand."""
    here = pl.col("region_code").str.starts_with("50") if local else pl.lit(True)
    fitting = made["enterprise"].filter(
        (pl.col("org_kind") == "10") & pl.col("cluster_code").is_not_null() & here
    )
    return fitting["uscc"].to_list()


def _partners(seed: int, base: pl.DataFrame, made: Frames) -> pl.DataFrame:
    """Who builds a platform together with the one that leads it; each partner exists."""
    rng = stream(seed, 92)
    firms, local = _firms(made), _firms(made, local=True)
    insts = sorted(set(made["institution"]["inst_code"]) & set(cat.SIZES))
    rows: list[tuple[str, str, str, bool, int, int, int]] = []

    def some(of: Sequence[str], n: int) -> list[str]:
        return [of[int(i)] for i in rng.choice(len(of), min(n, len(of)), replace=False)]

    for b in base.iter_rows(named=True):
        kind, k = b["kind_code"], int(b["platform_id"][2:])
        begin = day(*(int(x) for x in (b["opened_on"] or b["approved_on"]).split("-")))
        others = [i for i in insts if i != b["lead_inst_code"]]
        wanted: list[tuple[str, str]] = []
        if kind == "P01":
            wanted += [("10", u) for u in OUTSIDE[:6]] + [("10", u) for u in some(others, 4)]
        if kind == "P02":
            wanted += [("10", u) for u in OUTSIDE[6:]] + [("10", u) for u in some(others, 3)]
        if kind in ("P01", "P02", "P03", "P08", "B1", "P07", "P11"):
            wanted += [("30", f) for f in some(firms, 2)]
        if kind == "P09":
            wanted += [("30", f) for f in some(local, 1)] + [("60", f"模拟海外产业园{k}")]
        if kind == "P08":
            wanted += [("40", b["region_code"]), ("50", f"模拟产业园区{k}")][: 1 + k % 2]
        if kind == "B1" and b["field_code"] == "40":
            wanted += [("70", f"模拟三级医院{k}"), ("70", f"模拟疾控中心{k}")]
        if kind == "B1" and b["field_code"] != "40":
            wanted += [("20", f"模拟研究院{k}")]
        if kind in ("P04", "P06"):
            wanted += [("10", u) for u in some(others, 1)]
        if kind[0] == "K":
            wanted += [("10", u) for u in some(insts, 2)]
        for nth, (partner_kind, partner) in enumerate(wanted):
            ends = begin + 900 if nth == 1 and k % 7 == 0 else NEVER
            rows.append(
                (b["platform_id"], partner_kind, partner, partner in OUTSIDE, begin, ends, kind[0] == "K")
            )
    last_open = (
        base.filter(pl.col("opened_on").is_not_null()).group_by("kind_code").agg(pl.col("platform_id").max())
    )
    unpaired = set(last_open.filter(pl.col("kind_code").is_in(UNPAIRED))["platform_id"])
    begin = np.array([row[4] for row in rows])
    signed = np.array(
        [begin[i] if row[6] and row[0] not in unpaired else NEVER for i, row in enumerate(rows)]
    )
    ends = np.array([row[5] for row in rows])
    return pl.DataFrame(
        {
            "src_inst_code": [COMMISSION] * len(rows),
            "partner_record_id": [f"50000-PH{i:04d}" for i in range(1, len(rows) + 1)],
            "platform_id": [row[0] for row in rows],
            "partner_kind": [row[1] for row in rows],
            "partner_id": [row[2] for row in rows],
            "is_double_first_class": [str(row[3]).lower() for row in rows],
            "signed_on": dates(np.minimum(signed, NEVER)),
            "from_on": dates(begin),
            "to_on": dates(np.where(ends < people.AS_OF, ends, NEVER)),
        }
    )


def _placed(seed: int, base: pl.DataFrame, made: Frames) -> Frames:
    """student, supervisor_event: each at a platform that exists, where there is one at its own institution or near it."""
    rng = stream(seed, 93)
    running = base.filter(pl.col("opened_on").is_not_null() & (pl.col("status_code") != "40"))
    return {
        "student": _students(rng, running, made["student"]),
        "supervisor_event": _events(rng, running, made["supervisor_event"]),
    }


def _of(base: pl.DataFrame, *kinds: str) -> list[str]:
    return base.filter(pl.col("kind_code").is_in(kinds))["platform_id"].to_list()


def _students(rng: np.random.Generator, base: pl.DataFrame, s: pl.DataFrame) -> pl.DataFrame:
    """Special programmes of the disciplines that they are for, and platforms: theirs, or a base of the institution."""
    draw, n = rng.random(len(s)), len(s)
    since = (s["entry_on"] >= "2021-08-01").fill_null(False).to_numpy()
    category = s["degree_point_id"].str.slice(10, 2)
    discipline = s["degree_point_id"].str.slice(10, 4)
    plain = (s["special_programme_code"] == "00").to_numpy() & since
    alone = (s["is_joint_training"] == "false").to_numpy()
    shares = {
        "02": ((category == "10").to_numpy(), 0.12),
        "03": (category.is_in(["02", "03", "12"]).to_numpy(), 0.03),
        "04": (category.is_in(["08", "11"]).to_numpy() & alone, 0.008),
        "06": (discipline.is_in(["0812", "0854", "1405", "0835", "0810"]).to_numpy(), 0.12),
        "07": ((category == "08").to_numpy() & (s["degree_type"] == "2").to_numpy(), 0.06),
        "08": ((category == "07").to_numpy() & (s["degree_level"] == "1").to_numpy(), 0.2),
    }
    special = s["special_programme_code"].to_numpy().astype(object)
    for code, (fits, share) in shares.items():
        special = np.where(plain & fits & (draw < share) & (special == "00"), code, special)
    lead = dict(
        base.filter(pl.col("kind_code").is_in(["B1", "P08"]))
        .select("platform_id", "lead_inst_code")
        .iter_rows()
    )
    by_inst: dict[str, list[str]] = {}
    for platform, inst in lead.items():
        by_inst.setdefault(inst, []).append(platform)
    every, turn = sorted(lead), rng.integers(0, 1000, n)
    medical = base.filter((pl.col("kind_code") == "B1") & (pl.col("field_code") == "40"))[
        "platform_id"
    ].to_list()
    others = base.filter((pl.col("kind_code") == "B1") & (pl.col("field_code") != "40"))[
        "platform_id"
    ].to_list()
    pools = {c: _of(base, kind) for c, kind in SPECIAL.items()} | {"02": medical, "03": others}
    platform = [
        _one(pools[c], t) if c in pools else _one(by_inst.get(inst, every), t) if not single else None
        for c, inst, single, t in zip(special, s["inst_code"], alone, turn, strict=True)
    ]
    return s.with_columns(
        pl.Series("special_programme_code", special, dtype=pl.String),
        pl.Series("platform_id", platform, dtype=pl.String),
    )


def _one(of: list[str], turn: int) -> str:
    return of[turn % len(of)]


def _events(rng: np.random.Generator, base: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """A secondment or exchange that names a platform names a base for supervisors, or a joint one before."""
    new, old = base.filter(pl.col("kind_code") == "P11"), _of(base, "B1")
    first = new["opened_on"].max()
    turn = rng.integers(0, 1000, len(events))
    ids = _of(new, "P11")[1:]
    platform = [
        None if named is None else _one(ids if on >= first else old, t)
        for named, on, t in zip(events["platform_id"], events["event_on"], turn, strict=True)
    ]
    return events.with_columns(pl.Series("platform_id", platform, dtype=pl.String))
