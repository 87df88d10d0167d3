"""Commands of who reads what the line has made: figures, quality, addresses for other programs."""

from typing import Annotated

import typer

from yuyan import secrets, settings
from yuyan.commands import report
from yuyan.commands.console import (
    Institution,
    Json,
    OperatorError,
    expected,
    print_marked,
    terminal,
    warehouse_dsn,
)
from yuyan.domain.yaml_file import YamlError
from yuyan.warehouse import logins, roles

dsn_app = typer.Typer(no_args_is_help=True, help="Print a database address for another program.")


def indicators(as_json: Json = False) -> None:
    """Print the city's official indicators, the fifteen headline ones first: value, target, path and status."""
    with expected():
        rows = report.indicators(warehouse_dsn())
    if as_json:
        print_marked(indicators=rows)
    else:
        report.print_indicators(terminal(), rows)


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
