"""What happens at the platforms, and with whom institutions, colleges and teams are paired.

An activity is reported by an institution that leads the platform or is its partner; one that is reported by person names a
student or supervisor of that institution.
"""

from calendar import monthrange
from datetime import date

import polars as pl

from yuyan import settings
from yuyan_demo.simulator import catalogue as cat
from yuyan_demo.simulator.columns import stream
from yuyan_demo.simulator.platforms import DISTRICTS

Frames = dict[str, pl.DataFrame]
FIRST_YEAR = 2022
UNITS = {
    **dict.fromkeys(("10", "25", "61", "62", "63", "64", "65"), "10"),
    **dict.fromkeys(("20", "60", "70", "80"), "20"),
    "30": "30",
    **dict.fromkeys(("50", "66"), "50"),
    "55": "60",
    **dict.fromkeys(("40", "85", "90", "95"), "40"),
}
"""Kind of activity -> unit in which it is counted."""
DONE_AT = {
    # kind of platform: kind of activity -> how much of it one institution does in a year, at most
    "P01": {"10": 20, "20": 6, "30": 3, "40": 4},
    "P02": {"10": 30, "30": 8, "40": 5, "55": 9000},
    "P03": {"25": 6, "40": 5, "80": 30},
    "P04": {"30": 3, "40": 2},
    "P05": {"60": 80, "65": 30, "66": 400},
    "P06": {"30": 4},
    "P07": {"61": 12, "62": 6, "63": 5, "64": 8, "95": 3},
    "P08": {"25": 5, "40": 3, "80": 20, "85": 6},
    "P09": {"80": 6},
    "P11": {"60": 10},
    "B1": {"25": 4, "40": 2, "80": 12, "85": 4},
    "K1": {"20": 3, "30": 2, "40": 3, "50": 600, "70": 2, "90": 5},
    "K2": {"20": 2, "30": 1, "40": 2, "50": 300, "90": 4},
    "K3": {"20": 2, "30": 1, "40": 2, "50": 200, "90": 4},
}  # fmt: skip
"""No city size is in these: a platform is whole in a city of any size."""
URGENT = ("10611", "10617", "10618", "11660")
"""Institutions chosen for the special programme on urgent disciplines, which began with the plan."""
URGENT_AT, URGENT_KINDS = ("P01", "P03", "P08", "B1"), ("10", "40", "80")
IDLE = ("P11", "P08")
"""Kinds whose first open platform has done nothing since 2026 began (planted)."""
UNPAIRED_AT_ALL, ONE_LEVEL, EXPIRED = "89650", "92036", "91012"
"""Institutions without a pairing, with a district only, and with a pairing that has run out (planted)."""
PLANTED = (
    ("platform_activity", "IDLE", "P11", "运行中的平台一年没有活动"),
    ("platform_activity", "IDLE", "P08", "运行中的平台一年没有活动"),
    ("platform_activity", "BEING-SET-UP", "P04", "筹建中，期限已过"),
    ("platform_activity", "RECTIFYING", "P08", "整改中"),
    ("platform_activity", "CLOSED", "B1", "已撤销"),
    ("platform_activity", "UNPAIRED", "K2", "重大平台没有结对"),
    ("platform_activity", "UNPAIRED", "K3", "重大平台没有结对"),
    ("platform_activity", "ACTIVE", "P01", "运行并有活动"),
    ("district_pairing", "NONE", UNPAIRED_AT_ALL, "没有校地对接"),
    ("district_pairing", "PARTIAL", ONE_LEVEL, "只对接了区县"),
    ("district_pairing", "EXPIRED", EXPIRED, "对接已到期"),
)
"""Cases that are there so that each state of the marts can be seen: mart, state, kind or institution, what is planted."""


def frames(seed: int, made: Frames) -> Frames:
    """platform_activity and district_pairing."""
    return {"platform_activity": _activities(seed, made), "district_pairing": _pairings(seed, made)}


def _month_end(year: int, month: int) -> str:
    return str(date(year, month, monthrange(year, month)[1]))


def _activities(seed: int, made: Frames) -> pl.DataFrame:
    rng = stream(seed, 94)
    insts = set(made["institution"]["inst_code"]) & set(cat.SIZES)
    own = made["platform_partner"].filter(
        (pl.col("partner_kind") == "10") & pl.col("partner_id").is_in(sorted(insts))
    )
    partners = dict(own.group_by("platform_id").agg(pl.col("partner_id").unique().sort()).iter_rows())
    studying = pl.col("status_code") == "10"
    campus = (pl.col("supervisor_kind") == "1") & (pl.col("status_code") == "10")
    persons = {
        ("80", "P09"): _by_inst(made["student"].filter(studying), "student_id"),
        ("70", "K1"): _by_inst(made["supervisor"].filter(campus), "supervisor_id"),
    }
    opened = made["platform_base"].filter(pl.col("opened_on").is_not_null()).sort("platform_id")
    idle = set(
        opened.filter(pl.col("kind_code").is_in(IDLE)).unique("kind_code", keep="first")["platform_id"]
    )
    yesterday, rows = str(settings.FIRST_AS_OF), []
    for b in opened.iter_rows(named=True):
        heads = [b["lead_inst_code"]] if b["lead_inst_code"] else []
        for inst in [*heads, *partners.get(b["platform_id"], [])][:3]:
            for year in range(FIRST_YEAR, settings.FIRST_AS_OF.year + 1):
                for kind, most in DONE_AT.get(b["kind_code"], {}).items():
                    on = _month_end(year, int(rng.integers(1, 13)))
                    quantity, plan = 1 + int(rng.integers(0, most)), int(rng.integers(0, 3))
                    if year == settings.FIRST_AS_OF.year:
                        on = min(on, _month_end(year, 9))
                        on = _month_end(year, 9) if on < b["opened_on"] else on
                    closed = b["closed_on"] is not None and on >= b["closed_on"]
                    if on < b["opened_on"] or on >= yesterday or closed:
                        continue
                    if b["platform_id"] in idle and year >= settings.FIRST_AS_OF.year:
                        continue
                    known = persons.get((kind, b["kind_code"]), {}).get(inst)
                    who = [known[int(i)] for i in rng.integers(0, len(known), quantity)] if known else [None]
                    urgent = (
                        inst in URGENT
                        and year >= 2026
                        and b["kind_code"] in URGENT_AT
                        and kind in URGENT_KINDS
                    )
                    rows += [
                        _activity(b, inst, kind, on, 1 if known else quantity, plan, person, urgent)
                        for person in who
                    ]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(rows[0], pl.String)).sort(
        "src_inst_code", maintain_order=True
    )
    nth = pl.int_range(1, pl.len() + 1).over("src_inst_code").cast(pl.String).str.zfill(6)
    identity = pl.concat_str("src_inst_code", pl.lit("-PH"), nth)
    return frame.with_columns(
        identity.alias("activity_id"),
        pl.format("https://yjs.example.cn/hd/{}", identity).alias("evidence_uri"),
    )


def _activity(
    b: dict[str, str | None],
    inst: str,
    kind: str,
    on: str,
    quantity: int,
    plan: int,
    person: str | None,
    urgent: bool,
) -> dict[str, str | None]:
    return {
        "src_inst_code": inst,
        "inst_code": inst,
        "platform_id": b["platform_id"],
        "activity_kind": kind,
        "activity_on": on,
        "quantity": f"{quantity}.00",
        "quantity_unit_code": UNITS[kind],
        "planned_quantity": f"{quantity + plan}.00" if kind == "90" else None,
        "amount": f"{quantity * 50_000}.00" if kind == "40" else None,
        "cluster_code": b["cluster_code"],
        "student_id": person if kind == "80" else None,
        "supervisor_id": person if kind == "70" else None,
        "is_urgent_layout": str(urgent).lower(),
    }


def _pairings(seed: int, made: Frames) -> pl.DataFrame:
    """Institutions with a district or two, some colleges with an industry, some teams with an enterprise."""
    rng = stream(seed, 95)
    insts = sorted(set(made["institution"]["inst_code"]) & set(cat.SIZES))
    firms = (
        made["enterprise"]
        .filter((pl.col("org_kind") == "10") & pl.col("cluster_code").is_not_null())["uscc"]
        .to_list()
    )
    units = _by_inst(made["org_unit"], "unit_code")
    teams = _by_inst(made["team"], "team_id")
    rows = []
    for k, inst in enumerate(insts):
        if inst == UNPAIRED_AT_ALL:
            continue
        wanted = [("1", None, None, DISTRICTS[(k + j) % len(DISTRICTS)]) for j in range(1 + k % 2)]
        if inst != ONE_LEVEL:
            colleges = units.get(inst, [])[: 1 + k % 3]
            wanted += [("2", unit, None, f"L{1 + (k + j) % 3:02d}") for j, unit in enumerate(colleges)]
        if inst != ONE_LEVEL and k % 4 != 3:
            wanted += [
                ("3", None, team, firms[int(rng.integers(0, len(firms)))])
                for team in teams.get(inst, [])[: 1 + k % 3]
            ]
        for nth, (level, unit, team, counterpart) in enumerate(wanted, 1):
            year, month, demands, part = (
                int(rng.integers(*x)) for x in ((2023, 2027), (1, 9), (2, 13), (0, 10))
            )
            expired = inst == EXPIRED
            rows.append(
                {
                    "src_inst_code": inst,
                    "pairing_id": f"{inst}-XD{nth:03d}",
                    "inst_code": inst,
                    "pairing_level": level,
                    "unit_code": unit,
                    "team_id": team,
                    "counterpart_code": counterpart,
                    "signed_on": f"{2022 if expired else year}-{month:02d}-15",
                    "valid_to": "2025-08-31"
                    if expired
                    else f"{year + 4}-{month:02d}-14"
                    if nth % 2
                    else None,
                    "demand_cnt": str(demands),
                    "result_cnt": str(demands * part // 10),
                }
            )
    return pl.DataFrame(rows, schema=dict.fromkeys(rows[0], pl.String))


def _by_inst(frame: pl.DataFrame, name: str) -> dict[str, list[str]]:
    return dict(
        frame.sort("src_inst_code", name).group_by("src_inst_code", maintain_order=True).agg(name).iter_rows()
    )
