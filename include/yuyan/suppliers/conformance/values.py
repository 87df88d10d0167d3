"""Whether a value has the form that its field has in the API's document.

What a record says may be wrong (a date that does not exist, 不详 for a date): rules find that, and the platform hands it on
as it is. A platform's fault is a sound value in a form that was not agreed: "2024" for 2024, 2024/9/1, Y for 是.
"""

import re
from collections import Counter
from typing import Any

from yuyan.suppliers.conformance.suite import Suite

FEWEST = 20
"""So many values, every one of them of no code set, are a mapping that is missing."""
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")
_DAY = re.compile(
    r"[0-9]{4}([-/.年]?)(0?[1-9]|1[0-2])([-/.月]?)(0?[1-9]|[12][0-9]|3[01])日?([T ][0-9:.]+(Z|[+-][0-9:]+)?)?"
)
_FORMS = {"yyyy-mm-dd": r"[0-9]{4}-[0-9]{2}-[0-9]{2}", "yyyymmdd": r"[0-9]{8}"}
_TRUTHS = {"true", "false", "t", "f", "1", "0", "yes", "no", "y", "n", "是", "否"}


def check(items: list[dict[str, Any]], entity: str, document: dict[str, Any], suite: Suite) -> None:
    """Look at the fields, types and codes of an entity's records. Envelope members are other checks' business."""
    schema = document["components"]["schemas"][entity]
    form = document["x-yuyan"]
    is_text = form["connector"] == "rest-legacy"
    unannounced: Counter[str] = Counter()
    for item in items:
        lacking = [name for name in schema["required"] if name not in item]
        suite.look(
            "fields",
            not lacking,
            f"{entity}：记录中没有 {'、'.join(lacking[:5])} / records without {', '.join(lacking[:5])}",
        )
        unannounced.update(item.keys() - schema["properties"].keys())
    for name in unannounced:
        suite.note(
            f"{entity}：约定中没有的字段，值不会被采集（{unannounced[name]} 条） / not announced, not taken"
        )
    for name, field in schema["properties"].items():
        if "x-form" not in field:
            continue
        values = [item[name] for item in items if name in item]
        wrong = _as_text if is_text else _as_json
        for value in values:
            fault = wrong(value, field, form)
            suite.look("types", fault is None, f"{entity}.{name}：{fault}")
        _codes(f"{entity}.{name}", values, field, document, suite)


def _as_json(value: Any, field: dict[str, Any], form: dict[str, Any]) -> str | None:
    kind = field["x-form"]
    if value is None:
        return None
    if kind == "array":
        is_good = isinstance(value, list) and all(isinstance(v, str) for v in value)
        return None if is_good else "应为字符串的数组 / should be an array of strings"
    if isinstance(value, (dict, list)):
        return "应为单个值 / should be a single value"
    if not isinstance(value, str):
        natural = {"integer": (int,), "number": (int, float), "boolean": (bool,)}.get(kind, ())
        is_good = type(value) in natural or (
            kind == "integer" and isinstance(value, float) and value.is_integer()
        )
        return (
            None
            if is_good
            else f"{kind} 写成了 JSON {type(value).__name__} / {kind} as JSON {type(value).__name__}"
        )
    if kind in ("integer", "number"):
        return "数写成了字符串 / a number as a string" if _NUMBER.fullmatch(value) else None
    if kind == "boolean":
        return "真假值写成了字符串 / a truth value as a string" if value.lower() in _TRUTHS else None
    return _day(value, form["date"]) if kind == "date" else None


def _as_text(value: Any, field: dict[str, Any], form: dict[str, Any]) -> str | None:
    if not isinstance(value, str):
        return "应为字符串，空值为空字符串 / should be a string, an empty one where there is no value"
    if field["x-form"] == "date":
        return _day(value, form["date"])
    if field["x-form"] == "boolean" and value not in form["boolean"] and value.lower() in _TRUTHS:
        return (
            f"真假值应为 {'、'.join(form['boolean'])} / a truth value should be {', '.join(form['boolean'])}"
        )
    return None


def _day(value: str, form: str) -> str | None:
    if not value or re.fullmatch(_FORMS[form], value) or not _DAY.fullmatch(value):
        return None
    return f"日期应写成 {form} / a date should be {form}"


def _codes(
    where: str, values: list[Any], field: dict[str, Any], document: dict[str, Any], suite: Suite
) -> None:
    """National codes where the vendor's own were agreed; or codes of which no set knows a single one."""
    given = [v for v in values if isinstance(v, str) and v]
    if local := field.get("x-codes"):
        national = set(local.values()) - set(local)
        found = sorted({v for v in given if v in national})
        suite.look(
            "codes",
            not found,
            f"{where}：给了国家代码，应为本产品的代码 {'、'.join(local)} / national codes instead of the product's",
        )
    items = field.get("items", field)
    if "x-code-set" in items and len(given) >= FEWEST:
        known = set(document["components"]["schemas"][items["x-code-set"].rpartition("/")[2]]["enum"])
        suite.look(
            "codes",
            any(v in known for v in given),
            f"{where}：{len(given)} 个值没有一个在代码集内，代码对照缺失 / no value is of the code set",
        )
