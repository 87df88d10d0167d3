"""Times, dates and truth values as sources write them, one at a time. No dependency: deliverers read with this, too."""

import re
from datetime import datetime, time, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

UTC = timezone(timedelta(0))
STANDARD_TIME = timezone(timedelta(hours=8))


def _beijing() -> tzinfo:
    """Beijing's time. Windows has no zone database: the summer times of 1986 to 1991 are then taken for standard time."""
    try:
        return ZoneInfo("Asia/Shanghai")
    except ZoneInfoNotFoundError:
        return STANDARD_TIME


BEIJING = _beijing()
_MOMENT = re.compile(
    r"(\d{4})([-/]?)(\d{1,2})\2(\d{1,2})(?:[ T]?(\d{1,2}):?(\d{2})(?::?(\d{2})(?:[.,]?(\d{1,6}))?)?)?"
    r" ?(Z|[+-]\d{2}(?::?\d{2})?)?",
    re.ASCII,
)
"""Year, separator, month, day, hour, minute, second, fraction, zone."""

_TRUE, _FALSE = ("true", "t", "1", "yes", "y", "是"), ("false", "f", "0", "no", "n", "否")
WORDS = {
    form(word): value
    for words, value in ((_TRUE, "true"), (_FALSE, "false"))
    for word in words
    for form in (str.lower, str.upper, str.capitalize)
}
"""How sources write true and false."""


def moment_of(value: str) -> int | None:
    """Microseconds since 1970 UTC of a time in one of the forms that `_MOMENT` knows."""
    if not (match := _MOMENT.fullmatch(value.strip())):
        return None
    year, separator, month, day, hour, minute, second, fraction, zone = match.groups()
    if not separator and (len(month) + len(day) < 4 or (hour and len(hour) < 2)):
        return None
    try:
        local = datetime(
            *map(int, (year, month, day, hour or 0, minute or 0, second or 0)),
            int((fraction or "").ljust(6, "0")),
        )
        return micros(local.replace(tzinfo=_zone(zone)))
    except (ValueError, OverflowError):
        return None


def _zone(written: str | None) -> timezone:
    if written in (None, ""):
        return STANDARD_TIME
    if written == "Z":
        return UTC
    digits = written[1:].replace(":", "").ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if written[0] == "-" else offset)


def micros(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def local_day(value: str) -> str:
    """A date without the midnight behind it, a moment with a zone as the day it begins in Beijing; else as it is."""
    match = _MOMENT.fullmatch(value)
    if not match or not match[5]:
        return value
    if match[9]:
        moment = moment_of(value)
        if moment is None:
            return value
        local = datetime.fromtimestamp(moment // 1_000_000, BEIJING)
        return str(local.date()) if local.time() == time() else value
    is_midnight = not any(int(match[i] or 0) for i in (5, 6, 7, 8))
    return re.split("[ T]", value, maxsplit=1)[0] if is_midnight else value
