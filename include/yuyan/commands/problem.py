"""`yuyan problem …`: what people do about problems and overrides, by hand. In Chinese, as stewards read it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any

import psycopg
import typer
from psycopg.rows import dict_row
from rich.table import Table

from yuyan import settings
from yuyan.commands.console import Json, expected, print_json, terminal, warehouse_dsn
from yuyan.decisions import overrides, problems
from yuyan.decisions.problems import ACTIONS, STATES, Problem
from yuyan.domain import stewards

app = typer.Typer(no_args_is_help=True, help="Problems and overrides: look, promise, ask, decide, explain.")

Number = Annotated[
    int, typer.Argument(metavar="PROBLEM", help="Number of the problem, see `yuyan problem list`.")
]
Actor = Annotated[
    str,
    typer.Option("--as", envvar="YUYAN_STEWARD", help="Your steward account (include/stewards.yml)."),
]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is recorded.")]
Day = Annotated[
    datetime | None,
    typer.Option("--as-of", formats=["%Y-%m-%d"], help="Date of this step (default: the line's newest run)."),
]
State = StrEnum("State", {state: state for state in STATES})


@app.command("list")
def list_problems(
    institution: Annotated[str | None, typer.Option(help="Institution code.")] = None,
    state: Annotated[
        list[State] | None, typer.Option(help="May be repeated (default: all but fixed).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Problems, the largest first."""
    wanted = [s.value for s in state or State if state or s != State.fixed]
    with _warehouse() as connection:
        rows = _rows(
            connection,
            "select p.problem_id, p.src_inst_code, p.rule_id, r.message, p.severity, p.state, p.failed, p.causes, "
            "p.promised_for, o.expires_on, o.granted_rows from quality.problem p "
            "left join quality.rule r on r.rule_id = p.rule_id and r.is_current left join quality.override o "
            "on o.problem_id = p.problem_id and o.state in ('requested', 'active') "
            "where p.state = any(%s) and p.src_inst_code = coalesce(%s, p.src_inst_code) "
            "order by p.failed desc, p.problem_id",
            [wanted, institution],
        )
    if as_json:
        print_json(rows)
        return
    table = Table(
        "编号", "单位", "规则", "问题", "级别", "状态", "不合格", "根因", "期限", title=title("数据质量问题")
    )
    for row in rows:
        until = row["promised_for"] or row["expires_on"]
        table.add_row(
            str(row["problem_id"]), row["src_inst_code"], row["rule_id"], row["message"] or "", row["severity"],
            STATES[row["state"]], f"{row['failed']:,}", f"{row['causes']:,}", str(until or ""),
        )  # fmt: skip
    terminal().print(table if rows else "没有符合条件的问题", highlight=False)


@app.command()
def show(number: Number, as_json: Json = False) -> None:
    """One problem with its rule, causes, overrides and every step so far."""
    with _warehouse() as connection:
        problem = problems.get(connection, number)
        rule = _rows(
            connection,
            "select version, override_by, message, why, fix, owner from quality.rule where rule_id = %s and is_current",
            [problem.rule_id],
        )
        causes = _rows(
            connection,
            "select c.message, count(*) as failed from quality.row_failure f join quality.cause c using (cause_id) "
            "where f.rule_id = %s and f.src_inst_code = %s and f.resolved_run_id is null group by c.cause_id, c.message "
            "order by failed desc, c.message",
            [problem.rule_id, problem.src_inst_code],
        )
        granted = overrides.of(connection, "problem_id = %s", number)
        events = _rows(
            connection,
            "select recorded_at, as_of, actor, action, from_state, to_state, reason, run_id, override_id "
            "from quality.problem_event where problem_id = %s order by event_id",
            [number],
        )
    if as_json:
        found = {"problem": asdict(problem), "rule": rule[0] if rule else None, "causes": causes}
        print_json(found | {"overrides": [asdict(o) for o in granted], "events": events})
        return
    _show(problem, rule[0] if rule else {}, causes, granted, events)


@app.command()
def promise(
    number: Number,
    by: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Fixed by this day.")],
    reason: Reason,
    actor: Actor,
    as_of: Day = None,
) -> None:
    """Promise that the source will be corrected by a day."""
    with _step(number, as_of) as (connection, day):
        problems.promise(connection, number, actor, by.date(), reason, day)


@app.command()
def explain(number: Number, reason: Reason, actor: Actor, as_of: Day = None) -> None:
    """Accept with an explanation what a WARN or INFO rule found; more of it opens the problem again."""
    with _step(number, as_of) as (connection, day):
        problems.explain(connection, number, actor, reason, day)


@app.command()
def reopen(number: Number, reason: Reason, actor: Actor, as_of: Day = None) -> None:
    """Take a promise or an explanation back."""
    with _step(number, as_of) as (connection, day):
        problems.reopen(connection, number, actor, reason, day)


@app.command()
def request(
    number: Number,
    rows: Annotated[int, typer.Option(min=1, help="How many failing rows at most.")],
    until: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Last day of the override.")],
    reason: Reason,
    actor: Actor,
    as_of: Day = None,
) -> None:
    """Ask for an override: failing rows pass, up to a number, until a day."""
    with _step(number, as_of) as (connection, day):
        override = overrides.request(connection, number, actor, rows, reason, until.date(), day)
        rule = problems.rule(connection, override.rule_id)
        may = stewards.deciders(rule["override_by"], override.src_inst_code, actor)
    names = "、".join(s.name for s in may)
    terminal().print(
        f"豁免 {override.override_id} 待审批，可审批的账号：{names}。approve {number} 批准，reject {number} 驳回；"
        f"或在 Airflow 以 override_id={override.override_id} 触发 override",
        highlight=False, soft_wrap=True,
    )  # fmt: skip


@app.command()
def approve(number: Number, reason: Reason, actor: Actor, as_of: Day = None) -> None:
    """Approve the override that was asked for. Its rows pass in the next validation."""
    with _step(number, as_of) as (connection, day):
        override = overrides.decide(connection, number, actor, True, reason, day)
    terminal().print(
        f"豁免 {override.override_id} 至 {override.expires_on} 有效，至多 {override.granted_rows} 行；下一次校验起放行，"
        "立即放行：yuyan replay revalidate",
        highlight=False, soft_wrap=True,
    )  # fmt: skip


@app.command()
def reject(number: Number, reason: Reason, actor: Actor, as_of: Day = None) -> None:
    """Reject the override that was asked for; the problem is open again."""
    with _step(number, as_of) as (connection, day):
        overrides.decide(connection, number, actor, False, reason, day)


@app.command()
def withdraw(number: Number, reason: Reason, actor: Actor, as_of: Day = None) -> None:
    """Take a request back, or end an active override: its rows go back to quarantine in the next validation."""
    with _step(number, as_of) as (connection, day):
        overrides.withdraw(connection, number, actor, reason, day)


@contextmanager
def _warehouse() -> Iterator[psycopg.Connection]:
    with (
        expected(problems.ProblemError, stewards.StewardError),
        psycopg.connect(warehouse_dsn(), autocommit=True) as connection,
    ):
        yield connection


@contextmanager
def _step(number: int, as_of: datetime | None) -> Iterator[tuple[psycopg.Connection, date]]:
    """A connection and the day of the step; afterwards says how the problem moved."""
    with _warehouse() as connection:
        before = problems.get(connection, number)
        yield connection, as_of.date() if as_of else problems.today(connection)
        after = problems.get(connection, number)
        terminal().print(f"{after.name}：{STATES[before.state]} → {STATES[after.state]}", highlight=False)


def _rows(connection: psycopg.Connection, query: str, parameters: list) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, parameters).fetchall()


def title(text: str) -> str:
    """A heading, with the mark of simulated data where they are."""
    return f"{text}  [bold magenta]{settings.SIMULATED}[/]" if _is_simulated() else text


def _is_simulated() -> bool:
    """The embedded runtime's own warehouse holds simulated data only."""
    return bool(settings.simulated_mark()) or "YUYAN_WAREHOUSE_DSN" not in os.environ


def _show(
    problem: Problem,
    rule: dict[str, Any],
    causes: list[dict],
    granted: list[overrides.Override],
    events: list[dict],
) -> None:
    console = terminal()
    grid = Table.grid(padding=(0, 2))
    facts = {
        "状态": STATES[problem.state] + (f"（{problem.promised_for} 前）" if problem.promised_for else ""),
        "级别": problem.severity,
        "不合格": f"{problem.failed:,} 行，{problem.causes:,} 个根因",
        "规则": f"{rule.get('message', '已停用')}（第 {rule.get('version', '—')} 版）",
        "为什么": rule.get("why", ""),
        "怎么改": rule.get("fix", ""),
        "责任": rule.get("owner", ""),
        "谁可豁免": {"nobody": "不可豁免", "university": "报送单位", "commission": "市教委"}.get(
            rule.get("override_by"), ""
        ),
    }
    for name, text in facts.items():
        grid.add_row(name, text)
    console.print(title(problem.name), highlight=False)
    console.print(grid, highlight=False)
    if causes:
        table = Table("根因", "不合格行", title="根因（前 10 个）", title_justify="left")
        for cause in causes[:10]:
            table.add_row(cause["message"], f"{cause['failed']:,}")
        console.print(table, highlight=False)
    if granted:
        table = Table(
            "豁免",
            "状态",
            "放行",
            "到期",
            "申请",
            "理由",
            "审批",
            "审批意见",
            title="豁免",
            title_justify="left",
        )
        for o in granted:
            state = overrides.STATES[o.state] + (f"（{o.lapse_reason}）" if o.lapse_reason else "")
            decided = f"{o.decided_by} {o.decided_on}" if o.decided_by else ""
            table.add_row(
                str(o.override_id), state, f"{o.granted_rows:,}", str(o.expires_on), f"{o.requested_by} {o.requested_on}",
                o.justification, decided, o.decision_reason or "",
            )  # fmt: skip
        console.print(table, highlight=False)
    table = Table(
        "统计日期", "记录时间", "谁", "做了什么", "状态", "为何", title="经过", title_justify="left"
    )
    for e in events:
        table.add_row(
            str(e["as_of"]), f"{e['recorded_at']:%Y-%m-%d %H:%M}", e["actor"], ACTIONS[e["action"]],
            STATES[e["to_state"]], e["reason"],
        )  # fmt: skip
    console.print(table, highlight=False)
