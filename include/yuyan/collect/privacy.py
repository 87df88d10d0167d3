"""Direct identifiers never land: names and numbers are dropped, the certificate number becomes a keyed person key.

What the contract does not announce never comes here (connectors do not read it); what it marks is treated by its mark.
"""

import hmac
import re

import polars as pl

from yuyan.domain.contracts import Contract
from yuyan.domain.institutions import EntityMap

CERT_TYPE = "cert_type"
HIDDEN = "（字段名不明，已隐去）"


def columns(contract: Contract, mapping: EntityMap) -> list[str]:
    """Column names that may land, in order: envelope, source names of unmarked fields, names of derived fields."""
    kept = [mapping.names[f.name] for f in contract.columns if f.name in mapping.names]
    derived = [f.name for f in contract.columns if f.derived]
    return [*mapping.envelope, *kept, *derived]


def protect(
    frame: pl.DataFrame, contract: Contract, mapping: EntityMap, key: bytes, key_version: int
) -> pl.DataFrame:
    """A frame of source columns without direct identifiers and with the derived keys: exactly `columns(...)`.

    person_key = HMAC-SHA256(key, cert_type + '|' + normalised cert_no), 64 hex digits; null stays null.
    """
    derived: dict[str, pl.Series | pl.Expr] = {}
    for f in contract.fields:
        if f.privacy == "pseudonymise" and f.name in mapping.names:
            person = _person_keys(_text(frame, mapping, CERT_TYPE), _text(frame, mapping, f.name), key)
            derived[f.becomes] = person
            version = f"{f.becomes}_version"
            derived[version] = pl.when(person.is_not_null()).then(pl.lit(str(key_version)))
    names = columns(contract, mapping)
    wanted = {f.name for f in contract.columns if f.derived}
    frame = frame.with_columns(value.alias(name) for name, value in derived.items() if name in wanted)
    return frame.with_columns(pl.lit(None, pl.String).alias(n) for n in wanted - set(frame.columns)).select(
        names
    )


def field_name(name: str) -> str:
    """The name of a field nobody announced as it may be recorded: long ones and ones with long numbers are no names."""
    return HIDDEN if len(name) > 64 or re.search(r"\d{6}", name) else name


def normalised(cert_no: pl.Expr) -> pl.Expr:
    """Full-width to half-width (Unicode NFKC), stripped, upper case; empty is null."""
    text = cert_no.str.normalize("NFKC").str.strip_chars().str.to_uppercase()
    return pl.when(text != "").then(text)


def _text(frame: pl.DataFrame, mapping: EntityMap, field: str) -> pl.Series:
    """Values of a field in national codes."""
    if field not in mapping.names:
        return pl.repeat(None, frame.height, dtype=pl.String, eager=True)
    return frame[mapping.names[field]].replace(mapping.codes.get(field, {}))


def _person_keys(cert_type: pl.Series, cert_no: pl.Series, key: bytes) -> pl.Series:
    kind = pl.lit(cert_type).fill_null("").str.strip_chars()
    texts = pl.select(kind + "|" + normalised(pl.lit(cert_no))).to_series().to_list()
    keys = {t: hmac.digest(key, t.encode(), "sha256").hex() for t in set(texts) - {None}}
    return pl.Series([keys.get(t) for t in texts], dtype=pl.String)
