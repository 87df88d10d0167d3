"""All rows of one institution as CSV, written by the database, where a cause or a rule has more than the workbook lists.

A text that a spreadsheet program would take for a formula gets an apostrophe before it; a number keeps its sign.
"""

from pathlib import Path
from typing import Any

import psycopg

from yuyan.domain import contracts, labels
from yuyan.pages import facts, render
from yuyan.pages.facts import Facts
from yuyan.pages.rules import field_label
from yuyan.pages.wording import entity_label

STANDING, RESOLVED = "rows", "resolved"
"""Name of a file after the institution's code: `10611-rows.csv`, `10611-resolved.csv`."""

WHERE = {
    STANDING: "f.resolved_run_id is null",
    RESOLVED: "f.resolved_run_id = %(run)s and f.resolution <> 'replaced'",
}
STATE = {
    STANDING: """
    case when f.severity in ('REJECT', 'ERROR') and o.state is distinct from 'active' then '未接收'
        when bool_or(f.severity in ('REJECT', 'ERROR') and o.state is distinct from 'active')
            over (partition by f.entity, f.src_record_id) then '未接收（另有规则）'
        when o.state = 'active' then '已豁免' else '仅提醒' end as "是否接收",
    case when f.since_run_id = %(run)s then '新增' else '仍在' end as "变化",""",
    RESOLVED: """
    coalesce(resolution.label, f.resolution) as "如何了结",""",
}
QUERY = """
select {state}
    coalesce(entity.label, f.entity) as "实体", {record_id} as "来源记录编号", {record_key} as "业务主键",
    case when b.mode = 'replace' then {delivery} end as "交付文件",
    f.batch_id as "批次", f.row_no as "行号", coalesce(field.label, f.column_name) as "字段",
    case when f.observed_value is null then '（空）' when field.is_hidden and f.observed_value <> '' then %(hidden)s
        else {observed} end as "观察值", {compared} as "对照",
    f.rule_id as "规则", coalesce(severity.label, f.severity) as "严重程度", f.cause_id as "根因编号"
from quality.row_failure as f
left join quality.override as o on o.override_id = f.override_id
left join ops.batch as b on b.batch_id = f.batch_id
left join unnest(%(entities)s::text[], %(entity_labels)s::text[]) as entity (code, label) on entity.code = f.entity
left join unnest(%(severities)s::text[], %(severity_labels)s::text[]) as severity (code, label)
    on severity.code = f.severity
left join unnest(%(resolutions)s::text[], %(resolution_labels)s::text[]) as resolution (code, label)
    on resolution.code = f.resolution
left join unnest(%(owners)s::text[], %(columns)s::text[], %(column_labels)s::text[], %(hides)s::boolean[])
    as field (entity, code, label, is_hidden) on field.entity = f.entity and field.code = f.column_name
where f.src_inst_code = %(inst)s and {where}
order by f.failure_id
"""


def file_name(inst_code: str, name: str) -> str:
    """The file of an institution, beside its page."""
    return f"{inst_code}-{name}.csv"


def write(connection: psycopg.Connection, folder: Path, read: Facts) -> set[str]:
    """Write the files that are needed, remove those that no longer are; returns which there are (STANDING, RESOLVED)."""
    longest = {
        STANDING: max((group["failures"] for group in read.groups), default=0),
        RESOLVED: max((row["failures"] for row in read.tables["resolutions"]), default=0),
    }
    needed = {name for name, rows in longest.items() if rows > facts.LISTED}
    for name in longest:
        path = folder / file_name(read.inst_code, name)
        if name in needed:
            with render.replacing(path) as temporary:
                _copy(connection, temporary, name, read)
        else:
            path.unlink(missing_ok=True)
    return needed


def _copy(connection: psycopg.Connection, path: Path, name: str, read: Facts) -> None:
    texts = {
        part: _inert(f"f.{column}")
        for part, column in (
            ("record_id", "src_record_id"),
            ("record_key", "record_key"),
            ("observed", "observed_value"),
            ("compared", "compared_with"),
        )
    }
    query = QUERY.format(state=STATE[name], where=WHERE[name], delivery=facts.DELIVERY, **texts)
    with connection.cursor() as cursor, path.open("wb") as file:
        columns = cursor.execute(
            "select distinct f.entity, f.column_name from quality.row_failure as f "
            f"where f.src_inst_code = %(inst)s and {WHERE[name]} and f.column_name is not null",
            {"inst": read.inst_code, "run": read.run_id},
        ).fetchall()
        file.write("\ufeff".encode())  # by which spreadsheet programs know UTF-8
        with cursor.copy(f"copy ({query}) to stdout (format csv, header)", _values(read, columns)) as copy:
            for block in copy:
                file.write(block)


def _inert(column: str) -> str:
    """SQL of a text that no spreadsheet program takes for a formula."""
    looks_so = rf"{column} ~ '^[=+@\t\r-]' and {column} !~ '^-?[0-9.]+$'"
    return f"case when {looks_so} then '''' || {column} else {column} end"


def _values(read: Facts, columns: list[tuple[str, str]]) -> dict[str, Any]:
    known = contracts.load()
    return {
        "inst": read.inst_code,
        "run": read.run_id,
        "hidden": facts.HIDDEN,
        "entities": list(known),
        "entity_labels": [entity_label(entity) for entity in known],
        "severities": list(labels.SEVERITIES),
        "severity_labels": list(labels.SEVERITIES.values()),
        "resolutions": list(labels.RESOLUTIONS),
        "resolution_labels": list(labels.RESOLUTIONS.values()),
        "owners": [entity for entity, _ in columns],
        "columns": [column for _, column in columns],
        "column_labels": [field_label(entity, column) for entity, column in columns],
        "hides": [facts.is_hidden(entity, column) for entity, column in columns],
    }
