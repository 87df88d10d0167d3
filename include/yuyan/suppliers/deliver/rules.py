"""The rules that a record, and the records of a file among themselves, must keep: words, numbers and facts are the line's.

A rule's number says what it asks (`yuyan.domain.structural`): 1 presence, 2 type, 3 form or length, 4 code set, 6 the key,
7 the owner, 8 the record id. What looks at other records (5 references, 11 and above) is judged by the line alone.
"""

import re
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from yuyan.suppliers.deliver.facts import Facts
from yuyan.suppliers.deliver.tables import Row

HIDDEN = "（假名，不显示）"
LONGEST_ID = 200


class Finding(NamedTuple):
    """A record that breaks a rule, and what the rule saw."""

    rule: Facts
    row: Row
    observed: str | None


def judge(entity: Facts, rows: list[Row], facts: Facts) -> list[Finding]:
    """Findings in the rows of one entity: rows of all files of a delivery, since two of them may claim one key."""
    fields = {field["name"]: field for field in entity["fields"]}
    taken = _taken_keys(rows)
    found = []
    for rule in entity["rules"]:
        for row in rows:
            if _holds(rule, row, fields, facts, taken) is False:
                found.append(Finding(rule, row, _observed(rule, row, entity)))
    return found


def _holds(rule: Facts, row: Row, fields: dict[str, Facts], facts: Facts, taken: set[int]) -> bool | None:
    """Whether a record keeps a rule; None where the rule does not concern it or cannot be decided."""
    number, name = rule["number"], rule["column"]
    if number == 6:
        return id(row) not in taken if row.key is not None else None
    if number == 8:
        return len(row.record_id) <= LONGEST_ID
    value = row.values.get(name)
    if number == 7:
        return value == facts["institution"]["inst_code"] if value is not None else None
    is_no_number = row.values.get(name + "_version") == "0"
    if number == 1:
        return bool(value) or is_no_number
    if rule.get("is_person"):
        return value is not None if value is not None or is_no_number else None
    if value is None:
        return None
    field = fields[name]
    if number == 2:
        return _typed(value, field)
    if number == 4:
        return _in_code_set(value, field, row, facts)
    if field.get("pattern"):
        return re.search(field["pattern"].replace("$", r"\Z"), value, re.ASCII) is not None
    items = value.split(";") if field["type"] == "array" else [value]
    return all(len(item) <= field["length"] for item in items)


def _typed(value: str, field: Facts) -> bool:
    """Whether a text is a value of the field's type in PostgreSQL."""
    kind = field["type"]
    if kind == "boolean":
        return value in ("true", "false")
    if kind == "date":
        return _day(value) is not None
    if kind == "integer":
        return bool(re.fullmatch(r"-?[0-9]+", value)) and -(2**31) <= int(value) < 2**31
    digits, scale = field["digits"]
    if not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value):
        return False
    rounded = Decimal(value).quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP) if len(value) < 100 else None
    return rounded is not None and abs(rounded) < Decimal(10) ** (digits - scale)


def _day(value: str | None) -> date | None:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value or ""):
        return None
    try:
        return date(int(value[:4]), int(value[5:7]), int(value[8:]))
    except ValueError:
        return None


def _in_code_set(value: str, field: Facts, row: Row, facts: Facts) -> bool | None:
    codes = facts["code_sets"][field["code_set"]]
    if field["type"] == "array":
        return all(item in codes for item in value.split(";"))
    if value in codes:
        return True
    if not field.get("edition"):
        return False
    how, day_field = field["edition"]
    former = [f for f in facts["former_codes"].get(field["code_set"], ()) if f["code"] == value]
    day = _day(row.values.get(day_field))
    if former and day is None:
        return None
    on = day.isoformat() if day else ""
    if how == "at":
        return any(f["valid_from"] <= on <= f["valid_to"] for f in former)
    return any(on <= f["admits_until"] for f in former)


def _taken_keys(rows: list[Row]) -> set[int]:
    """ids of the rows whose natural key another record keeps: the one with the smallest record id."""
    holders: dict[str, list[Row]] = {}
    for row in rows:
        if row.key is not None:
            holders.setdefault(row.key, []).append(row)
    taken: set[int] = set()
    for same in holders.values():
        keeper = min(row.record_id.encode() for row in same)
        taken |= {id(row) for row in same if row.record_id.encode() != keeper}
    return taken


def _observed(rule: Facts, row: Row, entity: Facts) -> str | None:
    """What the rule saw; of what identifies a person only that there was something."""
    seen = []
    for name in rule["column"].split("|"):
        value = row.record_id if name == "src_record_id" else row.values.get(name)
        if name in entity["personal"] and value:
            value = HIDDEN
        seen.append(value)
    return seen[0] if len(seen) == 1 else "|".join(v for v in seen if v is not None)
