"""From a source's columns (all text, its own names and codes) to the contract's columns in canonical form.

A value that does not have the form its product prescribes, or a code that the map does not know, is kept as it is, so that
validation names it. Text is normalised here and nowhere else (collect/text.py), alike for every product; so are empty
values (NULL), truth values in the usual words, and dates written with a midnight or a zone.
"""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import partial

import polars as pl

from yuyan.collect import text
from yuyan.collect.moments import BEIJING, WORDS, local_day, micros, moment_of
from yuyan.domain import keys
from yuyan.domain.contracts import Contract, Field
from yuyan.domain.date_forms import date_pattern, iso_day
from yuyan.domain.entity_map import EntityMap
from yuyan.domain.field_map import FieldMap, Part

RULES = 2
"""Raise when the code below maps a value differently than before: replays then load the difference."""

_TIMES = {"compact-time": "%Y%m%d%H%M%S", "time": "%Y-%m-%d %H:%M:%S%.f"}
_WRITTEN = {"compact-time": "%Y%m%d%H%M%S", "time": "%Y-%m-%d %H:%M:%S.%f"}


def version(mapping: EntityMap) -> str:
    """Identity of the mapping: profile, contract columns and these rules."""
    return f"{RULES}-{mapping.version}"


def columns(contract: Contract, mapping: EntityMap, plain: frozenset[str] = frozenset()) -> list[pl.Expr]:
    """One expression per stored column of the contract, in its order; NULL where the source has no such field.

    `plain`: columns of the source that normalising leaves as they are (text.plain)."""
    return [_column(f, contract, mapping, plain).alias(f.name) for f in contract.columns]


def sources(contract: Contract, mapping: EntityMap) -> set[str]:
    """Names of the landed columns that are read: by `columns`, and of the envelope."""
    found = set(mapping.envelope)
    for f in contract.columns:
        found |= (
            {f.name} if f.derived else set(mapping.fields[f.name].columns if f.name in mapping.fields else ())
        )
    return found


def as_sent(name: str, mapping: EntityMap) -> pl.Expr:
    """A field's value as its map makes it, in national codes, but not normalised: for what does not land. NULL where the
    source has no such field."""
    if (field := mapping.fields.get(name)) is None:
        return pl.repeat(None, pl.len(), dtype=pl.String)
    value = _composed(field, pl.col).replace(mapping.codes.get(name, {}))
    return value if field.default is None else value.fill_null(field.default)


def record_key(contract: Contract) -> pl.Expr:
    """The natural key as a|b over mapped columns; NULL if a part is NULL."""
    return pl.concat_str([pl.col(name) for name in contract.key], separator="|")


def record_id(mapping: EntityMap, plain: frozenset[str] = frozenset()) -> pl.Expr:
    """The source's record id, normalised as every identifier; of several columns as a|b, a bar within one as \\|. NULL if a
    part is NULL. `plain` as in `columns`."""
    parts = [pl.col(name) if name in plain else text.identifier(pl.col(name)) for name in mapping.record_id]
    if len(parts) == 1:
        return parts[0]
    return pl.concat_str([part.str.replace_all(r"([\\|])", r"\${1}") for part in parts], separator="|")


def bounded(ids: pl.Series) -> pl.Series:
    """Record ids; those that are too long for an index shortened, which validation then names."""
    if not (ids.str.len_chars() > keys.LONGEST).any():
        return ids
    parts = (
        ids.slice(start, 1_000) for start in range(0, len(ids), 1_000)
    )  # long ones are few in memory at once
    shortened = [[text and keys.bounded(text) for text in part] for part in parts]
    return pl.concat([pl.Series(ids.name, part, pl.String) for part in shortened])


def normalised(
    frame: pl.DataFrame, contract: Contract, mapping: EntityMap, plain: frozenset[str] = frozenset()
) -> dict[str, int]:
    """Source column -> rows in which normalising changed its text; only columns where it did. `plain` as in `columns`."""
    how = dict.fromkeys(mapping.record_id, text.identifier) | dict(_cleaned(contract, mapping))
    if plain.issuperset(how):
        return {}
    counts = frame.select(
        (pl.col(name).fill_null("") != clean(pl.col(name)).fill_null("")).sum().alias(name)
        for name, clean in how.items()
        if name not in plain
    )
    return {name: rows for name, rows in counts.to_dicts()[0].items() if rows}


def _cleaned(contract: Contract, mapping: EntityMap) -> list[tuple[str, Callable[[pl.Expr], pl.Expr]]]:
    fields = (f for f in contract.columns if not f.derived and f.name in mapping.fields)
    how = {name: _how(f, contract) for f in fields for name in mapping.fields[f.name].columns}
    return [(name, clean) for name, clean in how.items() if name not in mapping.record_id]


def source_version(mapping: EntityMap, delivery: int | None) -> pl.Expr:
    """The version order as an integer: change version, microseconds since 1970 UTC, or the delivery's sequence.

    NULL where there is none or it cannot be read. Times may be written in ISO 8601 or with slashes, too, whatever the
    product's own form; without a zone they are Beijing's.
    """
    if mapping.version_as == "delivery" or mapping.version_column is None:
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


def _column(f: Field, contract: Contract, mapping: EntityMap, plain: frozenset[str]) -> pl.Expr:
    if f.derived:
        return _canonical(pl.col(f.name), f, FieldMap(column=f.name), mapping)
    if (field := mapping.fields.get(f.name)) is None:
        return pl.lit(None, pl.String)
    how = _how(f, contract)
    value = _composed(field, lambda name: pl.col(name) if name in plain else how(pl.col(name)))
    if field.separator:
        items = value.str.split(field.separator).list.eval(pl.element().str.strip_chars())
        value = text.trimmed(items.list.eval(pl.element().filter(pl.element() != "")).list.join(";"))
    if f.name in mapping.prefixed:
        value = _with_inst_code(value, mapping, f.type == "array")
    if codes := mapping.codes.get(f.name):
        value = _each(value, lambda item: item.replace(codes)) if f.type == "array" else value.replace(codes)
    value = _canonical(value, f, field, mapping)
    return value if field.default is None else value.fill_null(field.default)


def _composed(field: FieldMap, how: Callable[[str], pl.Expr]) -> pl.Expr:
    """Columns and texts joined; NULL where a column is."""
    if not field.columns:
        return pl.repeat(field.text, pl.len(), dtype=pl.String)
    parts = [_part(part, how) for part in field.parts]
    return parts[0] if len(parts) == 1 else pl.concat_str(parts)


def _part(part: str | Part, how: Callable[[str], pl.Expr]) -> pl.Expr:
    if isinstance(part, str):
        return pl.lit(part)
    value = how(part.column)
    if part.first is None:
        return value
    cut = value.str.slice(part.first - 1, part.last - part.first + 1)
    return pl.when(value.str.len_chars() >= part.last).then(cut).otherwise(value)


def _each(value: pl.Expr, change: Callable[[pl.Expr], pl.Expr]) -> pl.Expr:
    """A text of items joined by ; with every item changed."""
    return value.str.split(";").list.eval(change(pl.element())).list.join(";")


def _with_inst_code(value: pl.Expr, mapping: EntityMap, is_array: bool) -> pl.Expr:
    """Put the institution's code in front; a number behind the star is whole already."""

    def one(item: pl.Expr) -> pl.Expr:
        whole = item.str.starts_with(mapping.whole)
        return (
            pl.when(whole)
            .then(item.str.strip_prefix(mapping.whole))
            .otherwise(pl.lit(mapping.inst_code) + item)
        )

    return _each(value, one) if is_array else one(value)


def _canonical(value: pl.Expr, f: Field, field: FieldMap, mapping: EntityMap) -> pl.Expr:
    if f.type == "date":
        return _date(value, field.date or mapping.formats.date)
    if f.type == "boolean":
        true, false = field.boolean or mapping.formats.boolean
        return value.replace(WORDS | {true: "true", false: "false"})
    if f.type not in ("integer", "number"):
        return value
    if mapping.formats.decimal == ",":
        value = value.map_batches(_with_point, return_dtype=pl.String)
    if field.times is not None:
        value = value.map_batches(partial(_multiplied, factor=field.times), return_dtype=pl.String)
    if f.type == "integer":
        return value.str.replace(r"^(-?\d+)\.0+$", "${1}")
    return value.map_batches(_without_exponent, return_dtype=pl.String)


def _date(value: pl.Expr, form: str) -> pl.Expr:
    """A date of this form as yyyy-mm-dd; whatever has another one stays as it is."""
    day = value.map_batches(_local_days, return_dtype=pl.String)
    return (
        day if form == "yyyy-mm-dd" else day.map_batches(partial(_dates, form=form), return_dtype=pl.String)
    )


def _dates(values: pl.Series, form: str) -> pl.Series:
    pattern = date_pattern(form)
    written = values.drop_nulls().unique().to_list()
    return values.replace(written, [iso_day(v, pattern) for v in written])


def _with_point(values: pl.Series) -> pl.Series:
    """1.234,5 as 1234.5: points between groups of three digits and a comma before the fraction; everything else as it is."""
    written = values.str.contains(r"^-?(\d+|\d{1,3}(\.\d{3})+)(,\d+)?$")
    odd = values.filter(written).unique()
    return values.replace(odd, odd.str.replace_all(".", "", literal=True).str.replace(",", "."))


def _multiplied(values: pl.Series, factor: Decimal) -> pl.Series:
    """Plain numbers times a factor, exactly; everything else as it is."""
    odd = values.filter(values.str.contains(r"^-?\d+(\.\d+)?([eE][-+]?\d{1,2})?$")).unique()
    return values.replace(odd, [_plain(Decimal(v) * factor) for v in odd])


def _plain(number: Decimal) -> str:
    """Digits without an exponent and without noughts at the end of a fraction."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _local_days(values: pl.Series) -> pl.Series:
    """A midnight behind a date goes; a moment with a zone is a day where it is midnight in Beijing. All else stays."""
    timed = values.str.contains(":", literal=True)
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
