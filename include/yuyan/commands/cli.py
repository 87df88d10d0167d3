"""The `yuyan` command: run the line, see what it did, stop it."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from yuyan import settings
from yuyan.commands.console import Json, expected, print_json, terminal
from yuyan.commands.hold import app as hold_app
from yuyan.commands.problem import app as problem_app

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="渝研: from university platforms to indicator marts. The work folder is YUYAN_HOME (default: .yuyan).",
)
dsn_app = typer.Typer(no_args_is_help=True, help="Print a database address for another program.")
replay_app = typer.Typer(
    no_args_is_help=True, help="Repeat part of the line: from landing, from quarantine, from the platforms."
)
app.add_typer(dsn_app, name="dsn")
app.add_typer(replay_app, name="replay")
app.add_typer(problem_app, name="problem")
app.add_typer(hold_app, name="hold")

Seed = Annotated[int | None, typer.Option(help="Seed of the simulated city (default 20261015).")]
Scale = Annotated[
    float | None,
    typer.Option(
        envvar="SCALE", min=0.001, max=1.0, help="Size of the simulated city; 1 is all of it (default 1/15)."
    ),
]


class Role(StrEnum):
    """Read-only roles of the warehouse."""

    bi_reader = "bi_reader"
    analyst = "analyst"
    auditor = "auditor"


@app.command()
def run(seed: Seed = None, scale: Scale = None) -> None:
    """Run the next simulated day: collect, load, validate, transform, compute; then print the indicators.

    A day that failed is repeated. An institution that could not be collected does not fail the day: it is named, and its
    data are those of its last collection. Everything stays up until `yuyan down`. Exit code 0: the marts were built.
    """
    from yuyan.runtime import line

    _line(lambda home, console, state: line.run(home, console, state), seed, scale)


@app.command()
def up(seed: Seed = None, scale: Scale = None) -> None:
    """Start PostgreSQL, the simulated platforms and Airflow, without running the line."""
    from yuyan.runtime import day, line, services

    console = terminal()
    with expected(), services.exclusive(settings.home()):
        state = day.load(settings.home(), seed, scale)
        report = line.up(settings.home(), console, state, max(state.prepared, 1))
        _where(console, report.runtime)


@app.command()
def down() -> None:
    """Stop everything that `yuyan run` or `yuyan up` started. Data stay."""
    from yuyan.runtime import services

    with expected():
        stopped = services.down(settings.home())
    terminal().print(f"已停止：{'、'.join(stopped)}" if stopped else "没有在运行的服务")


@app.command()
def clean() -> None:
    """Stop everything and forget all data: databases, landing, simulated city, logs, secrets. What is installed stays."""
    from yuyan.runtime import services

    with expected(), services.exclusive(settings.home()):
        removed = services.clean(settings.home())
    terminal().print(f"已清除：{'、'.join(removed)}" if removed else "没有可清除的数据")


@app.command()
def init() -> None:
    """Production, once before the services start: metadata, pool, tables, roles, dbt manifest. Safe to repeat."""
    from yuyan.runtime import production

    with expected():
        production.init(settings.home())


@app.command()
def simulate(
    port: Annotated[int, typer.Option(help="Port on which the simulated platforms are served.")],
    seed: Seed = None,
    scale: Scale = None,
) -> None:
    """Demo beside a production deployment: let the simulated city move on by one day and register its platforms."""
    from yuyan.runtime import day, production

    with expected():
        state = production.simulate(settings.home(), seed, scale, port)
    today = day.as_of(state.prepared)
    console = terminal()
    console.print(f"模拟平台已推进到 {today}（{settings.SIMULATED}）", highlight=False)
    console.print(
        f'采集这一天：airflow dags trigger collect --conf \'{{"as_of": "{today}"}}\'', highlight=False
    )


@app.command()
def status(as_json: Json = False) -> None:
    """Show what is up, which day it is and how the last runs went."""
    from yuyan.runtime import day, report, services

    with expected():
        home = settings.home()
        parts = services.status(home)
        state = day.load(home)
        is_up = all(part["is_running"] for part in parts)
        runs = report.last_runs(services.load(home).warehouse_dsn) if parts[0]["is_running"] else []
    content = {
        "home": str(home),
        "is_up": is_up,
        "seed": state.seed,
        "scale": state.scale,
        "days_done": state.done,
        "as_of": day.as_of(state.done) if state.done else None,
        "services": parts,
        "runs": runs,
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
    console.print(
        f"已完成 {state.done} 天" + (f"，统计日期 {day.as_of(state.done)}" if state.done else ""),
        highlight=False,
    )
    for row in runs:
        console.print(f"{row['kind']} {row['run_id']} {row['as_of']} {row['state']}", highlight=False)


@app.command()
def indicators(as_json: Json = False) -> None:
    """Print the city's headline indicators: value, target, path and status."""
    from yuyan.runtime import report, services

    with expected():
        rows = report.indicators(services.load(settings.home()).warehouse_dsn)
    if as_json:
        print_json({"mark": report.MARK, "indicators": rows})
    else:
        report.print_indicators(terminal(), rows)


@app.command()
def quality(
    institution: Annotated[str | None, typer.Option(help="Institution code: show its failed rules.")] = None,
    as_json: Json = False,
) -> None:
    """Print data quality per institution, or the rules that one institution's rows broke."""
    from yuyan.runtime import report, services

    with expected():
        dsn = services.load(settings.home()).warehouse_dsn
        rows = report.failed_rules(dsn, institution) if institution else report.quality(dsn)
    if as_json:
        print_json({"mark": report.MARK, "institution": institution, "rows": rows})
    elif institution:
        report.print_rules(terminal(), institution, rows)
    else:
        report.print_quality(terminal(), rows)


@app.command()
def feedback(
    institutions: Annotated[
        list[str] | None, typer.Argument(help="Institution codes (default: all).")
    ] = None,
    to: Annotated[Path | None, typer.Option(help="Folder (default: feedback in the work folder).")] = None,
) -> None:
    """Write one page and one workbook per institution as of the newest warehouse run; every run does so as well."""
    from yuyan.pages import feedback as pages
    from yuyan.runtime import services

    with expected(pages.NoFeedback):
        dsn = services.load(settings.home()).warehouse_dsn
        written = pages.newest(dsn, institutions or [], to or settings.home() / "feedback")
    terminal().print(
        f"已写出 {written['institutions']} 个单位的反馈：{written['folder']}", highlight=False, soft_wrap=True
    )


@dsn_app.command("warehouse")
def dsn_warehouse(role: Annotated[Role, typer.Option(help="Which read-only role.")] = Role.bi_reader) -> None:
    """Print the URL of the warehouse for a read-only role, for a BI tool or psql."""
    from yuyan.runtime import services

    with expected():
        typer.echo(services.load(settings.home()).reader_dsn(role.value))


Institutions = Annotated[
    list[str] | None, typer.Option("--institution", help="Institution code; may be repeated (default: all).")
]
Entities = Annotated[
    list[str] | None, typer.Option("--entity", help="Entity; may be repeated (default: all).")
]


@replay_app.command("revalidate")
def replay_revalidate() -> None:
    """Judge again what waits in quarantine and what was judged under other rules, then build the marts."""
    _replay("revalidate", None, None)


@replay_app.command("remap")
def replay_remap(institution: Institutions = None, entity: Entities = None) -> None:
    """Map landed batches anew after a profile or institution file has changed, then build the marts."""
    _replay("remap", institution, entity)


@replay_app.command("recollect")
def replay_recollect(
    institution: Institutions = None,
    entity: Entities = None,
    since: Annotated[
        str | None,
        typer.Option(
            help="Only what changed after this cursor of one institution, in its platform's terms: a change version, "
            "yyyyMMddHHmmss (rest-legacy) or yyyy-mm-dd hh:mm:ss (exchange-database). The watermark does not move back."
        ),
    ] = None,
) -> None:
    """Collect from the platforms again and compare with the warehouse, all or a window, then build the marts."""
    if since and len(institution or []) != 1:
        raise typer.BadParameter("--since is a cursor of one platform: name one --institution")
    _replay("recollect", institution, entity, since)


def _replay(
    mode: str, institutions: list[str] | None, entities: list[str] | None, since: str | None = None
) -> None:
    from yuyan.runtime import line

    _line(
        lambda home, console, state: line.replay(
            home, console, state, mode, institutions or [], entities or [], since
        )
    )


def _line(action: Callable, seed: int | None = None, scale: float | None = None) -> None:
    """Run an action of the line under the folder's lock and print what it has to say; exit 1 when something failed."""
    from yuyan.runtime import day, services

    console = terminal()
    with expected(), services.exclusive(settings.home()):
        report = action(settings.home(), console, day.load(settings.home(), seed, scale))
        _summary(console, report)
    if report.failures:
        raise typer.Exit(1)


def _summary(console: Console, result: Any) -> None:
    from yuyan.runtime import day, report

    dsn = result.runtime.warehouse_dsn
    if not result.failures:
        report.print_indicators(console, report.indicators(dsn))
        report.print_quality(console, report.quality(dsn))
        report.print_balance(console, report.balance(dsn, result.runs["warehouse"]))
    report.print_elapsed(console, result.seconds)
    console.print(
        f"第 {result.day} 天，统计日期 {day.as_of(result.day)}；SEED={result.state.seed} SCALE={result.state.scale:.4g}"
        f"（学生数约为全市的 {result.state.scale:.1%}，目标值未按比例缩小）  [bold magenta]{report.MARK}[/]",
        highlight=False,
    )
    _where(console, result.runtime)
    for failure in result.failures:
        console.print(f"[red]失败[/] {failure}", highlight=False, soft_wrap=True)
    if result.failures:
        for line in report.explanations(dsn, result.runs):
            console.print(line, highlight=False, soft_wrap=True)
        console.print("改正后再次执行 `make run`，将重做这一天。", highlight=False)


def _where(console: Console, runtime: Any) -> None:
    from yuyan.runtime import environment

    lines = {
        "Airflow": f"{runtime.airflow_url}  用户 {environment.USER}  密码 {runtime.secrets['airflow_password']}",
        "数仓（只读）": runtime.reader_dsn(),
        "质量文档": str(runtime.home / "data_docs" / "index.html"),
        "单位反馈": str(runtime.home / "feedback" / "index.html"),
        "日志": str(runtime.home / "logs"),
        "停止": "make down",
    }
    for name, text in lines.items():
        console.print(f"{name}：{text}", highlight=False, soft_wrap=True)
