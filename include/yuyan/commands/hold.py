"""`yuyan hold …`: look at what waits for a decision and decide. In Chinese, as stewards read it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import psycopg
import typer
from psycopg.rows import dict_row
from rich.markup import escape
from rich.table import Table

from yuyan.commands.console import Json, expected, print_json, terminal, warehouse_dsn
from yuyan.commands.problem import Actor, Day, Reason, title
from yuyan.decisions import holds, problems
from yuyan.decisions.holds import KINDS, STATES, Hold
from yuyan.domain import stewards

app = typer.Typer(
    no_args_is_help=True,
    help="Batches that would empty an entity, halve it or return it to old content: look, accept, reject.",
)

Number = Annotated[int, typer.Argument(metavar="HOLD", help="Number of the hold, see `yuyan hold list`.")]


@app.command("list")
def list_holds(
    institution: Annotated[str | None, typer.Option(help="Institution code.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also those that are closed.")] = False,
    as_json: Json = False,
) -> None:
    """What is held, the newest first."""
    states = list(STATES) if everything else list(holds.OPEN)
    with _warehouse() as connection:
        found = holds.select(
            connection,
            "state = any(%s) and src_inst_code = coalesce(%s, src_inst_code) order by hold_id desc",
            [states, institution],
        )
    if as_json:
        print_json([asdict(hold) for hold in found])
        return
    table = Table(
        "编号",
        "单位",
        "实体",
        "情形",
        "有效记录",
        "受影响",
        "首次发现",
        "状态",
        "决定",
        title=title("暂缓的批次"),
    )
    for hold in found:
        table.add_row(
            str(hold.hold_id), hold.src_inst_code, hold.entity, KINDS[hold.kind], f"{hold.live_rows:,}",
            f"{hold.affected_rows:,}", str(hold.as_of), STATES[hold.state], _decision(hold),
        )  # fmt: skip
    terminal().print(table if found else "没有暂缓的批次", highlight=False)


@app.command()
def show(number: Number, as_json: Json = False) -> None:
    """One hold: its figures, where its batches are landed, and every step so far."""
    with _warehouse() as connection:
        hold = holds.get(connection, number)
        with connection.cursor(row_factory=dict_row) as cursor:
            events = cursor.execute(
                "select recorded_at, as_of, actor, from_state, to_state, reason, run_id from quality.hold_event "
                "where hold_id = %s order by event_id",
                [number],
            ).fetchall()
    if as_json:
        print_json({"hold": asdict(hold), "events": events})
        return
    console = terminal()
    grid = Table.grid(padding=(0, 2))
    for name, text in {
        "情形": f"{KINDS[hold.kind]}：仓库有 {hold.live_rows:,} 条有效记录，其中 {hold.affected_rows:,} 条受影响",
        "状态": STATES[hold.state],
        "决定": _decision(hold),
        "采集": f"首次 {hold.run_id}（{hold.as_of}），最近 {hold.last_run_id}",
        "落地": "\n".join(hold.landing_uris),
    }.items():
        grid.add_row(name, text)
    console.print(title(hold.name), grid, sep="\n", highlight=False)
    table = Table("统计日期", "记录时间", "谁", "状态", "为何", title="经过", title_justify="left")
    for e in events:
        moment = f"{e['recorded_at']:%Y-%m-%d %H:%M}"
        table.add_row(str(e["as_of"]), moment, e["actor"], STATES[e["to_state"]], escape(e["reason"]))
    console.print(table, highlight=False)


@app.command()
def accept(number: Number, reason: Reason, actor: Actor, as_of: Day = None) -> None:
    """Let it pass: the next collection loads up to as many affected records as the hold says."""
    hold = _decide(number, "accepted", reason, actor, as_of)
    terminal().print(
        f"{hold.name}：已认可，至多 {hold.affected_rows:,} 条，下次采集生效；立即生效："
        f"yuyan replay recollect --institution {hold.src_inst_code} --entity {hold.entity}",
        highlight=False, soft_wrap=True,
    )  # fmt: skip


@app.command()
def reject(number: Number, reason: Reason, actor: Actor, as_of: Day = None) -> None:
    """Keep it out: the institution repairs its data; when they are back to normal, the hold closes by itself."""
    hold = _decide(number, "rejected", reason, actor, as_of)
    terminal().print(
        f"{hold.name}：不认可，此前的数据继续有效；请通知报送单位修复，来源恢复后自动了结",
        highlight=False, soft_wrap=True,
    )  # fmt: skip


def _decide(number: int, state: str, reason: str, actor: str, as_of: datetime | None) -> Hold:
    with _warehouse() as connection:
        day = as_of.date() if as_of else problems.today(connection)
        return holds.decide(connection, number, state, stewards.find(actor), reason, day)


def _decision(hold: Hold) -> str:
    return f"{hold.decided_by} {hold.decided_on}：{escape(hold.reason)}" if hold.decided_by else ""


@contextmanager
def _warehouse() -> Iterator[psycopg.Connection]:
    with (
        expected(holds.HoldError, problems.ProblemError, stewards.StewardError),
        psycopg.connect(warehouse_dsn(), autocommit=True) as connection,
    ):
        yield connection
