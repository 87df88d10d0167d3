"""The macros a rule's SQL may use, and their expansion.

{accepted:entity} {latest:entity}   tables of other records (or of other versions)
{as_of}                             the run's date
{valid_uscc:col}                    GB 32100-2015 check character holds
{valid_usccs:col}                   the same for every item of an array
{known_region:col}                  an administrative division: province, or for 50…… a district of Chongqing
{discipline_type:col}               '1' academic, '2' professional, by the discipline catalogue
{doctoral_discipline:col}           the discipline catalogue allows doctors, too
{succeeded_on:col}                  the day on which the institution whose number it is was carried on; NULL if it is itself
{institutions_of:col}               whose number it is: its first five digits, and the institution that carries that one on
{raw:col}                           the text as received (structural rules)
"""

import re
from collections.abc import Callable, Iterable
from datetime import date
from functools import cache

from yuyan.domain import editions

MACRO = re.compile(r"\{([a-z_]+)(?::(\w+))?\}")
COLUMN_MACROS = (
    "valid_uscc",
    "valid_usccs",
    "known_region",
    "discipline_type",
    "doctoral_discipline",
    "institutions_of",
    "succeeded_on",
    "raw",
)
ENTITY_MACROS = ("accepted", "latest")


def problem(text: str, columns: Iterable[str]) -> str | None:
    """Why the macros of this SQL cannot be used, or None."""
    for name, argument in MACRO.findall(text):
        if name not in (*COLUMN_MACROS, *ENTITY_MACROS, "as_of"):
            return (
                f"unknown macro {{{name}}}; known are {', '.join(['as_of', *ENTITY_MACROS, *COLUMN_MACROS])}"
            )
        if name in COLUMN_MACROS and argument not in columns:
            return f"{{{name}:{argument}}}: {argument!r} is not a column of this entity"
    return None


def expand_reference(text: str) -> str:
    """Replace the macros that stand for reference data, so that a changed code list changes the rule's definition."""
    return MACRO.sub(lambda m: _reference(m[1], m[2]) or m[0], text)


def expand(text: str, as_of: date, raw_names: dict[str, str]) -> str:
    """SQL over alias r. `raw_names` maps a column to the expression of its text as received."""

    def one(match: re.Match[str]) -> str:
        name, argument = match.groups()
        if name == "as_of":
            return f"date '{as_of.isoformat()}'"
        if name == "raw":
            return raw_names[argument]
        return {"accepted": f"accepted.{argument}", "latest": f"latest_{argument}"}[name]

    return MACRO.sub(one, expand_reference(text))


def quote(values: Iterable[str]) -> str:
    """SQL string literals, separated by commas."""
    return ", ".join("'" + value.replace("'", "''") + "'" for value in values)


def _reference(name: str, column: str) -> str | None:
    if name == "valid_uscc":
        return f"judging.valid_uscc(r.{column})"
    if name == "valid_usccs":
        return f"(select bool_and(judging.valid_uscc(u.code)) from unnest(r.{column}) u(code))"
    if name == "known_region":
        provinces, districts = _regions()
        return (
            f"(case when left(r.{column}, 2) = '50' then r.{column} in ({quote(districts)}) "
            f"else length(r.{column}) = 6 and left(r.{column}, 2) in ({quote(provinces)}) end)"
        )
    if name == "institutions_of":
        own = f"left(r.{column}, 5)"
        whens = " ".join(
            f"when {quote([a])} then {quote([b])}" for a, b in sorted(editions.successors().items())
        )
        return f"{own}, case {own} {whens} else {own} end" if whens else own
    if name == "succeeded_on":
        days = sorted(editions.succeeded_on().items())
        whens = " ".join(f"when {quote([code])} then date '{day}'" for code, day in days)
        return f"case left(r.{column}, 5) {whens} end" if whens else "null::date"
    if name == "discipline_type":
        academic, professional = (
            _disciplines("degree_type", kind.__eq__) for kind in ("academic", "professional")
        )
        return (
            f"(case when r.{column} in ({quote(academic)}) then '1' "
            f"when r.{column} in ({quote(professional)}) then '2' end)"
        )
    if name == "doctoral_discipline":
        doctoral, others = (
            _disciplines(
                "allowed_levels", lambda text, is_allowed=is_allowed: ("doctor" in text) is is_allowed
            )
            for is_allowed in (True, False)
        )
        return (
            f"(case when r.{column} in ({quote(doctoral)}) then true "
            f"when r.{column} in ({quote(others)}) then false end)"
        )
    return None


@cache
def _regions() -> tuple[list[str], list[str]]:
    """First two digits of every province, and every code under 50 that was ever valid."""
    provinces = sorted({row["code"][:2] for row in editions.rows("province")})
    return provinces, ["500000", *sorted(row["code"] for row in editions.rows("district"))]


def _disciplines(field: str, fits: Callable[[str], bool]) -> list[str]:
    """Codes of the disciplines below the categories, former ones included, whose `field` in the catalogue fits."""
    known = (r for name in ("discipline", "former_discipline") for r in editions.rows(name))
    return sorted(r["code"] for r in known if r["degree_type"] and fits(r[field]))
