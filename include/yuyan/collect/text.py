"""How text is normalised, for every product alike: the one place that changes what a source wrote.

`trimmed`: white space and invisible characters at the edges go (a CHAR column is padded, a cell ends in a line feed); what
is then empty is NULL. `identifier`, for what identifies or refers to a record: moreover full-width characters become
half-width (Unicode NFKC) and invisible characters go wherever they are, so that one key is one text.
"""

import numpy as np
import polars as pl

EDGES = r"^[\s\p{Cc}\p{Cf}]+|[\s\p{Cc}\p{Cf}]+$"
_PLAIN = r"[^\x21-\x7e]"


def trimmed(value: pl.Expr) -> pl.Expr:
    """Text without white space and invisible characters at its edges; NULL if nothing is left."""
    return value.map_batches(_trimmed, return_dtype=pl.String)


def identifier(value: pl.Expr) -> pl.Expr:
    """Text of an identifier in its one form; NULL if nothing is left."""
    return value.map_batches(_identifier, return_dtype=pl.String)


def plain(frame: pl.DataFrame) -> frozenset[str]:
    """Columns that normalising leaves as they are, seen at a glance: visible ASCII characters, no empty text."""
    return frozenset(
        name for name in frame.columns if frame[name].dtype == pl.String and _is_plain(frame[name])
    )


def _is_plain(values: pl.Series) -> bool:
    arrow = values.rechunk().to_arrow()
    ends = np.frombuffer(arrow.buffers()[1], np.int64)[arrow.offset : arrow.offset + len(arrow) + 1]
    data = np.frombuffer(arrow.buffers()[2] or b"", np.uint8)[ends[0] : ends[-1]]
    is_visible = not data.size or (data.min() > 0x20 and data.max() < 0x7F)
    may_be_empty = np.any(ends[1:] == ends[:-1])  # or NULL
    return is_visible and not (may_be_empty and (values == "").any())


def _trimmed(values: pl.Series) -> pl.Series:
    if any(
        values.str.contains(edge).any() for edge in EDGES.split("|")
    ):  # by itself, each looks at one character
        values = values.str.replace_all(EDGES, "")
    return _null_for_empty(values)


def _identifier(values: pl.Series) -> pl.Series:
    if values.str.contains(_PLAIN).any():
        values = values.str.normalize("NFKC").str.replace_all(r"[\x00\p{Cf}]+", "").str.replace_all(EDGES, "")
    return _null_for_empty(values)


def _null_for_empty(values: pl.Series) -> pl.Series:
    return values.set(values == "", None) if (values == "").any() else values
