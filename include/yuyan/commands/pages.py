"""Commands that write pages of what the line has made: for institutions, of degree points, of the models."""

import os
from pathlib import Path
from typing import Annotated

import psycopg
import typer

from yuyan import settings
from yuyan.commands.console import Json, expected, print_marked, terminal, warehouse_dsn
from yuyan.decisions.life_cycle import DecisionError, today
from yuyan.pages import degree_points
from yuyan.pages import feedback as pages


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
