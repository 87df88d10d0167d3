"""Life cycles (include/life_cycles/<name>.yml): states of what people decide about, steps between them, who may take them.

The form of a file is in include/life_cycles/README.md; a bad file is refused with its line.
"""

from dataclasses import dataclass, field
from functools import cache
from typing import Any

from yuyan import settings
from yuyan.domain.yaml_file import YamlFile

LINE = "yuyan"
"""Actor of the steps that the line takes itself."""
WHO = ("line", "institution", "commission", "named")
SIGNATURE = ("role_name", "document_no")
"""What a signed step must be given: the role that decided, and the number of its document."""
_OPTIONAL = {
    *(
        "from",
        "to",
        "evidence",
        "after",
        "trigger",
        "deadline",
        "not_before",
        "unless",
        "heard",
        "signed",
        "effect",
        "letter",
    ),
}


class LifeCycleError(ValueError):
    """A life cycle that cannot be used; the message names file, line and remedy."""


@dataclass(frozen=True)
class Step:
    """A step from one of some states to another; without states to start from it begins a life.

    `by` is one of WHO. `target` None: the state stays. `evidence`: what must be given and stands in the event. `after`: the
    column with the deadline. Of decisions: `deadline` (column, days, months) is set by the step; `not_before`: column with
    the day before which it is too early, unless the column `unless` is filled; `heard`: whoever it concerns was heard;
    `signed`: with role and document; `effect`, `letter`: what must follow in the data, what is written.
    """

    name: str
    label: str
    sources: tuple[str, ...]
    target: str | None
    by: str
    evidence: tuple[str, ...] = ()
    after: str | None = None
    trigger: str = ""
    deadline: tuple[str, int, int] | None = None
    not_before: str | None = None
    unless: str | None = None
    is_heard: bool = False
    is_signed: bool = False
    effect: str | None = None
    letter: str | None = None


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
    proposals: dict[str, dict[str, str]] = field(default_factory=dict)
    """state -> level of what was found -> the step that the line proposes."""
    decide_within_days: int = 0
    """A proposal that nobody has decided on after so many days is overdue."""

    @property
    def step_labels(self) -> dict[str, str]:
        return {name: step.label for name, step in self.steps.items()}

    def required(self, action: str) -> tuple[str, ...]:
        """What must be given with a step: its evidence and the columns of the state that it leads to."""
        step = self.steps[action]
        signature = SIGNATURE if step.is_signed else ()
        return tuple(dict.fromkeys([*step.evidence, *self.columns.get(step.target or "", ()), *signature]))

    def emptied(self, action: str) -> tuple[str, ...]:
        """Columns of other states, which a row has no longer after a step; none where the state stays."""
        target = self.steps[action].target
        if target is None:
            return ()
        kept = self.columns[target]
        return tuple(dict.fromkeys(c for columns in self.columns.values() for c in columns if c not in kept))

    def open_states(self) -> tuple[str, ...]:
        """States that a step leads out of."""
        leaving = [step for step in self.steps.values() if step.target]
        return tuple(s for s in self.states if any(s in step.sources for step in leaving))


@cache
def load(name: str) -> LifeCycle:
    """A life cycle by the name of its file. Raises LifeCycleError, YamlError, FileNotFoundError.

    >>> load("hold").steps["accept"].by
    'commission'
    """
    file = YamlFile(settings.LIFE_CYCLES / f"{name}.yml")
    required = {"label", "table", "key", "look", "states", "steps"}
    _only(file, [], file.data, required | {"proposals", "decide_within_days"}, required)
    states = {
        s: given if isinstance(given, dict) else {"label": given} for s, given in file.data["states"].items()
    }
    for state, given in states.items():
        _only(file, ["states", state], given, {"label", "with"}, {"label"})
    steps = {}
    for action, given in file.data["steps"].items():
        where = ["steps", action]
        _only(file, where, given, {"label", "by"} | _OPTIONAL, {"label", "by"})
        for state in (*given.get("from", ()), *([given["to"]] if "to" in given else ())):
            if state not in states:
                raise LifeCycleError(f"{file.at(*where)}: {state} is no state; known are {', '.join(states)}")
        if not given.get("from") and "to" not in given:
            raise LifeCycleError(
                f"{file.at(*where)}: neither `from` nor `to`; write where it starts or leads"
            )
        if given["by"] not in WHO:
            raise LifeCycleError(f"{file.at(*where)}: by {given['by']!r} is not one of {', '.join(WHO)}")
        steps[action] = _step(action, given)
    return LifeCycle(
        name,
        *(file.data[key] for key in ("label", "table", "key", "look")),
        {state: given["label"] for state, given in states.items()},
        {state: tuple(given.get("with", ())) for state, given in states.items()},
        steps,
        _proposals(file, states, steps),
        file.data.get("decide_within_days", 0),
    )


def transitions(cycle: LifeCycle) -> list[dict[str, str]]:
    """Every step from every state of a life cycle as a row of text: what plan.case_transition publishes.

    >>> next(row for row in transitions(load("case")) if row["action"] == "rectify")["deadline_zh"]
    '24个月'
    """
    rows = []
    for step in cycle.steps.values():
        column, days, months = step.deadline or ("", 0, 0)
        for source in step.sources or ("",):
            target = step.target or source
            onward = [s.label for s in cycle.steps.values() if s.target and target in s.sources]
            rows.append(
                {
                    "action": step.name,
                    "action_zh": step.label,
                    "from_state": source or "-",
                    "from_state_zh": cycle.states.get(source, ""),
                    "to_state": target,
                    "to_state_zh": cycle.states[target],
                    "trigger_zh": step.trigger,
                    "required_evidence": ";".join(cycle.required(step.name)),
                    "is_heard": str(step.is_heard).lower(),
                    "is_signed": str(step.is_signed).lower(),
                    "decided_by": step.by,
                    "deadline_column": column or step.after or "",
                    "deadline_zh": f"{months}个月" if months else f"{days}天" if days else "",
                    "not_before_column": step.not_before or "",
                    "unless_column": step.unless or "",
                    "effect_code": step.effect or "",
                    "letter_zh": step.letter or "",
                    "next_zh": "、".join(onward),
                }
            )
    return rows


def _proposals(file: YamlFile, states: dict[str, Any], steps: dict[str, Step]) -> dict[str, dict[str, str]]:
    """What is proposed; only steps that may start in that state."""
    proposals = file.data.get("proposals", {})
    for state, by_level in proposals.items():
        for action in by_level.values():
            if action not in steps or state not in steps[action].sources:
                raise LifeCycleError(
                    f"{file.at('proposals', state)}: {action} is no step that starts in {state}; see `steps`"
                )
    return proposals


def _step(action: str, given: dict[str, Any]) -> Step:
    deadline = given.get("deadline")
    return Step(
        action,
        given["label"],
        tuple(given.get("from", ())),
        given.get("to"),
        given["by"],
        tuple(given.get("evidence", ())),
        given.get("after"),
        given.get("trigger", ""),
        (deadline["column"], deadline.get("days", 0), deadline.get("months", 0)) if deadline else None,
        given.get("not_before"),
        given.get("unless"),
        bool(given.get("heard")),
        bool(given.get("signed")),
        given.get("effect"),
        given.get("letter"),
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
