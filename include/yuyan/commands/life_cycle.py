"""What the commands of every life cycle share (`yuyan problem …`, `yuyan hold …`): options, steps, the history.

Each has the same form: `list [--institution] [--state …] [--all] [--json]`, `show NUMBER [--json]`, and a command per step
that people take, `<step> NUMBER --as ACCOUNT --reason TEXT [--as-of DAY] [--json]`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated, Any

import psycopg
import typer
from rich.markup import escape
from rich.table import Table

from yuyan import settings
from yuyan.commands.console import expected, print_marked, terminal, warehouse_dsn
from yuyan.decisions.life_cycle import DecisionError, LifeCycle, day_of
from yuyan.domain import stewards

States = Annotated[list[str] | None, typer.Option("--state", help="May be repeated (default: what is open).")]
Everything = Annotated[bool, typer.Option("--all", help="Also what is closed.")]
Actor = Annotated[
    str,
    typer.Option("--as", envvar="YUYAN_STEWARD", help="Your steward account (include/stewards.yml)."),
]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is recorded.")]
Day = Annotated[
    datetime | None,
    typer.Option("--as-of", formats=["%Y-%m-%d"], help="Date of this step (default: the line's newest run)."),
]


@contextmanager
def warehouse() -> Iterator[psycopg.Connection]:
    """A connection on which a step is a transaction; what is refused becomes a message."""
    with (
        expected(DecisionError, stewards.StewardError),
        psycopg.connect(warehouse_dsn(), autocommit=True) as connection,
    ):
        yield connection


def wanted(
    lives: LifeCycle, states: list[str] | None, everything: bool, closed: tuple[str, ...]
) -> list[str]:
    """The states that a list shows. Raises DecisionError for one that there is not."""
    known = lives.cycle.states
    if unknown := [state for state in states or () if state not in known]:
        raise DecisionError(f"没有状态 {'、'.join(unknown)}；可用：{'、'.join(known)}")
    return states or [state for state in known if everything or state not in closed]


@contextmanager
def step(
    lives: LifeCycle, number: int, as_of: datetime | None, as_json: bool = False
) -> Iterator[tuple[psycopg.Connection, date]]:
    """A connection and the day of the step; afterwards says how its subject moved, as JSON with the state it `was` in."""
    with warehouse() as connection:
        before = lives.get(connection, number)
        yield connection, day_of(connection, as_of.date() if as_of else None)
        after, states = lives.get(connection, number), lives.cycle.states
        if as_json:
            print_marked(was=before.state, **asdict(after))
        else:
            terminal().print(f"{after.name}：{states[before.state]} → {states[after.state]}", highlight=False)


def hint(as_json: bool, text: str) -> None:
    """Say what to do next, to people."""
    if not as_json:
        terminal().print(text, highlight=False, soft_wrap=True)


def history(lives: LifeCycle, events: list[dict[str, Any]]) -> Table:
    """Every step so far: when, who, what, why."""
    table = Table(
        "统计日期", "记录时间", "谁", "做了什么", "状态", "为何", title="经过", title_justify="left"
    )
    for e in events:
        table.add_row(
            str(e["as_of"]), f"{e['recorded_at']:%Y-%m-%d %H:%M}", e["actor"], lives.cycle.step_labels[e["action"]],
            lives.cycle.states[e["to_state"]], escape(e["reason"]),
        )  # fmt: skip
    return table


def title(text: str) -> str:
    """A heading, with the mark of simulated data where they are."""
    mark = settings.warehouse_mark()
    return f"{text}  [bold magenta]{mark}[/]" if mark else text
