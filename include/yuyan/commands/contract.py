"""`yuyan contracts`: what a platform must supply, for whoever has to supply it."""

from pathlib import Path
from typing import Annotated

import typer

from yuyan import settings
from yuyan.commands.console import Json, expected, print_json, terminal
from yuyan.domain import odcs
from yuyan.domain.contracts import ContractError

app = typer.Typer(no_args_is_help=True, help="The contracts of the entities: what a platform must supply.")


@app.callback()
def _several() -> None:
    """Without this Typer would take the only command for the whole program."""


@app.command()
def export(
    entities: Annotated[list[str] | None, typer.Argument(help="Entities (default: all).")] = None,
    to: Annotated[Path | None, typer.Option(help="Folder (default: contracts in the work folder).")] = None,
    as_json: Json = False,
) -> None:
    """Write one Open Data Contract Standard file per entity: what universities receive. `datacontract lint` accepts them."""
    folder = to or settings.home() / "contracts"
    with expected(ContractError):
        written = odcs.export(folder, entities)
    if as_json:
        print_json({"files": [str(path) for path in written]})
        return
    terminal().print(f"已写出 {len(written)} 份数据约定：{folder}", highlight=False, soft_wrap=True)
