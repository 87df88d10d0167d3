"""The facts of one institution that the kit carries: `facts.json`, written by `yuyan.suppliers.kit`.

{"institution": {"inst_code", "name"}, "formats": {"date", "boolean", "decimal", "delimiter", "encoding"}, "schema_version",
 "entities": {entity: {"label", "table", "record_id": [columns], "columns": [all that are read], "needed": [columns],
   "period_field", "key": [fields], "personal": [fields], "by_the_line": n,
   "fields": [{"name", "parts": [text or [column, first, last]], "type", "is_identifier", …}],
   "rules": [{"rule_id", "number", "column", "severity", "message", "fix"}]}},
 "code_sets": {name: [codes]}, "former_codes": {name: [{"code", "valid_from", "admits_until", "valid_to"}]}}
"""

import json
import pkgutil
from fnmatch import fnmatchcase
from typing import Any

Facts = dict[str, Any]


def load() -> Facts:
    """The facts that were packed with this kit. Raises FileNotFoundError where it was not packed."""
    return json.loads(pkgutil.get_data(__package__, "facts.json"))


def entities_called(file: str, facts: Facts) -> list[str]:
    """The entities that a file's name means: `student.csv`, `student_2024.xlsx`, the label `学籍_2024.csv`, or the name by
    which the institution's own file knows it (several entities may be made of one file); none if there is none.
    """
    own = [e for e, known in facts["entities"].items() if fnmatchcase(file, known["table"])]
    if own:
        return own
    stem = file.rpartition(".")[0]
    by_name = {
        **{e["label"]: key for key, e in facts["entities"].items()},
        **{e: e for e in facts["entities"]},
    }
    for known in sorted(by_name, key=len, reverse=True):
        if stem == known or stem.startswith((known + "_", known + "-")):
            return [by_name[known]]
    return []


def entities_listed(entry: Facts, facts: Facts) -> list[str]:
    """The entities that a file of a manifest holds, as the line finds them."""
    return [
        name
        for name, known in facts["entities"].items()
        if entry["entity"] == known["table"] or fnmatchcase(entry["file"], known["table"])
    ]
