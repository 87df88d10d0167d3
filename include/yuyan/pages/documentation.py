"""What follows from the contracts, rules, indicators and models and is written as a file: documents, and what dbt reads.

    python -m yuyan.pages.documentation

writes what `documents()` names (a test holds them in step) and the pages into docs/ of the work folder; every run writes
the pages beside the feedback.
"""

import csv
import io
import sys
from collections.abc import Iterable
from pathlib import Path

from yuyan import settings
from yuyan.domain import contracts, life_cycles
from yuyan.domain.catalogue import RuleError
from yuyan.domain.contracts import Contract, ContractError, Field
from yuyan.domain.indicators import IndicatorError, dbt_files
from yuyan.domain.platforms import InstitutionError
from yuyan.domain.yaml_file import YamlError
from yuyan.pages import coverage, erd, published, render, rules, star
from yuyan.pages import dictionary as indicator_dictionary

DOCS = settings.PROJECT / "docs"
TYPES = {
    "string": "文本",
    "integer": "整数",
    "number": "数值",
    "boolean": "布尔",
    "date": "日期",
    "array": "数组（分号分隔）",
}
PRESENCE = {"mandatory": "必填", "conditional": "条件必填", "optional": "选填"}
PRIVACY = {"drop": "采集时丢弃，不落地", "pseudonymise": "采集时转为 {becomes}，原值不落地"}
OWNERS = {"university": "培养单位", "commission": "市教委"}
LISTED = 60
"""Code sets up to this size are printed; larger ones are referred to."""
FILES = {"discipline": "discipline.csv", "industry": "industry.csv"}
GENERATED = published.GENERATED


def dictionary() -> str:
    """The data dictionary in Markdown: what a university or the commission supplies, and the code sets."""
    known = contracts.load()
    parts = [
        "# 数据字典（报送单位用）",
        f"{GENERATED}内容取自 `include/contracts/`，按装载先后排列。日期 `yyyy-mm-dd`，布尔 `true`/`false`，"
        "数值用小数点，数组以分号分隔；文件报送的写法见[平台产品](platform-products.md)。"
        "每条记录另有 `src_inst_code`（报送单位代码）和 `src_record_id`（来源记录编号，永不复用）。",
        _table(
            ("实体", "名称", "报送方", "自然键"),
            [
                (f"[{e}](#{e})", c.label, OWNERS[c.owner], "、".join(f"`{k}`" for k in c.key))
                for e, c in known.items()
            ],
        ),
    ]
    for entity, contract in known.items():
        parts.append(f"## {entity}\n\n**{contract.label}**：{contract.purpose}。{_facts(contract)}")
        head = ("字段", "名称", "类型", "填报", "代码集", "格式", "说明")
        parts.append(_table(head, [_field(f) for f in contract.fields]))
    parts.append("## 代码集")
    used = sorted({f.code_set for c in known.values() for f in c.columns if f.code_set})
    parts.append(_table(("代码集", "代码"), [(f"`{name}`", _codes(name)) for name in used]))
    return "\n\n".join(parts) + "\n"


def _facts(contract: Contract) -> str:
    facts = [f"报送方：{OWNERS[contract.owner]}"]
    if contract.period_field:
        facts.append(f"文件报送按 `{contract.period_field}` 的年度整体替换")
    for ref in contract.references:
        own = "、".join(f"`{n}`" for n in ref.fields)
        facts.append(f"{own} 引用 [{ref.entity}](#{ref.entity})")
    return "；".join(facts) + "。"


def _field(f: Field) -> tuple[str, ...]:
    notes = [f.description]
    if f.edition:
        notes.append("可用现行目录的代码，也可用当时的原目录代码（`former_discipline.csv`）")
    if f.key_position:
        notes.append("自然键")
    if f.derived:
        notes.append("由采集端生成，不需报送")
    if f.privacy:
        notes.append(PRIVACY[f.privacy].format(becomes=f"`{f.becomes}`"))
    form = f"`{f.pattern}`" if f.pattern else ""
    code_set = f"`{f.code_set}`" if f.code_set else ""
    kind = f"{TYPES[f.type]} {f.sql_type}"
    return (
        f"`{f.name}`",
        f.label,
        kind,
        PRESENCE[f.presence],
        code_set,
        form,
        "；".join(filter(None, notes)),
    )


def _codes(name: str) -> str:
    codes = contracts.code_sets()[name]
    if len(codes) > LISTED:
        path = f"dbt_project/seeds/reference/{FILES.get(name, 'code.csv')}"
        return f"{len(codes)} 个代码，见 [{path}](../{path})"
    return "，".join(f"{code} {label}" for code, label in codes.items())


def _table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    def line(cells: Iterable[object]) -> str:
        return "| " + " | ".join(str(c).replace("|", "\\|") for c in cells) + " |"

    head = list(head)
    return "\n".join([line(head), line(["---"] * len(head)), *map(line, rows)])


def sources() -> str:
    """The accepted records of every entity and their history as a source of the dbt project."""
    tables = [
        line
        for entity, c in sorted(contracts.load().items())
        for line in (
            f"      - {{name: {entity}, description: {c.label}：每条已接收记录一行}}",
            f"      - {{name: {entity}_versions, description: {c.label}：每条记录的每个已接收版本一行，含删除}}",
        )
    ]
    head = [
        f"# {GENERATED}",
        "version: 2",
        "",
        "sources:",
        "  - name: accepted",
        "    description: 接收层：每条记录最后一个通过校验的版本",
        "    tables:",
    ]
    return "\n".join([*head, *tables]) + "\n"


def transitions() -> str:
    """The steps of accountability cases as the seed plan.case_transition."""
    rows = life_cycles.transitions(life_cycles.load("case"))
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def documents() -> dict[Path, str]:
    """Path -> content of the generated documents that a reader of the repository needs."""
    return {
        settings.DBT_PROJECT / "models" / "_accepted.yml": sources(),
        **dbt_files.files(),
        published.SNAPSHOT: published.text(),
        settings.SEEDS / "plan" / "case_transition.csv": transitions(),
        DOCS / "rule-directory.csv": rules.directory_csv(),
        DOCS / "indicator-dictionary.csv": indicator_dictionary.dictionary_csv(),
        DOCS / "data-dictionary.zh-CN.md": dictionary(),
        DOCS / "star-schema.md": star.page(
            "Generated by `python -m yuyan.pages.documentation`; not edited by hand."
        ),
        DOCS / "star-diagrams.zh-CN.md": erd.page(GENERATED),
        DOCS / "plan-coverage.zh-CN.md": coverage.page(GENERATED),
        DOCS / "plan-coverage.csv": coverage.table_csv(),
    }


def pages(mark: str = "") -> dict[str, str]:
    """File name -> content of the pages and what they link to. Built, never committed: an edited rule is one line there."""
    return {
        rules.FILE: rules.directory_page(mark),
        "rule-directory.csv": rules.directory_csv(),
        indicator_dictionary.FILE: indicator_dictionary.dictionary_page(),
        "indicator-dictionary.csv": indicator_dictionary.dictionary_csv(),
    }


def publish(folder: Path, mark: str = "") -> list[Path]:
    """Write the pages into a folder; returns their paths."""
    written = []
    for name, text in pages(mark).items():
        render.write(folder / name, text)
        written.append(folder / name)
    return written


def main() -> int:
    """Write everything that follows from the files; 1, with the message, where one of them cannot be used."""
    try:
        for path, text in dbt_files.files().items():  # rules name indicators: the registry comes first
            path.write_text(text, encoding="utf-8")
        for path, text in documents().items():
            path.write_text(text, encoding="utf-8")
            print(path)
        for path in publish(settings.home() / "docs"):
            print(path)
    except (IndicatorError, ContractError, RuleError, InstitutionError, YamlError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
