"""What the commands share: the terminal, JSON for programs, and failures that an operator can act on as one message."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program.")]


@contextmanager
def expected(*more: type[Exception]) -> Iterator[None]:
    """Turn failures that an operator can act on (and `more` of them) into one message on standard error and exit code 1."""
    import psycopg

    from yuyan.runtime import api, day, postgres, report, services

    try:
        yield
    except (
        services.RuntimeFailure, day.CityMismatch, report.NothingYet, api.AirflowError, postgres.PostgresError,
        psycopg.OperationalError, *more,
    ) as error:  # fmt: skip
        fail(str(error))
    except KeyboardInterrupt:
        fail("interrupted; what was started goes on, see `yuyan status`, stop it with `yuyan down`")


def fail(message: str) -> NoReturn:
    """Say what is wrong and end with exit code 1."""
    Console(stderr=True).print(f"[red]error:[/] {message}", highlight=False, soft_wrap=True)
    raise typer.Exit(1)


def terminal() -> Console:
    """Standard output; wide enough for tables where it is no terminal."""
    return Console() if sys.stdout.isatty() else Console(width=150)


def print_json(content: Any) -> None:
    """Print JSON with dates as ISO text."""
    typer.echo(json.dumps(content, ensure_ascii=False, indent=1, default=_plain))


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    raise TypeError(f"{value!r} is not JSON")
