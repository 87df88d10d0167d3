"""The indicator dictionary, a page and a CSV, from the registry of the plan and the examples of include/indicators.

Whatever column the registry has is shown under the name its description gives it, so that a new column needs no change here.
"""

import csv
import re
from functools import cache
from typing import Any

from yuyan import settings
from yuyan.domain import yaml_file
from yuyan.domain.indicators import parameters
from yuyan.pages import examples, render
from yuyan.pages.examples import Case, Rows
from yuyan.pages.wording import entity_label

FILE = "indicator-dictionary.zh-CN.html"
CODES = {
    "direction": {"up": "越高越好", "down": "越低越好", "none": "不分高低"},
    "value_kind": {
        "count": "计数：分子",
        "ratio": "比例：分子 ÷ 分母",
        "index": "指数：分子 ÷ 分母",
        "growth": "增长率：分子 ÷ 分母 − 1",
        "cagr": "年均增长率：(分子 ÷ 分母) 的年数次方根 − 1",
    },
    "is_official": {"true": "是", "false": "否"},
    "is_city_only": {"true": "是", "false": "否"},
}
"""Meanings of codes that a seed's description does not spell out as `code meaning`."""
APART = ("variant_code", "indicator_code", "name_zh", "variant_role", "is_official")
"""Registry columns that the page shows elsewhere than in the list of facts."""


def dictionary_csv() -> str:
    """One row per variant: the registry, its target, its steps, examples that show it, decisions that touch it."""
    targets = _targets()
    target_columns = [c for c in seed("target")[0] if c != "variant_code"]
    registry = list(seed("indicator")[0])
    head = [*registry, *(f"target_{c}" for c in target_columns), "target_path", "examples", "decisions"]
    rows = []
    for variant in seed("indicator"):
        code = variant["variant_code"]
        target = targets.get(code, [{}])[-1]
        rows.append(
            [
                *variant.values(),
                *(target.get(c, "") for c in target_columns),
                ";".join(f"{s['period_year']}={s['path_value']}" for s in _steps(code)),
                ";".join(c.name for c in examples.cases() if c.of(code)),
                ";".join(d["decision_code"] for d in _decisions(variant["indicator_code"])),
            ]
        )
    return render.table_csv(head, rows)


def dictionary_page() -> str:
    """The page: a section per indicator, complete without its script."""
    indicators: dict[str, dict[str, Any]] = {}
    for row in seed("indicator"):
        one = indicators.setdefault(row["indicator_code"], {"variants": []})
        variant = {"row": row, "facts": _facts("indicator", row, APART), "role": _role(row)}
        one["variants"].append(variant | {"anchor": _anchor(row)})
    for code, one in indicators.items():
        variants = [v["row"] for v in one["variants"]]
        in_force = [v for v in variants if v is _in_force()[v["variant_code"]]]
        one |= {
            "official": next(v for v in variants if v["is_official"] == "true"),
            "targets": [_target(v, t) for v in in_force for t in _targets().get(v["variant_code"], [])],
            "decisions": _decisions(code),
            "cases": _cases(variants),
            "entities": sorted({e for v in variants for e in v["source_entities"].split(";") if e}),
        }
    entities = sorted({e for one in indicators.values() for e in one["entities"]})
    return render.page(
        "dictionary",
        title="指标词典",
        mark="",
        indicators=indicators,
        variants=len(seed("indicator")),
        bases=[(r["period_basis"], r["name_zh"]) for r in seed("period_basis")],
        entities=[(e, entity_label(e)) for e in entities],
        statuses=seed("indicator_status"),
        composites=_composites(),
        composite_says=descriptions("composite")[""],
        others=[d for d in seed("decision_log") if not d["indicator_codes"]],
        items=_items(),
    )


def _composites() -> dict[str, dict[str, Any]]:
    """Composite indicator -> its names, its sentence of the plan and its parts."""
    found: dict[str, dict[str, Any]] = {}
    names = {v["variant_code"]: v["name_zh"] for v in _in_force().values()}
    for row in seed("composite"):
        one = found.setdefault(row["indicator_code"], row | {"parts": []})
        variant = row["variant_code"]
        one["parts"].append((f"{variant} {names[variant]}", row["weight"], row["reason_zh"]))
    return found


@cache
def seed(name: str) -> list[dict[str, str]]:
    """Rows of a seed of the plan, all text."""
    with open(settings.SEEDS / "plan" / f"{name}.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@cache
def descriptions(table: str) -> dict[str, str]:
    """Column -> description of a seed or model, as its yml has them."""
    if (one := _described().get(table)) is None:
        raise KeyError(f"{table}: no yml of the dbt project describes it")
    return {"": one["description"]} | {c["name"]: c["description"] for c in one["columns"]}


@cache
def _described() -> dict[str, dict[str, Any]]:
    """Seed or model -> its entry in the dbt project's yml."""
    found: dict[str, dict[str, Any]] = {}
    for path in [*settings.SEEDS.glob("*/_*.yml"), *settings.DBT_PROJECT.glob("models/**/_*.yml")]:
        document = yaml_file.read(path)
        for one in [*document.get("seeds", []), *document.get("models", [])]:
            found.setdefault(one["name"], one)
    return found


def label(table: str, column: str) -> str:
    """The short name of a column: its description up to the first stop."""
    return re.split(r"[：；，。（]", descriptions(table).get(column, column))[0]


def explain(table: str, column: str, value: str) -> str:
    """A value with the meaning of its codes, from the column's description (`CODE meaning`) or CODES."""
    if not value:
        return "—"
    if column == "source_entities":
        return "、".join(entity_label(e) for e in value.split(";"))
    if column == "grains":
        return "、".join(_grain(grain) for grain in value.split(";"))
    if column == "period_basis":
        return f"{value} {next(r['name_zh'] for r in seed('period_basis') if r['period_basis'] == value)}"
    if value in CODES.get(column, {}):
        return CODES[column][value]
    said = descriptions(table).get(column, "")
    parts = value.split(";") if "(" not in value else [value]
    return "、".join(f"{part} {found}" if (found := _meaning(said, part)) else part for part in parts)


def _meaning(description: str, code: str) -> str | None:
    """What a description says about a code (or the first word of one with parameters), up to a stop or the next code."""
    word = re.match(r"[\w-]+", code)
    found = word and re.search(
        rf"(?<![\w-]){re.escape(word[0])} (.+?)(?=[；，。]|、[A-Za-z][\w-]* |$)", description
    )
    return found[1] if found else None


def _grain(grain: str) -> str:
    return next((r["name_zh"] for r in seed("grain") if r["grain"] == grain), grain)


def shown(value: float, variant: dict[str, str]) -> str:
    """A value in the unit in which the variant is published."""
    scaled = value * float(variant["display_scale"] or 1)
    return f"{scaled:,.2f}".rstrip("0").rstrip(".") + f" {variant['unit_zh']}"


def value_of(row: dict[str, str], variant: dict[str, str]) -> float | None:
    """The value that follows from numerator and denominator, by the rules of the model ind_value; None: there is none."""
    kind, numerator = variant["value_kind"], row["numerator"]
    if numerator == "":
        return None
    n, d = float(numerator), float(row["denominator"] or 0)
    if kind == "count":
        return n
    if kind in ("ratio", "index"):
        return n / d if d else None
    if d <= 0 or n < 0:
        return None
    if kind == "growth":
        return n / d - 1
    years = int(row["period_code"][:4]) - parameters()["base_year"]
    return (n / d) ** (1 / years) - 1 if years > 0 else None


@cache
def _in_force() -> dict[str, dict[str, str]]:
    """Variant -> its definition in force: the official one, else the newest."""
    rows = sorted(seed("indicator"), key=lambda r: (r["is_official"] == "true", int(r["definition_version"])))
    return {row["variant_code"]: row for row in rows}


def _anchor(variant: dict[str, str]) -> str:
    """variant-H13a for the definition in force, variant-H13a-v1 for another one."""
    code = variant["variant_code"]
    return (
        f"variant-{code}"
        if variant is _in_force()[code]
        else f"variant-{code}-v{variant['definition_version']}"
    )


def _facts(table: str, row: dict[str, str], apart: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """(name, value) of every column of a row that is not shown elsewhere and not empty."""
    return [
        (label(table, column), explain(table, column, value))
        for column, value in row.items()
        if column not in apart and value
    ]


def _role(variant: dict[str, str]) -> str:
    role = variant["variant_role"]
    return (_meaning(descriptions("indicator")["variant_role"], role) or role).split("（")[0]


@cache
def _targets() -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    for row in seed("target"):
        found.setdefault(row["variant_code"], []).append(row)
    return found


def _target(variant: dict[str, str], row: dict[str, str]) -> dict[str, Any]:
    """A target as facts, its value in the unit of the variant (a CAGR target is a rate whatever the unit)."""
    facts = dict(_facts("target", row, ("variant_code", "target_value")))
    if row["target_value"]:
        value = float(row["target_value"])
        text = f"{value:.0%} 年均增长" if row["path_kind"] == "CAGR" else shown(value, variant)
    else:
        text = "趋势，无数值"
    return {
        "variant_code": row["variant_code"],
        "facts": [(label("target", "target_value"), text), *facts.items()],
        "steps": _steps(row["variant_code"]),
    }


def _steps(variant_code: str) -> list[dict[str, str]]:
    return [r for r in seed("target_path") if r["variant_code"] == variant_code]


def _decisions(indicator_code: str) -> list[dict[str, str]]:
    return [d for d in seed("decision_log") if indicator_code in d["indicator_codes"].split(";")]


def _items() -> dict[str, str]:
    return {r["item_code"]: r["name_zh"] for r in seed("action_item")}


def _cases(variants: list[dict[str, str]]) -> list[dict[str, Any]]:
    """The examples of an indicator's variants; those of the official one first, of which the first is the example."""
    codes = {(v["variant_code"], v["definition_version"]): v for v in variants}
    official = next(v for v in variants if v["is_official"] == "true")
    found = [c for c in examples.cases() if any(c.of(code) for code, _ in codes)]
    return [
        _case(c, codes, official) for c in sorted(found, key=lambda c: not c.of(official["variant_code"]))
    ]


def _case(
    case: Case, variants: dict[tuple[str, str], dict[str, str]], official: dict[str, str]
) -> dict[str, Any]:
    rows = []
    for row in case.expect.dicts():
        variant = variants[row["variant_code"], row.get("definition_version", "1")]
        value = value_of(row, variant)
        unit = f"{_grain(row['grain'])} {row['unit_code']}"
        figures = [row["numerator"] or "—", row["denominator"] or "—"]
        rows.append(
            [
                row["variant_code"],
                unit,
                row["period_code"],
                *figures,
                "无值" if value is None else shown(value, variant),
            ]
        )
    first = next(iter(case.of(official["variant_code"])), None)
    return {
        "case": case,
        "given": [_table(g) for g in case.given],
        "rows": rows,
        "sum": _sum(first, official) if first else "",
    }


def _sum(row: dict[str, str], variant: dict[str, str]) -> str:
    """The sum of the worked example in one line."""
    value = value_of(row, variant)
    n, d = row["numerator"], row["denominator"]
    how = {"count": n, "growth": f"{n} ÷ {d} − 1"}.get(variant["value_kind"], f"{n} ÷ {d}")
    unit = f"{_grain(row['grain'])} {row['unit_code']}，{row['period_code']} 期"
    return f"{variant['variant_code']}，{unit}：{how} = {'无值' if value is None else shown(value, variant)}"


def _table(rows: Rows) -> dict[str, Any]:
    """A given table with the names of its columns in Chinese, numbers left as they are written."""
    said = descriptions(rows.name)
    return {
        "caption": f"{re.split('[。；]', said[''])[0]}（{rows.name}）",
        "head": [label(rows.name, c) if c in said else c for c in rows.columns],
        "cells": rows.cells,
    }
