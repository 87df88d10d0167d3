"""Direct identifiers never land: names and numbers are dropped, the certificate number becomes a keyed person key.

What the contract does not announce never comes here (connectors do not read it); what it marks is treated by its mark. A
number is checked before it is hashed: one that a spreadsheet destroyed, or a word in its place, would make strangers one
person. Without a key, the key's version says why: NULL where no number was given, 0 where it is no certificate number.
"""

import hmac
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from datetime import date

import polars as pl

from yuyan.collect import mapping as mapped
from yuyan.collect import text
from yuyan.domain.contracts import NO_NUMBER, Contract
from yuyan.domain.entity_map import EntityMap

CERT_TYPE = "cert_type"
HIDDEN = "（字段名不明，已隐去）"
COLUMN_ROWS = 5
"""A field that so many records of a batch have is a column, not a value that became a name."""
RESIDENT = ("1", "01")
"""Codes of the resident identity card, whose number has a form and a check character (GB 11643)."""

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = "10X98765432"
_WRAPPED = re.compile(r"""^=?["'`‘’“”]+|["'`‘’“”]+$|[\s\x00-\x1f\u200b-\u200f\u2060\ufeff\u00ad-]""")
"""What a spreadsheet puts around a number to keep it text, and separators within it."""

_PLAIN = re.compile(r"[0-9]{17}[0-9X]")
_FORMED = re.compile(r"[0-9]{15}|[0-9]{17}[0-9X]")
_OTHER = re.compile(r"[A-Z0-9()（）./]{5,30}")
_WORDS = re.compile(r"N/?A|NULL|NONE|NIL|NAN|UNKNOWN|TRUE|FALSE|TEST\d*")


def columns(contract: Contract, mapping: EntityMap) -> list[str]:
    """Column names that may land, in order: envelope, source names of unmarked fields, names of derived fields."""
    fields = [mapping.fields[f.name] for f in contract.columns if f.name in mapping.fields]
    derived = [f.name for f in contract.columns if f.derived]
    return list(dict.fromkeys([*mapping.envelope, *(c for f in fields for c in f.columns), *derived]))


def protect(
    frame: pl.DataFrame, contract: Contract, mapping: EntityMap, key: bytes, key_version: int
) -> pl.DataFrame:
    """A frame of source columns without direct identifiers and with the derived keys: exactly `columns(...)`.

    person_key = HMAC-SHA256(key, cert_type + '|' + normalised cert_no), 64 hex digits; null without a certificate number.
    """
    derived: dict[str, pl.Series | pl.Expr] = {}
    for f in contract.fields:
        if f.privacy == "pseudonymise" and f.name in mapping.fields:
            number = _text(frame, mapping, f.name)
            person = _person_keys(_text(frame, mapping, CERT_TYPE), number, key)
            derived[f.becomes] = person
            derived[f"{f.becomes}_version"] = (
                pl.when(person.is_not_null())
                .then(pl.lit(str(key_version)))
                .when(pl.select(text.trimmed(pl.lit(number))).to_series().is_not_null())
                .then(pl.lit(NO_NUMBER))
            )
    names = columns(contract, mapping)
    wanted = {f.name for f in contract.columns if f.derived}
    frame = frame.with_columns(value.alias(name) for name, value in derived.items() if name in wanted)
    return frame.with_columns(pl.lit(None, pl.String).alias(n) for n in wanted - set(frame.columns)).select(
        names
    )


def field_names(rows_with: Mapping[str, int], rows: int) -> Counter[str]:
    """Rows per field that nobody announced, under names that may be recorded.

    Long names and names with many digits are no names but values; a name in few of many records, or in a single one, may be
    a person's. They are counted together as HIDDEN.
    """
    found: Counter[str] = Counter()
    for name, count in rows_with.items():
        is_column = count >= COLUMN_ROWS or (count == rows and rows > 1)
        is_name = len(name) <= 64 and len(re.sub(r"\D", "", name)) < 6
        found[name if is_column and is_name else HIDDEN] += count
    return found


def identity(cert_type: str | None, cert_no: str | None) -> str | None:
    """What is hashed: type and number in their one form, or None for what is no certificate number.

    Full-width characters become half-width (NFKC), letters upper case; quotes, ="…", apostrophes, blanks, hyphens and
    invisible characters go. A resident identity number has 18 characters with a day of birth and the right check character
    (GB 11643-1999); one of 15 digits is the same person's as its form of 18. Of any other document the number has 5 to 30
    letters and digits, two different ones at least, and is not written with an exponent. Where no type is given, a number of
    a resident's form is taken for one.
    """
    if cert_no is None:
        return None
    if cert_type in RESIDENT and _PLAIN.fullmatch(cert_no):
        resident = resident_number(cert_no)
        return resident and f"{RESIDENT[0]}|{resident}"
    kind = unicodedata.normalize("NFKC", cert_type or "").strip()
    number = _WRAPPED.sub("", unicodedata.normalize("NFKC", cert_no).strip()).upper()
    number = _WRAPPED.sub("", number)
    resident = resident_number(number)
    if kind in RESIDENT or (not kind and _FORMED.fullmatch(number)):
        return f"{RESIDENT[0]}|{resident}" if resident else None
    return f"{kind}|{number}" if _is_number(number) else None


def resident_number(number: str) -> str | None:
    """A resident identity number in its form of 18 characters, None if it is none."""
    if re.fullmatch(r"\d{15}", number, re.ASCII):
        number = f"{number[:6]}19{number[6:]}"
        number += check_character(number)
    if not re.fullmatch(r"[1-9]\d{16}[\dX]", number, re.ASCII) or number[17] != check_character(number):
        return None
    try:
        date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return None
    return number if "1850" <= number[6:10] <= "2100" else None


def check_character(number: str) -> str:
    """Check character of the first 17 digits of a resident identity number (GB 11643-1999, ISO 7064 MOD 11-2)."""
    return _CHECKS[sum(int(d) * w for d, w in zip(number[:17], _WEIGHTS, strict=True)) % 11]


def _is_number(number: str) -> bool:
    return bool(
        _OTHER.fullmatch(number)
        and re.search(r"\d", number)
        and not _WORDS.fullmatch(number)
        and not re.fullmatch(r"\d(\.\d+)?E\d{1,3}|\d+\.\d*", number)
        and len(set(number)) > 1
        and len(set(number.strip("0"))) > 1
    )


def _text(frame: pl.DataFrame, mapping: EntityMap, field: str) -> pl.Series:
    """Values of a field in national codes, one per row."""
    return frame.select(
        pl.repeat(None, pl.len(), dtype=pl.String).alias("none"),
        mapped.as_sent(field, mapping).alias("value"),
    )["value"]


def _person_keys(cert_type: pl.Series, cert_no: pl.Series, key: bytes) -> pl.Series:
    given = list(zip(cert_type.to_list(), cert_no.to_list(), strict=True))
    people = {pair: identity(*pair) for pair in set(given)}
    keys = {t: hmac.digest(key, t.encode(), "sha256").hex() for t in set(people.values()) - {None}}
    return pl.Series([keys.get(people[pair]) for pair in given], dtype=pl.String)
