"""Sentences about one institution's data, the same on its page and in its workbook."""

import re

from yuyan.domain import case_rules, contracts, credibility_rules, labels
from yuyan.pages.facts import Row


def entity_label(entity: str | None) -> str:
    """学籍（student); what is no entity stays as it is."""
    subjects = {s.entity: s for s in (credibility_rules.Subject(), case_rules.Subject())}
    named = subjects.get(entity or "") or contracts.load().get(entity or "")
    return f"{named.label}（{entity}）" if named else entity or ""


def headline(group: Row) -> str:
    """What is wrong, in one line, without the rows over all institutions: the page counts this one's."""
    return re.sub(r"，涉及 [\d,]+ 条记录$", "", group["message"] or group["group_id"])


def owner_of(group: Row) -> str:
    """Who has to act on a group of failures: the institution whose record is wanted, else the owner of the rule."""
    if group["kind"] in ("parent_missing", "parent_quarantined") and group["cause_inst_code"]:
        return f"报送{entity_label(group['cause_entity'])}的单位 {group['cause_inst_code']}"
    return group["owner"] or ""


def remedy(group: Row) -> str:
    """What to do about a group of failures that one remedy mends."""
    parent, key, rows = entity_label(group["cause_entity"]), group["cause_key"], group["records"]
    fix = group["fix"] or ""
    if group["kind"] == "parent_missing":
        return f"补报{parent} {key}；若这个编号是错的，更正引用它的 {rows:,} 条记录。补报后自动重新判定，不必重送。"
    if group["kind"] == "parent_quarantined":
        broken = "、".join(group["cause_rule_ids"] or [])
        return (
            f"先更正{parent} {key}（它违反 {broken}）；它被接收后，这 {rows:,} 条记录自动重新判定，不必重送。"
        )
    if group["kind"] == "same_batch":
        return f"批次 {group['batch_id']} 几乎全部不合格，多为导出程序或字段映射有误：核对后整批重送。{fix}"
    if group["kind"] == "systematic":
        return (
            f"适用的 {rows:,} 条记录全部不合格，不是个别记录填错，不要逐条更正：核对这个字段的来源列、代码对照、"
            f"日期和数值格式及导出程序；映射由数据工程师改正后重放，导出由本单位改正后整批重送。{fix}"
        )
    if group["kind"] == "unknown_code":
        return f"{fix} 若“{group['observed_value']}”是新代码，请通知市教委加入代码集或映射。"
    return fix


def grade_remedy(row: Row) -> str | None:
    """What to do about a grade below A: the entity and the dimension that decide, and what mends that dimension."""
    if row["grade"] in (None, "A") or not row["weakest_dimension"]:
        return None
    subject = entity_label(row["weakest_entity"]) if row["weakest_entity"] else "全部实体"
    mend = labels.DIMENSION_REMEDIES.get(row["weakest_dimension"], "见评分卡")
    return f"{subject}：{mend}"
