"""One cell as the line reads it: normalised text, national codes, canonical dates, numbers and truth values.

What `yuyan.collect.text` and `yuyan.collect.mapping` do to columns of a delivery; a test holds the two against each other.
"""

import re
import unicodedata
from decimal import Decimal

from yuyan.collect.certificates import identity
from yuyan.collect.moments import WORDS, local_day
from yuyan.suppliers.deliver.facts import Facts

_INVISIBLE = ("Cc", "Cf")


def trimmed(text: str | None) -> str | None:
    """Text without white space and invisible characters at its edges; None if nothing is left."""
    start, end = 0, len(text or "")
    while start < end and _is_edge(text[start]):
        start += 1
    while start < end and _is_edge(text[end - 1]):
        end -= 1
    return text[start:end] if start < end else None


def identifier(text: str | None) -> str | None:
    """Text of an identifier in its one form; None if nothing is left."""
    if not text or all("\x21" <= c <= "\x7e" for c in text):
        return text or None
    folded = unicodedata.normalize("NFKC", text)
    return trimmed("".join(c for c in folded if c != "\x00" and unicodedata.category(c) != "Cf"))


def canonical(text: str | None, field: Facts, formats: Facts) -> str | None:
    """A cell in canonical form; what does not have the form that the product prescribes stays as it is."""
    value = (identifier if field["is_identifier"] else trimmed)(text)
    if value is None:
        return None
    codes, kind = field.get("codes", {}), field["type"]
    items = value.split(";") if kind == "array" else [value]
    value = ";".join(codes.get(item, item) for item in items)
    if kind == "date":
        return _date(value, formats["date"])
    if kind == "boolean":
        true, false = formats["boolean"]
        return {**WORDS, true: "true", false: "false"}.get(value, value)
    if kind == "integer":
        return re.sub(r"^(-?[0-9]+)\.0+$", r"\1", value)
    if kind == "number" and re.match(r"^-?[0-9]+(\.[0-9]+)?[eE][-+]?[0-9]{1,2}$", value):
        return f"{Decimal(value).normalize():f}"
    return value


def record(cells: dict[str, str], entity: Facts, formats: Facts) -> dict[str, str | None]:
    """Canonical fields of a record, by name. `cells`: name of the field -> text as delivered.

    A certificate number becomes its person's key, which here is only what tells people apart and is shown nowhere.
    """
    values: dict[str, str | None] = {}
    for field in entity["fields"]:
        name = field["name"]
        if field.get("becomes"):
            given = cells.get(name)
            kind = cells.get("cert_type")
            person = identity(entity["cert_types"].get(kind, kind), given)
            values[field["becomes"]] = person
            number = trimmed(given)
            values[field["becomes"] + "_version"] = "1" if person else "0" if number else None
        elif not field.get("is_dropped"):
            values[name] = canonical(cells.get(name), field, formats)
    return values


def _is_edge(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) in _INVISIBLE


def _date(value: str, form: str) -> str:
    day = local_day(value) if ":" in value else value
    pattern = {
        "yyyymmdd": r"([0-9]{4})([0-9]{2})([0-9]{2})",
        "yyyy/m/d": r"([0-9]{4})/([0-9]{1,2})/([0-9]{1,2})",
    }
    match = re.fullmatch(pattern[form], day) if form in pattern else None
    return f"{match[1]}-{match[2]:0>2}-{match[3]:0>2}" if match else day
