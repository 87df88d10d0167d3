"""`python -m yuyan_demo.simulator`: the simulated city as processes of its own."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="The simulated city and the platforms that serve it."
)


class Defects(StrEnum):
    """How much is wrong on day 1."""

    SAMPLE = "sample"
    EVERY_RULE = "every-rule"


@app.callback()
def _commands() -> None:
    """Keeps the commands named even while there is only one."""


@app.command()
def day(
    home: Annotated[Path, typer.Option(help="Work folder.")],
    seed: Annotated[int, typer.Option(help="Seed of the population.")] = 20261015,
    scale: Annotated[float, typer.Option(help="1 is the whole city.")] = 1 / 15,
    day: Annotated[int, typer.Option(help="Day to write, from 1 (2026-10-15).")] = 1,
    defects: Annotated[
        Defects,
        typer.Option(help="Business rules and a sample of the structural ones, or every rule there is."),
    ] = Defects.SAMPLE,
) -> None:
    """Write the state of one day (and its truth) below HOME/simulator."""
    from yuyan_demo.simulator import day_files, truth

    made = day_files.write(home, seed, scale, day, every_rule=defects is Defects.EVERY_RULE)
    truth.write(made, home / "simulator" / "truth" / f"day_{day}")
    rows = sum(len(frame) for frame in made.frames.values())
    typer.echo(f"day {day} ({made.as_of}): {rows} records of {len(made.frames)} entities")


@app.command()
def serve(
    home: Annotated[Path, typer.Option(help="Work folder with a prepared day.")],
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")],
) -> None:
    """Serve the REST platforms of the prepared day until stopped."""
    from yuyan_demo.simulator.products import server  # the web stack is not needed to generate

    server.serve(home, port)


if __name__ == "__main__":
    app()
