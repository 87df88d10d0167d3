"""Rows as lines of PostgreSQL's COPY text format, and the digest by which an unchanged row is known.

The digest of a row is BLAKE2b with 16 bytes over the UTF-8 of its own COPY text: the deletion mark (t, f) and the business
columns in the contract's order, separated by tabs, NULL as \\N, with backslash, tab, line feed and carriage return escaped
by a backslash. That text is fixed by PostgreSQL's documentation of COPY, not by a library: digests stay comparable.
"""

import hashlib

import numpy as np
import polars as pl

NULL = r"\N"
_SPECIAL = {"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r", "\x00": "�"}
"""What COPY needs escaped. PostgreSQL's text cannot hold U+0000: it becomes the replacement character."""

_PART = 1 << 18


def copy_text(frame: pl.DataFrame) -> pl.Series:
    """One COPY line per row, without the line feed, of a frame of text columns."""
    text = _joined(frame)
    return text if _is_plain(text, frame) else _joined(frame.select(pl.all().str.replace_many(_SPECIAL)))


def digests(text: pl.Series) -> pl.Series:
    """Digest per row of `copy_text`, as hexadecimal text."""
    blake2b = hashlib.blake2b
    made = [blake2b(line, digest_size=16).hexdigest() for line in text.cast(pl.Binary).to_list()]
    return pl.Series(made, dtype=pl.String)


def buffer(lines: pl.Series) -> memoryview:
    """The bytes of all lines, one after the other, as COPY takes them."""
    arrow = lines.rechunk().to_arrow()
    ends = memoryview(arrow.buffers()[1]).cast("q")
    return memoryview(arrow.buffers()[2])[ends[arrow.offset] : ends[arrow.offset + len(arrow)]]


def _joined(frame: pl.DataFrame) -> pl.Series:
    return frame.select(pl.concat_str(pl.all().fill_null(NULL), separator="\t")).to_series()


def _is_plain(text: pl.Series, frame: pl.DataFrame) -> bool:
    """Whether no value holds a special character: the text then has the tabs and backslashes that we put there, no more.

    Looks for all control characters up to carriage return at once, in parts that stay in the processor's cache.
    """
    data, tabs, backslashes = np.frombuffer(buffer(text), np.uint8), 0, 0
    for part in (data[i : i + _PART] for i in range(0, data.size, _PART)):
        tabs += np.count_nonzero(part <= ord("\r"))
        backslashes += np.count_nonzero(part == ord("\\"))
    nulls = sum(frame.null_count().row(0))
    return tabs == frame.height * (frame.width - 1) and backslashes == nulls
