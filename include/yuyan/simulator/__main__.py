"""`python -m yuyan.simulator`: the simulated city as processes of its own."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="The simulated city and the platforms that serve it."
)


@app.callback()
def _commands() -> None:
    """Keeps the commands named even while there is only one."""


@app.command()
def serve(
    home: Annotated[Path, typer.Option(help="Work folder with a prepared day.")],
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")],
) -> None:
    """Serve the REST platforms of the prepared day until stopped."""
    from yuyan.simulator.products import server  # the web stack is not needed to generate

    server.serve(home, port)


if __name__ == "__main__":
    app()
