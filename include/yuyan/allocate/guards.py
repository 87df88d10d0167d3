"""What stands between data and money: no allocation on data nobody vouches for, and how much hangs on single records."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg

from yuyan.allocate import scores, sources
from yuyan.allocate.formula import Formula
from yuyan.allocate.inputs import Inputs, factor_of, listed
from yuyan.allocate.sources import MEASURES, RECORD_IDS
from yuyan.domain.stewards import Steward

LARGEST = 20
"""Records of an institution's indicator that are tried, the largest first: the others move less."""
SHOWN = 5
"""Record numbers that are named of records that move a grant equally."""
ANY = "任一条"


class NotAllowed(RuntimeError):
    """Money may not be allocated on these data, or this account may not sign them; the message says why and what to do."""


@dataclass(frozen=True)
class Influence:
    """What the loss of one record would do to its institution's grant; `record_count` records do exactly the same."""

    inst_code: str
    component_code: str
    record_kind: str
    record_id: str
    record_count: int
    grant_change: float
    share: float


def signed(connection: psycopg.Connection, data_digest: str) -> int | None:
    """Number of the sign-off that holds for these data; None when they were never signed or it was withdrawn."""
    row = connection.execute(
        "select sign_off_id, action from allocation.sign_off where data_digest = %s order by sign_off_id desc limit 1",
        [data_digest],
    ).fetchone()
    return row[0] if row and row[1] == "signed" else None


def sign(
    connection: psycopg.Connection, inputs: Inputs, actor: Steward, reason: str, action: str = "signed"
) -> int:
    """Sign the data of a scheme, or withdraw that. Only the commission's accounts may. Raises NotAllowed."""
    if actor.role != "commission":
        raise NotAllowed(f"{actor.name} 不是市教委账号：配置所用数据只能由市教委签认（include/stewards.yml）")
    if action == "signed" and (doubts := ncid(inputs)):
        raise NotAllowed(_ncid_sentence(doubts))
    if action == "withdrawn" and signed(connection, inputs.digest) is None:
        raise NotAllowed(f"这份数据（摘要 {inputs.digest[:12]}）没有有效的签认可撤回")
    row = connection.execute(
        "insert into allocation.sign_off (data_digest, scheme, as_of, value_count, action, actor, reason) "
        "values (%s, %s, %s, %s, %s, %s, %s) returning sign_off_id",
        [inputs.digest, inputs.scheme.name, inputs.as_of, inputs.value_count, action, actor.name, reason],
    ).fetchone()
    return row[0]


def admitted(connection: psycopg.Connection, inputs: Inputs) -> int:
    """The sign-off on which these data may become money. Raises NotAllowed for NCID or unsigned data."""
    if doubts := ncid(inputs):
        raise NotAllowed(_ncid_sentence(doubts))
    if (number := signed(connection, inputs.digest)) is None:
        raise NotAllowed(
            f"不能配置：方案 {inputs.scheme.name} 所用的 {inputs.value_count} 个值（统计日期 {inputs.as_of}，摘要 "
            f"{inputs.digest[:12]}）没有签认，或签认之后数据已改变。核对后由市教委账号签认："
            f"yuyan allocate sign --scheme {inputs.scheme.name} --as 账号 --reason 理由 / the data are not signed"
        )
    return number


def ncid(inputs: Inputs) -> list[str]:
    """The values the scheme uses in which there is no confidence, each with the entity and dimension that is weakest."""
    found = []
    for variant in sorted(set(inputs.published) - set(MEASURES)):
        for inst, row in inputs.published[variant].items():
            if inst in inputs.codes and row["confidence_grade"] == "NCID":
                why = "、".join(
                    filter(None, (row["confidence_entity_code"], row["confidence_dimension_code"]))
                )
                found.append(
                    f"{inst} {inputs.names[inst]} 的 {variant} {inputs.labels[variant]}（{why or '原因见评分卡'}）"
                )
    return found


def _ncid_sentence(doubts: list[str]) -> str:
    return (
        f"不能配置：{listed(doubts)} 的数据可信等级为 NCID（不可信）。不可信的数据不得作为拨款依据：先由报送单位更正"
        "（yuyan feedback、yuyan problem list），重新运行数仓后再配置 / no confidence in data"
    )


def influences(connection: psycopg.Connection, inputs: Inputs, least_share: float) -> list[Influence]:
    """Records whose loss moves their institution's grant by more than `least_share` of it, the greatest first.

    Each record is taken out by itself and everything is computed anew. Where a value is adjusted or compared with a
    benchmark, the adjustment is kept and the rate within it moves.
    """
    cases = list(_cases(connection, inputs))
    if not cases:
        return []
    formula, values = inputs.formula, inputs.values
    now = formula.grants(formula.scores(values))
    unit = np.array([c[0] for c in cases])
    then = formula.what_if(values, unit, [c[1] for c in cases], [c[2] for c in cases])
    change = then[np.arange(len(cases)), unit] - now[unit]
    share = change / now[unit]
    codes = list(inputs.scheme.indicators)
    found = [
        Influence(inputs.codes[u], codes[k], kind, name, count, float(c), float(s))
        for (u, k, _, kind, name, count), c, s in zip(cases, change, share, strict=True)
        if abs(s) > least_share
    ]
    return sorted(
        found, key=lambda i: (-abs(i.share), i.inst_code, i.component_code, i.record_kind, i.record_id)
    )


def _cases(connection: psycopg.Connection, inputs: Inputs) -> Iterator[tuple[int, int, float, str, str, int]]:
    """Unit, indicator, value without the record, kind, record numbers, how many records do the same."""
    for k, (code, indicator) in enumerate(inputs.scheme.indicators.items()):
        known = _records(connection, inputs, code)
        for u, inst in enumerate(inputs.codes):
            row = inputs.published[code].get(inst)
            if row is None or row["value"] is None or np.isnan(inputs.values[u, k]):
                continue
            own = known[inst] if known is not None else _counted(row)
            factor = factor_of(inputs.published, indicator, inst)
            for numerator, denominator, names, count in own[:LARGEST]:
                changed = _without(row, indicator.use, numerator, denominator)
                if changed is not None:
                    kind = "numerator" if numerator else "denominator"
                    yield u, k, changed * factor, kind, names, count


def _records(connection: psycopg.Connection, inputs: Inputs, code: str) -> dict[str, list[tuple]] | None:
    """Institution -> its records' parts, equal ones together, the largest first; None where records are not known."""
    if code not in RECORD_IDS:
        return None
    period = next((r["period_code"] for r in inputs.published[code].values()), None)
    given = {"period": period, "as_of": inputs.as_of}
    alike: dict[str, dict[tuple, list[str]]] = defaultdict(lambda: defaultdict(list))
    for r in sources.rows(connection, sources.records_query(code), given):
        alike[r["inst_code"]][r["numerator"], r["denominator"]].append(str(r["record_id"]))
    found: dict[str, list[tuple]] = defaultdict(list)
    for inst, parts in alike.items():
        for (numerator, denominator), ids in sorted(
            parts.items(), key=lambda p: (-abs(p[0][0]), -(p[0][1] or 0))
        ):
            found[inst].append((numerator, denominator, "、".join(ids[:SHOWN]), len(ids)))
    return found


def _counted(row: dict[str, Any]) -> list[tuple]:
    """Any one record of the numerator, any one of the rest, by the counts alone."""
    numerator, denominator = (None if row[n] is None else float(row[n]) for n in ("numerator", "denominator"))
    if numerator is None:
        return []
    if denominator is None:
        return [(1.0, None, ANY, round(numerator))] if numerator >= 1 else []
    found = [(1.0, 1.0, ANY, round(numerator))] if numerator >= 1 else []
    return found + ([(0.0, 1.0, ANY, round(denominator - numerator))] if denominator - numerator >= 1 else [])


def _without(row: dict[str, Any], use: str, numerator: float, denominator: float | None) -> float | None:
    """The value that would be used without a record; None when there would be none."""
    if use == "shrunk":
        cases = float(row["shrunk_cases"]) - 1
        return (float(row["shrunk_sound"]) - (numerator > 0)) / cases if cases > 0 else None
    rest = float(row["numerator"]) - numerator
    if denominator is None:
        value = rest
    else:
        whole = float(row["denominator"]) - denominator
        if whole <= 1e-9:
            return None
        value = rest / whole
    if use == "adjusted":
        return float(row["adjusted_value"]) + value - float(row["value"])
    if use == "benchmark":
        return value - float(row["benchmark_value"])
    return value


def without_favourites(inputs: Inputs, formula: Formula, count: int) -> tuple[list[list[str]], np.ndarray]:
    """Per institution the `count` indicators that favour it most, and its grant if these were the others' mean.

    An indicator favours by the points that the institution would lose at the mean value: its points, which end at the
    goalposts, and not the mean of the points, which one extreme value moves less. Grants (u,) in yuan before rounding.
    """
    there = ~np.isnan(inputs.values)
    single = scores.normalised(scores.filled(inputs.values), formula.indicators)
    usual = np.nanmean(inputs.values, axis=0)
    units = len(inputs.codes)
    own = np.arange(units)
    average = np.repeat(scores.filled(inputs.values)[None], units, axis=0)
    average[own, own] = usual
    lost = single - scores.normalised(average, formula.indicators)[own, own]
    favour = np.where(there, formula.indicators.weights * lost, -np.inf)
    many = np.repeat(inputs.values[None], units, axis=0)
    names = []
    for u in range(units):
        best = [int(k) for k in np.argsort(-favour[u], kind="stable")[:count] if favour[u, k] > 0]
        many[u, u, best] = usual[best]
        names.append([formula.indicators.codes[k] for k in best])
    return names, formula.grants(formula.scores(many))[own, own]
