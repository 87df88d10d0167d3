"""How text is normalised, for every product alike: the one place that changes what a source wrote.

`trimmed`: white space and invisible characters at the edges go (a CHAR column is padded, a cell ends in a line feed); what
is then empty is NULL. `identifier`, for what identifies or refers to a record: moreover full-width characters become
half-width (Unicode NFKC) and invisible characters go wherever they are, so that one key is one text.
"""

import polars as pl

EDGES = r"^[\s\p{Cc}\p{Cf}]+|[\s\p{Cc}\p{Cf}]+$"
_PLAIN = r"[^\x21-\x7e]"


def trimmed(value: pl.Expr) -> pl.Expr:
    """Text without white space and invisible characters at its edges; NULL if nothing is left."""
    return value.map_batches(_trimmed, return_dtype=pl.String)


def identifier(value: pl.Expr) -> pl.Expr:
    """Text of an identifier in its one form; NULL if nothing is left."""
    return value.map_batches(_identifier, return_dtype=pl.String)


def _trimmed(values: pl.Series) -> pl.Series:
    if values.str.contains(EDGES).any():
        values = values.str.replace_all(EDGES, "")
    return _null_for_empty(values)


def _identifier(values: pl.Series) -> pl.Series:
    if values.str.contains(_PLAIN).any():
        values = values.str.normalize("NFKC").str.replace_all(r"[\x00\p{Cf}]+", "").str.replace_all(EDGES, "")
    return _null_for_empty(values)


def _null_for_empty(values: pl.Series) -> pl.Series:
    return values.set(values == "", None) if (values == "").any() else values
