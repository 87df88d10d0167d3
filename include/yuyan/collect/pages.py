"""JSON pages to text columns: fast when a page is as announced, careful when it is not.

Numbers and booleans become their text, items of arrays are joined with ';', an empty array is null. Both ways end in the
same polars parser, so that a value has the same text whichever way its page went.
"""

import io
import json
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from decimal import Decimal

import numpy as np
import polars as pl
from polars.exceptions import PolarsError

from yuyan.collect import field_names
from yuyan.collect.source import ITEMS, Page
from yuyan.domain.platforms import Limits

STRUCTURE = "{…}"
"""Stands for an object where a value belongs: what is inside was announced by nobody and does not land."""

_PART = 1 << 18
"""Bytes looked at together: what is made of them stays in the processor's cache."""


_DIGITS = 38
"""The parser keeps integers of so many digits; of a fraction it keeps a double."""

_LONG = 17
"""Digits and points of a number that a double may not hold."""

_BEFORE_A_NUMBER = np.frombuffer(b":,[- \t\r\n", np.uint8)


_ONE = threading.Lock()


class BadPage(ValueError):
    """The bytes are not an array of JSON objects."""


def parse(
    raw: bytes,
    names: Iterable[str],
    arrays: frozenset[str] = frozenset(),
    feed: str = ITEMS,
    most: int = Limits().unannounced,
) -> Page:
    """A JSON array of objects as a Page with the columns `names`. Fields nobody announced never become columns; so many of
    their names are told apart.

    Raises BadPage; the message has no value of the page.
    """
    schema = {name: pl.List(pl.String) if name in arrays else pl.String for name in names}
    if _has_long_number(raw):
        return _careful(raw, schema, feed, most)
    try:
        frame = _read(raw, schema)
    except PolarsError:
        return _careful(raw, schema, feed, most)
    nulls = dict(zip(frame.columns, frame.null_count().row(0), strict=True))
    if raw.count(b"{") != frame.height or _unannounced(raw, frame, sum(nulls.values())):
        return _careful(raw, schema, feed, most)
    empty = (name for name, n in nulls.items() if frame.height and n == frame.height)
    absent = tuple(name for name in empty if json.dumps(name, ensure_ascii=False).encode() not in raw)
    return Page(_joined(frame), feed, absent=absent)


def _read(raw: bytes, schema: dict[str, pl.DataType]) -> pl.DataFrame:
    return pl.read_json(io.BytesIO(raw), schema=schema)


def _joined(frame: pl.DataFrame) -> pl.DataFrame:
    """Lists as text. Items that are null are left out."""
    lists = [name for name, kind in frame.schema.items() if kind == pl.List]
    text = {name: pl.col(name).list.join(";", ignore_nulls=True) for name in lists}
    return (
        frame.with_columns(pl.when(t != "").then(t).alias(name) for name, t in text.items())
        if text
        else frame
    )


def _unannounced(raw: bytes, frame: pl.DataFrame, nulls: int) -> bool:
    """Whether the page may hold keys that the frame does not; never parses it again.

    Of the `":` in the page (keys), those of the frame's columns are all cells less those that are absent, and absent
    are the nulls that the page does not spell out. What is left over belongs to keys that nobody announced, or to text with
    `":` in it: the careful way tells. (An unannounced key that is null in every row is not noticed: it says nothing.)
    """
    left = _pairs(raw, '":') - frame.width * frame.height + nulls
    return left != _pairs(raw, ":n") and left != raw.count(b":null") + raw.count(b": null")


def _pairs(raw: bytes, pair: str) -> int:
    """How often two characters follow each other: a quarter of what bytes.count takes for frequent ones."""
    data, (first, second) = np.frombuffer(raw, np.uint8), pair.encode()
    parts = (data[i : i + _PART + 1] for i in range(0, data.size - 1, _PART))
    return sum(int(np.count_nonzero((part[:-1] == first) & (part[1:] == second))) for part in parts)


def _has_long_number(raw: bytes) -> bool:
    """Whether a number (not a text) of the page may have _LONG digits or more, which the parser could round.

    Looks at every fourth byte: a run of seventeen digits has four of them, one after the other.
    """
    data = np.frombuffer(raw, np.uint8)
    sample = data[::4]
    digit = (sample >= 46) & (sample <= 57)
    runs = digit[:-3] & digit[1:-2] & digit[2:-1] & digit[3:]
    first = np.flatnonzero(runs[1:] & ~runs[:-1]) + 1
    if not first.size:
        return False
    before = data[first * 4 - np.arange(1, 5)[:, None]]
    begins = np.argmax((before < 46) | (before > 57), axis=0)
    return bool(np.isin(before[begins, np.arange(first.size)], _BEFORE_A_NUMBER).any())


def _careful(raw: bytes, schema: dict[str, pl.DataType], feed: str, most: int) -> Page:
    """One page at a time in a process: as objects of Python it takes ten times its size."""
    with _ONE:
        return _by_objects(raw, schema, feed, most)


def _by_objects(raw: bytes, schema: dict[str, pl.DataType], feed: str, most: int) -> Page:
    unannounced: Counter[str] = Counter()
    try:
        # integers of any length, which orjson makes floats of
        rows = json.loads(raw, parse_constant=_no_number, parse_int=_integer, parse_float=_fraction)
        for row in rows:
            field_names.count(unannounced, ((name, 1) for name in _not_taken(row, schema)), most)
        seen = {key for row in rows for key in row.keys() & schema.keys()}
    except (ValueError, AttributeError, TypeError, RecursionError):
        raise BadPage("a page is not an array of JSON objects") from None
    for i, row in enumerate(rows):  # in its place: two of all would be twice the memory
        rows[i] = {key: _value(value, schema[key]) for key, value in row.items() if key in schema}
    try:
        frame = _read(json.dumps(rows).encode(), schema)
    except (PolarsError, RecursionError):
        raise BadPage("a page cannot be read as text columns") from None
    absent = tuple(name for name in schema if rows and name not in seen)
    return Page(_joined(frame), feed, dict(unannounced), absent)


def _not_taken(row: dict[str, object], schema: dict[str, pl.DataType]) -> Iterator[str]:
    """Names of the fields that nobody announced, and of those whose objects are not taken."""
    for key, value in row.items():
        if key not in schema:
            yield key
        elif _hides(value):
            yield f"{key}.{{}}"


def _integer(token: str) -> int | str:
    return int(token) if len(token) <= _DIGITS else token


def _fraction(token: str) -> str:
    """A number with all its digits, without exponent and closing noughts as the parser writes it."""
    number = Decimal(token)
    if abs(number.adjusted()) > _DIGITS:
        return token
    text = f"{number:f}" if number else "0"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _no_number(token: str) -> None:
    raise ValueError(f"{token} is no JSON")


def _hides(value: object) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(map(_hides, value)))


def _value(value: object, kind: pl.DataType) -> object:
    """A value that the parser takes for a column of this kind: a list where text belongs is kept as JSON text."""
    if isinstance(value, dict):
        return STRUCTURE if kind == pl.String else [STRUCTURE]
    if not isinstance(value, list):
        return value
    items = [STRUCTURE if _hides(v) else v for v in value]
    if kind == pl.String:
        return _compact(items)
    return [_compact(v) if isinstance(v, list) else v for v in items]


def _compact(items: list) -> str:
    return json.dumps(items, ensure_ascii=False, separators=(",", ":"))
