"""Defects that take several records: what a rule's own `city:` cannot say. Each story names the rules that must find it."""

from collections.abc import Callable

import polars as pl

from yuyan_demo.simulator.identities import Row
from yuyan_demo.simulator.planting import Planter
from yuyan_demo.simulator.stories.organisation import Organisation
from yuyan_demo.simulator.stories.people import People
from yuyan_demo.simulator.stories.practice import Practice
from yuyan_demo.simulator.stories.theses import Theses


def stories(
    p: Planter, frames: dict[str, pl.DataFrame], later: dict[str, list[Row]]
) -> dict[str, Callable[[], None]]:
    """The stories of day 1, by the name under which planting_order.txt calls them; some remember what others need."""
    parts = [kind(p, frames, later) for kind in (Organisation, People, Theses, Practice)]
    return {
        name: getattr(part, name)
        for part in parts
        for name, member in vars(type(part)).items()
        if callable(member) and not name.startswith("_")
    }
