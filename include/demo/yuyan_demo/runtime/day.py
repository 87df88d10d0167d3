"""The simulated calendar of a work folder: which day it is, which city it is, and how the city moves on."""

import json
import os
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from pathlib import Path

from yuyan import files, settings
from yuyan.commands.console import OperatorError

DEFAULT_SEED = 20261015
DEFAULT_SCALE = 1 / 15


class CityMismatch(OperatorError):
    """Another seed or scale was asked of a work folder that already holds a city."""


@dataclass(frozen=True)
class State:
    """What a work folder remembers. Days count from 1, 0 is none yet; `attempt` counts the runs of the prepared day."""

    seed: int
    scale: float
    prepared: int = 0
    done: int = 0
    attempt: int = 0

    @property
    def next_day(self) -> int:
        """The day after the last successful one; a failed day is repeated."""
        return self.done + 1


def load(home: Path, seed: int | None = None, scale: float | None = None) -> State:
    """The state of a work folder, new if there is none. Raises CityMismatch when the wish differs from what is there,
    files.DamagedFile.
    """
    held = files.read_json(home / "state.json", "`make clean` starts with another city")
    if held is None:
        return State(DEFAULT_SEED if seed is None else seed, DEFAULT_SCALE if scale is None else scale)
    try:
        state = State(**held)
    except TypeError as error:
        raise files.DamagedFile(
            f"{home / 'state.json'}: {error}; `make clean` starts with another city"
        ) from None
    if seed not in (None, state.seed) or (scale is not None and abs(scale - state.scale) > 1e-9):
        raise CityMismatch(
            f"{home} holds the city of SEED={state.seed} SCALE={state.scale:g} up to day {state.prepared}; "
            "another city needs an empty work folder: `make clean`, or set YUYAN_HOME to another folder"
        )
    return state


def save(home: Path, state: State) -> None:
    """Remember the state."""
    files.write(home / "state.json", json.dumps(asdict(state)))


def as_of(day: int) -> date:
    """The date of a simulated day (Asia/Shanghai)."""
    return settings.FIRST_AS_OF + timedelta(days=day - 1)


def prepare(home: Path, state: State, day: int, admin_dsn: str) -> State:
    """Let the city and its platforms move on to a day. Nothing to do when they are there already."""
    if state.prepared >= day:
        return state
    from yuyan_demo.simulator import day_files, products  # heavy: every command asks for the day

    save(home, state)  # a city half made is still this city
    # how many times as many records change as on a usual day (bench/scale.py)
    pace = float(os.environ.get("YUYAN_SIMULATED_PACE", "1"))
    day_files.write(home, state.seed, state.scale, day, pace=pace)
    products.prepare(home, day, admin_dsn, seed=state.seed)
    state = replace(state, prepared=day, attempt=0)
    save(home, state)
    return state
