"""The thresholds of the warnings: versions of the seed plan.warning_parameter, each with its first day and its signer."""

import csv
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import psycopg

from yuyan import settings


class ParameterError(ValueError):
    """Parameters that cannot be used; the message (Chinese) names version, what is wrong and the remedy."""


KNOWN = {
    "W01": {"problem_count", "city_percentile", "misconduct_years"},
    "W02": {"floor", "amber", "red", "minimum"},
    "W03": {"window_years", "minimum_signals", "minimum_cases", "load_limit", "amber", "red"},
    "W04": {"minimum_points", "minimum_alarmed", "amber_share", "red_share", "funnel_amber", "funnel_red"},
    "W05": {"margin", "probability", "minimum", "own_share"},
}
"""Rule -> the parameters that each version must have (docs/degree-points.md)."""


@dataclass(frozen=True)
class Parameters:
    """One version. `signed_by` is empty while nobody has signed it."""

    version: str
    effective_on: date
    signed_by: str
    values: dict[tuple[str, str], float]

    def __call__(self, rule: str, name: str) -> float:
        return self.values[rule, name]


def load(connection: psycopg.Connection) -> list[Parameters]:
    """All versions that the warehouse has, the first in force first. Raises ParameterError for one that is not whole."""
    return _versions(
        connection.execute(
            "select parameter_version, effective_on, signed_by, rule_code, parameter_code, value::float8 "
            "from plan.warning_parameter"
        ).fetchall()
    )


def load_file(path: Path = settings.SEEDS / "plan" / "warning_parameter.csv") -> list[Parameters]:
    """The same of the seed's file, which the warehouse has from its next run on. Raises ParameterError."""
    with path.open(encoding="utf-8", newline="") as file:
        try:
            return _versions(
                [
                    (r["parameter_version"], date.fromisoformat(r["effective_on"]), r["signed_by"], r["rule_code"],
                     r["parameter_code"], float(r["value"]))
                    for r in csv.DictReader(file)
                ]
            )  # fmt: skip
        except (KeyError, ValueError) as error:
            if isinstance(error, ParameterError):
                raise
            raise ParameterError(f"{path}：{error}；对照旁边的行改正") from error


def _versions(rows: list[tuple]) -> list[Parameters]:
    rows = sorted(rows, key=lambda row: (row[1], row[0]))
    wanted = {(rule, name) for rule, names in KNOWN.items() for name in names}
    found = []
    for version in dict.fromkeys(row[0] for row in rows):
        own = [row for row in rows if row[0] == version]
        values = {(rule, name): value for *_, rule, name, value in own}
        days = {row[1] for row in own}
        if set(values) != wanted or len(values) != len(own) or len(days) != 1:
            wrong = sorted("{}.{}".format(*key) for key in set(values) ^ wanted)
            raise ParameterError(
                f"plan.warning_parameter 版本 {version}：每个参数须恰有一行、生效日期须相同；"
                f"有误的：{'、'.join(wrong) or '重复的行或不同的生效日期'}，见 docs/how-to/change-a-threshold.md"
            )
        found.append(Parameters(version, own[0][1], own[0][2] or "", values))
    return found


def in_force(versions: list[Parameters], as_of: date) -> Parameters:
    """The version in force on a day. Raises ParameterError when none is."""
    begun = [p for p in versions if p.effective_on <= as_of]
    if not begun:
        raise ParameterError(f"plan.warning_parameter 在 {as_of} 没有生效的版本")
    return begun[-1]


def named(versions: list[Parameters], version: str) -> Parameters:
    """A version by its name. Raises ParameterError."""
    for p in versions:
        if p.version == version:
            return p
    raise ParameterError(f"没有参数版本 {version}；有：{'、'.join(p.version for p in versions)}")
