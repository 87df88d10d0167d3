"""What a run has to say: indicators, data quality, reconciliation, elapsed time. Read from the warehouse only."""

from typing import Any

import psycopg
from psycopg.rows import dict_row
from rich.console import Console
from rich.table import Table
from rich.text import Text

from yuyan import settings
from yuyan.commands.console import OperatorError
from yuyan.domain import institutions, labels

STAGES = {
    "database": "启动数据库",
    "city": "模拟平台",
    "services": "启动服务",
    "collect": "采集",
    "validate": "校验",
    "reconcile": "对账",
    "docs": "质量文档",
    "star": "星型模型",
    "indicators": "指标",
    "estimate": "估计",
    "assess": "评估",
    "warn": "预警",
    "changes": "变化",
    "marts": "集市",
    "disclosure": "披露控制",
    "feedback": "反馈",
    "line": "合计",
}
"""Steps of a run as a reader sees them, in order."""
_COLOURS = {"BLUE": "blue", "GREEN": "green", "AMBER": "yellow", "RED": "red", "GREY": "bright_black"}
_OUTCOME_COLOURS = {"success": "green", "failed": "red"}

_SIGNS = {">=": "≥ ", ">": "> ", "trend": "逐年提高"}

_SCORECARD = """
select indicator_code, name_zh, period_code, is_complete, numerator, denominator, value, unit_zh, display_scale,
       target_op, plan_target_value, target_value, target_is_proposed, path_value, status_code,
       status_reason_code, status_zh, judged_by_code,
       judged_by_zh, running_period_code, running_value, running_path_value, as_of
from marts.target_scorecard
order by indicator_code
"""

_QUALITY = """
with received as (
    select distinct on (batch_id) src_inst_code, received, accepted, quarantined, unchanged, superseded
    from ops.reconciliation order by batch_id, run_id desc
),
rows_of as (
    select src_inst_code, sum(received) as received, sum(accepted) as accepted, sum(quarantined) as quarantined,
           sum(unchanged) as unchanged, sum(superseded) as superseded
    from received group by src_inst_code
),
passed_over as (
    select src_inst_code, sum(rows_repeated)::bigint as repeated, sum(rows_superseded - rows_repeated)::bigint as older
    from ops.batch group by src_inst_code
),
waiting as (
    select src_inst_code, count(*) as open_rows from quality.quarantine where state = 'open' group by src_inst_code
),
worst as (
    select distinct on (q.src_inst_code) q.src_inst_code, r.rule_id, r.message, count(*) as failing
    from quality.quarantine q cross join unnest(q.rule_ids) as u (rule_id)
    inner join quality.rule r on r.rule_id = u.rule_id and r.is_current
    where q.state = 'open'
    group by q.src_inst_code, r.rule_id, r.message
    order by q.src_inst_code, count(*) desc, r.rule_id
),
last_collection as (
    select distinct on (c.src_inst_code) c.src_inst_code, c.outcome, c.error, r.as_of
    from ops.collection_result c inner join ops.run r on r.run_id = c.run_id
    where c.entity = '' order by c.src_inst_code, r.started_at desc
)
select l.src_inst_code as inst_code, i.inst_name as name_zh, l.outcome, l.error, l.as_of,
       coalesce(s.received, 0) as received, coalesce(s.accepted, 0) as accepted, coalesce(s.quarantined, 0) as quarantined,
       coalesce(s.unchanged, 0) as unchanged, coalesce(s.superseded, 0) as superseded,
       coalesce(p.repeated, 0) as repeated, coalesce(p.older, 0) as older,
       coalesce(w.open_rows, 0) as open_rows, t.rule_id as worst_rule, t.message as worst_message, t.failing as worst_rows
from last_collection l
left join accepted.institution i on i.inst_code = l.src_inst_code
left join rows_of s on s.src_inst_code = l.src_inst_code
left join passed_over p on p.src_inst_code = l.src_inst_code
left join waiting w on w.src_inst_code = l.src_inst_code
left join worst t on t.src_inst_code = l.src_inst_code
order by l.src_inst_code
"""

_RULES = """
select q.rule_id, r.entity, r.level, r.severity, q.eligible, q.failed, q.new, q.unverifiable, r.message, r.fix
from quality.current_result q inner join quality.rule r on r.rule_id = q.rule_id and r.version = q.rule_version
where q.src_inst_code = %(inst)s and q.failed > 0
order by q.failed desc, q.rule_id
"""

_BALANCE = """
select count(*) as batches, coalesce(sum(received), 0) as received, coalesce(sum(accepted), 0) as accepted,
       coalesce(sum(quarantined), 0) as quarantined, coalesce(sum(unchanged), 0) as unchanged,
       coalesce(sum(superseded), 0) as superseded, count(*) filter (where not is_balanced) as unbalanced
from ops.reconciliation where run_id = %(run_id)s
"""


_KEYS = """
select coalesce(sum(listed), 0) as listed, coalesce(sum(accepted), 0) as accepted,
       coalesce(sum(quarantined), 0) as quarantined, coalesce(sum(deleted), 0) as deleted,
       coalesce(sum(waiting), 0) as waiting, coalesce(sum(unread_batches), 0) as unread_batches,
       count(*) filter (where not is_balanced) as unbalanced
from ops.key_reconciliation where run_id = %(run_id)s
"""


FIGURES = ("received", "accepted", "quarantined", "repeated", "older", "open_rows")
"""Columns of figures of the table of quality; rows that were not taken stand by reason."""


class NothingYet(OperatorError):
    """The warehouse does not hold what was asked for, since no run has finished."""


def indicators(dsn: str) -> list[dict[str, Any]]:
    """The city's official indicators, one dictionary per indicator code. Raises NothingYet."""
    return rows(dsn, _SCORECARD)


def quality(dsn: str) -> list[dict[str, Any]]:
    """One dictionary per institution: last outcome, rows over all batches, rows waiting in quarantine, commonest rule."""
    found = rows(dsn, _QUALITY)
    on_file = institutions.load()
    for row in found:  # the commission's record of a new institution may not be there yet
        known = on_file.get(row["inst_code"])
        row["name_zh"] = row["name_zh"] or (known.name if known else None)
    return found


def failed_rules(dsn: str, inst_code: str) -> list[dict[str, Any]]:
    """The rules that records of an institution break, the most frequent first; `new` since the judgement before."""
    return rows(dsn, _RULES, inst=inst_code)


def balance(dsn: str, run_id: str) -> dict[str, Any]:
    """Reconciliation totals of a warehouse run, by rows, and under `keys` by the records of complete listings."""
    return rows(dsn, _BALANCE, run_id=run_id)[0] | {"keys": rows(dsn, _KEYS, run_id=run_id)[0]}


def last_runs(dsn: str) -> list[dict[str, Any]]:
    """The newest run of each kind."""
    return rows(
        dsn,
        "select distinct on (kind) kind, run_id, as_of, state, started_at, ended_at from ops.run "
        "order by kind, started_at desc",
    )


def passed_over(dsn: str) -> list[dict[str, Any]]:
    """Rows that the newest collection did not take because they were older than what is held, by institution and entity:
    of a sound source there are few."""
    return rows(
        dsn,
        "select src_inst_code, entity, sum(rows_superseded - rows_repeated)::bigint as older, "
        "sum(rows_repeated)::bigint as repeated from ops.batch where run_id = (select run_id from ops.run "
        "where kind in ('collect', 'replay') order by started_at desc limit 1) group by src_inst_code, entity "
        "having sum(rows_superseded - rows_repeated) > 0 order by older desc, src_inst_code, entity",
    )


def ended(dsn: str, runs: dict[str, str], failures: list[str], seconds: dict[str, float]) -> dict[str, Any]:
    """How a followed chain of runs ended: state (success, partial, failed), runs by DAG, failures (a task and its log each)
    and their explanations, what is unfinished, the balance (None where the line failed), seconds per stage.
    """
    left = [] if failures else unfinished(dsn, runs)
    return {
        "state": "failed" if failures else "partial" if left else "success",
        "runs": runs,
        "failures": failures,
        "explanations": explanations(dsn, runs) if failures else [],
        "unfinished": left,
        "balance": None if failures else balance(dsn, runs["warehouse"]),
        "seconds": {name: round(value, 1) for name, value in seconds.items()},
    }


def unfinished(dsn: str, runs: dict[str, str]) -> list[str]:
    """What of these runs' collections failed, is held or could not be read: a line each, with its remedy."""
    return [
        row["line"]
        for row in rows(
            dsn,
            "select src_inst_code || coalesce(' ' || nullif(entity, ''), '') || '：' || coalesce(error, '') as line "
            "from ops.collection_result c where run_id = any(%(ids)s) and (outcome in ('failed', 'held') "
            "or outcome = 'partial' and not exists (select 1 from ops.collection_result e where e.run_id = c.run_id "
            "and e.src_inst_code = c.src_inst_code and e.outcome in ('failed', 'held'))) order by 1",
            ids=list(runs.values()),
        )
    ]


def explanations(dsn: str, runs: dict[str, str]) -> list[str]:
    """What the control tables say about failed runs: institutions, batches that do not balance, dbt nodes."""
    ids = list(runs.values())
    queries = (
        "select '不平衡批次 ' || batch_id || '（' || src_inst_code || ' ' || entity || '）' as line from ops.reconciliation "
        "where run_id = any(%(ids)s) and not is_balanced order by 1",
        "select '完整清单列出而下落不明 ' || src_inst_code || ' ' || entity || '：' || array_to_string(lost_records, '、') "
        "as line from ops.key_reconciliation where run_id = any(%(ids)s) and not is_balanced order by 1",
        "select node_id || '：' || coalesce(message, status) as line from ops.model_result "
        "where run_id = any(%(ids)s) and status in ('error', 'fail', 'runtime error') order by 1",
    )
    return [*unfinished(dsn, runs), *(row["line"] for query in queries for row in rows(dsn, query, ids=ids))]


def print_indicators(console: Console, rows: list[dict[str, Any]]) -> None:
    """The scorecard as a table, marked as simulated."""
    table = Table(
        title=f"全市主要指标  {rows[0]['as_of'] if rows else ''}  [bold magenta]{settings.warehouse_mark()}[/]",
        title_justify="left",
    )
    for name in ("代码", "指标", "期间"):
        table.add_column(name)
    for name in ("数值", "目标", "路径"):
        table.add_column(name, justify="right")
    table.add_column("状态（怎样判定）")
    table.add_column("正在进行（未完，不判定）")
    for row in rows:
        status = Text(row["status_zh"] or row["status_code"], style=_COLOURS.get(row["status_code"], ""))
        target = _figure(row, row["target_value"]) if row["target_value"] is not None else ""
        if row["plan_target_value"] != row["target_value"]:
            target += f"（方案 {_figure(row, row['plan_target_value'])}）"
        if row["target_is_proposed"]:
            target += "（建议值）"
        sign = _SIGNS.get(row["target_op"], "")
        table.add_row(
            row["indicator_code"], row["name_zh"], row["period_code"] + ("" if row["is_complete"] else "（未完）"),
            _figure(row, row["value"]), f"{sign}{target}", _figure(row, row["path_value"]), status, _running(row),
        )  # fmt: skip
    console.print(table)


def print_quality(console: Console, rows: list[dict[str, Any]]) -> None:
    """One line per institution."""
    table = Table(title=f"各单位数据质量  [bold magenta]{settings.warehouse_mark()}[/]", title_justify="left")
    table.add_column("单位")
    table.add_column("采集")
    for name in ("累计收到", "接收", "隔离", "重复", "更旧", "待处理"):
        table.add_column(name, justify="right")
    table.add_column("最常见的问题", overflow="fold")
    for row in rows:
        colour = _OUTCOME_COLOURS.get(row["outcome"], "yellow")
        outcome = f"[{colour}]{labels.OUTCOMES[row['outcome']]}[/]"
        problem = (
            f"{row['worst_rule']} × {row['worst_rows']}：{row['worst_message']}" if row["worst_rule"] else ""
        )
        if row["outcome"] in ("failed", "partial"):
            problem = f"[{colour}]{row['error']}[/]  {problem}"
        table.add_row(
            f"{row['inst_code']} {row['name_zh'] or ''}", outcome,
            *(f"{row[name]:,}" for name in FIGURES), problem,
        )  # fmt: skip
    console.print(table)


def print_rules(console: Console, inst_code: str, rows: list[dict[str, Any]]) -> None:
    """The rules that an institution's records break, with what to do."""
    table = Table(title=f"{inst_code}  [bold magenta]{settings.warehouse_mark()}[/]", title_justify="left")
    for name in ("规则", "级别", "适用", "不合格", "其中新增", "无法判断", "问题", "如何改"):
        table.add_column(name, overflow="fold")
    for row in rows:
        counts = (f"{row[name]:,}" for name in ("eligible", "failed", "new", "unverifiable"))
        table.add_row(
            row["rule_id"], f"{row['level']} {row['severity']}", *counts, row["message"], row["fix"]
        )
    console.print(table)


def print_balance(console: Console, row: dict[str, Any]) -> None:
    """The reconciliation equations of a run, a line each: by rows, and by records where something was listed completely."""
    sign = "=" if row["unbalanced"] == 0 else "≠"
    verdict = "[green]平衡[/]" if row["unbalanced"] == 0 else f"[red]{row['unbalanced']} 个批次不平衡[/]"
    console.print(
        f"对账：本次涉及 {row['batches']} 个批次，收到 {row['received']:,} {sign} 接收 {row['accepted']:,} "
        f"+ 隔离 {row['quarantined']:,} + 未变 {row['unchanged']:,} + 被取代 {row['superseded']:,}  {verdict}",
        highlight=False,
    )
    keys = row["keys"]
    if not keys["listed"] and not keys["unread_batches"]:
        return
    sign = "=" if keys["unbalanced"] == 0 else "≠"
    verdict = (
        "[green]平衡[/]" if keys["unbalanced"] == 0 else f"[red]{keys['unbalanced']} 处有记录下落不明[/]"
    )
    unread = f"（另有 {keys['unread_batches']} 个批次的落地文件无法读取）" if keys["unread_batches"] else ""
    console.print(
        f"按键对账：完整清单列出 {keys['listed']:,} 条记录 {sign} 接收 {keys['accepted']:,} + 隔离 {keys['quarantined']:,} "
        f"+ 其后删除 {keys['deleted']:,} + 待判 {keys['waiting']:,}  {verdict}{unread}",
        highlight=False,
    )


def print_elapsed(console: Console, seconds: dict[str, float]) -> None:
    """Seconds per stage in one line."""
    parts = [f"{STAGES.get(name, name)} {value:.1f}" for name, value in seconds.items()]
    console.print(f"用时（秒）：{' · '.join(parts)}", highlight=False)


def _running(row: dict[str, Any]) -> str:
    """The year that is running: what is known so far, and its path at the end."""
    if row["running_period_code"] is None:
        return ""
    path = (
        "" if row["running_path_value"] is None else f"，期末路径 {_figure(row, row['running_path_value'])}"
    )
    return f"{row['running_period_code']}：{_figure(row, row['running_value'])}{path}"


def _figure(row: dict[str, Any], value: Any) -> str:
    if value is None:
        return "—"
    scaled = float(value) * float(row["display_scale"] or 1)
    decimals = 0 if scaled == int(scaled) and abs(scaled) >= 10 else 2
    return f"{scaled:,.{decimals}f} {row['unit_zh'] or ''}".strip()


def rows(dsn: str, query: str, **values: Any) -> list[dict[str, Any]]:
    try:
        with psycopg.connect(dsn, row_factory=dict_row) as connection:
            return connection.execute(query, values).fetchall()
    except psycopg.errors.UndefinedTable as error:
        raise NothingYet(
            f"the warehouse has no such table yet ({error.diag.message_primary}); run `yuyan run`"
        ) from error
