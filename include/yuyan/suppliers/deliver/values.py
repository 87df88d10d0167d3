"""One cell as the line reads it: normalised text, national codes, canonical dates, numbers and truth values.

What `yuyan.collect.text` and `yuyan.collect.mapping` do to columns of a delivery; a test holds the two against each other.
"""

import re
import unicodedata
from collections.abc import Callable
from decimal import Decimal

from yuyan.collect.certificates import identity
from yuyan.collect.moments import WORDS, local_day
from yuyan.domain.date_forms import date_pattern, iso_day
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


def canonical(cells: dict[str, str], field: Facts, formats: Facts) -> str | None:
    """A field in canonical form, of a row's cells by column; what does not have the form that was agreed stays as it is."""
    value = _composed(field, cells, identifier if field["is_identifier"] else trimmed)
    if value is not None and (separator := field.get("separator")):
        value = trimmed(";".join(filter(None, (item.strip() for item in value.split(separator)))))
    value = None if value is None else _formed(value, field, formats)
    return field.get("default") if value is None else value


def _composed(field: Facts, cells: dict[str, str], clean: Callable[[str | None], str | None]) -> str | None:
    """Columns and texts joined; None where a column has nothing, or where the institution does not have the field."""
    found = []
    for part in field.get("parts", [[None, None, None]]):
        if isinstance(part, str):
            found.append(part)
            continue
        column, first, last = part
        value = clean(cells.get(column))
        if value is None:
            return None
        found.append(value[first - 1 : last] if first and len(value) >= last else value)
    return "".join(found)


def _formed(value: str, field: Facts, formats: Facts) -> str:
    codes, kind = field.get("codes", {}), field["type"]
    items = value.split(";") if kind == "array" else [value]
    value = ";".join(codes.get(item, item) for item in items)
    if kind == "date":
        return _date(value, field.get("date") or formats["date"])
    if kind == "boolean":
        true, false = field.get("boolean") or formats["boolean"]
        return {**WORDS, true: "true", false: "false"}.get(value, value)
    if kind not in ("integer", "number"):
        return value
    if formats["decimal"] == "," and re.fullmatch(r"-?(\d+|\d{1,3}(\.\d{3})+)(,\d+)?", value):
        value = value.replace(".", "").replace(",", ".")
    if field.get("times") and re.fullmatch(r"-?\d+(\.\d+)?([eE][-+]?\d{1,2})?", value):
        text = f"{Decimal(value) * Decimal(field['times']):f}"
        value = text.rstrip("0").rstrip(".") if "." in text else text
    if kind == "integer":
        return re.sub(r"^(-?[0-9]+)\.0+$", r"\1", value)
    if re.match(r"^-?[0-9]+(\.[0-9]+)?[eE][-+]?[0-9]{1,2}$", value):
        return f"{Decimal(value).normalize():f}"
    return value


def record(cells: dict[str, str], entity: Facts, formats: Facts) -> dict[str, str | None]:
    """Canonical fields of a record, by name. `cells`: column -> text as delivered.

    A certificate number becomes its person's key, which here is only what tells people apart and is shown nowhere.
    """
    values: dict[str, str | None] = {}
    fields = {field["name"]: field for field in entity["fields"]}
    for name, field in fields.items():
        if field.get("becomes"):
            given, kind = _sent(field, cells), _sent(fields.get("cert_type", {}), cells)
            person = identity(kind, given)
            values[field["becomes"]] = person
            number = trimmed(given)
            values[field["becomes"] + "_version"] = "1" if person else "0" if number else None
        elif not field.get("is_dropped"):
            values[name] = canonical(cells, field, formats)
    return values


def record_id(cells: dict[str, str], entity: Facts) -> str:
    """The record's id, of several columns as a|b, a bar within one as \\|; empty where a part is."""
    parts = [identifier(cells.get(column)) for column in entity["record_id"]]
    if None in parts:
        return ""
    if len(parts) == 1:
        return parts[0]
    return "|".join(re.sub(r"([\\|])", r"\\\1", part) for part in parts)


def _sent(field: Facts, cells: dict[str, str]) -> str | None:
    """A field as it was sent, in national codes: of what identifies a person, which is not normalised."""
    value = _composed(field, cells, lambda text: text)
    value = field.get("codes", {}).get(value, value)
    return field.get("default") if value is None else value


def _is_edge(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) in _INVISIBLE


def _date(value: str, form: str) -> str:
    day = local_day(value) if ":" in value else value
    return day if form == "yyyy-mm-dd" else iso_day(day, date_pattern(form))
