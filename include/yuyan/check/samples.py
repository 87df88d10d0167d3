"""What may be shown of a source's first rows: types, forms, how much is filled, and codes; never a person.

Of a column that nobody has mapped yet, nobody can know whether it names persons. So a value is shown only where it is a
known code or word (男, 硕士, true), a letter, or one or two digits with at most a letter on either side, and five rows share
it. Of every other value only the shape is shown: 9 for a digit, a or A for a letter, 汉 for a Chinese character.
"""

import re
from collections import Counter
from dataclasses import dataclass
from datetime import date
from functools import cache

import polars as pl

from yuyan.collect.field_names import COLUMN_ROWS, HIDDEN, is_name
from yuyan.collect.moments import WORDS
from yuyan.collect.source import Resource
from yuyan.domain import contracts, platforms
from yuyan.domain.date_forms import MONTHS, date_pattern

SHARED = COLUMN_ROWS
"""So many rows share a value before it may be a code."""
SHOWN = 12
"""Codes of a column that are shown."""
LONGEST = 24
"""Characters of a shape that are shown."""
DATE_FORMS = (
    "yyyy-mm-dd", "yyyymmdd", "yyyy/m/d", "dd.mm.yyyy", "d.m.yyyy", "dd/mm/yyyy", "mm/dd/yyyy", "d/m/yyyy", "m/d/yyyy",
    "dd-mon-yyyy", "dd-mon-yy", "yyyy年m月d日", "dd-mm-yyyy", "yyyy.mm.dd",
)  # fmt: skip
"""Forms of dates that are tried, in this order."""

_CODE = re.compile(r"[A-Za-z]?\d{1,2}[A-Za-z]?|[A-Za-z]")
_PERSONAL = {
    "证件号码": re.compile(r"[1-9]\d{16}[\dXx]|[1-9]\d{14}"),
    "电话": re.compile(r"(\+?86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}|\+\d[\d -]{7,}\d|0\d{2,3}-\d{7,8}"),
    "电子邮箱": re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+"),
}
"""What values look like that identify or reach a person."""
_NUMBER = re.compile(r"-?\d+([.,]\d+)?")


@dataclass(frozen=True)
class Column:
    """A column as it may be shown. `filled`: share of the rows that have a value; `form`: of dates and numbers what they
    are, of all else the most frequent shape; `values`: shared codes; `personal`: what its values look like."""

    name: str
    type: str
    form: str
    filled: float
    values: tuple[str, ...] = ()
    personal: str = ""


def columns(resource: Resource) -> list[Column]:
    """The columns of a resource, without anybody's data."""
    return [
        _column(name if is_name(name) else HIDDEN, resource.types.get(name, ""), resource.rows[name])
        for name in resource.rows.columns
    ]


def given(values: pl.Series) -> list[str]:
    """The values that there are, without white space around."""
    return [text for v in values.to_list() if v is not None and (text := v.strip())]


def _column(name: str, kind: str, values: pl.Series) -> Column:
    there = given(values)
    filled = len(there) / len(values) if len(values) else 0.0
    for what, pattern in _PERSONAL.items():
        if any(pattern.fullmatch(v) for v in there):
            return Column(name, kind, "（已隐去）", filled, personal=what)
    shared = [v for v, n in Counter(there).most_common(SHOWN) if n >= SHARED and _may_be_shown(v)]
    return Column(name, kind, form(there), filled, tuple(sorted(shared)))


def form(values: list[str]) -> str:
    """What values are: a form of dates, numbers, or their most frequent shape; `a 或 b` where both forms fit."""
    if not values:
        return "（空）"
    if forms := date_forms(values):
        return " 或 ".join(forms)
    if all(_NUMBER.fullmatch(v) for v in values) and not any(
        v.startswith("0") and len(v) > 1 and v.isdigit() for v in values
    ):
        return "数值" if any(not v.lstrip("-").isdigit() for v in values) else "整数"
    return Counter(map(shape, values)).most_common(1)[0][0]


def shape(value: str) -> str:
    """9 for a digit, A and a for letters, 汉 for Chinese characters, other signs as they are."""
    made = re.sub(r"\d", "9", value)
    made = re.sub(r"[^\W\d_]", lambda m: m[0] if m[0] == "9" else _letter(m[0]), made)
    return made if len(made) <= LONGEST else f"{made[:LONGEST]}…"


def _letter(letter: str) -> str:
    if not letter.isascii():
        return "汉" if letter >= "\u2e80" else "a"
    return "A" if letter.isupper() else "a"


def date_forms(values: list[str]) -> list[str]:
    """The forms in which all of these are days between 1900 and 2100; several, where day and month cannot be told apart."""
    days = {re.sub(r"[ T]0?0:00(:00(\.0+)?)?$", "", v) for v in values}
    found = [form for form in DATE_FORMS if all(_is_day(v, form) for v in days)]
    if "d.m.yyyy" in found and "dd.mm.yyyy" in found:
        found.remove("d.m.yyyy")
    for padded, plain in (("dd/mm/yyyy", "d/m/yyyy"), ("mm/dd/yyyy", "m/d/yyyy")):
        if padded in found and plain in found:
            found.remove(plain)
    return found


def _is_day(value: str, form: str) -> bool:
    if not (match := date_pattern(form).fullmatch(value)):
        return False
    parts = match.groupdict()
    name = parts.get("name", "").lower()
    if name and name not in MONTHS:
        return False
    month = MONTHS.index(name) + 1 if name else int(parts["month"])
    year = int(parts.get("year") or f"20{parts['short_year']}")
    try:
        return 1900 <= date(year, month, int(parts["day"])).year <= 2100
    except ValueError:
        return False


def _may_be_shown(value: str) -> bool:
    return bool(_CODE.fullmatch(value)) or value in _known() or value in WORDS


def local_codes(code_set: str) -> dict[str, str]:
    """How sources write the codes of a set -> national code: by the codes, by their names, as products of ours do."""
    codes = contracts.code_sets()[code_set]
    found = {name: code for code, name in codes.items()}
    for platform in platforms.load().values():
        found |= platform.codes.get(code_set, {})
    return found | {code: code for code in codes}


@cache
def _known() -> frozenset[str]:
    """Codes and names of the code sets, but those of letters alone, which may be somebody's name."""
    words = {word for name in contracts.code_sets() for pair in local_codes(name).items() for word in pair}
    return frozenset(w for w in words if not (w.isascii() and w.isalpha()))
