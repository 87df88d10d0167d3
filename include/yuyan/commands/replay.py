"""`yuyan replay …`: repeat part of the line, deployed or of this work folder, and follow it to its end."""

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import psycopg
import typer

from yuyan import runs as line_runs
from yuyan.commands import deployed, report
from yuyan.commands.console import Json, OperatorError, expected, here, print_marked, terminal
from yuyan.commands.deployed import AirflowUrl
from yuyan.commands.follow import follow
from yuyan.decisions.life_cycle import DecisionError, today

app = typer.Typer(
    no_args_is_help=True, help="Repeat part of the line: from landing, from quarantine, from the platforms."
)


@dataclass(frozen=True)
class Request:
    """What is repeated; the names are those of the parameters of dags/replay.py."""

    mode: str
    institutions: list[str]
    entities: list[str]
    since: str | None = None

    def conf(self, as_of: str) -> dict:
        given = {
            "mode": self.mode,
            "as_of": as_of,
            "institutions": self.institutions,
            "entities": self.entities,
        }
        return given | ({"since": self.since} if self.since else {})

    def run_id(self, as_of: str) -> str:
        return f"{as_of}-{self.mode}-{datetime.now():%H%M%S}"

    @property
    def visited(self) -> int:
        """How many institutions report a result of their own."""
        return len(self.institutions) if self.mode == "recollect" else 0


Institutions = Annotated[
    list[str] | None, typer.Option("--institution", help="Institution code; may be repeated (default: all).")
]
Entities = Annotated[
    list[str] | None, typer.Option("--entity", help="Entity; may be repeated (default: all).")
]


@app.command()
def revalidate(airflow_url: AirflowUrl = None, as_json: Json = False) -> None:
    """Judge again what waits in quarantine and what was judged under other rules, then build the marts."""
    _replay(airflow_url, as_json, "revalidate", None, None)


@app.command()
def remap(
    institution: Institutions = None,
    entity: Entities = None,
    airflow_url: AirflowUrl = None,
    as_json: Json = False,
) -> None:
    """Map landed batches anew after a profile or institution file has changed, then build the marts."""
    _replay(airflow_url, as_json, "remap", institution, entity)


@app.command()
def recollect(
    institution: Institutions = None,
    entity: Entities = None,
    since: Annotated[
        str | None,
        typer.Option(
            help="Only what changed after this cursor of one institution, in its platform's terms: a change version, "
            "yyyyMMddHHmmss (rest-legacy) or yyyy-mm-dd hh:mm:ss (exchange-database). The watermark does not move back."
        ),
    ] = None,
    airflow_url: AirflowUrl = None,
    as_json: Json = False,
) -> None:
    """Collect from the platforms again and compare with the warehouse, all or a window, then build the marts."""
    if since and len(institution or []) != 1:
        raise typer.BadParameter("--since is a cursor of one platform: name one --institution")
    _replay(airflow_url, as_json, "recollect", institution, entity, since)


def _replay(
    airflow_url: str | None,
    as_json: bool,
    mode: str,
    institutions: list[str] | None,
    entities: list[str] | None,
    since: str | None = None,
) -> None:
    try:
        visited = line_runs.visits(institutions or [], entities or [], mode == "revalidate")
    except line_runs.BadRequest as error:
        raise typer.BadParameter(str(error)) from None
    request = Request(mode, visited, entities or [], since)
    with expected(DecisionError):
        if airflow_url:
            _deployed(airflow_url, request, as_json)
        elif repeat := here("replay"):
            repeat(request, as_json)
        else:
            raise OperatorError(
                "YUYAN_AIRFLOW_URL is not set: name the line's Airflow by it or by --airflow-url"
            )


def _deployed(airflow_url: str, request: Request, as_json: bool) -> None:
    """Repeat it there for the line's newest day; exit 1 when something failed."""
    line, console = deployed.line(airflow_url), terminal(as_json)
    with psycopg.connect(line.warehouse_dsn) as warehouse:
        day = today(warehouse).isoformat()
    run_id, started = request.run_id(day), time.monotonic()
    line.client.trigger("replay", run_id, request.conf(day))
    console.print(f"已触发 replay {run_id}（{airflow_url}）", highlight=False, soft_wrap=True)
    outcome = follow(line, console, "replay", run_id, request.visited)
    seconds = {name: stage.seconds for name, stage in outcome.stages.items() if stage.seconds}
    seconds["line"] = time.monotonic() - started
    ended = report.ended(line.warehouse_dsn, outcome.runs, outcome.failures, seconds)
    if as_json:
        print_marked(as_of=day, airflow_url=airflow_url, **ended)
        raise typer.Exit(1 if ended["failures"] else 0)
    report.print_elapsed(console, seconds)
    if ended["balance"]:
        report.print_balance(console, ended["balance"])
    for part in ended["unfinished"]:
        console.print(f"[yellow]部分完成[/] {part}", highlight=False, soft_wrap=True)
    for failure in ended["failures"]:
        console.print(f"[red]失败[/] {failure}", highlight=False, soft_wrap=True)
    for text in ended["explanations"]:
        console.print(text, highlight=False, soft_wrap=True)
    if ended["failures"]:
        raise typer.Exit(1)
