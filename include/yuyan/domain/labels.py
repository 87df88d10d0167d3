"""Chinese names of the codes that pages and workbooks show."""

import csv
from functools import cache

from yuyan import settings

LEVELS = {0: "文件", 1: "字段", 2: "记录", 3: "跨实体", 4: "跨期间", 5: "跨来源"}
SEVERITIES = {"REJECT": "拒收（隔离）", "ERROR": "错误（隔离）", "WARN": "警告", "INFO": "提示"}
OVERRIDES = {"nobody": "不可豁免", "university": "报送单位", "commission": "市教委"}
LAPSES = {
    "expired": "到期",
    "exceeded": "不合格行超过放行数",
    "rule_changed": "规则换版",
    "fixed": "已无不合格行",
}
CAUSES = {
    "parent_missing": "上级记录未报",
    "parent_quarantined": "上级记录被隔离",
    "unknown_code": "同一个未知代码",
    "same_batch": "整批不合格",
    "systematic": "字段映射或系统性错误",
    "single": "逐条更正",
}
RESOLUTIONS = {
    "corrected": "来源已更正",
    "deleted": "来源已删除",
    "healed": "所查的其他记录变化后通过",
    "rule_changed": "规则变更后通过",
    "replaced": "新版本仍不合格",
}
VERDICTS = {
    "pass": "通过",
    "tolerated": "在容许范围内",
    "overridden": "已豁免",
    "fail": "不通过",
    "unverifiable": "无法判断",
}
OUTCOMES = {"success": "成功", "partial": "部分完成", "failed": "失败", "skipped": "跳过", "held": "暂缓"}
RUN_STATES = {"running": "运行中", "success": "成功", "partial": "部分完成", "failed": "失败"}
DRIFTS = {
    "unannounced": "约定中没有的字段，未接收",
    "missing_optional": "缺少选填字段",
    "missing_mandatory": "缺少必填字段",
}
CHECKS = {"none": "一致", "full_refresh": "不一致，已全量重采", "still_different": "重采后仍不一致"}
DIMENSION_REMEDIES = {
    "D01": "按时报送缺的实体；见“到数情况”。",
    "D02": "补填为空的必填字段；见“未接收的数据及原因”中的字段规则。",
    "D03": "更正未接收的记录；见“未接收的数据及原因”。",
    "D04": "补报或更正所引用的上级记录；见“未接收的数据及原因”中的上级记录各组。",
    "D05": "核对来源与仓库的行数；见“行数比对”。",
    "D06": "已公布的期间又有改动：说明原因，由市教委核准。",
    "D07": "豁免过多：到期前更正，或重新申请。",
    "D08": "更正或说明可信度警报；见“可信度警报”。",
    "D09": "补充佐证材料和核实记录。",
    "D10": "与外部统计核对口径，更正或说明差异。",
}
"""Dimension of the scorecard -> what mends it, as said on the page."""
CHANGES = {"new": "新增", "still": "仍在"}


@cache
def dimensions() -> dict[str, str]:
    """Dimension of the scorecard -> its code and name, from the seed plan/quality_dimension.csv."""
    with open(settings.SEEDS / "plan" / "quality_dimension.csv", encoding="utf-8", newline="") as file:
        return {
            row["dimension_code"]: f"{row['dimension_code']} {row['name_zh']}" for row in csv.DictReader(file)
        }
