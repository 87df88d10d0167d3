"""Certificate numbers of people: whether a text is one, and its one form. No dependency: deliverers check with this, too.

identity("01", "500101199901011187") -> "1|500101199901011187", or None for what is no certificate number.
"""

import re
import unicodedata
from datetime import date

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
