"""`yuyan status`: how the line is, deployed or of this work folder."""

from rich.console import Console
from rich.table import Table

from yuyan.commands import deployed, report
from yuyan.commands.console import Json, OperatorError, expected, here, print_json, terminal
from yuyan.commands.deployed import AirflowUrl
from yuyan.domain import labels
from yuyan.line_state import LineState, read


def status(as_json: Json = False, airflow_url: AirflowUrl = None) -> None:
    """Show what is up, which day it is and how the last runs went; of a deployed line also what is late or stuck."""
    with expected():
        if airflow_url:
            _deployed(airflow_url, as_json)
        elif say := here("status"):
            say(as_json)
        else:
            raise OperatorError(
                "YUYAN_AIRFLOW_URL is not set: name the line's Airflow by it or by --airflow-url"
            )


def _deployed(airflow_url: str, as_json: bool) -> None:
    line = deployed.line(airflow_url)
    health, runs, state = line.client.health(), report.last_runs(line.warehouse_dsn), read(line.warehouse_dsn)
    is_up = bool(health) and all(part == "healthy" for part in health.values())
    if as_json:
        print_json(
            {
                "airflow_url": airflow_url,
                "is_up": is_up,
                "services": health,
                "runs": runs,
                "stuck": state.stuck,
                "institutions": state.institutions,
            }
        )
        return
    console = terminal()
    for name, part in (health or {"api-server": None}).items():
        text = "[green]运行中[/]" if part == "healthy" else f"[red]{part or '没有应答'}[/]"
        console.print(f"{name} {text}", highlight=False)
    for row in runs:
        console.print(
            f"{row['kind']} {row['run_id']} {row['as_of']} {labels.RUN_STATES[row['state']]}", highlight=False
        )
    _print_state(console, state)


def _print_state(console: Console, state: LineState) -> None:
    for fault in state.stuck:
        console.print(f"[red]停滞[/] {fault}", highlight=False, soft_wrap=True)
    late = [row for row in state.institutions if not row["is_fresh"]]
    if not late:
        console.print(f"{len(state.institutions)} 个单位的数据都在时限内", highlight=False)
        return
    table = Table(
        "单位",
        "上次全部采集",
        "小时前",
        "时限（小时）",
        "最近结果",
        title="超过时限的单位",
        title_justify="left",
    )
    for row in late:
        age = f"{row['age_hours']:,.1f}" if row["age_hours"] is not None else "从未"
        table.add_row(
            row["inst_code"],
            str(row["last_complete"] or ""),
            age,
            str(row["fresh_hours"]),
            row["outcome"] or "",
        )
    console.print(table, highlight=False)
