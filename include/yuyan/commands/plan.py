"""Versions of the action plan: a new one beside the old in seeds and targets, and what it changes in the marts."""

import csv
import re
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from yuyan import settings
from yuyan.commands import report
from yuyan.commands.console import (
    Json,
    OperatorError,
    expected,
    print_json,
    print_marked,
    terminal,
    warehouse_dsn,
)
from yuyan.domain.indicators import dbt_files

app = typer.Typer(no_args_is_help=True, help="Versions of the action plan: add one, compare them.")
VERSIONED = (
    *("milestone", "action_item", "list_window", "list_source", "plan_clause"),
    *("list_measure_definition", "list_category_due"),
)
"""Seeds of the plan with a row per version of the text; those of targets are compiled from the indicators' files."""

_TARGETS = """
select indicator_code as code, indicator_zh as name_zh, doc_version, is_plan_in_force, period_code, value_display,
       target_display, path_display, path_status_code as status_code
from marts.target_by_version where grain = 'city' and is_latest_complete order by indicator_code, doc_version
"""
_ITEMS = """
select list_item_code as code, list_item_zh as name_zh, doc_version, is_plan_in_force, cycle_code as period_code,
       quantity_count::text as value_display, concat_ws('–', plan_quantity_min, plan_quantity_max) as target_display,
       due_on::text as path_display, status_code
from marts.list_progress order by list_item_code, cycle_code, doc_version
"""
_COMPARED = ("target_display", "path_display", "status_code")


class PlanError(OperatorError):
    """A version that cannot be added; the message says which and what to do."""


def copy(
    old: str, new: str, name_zh: str, name_en: str, folder: Path | None = None, indicators: Path | None = None
) -> dict[str, int]:
    """Append what version `old` says as version `new` to every versioned seed and indicator; returns rows per seed and the
    number of targets.

    `folder` holds the plan's seeds, `indicators` the indicators' files. Raises PlanError for an unknown `old` or a `new`
    that is there already.
    """
    folder = folder or settings.SEEDS / "plan"
    known, header = _rows(folder / "plan_version.csv")
    versions = [row["doc_version"] for row in known]
    if old not in versions:
        raise PlanError(f"方案版本 {old} 不在 {folder / 'plan_version.csv'} 中；已有：{'、'.join(versions)}")
    if not new or new in versions:
        raise PlanError(f"方案版本 {new!r} 为空或已经存在；换一个名字，或直接编辑它在各 seed 中的行")
    evidence = next(row["milestones_of"] for row in known if row["doc_version"] == old)
    added = {}
    for seed in VERSIONED:
        rows, columns = _rows(folder / f"{seed}.csv")
        copies = [row | {"doc_version": new} for row in rows if row["doc_version"] == old]
        _write(folder / f"{seed}.csv", columns, rows + copies)
        added[seed] = len(copies)
    own = {"doc_version": new, "name_zh": name_zh, "name_en": name_en, "milestones_of": evidence}
    _write(folder / "plan_version.csv", header, [*known, own])
    targets = _copy_targets(old, new, indicators or settings.INDICATORS)
    return added | {"plan_version": 1, "targets": targets}


def _copy_targets(old: str, new: str, folder: Path) -> int:
    """In every indicator's file a copy of each target of `old`, as `new`, below it; comments and layout stay."""
    starts = re.compile(rf"( *)- \{{?doc_version: {re.escape(old)}\b")
    added = 0
    for path in sorted(folder.glob("*.yml")):
        written: list[str] = []
        target: list[str] = []
        for line in [*path.read_text(encoding="utf-8").splitlines(keepends=True), ""]:
            indent = len(line) - len(line.lstrip())
            if target and indent <= len(target[0]) - len(target[0].lstrip()):
                written += [target[0].replace(old, new, 1), *target[1:]]
                target = []
                added += 1
            if target or starts.match(line):
                target.append(line)
            written.append(line)
        path.write_text("".join(written), encoding="utf-8")
    return added


def differences(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of rows with code, period and version, those whose target, path or status is not the same in all versions."""
    groups: dict[tuple, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["code"], row["period_code"]), []).append(row)
    versions = {row["doc_version"] for row in rows}
    return [
        row
        for group in groups.values()
        if len(group) < len(versions) or len({tuple(row[c] for c in _COMPARED) for row in group}) > 1
        for row in group
    ]


@app.command("copy")
def copy_command(
    old: Annotated[str, typer.Argument(help="Version to start from, such as 2026-draft.")],
    new: Annotated[str, typer.Argument(help="Its new version, such as 2026-final.")],
    name: Annotated[str, typer.Option(help="Chinese name.")],
    name_en: Annotated[str, typer.Option(help="English name.")],
    as_json: Json = False,
) -> None:
    """Add a version of the plan to the seeds, equal to an older one; then edit what the text changes."""
    with expected():
        added = copy(old, new, name, name_en)
        for path, text in dbt_files.files().items():  # not read before the files were changed
            path.write_text(text, encoding="utf-8")
    if as_json:
        print_json({"version": new, "added": added})
        return
    targets = added.pop("targets")
    for seed, rows in added.items():
        terminal().print(f"dbt_project/seeds/plan/{seed}.csv：新增 {rows} 行", highlight=False)
    terminal().print(f"include/indicators/：新增 {targets} 个目标", highlight=False)


@app.command()
def compare(as_json: Json = False) -> None:
    """Print the city's targets and the list cycles that differ between the versions of the plan."""
    with expected():
        rows = [
            row for query in (_TARGETS, _ITEMS) for row in differences(report.rows(warehouse_dsn(), query))
        ]
    if as_json:
        print_marked(rows=rows)
        return
    if not rows:
        terminal().print("各版方案没有差别（只有一版，或目标、日期、数量都相同）", highlight=False)
        return
    table = Table(title=f"各版方案的差别  [bold magenta]{settings.warehouse_mark()}[/]", title_justify="left")
    for column in ("代码", "名称", "版本", "现行", "期间", "数值", "目标", "路径或期限", "状态"):
        table.add_column(column)
    for row in rows:
        table.add_row(
            row["code"], row["name_zh"], row["doc_version"], "是" if row["is_plan_in_force"] else "",
            row["period_code"], row["value_display"] or "—", row["target_display"] or "—", row["path_display"] or "—",
            row["status_code"],
        )  # fmt: skip
    terminal().print(table)


def _rows(path: Path) -> tuple[list[dict[str, str]], list[str]]:
    with open(path, encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        return list(reader), list(reader.fieldnames or [])


def _write(path: Path, columns: list[str], rows: list[dict[str, str]]) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
