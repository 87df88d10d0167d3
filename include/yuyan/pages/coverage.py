"""What of the action plan is measured: every sentence and every row of the four lists, and the data that speak to it.

The clauses and what measures them are the seed `plan/plan_clause.csv`. A name that does not exist is refused.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

from yuyan import settings
from yuyan.domain import contracts, indicators

SEED = settings.SEEDS / "plan" / "plan_clause.csv"
PARTS = {"sentence": "正文", "list_row": "清单"}
MEASURED, PARTLY, MISSING, NOTHING = "有数据", "部分有数据", "来源未接入", "文本未给出可测量内容"


class CoverageError(ValueError):
    """A clause whose measures cannot be right; the message names the clause and the remedy."""


@dataclass(frozen=True)
class Clause:
    """A sentence of the plan or a row of its annex.

    `nothing`: why nothing is measurable. `missing`: what is, without a source yet.
    """

    code: str
    doc_version: str
    part: str
    section: str
    text: str
    entities: tuple[str, ...]
    indicators: tuple[str, ...]
    marts: tuple[str, ...]
    nothing: str
    missing: str

    @property
    def state(self) -> str:
        """How far the clause is measured, in Chinese."""
        if self.nothing:
            return NOTHING
        if self.entities or self.indicators or self.marts:
            return PARTLY if self.missing else MEASURED
        return MISSING


def clauses() -> list[Clause]:
    """Every clause of the plan in force, in its order. Raises CoverageError."""
    version = indicators.parameters()["plan_doc_version"]
    with open(SEED, encoding="utf-8", newline="") as file:
        found = [_clause(row) for row in csv.DictReader(file) if row["doc_version"] == version]
    for clause in found:
        for problem in _problems(clause):
            raise CoverageError(f"{SEED.name}: {clause.code}: {problem}")
    return found


def _clause(row: dict[str, str]) -> Clause:
    names = {n: tuple(filter(None, row[n].split(";"))) for n in ("entities", "indicators", "marts")}
    return Clause(
        code=row["clause_code"],
        doc_version=row["doc_version"],
        part=row["part"],
        section=row["section_zh"],
        text=row["text_zh"],
        nothing=row["nothing_zh"],
        missing=row["missing_zh"],
        **names,
    )


def _problems(clause: Clause) -> Iterator[str]:
    known = {
        "entity": (clause.entities, contracts.load()),
        "indicator": (clause.indicators, indicators.load()),
        "mart": (clause.marts, marts()),
    }
    for what, (named, there) in known.items():
        for name in named:
            if name not in there:
                yield f"there is no {what} {name}; correct the name or delete it"
    measured = any(named for named, _ in known.values())
    if not (measured or clause.nothing or clause.missing):
        yield "names no entity, indicator or mart; name one, or say in nothing_zh why the text has nothing to measure"
    if clause.nothing and (measured or clause.missing):
        yield "is measured and says that nothing is measurable; keep one of the two"
    if clause.part not in PARTS:
        yield f"part {clause.part!r} is none of {', '.join(PARTS)}"


def marts() -> set[str]:
    """Names of the marts."""
    return {path.stem for path in (settings.DBT_PROJECT / "models" / "marts").rglob("*.sql")}


HEAD = (
    "条款",
    "部分",
    "章节",
    "原文",
    "状态",
    "来源实体",
    "指标",
    "数据集市",
    "未接入的来源",
    "没有可测量内容的理由",
)


def rows() -> list[tuple[str, ...]]:
    """One row per clause, under HEAD."""
    return [
        (
            c.code, PARTS[c.part], c.section, c.text, c.state, "、".join(c.entities), "、".join(c.indicators),
            "、".join(c.marts), c.missing, c.nothing,
        )
        for c in clauses()
    ]  # fmt: skip


def table_csv() -> str:
    """The coverage as CSV."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEAD)
    writer.writerows(rows())
    return out.getvalue()


def page(generated: str) -> str:
    """The coverage as a page in Markdown: how many of each state, then every clause by section."""
    found = clauses()
    counts = {state: sum(c.state == state for c in found) for state in (MEASURED, PARTLY, MISSING, NOTHING)}
    parts = [
        "# 行动方案覆盖表",
        f"{generated}行动方案（征求意见稿）正文每一句、附件“四张清单”每一行：由哪些来源实体、指标和数据集市反映；文本没有可测量内容的写明理由；"
        "可测量而来源还没有接入的照实列出。内容取自 seed `plan_clause`，同样的表见 [plan-coverage.csv](plan-coverage.csv)。",
        "，".join(f"{state} {count} 条" for state, count in counts.items()) + f"，共 {len(found)} 条。",
    ]
    for section in dict.fromkeys(c.section for c in found):
        lines = ["| 条款 | 原文 | 状态 | 由什么反映 |", "|---|---|---|---|"]
        lines += [f"| {c.code} | {c.text} | {c.state} | {_by(c)} |" for c in found if c.section == section]
        parts.append(f"## {section}\n\n" + "\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _by(clause: Clause) -> str:
    kinds = {"实体": clause.entities, "指标": clause.indicators, "集市": clause.marts}
    said = [f"{kind}：{'、'.join(f'`{n}`' for n in names)}" for kind, names in kinds.items() if names]
    said += [f"未接入：{clause.missing}"] if clause.missing else []
    return "；".join([*said, *([clause.nothing] if clause.nothing else [])])
