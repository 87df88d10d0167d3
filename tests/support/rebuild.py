"""Fills tables of the star, the indicators and the marts anew without dbt: by the SQL that dbt compiled, for another day."""

import json
import re
from datetime import date
from pathlib import Path

import psycopg

from yuyan.changes import lineage

DATABASE = re.compile(r'"\w+"\.(?="\w+"\."\w+")')
"""The database's name before schema and table: a copy of the city has another."""

_COMPARE_WHOLE = "delete from ops.read_version where starts_with(model, 'previous.')"
"""No version is noted of what is filled here: what was published is compared with all of it."""


class Compiled:
    """What dbt compiled for a city: `home` is the YUYAN_HOME of its runs, `as_of` their day."""

    def __init__(self, home: Path, as_of: date) -> None:
        nodes = json.loads((home / "dbt" / "manifest.json").read_text(encoding="utf-8"))["nodes"]
        self.as_of, self.folder = as_of, home / "dbt" / "compiled" / "yuyan"
        self.models = {n["name"]: n for n in nodes.values() if n["resource_type"] == "model"}

    def fill(self, connection: psycopg.Connection, day: date, entities: set[str] | None = None) -> None:
        """Replace the rows of what indicator values and their targets are made of by what they are on that day; with
        `entities`, those of all indicator models, and of the star what these entities are behind."""
        if entities is None:
            waiting = self._upstream("ind_value") | self._upstream("ind_status")
        else:
            waiting = {
                n["unique_id"]: n for n in self.models.values() if n["schema"] in ("star", "indicators")
            }
        while waiting:
            ready = [n for n in waiting.values() if not set(n["depends_on"]["nodes"]) & set(waiting)]
            for node in ready:
                del waiting[node["unique_id"]]
                is_behind = (
                    entities is None
                    or node["schema"] != "star"
                    or entities & set(lineage.entities(node["name"]))
                )
                if node["config"]["materialized"] == "table" and is_behind:
                    self._fill(connection, node, day)
        connection.execute(_COMPARE_WHOLE)

    def _upstream(self, name: str) -> dict[str, dict]:
        """A model and all models that it is made of."""
        node = self.models[name]
        found = {node["unique_id"]: node}
        for parent in node["depends_on"]["nodes"]:
            if parent.startswith("model."):
                found |= self._upstream(parent.rsplit(".", 1)[1])
        return found

    def fill_models(self, connection: psycopg.Connection, day: date, *names: str) -> None:
        """Replace the rows of these models."""
        for name in names:
            self._fill(connection, self.models[name], day)

    def _fill(self, connection: psycopg.Connection, node: dict, day: date) -> None:
        """Replace its rows, planned as its hooks ask for."""
        table = f"{node['schema']}.{node['name']}"
        sql = (self.folder / node["original_file_path"]).read_text(encoding="utf-8")
        columns = ", ".join(node["columns"])
        compiled = DATABASE.sub("", sql.replace(str(self.as_of), str(day)))
        with connection.transaction():
            connection.execute(f"truncate {table}")
            for hook in node["config"]["pre-hook"]:
                connection.execute(hook["sql"])
            connection.execute(
                f"insert into {table} ({columns}) select {columns} from ({compiled}) as compiled"
            )
            if node["config"]["pre-hook"]:
                connection.execute("reset enable_nestloop; reset enable_mergejoin")
