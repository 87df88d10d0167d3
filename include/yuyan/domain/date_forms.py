"""How a source writes dates: `dd.mm.yyyy`, `d-mon-yy`, `yyyy年m月d日`. No dependency: it goes into the deliverer's kit."""

import re

_PARTS = {
    "yyyy": r"(?P<year>\d{4})",
    "yy": r"(?P<short_year>\d{2})",
    "mon": r"(?P<name>[A-Za-z]{3})",
    "mm": r"(?P<month>\d{2})",
    "m": r"(?P<month>\d{1,2})",
    "dd": r"(?P<day>\d{2})",
    "d": r"(?P<day>\d{1,2})",
}
_TOKEN = re.compile("|".join(_PARTS))
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
"""Names of months as databases and spreadsheets shorten them, whatever the case of their letters."""
CENTURY = 70
"""A year of two digits from here on is of the 20th century (POSIX strptime has 69)."""


def date_pattern(form: str) -> re.Pattern[str]:
    """The regular expression of a date's form: year, month and day once each, all else as it is. Raises ValueError.

    >>> date_pattern("d.m.yyyy").fullmatch("1.9.2026")["month"]
    '9'
    """
    tokens, pattern, at = [], "", 0
    for match in _TOKEN.finditer(form):
        pattern += re.escape(form[at : match.start()]) + _PARTS[match[0]]
        tokens.append(match[0])
        at = match.end()
    pattern += re.escape(form[at:])
    if sorted("m" if t == "mon" else t[0] for t in tokens) != ["d", "m", "y"]:
        raise ValueError(
            f"{form!r} is no form of a date; write year (yyyy, yy), month (mm, m, mon) and day (dd, d) once each, as in "
            "dd.mm.yyyy"
        )
    return re.compile(pattern, re.ASCII)


def iso_day(value: str, pattern: re.Pattern[str]) -> str:
    """A date of a form as yyyy-mm-dd; whatever has another one stays as it is."""
    if not (match := pattern.fullmatch(value)):
        return value
    found = match.groupdict()
    if "name" in found:
        if found["name"].lower() not in MONTHS:
            return value
        found["month"] = str(MONTHS.index(found["name"].lower()) + 1)
    if "short_year" in found:
        found["year"] = ("19" if int(found["short_year"]) >= CENTURY else "20") + found["short_year"]
    return f"{found['year']}-{found['month']:0>2}-{found['day']:0>2}"
