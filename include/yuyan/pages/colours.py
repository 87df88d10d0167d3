"""The worked examples of docs/how-to-read-a-colour.zh-CN.md, found in the marts of a run.

    python -m yuyan.pages.colours

writes them from the warehouse of `YUYAN_WAREHOUSE_DSN` between the page's marks, with the day and the scale of the run.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from yuyan import settings

PAGE = settings.PROJECT / "docs" / "how-to-read-a-colour.zh-CN.md"
BEGIN, END = "<!-- 例子：由 `python -m yuyan.pages.colours` 写入 -->", "<!-- 例子完 -->"


class NoExampleError(LookupError):
    """The run has no case of this kind; the message says which and what to do."""


@dataclass(frozen=True)
class Example:
    """A query whose first row is the case, and what is said of it."""

    colour: str
    query: str
    text: str


_OFFICIAL = """
select *, to_char(100 * lcl95, 'FM990.0') as low, to_char(100 * ucl95, 'FM990.0') as high
from marts.target_scorecard
where unit_zh = '%' and path_value is not null and {condition}
order by indicator_code
"""
EXAMPLES = (
    Example(
        "红",
        _OFFICIAL.format(condition="status_code = 'RED' and judged_by_code = 'PATH' and ucl95 < path_value"),
        "{indicator_code} {name_zh} {value_display}，路径 {path_display}，“{status_zh}”。** 区间 {low}–{high} %，整个在路径"
        "以下，不是偶然。看各单位和各口径（`v_institution`、`indicator_value`）：缺在哪里。",
    ),
    Example(
        "黄",
        _OFFICIAL.format(condition="status_code = 'AMBER' and judged_by_code = 'INTERVAL'"),
        "{indicator_code} {name_zh} {value_display}，路径 {path_display}，“{status_zh}”。** 区间 {low}–{high} % 含路径，"
        "还不能断定偏离。不问责，下一期再看。",
    ),
    Example(
        "不着红",
        """
        select *, round(judged_numerator) as x, round(judged_denominator) as n,
            to_char(100 * judged_value, 'FM990.0') as judged, to_char(100 * judged_floor, 'FM990') as floor,
            to_char(probability_below, 'FM0.00') as p, to_char(100.0 / case_count, 'FM990.0') as step
        from marts.indicator_value
        where judged_by_code = 'RATE' and status_code = 'GREEN' and grain = 'institution' and is_official and is_complete
        order by value < target_value desc, case_count <= 30 desc, period_year desc, value, unit_code
        """,
        "{unit_name_zh} {indicator_code}（{period_code}）{value_display}，“{status_zh}”。** 这一年只有 {case_count:.0f} 篇，"
        "一篇之差就是 {step} 个百分点，所以不以单年的值判定：{pooled_years} 年 {n:.0f} 篇中 {x:.0f} 篇合格，收缩后的"
        "估计 {judged} %（`judged_value`），低于底线 {floor} % 的概率 {p}。"
        "不是“正常”二字，也不是偏离；有问题的论文仍按规定处理。",
    ),
    Example(
        "红",
        """
        select * from marts.v_list_item
        where deadline_reason_code = 'NO-REPORT' and deadline_status_code = 'RED'
        order by list_item_code
        """,
        "清单 {list_item_code} {list_item_zh}，期限 {deadline_on}，“{deadline_status_zh}”，逾期 {days_late} 天。** "
        "沉默不是未知。先催报；若已完成，补报里程碑和佐证，核实后转绿，逾期天数照留。",
    ),
)


def examples(connection: psycopg.Connection) -> str:
    """The four cases as a numbered list, and the day and scale they are of. Raises NoExampleError."""
    cursor = connection.cursor(row_factory=dict_row)
    of_run = cursor.execute("select as_of, city_scale from marts.target_scorecard limit 1").fetchone()
    lines = [f"统计日期 {of_run['as_of']}，规模 {of_run['city_scale']:.4g}。", ""]
    for number, example in enumerate(EXAMPLES, start=1):
        found: dict[str, Any] | None = cursor.execute(example.query).fetchone()
        if found is None:
            raise NoExampleError(
                f"例子 {number}（{example.colour}）：这次运行没有这样的情形；换一个规模，或修改 pages/colours.py 的查询"
            )
        lines.append(f"{number}. **{example.colour}：{example.text.format(**found)}")
    return "\n".join(lines)


def page(connection: psycopg.Connection, path: Path = PAGE) -> str:
    """The page with the cases of this run."""
    before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    return f"{before}{BEGIN}\n\n{examples(connection)}\n\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    with psycopg.connect(settings.warehouse_dsn("decide")) as connection:
        PAGE.write_text(page(connection), encoding="utf-8")
