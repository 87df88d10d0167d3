"""The workbook of an allocation run. Formulas stand where the arithmetic is ours and can be followed in the sheet: sums of
parts, grants from steps, points from scores. All text is written as text.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time
from pathlib import Path
from typing import Any

import xlsxwriter
from xlsxwriter.utility import xl_col_to_name

from yuyan.pages.workbook import FORMATS

Row = dict[str, Any]

MORE = {
    "yuan": {"num_format": "#,##0.00", "valign": "top"},
    "total": {"num_format": "#,##0.00", "bold": True, "top": 1},
    "label": {"bold": True, "top": 1},
}
FIRST = 2
"""Index of the first row of figures: a title and the headings are above."""


@dataclass(frozen=True)
class Column:
    """A column: heading, width, kind (a format), key of the row; `formula` names other columns as {key}; `total` sums it."""

    head: str
    width: int
    kind: str
    key: str
    formula: str | None = None
    total: bool = False


def _text(head: str, key: str, width: int = 18) -> Column:
    return Column(head, width, "text", key)


def _yuan(head: str, key: str, formula: str | None = None, total: bool = True) -> Column:
    return Column(head, 18, "yuan", key, formula, total)


INSTITUTION = (_text("单位代码", "inst_code", 10), _text("单位", "inst_name", 24))
SHEETS: dict[str, tuple[str, tuple[Column, ...], Callable[[Row], bool] | None]] = {
    "拨款": ("result", (
        *INSTITUTION,
        Column("总分", 10, "number", "score"),
        Column("名次", 8, "int", "score_rank"),
        Column("规模（折算）", 14, "number", "size"),
        _yuan("上次拨款", "last_cny"),
        _yuan("基础部分", "base_cny"),
        _yuan("绩效部分", "performance_cny"),
        _yuan("限前", "unclamped_cny", "{base_cny}+{performance_cny}"),
        _yuan("下限", "lower_cny", total=False),
        _yuan("上限", "upper_cny", total=False),
        _yuan("限后", "clamped_cny"),
        _text("所在限", "bound_code", 10),
        _yuan("收到补偿", "received_cny"),
        _yuan("付出补偿", "paid_cny"),
        _yuan("取整前", "before_rounding", "{clamped_cny}+{received_cny}-{paid_cny}"),
        Column("拨款（整元）", 16, "int", "grant_cny", total=True),
        _yuan("比上次增减", "change_cny", '=IF(ISBLANK({last_cny}),"",{grant_cny}-{last_cny})'),
        Column("增减比例", 10, "share", "change_share", '=IF(ISBLANK({last_cny}),"",{grant_cny}/{last_cny}-1)'),
        _text("最有利的指标", "wrong_numbers", 50),
        _yuan("这些只有平均水平时", "wrong_numbers_cny", total=False),
    ), None),
    "得分": ("score", (
        *INSTITUTION,
        _text("方面", "pillar_code", 14),
        _text("指标", "component_code", 14),
        _text("名称", "component_zh", 40),
        _text("期间", "period_code", 12),
        _text("可信等级", "confidence_grade", 10),
        Column("公布值", 14, "number", "published_value"),
        _text("用法", "use_code", 12),
        Column("打分值", 14, "number", "used_value"),
        Column("得分", 10, "number", "score"),
        Column("方案权重", 10, "number", "weight"),
        Column("本单位权重", 12, "number", "own_weight"),
        Column("对总分的贡献", 14, "number", "points"),
        _yuan("多得10分增加", "yuan_per_ten_points", total=False),
    ), lambda row: row["component_kind"] == "indicator"),
    "谁付给谁": ("transfer", (
        _text("步骤", "step_code", 18), _text("付出单位", "payer_code", 10), _text("名称", "payer_name", 24),
        _text("收到单位", "receiver_code", 10), _text("名称 ", "receiver_name", 24), _yuan("金额", "amount_cny"),
    ), None),
    "逐轮": ("clamp_round", (
        Column("轮", 6, "int", "round_no"), _text("单位代码", "inst_code", 10), Column("系数", 14, "number", "factor"),
        _yuan("金额", "amount_cny", total=False), _text("所在限", "bound_code", 10),
    ), None),
    "稳健性": ("robustness", (
        *INSTITUTION, Column("名次", 8, "int", "score_rank"), Column("名次中位数", 12, "number", "median_rank"),
        Column("名次5%", 10, "int", "rank_low"), Column("名次95%", 10, "int", "rank_high"),
        Column("总分5%", 10, "number", "score_low"), Column("总分95%", 10, "number", "score_high"),
        _yuan("拨款5%", "grant_low_cny", total=False), _yuan("拨款95%", "grant_high_cny", total=False),
        Column("并列单位数", 12, "int", "tied_count"), _text("并列单位", "tied_with", 60),
    ), None),
    "两两比较": ("pair", (
        _text("单位代码", "inst_code", 10), _text("另一单位", "other_code", 10),
        Column("名次在前的概率", 16, "number", "ahead_share"), _text("并列", "is_tied", 8),
    ), None),
    "敏感性": ("sensitivity", (
        _text("单位（ALL 全部）", "unit_code", 16), _text("假设", "assumption_code", 16),
        Column("一阶", 12, "number", "first_order"), Column("标准误", 12, "number", "first_order_error"),
        Column("总效应", 12, "number", "total"), Column("标准误 ", 12, "number", "total_error"),
    ), None),
    "权重审计": ("weight", (
        _text("指标", "component_code", 14), _text("名称", "component_zh", 40),
        Column("名义权重", 12, "number", "nominal_weight"), Column("有效权重", 12, "number", "effective_weight"),
        Column("去掉后名次变动", 16, "number", "rank_shift"), Column("熵权（参考）", 14, "number", "entropy_weight"),
    ), None),
    "单条记录": ("influence", (
        Column("序号", 8, "int", "record_no"), _text("单位代码", "inst_code", 10), _text("指标", "component_code", 14),
        _text("种类", "record_kind", 14), Column("同样的记录数", 14, "int", "record_count"),
        _yuan("拨款变动", "grant_change_cny", total=False), Column("变动比例", 10, "share", "grant_change_share"),
    ), None),
    "效率": ("efficiency", (
        *INSTITUTION, _text("比较范围", "group_zh", 24), Column("单位数", 8, "int", "group_count"),
        Column("效率", 10, "number", "score"), Column("校正后", 10, "number", "corrected"),
        Column("95%下限", 10, "number", "lcl95"), Column("95%上限", 10, "number", "ucl95"), _text("说明", "note_zh", 50),
    ), None),
}  # fmt: skip
"""Sheet -> table, columns, which rows."""


def write(path: Path, content: dict[str, Any], mark: str) -> None:
    """Write the workbook; the same content gives the same bytes."""
    run = content["run"]
    title = f"{run['title_zh']}  {run['allocation_id']}  {mark}".rstrip()
    content = content | {
        "result": [
            r | {"before_rounding": r["clamped_cny"] + r["received_cny"] - r["paid_cny"]}
            for r in content["result"]
        ]
    }
    with xlsxwriter.Workbook(path) as book:
        book.set_properties({"title": title, "created": datetime.combine(run["as_of"], time())})
        formats = {name: book.add_format(of) for name, of in (FORMATS | MORE).items()}
        _cover(book, formats, run, mark)
        for name, (table, columns, wanted) in SHEETS.items():
            _sheet(
                book,
                formats,
                name,
                title,
                columns,
                [r for r in content[table] if wanted is None or wanted(r)],
            )


def _cover(book: xlsxwriter.Workbook, formats: dict, run: Row, mark: str) -> None:
    sheet = book.add_worksheet("说明")
    sheet.set_column(0, 0, 20)
    sheet.set_column(1, 1, 100)
    sheet.write_string(0, 0, f"资源配置  {run['title_zh']}", formats["title"])
    lines = [
        ("运行", run["allocation_id"]),
        ("方案", f"{run['scheme']} 第 {run['scheme_version']} 版：{run['scheme_content']['note_zh']}"),
        ("统计日期", str(run["as_of"])),
        ("数据性质", mark or "报送数据"),
        ("预算（元）", f"{run['budget_cny']:,}"),
        ("签认", f"{run['actor']}：{run['reason']}"),
        ("方案摘要", run["scheme_digest"]),
        ("数据摘要", run["data_digest"]),
        ("结果摘要", run["result_digest"]),
        ("上次拨款", f"{run['scheme_content']['last_grants']} 年，来源见 include/schemes/last_grants.csv"),
        ("不参与", "；".join(f"{e['inst_name']}：{e['reason_zh']}" for e in run["excluded"]) or "无"),
        ("公式", "“拨款”中限前、取整前、增减和合计是公式，可在表内核对；其余为运行写定的数。"),
        ("名次", "名次范围重叠的单位视为并列，不宜分先后；见“稳健性”。"),
        ("效率", "只供诊断，不乘入拨款。"),
    ]
    for i, (name, text) in enumerate(lines, start=2):
        sheet.write_string(i, 0, name, formats["text"])
        sheet.write_string(i, 1, text, formats["text"])


def _sheet(
    book: xlsxwriter.Workbook,
    formats: dict,
    name: str,
    title: str,
    columns: tuple[Column, ...],
    rows: list[Row],
) -> None:
    sheet = book.add_worksheet(name)
    letters = {c.key: xl_col_to_name(i) for i, c in enumerate(columns)}
    sheet.write_string(0, 0, f"{name}  {title}", formats["title"])
    for i, column in enumerate(columns):
        sheet.set_column(i, i, column.width)
        sheet.write_string(FIRST - 1, i, column.head.strip(), formats["head"])
    for n, row in enumerate(rows, start=FIRST):
        here = {key: f"{letter}{n + 1}" for key, letter in letters.items()}
        for i, column in enumerate(columns):
            _cell(sheet, formats, n, i, column, row[column.key], here)
    last = FIRST + len(rows)
    if rows and any(c.total for c in columns):
        sheet.write_string(last, 0, "合计", formats["label"])
        for i, column in enumerate(columns):
            if column.total:
                letter = letters[column.key]
                whole = sum(row[column.key] or 0 for row in rows)
                sheet.write_formula(
                    last, i, f"=SUM({letter}{FIRST + 1}:{letter}{last})", formats["total"], whole
                )
    sheet.freeze_panes(FIRST, 2)
    sheet.autofilter(FIRST - 1, 0, max(last - 1, FIRST), len(columns) - 1)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0, FIRST - 1)


def _cell(
    sheet: Any, formats: dict, row: int, at: int, column: Column, value: Any, here: dict[str, str]
) -> None:
    of = formats[column.kind]
    if column.formula:
        formula = column.formula.format(**here)
        sheet.write_formula(
            row, at, formula if formula.startswith("=") else f"={formula}", of, "" if value is None else value
        )
    elif value is None:
        sheet.write_blank(row, at, None, of)
    elif column.kind == "text":
        sheet.write_string(row, at, "是" if value is True else "否" if value is False else str(value), of)
    else:
        sheet.write_number(row, at, float(value), of)
