"""The names that an indicator file may use: star tables and their columns, parameters, period bases, grains."""

import csv
from functools import cache
from typing import Any

from yuyan import settings
from yuyan.domain import yaml_file


@cache
def facts() -> dict[str, dict[str, str]]:
    """Star table -> column -> type, as the star's own description has them."""
    found = {}
    for path in sorted((settings.DBT_PROJECT / "models" / "star").glob("*.yml")):
        for model in yaml_file.read(path)["models"]:
            found[model["name"]] = {c["name"]: c["data_type"] for c in model["columns"]}
    return found


@cache
def parameters() -> dict[str, Any]:
    """The variables of the dbt project, which conditions name as `{name}`."""
    return yaml_file.read(settings.DBT_PROJECT / "dbt_project.yml")["vars"]["yuyan"]


@cache
def period_bases() -> frozenset[str]:
    with open(settings.SEEDS / "plan" / "period_basis.csv", encoding="utf-8", newline="") as file:
        return frozenset(row["period_basis"] for row in csv.DictReader(file))


@cache
def known_grains() -> tuple[str, ...]:
    """Grains in the order of the seed plan/grain.csv."""
    with open(settings.SEEDS / "plan" / "grain.csv", encoding="utf-8", newline="") as file:
        return tuple(row["grain"] for row in csv.DictReader(file))
