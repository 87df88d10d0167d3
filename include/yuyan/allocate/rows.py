"""What a run says, as the rows of its tables: rounded once, here, so that a digest is of what is written."""

from typing import Any

import numpy as np

from yuyan.allocate import efficiency, guards, money, robustness, scores
from yuyan.allocate.inputs import Inputs
from yuyan.allocate.robustness import ASSUMPTIONS, WeightAudit

CITY = "ALL"
"""Instead of a unit: the mean shift of all ranks. Instead of a peer group: all institutions."""

Rows = list[dict[str, Any]]


def of_score(inputs: Inputs, score: np.ndarray) -> Rows:
    """Indicators, pillars and total of every institution; points of indicators and of pillars add up to the total."""
    scheme, formula = inputs.scheme, inputs.formula
    there = ~np.isnan(inputs.values)
    single = scores.normalised(scores.filled(inputs.values), formula.indicators)
    own = np.where(there, formula.indicators.weights, 0)
    own = own / own.sum(axis=1, keepdims=True)
    points = own * np.where(there, single, 0)
    points = points * (score / np.maximum(points.sum(axis=1), 1e-12))[:, None]
    gains = _gains(inputs)
    found: Rows = []
    for u, inst in enumerate(inputs.codes):
        base = {"inst_code": inst, "inst_name": inputs.names[inst]}
        k = 0
        for pillar_code, pillar in scheme.pillars.items():
            first = k
            for code, indicator in pillar.indicators.items():
                row = inputs.published[code].get(inst) or {}
                found.append(
                    base
                    | _component("indicator", code, inputs.labels[code], pillar_code)
                    | {
                        "period_code": row.get("period_code"),
                        "confidence_grade": row.get("confidence_grade"),
                        "published_value": _figure(row.get("value")),
                        "used_value": _figure(inputs.values[u, k]),
                        "use_code": indicator.use,
                        "score": _share(single[u, k]) if there[u, k] else None,
                        "weight": _share(formula.indicators.weights[k]),
                        "own_weight": _share(own[u, k]),
                        "points": _share(points[u, k]),
                        "yuan_per_ten_points": _money(gains[u, k]) if there[u, k] else None,
                    }
                )
                k += 1
            part = slice(first, k)
            whole = own[u, part].sum()
            mean = scores.aggregated(
                single[u : u + 1, part], np.maximum(own[u, part], 1e-300), scheme.aggregation
            )[0]
            found.append(
                base
                | _component("pillar", pillar_code, pillar.name_zh, pillar_code)
                | {
                    "score": _share(mean) if whole else None,
                    "weight": _share(pillar.weight),
                    "own_weight": _share(whole),
                    "points": _share(points[u, part].sum()),
                }
            )
        total = {"score": _share(score[u]), "weight": 1.0, "own_weight": 1.0, "points": _share(score[u])}
        found.append(base | _component("total", "TOTAL", "总分", None) | total)
    return found


def _component(kind: str, code: str, name: str, pillar: str | None) -> dict[str, Any]:
    empty = dict.fromkeys(
        (
            "period_code",
            "confidence_grade",
            "published_value",
            "used_value",
            "use_code",
            "yuan_per_ten_points",
        )
    )
    return {
        "component_kind": kind,
        "component_code": code,
        "component_zh": name,
        "pillar_code": pillar,
    } | empty


def _gains(inputs: Inputs) -> np.ndarray:
    """(u, k): what ten more points of one indicator would add to the institution's own grant, yuan."""
    formula, values = inputs.formula, inputs.values
    u, k = (i.ravel() for i in np.indices(values.shape))
    width = formula.indicators.best - formula.indicators.worst
    then = formula.what_if(values, u, k, values[u, k] + 0.1 * width[k])
    now = formula.grants(formula.scores(values))
    return (then[np.arange(len(u)), u] - now[u]).reshape(values.shape)


def of_result(inputs: Inputs, score: np.ndarray, rank: np.ndarray, steps: money.Steps) -> Rows:
    formula, guard = inputs.formula, inputs.scheme.guards
    wrong, wrong_grants = guards.without_favourites(inputs, formula, guard.favourable_numbers)
    at_bound = steps.rounds[-1].at_bound
    z = (score - score.mean()) / formula.spread
    found = []
    for u, inst in enumerate(inputs.codes):
        last = None if np.isnan(inputs.last[u]) else int(inputs.last[u])
        grant = int(steps.final[u])
        found.append(
            {
                "inst_code": inst,
                "inst_name": inputs.names[inst],
                "peer_group_zh": inputs.groups[inst][1],
                "size": _money(inputs.size[u]),
                "score": _share(score[u]),
                "score_rank": int(rank[u]),
                "z": _share(z[u]),
                "last_cny": last,
                "base_cny": _money(steps.base[u]),
                "performance_cny": _money(steps.performance[u]),
                "unclamped_cny": _money(steps.unclamped[u]),
                "lower_cny": None if last is None else float(steps.lower[u]),
                "upper_cny": None if last is None else float(steps.upper[u]),
                "clamped_cny": _money(steps.clamped[u]),
                "bound_code": _bound(at_bound[u]),
                "reference_cny": _money(steps.reference[u]),
                "received_cny": _money(steps.received[u]),
                "paid_cny": _money(steps.paid[u]),
                "grant_cny": grant,
                "change_cny": None if last is None else grant - last,
                "change_share": None if last is None else _share(grant / last - 1),
                "wrong_numbers": "、".join(f"{c} {inputs.labels[c]}" for c in wrong[u]),
                "wrong_numbers_cny": _money(wrong_grants[u]),
            }
        )
    return found


def of_round(inputs: Inputs, steps: money.Steps) -> Rows:
    return [
        {
            "round_no": n,
            "inst_code": inst,
            "factor": float(f"{one.factor:.9g}"),
            "amount_cny": _money(one.amounts[u]),
            "bound_code": _bound(one.at_bound[u]),
        }
        for n, one in enumerate(steps.rounds, start=1)
        for u, inst in enumerate(inputs.codes)
    ]


def of_transfer(inputs: Inputs, steps: money.Steps) -> Rows:
    moved = {
        "BOUNDS": money.payments(steps.unclamped, steps.clamped),
        "HOLD_HARMLESS": money.payments(steps.clamped, steps.clamped + steps.received - steps.paid),
    }
    return [
        {
            "step_code": step,
            "payer_code": payer,
            "payer_name": inputs.names[payer],
            "receiver_code": receiver,
            "receiver_name": inputs.names[receiver],
            "amount_cny": _money(paid[i, j]),
        }
        for step, paid in moved.items()
        for i, payer in enumerate(inputs.codes)
        for j, receiver in enumerate(inputs.codes)
        if paid[i, j] >= 0.005
    ]


def of_robustness(inputs: Inputs, found: robustness.Robustness) -> Rows:
    rows = []
    for u, inst in enumerate(inputs.codes):
        others = [c for o, c in enumerate(inputs.codes) if o != u and found.tied[u, o]]
        rows.append(
            {
                "inst_code": inst,
                "inst_name": inputs.names[inst],
                "score_rank": int(found.rank[u]),
                "median_rank": float(found.median_rank[u]),
                "rank_low": int(found.rank_low[u]),
                "rank_high": int(found.rank_high[u]),
                "score_low": _share(found.score_low[u]),
                "score_high": _share(found.score_high[u]),
                "grant_low_cny": _money(found.grant_low[u]),
                "grant_high_cny": _money(found.grant_high[u]),
                "tied_count": len(others),
                "tied_with": "、".join(others),
            }
        )
    return rows


def of_pair(inputs: Inputs, found: robustness.Robustness) -> Rows:
    return [
        {"inst_code": one, "other_code": other, "ahead_share": _share(found.ahead[i, j]), "is_tied": bool(found.tied[i, j])}
        for i, one in enumerate(inputs.codes)
        for j, other in enumerate(inputs.codes)
        if i != j
    ]  # fmt: skip


def of_sensitivity(inputs: Inputs, found: robustness.Sobol) -> Rows:
    return [
        {
            "unit_code": unit,
            "assumption_code": assumption,
            "first_order": _share(found.first[a, u]),
            "first_order_error": _share(found.first_error[a, u]),
            "total": _share(found.total[a, u]),
            "total_error": _share(found.total_error[a, u]),
        }
        for u, unit in enumerate((*inputs.codes, CITY))
        for a, assumption in enumerate(ASSUMPTIONS)
    ]


def of_weight(inputs: Inputs, audit: WeightAudit) -> Rows:
    return [
        {
            "component_code": code,
            "component_zh": inputs.labels[code],
            "nominal_weight": _share(audit.nominal[k]),
            "effective_weight": _share(audit.effective[k]),
            "rank_shift": _share(audit.rank_shift[k]),
            "entropy_weight": _share(audit.entropy[k]),
        }
        for k, code in enumerate(inputs.scheme.indicators)
    ]


def of_influence(found: list[guards.Influence]) -> Rows:
    return [
        {
            "record_no": n,
            "inst_code": i.inst_code,
            "component_code": i.component_code,
            "record_kind": i.record_kind,
            "record_id": i.record_id,
            "record_count": i.record_count,
            "grant_change_cny": _money(i.grant_change),
            "grant_change_share": _share(i.share),
        }
        for n, i in enumerate(found, start=1)
    ]


def of_efficiency(inputs: Inputs) -> Rows:
    """Efficiency within peer groups that are large enough, and among all for the others."""
    rule = inputs.scheme.efficiency
    least = efficiency.smallest_sample(len(rule.inputs), len(rule.outputs))
    x, y = (
        np.column_stack([_quantity(inputs, name) for name in names]) for names in (rule.inputs, rule.outputs)
    )
    usable = (np.nan_to_num(x) > 0).all(axis=1) & (np.nan_to_num(y, nan=-1) >= 0).all(axis=1)
    own_group = np.array([inputs.groups[c][0] for c in inputs.codes])
    large = {g for g in own_group if (usable & (own_group == g)).sum() >= least}
    found: dict[int, dict[str, Any]] = {}
    for group in (*sorted(large), CITY):
        inside = usable & ((own_group == group) if group != CITY else np.ones(len(usable), dtype=bool))
        wanted = inside if group != CITY else inside & ~np.isin(own_group, sorted(large))
        at = np.flatnonzero(inside)
        if not wanted.any() or len(at) < 3:
            continue
        told = efficiency.efficiency(x[at], y[at], rule.draws, inputs.scheme.robustness.seed)
        few = "" if len(at) >= least else f"单位太少（{len(at)} 个，应不少于 {least} 个），区间偏窄，只供参考"
        for n, u in enumerate(at):
            if wanted[u]:
                name = inputs.groups[inputs.codes[u]][1] if group != CITY else "全部单位（对标组单位太少）"
                found[int(u)] = {
                    "group_code": group, "group_zh": name, "group_count": len(at), "score": _share(told.score[n]),
                    "corrected": _figure(told.corrected[n]), "lcl95": _figure(told.lower[n]),
                    "ucl95": _figure(told.upper[n]), "note_zh": few or None,
                }  # fmt: skip
    without = {
        "group_code": CITY, "group_zh": "—", "group_count": 0, "score": None, "corrected": None, "lcl95": None,
        "ucl95": None, "note_zh": "缺少投入或产出，未计算",
    }  # fmt: skip
    return [
        {"inst_code": c, "inst_name": inputs.names[c]} | found.get(u, without)
        for u, c in enumerate(inputs.codes)
    ]


def _quantity(inputs: Inputs, name: str) -> np.ndarray:
    """(u,) a measure, or the value or numerator of a variant (`H12.numerator`)."""
    code, _, column = name.partition(".")
    rows = [inputs.published[code].get(inst) or {} for inst in inputs.codes]
    return np.array(
        [np.nan if r.get(column or "value") is None else float(r[column or "value"]) for r in rows]
    )


def _bound(at_bound: int) -> str | None:
    return {-1: "FLOOR", 1: "CAP"}.get(int(at_bound))


def _money(value: float) -> float:
    """Yuan to the fen."""
    return round(float(value), 2) + 0.0


def _share(value: float) -> float:
    return round(float(value), 6) + 0.0


def _figure(value: Any) -> float | None:
    return None if value is None or np.isnan(float(value)) else float(f"{float(value):.9g}")
