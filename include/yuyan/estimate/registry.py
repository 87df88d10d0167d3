"""How each variant is estimated and judged, as the registry (seed plan.indicator) says: estimator, adjustment, rules."""

import re
from dataclasses import dataclass

import polars as pl


class RuleError(ValueError):
    """A rule of the registry that cannot be read; the message names the variant and what is wrong."""


@dataclass(frozen=True)
class Rule:
    """`NAME(key=value;…)` of the columns city_rule and unit_rule; numbers are floats, names text."""

    name: str
    parameters: dict[str, float | str]

    def number(self, key: str) -> float:
        return float(self.parameters[key])


KNOWN = {
    "PATH": set(),
    "LEVEL": {"interval"},
    "FLOOR": {"amber", "red", "run", "falling"},
    "TREND": {"tolerance", "red"},
    "RATE": {"counts", "floor", "amber", "red", "years", "minimum", "strength"},
    "BENCHMARK": {"margin", "amber", "red", "minimum", "strength"},
}
"""Rules and the parameters that each must have (docs/statistics.md)."""


def parse(text: str, variant: str) -> Rule:
    """Read one rule. Raises RuleError."""
    match = re.fullmatch(r"(\w+)(?:\((.*)\))?", text)
    if not match or match[1] not in KNOWN:
        raise RuleError(f"{variant}: {text!r} is no rule; known are {', '.join(KNOWN)}")
    pairs = [part.partition("=") for part in filter(None, (match[2] or "").split(";"))]
    given = {key: value if key == "counts" else float(value) for key, _, value in pairs}
    if set(given) != KNOWN[match[1]]:
        wanted = ", ".join(sorted(KNOWN[match[1]])) or "no parameters"
        raise RuleError(f"{variant}: {text!r} must have {wanted}")
    return Rule(match[1], given)


def rules(registry: pl.DataFrame, column: str, name: str) -> dict[str, Rule]:
    """Variant -> its rule of this name in `column` (city_rule or unit_rule)."""
    found = {
        variant: parse(text, variant)
        for variant, text in registry.select("variant_code", column).iter_rows()
        if text
    }
    return {variant: rule for variant, rule in found.items() if rule.name == name}


def variants(registry: pl.DataFrame, column: str, value: str) -> list[str]:
    """The variants whose registry column has this value."""
    return registry.filter(pl.col(column) == value)["variant_code"].to_list()
