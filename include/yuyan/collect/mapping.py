"""From a source's columns (all text, its own names and codes) to the contract's columns in canonical form.

A value that does not have the form its product prescribes, or a code that the map does not know, is kept as it is, so that
validation names it. Everything is a polars expression; nothing here looks at a single row.
"""

from decimal import Decimal

import polars as pl

from yuyan.domain.contracts import Contract, Field
from yuyan.domain.institutions import EntityMap

RULES = 1
"""Raise when the code below maps a value differently than before: replays then load the difference."""

BEIJING = "Asia/Shanghai"
_TIMES = {"compact-time": "%Y%m%d%H%M%S", "time": "%Y-%m-%d %H:%M:%S%.f"}


def version(mapping: EntityMap) -> str:
    """Identity of the mapping: profile, contract columns and these rules."""
    return f"{RULES}-{mapping.version}"


def columns(contract: Contract, mapping: EntityMap) -> list[pl.Expr]:
    """One expression per stored column of the contract, in its order; NULL where the source has no such field."""
    return [_column(f, mapping).alias(f.name) for f in contract.columns]


def sources(contract: Contract, mapping: EntityMap) -> set[str]:
    """Names of the landed columns that `columns` reads."""
    return {name for f in contract.columns if (name := f.name if f.derived else mapping.names.get(f.name))}


def record_key(contract: Contract) -> pl.Expr:
    """The natural key as a|b over mapped columns; NULL if a part is NULL."""
    return pl.concat_str([pl.col(name) for name in contract.key], separator="|")


def source_version(mapping: EntityMap, delivery: int | None) -> pl.Expr:
    """The version order as an integer: change version, microseconds since 1970 UTC, or the delivery's sequence.

    NULL where the source's value cannot be read.
    """
    if mapping.version_as == "delivery":
        return pl.lit(delivery, pl.Int64)
    text = pl.col(mapping.version_column)
    if mapping.version_as == "number":
        return text.cast(pl.Int64, strict=False)
    moment = text.str.to_datetime(_TIMES[mapping.version_as], time_unit="us", strict=False, exact=True)
    return moment.dt.replace_time_zone(BEIJING, ambiguous="earliest", non_existent="null").dt.epoch("us")


def is_deleted(mapping: EntityMap) -> pl.Expr:
    """Whether the source marks the row as deleted."""
    if mapping.deleted is None:
        return pl.lit(False)
    return (pl.col(mapping.deleted) == mapping.formats.boolean[0]).fill_null(False)


def _column(f: Field, mapping: EntityMap) -> pl.Expr:
    name = f.name if f.derived else mapping.names.get(f.name)
    if name is None:
        return pl.lit(None, pl.String)
    value = pl.col(name)
    if mapping.formats.empty_is_null:
        value = pl.when(value != "").then(value)
    if f.name in mapping.prefixed:
        value = _with_inst_code(value, mapping, f.type == "array")
    if codes := mapping.codes.get(f.name):
        value = value.replace(codes)
    return _canonical(value, f, mapping)


def _with_inst_code(value: pl.Expr, mapping: EntityMap, is_array: bool) -> pl.Expr:
    """Put the institution's code in front; a number behind the star is whole already."""
    items = value.str.split(";") if is_array else value

    def one(item: pl.Expr) -> pl.Expr:
        whole = item.str.starts_with(mapping.whole)
        return (
            pl.when(whole)
            .then(item.str.strip_prefix(mapping.whole))
            .otherwise(pl.lit(mapping.inst_code) + item)
        )

    return items.list.eval(one(pl.element())).list.join(";") if is_array else one(value)


def _canonical(value: pl.Expr, f: Field, mapping: EntityMap) -> pl.Expr:
    if f.type == "date":
        return _date(value, mapping.formats.date)
    if f.type == "boolean":
        true, false = mapping.formats.boolean
        return value if (true, false) == ("true", "false") else value.replace({true: "true", false: "false"})
    if f.type == "integer":
        return value.str.strip_chars().str.replace(r"^(-?\d+)\.0+$", "${1}")
    if f.type == "number":
        return value.str.strip_chars().map_batches(_without_exponent, return_dtype=pl.String)
    return value


def _date(value: pl.Expr, form: str) -> pl.Expr:
    if form == "yyyymmdd":
        return value.str.replace(r"^(\d{4})(\d{2})(\d{2})$", "${1}-${2}-${3}")
    if form == "yyyy/m/d":
        padded = value.str.replace(r"^(\d{4}/)(\d)/", "${1}0${2}/").str.replace(
            r"^(\d{4}/\d{2}/)(\d)$", "${1}0${2}"
        )
        return padded.str.replace(r"^(\d{4})/(\d{2})/(\d{2})$", "${1}-${2}-${3}")
    return value.str.strip_suffix(" 00:00:00")


def _without_exponent(values: pl.Series) -> pl.Series:
    """1.5e-05 as 0.000015, which JSON writers and the parser make of small and large numbers; everything else as it is."""
    written = values.str.contains(r"^-?\d+(\.\d+)?[eE][-+]?\d{1,2}$")
    if not written.any():
        return values
    odd = values.filter(written).unique()
    return values.replace(odd, [f"{Decimal(v).normalize():f}" for v in odd])
