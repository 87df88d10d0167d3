"""What the commands share: the terminal, JSON, the warehouse they read, failures that an operator can act on."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any, NoReturn

import psycopg
import typer
from rich.console import Console

from yuyan import settings
from yuyan.domain import institutions
from yuyan.files import DamagedFile
from yuyan.warehouse.migrate import MigrationError


def _known(inst_code: str | None) -> str | None:
    if inst_code is not None and inst_code not in (known := institutions.codes()):
        raise typer.BadParameter(f"{inst_code} is no institution; known are {', '.join(known)}")
    return inst_code


Institution = Annotated[str | None, typer.Option(help="Institution code (default: all).", callback=_known)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program.")]


class OperatorError(RuntimeError):
    """What an operator can act on; the message says what is wrong and what to do."""


@contextmanager
def expected(*more: type[Exception]) -> Iterator[None]:
    """Turn failures that an operator can act on (and `more` of them) into one message on standard error and exit code 1."""
    try:
        yield
    except (OperatorError, DamagedFile, MigrationError, psycopg.OperationalError, *more) as error:
        fail(str(error))
    except OSError as error:  # a folder that cannot be written, a full disk
        fail(f"{error.filename or ''}: {error.strerror or error}; name another path, or make room")
    except KeyboardInterrupt:
        fail("interrupted; what was started goes on, see `yuyan status`, stop it with `yuyan down`")


def warehouse_dsn(stage: str = "decide") -> str:
    """The warehouse as a stage's login reaches it: by the environment, or of a runtime installed beside the product.

    Such a runtime names a function of the work folder and the stage as entry point of the group `yuyan.warehouse`. Raises
    OperatorError.
    """
    try:
        return settings.warehouse_dsn(stage)
    except KeyError as error:
        missing = error.args[0]
    if not settings.is_warehouse_given():
        for point in entry_points(group="yuyan.warehouse"):
            return point.load()(settings.home(), stage)
    raise OperatorError(f"{missing}; set it to the warehouse's URL, see .env.example")


def here(command: str) -> Callable[..., None] | None:
    """What does a command on the line of this work folder, where a distribution that has such a line is installed beside the
    product (entry points `yuyan.here`)."""
    return next((point.load() for point in entry_points(group="yuyan.here", name=command)), None)


def fail(message: str) -> NoReturn:
    """Say what is wrong and end with exit code 1."""
    Console(stderr=True).print(f"[red]error:[/] {message}", highlight=False, soft_wrap=True)
    raise typer.Exit(1)


def terminal(as_json: bool = False) -> Console:
    """Standard output, or standard error where that is a program's; wide enough for tables where it is no terminal."""
    stream = sys.stderr if as_json else sys.stdout
    return Console(stderr=as_json, width=None if stream.isatty() else 150)


def print_marked(**content: Any) -> None:
    """Print JSON of what the warehouse holds, with the mark that it must carry (empty where the sources are real)."""
    print_json({"mark": settings.warehouse_mark(), **content})


def print_json(content: Any) -> None:
    """Print JSON with dates as ISO text."""
    typer.echo(json.dumps(content, ensure_ascii=False, indent=1, default=_plain))


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{value!r} is not JSON")
