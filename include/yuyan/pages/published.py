"""The published columns of the marts and what may change in them without a new major version.

`dbt_project/published/marts.yml` holds the version and, per table, every column and its type as consumers know them. It
follows from the models' descriptions; a loss without a new major version is refused.
"""

from pathlib import Path

import yaml

from yuyan import settings
from yuyan.domain import yaml_file

SNAPSHOT = settings.DBT_PROJECT / "published" / "marts.yml"
GENERATED = "由 `python -m yuyan.pages.documentation` 生成，请勿手工修改。"
Tables = dict[str, dict[str, str]]


class PublishedError(ValueError):
    """Columns that may not be published so; the message names them and what to do."""


def declared_tables(folder: Path = settings.DBT_PROJECT / "models" / "marts") -> Tables:
    """Table -> column -> type, from the models' enforced contracts."""
    documents = [yaml_file.read(p) for p in sorted(folder.rglob("*.yml")) if "unit_tests" not in p.parts]
    models = [m for document in documents for m in document.get("models", [])]
    return {
        m["name"]: {c["name"]: c["data_type"] for c in m["columns"]}
        for m in sorted(models, key=lambda m: m["name"])
    }


def declared_version() -> str:
    """`meta.schema_version` of the marts, 'major.minor'."""
    project = yaml_file.read(settings.DBT_PROJECT / "dbt_project.yml")
    return project["models"]["yuyan"]["marts"]["+meta"]["schema_version"]


def snapshot() -> tuple[str, Tables]:
    """Version and tables as published."""
    content = yaml_file.read(SNAPSHOT)
    return content["schema_version"], content["tables"]


def breaking(before: Tables, now: Tables) -> list[str]:
    """What a consumer of `before` would miss in `now`: tables or columns gone (a new name is a loss), types changed."""
    losses = []
    for table, columns in before.items():
        if table not in now:
            losses.append(f"table {table} is gone")
            continue
        for column, kind in columns.items():
            if column not in now[table]:
                losses.append(f"{table}.{column} is gone")
            elif now[table][column] != kind:
                losses.append(f"{table}.{column} was {kind}, is {now[table][column]}")
    return losses


def problems(version_before: str, before: Tables, version: str, now: Tables) -> list[str]:
    """Why `now` may not be published as `version` after `before`; empty when it may. An addition needs nothing."""
    old, new = (tuple(int(part) for part in v.split(".")) for v in (version_before, version))
    if new < old:
        return [f"version {version} comes before {version_before}"]
    return [f"{loss}: raise the major version" for loss in breaking(before, now)] if new[0] == old[0] else []


def text() -> str:
    """The published columns as the models have them. Raises PublishedError for a loss that the version does not allow."""
    version, now = declared_version(), declared_tables()
    if SNAPSHOT.exists() and (reasons := problems(*snapshot(), version, now)):
        raise PublishedError(
            "; ".join(reasons) + " (models.yuyan.marts.+meta.schema_version in dbt_project.yml)"
        )
    columns = yaml.safe_dump({"schema_version": version, "tables": now}, sort_keys=False, allow_unicode=True)
    return f"# The columns that consumers of the marts rely on. {GENERATED}\n" + columns
