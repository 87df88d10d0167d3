"""What the prepared dbt manifest says about the layers, read without starting dbt, so that DAG files parse fast."""

import json
from functools import cache

from yuyan import settings


def describe(layer: str) -> str:
    """Markdown for a layer's task: its models and what they hold; says so when the manifest is not prepared yet.

    Empty in a process that executes a task: nobody reads it there, and the manifest takes a tenth of a second to read.
    """
    from airflow.sdk import get_parsing_context

    if get_parsing_context().task_id:
        return ""
    models = _models().get(layer, [])
    if not models:
        return f"dbt 层 `{layer}`。模型清单在 `yuyan up` 准备 dbt 清单之后显示。"
    lines = [
        f"- `{name}` {description.splitlines()[0] if description else ''}" for name, description in models
    ]
    return "\n".join([f"dbt 层 `{layer}`：{len(models)} 个模型。", "", *lines])


@cache
def _models() -> dict[str, list[tuple[str, str]]]:
    """Layer -> (model, description), from `<home>/dbt/manifest.json`."""
    try:
        nodes = json.loads((settings.home() / "dbt" / "manifest.json").read_bytes())["nodes"]
    except (
        FileNotFoundError,
        ValueError,
    ):  # not prepared yet, or an interrupted preparation, which is repeated
        return {}
    layers: dict[str, list[tuple[str, str]]] = {}
    for node in nodes.values():
        if node["resource_type"] == "model":
            layers.setdefault(node["fqn"][1], []).append((node["name"], node["description"]))
    return {layer: sorted(models) for layer, models in layers.items()}
