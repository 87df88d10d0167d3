"""`yuyan deliver`: what a university that sends files gets to build and check its deliveries."""

from pathlib import Path
from typing import Annotated

import typer

from yuyan import settings
from yuyan.commands.console import Json, expected, print_json, terminal
from yuyan.domain import institutions
from yuyan.domain.platforms import InstitutionError
from yuyan.suppliers import kit as kits

app = typer.Typer(no_args_is_help=True, help="For universities that deliver files: the deliverer's kit.")


@app.callback()
def _several() -> None:
    """Without this Typer would take the only command for the whole program."""


def _known(inst_code: str) -> str:
    if inst_code not in (known := institutions.codes()):
        raise typer.BadParameter(f"{inst_code} is no institution; known are {', '.join(known)}")
    return inst_code


@app.command()
def kit(
    institution: Annotated[str, typer.Argument(help="Institution code.", callback=_known)],
    to: Annotated[Path | None, typer.Option(help="Folder (default: deliver in the work folder).")] = None,
    as_json: Json = False,
) -> None:
    """Write the institution's kit: one file that builds and checks deliveries on any Python from 3.10."""
    with expected(kits.NoKit, InstitutionError):
        content = kits.packed(institutions.load()[institution])
        path = (to or settings.home() / "deliver") / f"yuyan-deliver-{institution}.pyz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    if as_json:
        print_json({"institution": institution, "file": str(path)})
    else:
        terminal().print(
            f"已写出交付工具：{path}（python {path.name} --help）", highlight=False, soft_wrap=True
        )
