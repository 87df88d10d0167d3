"""The tables of feedback: their columns, the same on the page and in the workbook."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from yuyan.decisions import holds, overrides, problems
from yuyan.domain import labels
from yuyan.pages.facts import Row
from yuyan.pages.rules import field_label, tolerance
from yuyan.pages.wording import entity_label, grade_remedy, headline, owner_of, remedy

SHORT = 14
"""Width up to which a text is not broken."""
LONGEST = 80
"""Characters of a text that the page shows of one cell; the workbook has all of it."""


@dataclass(frozen=True)
class Column:
    """A column: heading, width in characters, kind (text, int, number, share, date, time), value of a row."""

    head: str
    width: int
    kind: str
    get: Any

    def value(self, row: Row) -> Any:
        """The value in this column; None where there is none."""
        return self.get(row) if callable(self.get) else row[self.get]

    @property
    def is_number(self) -> bool:
        return self.kind in ("int", "number", "share")


def _text(head: str, width: int, get: Any) -> Column:
    return Column(head, width, "text", get)


def _int(head: str, get: Any) -> Column:
    return Column(head, 10, "int", get)


def _coded(head: str, width: int, key: str, names: dict[str, str]) -> Column:
    return _text(head, width, lambda row: names.get(row[key], row[key]))


def received(row: Row) -> str:
    """What became of the record of a failing row."""
    if row["is_refused"]:
        return "未接收"
    if row["is_kept_out"]:
        return "未接收（另有规则）"
    return "已豁免" if row["is_overridden"] else "仅提醒"


ENTITY = _text("实体", 24, lambda row: entity_label(row["entity"]))
RULE = _text("规则", 36, "rule_id")
MESSAGE = _text("问题", 36, "message")
RECORD = (
    _text("来源记录编号", 24, "src_record_id"),
    _text("业务主键", 24, "record_key"),
    _text("交付文件", 24, lambda row: row.get("delivery")),
    _text("批次", 32, "batch_id"),
    _int("行号", "row_no"),
    _text("字段", 18, lambda row: field_label(row["entity"], row["column_name"])),
    _text("观察值", 24, lambda row: "（空）" if row["observed_value"] is None else row["observed_value"]),
    _text("对照", 36, "compared_with"),
)
SEVERITY = _coded("严重程度", 14, "severity", labels.SEVERITIES)

SHEETS: dict[str, tuple[Column, ...]] = {
    "到数情况": (
        ENTITY,
        Column("最近采集", 12, "date", "as_of"),
        _coded("结果", 8, "outcome", labels.OUTCOMES),
        _int("本次收到", "rows_received"),
        _int("本次新版本", "rows_stored"),
        Column("最近到数", 14, "date", "last_batch_on"),
        Column("装载时间", 18, "time", "last_batch_at"),
        _int("累计收到", "received_ever"),
        _int("现已接收", "accepted"),
        _int("未接收", "waiting"),
        _text("失败原因", 50, "error"),
    ),
    "字段不一致": (
        ENTITY,
        _text("字段", 24, "field"),
        _coded("情况", 28, "kind", labels.DRIFTS),
        _int("行数", "rows"),
    ),
    "未采用": (
        ENTITY,
        _int("本次收到", "received"),
        _int("同一窗口重复", "repeated"),
        _int("版本更旧", "older"),
    ),
    "归一化": (
        ENTITY,
        _text("字段", 24, "field"),
        _int("行数", "rows"),
    ),
    "行数比对": (
        ENTITY,
        _int("来源", "source_count"),
        _int("仓库", "warehouse_count"),
        _coded("处理", 20, "action", labels.CHECKS),
        Column("统计日期", 12, "date", "as_of"),
    ),
    "根因": (
        _text("根因编号", 18, "group_id"),
        _coded("类别", 16, "kind", labels.CAUSES),
        _text("问题", 36, headline),
        _int("影响记录", "records"),
        _int("其中未接收", "refused"),
        _int("新增", "new"),
        _text("实体", 20, lambda row: "、".join(entity_label(e) for e in row["entities"])),
        _text("规则", 34, lambda row: "\n".join(row["rule_ids"])),
        _text("为什么", 40, "why"),
        _text("怎么改", 50, remedy),
        _text("由谁处理", 16, owner_of),
    ),
    "影响其他单位": (
        _text("须先处理", 40, lambda row: f"{entity_label(row['cause_entity'])} {row['cause_key'] or ''}"),
        _text("说明", 50, "message"),
        _int("影响行数", "failures"),
        _text("影响单位", 30, lambda row: "、".join(row["institutions"])),
    ),
    "逐行问题": (
        _text("是否接收", 12, lambda row: received(row)),
        _coded("变化", 8, "change", labels.CHANGES),
        ENTITY,
        *RECORD,
        MESSAGE,
        _text("怎么改", 44, "fix"),
        RULE,
        SEVERITY,
        _text("根因编号", 18, "group_id"),
        _text("起于运行", 28, "since_run_id"),
    ),
    "变化": (ENTITY, _int("新增", "new"), _int("仍在", "still"), _int("了结", "resolved")),
    "了结": (RULE, MESSAGE, _coded("如何了结", 24, "resolution", labels.RESOLUTIONS), _int("行数", "failures")),
    "已了结": (
        _coded("如何了结", 22, "resolution", labels.RESOLUTIONS),
        ENTITY,
        *RECORD,
        MESSAGE,
        RULE,
        SEVERITY,
        _text("起于运行", 28, "since_run_id"),
    ),
    "问题": (
        _int("问题编号", "problem_id"),
        _coded("状态", 12, "state", problems.PROBLEMS.cycle.states),
        SEVERITY,
        ENTITY,
        RULE,
        MESSAGE,
        _int("不合格", "failed"),
        _int("根因", "causes"),
        Column("立于", 12, "date", "opened_on"),
        Column("承诺修复日期", 14, "date", "promised_for"),
        _coded("谁可批准豁免", 14, "override_by", labels.OVERRIDES),
        _text("怎么改", 50, "fix"),
    ),
    "问题经过": (
        _int("问题编号", "problem_id"),
        RULE,
        Column("日期", 12, "date", "as_of"),
        _text("经办", 16, "actor"),
        _coded("动作", 14, "action", problems.PROBLEMS.cycle.step_labels),
        _coded("原状态", 14, "from_state", problems.PROBLEMS.cycle.states),
        _coded("新状态", 14, "to_state", problems.PROBLEMS.cycle.states),
        _text("理由", 60, "reason"),
        _int("豁免编号", "override_id"),
    ),
    "豁免": (
        _int("豁免编号", "override_id"),
        _int("问题编号", "problem_id"),
        RULE,
        _coded("状态", 10, "state", overrides.OVERRIDES.cycle.states),
        _int("放行行数", "granted_rows"),
        _text("理由", 50, "justification"),
        _text("申请人", 14, "requested_by"),
        Column("申请日期", 12, "date", "requested_on"),
        Column("到期日", 12, "date", "expires_on"),
        _text("审批人", 14, "decided_by"),
        Column("审批日期", 12, "date", "decided_on"),
        _text("审批意见", 40, "decision_reason"),
        _coded("失效原因", 20, "lapse_reason", labels.LAPSES),
    ),
    "暂缓": (
        _int("暂缓编号", "hold_id"),
        ENTITY,
        _coded("情形", 16, "kind", holds.KINDS),
        _coded("状态", 22, "state", holds.HOLDS.cycle.states),
        Column("统计日期", 12, "date", "as_of"),
        _int("现有记录", "live_rows"),
        _int("受影响记录", "affected_rows"),
        _int("批次数", "batches"),
        _text("决定人", 14, "decided_by"),
        Column("决定日期", 12, "date", "decided_on"),
        _text("理由", 50, "reason"),
    ),
    "评分卡": (
        _text("维度", 20, lambda row: labels.dimensions().get(row["dimension"], row["dimension"])),
        _text("实体", 18, lambda row: entity_label(row["entity"]) if row["entity"] else "全部"),
        _text("月份", 10, "period"),
        _text("等级", 8, "grade"),
        Column("数值", 12, "number", "value"),
        Column("目标", 12, "number", "target"),
        Column("分子", 14, "number", "numerator"),
        Column("分母", 14, "number", "denominator"),
    ),
    "指标可信等级": (
        _text("口径", 12, "variant_code"),
        _text("等级", 8, "grade"),
        _text("最弱的实体", 18, lambda row: entity_label(row["weakest_entity"]) if row["weakest_entity"] else None),
        _text("最弱的维度", 18, lambda row: labels.dimensions().get(row["weakest_dimension"], row["weakest_dimension"])),
        _text("怎么办", 50, grade_remedy),
    ),
    "可信度警报": (
        RULE,
        _text("口径", 12, "variant_code"),
        _text("类别", 16, "category"),
        _text("期间", 12, "period_code"),
        Column("观察值", 14, "number", "observed"),
        Column("预期值", 14, "number", "expected"),
        Column("警戒线", 14, "number", "threshold"),
        _text("说明", 60, "explanation"),
    ),
    "规则结果": (
        RULE,
        ENTITY,
        SEVERITY,
        MESSAGE,
        _coded("结论", 14, "verdict", labels.VERDICTS),
        _int("适用", "eligible"),
        _int("不合格", "failed"),
        Column("不合格率", 10, "share", "rate"),
        _int("无法判断", "unverifiable"),
        _text("容许", 16, lambda row: tolerance(row["tolerance_rows"], row["tolerance_pct"])),
        _int("已豁免", "overridden"),
        _int("新增", "new"),
        _int("仍在", "still"),
        _int("了结", "resolved"),
        Column("统计日期", 12, "date", "as_of"),
    ),
}  # fmt: skip
"""Tables in the workbook's order."""


@dataclass(frozen=True)
class View:
    """Columns of a table as the page shows them: headings, cells as text, style classes of the columns."""

    head: list[str]
    rows: list[list[str]]
    classes: list[str]


def view(table: str, rows: Iterable[Row], *heads: str) -> View:
    """The named columns of a table (default: all). Raises KeyError for a heading the table does not have."""
    named = {column.head: column for column in SHEETS[table]}
    columns = [named[head] for head in heads or named]
    return View(
        [c.head for c in columns],
        [[_shown(c, c.value(row)) for c in columns] for row in rows],
        ["n" if c.is_number else "d" if c.kind != "text" or c.width <= SHORT else "" for c in columns],
    )


def figure(value: float) -> str:
    """A number with as many digits as it takes not to look whole when it is not: 0.99997 is never 1."""
    for digits in (4, 6, 8, 12):
        text = f"{value:,.{digits}f}"
        if float(text.replace(",", "")) != round(value) or value == round(value):
            break
    return text.rstrip("0").rstrip(".")


def _shown(column: Column, value: Any) -> str:
    if value is None or value == "":
        return "—"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, date):
        return value.isoformat()
    if column.kind == "share":
        return f"{float(value):.2%}"
    if column.is_number:
        return figure(float(value))
    text = str(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
