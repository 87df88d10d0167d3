"""The `yuyan` command: what a deployment runs and what people ask of it.

A command is imported when it is called: all of them together take some seconds of imports, which nobody waits for who asks
for one.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points, version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

GROUP = "yuyan.commands"
OWN = {
    "quota": "quota:quota",
    "check": "check:check",
    "status": "status:status",
    "init": "operate:init",
    "backup": "operate:backup",
    "restore": "operate:restore",
    "indicators": "results:indicators",
    "quality": "results:quality",
    "feedback": "pages:feedback",
    "points": "pages:points",
    "dbt-docs": "pages:dbt_docs",
    "verify": "operate:verify_layers",
    "monitor": "operate:monitor",
    "dsn": "results:dsn_app",
    "contracts": "contract:app",
    "deliver": "deliver:app",
    "conformance": "conformance:app",
    "problem": "problem:app",
    "hold": "hold:app",
    "case": "case:app",
    "plan": "plan:app",
    "allocate": "allocate:app",
    "institution": "institution:app",
    "replay": "replay:app",
}
"""Command -> module of this folder and what it is there: a function, or a Typer application of several commands."""


class Commands(Mapping[str, Any]):
    """Command -> what Typer makes of it, imported when it is asked for; the product's and those of distributions that are
    installed beside it (entry points of GROUP), which come first."""

    def __init__(self) -> None:
        own = [EntryPoint(name, f"{__package__}.{place}", GROUP) for name, place in OWN.items()]
        self._points = {point.name: point for point in [*entry_points(group=GROUP), *own]}
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            found = self._points[name].load()
            alone = typer.Typer(rich_markup_mode="rich", pretty_exceptions_enable=False)
            if isinstance(found, typer.Typer):
                alone.add_typer(found, name=name)
            else:
                alone.command(name)(found)
            self._made[name] = typer.main.get_group(alone).commands[name]
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._points)

    def __len__(self) -> int:
        return len(self._points)


class Root(TyperGroup):
    """`yuyan` itself, whose commands are not imported before they are called."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.commands = Commands()

    def list_commands(self, context: typer.Context) -> list[str]:
        """Their names."""
        return list(self.commands)


app = typer.Typer(
    cls=Root,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="渝研: from university platforms to indicator marts. The work folder is YUYAN_HOME (default: .yuyan).",
)


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
