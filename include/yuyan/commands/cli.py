"""The `yuyan` command: what a deployment runs and what people ask of it."""

import os
import sys
from importlib.metadata import entry_points, version
from pathlib import Path
from typing import Annotated

import psycopg
import typer

from yuyan import runs, secrets, settings
from yuyan.commands import backup as backups
from yuyan.commands import deployed, report
from yuyan.commands import init as deployment
from yuyan.commands import monitor as serving
from yuyan.commands.allocate import app as allocate_app
from yuyan.commands.case import app as case_app
from yuyan.commands.check import check
from yuyan.commands.conformance import app as conformance_app
from yuyan.commands.console import (
    Institution,
    Json,
    OperatorError,
    expected,
    print_json,
    print_marked,
    terminal,
    warehouse_dsn,
)
from yuyan.commands.contract import app as contract_app
from yuyan.commands.deliver import app as deliver_app
from yuyan.commands.deployed import AirflowUrl
from yuyan.commands.hold import app as hold_app
from yuyan.commands.institution import app as institution_app
from yuyan.commands.plan import app as plan_app
from yuyan.commands.problem import app as problem_app
from yuyan.commands.quota import quota
from yuyan.commands.replay import app as replay_app
from yuyan.commands.status import status
from yuyan.decisions.life_cycle import DecisionError, today
from yuyan.domain.yaml_file import YamlError
from yuyan.pages import degree_points
from yuyan.pages import feedback as pages
from yuyan.warehouse import logins, roles

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="渝研: from university platforms to indicator marts. The work folder is YUYAN_HOME (default: .yuyan).",
)
dsn_app = typer.Typer(no_args_is_help=True, help="Print a database address for another program.")
app.add_typer(dsn_app, name="dsn")
app.add_typer(contract_app, name="contracts")
app.add_typer(deliver_app, name="deliver")
app.add_typer(conformance_app, name="conformance")
app.add_typer(problem_app, name="problem")
app.add_typer(hold_app, name="hold")
app.add_typer(case_app, name="case")
app.add_typer(plan_app, name="plan")
app.add_typer(allocate_app, name="allocate")
app.add_typer(institution_app, name="institution")
app.add_typer(replay_app, name="replay")
app.command("quota")(quota)
app.command("check")(check)
app.command("status")(status)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"yuyan {version('yuyan')}")
        raise typer.Exit


@app.callback()
def _private(
    show: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
) -> None:
    """渝研: from university platforms to indicator marts. The work folder is YUYAN_HOME (default: .yuyan)."""
    os.umask(0o077)  # what is written is for its owner
    for stream in (sys.stdout, sys.stderr):  # a path may be no text at all
        stream.reconfigure(errors="backslashreplace")


@app.command()
def init(as_json: Json = False) -> None:
    """Production, once before the services start: metadata, pool, tables, roles, dbt manifest. Safe to repeat."""
    with expected():
        is_split = deployment.init(settings.home())
    if as_json:
        print_json({"stages_have_logins": is_split})
    elif not is_split:
        terminal().print(
            "未给出各阶段的账号（YUYAN_WAREHOUSE_DSN_COLLECT 等）：所有阶段以所有者账号连接数仓，权限不分离；"
            "做法见 docs/how-to/logins-and-rights.md",
            highlight=False,
            soft_wrap=True,
        )


@app.command()
def backup(
    to: Annotated[Path, typer.Option(help="A new folder.")],
    without_landing: Annotated[
        bool, typer.Option("--without-landing", help="Leave the landing area out: it is backed up otherwise.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write warehouse, Airflow's metadata and landing into a folder; the line may be at work. Secrets are not in it."""
    with expected():
        made = backups.backup(to, not without_landing)
    if as_json:
        print_marked(**made)
        return
    terminal().print(
        f"已备份：统计日期 {made['as_of']}，{sum(made['rows'].values()):,} 行，{len(made['files'])} 个文件，{to}；"
        "secrets.json（或 .env 中的密钥）另行保管",
        highlight=False, soft_wrap=True,
    )  # fmt: skip


@app.command()
def restore(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of a backup.")],
    as_json: Json = False,
) -> None:
    """Bring a backup back into an empty database (YUYAN_WAREHOUSE_DSN); `yuyan init` completes it."""
    with expected():
        made = backups.restore(folder)
    if as_json:
        print_marked(**made)
        return
    terminal().print(
        f"已恢复：统计日期 {made['as_of']}，{sum(made['rows'].values()):,} 行，与备份时一致；接着执行 yuyan init",
        highlight=False, soft_wrap=True,
    )  # fmt: skip


@app.command()
def indicators(as_json: Json = False) -> None:
    """Print the city's official indicators, the fifteen headline ones first: value, target, path and status."""
    with expected():
        rows = report.indicators(warehouse_dsn())
    if as_json:
        print_marked(indicators=rows)
    else:
        report.print_indicators(terminal(), rows)


@app.command()
def quality(
    institution: Institution = None,
    as_json: Json = False,
) -> None:
    """Print data quality per institution, or the rules that one institution's rows broke."""
    with expected():
        dsn = warehouse_dsn()
        rows = report.failed_rules(dsn, institution) if institution else report.quality(dsn)
    if as_json:
        print_marked(institution=institution, rows=rows)
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
    as_json: Json = False,
) -> None:
    """Write one page and one workbook per institution as of the newest warehouse run; every run does so as well."""
    with expected(pages.NoFeedback):
        dsn = warehouse_dsn("validate")
        written = pages.newest(dsn, institutions or [], to or settings.home() / "feedback")
    if as_json:
        print_marked(**written)
        return
    terminal().print(
        f"已写出 {written['institutions']} 个单位的反馈：{written['folder']}", highlight=False, soft_wrap=True
    )


@app.command()
def points(
    named: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CODES", help="Degree points, or institutions for all of theirs (default: all)."
        ),
    ] = None,
    to: Annotated[Path | None, typer.Option(help="Folder (default: points in the work folder).")] = None,
    as_json: Json = False,
) -> None:
    """Write one page per degree point: three scores beside its peers, why, and how to compute them again."""
    with expected(degree_points.NoPoints):
        written = degree_points.newest(warehouse_dsn(), named or [], to or settings.home() / "points")
    if as_json:
        print_marked(**written)
        return
    terminal().print(
        f"已写出 {written['points']} 个学位点的页面：{written['folder']}", highlight=False, soft_wrap=True
    )


@app.command("dbt-docs")
def dbt_docs(
    to: Annotated[Path | None, typer.Option(help="Folder (default: dbt_docs in the work folder).")] = None,
    as_json: Json = False,
) -> None:
    """Write dbt's own documentation as one page: models, columns, tests, their SQL, the graph; sizes of the tables."""
    from yuyan import transform

    with expected(DecisionError, transform.TransformFailed):
        with psycopg.connect(warehouse_dsn()) as connection:
            day = today(connection)
        os.environ[settings.dsn_variable("transform")] = warehouse_dsn("transform")  # dbt reads it there
        written = transform.write_docs(to or settings.home() / "dbt_docs", day)
    if as_json:
        print_marked(file=written)
        return
    terminal().print(f"已写出模型文档：{written}", highlight=False, soft_wrap=True)


@app.command("verify")
def verify_layers(as_json: Json = False) -> None:
    """Make the star and the indicators whole beside those that stand, and compare every row; exit 1 where one differs."""
    from yuyan import transform, verify

    with expected(verify.NotBuilt, verify.Differs, transform.TransformFailed):
        os.environ[settings.dsn_variable("transform")] = warehouse_dsn("transform")  # dbt reads it there
        equal = verify.verify()
    if as_json:
        print_marked(tables=equal)
        return
    terminal().print(f"整表重建与现有的逐行一致：{equal} 张表", highlight=False)


@dsn_app.command("warehouse")
def dsn_warehouse(
    role: Annotated[str, typer.Option(help="Which role of include/roles.yml (default: its first).")] = "",
) -> None:
    """Print the URL of the warehouse for a read-only role, for a BI tool or psql."""
    with expected(roles.RoleError, YamlError):
        known = list(roles.readable())
        role = role or known[0]
        if role not in known:
            raise OperatorError(f"{role} is no role; known are {', '.join(known)} (include/roles.yml)")
        typer.echo(logins.dsn(warehouse_dsn(), role, secrets.load(settings.home(), [role])[role]))


@app.command()
def monitor(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one and prints it.")] = 9464,
    airflow_url: AirflowUrl = None,
) -> None:
    """Serve /metrics (OpenMetrics) and /health, which is 503 while the line does not move. Until it is stopped."""
    with expected():
        client = deployed.line(airflow_url, runs.BOOK).client if airflow_url else None
        server = serving.server(serving.Line(warehouse_dsn(runs.BOOK), client), host, port)
        terminal().print(f"http://{host}:{server.server_port}/metrics", highlight=False)
        server.serve_forever()


for _point in entry_points(group="yuyan.commands"):  # of distributions installed beside the product
    _point.load()(app)
