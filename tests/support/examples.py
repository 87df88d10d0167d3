"""The example queries that the docs and the marts' own descriptions show."""

import re

from yuyan import settings
from yuyan.domain import yaml_file

MODELS = settings.DBT_PROJECT / "models"
PAGE = (settings.PROJECT / "docs" / "marts.md").read_text(encoding="utf-8")


def described() -> dict[str, dict]:
    """Mart -> its entry in the models' yml."""
    documents = [yaml_file.read(p) for p in (MODELS / "marts").glob("*.yml")]
    return {m["name"]: m for document in documents for m in document["models"]}


def of_marts() -> dict[str, str]:
    """Name -> query, of docs/marts.md (page-1, page-2, …) and of each mart's description (the mart's name)."""
    queries = {f"page-{n}": q for n, q in enumerate(re.findall(r"```sql\n(.*?)```", PAGE, re.S), 1)}
    for name, model in described().items():
        (queries[name],) = re.findall(r"示例：(select .*)$", model["description"].strip())
    return queries
