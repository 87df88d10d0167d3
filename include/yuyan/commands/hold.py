"""`yuyan hold …`: look at what waits for a decision and decide. In Chinese, as stewards read it."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from yuyan.commands.console import Institution, Json, print_marked, terminal
from yuyan.commands.life_cycle import (
    Actor,
    Day,
    Everything,
    Reason,
    States,
    hint,
    history,
    step,
    title,
    wanted,
    warehouse,
)
from yuyan.decisions import holds
from yuyan.decisions.holds import HOLDS, KINDS, Hold
from yuyan.domain import stewards

app = typer.Typer(
    no_args_is_help=True,
    help="Batches that would empty an entity, halve it or return it to old content: look, accept, reject.",
)

Number = Annotated[int, typer.Argument(metavar="HOLD", help="Number of the hold, see `yuyan hold list`.")]


@app.command("list")
def list_holds(
    institution: Institution = None,
    states: States = None,
    everything: Everything = False,
    as_json: Json = False,
) -> None:
    """Holds, the newest first."""
    closed = tuple(state for state in HOLDS.cycle.states if state not in holds.OPEN)
    with warehouse() as connection:
        found = HOLDS.select(
            connection,
            "state = any(%s) and src_inst_code = coalesce(%s, src_inst_code) order by hold_id desc",
            [wanted(HOLDS, states, everything, closed), institution],
        )
    if as_json:
        print_marked(rows=[asdict(hold) for hold in found])
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
            f"{hold.affected_rows:,}", str(hold.as_of), HOLDS.cycle.states[hold.state], _decision(hold),
        )  # fmt: skip
    terminal().print(table if found else "没有暂缓的批次", highlight=False)


@app.command()
def show(number: Number, as_json: Json = False) -> None:
    """One hold: its figures, where its batches are landed, and every step so far."""
    with warehouse() as connection:
        hold, events = HOLDS.get(connection, number), HOLDS.events(connection, number)
    if as_json:
        print_marked(hold=asdict(hold), events=events)
        return
    console = terminal()
    grid = Table.grid(padding=(0, 2))
    for name, text in {
        "情形": f"{KINDS[hold.kind]}：仓库有 {hold.live_rows:,} 条有效记录，其中 {hold.affected_rows:,} 条受影响",
        "状态": HOLDS.cycle.states[hold.state],
        "决定": _decision(hold),
        "采集": f"首次 {hold.run_id}（{hold.as_of}），最近 {hold.last_run_id}",
        "落地": "\n".join(hold.landing_uris),
    }.items():
        grid.add_row(name, text)
    console.print(title(hold.name), grid, sep="\n", highlight=False)
    console.print(history(HOLDS, events), highlight=False)


@app.command()
def accept(number: Number, reason: Reason, actor: Actor, as_of: Day = None, as_json: Json = False) -> None:
    """Let it pass: the next collection loads up to as many affected records as the hold says."""
    hold = _decide(number, True, reason, actor, as_of, as_json)
    hint(
        as_json,
        f"{hold.name}：已认可，至多 {hold.affected_rows:,} 条，下次采集生效；立即生效："
        f"yuyan replay recollect --institution {hold.src_inst_code} --entity {hold.entity}",
    )


@app.command()
def reject(number: Number, reason: Reason, actor: Actor, as_of: Day = None, as_json: Json = False) -> None:
    """Keep it out: the institution repairs its data; when they are back to normal, the hold closes by itself."""
    hold = _decide(number, False, reason, actor, as_of, as_json)
    hint(
        as_json,
        f"{hold.name}：不认可，此前的数据继续有效；请通知报送单位修复，来源恢复后自动了结",
    )


def _decide(
    number: int, is_accepted: bool, reason: str, actor: str, as_of: datetime | None, as_json: bool
) -> Hold:
    with step(HOLDS, number, as_of, as_json) as (connection, day):
        return holds.decide(connection, number, is_accepted, stewards.find(actor), reason, day)


def _decision(hold: Hold) -> str:
    return f"{hold.decided_by} {hold.decided_on}：{escape(hold.reason)}" if hold.decided_by else ""
