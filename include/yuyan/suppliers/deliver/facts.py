"""The facts of one institution that the kit carries: `facts.json`, written by `yuyan.suppliers.kit`.

{"institution": {"inst_code", "name"}, "record_id": column, "formats": {"date", "boolean"}, "schema_version",
 "entities": {entity: {"label", "period_field", "key": [fields], "personal": [fields], "by_the_line": n,
   "fields": [{"name", "column", "type", "is_mandatory", "is_identifier", …}],
   "rules": [{"rule_id", "number", "column", "severity", "message", "fix"}]}},
 "code_sets": {name: [codes]}, "former_codes": {name: [{"code", "valid_from", "admits_until", "valid_to"}]}}
"""

import json
import pkgutil
from typing import Any

Facts = dict[str, Any]


def load() -> Facts:
    """The facts that were packed with this kit. Raises FileNotFoundError where it was not packed."""
    return json.loads(pkgutil.get_data(__package__, "facts.json"))


def entity_called(name: str, facts: Facts) -> str | None:
    """The entity that a file's name means: `student`, `student_2024` or the label `学籍_2024`; None if there is none."""
    by_name = {
        **{e["label"]: key for key, e in facts["entities"].items()},
        **{e: e for e in facts["entities"]},
    }
    for known in sorted(by_name, key=len, reverse=True):
        if name == known or name.startswith((known + "_", known + "-")):
            return by_name[known]
    return None
