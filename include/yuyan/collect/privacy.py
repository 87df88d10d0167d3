"""Direct identifiers never land: names and numbers are dropped, the certificate number becomes a keyed person key.

What the contract does not announce never comes here (connectors do not read it); what it marks is treated by its mark. A
number is checked before it is hashed: one that a spreadsheet destroyed, or a word in its place, would make strangers one
person. Without a key, the key's version says why: NULL where no number was given, 0 where it is no certificate number.
"""

import hmac

import polars as pl

from yuyan.collect import mapping as mapped
from yuyan.collect import text
from yuyan.collect.certificates import identity
from yuyan.domain.contracts import NO_NUMBER, Contract
from yuyan.domain.entity_map import EntityMap

CERT_TYPE = "cert_type"


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
    made = {name: value for name, value in derived.items() if name in wanted}
    made |= dict.fromkeys(wanted - set(frame.columns) - set(made), pl.lit(None, pl.String))
    return (frame.with_columns(value.alias(n) for n, value in made.items()) if made else frame)[names]


def _text(frame: pl.DataFrame, mapping: EntityMap, field: str) -> pl.Series:
    """Values of a field in national codes, one per row."""
    return frame.select(mapped.as_sent(field, mapping)).to_series()


def _person_keys(cert_type: pl.Series, cert_no: pl.Series, key: bytes) -> pl.Series:
    given = list(zip(cert_type.to_list(), cert_no.to_list(), strict=True))
    people = {pair: identity(*pair) for pair in set(given)}
    keys = {t: hmac.digest(key, t.encode(), "sha256").hex() for t in set(people.values()) - {None}}
    return pl.Series([keys.get(people[pair]) for pair in given], dtype=pl.String)
