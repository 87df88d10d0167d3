"""The page on the star: conventions, bus matrix, grain and key, every column, from the models' own files and tests."""

from pathlib import Path
from typing import Any

from yuyan.pages import erd

CONVENTIONS = Path(__file__).with_name("templates") / "star-schema.md"
"""What no file of the models says."""
DIAGRAMS = (
    "Diagrams of tables, keys and what they point to: [star-diagrams.zh-CN.md](star-diagrams.zh-CN.md)."
)
Model = dict[str, Any]


def page(generated: str) -> str:
    """The page in Markdown; tables in the order of the models' files."""
    models = [m for path in erd.SUBJECTS for m in erd.models(path)]
    dimensions = [m["name"] for m in models if m["name"].startswith("dim_")]
    parts = [
        CONVENTIONS.read_text(encoding="utf-8").replace("{generated}", generated).rstrip(),
        "## Bus matrix",
        _matrix(models, dimensions),
        DIAGRAMS,
        "## Grain and key",
        _table(
            ("table", "grain", "key"),
            [
                (m["name"], m["description"].split("。")[0], ", ".join(f"`{c}`" for c in erd.key(m)))
                for m in models
            ],
        ),
        "## Columns",
        "Types as in the database. `·` marks a column that is never null. Foreign keys name their dimension.",
        *(section for m in models for section in _columns(m)),
    ]
    return "\n\n".join(parts) + "\n"


def _matrix(models: list[Model], dimensions: list[str]) -> str:
    """Facts and bridges by the dimensions that their keys resolve to."""
    head = ["", *(name.removeprefix("dim_").replace("_", " ") for name in dimensions)]
    rows = []
    for m in models:
        if m["name"] not in dimensions:
            reached = {target.split(".")[0] for target in erd.resolved(m).values()}
            rows.append((m["name"], *("●" if name in reached else "" for name in dimensions)))
    return _table(head, rows, ["---", *[":-:"] * len(dimensions)])


def _columns(m: Model) -> list[str]:
    dimension = {column: target.split(".")[0] for column, target in erd.targets(m).items()}
    rows = []
    for c in m["columns"]:
        kind = c["data_type"] + (" ·" if erd.is_mandatory(m, c["name"]) else "")
        meaning = c["description"] + (f" → {dimension[c['name']]}" if c["name"] in dimension else "")
        rows.append((f"`{c['name']}`", kind, meaning))
    return [f"### {m['name']}", m["description"], _table(("column", "type", "meaning"), rows)]


def _table(head: Any, rows: Any, rule: Any = None) -> str:
    def line(cells: Any) -> str:
        return "| " + " | ".join(str(c).replace("|", "\\|") for c in cells) + " |"

    return "\n".join([line(head), "|" + "|".join(rule or ["---"] * len(list(head))) + "|", *map(line, rows)])
