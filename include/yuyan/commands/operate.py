"""Commands of who runs a deployment: prepare it, watch it, bring it back, make sure of it."""

import os
from pathlib import Path
from typing import Annotated

import typer

from yuyan import runs, settings
from yuyan.commands import backup as backups
from yuyan.commands import deployed
from yuyan.commands import init as deployment
from yuyan.commands import monitor as serving
from yuyan.commands.console import Json, expected, print_json, print_marked, terminal, warehouse_dsn
from yuyan.commands.deployed import AirflowUrl


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
