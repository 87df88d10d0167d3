"""Vectorised building blocks: random streams, dates and codes as text columns, identifiers with valid check characters."""

import zlib
from collections.abc import Sequence
from datetime import date

import numpy as np
import polars as pl
import pyarrow as pa

EPOCH = date(1970, 1, 1)
NEVER = 2**30
"""A day number that lies after everything: "not yet"."""

_FIRST = (date(1960, 1, 1) - EPOCH).days
_DATES = pl.date_range(date(1960, 1, 1), date(2050, 12, 31), eager=True).cast(pl.String)

USCC_LETTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_WEIGHTS = np.array([pow(3, i, 31) for i in range(17)])
_CERT_WEIGHTS = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2])
_CERT_CHECK = np.frombuffer(b"10X98765432", dtype=np.uint8)


def stream(seed: int, *numbers: int) -> np.random.Generator:
    """A generator of its own for one entity (and day), so that entities do not disturb each other."""
    return np.random.Generator(np.random.PCG64([seed, *numbers]))


def day(year: int, month: int, dom: int) -> int:
    """Day number of a date (days since 1970-01-01)."""
    return (date(year, month, dom) - EPOCH).days


def days(year: np.ndarray, month: int, dom: int) -> np.ndarray:
    """Day numbers of the same day in many years."""
    months = (np.asarray(year) - 1970).astype("datetime64[Y]").astype("datetime64[M]") + (month - 1)
    return (months.astype("datetime64[D]") + (dom - 1)).astype(np.int64)


def year_of(day_numbers: np.ndarray) -> np.ndarray:
    """Calendar years of day numbers."""
    return np.asarray(day_numbers).astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970


def dates(day_numbers: np.ndarray, present: np.ndarray | None = None) -> pl.Series:
    """Day numbers as yyyy-mm-dd text; null where `present` is false or the day is NEVER."""
    numbers = np.asarray(day_numbers)
    known = numbers < NEVER if present is None else (numbers < NEVER) & present
    text = _DATES.gather(np.where(known, numbers - _FIRST, 0))
    return null_unless(text, known)


def null_unless(values: pl.Series, present: np.ndarray) -> pl.Series:
    """The values where `present`, null elsewhere."""
    if present.all():
        return values
    return pl.select(pl.when(pl.Series(present)).then(values)).to_series()


def pick(values: Sequence[str | None], index: np.ndarray) -> pl.Series:
    """Text column: `values[index]`."""
    return pl.Series(values, dtype=pl.String).gather(np.asarray(index))


def text(value: str | None, length: int) -> pl.Series:
    """A constant text column."""
    return pl.repeat(value, length, dtype=pl.String, eager=True)


def flags(values: np.ndarray) -> pl.Series:
    """Booleans as true/false text."""
    return pick(("false", "true"), np.asarray(values).astype(np.int8))


def integers(values: np.ndarray) -> pl.Series:
    """Whole numbers as text."""
    return pl.Series(np.asarray(values).astype(np.int64)).cast(pl.String)


def decimals(values: np.ndarray, scale: int) -> pl.Series:
    """Non-negative numbers as text with a fixed number of digits after the point."""
    whole = np.rint(np.asarray(values, dtype=np.float64) * 10**scale).astype(np.int64)
    left = pl.Series(whole // 10**scale).cast(pl.String)
    right = pl.Series(whole % 10**scale).cast(pl.String).str.zfill(scale)
    return left + "." + right


def money(value: pl.Expr) -> pl.Expr:
    """An amount as text with two digits after the point, for use within a frame."""
    cents = (value * 100).round().cast(pl.Int64)
    return pl.format("{}.{}", cents // 100, (cents % 100).cast(pl.String).str.zfill(2))


def padded(values: np.ndarray, width: int) -> pl.Series:
    """Whole numbers as text with leading zeros."""
    return integers(values).str.zfill(width)


def join(*parts: pl.Series | str) -> pl.Series:
    """Text columns and constants side by side."""
    exprs = [pl.lit(p) if isinstance(p, str) else pl.lit(p.alias(f"p{i}")) for i, p in enumerate(parts)]
    return pl.select(pl.concat_str(exprs)).to_series()


def fixed(letters: np.ndarray) -> pl.Series:
    """Rows of ASCII letters (uint8, n × width) as a text column."""
    letters = np.ascontiguousarray(letters, dtype=np.uint8)
    if len(letters) == 0:
        return pl.Series([], dtype=pl.String)
    array = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(letters.shape[1]), len(letters), [None, pa.py_buffer(letters.tobytes())]
    )
    return pl.Series(pl.from_arrow(array.cast(pa.binary()).cast(pa.string())))


def hexadecimal(words: np.ndarray) -> pl.Series:
    """Rows of 64-bit words (uint64, n × k) as text of 16·k hexadecimal digits."""
    words = np.ascontiguousarray(words if words.ndim == 2 else words[:, None], dtype=">u8")
    digits = np.frombuffer(words.tobytes().hex().encode(), dtype=np.uint8)
    return fixed(digits.reshape(len(words), 16 * words.shape[1]))


def series(entity: str, day: int = 0) -> int:
    """Where the numbers of an entity's records of a day begin: far from every other's, whatever entities there are."""
    return (day << 56) + (zlib.crc32(entity.encode()) >> 8 << 32)


def mix(values: np.ndarray) -> np.ndarray:
    """A one-to-one scrambling of 64-bit numbers (splitmix64): unlike numbers stay unlike."""
    x = np.asarray(values).astype(np.uint64)
    with np.errstate(over="ignore"):
        x = x + np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _digits(values: np.ndarray, width: int) -> np.ndarray:
    powers = 10 ** np.arange(width - 1, -1, -1, dtype=np.int64)
    return (np.asarray(values, dtype=np.int64)[:, None] // powers % 10).astype(np.int64)


def cert_numbers(person: np.ndarray, birth_year: np.ndarray, regions: Sequence[str]) -> pl.Series:
    """Eighteen-character identity numbers, one per person number, never the same twice (GB 11643 check character).

    Region, day of birth and sequence come from the person number alone, so the birth year is free.
    """
    size = len(regions) * 365 * 1000
    number = (np.asarray(person, dtype=np.int64) * 7_368_787 + 1_234_577) % size
    region = np.array([[int(c) for c in r] for r in regions])[number // 365_000]
    born = days(birth_year, 1, 1) + number // 1000 % 365
    months = born.astype("datetime64[D]").astype("datetime64[M]")
    month = months.astype(np.int64) % 12 + 1
    dom = born - months.astype("datetime64[D]").astype(np.int64) + 1
    body = np.hstack(
        [region, _digits(year_of(born), 4), _digits(month, 2), _digits(dom, 2), _digits(number % 1000, 3)]
    )
    check = _CERT_CHECK[body @ _CERT_WEIGHTS % 11]
    return fixed(np.hstack([body + 48, check[:, None]]))


def uscc_numbers(prefix: str, region: Sequence[str], number: np.ndarray) -> pl.Series:
    """Unified social credit codes (GB 32100): prefix, six-digit region, nine characters from a number, check character."""
    scrambled = (np.asarray(number, dtype=np.int64) * 48_271 + 11) % 31**6
    organisation = scrambled[:, None] // 31 ** np.arange(5, -1, -1) % 31
    region_digits = np.array([[int(c) for c in r] for r in region]).reshape(len(number), 6)
    head = np.tile([USCC_LETTERS.index(c) for c in prefix], (len(number), 1))
    body = np.hstack([head, region_digits, np.tile([10, 0, 0], (len(number), 1)), organisation])
    check = (31 - body @ _USCC_WEIGHTS % 31) % 31
    letters = np.frombuffer(USCC_LETTERS.encode(), dtype=np.uint8)
    return fixed(letters[np.hstack([body, check[:, None]])])


class Groups:
    """Members of groups 0..n−1, to draw one member of a given group at random without a loop."""

    def __init__(self, group: np.ndarray, n: int) -> None:
        self.order = np.argsort(group, kind="stable")
        self.count = np.bincount(group, minlength=n)
        self.start = np.concatenate([[0], np.cumsum(self.count)[:-1]])

    def draw(self, rng: np.random.Generator, group: np.ndarray) -> np.ndarray:
        """One member of each given group; −1 where a group is empty."""
        where = self.start[group] + (rng.random(len(group)) * self.count[group]).astype(np.int64)
        return np.where(self.count[group] > 0, self.order[np.minimum(where, len(self.order) - 1)], -1)


def weighted(rng: np.random.Generator, weights: Sequence[float], n: int) -> np.ndarray:
    """n draws of an index with the given weights."""
    edges = np.cumsum(np.asarray(weights, dtype=np.float64))
    return np.searchsorted(edges / edges[-1], rng.random(n), side="right")


def counts(rng: np.random.Generator, expected: np.ndarray) -> np.ndarray:
    """Whole numbers with the given expectation: rounded down, plus one by chance."""
    expected = np.asarray(expected, dtype=np.float64)
    return np.floor(expected + rng.random(expected.shape)).astype(np.int64)


def running(group: np.ndarray) -> np.ndarray:
    """Position of each element within its group, from 0, in the order given."""
    order = np.argsort(group, kind="stable")
    ranked = np.asarray(group)[order]
    first = np.concatenate([[True], ranked[1:] != ranked[:-1]]) if len(ranked) else np.array([], dtype=bool)
    start = np.maximum.accumulate(np.where(first, np.arange(len(ranked)), 0)) if len(ranked) else ranked
    result = np.empty(len(ranked), dtype=np.int64)
    result[order] = np.arange(len(ranked)) - start
    return result
