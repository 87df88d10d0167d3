"""The data of a scheme as arrays: who takes part, values by every definition, their errors, sizes, last grants."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray

from yuyan.allocate import scheme as schemes
from yuyan.allocate import sources
from yuyan.allocate.formula import Formula
from yuyan.allocate.scheme import Indicator, Scheme, SchemeError
from yuyan.allocate.scores import Indicators
from yuyan.allocate.sources import MEASURES, Row

Floats = NDArray[np.float64]

NORMAL_95 = 1.959963984540054
DIGITS = 12
"""Significant digits of a figure in a digest: more than any figure has, fewer than two ways of adding up differ in."""


class InputError(ValueError):
    """Data that the scheme cannot be computed from; the message lists what is missing where, and what to do."""


@dataclass(frozen=True)
class Inputs:
    """u participating institutions in the order of their codes, k indicators in the order of the scheme."""

    scheme: Scheme
    as_of: date
    codes: tuple[str, ...]
    names: dict[str, str]
    groups: dict[str, tuple[str, str]]
    """Institution -> code and name of its peer group."""
    excluded: list[dict[str, str]]
    """Institutions that take no part: inst_code, inst_name, reason_zh."""
    labels: dict[str, str]
    """Variant or measure -> Chinese name."""
    units_zh: dict[str, str]
    published: dict[str, dict[str, Row]]
    """Variant or measure -> institution -> its published row."""
    definitions: Floats
    """(v, u, k)"""
    errors: Floats
    """(v, u, k)"""
    size: Floats
    persons: Floats
    last: Floats

    @property
    def values(self) -> Floats:
        """(u, k), by the scheme's own definitions; NaN where an institution has none."""
        return self.definitions[0]

    @property
    def formula(self) -> Formula:
        """The scheme with these institutions' sizes and last grants."""
        s, indicators = self.scheme, self.scheme.indicators
        weights = np.array(list(s.weights.values()))
        posts = np.array([i.goalposts for i in indicators.values()])
        return Formula(
            Indicators(
                tuple(indicators),
                weights / weights.sum(),
                posts[:, 0],
                posts[:, 1],
                tuple(i.normalisation for i in indicators.values()),
            ),
            s.aggregation,
            self.size,
            self.last,
            s.budget_cny,
            s.base.share,
            s.performance.alpha,
            s.performance.beta,
            s.performance.spread,
            s.bounds.floor,
            s.bounds.cap,
            s.protection,
        )

    @property
    def digest(self) -> str:
        """SHA-256 over every figure that the scheme uses; the budget and the weights are not in it."""
        return schemes.digest(
            {
                "as_of": str(self.as_of),
                "institutions": [[c, self.names[c], *self.groups[c]] for c in self.codes],
                "excluded": self.excluded,
                "published": {
                    name: {inst: _plain(row) for inst, row in own.items() if inst in self.codes}
                    for name, own in self.published.items()
                },
                "size": [_figure(v) for v in self.size],
            }
        )

    @property
    def value_count(self) -> int:
        return sum(len(set(own) & set(self.codes)) for own in self.published.values())


def read(connection: psycopg.Connection, scheme: Scheme) -> Inputs:
    """Read what the scheme names. Raises SchemeError for names that nobody knows, InputError, LookupError without values."""
    registry = {r["variant_code"]: r for r in sources.rows(connection, sources.REGISTRY)}
    _check_names(scheme, registry)
    day = sources.as_of(connection)
    everybody = sources.rows(connection, sources.INSTITUTIONS, {"as_of": day})
    taking_part, excluded = _participants(scheme, everybody)
    variants = sorted(scheme.names - set(MEASURES))
    published: dict[str, dict[str, Row]] = {v: {} for v in variants}
    for row in sources.rows(connection, sources.VALUES, {"variants": variants}):
        published[row["variant_code"]][row["inst_code"]] = row
    for name, rows in sources.measured(connection, scheme.names, day).items():
        published[name] = {r["inst_code"]: r | {"value": _ratio(r)} for r in rows}
    codes = tuple(r["inst_code"] for r in taking_part)
    size, persons = _sizes(scheme, codes, sources.rows(connection, sources.SIZES))
    last = schemes.last_grants(scheme.last_grants)
    labels = {v: r["name_zh"] for v, r in registry.items()} | {n: m.name_zh for n, m in MEASURES.items()}
    units = {v: r["unit_zh"] for v, r in registry.items()} | {n: m.unit_zh for n, m in MEASURES.items()}
    definitions, errors = _arrays(scheme, codes, published)
    found = Inputs(
        scheme,
        day,
        codes,
        {r["inst_code"]: r["inst_name"] for r in everybody},
        {r["inst_code"]: (r["peer_group_code"] or "-", r["peer_group_name"] or "-") for r in everybody},
        excluded,
        labels,
        units,
        published,
        definitions,
        errors,
        size,
        persons,
        np.array([float(last.get(c, np.nan)) for c in codes]),
    )
    _check_data(found)
    return found


def _check_names(scheme: Scheme, registry: dict[str, Row]) -> None:
    known = set(registry) | set(MEASURES)
    wrong = [f"{n}：指标登记表和星型模型度量中都没有" for n in sorted(scheme.names - known)]
    wrong += [
        f"{n}：没有单位层级的值，不能用于单位之间的配置"
        for n in sorted(scheme.names & set(registry))
        if not registry[n]["has_institutions"]
    ]
    wrong += [
        f"{i.per}：per 须是度量（{'、'.join(MEASURES)}）"
        for i in scheme.indicators.values()
        if i.per and i.per not in MEASURES
    ]
    for code, indicator in scheme.indicators.items():
        if code not in known:
            continue
        registered = registry[code]["direction"] if code in registry else MEASURES[code].direction
        if registered in ("up", "down") and registered != indicator.direction:
            wrong.append(f"{code}：登记的方向是 {registered}，方案写 {indicator.direction}")
        if code in MEASURES and indicator.use != "value":
            wrong.append(f"{code}：度量只有 use: value")
    if wrong:
        raise SchemeError(
            f"方案 {scheme.name} 用了不能用的名称：{'；'.join(wrong)}。"
            "更正方案，或先登记指标（docs/how-to/add-an-indicator.md）"
        )


def _participants(scheme: Scheme, everybody: list[Row]) -> tuple[list[Row], list[dict[str, str]]]:
    inside, outside = [], []
    for row in everybody:
        reasons = [
            e.reason_zh
            for e in scheme.exclude
            if (e.institution or row["inst_code"]) == row["inst_code"]
            and (e.affiliation or row["affiliation_code"]) == row["affiliation_code"]
        ]
        if reasons:
            outside.append(
                {"inst_code": row["inst_code"], "inst_name": row["inst_name"], "reason_zh": reasons[0]}
            )
        else:
            inside.append(row)
    if len(inside) < 2:
        raise InputError(f"方案 {scheme.name} 的排除规则只留下 {len(inside)} 个单位；至少要有两个")
    return inside, outside


def _sizes(scheme: Scheme, codes: tuple[str, ...], rows: list[Row]) -> tuple[Floats, Floats]:
    """Persons in study weighted by cost, and persons."""
    costs = scheme.base.costs
    weighted, persons = dict.fromkeys(codes, 0.0), dict.fromkeys(codes, 0.0)
    for row in rows:
        if row["inst_code"] in weighted:
            level = costs.level.get(row["degree_level"])
            if level is None:
                raise SchemeError(
                    f"方案 {scheme.name} 的 base.costs.level 没有层次 {row['degree_level']}（{row['inst_code']}）"
                )
            kind = costs.discipline.get(row["category_code"], costs.discipline["default"])
            weighted[row["inst_code"]] += level * kind * row["persons"]
            persons[row["inst_code"]] += row["persons"]
    return np.array(list(weighted.values())), np.array(list(persons.values()))


def _arrays(
    scheme: Scheme, codes: tuple[str, ...], published: dict[str, dict[str, Row]]
) -> tuple[Floats, Floats]:
    """Values and standard errors (v, u, k): each indicator by its own and its other definitions."""
    deepest = 1 + max(len(i.definitions) for i in scheme.indicators.values())
    shape = (deepest, len(codes), len(scheme.indicators))
    values, errors = np.full(shape, np.nan), np.zeros(shape)
    for k, (code, indicator) in enumerate(scheme.indicators.items()):
        for u, inst in enumerate(codes):
            factor = factor_of(published, indicator, inst)
            for v, variant in enumerate((code, *indicator.definitions)):
                value, error = _used(published[variant].get(inst), indicator.use)
                values[v, u, k], errors[v, u, k] = value * factor, error * factor
            # where an institution lacks another definition, the signed one stands for it: all draws have the same gaps
            there = slice(1, 1 + len(indicator.definitions))
            values[there, u, k] = np.where(
                np.isnan(values[there, u, k]), values[0, u, k], values[there, u, k]
            )
    return np.where(np.isnan(values[:1]), np.nan, values), np.where(np.isnan(values[:1]), 0, errors)


def factor_of(published: dict[str, dict[str, Row]], indicator: Indicator, inst: str) -> float:
    """What an institution's value is multiplied by: 1, or units of the measure it is divided by; NaN where that is 0."""
    if indicator.per is None:
        return 1.0
    per = _number((published[indicator.per].get(inst) or {}).get("value"))
    return indicator.times / per if per else float("nan")


def _used(row: Row | None, use: str) -> tuple[float, float]:
    """The value that is scored and its standard error; (NaN, 0) where there is none."""
    if row is None or row["value"] is None:
        return float("nan"), 0.0
    value = float(row["value"])
    if use == "shrunk":
        if row["shrunk_value"] is None:
            return float("nan"), 0.0
        mean, cases = float(row["shrunk_value"]), float(row["shrunk_cases"])
        return mean, float(np.sqrt(max(mean * (1 - mean), 0) / (cases + 1)))
    if use == "benchmark":
        if row["benchmark_value"] is None:
            return float("nan"), 0.0
        return value - float(row["benchmark_value"]), _number(row["benchmark_error"]) or 0.0
    error = 0.0
    if row.get("lcl95") is not None and row.get("ucl95") is not None:
        error = (float(row["ucl95"]) - float(row["lcl95"])) / (2 * NORMAL_95)
    if use == "adjusted":
        return (float(row["adjusted_value"]) if row["adjusted_value"] is not None else float("nan")), error
    return value, error


def _check_data(found: Inputs) -> None:
    wrong = []
    for k, (code, indicator) in enumerate(found.scheme.indicators.items()):
        gaps = [c for c, v in zip(found.codes, found.values[:, k], strict=True) if np.isnan(v)]
        what = f"{code} {found.labels[code]}（use: {indicator.use}）"
        if len(gaps) == len(found.codes):
            wrong.append(
                f"{what}：没有一个单位有值。还没有完整的期间，或登记表没有这种估计；从方案中去掉它，或换 use"
            )
        elif gaps and found.scheme.missing == "refuse":
            wrong.append(f"{what}：{'、'.join(gaps)} 没有值；补报，或把方案的 missing 改为 share")
    for inst, size, row in zip(found.codes, found.size, found.values, strict=True):
        if size <= 0:
            wrong.append(
                f"{inst} {found.names[inst]}：最近一次9月30日没有在学研究生；用 exclude 排除并写明理由"
            )
        if np.isnan(row).all():
            wrong.append(f"{inst} {found.names[inst]}：没有任何一个指标的值；用 exclude 排除并写明理由")
    if wrong:
        raise InputError("；".join(wrong))


def _ratio(row: Row) -> float | None:
    if row["denominator"] is None:
        return row["numerator"]
    return row["numerator"] / row["denominator"] if row["denominator"] else None


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _plain(row: Row) -> list[Any]:
    return [_figure(row[name]) for name in sorted(row)]


def _figure(value: Any) -> Any:
    if value is None or isinstance(value, (str, bool)):
        return value
    return float(f"{float(value):.{DIGITS}g}")


def listed(items: Iterable[str], most: int = 8) -> str:
    """A list of names as text, the first ones of a long one."""
    items = list(items)
    more = f" 等 {len(items)} 项" if len(items) > most else ""
    return "、".join(items[:most]) + more
