"""`yuyan case …`: accountability cases, by hand. In Chinese, as stewards read it."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import psycopg
import typer
from rich.markup import escape
from rich.table import Table

from yuyan import settings
from yuyan.commands.console import Institution, Json, expected, print_marked, terminal, warehouse_dsn
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
from yuyan.decisions import cases
from yuyan.decisions.case_review import overdue_reason
from yuyan.decisions.cases import CASES, OPEN, TARGETS, Case, Decision
from yuyan.decisions.life_cycle import DecisionError, today
from yuyan.early_warning import run as early_warning
from yuyan.early_warning.parameters import ParameterError
from yuyan.pages import case_letter

app = typer.Typer(
    no_args_is_help=True,
    help="Accountability cases: look, notify, state, report, decide, write letters. The line only proposes.",
)

Number = Annotated[int, typer.Argument(metavar="CASE", help="Number of the case, see `yuyan case list`.")]
Step = Annotated[str, typer.Option("--step", help="Which step, see include/life_cycles/case.yml.")]
LEVELS = {
    "STATUTORY": "法定触发",
    "RED": "红",
    "AMBER": "黄",
    "GREEN": "绿",
    "GREY": "案例不足",
    "NCID": "不可信",
}


@app.command("list")
def list_cases(
    institution: Institution = None,
    states: States = None,
    everything: Everything = False,
    overdue: Annotated[bool, typer.Option("--overdue", help="Only those past a deadline.")] = False,
    as_json: Json = False,
) -> None:
    """Cases, the gravest first."""
    closed = tuple(state for state in CASES.cycle.states if state not in OPEN)
    order = "array_position(array['STATUTORY', 'RED', 'AMBER', 'GREEN'], level_code), case_id"
    with warehouse() as connection:
        found = CASES.select(
            connection,
            f"state = any(%s) and src_inst_code = coalesce(%s, src_inst_code) order by {order}",
            [wanted(CASES, states, everything, closed), institution],
        )
        if overdue:
            day = today(connection)
            found = [case for case in found if overdue_reason(case, day)]
    if as_json:
        print_marked(rows=[asdict(case) for case in found])
        return
    table = Table(
        "编号", "对象", "状态", "自", "等级", "规则", "建议", "陈述期至", "整改期至", "标记", title=title("问责事项")
    )  # fmt: skip
    for case in found:
        table.add_row(
            str(case.case_id), f"{TARGETS[case.target_kind]} {case.target_code}", CASES.cycle.states[case.state],
            str(case.entered_on), LEVELS[case.level_code], "、".join(case.rule_codes), _label(case.proposed_action),
            str(case.statement_until or ""), str(case.rectify_by or ""), _marks(case),
        )  # fmt: skip
    terminal().print(table if found else "没有符合条件的问责事项", highlight=False)


@app.command()
def show(number: Number, as_json: Json = False) -> None:
    """One case: signals as they stand, what was decided on which figures, what must follow in the data, every step."""
    with warehouse() as connection:
        case = CASES.get(connection, number)
        signals, records = cases.figures(connection, case), cases.records(connection, number)
        effects = _effects(connection, number)
        events = CASES.events(connection, number)
    if as_json:
        print_marked(case=asdict(case), signals=signals, records=records, effects=effects, events=events)
        return
    console = terminal()
    grid = Table.grid(padding=(0, 2))
    for name, text in {
        "状态": f"{CASES.cycle.states[case.state]}（自 {case.entered_on}）",
        "等级": f"{LEVELS[case.level_code]}：{'、'.join(case.rule_codes) or '无信号'}",
        "建议": _label(case.proposed_action) + (f"（{case.proposed_on}）" if case.proposed_on else ""),
        "拟作出": _label(case.intended_action),
        "陈述": f"至 {case.statement_until}；{case.stated_on or '尚未陈述'}" if case.statement_until else "",
        "整改期": str(case.rectify_by or ""),
        "标记": _marks(case),
    }.items():
        grid.add_row(name, text)
    console.print(title(case.name), grid, sep="\n", highlight=False)
    table = Table(
        "规则",
        "分项",
        "年",
        "数",
        "值（95%区间）",
        "概率",
        "q",
        "等级",
        "说明",
        title="现有信号",
        title_justify="left",
    )
    for row in signals:
        table.add_row(*case_letter.figure_cells(row), LEVELS[row["level_code"]], row["reason_zh"])
    console.print(table, highlight=False)
    if effects:
        table = Table(
            "决定", "生效年度", "核减", "此前", "此后", "落实", "说明", title="须落实的", title_justify="left"
        )
        for row in effects:
            table.add_row(*(str(v) if v is not None else "" for v in row.values()))
        console.print(table, highlight=False)
    console.print(history(CASES, events), highlight=False)


@app.command()
def notify(
    number: Number, intended: Step, reason: Reason, actor: Actor, as_of: Day = None, as_json: Json = False
) -> None:
    """Tell the institution which adverse step is intended; its window for a statement begins."""
    with step(CASES, number, as_of, as_json) as (connection, day):
        case = cases.notify(connection, number, intended, actor, reason, day)
    hint(as_json, f"拟{_label(intended)}；陈述期至 {case.statement_until}")


@app.command()
def state(number: Number, reason: Reason, actor: Actor, as_of: Day = None, as_json: Json = False) -> None:
    """The institution states its view (`--reason`) within the window."""
    with step(CASES, number, as_of, as_json) as (connection, day):
        cases.state(connection, number, actor, reason, day)


@app.command()
def report(number: Number, reason: Reason, actor: Actor, as_of: Day = None, as_json: Json = False) -> None:
    """The institution reports that it has rectified."""
    with step(CASES, number, as_of, as_json) as (connection, day):
        cases.report(connection, number, actor, reason, day)


@app.command()
def decide(
    number: Number,
    action: Step,
    reason: Reason,
    actor: Actor,
    role: Annotated[str, typer.Option("--role", help="Role that decided, e.g. 学位办主任.")] = "",
    document: Annotated[str, typer.Option("--document", help="Number of the document.")] = "",
    quota_cut: Annotated[int | None, typer.Option(min=1, help="Places cut (cut_quota).")] = None,
    effect_year: Annotated[int | None, typer.Option(help="Year in which it takes effect.")] = None,
    as_of: Day = None,
    as_json: Json = False,
) -> None:
    """A signed decision: the state changes, with the figures as they stand."""
    with step(CASES, number, as_of, as_json) as (connection, day):
        decision = Decision(role, document, quota_cut, effect_year)
        case = cases.decide(connection, number, action, actor, reason, day, decision)
    if case.rectify_by:
        hint(as_json, f"整改期至 {case.rectify_by}")


@app.command()
def letter(
    number: Number,
    kind: Annotated[
        str,
        typer.Option(help="预警通知书, 整改通知书, 复查结论 or 解除通知 (default: of the last decision)."),
    ] = "",
    to: Annotated[Path | None, typer.Option(help="Folder (default: letters in the work folder).")] = None,
    as_json: Json = False,
) -> None:
    """Draft a letter as DOCX and HTML from the figures that were decided on; who signs it is left open."""
    with warehouse() as connection:
        try:
            written = case_letter.write(connection, number, kind, to or settings.home() / "letters")
        except case_letter.NoLetter as error:
            raise DecisionError(str(error)) from error
    if as_json:
        print_marked(files=[str(path) for path in written])
        return
    for path in written:
        terminal().print(f"已起草：{path}", highlight=False, soft_wrap=True)


@app.command()
def preview(
    version: Annotated[str, typer.Argument(help="Version of dbt_project/seeds/plan/warning_parameter.csv.")],
    as_json: Json = False,
) -> None:
    """Which points and institutions would change under another version of the thresholds, before it takes effect."""
    with expected(ParameterError, LookupError):
        found = early_warning.preview(warehouse_dsn(), version)
    if as_json:
        print_marked(**found) if isinstance(found, dict) else print_marked(rows=found)
        return
    table = Table("对象", "规则", "现在", "改后", "现在的建议", "改后的建议",
                  title=title(f"参数 {found['in_force']} → {version}（{found['as_of']} 的数）"))  # fmt: skip
    for c in found["changes"]:
        table.add_row(
            f"{TARGETS[c['target_kind']]} {c['target_code']}", c["rule_code"], LEVELS.get(c["before"], "—"),
            LEVELS.get(c["after"], "—"), _label(c["proposal_before"]), _label(c["proposal_after"]),
        )  # fmt: skip
    terminal().print(table if found["changes"] else "没有对象会改变等级", highlight=False)


def _effects(connection: psycopg.Connection, number: int) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        return cursor.execute(
            "select effect_code, effect_year, quota_cut, quota_before, quota_after, state, finding_zh "
            "from accountability.case_effect where case_id = %s order by event_id",
            [number],
        ).fetchall()


def _label(action: str | None) -> str:
    return CASES.cycle.step_labels[action] if action else ""


def _marks(case: Case) -> str:
    marks = {"基于的数据已更正": case.corrected_on, "逾期": case.escalated_on, "涉及个人": case.is_restricted}
    return escape("、".join(text for text, is_set in marks.items() if is_set))
