"""Records as JSON text, column by column: a page of thousands of records without a loop over its rows."""

from collections.abc import Iterable

import orjson
import polars as pl

from yuyan.domain.contracts import Contract

_CANONICAL = {
    "integer": r"^(?:0|-?[1-9]\d*)$",
    "number": r"^-?(?:0|[1-9]\d*)(?:\.\d+)?$",
    "boolean": "^(?:true|false)$",
}
"""Texts that are JSON literals of the type as they stand."""

_SPECIAL = r'["\\\x00-\x1f]'
"""Characters that a JSON string must escape."""


def typed_items(frame: pl.DataFrame, contract: Contract, extra: Iterable[str] = ()) -> str:
    """Records of the versioned product as a JSON array; a value that is not of its field's type is a string."""
    stamp = frame["updated_at"].dt.strftime("%Y-%m-%dT%H:%M:%S")
    columns = {name: _string(frame[name]) for name in ("src_inst_code", "src_record_id")}
    columns["change_version"] = frame["change_version"].cast(pl.String)
    columns["updated_at"] = _string(stamp)
    for f in contract.supplied:
        columns[f.name] = _typed(frame[f.name], f.type)
    for name in extra:
        columns[name] = _string(frame[name])
    return _array(columns)


def text_items(frame: pl.DataFrame) -> str:
    """Every column as a JSON string, null as an empty one, in a JSON array of objects."""
    return _array({name: _string(frame[name].fill_null("")) for name in frame.columns})


def objects(frame: pl.DataFrame) -> str:
    """A JSON array of the frame's rows: strings, integers and nulls."""
    text = {
        n: _string(s) if s.dtype == pl.String else s.cast(pl.String)
        for n, s in zip(frame.columns, frame, strict=True)
    }
    return _array(text)


def _typed(column: pl.Series, kind: str) -> pl.Series:
    if kind == "array":
        return _list(column)
    text = _string(column)
    if kind not in _CANONICAL:
        return text
    literal = column.str.contains(_CANONICAL[kind])
    return column.zip_with(literal.fill_null(False), text)


def _string(column: pl.Series) -> pl.Series:
    if column.str.contains(_SPECIAL).any():
        values = [None if v is None else orjson.dumps(v).decode() for v in column]
        return pl.Series(column.name, values, dtype=pl.String)
    return '"' + column + '"'


def _list(column: pl.Series) -> pl.Series:
    items = "[" + _string(column).str.replace_all(";", '","', literal=True) + "]"
    return items.replace('[""]', "[]")


def _array(columns: dict[str, pl.Series]) -> str:
    """Join encoded columns (JSON text or null) into one JSON array of objects."""
    parts: list[pl.Expr] = []
    for i, name in enumerate(columns):
        parts += [pl.lit(f'{"{" if i == 0 else ","}"{name}":'), pl.col(name).fill_null("null")]
    rows = pl.DataFrame([s.alias(name) for name, s in columns.items()]).select(
        pl.concat_str([*parts, pl.lit("}")]).str.join(",")
    )
    return f"[{rows.item() or ''}]"
