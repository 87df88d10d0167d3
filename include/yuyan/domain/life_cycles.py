"""Life cycles (include/life_cycles/<name>.yml): states of what people decide about, steps between them, who may take them.

The form of a file is in include/life_cycles/README.md; a bad file is refused with its line.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

from yuyan import settings
from yuyan.domain.yaml_file import YamlFile

LINE = "yuyan"
"""Actor of the steps that the line takes itself."""
WHO = ("line", "institution", "commission", "named")


class LifeCycleError(ValueError):
    """A life cycle that cannot be used; the message names file, line and remedy."""


@dataclass(frozen=True)
class Step:
    """A step from one of some states to another; without states to start from it begins a life.

    `by` is one of WHO. `evidence`: what must be given and stands in the event. `after`: the column with the deadline.
    """

    name: str
    label: str
    sources: tuple[str, ...]
    target: str
    by: str
    evidence: tuple[str, ...] = ()
    after: str | None = None


@dataclass(frozen=True)
class LifeCycle:
    """One file. `columns`: state -> columns that a row in it has, and in a state that does not name them has not."""

    name: str
    label: str
    table: str
    key: str
    look: str
    states: dict[str, str]
    columns: dict[str, tuple[str, ...]]
    steps: dict[str, Step]

    @property
    def step_labels(self) -> dict[str, str]:
        return {name: step.label for name, step in self.steps.items()}

    def required(self, action: str) -> tuple[str, ...]:
        """What must be given with a step: its evidence and the columns of the state that it leads to."""
        step = self.steps[action]
        return tuple(dict.fromkeys([*step.evidence, *self.columns[step.target]]))

    def emptied(self, action: str) -> tuple[str, ...]:
        """Columns of other states, which a row has no longer after a step."""
        kept = self.columns[self.steps[action].target]
        return tuple(dict.fromkeys(c for columns in self.columns.values() for c in columns if c not in kept))

    def open_states(self) -> tuple[str, ...]:
        """States that a step leads out of."""
        return tuple(s for s in self.states if any(s in step.sources for step in self.steps.values()))


@cache
def load(name: str) -> LifeCycle:
    """A life cycle by the name of its file. Raises LifeCycleError, YamlError, FileNotFoundError.

    >>> load("hold").steps["accept"].by
    'commission'
    """
    file = YamlFile(settings.LIFE_CYCLES / f"{name}.yml")
    _only(file, [], file.data, {"label", "table", "key", "look", "states", "steps"})
    states = {
        s: given if isinstance(given, dict) else {"label": given} for s, given in file.data["states"].items()
    }
    for state, given in states.items():
        _only(file, ["states", state], given, {"label", "with"}, {"label"})
    steps = {}
    for action, given in file.data["steps"].items():
        where = ["steps", action]
        _only(
            file,
            where,
            given,
            {"label", "from", "to", "by", "evidence", "after"},
            {"label", "to", "by"},
        )
        for state in (*given.get("from", ()), given["to"]):
            if state not in states:
                raise LifeCycleError(f"{file.at(*where)}: {state} is no state; known are {', '.join(states)}")
        if given["by"] not in WHO:
            raise LifeCycleError(f"{file.at(*where)}: by {given['by']!r} is not one of {', '.join(WHO)}")
        steps[action] = Step(
            action,
            given["label"],
            tuple(given.get("from", ())),
            given["to"],
            given["by"],
            tuple(given.get("evidence", ())),
            given.get("after"),
        )
    return LifeCycle(
        name,
        *(file.data[key] for key in ("label", "table", "key", "look")),
        {state: given["label"] for state, given in states.items()},
        {state: tuple(given.get("with", ())) for state, given in states.items()},
        steps,
    )


def _only(
    file: YamlFile, where: list[str], given: Any, known: set[str], required: set[str] | None = None
) -> None:
    """Refuse a mapping with other keys than these, or without one that is required (default: all)."""
    keys = set(given) if isinstance(given, dict) else set()
    if keys - known or (known if required is None else required) - keys:
        raise LifeCycleError(
            f"{file.at(*where)}: has {', '.join(sorted(map(str, keys)))}; write {', '.join(sorted(known))} as "
            "include/life_cycles/README.md says"
        )
