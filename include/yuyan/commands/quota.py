"""`yuyan quota`: what moving places of admission quota between disciplines would do by 2030."""

import re
from typing import Annotated

import typer
from rich.table import Table

from yuyan import settings
from yuyan.allocate import quota_run
from yuyan.allocate.quota import ASSUMPTIONS, Move, QuotaError
from yuyan.commands.console import Json, expected, print_marked, terminal, warehouse_dsn

MEASURES = {
    "in_study": "在学研究生",
    "doctoral_share": "博士占比",
    "match": "匹配度",
    "supply": "供给",
    "gap": "供给份额−需求份额",
}
SHOWN = 12
"""Clusters that the terminal shows, those that change most; `--json` and the mart have all."""


def quota(
    move: Annotated[
        list[str],
        typer.Option(
            metavar="FROM:TO:PLACES",
            help="Places a year from one discipline to another, e.g. 0301:0812:40; may be repeated. A level may come first "
            "(1 doctoral, 2 master's): 2-0812:1-0812:10.",
        ),
    ],
    year: Annotated[
        int | None, typer.Option(help="First year (default: the year after the newest census).")
    ] = None,
    fill: Annotated[float, typer.Option(help="Entrants per place of quota, at most 1.")] = 1.0,
    as_json: Json = False,
) -> None:
    """Simulate the cohorts to 2030, without and with the moves: size, doctoral share, match, supply against demand."""
    with expected(QuotaError, LookupError):
        dsn = warehouse_dsn()
        done = quota_run.scenario(dsn, [_move(text, year or _next_year(dsn)) for text in move], fill)
    if as_json:
        print_marked(**done)
        return
    last = max(o["year"] for o in done["outcomes"])
    city = [o for o in done["outcomes"] if o["item_code"] == "ALL"]
    clusters = [o for o in done["outcomes"] if o["measure_code"] == "supply" and o["year"] == last]
    gaps = {o["item_code"]: o for o in done["outcomes"] if o["measure_code"] == "gap" and o["year"] == last}
    mark = settings.warehouse_mark()
    table = Table(
        "量",
        "年",
        "不移动（90%区间）",
        "移动后（90%区间）",
        "差（90%区间）",
        title=f"招生计划情景 {done['scenario_id']}  {mark}".rstrip(),
    )
    for o in city:
        share = o["measure_code"] != "in_study"
        table.add_row(MEASURES[o["measure_code"]], str(o["year"]), *(_range(o, n, share) for n in NAMES))
    console = terminal()
    console.print(table, highlight=False)
    table = Table(
        "集群",
        "不移动供给",
        "移动后供给",
        "差（90%区间）",
        "供给份额−需求份额（移动后）",
        title=f"{last} 年集群供给，变化最大的",
    )
    for o in sorted(clusters, key=lambda o: (-abs(o["difference"]), o["item_code"]))[:SHOWN]:
        gap = gaps[o["item_code"]]
        table.add_row(o["item_code"], *(_range(o, n, False) for n in NAMES), _range(gap, "scenario", True))
    console.print(table, highlight=False)
    for i, text in enumerate((*ASSUMPTIONS, f"录取率 {fill:g}"), start=1):
        console.print(f"假设 {i}：{text}。", highlight=False, soft_wrap=True)
    console.print("结果在 marts.quota_scenario。", highlight=False)


NAMES = ("baseline", "scenario", "difference")


def _range(outcome: dict, name: str, share: bool) -> str:
    values = outcome[name], outcome[f"{name}_low"], outcome[f"{name}_high"]
    sign = "+" if name == "difference" else ""
    middle, low, high = (f"{v:{sign}.2%}" if share else f"{v:{sign},.1f}" for v in values)
    return f"{middle}（{low} 至 {high}）"


def _move(text: str, year: int) -> Move:
    code = r"(?:([12])-)?(\d{4,6})"
    match = re.fullmatch(rf"{code}:{code}:(\d+)", text)
    if not match:
        raise QuotaError(f"{text!r} 不是“移出学科:移入学科:计划数”，如 0301:0812:40 或 2-0812:1-0812:10")
    from_level, from_discipline, to_level, to_discipline, places = match.groups()
    level = from_level or "2"
    return Move(from_discipline, level, to_discipline, to_level or level, int(places), year)


def _next_year(dsn: str) -> int:
    import psycopg

    with psycopg.connect(dsn) as connection:
        (newest,) = connection.execute("select max(census_year) from star.fct_enrolment_census").fetchone()
    if newest is None:
        raise LookupError("star.fct_enrolment_census 是空的：先运行一次数仓（yuyan run）")
    return newest + 1
