"""`yuyan problem …`: what people do about problems and overrides, by hand. In Chinese, as stewards read it."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import psycopg
import typer
from psycopg.rows import dict_row
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
from yuyan.decisions import overrides, problems
from yuyan.decisions.overrides import OVERRIDES, Override
from yuyan.decisions.problems import PROBLEMS, Problem
from yuyan.domain import stewards
from yuyan.domain.labels import OVERRIDES as WHO_MAY_OVERRIDE

app = typer.Typer(no_args_is_help=True, help="Problems and overrides: look, promise, ask, decide, explain.")

Number = Annotated[
    int, typer.Argument(metavar="PROBLEM", help="Number of the problem, see `yuyan problem list`.")
]


@app.command("list")
def list_problems(
    institution: Institution = None,
    states: States = None,
    everything: Everything = False,
    as_json: Json = False,
) -> None:
    """Problems, the largest first."""
    with warehouse() as connection:
        rows = _rows(
            connection,
            "select p.problem_id, p.src_inst_code, p.rule_id, r.message, p.severity, p.state, p.failed, p.causes, "
            "p.promised_for, o.expires_on, o.granted_rows from quality.problem p "
            "left join quality.rule r on r.rule_id = p.rule_id and r.is_current left join quality.override o "
            "on o.problem_id = p.problem_id and o.state in ('requested', 'active') "
            "where p.state = any(%s) and p.src_inst_code = coalesce(%s, p.src_inst_code) "
            "order by p.failed desc, p.problem_id",
            [wanted(PROBLEMS, states, everything, closed=("fixed",)), institution],
        )
    if as_json:
        print_marked(rows=rows)
        return
    table = Table(
        "编号", "单位", "规则", "问题", "级别", "状态", "不合格", "根因", "期限", title=title("数据质量问题")
    )
    for row in rows:
        until = row["promised_for"] or row["expires_on"]
        table.add_row(
            str(row["problem_id"]), row["src_inst_code"], row["rule_id"], row["message"] or "", row["severity"],
            PROBLEMS.cycle.states[row["state"]], f"{row['failed']:,}", f"{row['causes']:,}", str(until or ""),
        )  # fmt: skip
    terminal().print(table if rows else "没有符合条件的问题", highlight=False)


@app.command()
def show(number: Number, as_json: Json = False) -> None:
    """One problem with its rule, causes, overrides and every step so far."""
    with warehouse() as connection:
        problem = PROBLEMS.get(connection, number)
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
        granted = OVERRIDES.select(connection, "problem_id = %s order by override_id", [number])
        events = PROBLEMS.events(connection, number)
    if as_json:
        found = {"problem": asdict(problem), "rule": rule[0] if rule else None, "causes": causes}
        print_marked(**found, overrides=[asdict(o) for o in granted], events=events)
        return
    _show(problem, rule[0] if rule else {}, causes, granted, events)


@app.command()
def promise(
    number: Number,
    by: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Fixed by this day.")],
    reason: Reason,
    actor: Actor,
    as_of: Day = None,
    as_json: Json = False,
) -> None:
    """Promise that the source will be corrected by a day."""
    with step(PROBLEMS, number, as_of, as_json) as (connection, day):
        problems.promise(connection, number, actor, by.date(), reason, day)


@app.command()
def explain(number: Number, reason: Reason, actor: Actor, as_of: Day = None, as_json: Json = False) -> None:
    """Accept with an explanation what a WARN or INFO rule found; more of it opens the problem again."""
    with step(PROBLEMS, number, as_of, as_json) as (connection, day):
        problems.explain(connection, number, actor, reason, day)


@app.command()
def reopen(number: Number, reason: Reason, actor: Actor, as_of: Day = None, as_json: Json = False) -> None:
    """Take a promise or an explanation back."""
    with step(PROBLEMS, number, as_of, as_json) as (connection, day):
        problems.reopen(connection, number, actor, reason, day)


@app.command()
def request(
    number: Number,
    rows: Annotated[int, typer.Option(min=1, help="How many failing rows at most.")],
    until: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Last day of the override.")],
    reason: Reason,
    actor: Actor,
    as_of: Day = None,
    as_json: Json = False,
) -> None:
    """Ask for an override: failing rows pass, up to a number, until a day."""
    with step(PROBLEMS, number, as_of, as_json) as (connection, day):
        override = overrides.request(connection, number, actor, rows, reason, until.date(), day)
        rule = problems.rule(connection, override.rule_id)
        may = stewards.deciders(rule["override_by"], override.src_inst_code, actor)
    names = "、".join(s.name for s in may)
    hint(
        as_json,
        f"豁免 {override.override_id} 待审批，可审批的账号：{names}。approve {number} 批准，reject {number} 驳回；"
        f"或在 Airflow 以 override_id={override.override_id} 触发 override",
    )


@app.command()
def approve(number: Number, reason: Reason, actor: Actor, as_of: Day = None, as_json: Json = False) -> None:
    """Approve the override that was asked for. Its rows pass in the next validation."""
    with step(PROBLEMS, number, as_of, as_json) as (connection, day):
        override = overrides.decide(connection, number, actor, True, reason, day)
    hint(
        as_json,
        f"豁免 {override.override_id} 至 {override.expires_on} 有效，至多 {override.granted_rows} 行；下一次校验起放行，"
        "立即放行：yuyan replay revalidate",
    )


@app.command()
def reject(number: Number, reason: Reason, actor: Actor, as_of: Day = None, as_json: Json = False) -> None:
    """Reject the override that was asked for; the problem is open again."""
    with step(PROBLEMS, number, as_of, as_json) as (connection, day):
        overrides.decide(connection, number, actor, False, reason, day)


@app.command()
def withdraw(number: Number, reason: Reason, actor: Actor, as_of: Day = None, as_json: Json = False) -> None:
    """Take a request back, or end an active override: its rows go back to quarantine in the next validation."""
    with step(PROBLEMS, number, as_of, as_json) as (connection, day):
        overrides.withdraw(connection, number, actor, reason, day)


def _rows(connection: psycopg.Connection, query: str, parameters: list) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, parameters).fetchall()


def _show(
    problem: Problem,
    rule: dict[str, Any],
    causes: list[dict],
    granted: list[Override],
    events: list[dict],
) -> None:
    console = terminal()
    grid = Table.grid(padding=(0, 2))
    facts = {
        "状态": PROBLEMS.cycle.states[problem.state]
        + (f"（{problem.promised_for} 前）" if problem.promised_for else ""),
        "级别": problem.severity,
        "不合格": f"{problem.failed:,} 行，{problem.causes:,} 个根因",
        "规则": f"{rule.get('message', '已停用')}（第 {rule.get('version', '—')} 版）",
        "为什么": rule.get("why", ""),
        "怎么改": rule.get("fix", ""),
        "责任": rule.get("owner", ""),
        "谁可豁免": WHO_MAY_OVERRIDE.get(rule.get("override_by", ""), ""),
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
            state = OVERRIDES.cycle.states[o.state] + (f"（{o.lapse_reason}）" if o.lapse_reason else "")
            decided = f"{o.decided_by} {o.decided_on}" if o.decided_by else ""
            table.add_row(
                str(o.override_id), state, f"{o.granted_rows:,}", str(o.expires_on), f"{o.requested_by} {o.requested_on}",
                o.justification, decided, o.decision_reason or "",
            )  # fmt: skip
        console.print(table, highlight=False)
    console.print(history(PROBLEMS, events), highlight=False)
