"""Letters about an accountability case, drafted as DOCX and HTML from the figures that were decided on.

Both come from one content. A DOCX is a ZIP of XML parts (ECMA-376, Office Open XML), so the template engine of the pages
writes it too, and no library is needed for four parts. Who signs is left open: the draft has an empty line for it.
"""

import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import psycopg

from yuyan import settings
from yuyan.decisions import cases
from yuyan.decisions.cases import CASES, TARGETS
from yuyan.pages import render

KINDS = tuple(dict.fromkeys(step.letter for step in CASES.cycle.steps.values() if step.letter))
HEAD = ("规则", "分项", "年度", "数", "值（95%区间）", "概率", "q 值")
_PARTS = {
    "[Content_Types].xml": '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
    '<Override PartName="/word/document.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>',
    "_rels/.rels": '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="rId1" '
    'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" '
    'Target="word/document.xml"/></Relationships>',
}
_ZIP_DAY = (1980, 1, 1, 0, 0, 0)
"""The same letter is the same bytes."""


class NoLetter(ValueError):
    """A letter that cannot be drafted; the message (Chinese) says why."""


def write(connection: psycopg.Connection, case_id: int, kind: str, folder: Path) -> list[Path]:
    """Draft the letter of a case's last decision, or of the last one of this kind; returns the two paths.

    Raises NoLetter where nothing was decided that such a letter is about, DecisionError for an unknown case.

    >>> write(connection, 7, "整改通知书", settings.home() / "letters")
    """
    content = draft(connection, case_id, kind)
    name = f"{content['title']}-{case_id}-{content['record']['as_of']}"
    page, document = folder / f"{name}.html", folder / f"{name}.docx"
    render.write(page, render.page("case_letter", **content))
    text = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n' + render.page(
        "case_letter_docx", **content
    )
    with (
        render.replacing(document) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for part, body in {**_PARTS, "word/document.xml": text}.items():
            archive.writestr(zipfile.ZipInfo(part, _ZIP_DAY), body, zipfile.ZIP_DEFLATED)
    return [document, page]


def draft(connection: psycopg.Connection, case_id: int, kind: str = "") -> dict[str, Any]:
    """What a letter says: title, case, the record of the decision with its frozen figures, sentences."""
    case = CASES.get(connection, case_id)
    if kind and kind not in KINDS:
        raise NoLetter(f"没有{kind}；可起草：{'、'.join(KINDS)}")
    steps = CASES.cycle.steps
    decided = [r for r in cases.records(connection, case_id) if steps[r["action"]].letter]
    decided = [r for r in decided if not kind or steps[r["action"]].letter == kind]
    if not decided:
        raise NoLetter(f"{case.name}：还没有作出{f'须发{kind}' if kind else '须发函'}的决定，不能起草")
    record = decided[-1]
    step = steps[record["action"]]
    name = connection.execute(
        "select inst_name from star.dim_institution where inst_code = %s limit 1", [case.src_inst_code]
    ).fetchone()
    return {
        "title": step.letter,
        "mark": settings.warehouse_mark(),
        "case": case,
        "target": f"{TARGETS[case.target_kind]} {case.target_code}",
        "institution": f"{name[0] if name else ''}（{case.src_inst_code}）",
        "record": record,
        "decision": step.label,
        "heard": _heard(record),
        "until": cases.due(record["as_of"], record["action"]) if step.deadline else None,
        "head": HEAD,
        "figures": [figure_cells(f) for f in record["figures"]],
        "reasons": [
            f"{f['rule_code']}：{f['reason_zh']}" for f in record["figures"] if f["signal_code"] == "ALL"
        ],
    }


def figure_cells(row: dict[str, Any]) -> tuple[str, ...]:
    """A signal as the cells of HEAD."""
    count = "" if row["numerator"] is None else f"{row['numerator']:g}/{row['denominator'] or 0:g}"
    interval = "" if row["lcl95"] is None else f"（{row['lcl95']:.3f}–{row['ucl95']:.3f}）"
    value = "" if row["value"] is None else f"{row['value']:.3f}{interval}"
    chances = ("" if row[name] is None else f"{row[name]:.3f}" for name in ("probability", "q_value"))
    return (row["rule_code"], row["signal_code"], str(row["period_year"]), count, value, *chances)


def _heard(record: dict[str, Any]) -> str:
    stated: date | None = record["stated_on"]
    if stated:
        return f"{stated} 收到陈述：{record['statement'] or ''}"
    if record["statement_until"]:
        return f"陈述期至 {record['statement_until']}，期内没有陈述"
    return "本决定不须先行告知"
