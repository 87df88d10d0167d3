"""A page per degree point: its three scores beside its peers, how they moved, why, and how to compute them again.

All of it from schema marts: what the page says can be asked of the warehouse by anybody who may read it.
"""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg.rows import dict_row

from yuyan import settings
from yuyan.domain import contracts
from yuyan.pages import render

Row = dict[str, Any]

DIMENSIONS = {"fit": "适配度", "contribution": "贡献度", "distinctiveness": "特色"}
LOWEST, HIGHEST = 20.0, 80.0
"""Scores between which the bars are drawn; what lies outside is drawn at the edge."""

STEPS = """
select target_code as degree_point_id, case_id, step_on, action_zh, from_state_zh, to_state_zh, is_by_line, role_name,
    document_no, reason
from marts.accountability_transition where target_kind_code = 'DP' order by target_code, case_id, event_id
"""


class NoPoints(LookupError):
    """There is no such degree point, or none has been scored yet."""


def newest(dsn: str, named: Sequence[str], folder: Path) -> dict[str, Any]:
    """Write the pages as of the newest warehouse run. Raises NoPoints."""
    with psycopg.connect(dsn) as connection:
        return build(connection, settings.warehouse_mark(), named, folder)


def build(
    connection: psycopg.Connection, mark: str, named: Sequence[str] = (), folder: Path | None = None
) -> dict[str, Any]:
    """Write one page per degree point (default: all of the newest year) and their index; returns counts.

    `named`: numbers of degree points, or institution codes for all of theirs. `folder` defaults to `<home>/points`. All are
    read in one state of the warehouse. Raises NoPoints.
    """
    folder = folder or settings.home() / "points"
    with (
        connection.transaction(),
        connection.cursor(row_factory=dict_row) as cursor,
    ):
        cursor.execute("set transaction isolation level repeatable read, read only")
        try:
            wanted = _points(cursor, named)
            years = _of_points(cursor, "degree_point_monitor", wanted, "monitor_year")
            signals = _of_points(cursor, "degree_point_signal", wanted, "monitor_year, component_order")
            steps = _steps(cursor)
        except psycopg.errors.UndefinedTable as error:
            raise NoPoints("the warehouse has no marts yet: execute `yuyan run`") from error
        for point in wanted:
            render.write(
                folder / file_name(point), page(years[point], signals[point], steps.get(point, []), mark)
            )
        if not named:
            newest_rows = [years[point][-1] for point in wanted]
            index = render.page(
                "degree_points_index", title="学位点监测评价", mark=mark, dimensions=DIMENSIONS,
                year=newest_rows[0]["monitor_year"], institutions=_by_institution(newest_rows), file_name=file_name,
            )  # fmt: skip
            render.write(folder / "index.html", index)
    return {"points": len(wanted), "folder": str(folder)}


def file_name(degree_point_id: str) -> str:
    """The page's file; a number is what a source reports, so that whatever is no plain letter is escaped."""
    return f"{quote(degree_point_id, safe='')}.html"


def page(years: Sequence[Row], signals: Sequence[Row], steps: Sequence[Row], mark: str) -> str:
    """The page of a degree point: its rows of the two marts, all years in order, and the steps of its cases (STEPS)."""
    now = years[-1]
    current = [s for s in signals if s["monitor_year"] == now["monitor_year"]]
    parts = {code: list(rows) for code, rows in groupby(current, key=lambda s: s["dimension_code"])}
    return render.page(
        "degree_point",
        title=now["degree_point_name"],
        mark=mark,
        now=now,
        years=years,
        steps=steps,
        dimensions=DIMENSIONS,
        components=parts,
        reasons=[_reason(now, code, parts.get(code, [])) for code in DIMENSIONS],
        bar=_bar,
        number=_number,
        percent=_percent,
        between=_between,
        sources=_sources,
        sums={code: _sum(now, code, parts.get(code, [])) for code in DIMENSIONS},
    )


def _points(cursor: psycopg.Cursor[Row], named: Sequence[str]) -> list[str]:
    rows = cursor.execute(
        "select degree_point_id, inst_code from marts.degree_point_monitor "
        "where monitor_year = (select max(monitor_year) from marts.degree_point_monitor) order by inst_order, 1"
    ).fetchall()
    if not rows:
        raise NoPoints("no degree point has been scored yet: execute `yuyan run`")
    known = {r["degree_point_id"] for r in rows} | {r["inst_code"] for r in rows}
    if unknown := sorted(set(named) - known):
        raise NoPoints(
            f"{', '.join(unknown)}: no degree point in force and no institution that has one; "
            "numbers are in marts.degree_point_monitor"
        )
    return [
        r["degree_point_id"] for r in rows if not named or {r["degree_point_id"], r["inst_code"]} & set(named)
    ]


def _of_points(
    cursor: psycopg.Cursor[Row], table: str, points: Sequence[str], order: str
) -> dict[str, list[Row]]:
    rows = cursor.execute(
        f"select * from marts.{table} where degree_point_id = any(%s) order by degree_point_id, {order}",
        [list(points)],
    )
    return {point: list(of) for point, of in groupby(rows, key=lambda r: r["degree_point_id"])}


def _steps(cursor: psycopg.Cursor[Row]) -> dict[str, list[Row]]:
    """Steps of cases by degree point; none where the warehouse keeps no cases."""
    if (
        cursor.execute("select to_regclass('marts.accountability_transition') as there").fetchone()["there"]
        is None
    ):
        return {}
    rows = cursor.execute(STEPS).fetchall()
    return {point: list(of) for point, of in groupby(rows, key=lambda r: r["degree_point_id"])}


def _by_institution(rows: Sequence[Row]) -> list[tuple[Row, list[Row]]]:
    return [(of[0], of) for of in (list(g) for _, g in groupby(rows, key=lambda r: r["inst_code"]))]


def _reason(now: Row, dimension: str, parts: Sequence[Row]) -> str:
    """What moved a score, or why there is none, in a sentence."""
    name = DIMENSIONS[dimension]
    if now[f"{dimension}_state_code"] == "EXCLUDED":
        return f"{name}：基础学科与人文学科不评{name}。"
    if now[f"{dimension}_state_code"] == "THIN":
        missing = "、".join(
            f"{s['component_zh']}（{s['missing_reason'] or s['evidence_zh']}）"
            for s in parts
            if s["evidence_code"] != "EVIDENCE"
        )
        return f"{name}：证据比例 {_percent(now[f'{dimension}_evidence_share'])}，不足以评分。缺：{missing}。"
    moved = sorted(
        (s for s in parts if s["contribution"] is not None),
        key=lambda s: (-abs(s["contribution"]), s["component_order"]),
    )
    said = "，".join(f"{s['component_zh']} {_number(s['contribution'], 1, True)} 分" for s in moved[:3])
    low, high = now[f"{dimension}_lcl80"], now[f"{dimension}_ucl80"]
    place = "高于同类" if low > 50 else "低于同类" if high < 50 else "与同类没有可分辨的差别"
    return f"{name}：{now[f'{dimension}_display']} 分，{place}。影响最大的是{said}。"


def _sources(signal: Row) -> str:
    """The indicator that a component is taken from, or the entities that it is counted from."""
    known = contracts.load()
    names = (known[e].label if e in known else e for e in signal["source_entities"].split(";"))
    return signal["source_variant_code"] or "、".join(names)


def _sum(now: Row, dimension: str, parts: Sequence[Row]) -> str:
    """The score as 50 and its parts, for who adds them up; nothing without a score."""
    if now[f"{dimension}_score"] is None:
        return ""
    terms = " ".join(
        f"{'+' if s['contribution'] >= 0 else '−'} {abs(s['contribution']):.2f}"
        for s in parts
        if s["contribution"] is not None
    )
    return f"50 {terms} = {now[f'{dimension}_score']:.2f}"


def _bar(now: Row, dimension: str) -> dict[str, float] | None:
    """Where score, interval and the middle half of the peers lie on a line from 0 to 100; None without a score."""
    names = {
        "at": "score",
        "low": "lcl80",
        "high": "ucl80",
        "from": "peer_lower_quartile",
        "to": "peer_upper_quartile",
    }
    if now[f"{dimension}_score"] is None:
        return None
    width = HIGHEST - LOWEST
    return {
        key: round(100 * (min(max(now[f"{dimension}_{name}"], LOWEST), HIGHEST) - LOWEST) / width, 1)
        for key, name in names.items()
    }


def _number(value: float | None, digits: int = 1, signed: bool = False) -> str:
    if value is None:
        return "—"
    value = round(value, digits) + 0.0  # no −0.0
    return f"{value:{'+' if signed and value else ''},.{digits}f}".replace("-", "−")


def _percent(value: float | None) -> str:
    return "—" if value is None else f"{100 * value:.0f} %"


def _between(row: Row, dimension: str) -> str:
    """A score with its interval, or why there is none."""
    if row[f"{dimension}_score"] is None:
        return row[f"{dimension}_state_zh"]
    return f"{row[f'{dimension}_display']}（{_number(row[f'{dimension}_lcl80'])}–{_number(row[f'{dimension}_ucl80'])}）"
