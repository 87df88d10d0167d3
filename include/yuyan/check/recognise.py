"""Which column of a table is probably which field: by the contract's names, labels, their pinyin, other products' names.

A name counts as sure where it is the field's own, its label or what a product of ours calls it; as a guess where only its
initials or its stem agree (XXFS for 学习方式, `entry_date` for entry_on).
What the values contradict is not proposed.
"""

import re
from collections import Counter
from dataclasses import dataclass
from functools import cache

import polars as pl

from yuyan.check import samples
from yuyan.collect.moments import WORDS
from yuyan.domain import contracts, platforms
from yuyan.domain.contracts import Contract, Field

_ENDS = {"code", "id", "no", "nr", "num", "number", "on", "date", "dt", "cd", "key"}
"""Words at the end of a column's name that say what kind it is, not what it is about."""


@dataclass(frozen=True)
class Match:
    """A column for a field. `is_guess`: somebody should look at it."""

    column: str
    is_guess: bool


def fields(contract: Contract, rows: pl.DataFrame) -> dict[str, Match]:
    """Contract field -> the column that it probably is, each column once, sure ones first."""
    found: dict[str, Match] = {}
    taken: set[str] = set()
    prefix = _common_prefix(rows.columns)
    for is_guess, names in ((False, _sure(contract.entity)), (True, _guesses(contract.entity))):
        for column in rows.columns:
            field = names.get(_plain(column)) or names.get(_plain(column.removeprefix(prefix)))
            if field is None and is_guess:
                field = names.get(_stem(column.removeprefix(prefix)))
            if field and field not in found and column not in taken and _fits(contract[field], rows[column]):
                found[field] = Match(column, is_guess)
                taken.add(column)
    return found


def names_of(contract: Contract) -> set[str]:
    """What a table of this entity may be called."""
    products = platforms.load().values()
    return {
        *map(_plain, (contract.entity, f"{contract.entity}s", contract.label, *_pinyin(contract.label))),
        *(_plain(p.entities[contract.entity].table or "") for p in products if contract.entity in p.entities),
    }


def is_called(name: str, contract: Contract) -> bool:
    """Whether a table or file has a name of this entity, whatever schema, ending and prefix it has."""
    bare = re.sub(r"\.(csv|txt|tsv|xlsx)$", "", name.lower()).rpartition(".")[2]
    bare = _plain(re.sub(r"^(v|vw|t|tbl|tb|view)_", "", bare))
    return re.sub(r"\d+$", "", bare) in names_of(contract)


@cache
def _sure(entity: str) -> dict[str, str]:
    contract = contracts.load()[entity]
    pairs = [(name, f.name) for f in contract.supplied for name in (f.name, f.label)]
    for platform in platforms.load().values():
        mapped = platform.entities.get(entity)
        pairs += [(c, name) for name, f in (mapped.fields if mapped else {}).items() for c in f.columns]
    return _unambiguous(pairs)


@cache
def _guesses(entity: str) -> dict[str, str]:
    contract = contracts.load()[entity]
    pairs = [(name, f.name) for f in contract.supplied for name in _pinyin(f.label)]
    return _unambiguous([*pairs, *((_stem(f.name), f.name) for f in contract.supplied)])


def _unambiguous(pairs: list[tuple[str, str]]) -> dict[str, str]:
    found = {(_plain(name), field) for name, field in pairs if _plain(name)}
    times = Counter(name for name, _ in found)
    return {name: field for name, field in found if times[name] == 1}


def _pinyin(label: str) -> tuple[str, str]:
    """Initials and whole syllables: 学籍编号 -> xjbh, xuejibianhao."""
    from pypinyin import Style, lazy_pinyin  # its tables take a moment, and only this asks for them

    bare = re.sub(r"[（(].*?[）)]", "", label)
    return "".join(lazy_pinyin(bare, style=Style.FIRST_LETTER)), "".join(lazy_pinyin(bare))


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()


def _stem(name: str) -> str:
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower().split("_")
    while len(words) > 1 and words[-1] in _ENDS:
        words.pop()
    return _plain("_".join(words))


def _common_prefix(names: list[str]) -> str:
    """`f_` of f_student_id, f_entry_on, …: what all columns but a few begin with."""
    starts = Counter(name.partition("_")[0] for name in names if "_" in name)
    first, times = starts.most_common(1)[0] if starts else ("", 0)
    return f"{first}_" if first and len(first) <= 4 and times > len(names) / 2 else ""


def _fits(field: Field, values: pl.Series) -> bool:
    there = samples.given(values)
    if not there:
        return True
    if field.type == "date":
        return bool(samples.date_forms(there))
    if field.type in ("integer", "number"):
        return samples.form(there) in ("整数", "数值")
    return field.type != "boolean" or len(set(there)) <= 2 or set(there) <= set(WORDS)
