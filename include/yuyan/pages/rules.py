"""The public rule directory, a searchable page and a CSV, from the rule catalogue.

Every rule has an anchor, its id, so that feedback pages point at it.
"""

import re
from collections.abc import Callable

from yuyan.domain import case_rules, catalogue, contracts, credibility_rules
from yuyan.domain.catalogue import Rule
from yuyan.domain.contracts import Contract
from yuyan.domain.labels import LEVELS, OVERRIDES, SEVERITIES
from yuyan.pages import render

FILE = "rule-directory.zh-CN.html"
GIVES_MARK = "规则目录本身不含数据。演示环境中按这些规则得出的一切结果都是模拟数据 / SIMULATED。"


def tolerance(rows: int, pct: float) -> str:
    """How many rows may fail before it is a problem, in words."""
    parts = [f"{rows:,} 行"] if rows else []
    parts += [f"{float(pct):g} %"] if pct else []
    return "或 ".join(parts) + ("（取较宽者）" if len(parts) == 2 else "") if parts else "不容许"


def field_label(entity: str, column: str | None) -> str:
    """Chinese names of one or more fields of an entity (a key rule names several); what is no field stays as it is."""
    contract = contracts.load().get(entity)
    labels = {"src_record_id": "来源记录编号"} | (
        {f.name: f.label for f in contract.fields} if contract else {}
    )
    return "、".join(labels.get(name, name) for name in re.split(r"[,;| ]+", column or ""))


def _validity(rule: Rule) -> str:
    if rule.valid_from or rule.valid_to:
        return f"{rule.valid_from or ''} 至 {rule.valid_to or '今'}".strip()
    return "一直有效"


COLUMNS: dict[
    str, tuple[str, Callable[[Rule, Contract | credibility_rules.Subject | case_rules.Subject], object]]
] = {
    "rule_id": ("规则编号", lambda r, c: r.rule_id),
    "version": ("版本", lambda r, c: r.version),
    "entity": ("实体", lambda r, c: c.entity),
    "entity_label": ("实体名称", lambda r, c: c.label),
    "field": ("字段", lambda r, c: r.column),
    "field_label": ("字段名称", lambda r, c: field_label(c.entity, r.column)),
    "level": ("级别", lambda r, c: r.level),
    "severity": ("严重程度", lambda r, c: r.severity),
    "eligible": ("适用条件", lambda r, c: r.when or "全部记录"),
    "definition": ("判定", lambda r, c: r.assert_),
    "tolerance": ("容许", lambda r, c: tolerance(r.tolerance.rows, r.tolerance.pct)),
    "override": ("谁可批准豁免", lambda r, c: OVERRIDES[r.override]),
    "indicators": ("影响指标", lambda r, c: ";".join(r.indicators)),
    "message": ("问题", lambda r, c: r.message),
    "why": ("为什么", lambda r, c: r.why),
    "fix": ("怎么改", lambda r, c: r.fix),
    "owner": ("责任单位", lambda r, c: r.owner),
    "validity": ("有效期", lambda r, c: _validity(r)),
}
"""Column of the CSV -> its Chinese name and how it follows from a rule and the contract of its entity."""


def directory_csv() -> str:
    """One row per rule, all columns of COLUMNS."""
    rows = [[get(rule, contract) for _, get in COLUMNS.values()] for contract, rule in _all()]
    return render.table_csv(COLUMNS, rows)


def directory_page(mark: str = "") -> str:
    """The page, complete without its script; `mark` is shown on top when the results it is read for are simulated."""
    groups: dict[str, dict] = {}
    for contract, rule in _all():
        group = groups.setdefault(contract.entity, {"label": contract.label, "rules": []})
        group["rules"].append({name: get(rule, contract) for name, (_, get) in COLUMNS.items()})
    return render.page(
        "rules",
        title="数据质量规则目录",
        mark=mark,
        notice=GIVES_MARK,
        groups=groups,
        entities=[(entity, f"{group['label']}（{entity}）") for entity, group in groups.items()],
        total=sum(len(g["rules"]) for g in groups.values()),
        levels=LEVELS,
        severities=SEVERITIES,
    )


def _all() -> list[tuple[Contract | credibility_rules.Subject | case_rules.Subject, Rule]]:
    """Every rule with the contract of its entity: entities in load order, business rules before structural ones; the rules
    about indicators and cases last."""
    rules = catalogue.load().rules
    of_entities = [
        (contract, rule)
        for entity, contract in contracts.load().items()
        for rule in sorted(rules[entity], key=lambda r: not r.is_business)
    ]
    of_others = [
        (module.Subject(), rule) for module in (credibility_rules, case_rules) for rule in module.rules()
    ]
    return of_entities + of_others
