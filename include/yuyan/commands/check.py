"""`yuyan check`: try an institution before it is collected."""

import sys
from contextlib import redirect_stdout
from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import psycopg
import typer
from rich.markup import escape
from rich.table import Table

from yuyan import settings
from yuyan.check import run, trial
from yuyan.check.run import Report, Tried
from yuyan.collect.moments import BEIJING
from yuyan.commands.console import Json, OperatorError, expected, print_json, terminal, warehouse_dsn
from yuyan.domain import institutions
from yuyan.domain.institutions import InstitutionError


class Against(StrEnum):
    """What is tried."""

    source = "source"
    landing = "landing"


def check(
    institution: Annotated[str, typer.Argument(metavar="INSTITUTION", help="Code of the institution.")],
    against: Annotated[
        Against,
        typer.Option(help="Its platform, or what has landed of it: how a changed file would map that."),
    ] = Against.source,
    rows: Annotated[int, typer.Option(min=1, max=10_000, help="Rows of each entity that are tried.")] = 100,
    as_json: Json = False,
) -> None:
    """Try an institution without loading anything: connection, tables and columns, mapping and rules on the first rows, a
    proposal for what is not mapped, and what is missing."""
    with expected(InstitutionError, trial.Busy):
        one = _institution(institution)
        dsn, without = _warehouse()
        today = datetime.now(BEIJING).date()
        # what Airflow logs of a connection goes to standard output, which is for what was asked
        with redirect_stdout(sys.stderr):
            if dsn is None:
                report = run.check(one, today, None, against is Against.landing, rows)
            else:
                with psycopg.connect(dsn, autocommit=True) as connection:
                    report = run.check(one, today, connection, against is Against.landing, rows)
    if as_json:
        print_json(asdict(report) | {"without_warehouse": without})
    else:
        _print(report, without)
    if report.stopped:
        raise typer.Exit(1)


def _institution(code: str) -> institutions.Institution:
    known = institutions.load()
    if code not in known and code not in known.refused:
        raise OperatorError(
            f"{code} 没有配置文件；用 yuyan institution new {code} 新建，已有的是 {', '.join(known)}。/ "
            "there is no file of this institution"
        )
    return known[code]


def _warehouse() -> tuple[str | None, str]:
    """The warehouse's address, or why there is none."""
    try:
        return warehouse_dsn(
            settings.OWNER
        ), ""  # it puts rows where several stages write, and takes them back
    except OperatorError as error:
        return None, str(error)


def _print(report: Report, without: str) -> None:
    console = terminal()

    def say(text: str) -> None:
        console.print(text, highlight=False, soft_wrap=True)

    say(f"[bold]{report.inst_code} {escape(report.name)}[/]  {report.product}  试读，不装载")
    if report.stopped:
        say(f"[red]未通过：[/]{escape(report.stopped)}")
    elif report.against == "source":
        say(f"已连接，看到 {len(report.resources)} 个表或文件")
    for seen in report.resources:
        table = Table(title=escape(_title(seen)), title_justify="left")
        for name in ("列", "类型", "写法", "有值", "代码（5 行以上相同）"):
            table.add_column(name, overflow="fold")
        for c in seen.columns:
            form = f"{c.form}　疑似{c.personal}" if c.personal else c.form
            table.add_row(escape(c.name), c.type, escape(form), f"{c.filled:.0%}", "、".join(c.values))
        console.print(table)
    for one in report.tried:
        _print_tried(console, one)
    if without:
        say(f"规则未试判：{escape(without)}")
    if report.missing:
        say("[bold]还缺什么[/]")
        for text in report.missing:
            say(f"  · {escape(text)}")
    if report.proposal:
        say(f"[bold]建议[/]（抄入 {report.inst_code}.yml，逐行核对）")
        console.print(report.proposal, highlight=False, markup=False, soft_wrap=True)


def _title(seen: "object") -> str:
    parts = [
        seen.name,
        f"→ {'、'.join(seen.entities)}" if seen.entities else "（未映射）",
        seen.note,
        seen.problem,
    ]
    return "　".join(filter(None, parts))


def _print_tried(console: object, one: Tried) -> None:
    verdict = one.verdict
    head = f"[bold]{one.label} {one.entity}[/]　{escape(one.table)}　试了 {one.rows} 行{'（全部）' if one.is_all else ''}"
    if verdict and not verdict.refused:
        head += f"，可接收 {verdict.accepted} 行"
        if verdict.changed is not None:
            head += f"，与已装载的不同 {verdict.changed} 行"
    console.print(head, highlight=False, soft_wrap=True)
    if not (verdict and verdict.failures):
        return
    table = Table("规则", "级别", "行数", "首行", "说明", "看到的值", "怎么办")
    for f in verdict.failures:
        message = f"{f.message}（上级只试了前几行，未定）" if f.undecided else f.message
        table.add_row(
            f.rule_id, f.severity, str(f.rows), str(f.first_row), message, "、".join(f.observed), f.fix
        )
    console.print(table)
