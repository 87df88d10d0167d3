"""Entity-relationship diagrams of the star, drawn from the models' own tests: keys, and which dimension a key points to.

One diagram per subject (one file of `dbt_project/models/star`); all together would be a thicket. Dates are left out: nearly
every table has some.
"""

from typing import Any

from yuyan import settings
from yuyan.domain import yaml_file

STAR = settings.DBT_PROJECT / "models" / "star"
SUBJECTS = {
    "_dimensions": "维度之间",
    "_facts_disciplines": "学科、集群与需求",
    "_facts_students": "招生与学籍",
    "_facts_teaching": "课程与教学评价",
    "_supervision": "导师与团队",
    "_platforms": "平台与校地对接",
    "_welfare": "预警、规范与评审",
    "_accountability": "评估与问责",
    "_facts_degrees": "论文、学位与抽检",
    "_facts_practice": "产教融合、就业与成果",
    "_facts_lists": "四张清单",
    "_facts_research": "科研训练、竞赛、党支部与国际合作",
    "_funding": "经费、投入与质量报告",
    "_facts_indicators": "指标所计",
}
"""File of models -> title; a file without a title is an error."""
LEFT_OUT = "dim_date"


def page(generated: str) -> str:
    """The page in Markdown with one Mermaid diagram per subject."""
    tables = {m["name"]: m for path in SUBJECTS for m in models(path)}
    parts = [
        "# 星型模型关系图",
        f"{generated}每个主题一张图：实体框内是主键（PK）与指向维度的键（FK）。`||` 一端的键必填，`o|` 一端的键可以为空。"
        "日期维度未画出。列的说明见 [star-schema.md](star-schema.md)。",
    ]
    for path, title in SUBJECTS.items():
        here = models(path)
        links = [
            (m["name"], column, *target.split(".")) for m in here for column, target in targets(m).items()
        ]
        drawn = sorted({m["name"] for m in here if targets(m)} | {dimension for _, _, dimension, _ in links})
        lines = ["erDiagram"]
        for name in drawn:
            columns, own = {c["name"]: c for c in tables[name]["columns"]}, key(tables[name])
            pointing = [c for t, c, _, _ in links if t == name and c not in own]
            lines.append(f"    {name} {{")
            for column, role in [*((c, "PK") for c in own), *((c, "FK") for c in pointing)]:
                lines.append(f"        {columns[column]['data_type'].replace(' ', '_')} {column} {role}")
            lines.append("    }")
        for table, column, dimension, _ in links:
            end = "||" if is_mandatory(tables[table], column) else "o|"
            lines.append(f'    {table} }}o--{end} {dimension} : "{column}"')
        parts.append(f"## {title}\n\n```mermaid\n" + "\n".join(lines) + "\n```")
    return "\n\n".join(parts) + "\n"


def models(path: str) -> list[dict[str, Any]]:
    """The models of one file of the star."""
    stray = {p.stem for p in STAR.glob("*.yml")} - set(SUBJECTS)
    if stray:
        raise ValueError(
            f"models/star/{min(stray)}.yml has no title: add it to SUBJECTS of yuyan/pages/erd.py"
        )
    return yaml_file.read(STAR / f"{path}.yml")["models"]


def _test(model: dict[str, Any], name: str) -> dict[str, Any]:
    tests = model.get("data_tests", [])
    return next((t[name]["arguments"] for t in tests if isinstance(t, dict) and name in t), {})


def key(model: dict[str, Any]) -> list[str]:
    """The columns of the table's grain."""
    return next(c["columns"] for c in model["constraints"] if c["type"] == "primary_key")


def is_mandatory(model: dict[str, Any], name: str) -> bool:
    """Whether the column is never NULL."""
    column = next(c for c in model["columns"] if c["name"] == name)
    return {"type": "not_null"} in column.get("constraints", [])


def resolved(model: dict[str, Any]) -> dict[str, str]:
    """Key column -> `<dimension>.<column>` that it must be found in."""
    return _test(model, "keys_resolve").get("keys", {})


def targets(model: dict[str, Any]) -> dict[str, str]:
    """The resolved keys without dates."""
    return {c: target for c, target in resolved(model).items() if not target.startswith(f"{LEFT_OUT}.")}
