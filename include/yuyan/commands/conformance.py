"""`yuyan conformance`: the platforms' API for their vendors, and the test of a platform against it."""

from pathlib import Path
from typing import Annotated

import typer

from yuyan import settings
from yuyan.commands.console import Json, OperatorError, expected, print_json, terminal
from yuyan.domain.platforms import InstitutionError
from yuyan.suppliers import openapi, vendors
from yuyan.suppliers.conformance import cli

app = typer.Typer(
    no_args_is_help=True, help="For vendors of platforms: the API (OpenAPI 3.1) and its conformance test."
)


@app.command()
def export(
    to: Annotated[Path | None, typer.Option(help="Folder (default: conformance in the work folder).")] = None,
    as_json: Json = False,
) -> None:
    """Write the API of every product as OpenAPI 3.1, and the conformance test as one file for any Python from 3.10."""
    with expected(InstitutionError):
        written = vendors.export(to or settings.home() / "conformance")
    if as_json:
        print_json({"files": [str(path) for path in written]})
        return
    for path in written:
        terminal().print(f"已写出 {path}", highlight=False, soft_wrap=True)


@app.command()
def run(
    product: Annotated[str, typer.Argument(help="Platform product: rest-versioned, rest-legacy.")],
    url: Annotated[str, typer.Argument(help="The institution's base URL.")],
    entity: Annotated[
        list[str] | None, typer.Option("--entity", help="Entity; may be repeated (default: all).")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write the report (Markdown) to this file.")] = None,
    state: Annotated[
        Path | None, typer.Option(help="State for the next run; where there is one, compare with it.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Test a platform against its API; it only reads. Credentials: YUYAN_CLIENT_ID, YUYAN_CLIENT_SECRET (or the API key).

    Exit code 0: conformant. 1: not conformant, or not testable.
    """
    with expected(openapi.NoApi, InstitutionError):
        try:
            result = cli.run(vendors.document(product), url, entity, report, state)
        except cli.BadQuestion as error:
            raise OperatorError(str(error)) from None
    if as_json:
        print_json(result.as_json())
    else:
        terminal().print(cli.told(result), highlight=False, markup=False, soft_wrap=True)
    if not result.suite.is_conformant:
        raise typer.Exit(cli.NOT_CONFORMANT)
