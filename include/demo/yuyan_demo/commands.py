"""The commands of the demonstration: run the line on simulated platforms, see what is up, stop it.

The product finds them by the entry points of this distribution.
"""

from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from yuyan import settings
from yuyan.commands import replay, report
from yuyan.commands.console import Json, OperatorError, expected, print_json, print_marked, terminal
from yuyan.domain import labels
from yuyan.files import DamagedFile
from yuyan_demo.runtime import day, deployed, line, services

Seed = Annotated[int | None, typer.Option(help="Seed of the simulated city (default 20261015).")]
Scale = Annotated[
    float | None,
    typer.Option(
        envvar="SCALE",
        min=0.001,
        max=2.0,
        help="Size of the simulated city; 1 is all of it, 2 twice (default 1/15).",
    ),
]


def run(seed: Seed = None, scale: Scale = None, as_json: Json = False) -> None:
    """Run the next simulated day: collect, load, validate, transform, compute; then print the indicators.

    A day that failed is repeated. An institution that could not be collected does not fail the day: it is named, and its
    data are those of its last collection. Everything stays up until `yuyan down`. Exit code 0: the marts were built.
    """
    _line(line.run, as_json, seed, scale)


def up(seed: Seed = None, scale: Scale = None, as_json: Json = False) -> None:
    """Start PostgreSQL, the simulated platforms and Airflow, without running the line."""
    console = terminal(as_json)
    with expected(), services.exclusive(settings.home()):
        state = day.load(settings.home(), seed, scale)
        up = line.up(settings.home(), console, state, max(state.prepared, 1))
        if as_json:
            print_marked(**_which(up))
        else:
            _where(console, up.runtime)


def down(as_json: Json = False) -> None:
    """Stop everything that `yuyan run` or `yuyan up` started. Data stay."""
    with expected():
        stopped = services.down(settings.home())
    if as_json:
        print_json({"stopped": stopped})
    else:
        terminal().print(f"已停止：{'、'.join(stopped)}" if stopped else "没有在运行的服务")


def clean(as_json: Json = False) -> None:
    """Stop everything and forget all data: databases, landing, simulated city, logs, secrets. What is installed stays."""
    with expected(), services.exclusive(settings.home()):
        removed = services.clean(settings.home())
    if as_json:
        print_json({"removed": removed})
    else:
        terminal().print(f"已清除：{'、'.join(removed)}" if removed else "没有可清除的数据")


def simulate(
    port: Annotated[int, typer.Option(help="Port on which the simulated platforms are served.")],
    seed: Seed = None,
    scale: Scale = None,
    as_json: Json = False,
) -> None:
    """Demo beside a production deployment: let the simulated city move on by one day and register its platforms."""
    with expected():
        state = deployed.simulate(settings.home(), seed, scale, port)
    today = day.as_of(state.prepared)
    if as_json:
        print_json({"mark": settings.SIMULATED, "as_of": today, "dag": "collect", "conf": {"as_of": today}})
        return
    console = terminal()
    console.print(f"模拟平台已推进到 {today}（{settings.SIMULATED}）", highlight=False)
    console.print(
        f'采集这一天：airflow dags trigger collect --conf \'{{"as_of": "{today}"}}\'', highlight=False
    )


def status(as_json: bool) -> None:
    """What is up, which day it is and how the last runs went."""
    with expected():
        home = settings.home()
        parts = services.status(home)
        state, runs, older, damage = None, [], [], []
        try:
            state = day.load(home)
        except DamagedFile as error:
            damage.append(str(error))
        is_up = all(part["is_running"] for part in parts)
        try:
            if parts[0]["is_running"]:
                dsn = services.load(home).warehouse_dsn
                runs, older = report.last_runs(dsn), report.passed_over(dsn)
        except OperatorError as error:
            damage.append(str(error))
    content = {
        "home": str(home),
        "damaged": damage,
        "is_up": is_up,
        "seed": state and state.seed,
        "scale": state and state.scale,
        "days_done": state and state.done,
        "as_of": day.as_of(state.done) if state and state.done else None,
        "services": parts,
        "runs": runs,
        "older_rows": older,
    }
    if as_json:
        print_json(content)
        return
    console = terminal()
    table = Table("服务", "状态", "进程", "地址", "内存", title=f"{home}", title_justify="left")
    for part in parts:
        state_text = "[green]运行中[/]" if part["is_running"] else "[red]未运行[/]"
        memory = f"{part['memory_mb']:,.0f} MB" if part["memory_mb"] else ""
        table.add_row(part["name"], state_text, str(part["pid"] or ""), part["address"] or "", memory)
    console.print(table)
    for fault in damage:
        console.print(f"[red]损坏[/] {fault}", highlight=False, soft_wrap=True)
    if state:
        today = f"，统计日期 {day.as_of(state.done)}" if state.done else ""
        console.print(f"已完成 {state.done} 天{today}", highlight=False)
    for row in runs:
        state_text = labels.RUN_STATES[row["state"]]
        console.print(f"{row['kind']} {row['run_id']} {row['as_of']} {state_text}", highlight=False)
    for row in older:
        console.print(
            f"[yellow]版本更旧、未采用[/] {row['src_inst_code']} {row['entity']} {row['older']:,} 行"
            f"（另有同一窗口重复 {row['repeated']:,} 行）",
            highlight=False,
        )


def repeat(request: replay.Request, as_json: bool) -> None:
    """Repeat a part of the line of this work folder, and print how it went."""
    _line(lambda home, console, state: line.replay(home, console, state, request), as_json)


def _line(action: Callable, as_json: bool, seed: int | None = None, scale: float | None = None) -> None:
    """Run an action of the line under the folder's lock and print what it has to say; exit 1 when something failed."""
    console = terminal(as_json)
    with expected(), services.exclusive(settings.home()):
        result = action(settings.home(), console, day.load(settings.home(), seed, scale))
        ended = report.ended(result.runtime.warehouse_dsn, result.runs, result.failures, result.seconds)
        if as_json:
            print_marked(**_which(result), **ended)
        else:
            _summary(console, result, ended)
    if result.failures:
        raise typer.Exit(1)


def _which(result: line.Report) -> dict[str, Any]:
    """Which city, which day, and where its Airflow is; passwords are in the work folder."""
    return {
        "home": str(result.runtime.home),
        "seed": result.state.seed,
        "scale": result.state.scale,
        "day": result.day,
        "as_of": day.as_of(result.day),
        "airflow_url": result.runtime.airflow_url,
    }


def _summary(console: Console, result: line.Report, ended: dict[str, Any]) -> None:
    dsn = result.runtime.warehouse_dsn
    if not result.failures:
        report.print_indicators(console, report.indicators(dsn))
        report.print_quality(console, report.quality(dsn))
        report.print_balance(console, ended["balance"])
    report.print_elapsed(console, result.seconds)
    console.print(
        f"第 {result.day} 天，统计日期 {day.as_of(result.day)}；SEED={result.state.seed} SCALE={result.state.scale:.4g}"
        f"（学生数约为全市的 {result.state.scale:.1%}，计数类目标按此比例折算）  [bold magenta]{settings.SIMULATED}[/]",
        highlight=False,
    )
    _where(console, result.runtime)
    for failure in result.failures:
        console.print(f"[red]失败[/] {failure}", highlight=False, soft_wrap=True)
    if ended["unfinished"]:
        console.print("[yellow]部分完成[/] 以下没有生效，沿用其上一次采集的数据：", highlight=False)
        for part in ended["unfinished"]:
            console.print(part, highlight=False, soft_wrap=True)
    if result.failures:
        for text in ended["explanations"]:
            console.print(text, highlight=False, soft_wrap=True)
        console.print("改正后再次执行 `make run`，将重做这一天。", highlight=False)


def _where(console: Console, runtime: services.Runtime) -> None:
    lines = {
        "Airflow": f"{runtime.airflow_url}  用户 {settings.AIRFLOW_USER}  密码 {runtime.secrets['airflow_password']}",
        "数仓（只读）": runtime.reader_dsn(),
        "质量文档": str(runtime.home / "data_docs" / "index.html"),
        "单位反馈": str(runtime.home / "feedback" / "index.html"),
        "日志": str(runtime.home / "logs"),
        "停止": "make down",
    }
    for name, text in lines.items():
        console.print(f"{name}：{text}", highlight=False, soft_wrap=True)
