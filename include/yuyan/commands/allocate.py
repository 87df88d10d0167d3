"""`yuyan allocate …`: sign the data, allocate, compare two runs. In Chinese, as the commission reads it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import psycopg
import typer
from psycopg.rows import dict_row
from rich.table import Table

from yuyan import settings
from yuyan.allocate import guards, inputs, money, run
from yuyan.allocate import scheme as schemes
from yuyan.commands.console import Json, expected, print_json, print_marked, terminal, warehouse_dsn
from yuyan.commands.problem import Actor, Reason
from yuyan.domain import stewards
from yuyan.pages import allocation as pages

app = typer.Typer(help="Resource allocation: from signed indicators to money, every step published.")

Name = Annotated[
    str, typer.Option("--scheme", help="Scheme of include/schemes, see `yuyan allocate schemes`.")
]
Budget = Annotated[int | None, typer.Option(help="Budget in yuan (default: that of the scheme).")]
Folder = Annotated[
    Path | None, typer.Option(help="Folder of the report (default: allocation in the work folder).")
]


@app.callback(invoke_without_command=True)
def allocate(
    context: typer.Context,
    scheme: Name = "default",
    budget: Budget = None,
    to: Folder = None,
    as_json: Json = False,
) -> None:
    """Allocate by a scheme and write the report. The same scheme on the same data is the same run."""
    if context.invoked_subcommand:
        return
    with _expected():
        done = run.allocate(warehouse_dsn(), scheme, budget)
        with psycopg.connect(warehouse_dsn()) as connection:
            folder = pages.build(connection, done["allocation_id"], settings.warehouse_mark(), to)
            rows = _rows(connection, RESULT, done["allocation_id"])
    if as_json:
        print_marked(**done, report=str(folder), result=rows)
        return
    table = Table(
        "单位",
        "总分",
        "名次",
        "名次范围",
        "上次",
        "限前",
        "限后",
        "拨款",
        "增减",
        title=_title(done["allocation_id"]),
    )
    for r in rows:
        table.add_row(
            r["inst_name"], f"{r['score']:.1f}", str(r["score_rank"]), f"{r['rank_low']}–{r['rank_high']}",
            pages.yuan(r["last_cny"]), pages.yuan(r["unclamped_cny"]), pages.yuan(r["clamped_cny"]),
            pages.yuan(r["grant_cny"]), pages.percent(r["change_share"], True),
        )  # fmt: skip
    console = terminal()
    console.print(table, highlight=False)
    console.print(
        f"{'新的运行' if done['is_new'] else '与已有的运行完全相同'} {done['allocation_id']}，报告：{folder / 'index.html'}",
        highlight=False, soft_wrap=True,
    )  # fmt: skip


@app.command("schemes")
def list_schemes(as_json: Json = False) -> None:
    """The schemes that there are, checked."""
    with _expected():
        found = [schemes.load(name) for name in schemes.names()]
    if as_json:
        print_json([s.content for s in found])
        return
    table = Table(
        "方案", "版本", "标题", "预算", "基础部分", "摘要", title="资源配置方案", title_justify="left"
    )
    for s in found:
        table.add_row(
            s.name, str(s.version), s.title_zh, f"{s.budget_cny:,}", f"{s.base.share:.0%}", s.digest[:12]
        )
    terminal().print(table, highlight=False)


@app.command()
def sign(reason: Reason, actor: Actor, scheme: Name = "default", as_json: Json = False) -> None:
    """Sign the data that a scheme uses, as an account of the commission; changed data have to be signed anew."""
    _signed(scheme, actor, reason, "signed", as_json)


@app.command()
def withdraw(reason: Reason, actor: Actor, scheme: Name = "default", as_json: Json = False) -> None:
    """Withdraw the signature of the data that a scheme uses; runs that were made stay."""
    _signed(scheme, actor, reason, "withdrawn", as_json)


@app.command("list")
def list_runs(as_json: Json = False) -> None:
    """Runs so far, the newest first."""
    with _expected(), psycopg.connect(warehouse_dsn()) as connection:
        rows = _rows(
            connection,
            "select allocation_id, title_zh, as_of, budget_cny, recorded_at from allocation.run order by recorded_at desc",
        )
    if as_json:
        print_marked(rows=rows)
        return
    table = Table("运行", "方案", "统计日期", "预算", "写入时间", title=_title("配置运行"))
    for r in rows:
        when = f"{r['recorded_at']:%Y-%m-%d %H:%M}"
        table.add_row(r["allocation_id"], r["title_zh"], str(r["as_of"]), f"{r['budget_cny']:,}", when)
    terminal().print(table if rows else "还没有配置运行", highlight=False)


@app.command()
def report(
    name: Annotated[str, typer.Argument(metavar="RUN")], to: Folder = None, as_json: Json = False
) -> None:
    """Write the report of a run again: its number, the beginning of it, or a scheme for its newest run."""
    with _expected(), psycopg.connect(warehouse_dsn()) as connection:
        folder = pages.build(connection, pages.find(connection, name), settings.warehouse_mark(), to)
    if as_json:
        print_marked(folder=str(folder))
        return
    terminal().print(f"已写出报告：{folder / 'index.html'}", highlight=False, soft_wrap=True)


@app.command()
def compare(
    first: Annotated[str, typer.Argument(metavar="A", help="A run's number, its beginning, or a scheme.")],
    second: Annotated[str, typer.Argument(metavar="B")],
    as_json: Json = False,
) -> None:
    """What every institution gets in run B instead of run A, and whether its rank is told apart."""
    with _expected(), psycopg.connect(warehouse_dsn()) as connection:
        numbers = {"a": pages.find(connection, first), "b": pages.find(connection, second)}
        rows = _rows(connection, COMPARED, numbers)
    if as_json:
        print_marked(a=numbers["a"], b=numbers["b"], rows=rows)
        return
    table = Table(
        "单位", "A 拨款", "B 拨款", "B−A", "A 名次（范围）", "B 名次（范围）",
        title=_title(f"A {numbers['a']}  B {numbers['b']}"),
    )  # fmt: skip
    for r in rows:
        places = [
            f"{r[f'{x}_rank']}（{r[f'{x}_low']}–{r[f'{x}_high']}）" if r[f"{x}_rank"] else "不参与"
            for x in "ab"
        ]
        table.add_row(
            r["inst_name"],
            pages.yuan(r["a_cny"]),
            pages.yuan(r["b_cny"]),
            pages.yuan(r["difference_cny"], True),
            *places,
        )
    console = terminal()
    console.print(table, highlight=False)
    moved = sum(max(r["difference_cny"] or 0, 0) for r in rows)
    console.print(f"B 比 A 多给的合计 {moved:,.0f} 元", highlight=False)


RESULT = """
select r.inst_code, r.inst_name, r.score, r.score_rank, b.rank_low, b.rank_high, r.last_cny, r.unclamped_cny, r.clamped_cny,
    r.grant_cny, r.change_share
from allocation.result r join allocation.robustness b using (allocation_id, inst_code)
where r.allocation_id = %s order by r.grant_cny desc, r.inst_code
"""
COMPARED = """
with a as (
    select r.inst_code, r.inst_name, r.grant_cny, r.score_rank, b.rank_low, b.rank_high
    from allocation.result r join allocation.robustness b using (allocation_id, inst_code) where allocation_id = %(a)s
),
b as (
    select r.inst_code, r.inst_name, r.grant_cny, r.score_rank, b.rank_low, b.rank_high
    from allocation.result r join allocation.robustness b using (allocation_id, inst_code) where allocation_id = %(b)s
)
select inst_code, coalesce(a.inst_name, b.inst_name) as inst_name, a.grant_cny as a_cny, b.grant_cny as b_cny,
    coalesce(b.grant_cny, 0) - coalesce(a.grant_cny, 0) as difference_cny, a.score_rank as a_rank, a.rank_low as a_low,
    a.rank_high as a_high, b.score_rank as b_rank, b.rank_low as b_low, b.rank_high as b_high
from a full join b using (inst_code) order by difference_cny desc, inst_code
"""


def _signed(name: str, actor: str, reason: str, action: str, as_json: bool) -> None:
    with _expected(), psycopg.connect(warehouse_dsn()) as connection:
        found = inputs.read(connection, schemes.load(name))
        number = guards.sign(connection, found, stewards.find(actor), reason, action)
    if as_json:
        print_marked(
            number=number,
            action=action,
            scheme=name,
            values=found.value_count,
            as_of=found.as_of,
            digest=found.digest,
        )
        return
    done = "已签认" if action == "signed" else "已撤回签认"
    what = f"方案 {name} 所用的 {found.value_count} 个值"
    terminal().print(
        f"{done}（第 {number} 号）：{what}，统计日期 {found.as_of}，摘要 {found.digest[:12]}",
        highlight=False, soft_wrap=True,
    )  # fmt: skip


def _rows(connection: psycopg.Connection, query: str, given: Any = None) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, [given] if isinstance(given, str) else given).fetchall()


def _title(text: str) -> str:
    return f"{text}  {settings.warehouse_mark()}".rstrip()


@contextmanager
def _expected() -> Iterator[None]:
    with expected(
        schemes.SchemeError, inputs.InputError, guards.NotAllowed, money.MoneyError, run.NotReproducible,
        pages.NoAllocation, stewards.StewardError, LookupError,
    ):  # fmt: skip
        yield
