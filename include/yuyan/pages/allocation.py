"""The report of an allocation run: where the money went and why, one page per institution, one workbook.

All of it from schema allocation, so that a run has one report for good, to the last byte.
"""

from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from yuyan import settings
from yuyan.pages import allocation_workbook, render

Row = dict[str, Any]

ASSUMPTIONS = {
    "normalisation": "归一化方法",
    "weights": "权重",
    "aggregation": "合成方法",
    "drop_one": "去掉一项指标",
    "definition": "指标口径",
    "sampling": "抽样误差",
}
BOUNDS = {"FLOOR": "下限", "CAP": "上限", None: "—"}
STEPS = {"BOUNDS": "上下限", "HOLD_HARMLESS": "过渡补偿"}
USES = {"value": "原值", "shrunk": "收缩值", "adjusted": "调整值", "benchmark": "与同类基准之差"}
KINDS = {"numerator": "计入分子的记录", "denominator": "只计入分母的记录"}
SHOWN = 40
"""Rows of a long table that the page shows; the workbook has all."""

TABLES = {
    "score": "inst_code, component_kind, component_code",
    "result": "inst_code",
    "clamp_round": "round_no, inst_code",
    "transfer": "step_code, amount_cny desc, payer_code, receiver_code",
    "robustness": "median_rank, inst_code",
    "pair": "inst_code, other_code",
    "sensitivity": "unit_code, total desc, assumption_code",
    "weight": "nominal_weight desc, component_code",
    "influence": "record_no",
    "efficiency": "group_code, inst_code",
}
"""Table -> order of its rows."""


class NoAllocation(LookupError):
    """There is no such run; the message says which there are."""


def find(connection: psycopg.Connection, name: str) -> str:
    """Number of a run: the number itself, its beginning, or a scheme's name for its newest run. Raises NoAllocation."""
    rows = connection.execute(
        "select allocation_id from allocation.run where allocation_id = %(n)s or scheme = %(n)s "
        "or starts_with(allocation_id, %(n)s) "
        "order by allocation_id = %(n)s desc, scheme = %(n)s desc, recorded_at desc, allocation_id limit 1",
        {"n": name},
    ).fetchall()
    if not rows:
        known = connection.execute(
            "select allocation_id from allocation.run order by recorded_at desc limit 8"
        ).fetchall()
        there = "、".join(r[0] for r in known) or "还没有，先执行 yuyan allocate"
        raise NoAllocation(f"没有配置运行 {name}；现有：{there}")
    return rows[0][0]


def read(connection: psycopg.Connection, allocation_id: str) -> dict[str, Any]:
    """The run and its tables as rows."""
    with connection.cursor(row_factory=dict_row) as cursor:
        run = cursor.execute(
            "select r.*, s.actor, s.reason, s.recorded_at as signed_at from allocation.run r "
            "join allocation.sign_off s using (sign_off_id) where allocation_id = %s",
            [allocation_id],
        ).fetchone()
        if run is None:
            raise NoAllocation(f"没有配置运行 {allocation_id}")
        tables = {
            table: cursor.execute(
                f"select * from allocation.{table} where allocation_id = %s order by {order}", [allocation_id]
            ).fetchall()
            for table, order in TABLES.items()
        }
    return {"run": run, **tables}


def build(connection: psycopg.Connection, allocation_id: str, mark: str, folder: Path | None = None) -> Path:
    """Write the report of a run to `folder` (default <home>/allocation/<run>); returns the folder. Raises NoAllocation."""
    folder = folder or settings.home() / "allocation" / allocation_id
    content = read(connection, allocation_id)
    render.write(folder / "index.html", city_page(content, mark))
    for row in content["result"]:
        render.write(folder / f"{row['inst_code']}.html", institution_page(content, row["inst_code"], mark))
    with render.replacing(folder / "allocation.xlsx") as path:
        allocation_workbook.write(path, content, mark)
    return folder


def city_page(content: dict[str, Any], mark: str) -> str:
    """Where the money went, who pays for whom, how sure the ranks are, what the weights are worth."""
    run = content["run"]
    names = {r["inst_code"]: r["inst_name"] for r in content["result"]}
    view = {
        "rounds": _rounds(content["clamp_round"], names),
        "sobol": [_sobol(r) for r in content["sensitivity"] if r["unit_code"] == "ALL"],
        "weights": [
            [r["component_code"], r["component_zh"], percent(r["nominal_weight"]), percent(r["effective_weight"]),
             number(r["rank_shift"], 2), percent(r["entropy_weight"])]
            for r in content["weight"]
        ],
        "influences": [_influence(r, names) for r in content["influence"][:SHOWN]],
        "efficiency": [
            [r["inst_name"], r["group_zh"], number(r["group_count"], 0), number(r["score"], 3), number(r["corrected"], 3),
             f"{number(r['lcl95'], 3)}–{number(r['ucl95'], 3)}", r["note_zh"] or "—"]
            for r in content["efficiency"]
        ],
        "pillars": [
            f"{p['name_zh']} {percent(p['weight'])}（{'、'.join(p['indicators'])}）"
            for p in run["scheme_content"]["pillars"].values()
        ],
        "excluded": [f"{e['inst_name']}：{e['reason_zh']}" for e in run["excluded"]],
    }  # fmt: skip
    return render.page(
        "allocation",
        title=f"资源配置：{run['title_zh']}",
        mark=mark,
        c=content,
        run=run,
        results=sorted(content["result"], key=lambda r: (-r["grant_cny"], r["inst_code"])),
        transfers=_by_payer(content["transfer"]),
        view=view,
        shown=SHOWN,
        **_common(run),
    )


def institution_page(content: dict[str, Any], inst_code: str, mark: str) -> str:
    """Why this institution got what it got, and what would have changed it."""
    own = {name: [r for r in content[name] if r.get("inst_code") == inst_code] for name in TABLES}
    result = own["result"][0]
    names = {r["inst_code"]: r["inst_name"] for r in content["result"]}
    order = list(content["run"]["scheme_content"]["pillars"])
    parts = sorted(own["score"], key=lambda r: (order.index(r["pillar_code"] or order[-1]), -r["weight"]))
    indicators = [r for r in parts if r["component_kind"] == "indicator"]
    view = {
        "pillars": [
            [r["component_zh"], number(r["score"], 1), percent(r["own_weight"]), number(r["points"], 2)]
            for r in parts
            if r["component_kind"] == "pillar"
        ],
        "indicators": [
            [f"{r['component_code']} {r['component_zh']}", r["period_code"] or "—", r["confidence_grade"] or "未评",
             number(r["published_value"]), USES[r["use_code"]], number(r["used_value"]), number(r["score"], 1),
             percent(r["own_weight"]), number(r["points"], 2)]
            for r in indicators
        ],
        "missing": [r["component_zh"] for r in indicators if r["score"] is None],
        "levers": [
            [f"{r['component_code']} {r['component_zh']}", number(r["score"], 1), yuan(r["yuan_per_ten_points"], True)]
            for r in sorted(indicators, key=lambda r: (-(r["yuan_per_ten_points"] or 0), r["component_code"]))
            if r["yuan_per_ten_points"]
        ],
        "influences": [_influence(r, names) for r in own["influence"][:SHOWN]],
        "sobol": [_sobol(r) for r in content["sensitivity"] if r["unit_code"] == inst_code],
    }  # fmt: skip
    return render.page(
        "allocation_institution",
        title=f"{result['inst_name']}（{inst_code}）：得到多少，为什么",
        mark=mark,
        run=content["run"],
        r=result,
        view=view,
        robust=own["robustness"][0],
        efficient=own["efficiency"][0],
        paid=[t for t in content["transfer"] if t["payer_code"] == inst_code],
        received=[t for t in content["transfer"] if t["receiver_code"] == inst_code],
        **_common(content["run"]),
    )


def _common(run: Row) -> dict[str, Any]:
    labels = {"bounds": BOUNDS, "steps": STEPS}
    return {
        "scheme": run["scheme_content"],
        "labels": labels,
        "yuan": yuan,
        "percent": percent,
        "number": number,
    }


def yuan(value: float | None, signed: bool = False) -> str:
    """12,345,678 元; a dash for nothing."""
    if value is None:
        return "—"
    return f"{value:+,.0f}" if signed else f"{value:,.0f}"


def percent(value: float | None, signed: bool = False) -> str:
    """4.75%; a dash for nothing."""
    if value is None:
        return "—"
    return f"{value:+.2%}" if signed else f"{value:.2%}"


def number(value: float | None, digits: int = 4) -> str:
    """A figure with up to so many digits after the point; a dash for nothing."""
    if value is None:
        return "—"
    return f"{value:,.{digits}f}".rstrip("0").rstrip(".") if digits else f"{value:,.0f}"


def _sobol(row: Row) -> list[str]:
    first, total = ((row[n], row[f"{n}_error"]) for n in ("first_order", "total"))
    return [
        ASSUMPTIONS[row["assumption_code"]],
        *(f"{round(v, 2) + 0.0:.2f} ± {e:.2f}" for v, e in (first, total)),
    ]


def _influence(row: Row, names: dict[str, str]) -> list[str]:
    return [
        number(row["record_no"], 0), names[row["inst_code"]], row["component_code"], KINDS[row["record_kind"]],
        number(row["record_count"], 0), yuan(row["grant_change_cny"], True), percent(row["grant_change_share"], True),
    ]  # fmt: skip


def _by_payer(transfers: list[Row]) -> list[Row]:
    """Step, payer, whole amount, and for whom, the largest first."""
    found: dict[tuple, Row] = {}
    for t in transfers:
        key = t["step_code"], t["payer_code"]
        row = found.setdefault(
            key, {"step_code": t["step_code"], "payer_code": t["payer_code"], "payer_name": t["payer_name"],
                  "amount": 0.0, "receivers": []}
        )  # fmt: skip
        row["amount"] += t["amount_cny"]
        row["receivers"].append(f"{t['receiver_name']} {t['amount_cny']:,.0f}")
    return sorted(found.values(), key=lambda r: (r["step_code"], -r["amount"], r["payer_code"]))


def _rounds(rows: list[Row], names: dict[str, str]) -> list[list[str]]:
    """Per round: its number, its factor, who is held at the floor and at the cap from then on."""
    found: dict[int, dict[str | None, list[str]]] = {}
    factors = {}
    for r in rows:
        units = found.setdefault(r["round_no"], {"FLOOR": [], "CAP": [], None: []})
        units[r["bound_code"]].append(names[r["inst_code"]])
        factors[r["round_no"]] = r["factor"]
    return [
        [str(n), number(factors[n], 6), "、".join(units["FLOOR"]) or "—", "、".join(units["CAP"]) or "—"]
        for n, units in found.items()
    ]
