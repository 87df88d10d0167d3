"""Feedback to the institutions: one page and one workbook each, and an index, in `<home>/feedback` or another folder.

A page replaces the one before, so their number stays bounded; the rule directory lies beside them, for their links.
"""

from collections.abc import Collection, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
from markupsafe import Markup

from yuyan import settings
from yuyan.decisions import holds, overrides, problems
from yuyan.domain import contracts, labels
from yuyan.pages import documentation, facts, render, rows_csv, rules, workbook
from yuyan.pages.facts import Facts, Row
from yuyan.pages.sheets import view
from yuyan.pages.wording import entity_label, headline, owner_of, remedy

GROUPS = 40
"""Groups of refused (and as many of merely noted) rows that the page shows in full; the workbook has all."""
PROBLEMS = 100
"""Problems that the page shows."""


LINKS = 12
"""Rules of a group that are linked."""


class NoFeedback(LookupError):
    """There is nothing to write feedback from: an institution that was never collected, or no run yet."""


def build(
    connection: psycopg.Connection,
    run_id: str,
    as_of: date,
    mark: str,
    institutions: Sequence[str] = (),
    folder: Path | None = None,
) -> dict[str, Any]:
    """Write the pages and workbooks of the institutions (default: all) after a warehouse run; returns counts.

    All are read in one state of the warehouse. `mark` stands on them when the data are simulated. `folder` defaults to
    `<home>/feedback`. Raises NoFeedback.
    """
    folder = folder or settings.home() / "feedback"
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read, read only")
        known = facts.institutions(connection)
        if unknown := sorted(set(institutions) - set(known)):
            raise NoFeedback(
                f"{', '.join(unknown)}: no such institution was ever collected; known are {', '.join(known) or 'none yet'}"
            )
        summaries = []
        for inst_code in institutions or known:
            read = facts.read(connection, inst_code, run_id, as_of)
            long = rows_csv.write(connection, folder, read)
            with render.replacing(folder / f"{inst_code}.xlsx") as path:
                streams = {
                    "逐行问题": facts.failures(connection, inst_code, run_id),
                    "已了结": facts.resolved(connection, inst_code, run_id),
                }
                written = workbook.write(path, read, streams, mark, _cover(read, mark, long))
            render.write(folder / f"{inst_code}.html", page(read, mark, long))
            summaries.append(summary(read) | {"inst_code": inst_code, "name": read.name, "rows": written})
    if not institutions:
        index = render.page(
            "feedback_index", title="数据反馈", mark=mark, run_id=run_id, as_of=as_of, institutions=summaries
        )
        render.write(folder / "index.html", index)
    documentation.publish(folder, mark)
    return {"institutions": len(summaries), "rows": sum(s["rows"] for s in summaries), "folder": str(folder)}


def after(run_id: str, as_of: date) -> dict[str, Any]:
    """Write the feedback of all institutions after this warehouse run, with the mark that the environment asks for.

    >>> after("run-1", date(2026, 10, 15))["folder"]
    """
    with psycopg.connect(settings.warehouse_dsn("validate")) as connection:
        return build(connection, run_id, as_of, settings.simulated_mark())


def newest(dsn: str, institutions: Sequence[str], folder: Path) -> dict[str, Any]:
    """Write feedback as of the newest warehouse run. Raises NoFeedback."""
    mark = settings.warehouse_mark()
    with psycopg.connect(dsn) as connection:
        if (run := facts.newest_run(connection)) is None:
            raise NoFeedback("the warehouse has not run yet: execute `yuyan run`")
        connection.rollback()
        return build(connection, *run, mark, institutions, folder)


def summary(read: Facts) -> dict[str, Any]:
    """The figures on top of the page: grade, rows refused and noted, problems, holds, what changed."""
    tables = read.tables
    grade = [r["grade"] for r in tables["scorecard"] if r["dimension"] == "D11" and not r["entity"]]
    collection = tables["collection"][0] if tables["collection"] else None
    return {
        "grade": grade[0] if grade else None,
        "outcome": collection["outcome"] if collection else None,
        "refused": sum(r["waiting"] for r in tables["arrivals"]),
        "accepted": sum(r["accepted"] for r in tables["arrivals"]),
        "problems": sum(r["state"] not in ("fixed", "known", "overridden") for r in tables["problems"]),
        "holds": sum(r["state"] in holds.OPEN for r in tables["holds"]),
        "alarms": len(tables["alarms"]),
        **{name: sum(r[name] for r in tables["changes"]) for name in ("new", "still", "resolved")},
    }


def page(read: Facts, mark: str, long: Collection[str] = ()) -> str:
    """The feedback page of an institution. `long`: which of its CSV files there are (rows_csv.write)."""
    tables = read.tables
    return render.page(
        "feedback",
        title=f"数据反馈：{read.name}（{read.inst_code}）" if read.name else f"数据反馈：{read.inst_code}",
        mark=mark,
        facts=read,
        tables=tables,
        summary=summary(read),
        collection=tables["collection"][0] if tables["collection"] else None,
        missing=_missing(read),
        refused=[g for g in read.groups if g["refused"]],
        noted=[g for g in read.groups if not g["refused"]],
        shown=GROUPS,
        listed=facts.LISTED,
        files={name: rows_csv.file_name(read.inst_code, name) for name in long},
        shown_problems=PROBLEMS,
        events=_by_problem(tables["events"]),
        overrides=_by_problem(tables["overrides"]),
        directory=rules.FILE,
        labels=labels,
        states={"problem": problems.PROBLEMS.cycle.states, "override": overrides.OVERRIDES.cycle.states},
        view=view,
        entity_label=entity_label,
        headline=headline,
        remedy=remedy,
        owner_of=owner_of,
        rule_links=_rule_links,
        where=_where(read),
    )


def _rule_links(rule_ids: Sequence[str]) -> Markup:
    """Links into the rule directory; of very many rules the first ones."""
    links = [Markup('<a href="{}#{}"><code>{}</code></a>').format(rules.FILE, r, r) for r in rule_ids[:LINKS]]
    more = f" 等 {len(rule_ids)} 条" if len(rule_ids) > LINKS else ""
    return Markup("、").join(links) + more


def _where(read: Facts) -> str:
    """Where the institution finds a row that is named: in its platform, or in the file that it delivered."""
    if read.delivers_files:
        return (
            "“交付文件”是交付文件夹和文件名（没有文件名的是清单序号和期间）：在其第一个工作表中，"
            "按“行号”（表头不计）和来源记录编号查找。"
        )
    return "按来源记录编号在本单位平台上查找。"


def _by_problem(rows: list[Row]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = {}
    for row in rows:
        found.setdefault(row["problem_id"], []).append(row)
    return found


def _missing(read: Facts) -> list[str]:
    """Entities that an institution of this kind owes and of which nothing ever came."""
    owner = "commission" if read.inst_code == settings.COMMISSION else "university"
    came = {r["entity"] for r in read.tables["arrivals"] if r["batches"]}
    return [entity_label(e) for e, c in contracts.load().items() if c.owner == owner and e not in came]


def _cover(read: Facts, mark: str, long: Collection[str]) -> list[tuple[str, Any]]:
    figures = summary(read)
    return [
        ("单位", f"{read.name}（{read.inst_code}）"),
        ("统计日期", str(read.as_of)),
        ("运行", read.run_id),
        ("数据性质", mark or "报送数据"),
        ("数据可信等级", figures["grade"] or "尚未评定"),
        ("现已接收记录", figures["accepted"]),
        ("未接收记录", figures["refused"]),
        ("新增问题行", figures["new"]),
        ("仍在问题行", figures["still"]),
        ("了结问题行", figures["resolved"]),
        ("待处理问题", figures["problems"]),
        ("待决定的暂缓", figures["holds"]),
        ("怎么用", "先看“根因”：一次更正能了结的行归为一组。再到“逐行问题”按根因编号筛选。"),
        *(
            ("行数太多时", f"每个根因（已了结的：每条规则）在本工作簿列前 {facts.LISTED} 行，全部行见 {name}")
            for name in (rows_csv.file_name(read.inst_code, n) for n in sorted(long, reverse=True))
        ),
        ("怎么找到记录", _where(read)),
        ("更正之后", ("更正文件并随下一份清单重送" if read.delivers_files else "在来源平台更正即可")
         + "，下一次采集自动重新判定；上级记录补报后，下级记录不必重送。"),
        ("规则含义", f"见 {rules.FILE}，按规则编号查找。"),
    ]  # fmt: skip
