"""From a source's columns (all text, its own names and codes) to the contract's columns in canonical form.

A value that does not have the form its product prescribes, or a code that the map does not know, is kept as it is, so that
validation names it. Text is normalised here and nowhere else (collect/text.py), alike for every product; so are empty
values (NULL), truth values in the usual words, and dates written with a midnight or a zone.
"""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal

import polars as pl

from yuyan.collect import text
from yuyan.collect.moments import BEIJING, WORDS, local_day, micros, moment_of
from yuyan.domain import keys
from yuyan.domain.contracts import Contract, Field
from yuyan.domain.institutions import EntityMap

RULES = 2
"""Raise when the code below maps a value differently than before: replays then load the difference."""

_TIMES = {"compact-time": "%Y%m%d%H%M%S", "time": "%Y-%m-%d %H:%M:%S%.f"}
_WRITTEN = {"compact-time": "%Y%m%d%H%M%S", "time": "%Y-%m-%d %H:%M:%S.%f"}


def version(mapping: EntityMap) -> str:
    """Identity of the mapping: profile, contract columns and these rules."""
    return f"{RULES}-{mapping.version}"


def columns(contract: Contract, mapping: EntityMap) -> list[pl.Expr]:
    """One expression per stored column of the contract, in its order; NULL where the source has no such field."""
    return [_column(f, contract, mapping).alias(f.name) for f in contract.columns]


def sources(contract: Contract, mapping: EntityMap) -> set[str]:
    """Names of the landed columns that `columns` reads."""
    return {name for f in contract.columns if (name := f.name if f.derived else mapping.names.get(f.name))}


def record_key(contract: Contract) -> pl.Expr:
    """The natural key as a|b over mapped columns; NULL if a part is NULL."""
    return pl.concat_str([pl.col(name) for name in contract.key], separator="|")


def record_id(mapping: EntityMap) -> pl.Expr:
    """The source's record id, normalised as every identifier."""
    return text.identifier(pl.col(mapping.record_id))


def bounded(ids: pl.Series) -> pl.Series:
    """Record ids; those that are too long for an index shortened, which validation then names."""
    is_long = (ids.str.len_chars() > keys.LONGEST).fill_null(False)
    if not is_long.any():
        return ids
    return ids.replace({text: keys.bounded(text) for text in ids.filter(is_long)})


def normalised(frame: pl.DataFrame, contract: Contract, mapping: EntityMap) -> dict[str, int]:
    """Source column -> rows in which normalising changed its text; only columns where it did."""
    changed = {}
    for name, how in [(mapping.record_id, text.identifier), *_cleaned(contract, mapping)]:
        values = frame[name]
        clean = pl.select(how(pl.lit(values))).to_series()
        if rows := int((values.fill_null("") != clean.fill_null("")).sum()):
            changed[name] = changed.get(name, 0) + rows
    return changed


def _cleaned(contract: Contract, mapping: EntityMap) -> list[tuple[str, Callable[[pl.Expr], pl.Expr]]]:
    fields = (f for f in contract.columns if not f.derived and f.name in mapping.names)
    return [(mapping.names[f.name], _how(f, contract)) for f in fields]


def source_version(mapping: EntityMap, delivery: int | None) -> pl.Expr:
    """The version order as an integer: change version, microseconds since 1970 UTC, or the delivery's sequence.

    NULL where there is none or it cannot be read. Times may be written in ISO 8601 or with slashes, too, whatever the
    product's own form; without a zone they are Beijing's.
    """
    if mapping.version_as == "delivery":
        return pl.lit(delivery, pl.Int64)
    value = text.identifier(pl.col(mapping.version_column))
    if mapping.version_as == "number":
        return value.str.replace(r"\.0+$", "").cast(pl.Int64, strict=False)
    form = _TIMES[mapping.version_as]
    return pl.col(mapping.version_column).map_batches(
        lambda values: _moments(values, form), return_dtype=pl.Int64
    )


def says_version(mapping: EntityMap) -> pl.Expr:
    """Whether the source gives a version at all, readable or not."""
    if mapping.version_column is None:
        return pl.lit(True)
    return text.identifier(pl.col(mapping.version_column)).is_not_null()


def version_text(mapping: EntityMap, moment: int) -> str:
    """Microseconds since 1970 UTC in the product's own form, whose text order is that of time."""
    local = datetime.fromtimestamp(moment // 1_000_000, BEIJING).replace(microsecond=moment % 1_000_000)
    return local.strftime(_WRITTEN[mapping.version_as])


def version_bounds(mapping: EntityMap, as_of: date) -> tuple[int | None, int | None]:
    """The greatest version to believe on a day, and what stands for a greater one: times end with the day, and a record
    stamped later counts as changed when the day began, so that its next change is newer.
    """
    if mapping.version_as not in _TIMES:
        return None, None
    begin = datetime.combine(as_of, time(), BEIJING)
    return micros(begin + timedelta(days=1)), micros(begin)


def is_deleted(mapping: EntityMap) -> pl.Expr:
    """Whether the source marks the row as deleted; NULL where the mark is not a truth value. No mark: not deleted."""
    if mapping.deleted is None:
        return pl.lit(False)
    mark = text.identifier(pl.col(mapping.deleted)).replace(WORDS).fill_null("false")
    return pl.when(mark.is_in(["true", "false"])).then(mark == "true")


def _moments(values: pl.Series, form: str) -> pl.Series:
    moment = values.str.to_datetime(form, time_unit="us", strict=False, exact=True)
    found = moment.dt.replace_time_zone(BEIJING.key, ambiguous="earliest", non_existent="null").dt.epoch("us")
    odd = values.filter(found.is_null() & values.is_not_null()).unique()
    if odd.is_empty():
        return found
    read = pl.Series([moment_of(v) for v in odd], dtype=pl.Int64)
    return found.fill_null(values.replace_strict(odd, read, default=None, return_dtype=pl.Int64))


def _how(f: Field, contract: Contract) -> Callable[[pl.Expr], pl.Expr]:
    return text.identifier if f.name in contract.identifiers else text.trimmed


def _column(f: Field, contract: Contract, mapping: EntityMap) -> pl.Expr:
    name = f.name if f.derived else mapping.names.get(f.name)
    if name is None:
        return pl.lit(None, pl.String)
    value = pl.col(name) if f.derived else _how(f, contract)(pl.col(name))
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
        return value.replace(WORDS | {true: "true", false: "false"})
    if f.type == "integer":
        return value.str.replace(r"^(-?\d+)\.0+$", "${1}")
    if f.type == "number":
        return value.map_batches(_without_exponent, return_dtype=pl.String)
    return value


def _date(value: pl.Expr, form: str) -> pl.Expr:
    day = value.map_batches(_local_days, return_dtype=pl.String)
    if form == "yyyymmdd":
        return day.str.replace(r"^(\d{4})(\d{2})(\d{2})$", "${1}-${2}-${3}")
    if form == "yyyy/m/d":
        padded = day.str.replace(r"^(\d{4}/)(\d)/", "${1}0${2}/").str.replace(
            r"^(\d{4}/\d{2}/)(\d)$", "${1}0${2}"
        )
        return padded.str.replace(r"^(\d{4})/(\d{2})/(\d{2})$", "${1}-${2}-${3}")
    return day


def _local_days(values: pl.Series) -> pl.Series:
    """A midnight behind a date goes; a moment with a zone is a day where it is midnight in Beijing. All else stays."""
    timed = values.str.contains(":")
    if not timed.any():
        return values
    odd = values.filter(timed).unique()
    return values.replace(odd, [local_day(v) for v in odd])


def _without_exponent(values: pl.Series) -> pl.Series:
    """1.5e-05 as 0.000015, which JSON writers and the parser make of small and large numbers; everything else as it is."""
    written = values.str.contains(r"^-?\d+(\.\d+)?[eE][-+]?\d{1,2}$")
    if not written.any():
        return values
    odd = values.filter(written).unique()
    return values.replace(odd, [f"{Decimal(v).normalize():f}" for v in odd])
