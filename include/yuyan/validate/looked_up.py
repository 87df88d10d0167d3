"""Records that rules look up by their whole key, joined once instead of asked for again by every rule.

    once({"v1": "(select s.left_on from accepted.student s where s.student_id = r.student_id) > r.from_on"})
    ->  v1: "(case when j1_raw_id is not null then j1_left_on end) > r.from_on", and a join that has j1_raw_id and j1_left_on

A key is had by one accepted record, so a join finds what the query finds. What is not of this form stays as it is.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from yuyan.domain import contracts

QUERY = re.compile(r"(exists )?\(select (?:(?! from ).)+ from accepted\.(\w+) (\w+) where ")
PAIR = re.compile(r"(\w+)\.(\w+) = r\.(\w+)(?: and |$)")
AGGREGATE = re.compile(
    r"\b(select|order by|group by|limit|count|sum|min|max|avg|bool_or|bool_and|\w+_agg)\b", re.I
)
NAME = re.compile(r"(?<![\w.])([a-z_]\w*)\b(?![(.])")
TEXT = re.compile(r"'[^']*'")
META = ("src_inst_code", "src_record_id", "raw_id", "batch_id")


@dataclass
class Join:
    """The accepted record of `entity` whose key is that of the judged row: pairs of its field and the row's. `columns` that
    are asked for go by `<alias>_<column>`, so that a rule's plain names stay the row's."""

    alias: str
    entity: str
    pairs: tuple[tuple[str, str], ...]
    columns: set[str] = field(default_factory=lambda: {"raw_id"})

    @property
    def sql(self) -> str:
        """The join, for a query of judged rows r."""
        names = sorted(self.columns | {to for to, _ in self.pairs})
        columns = ", ".join(f"{name} as {self.alias}_{name}" for name in names)
        on = " and ".join(f"{self.alias}.{self.alias}_{to} = r.{own}" for to, own in self.pairs)
        return f"left join (select {columns} from accepted.{self.entity}) as {self.alias} on {on}"


def once(conditions: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The conditions with what they look up by key as columns, and the joins that have them."""
    joins: dict[tuple, Join] = {}
    return {name: _joined(text, joins) for name, text in conditions.items()}, [j.sql for j in joins.values()]


def _joined(text: str, joins: dict[tuple, Join]) -> str:
    for found in reversed(list(QUERY.finditer(text))):
        start, opened = found.start(), text.index("(", found.start())
        closed = _closing(text, opened)
        query = text[opened + 1 : closed]
        asked, _, where = query.removeprefix("select ").partition(
            f" from accepted.{found[2]} {found[3]} where "
        )
        if (value := _value(found, asked, where, joins)) is not None:
            text = text[:start] + value + text[closed + 1 :]
    return text


def _value(found: re.Match[str], asked: str, where: str, joins: dict[tuple, Join]) -> str | None:
    """What stands for the query, or None: it asks for something else than one record by its key."""
    is_exists, entity, alias = found.groups()
    contract = contracts.load()[entity]
    pairs, rest = [], where
    while {to for to, _ in pairs} != set(contract.key):
        if (pair := PAIR.match(rest)) is None or pair[1] != alias:
            return None
        pairs.append((pair[2], pair[3]))
        rest = rest[pair.end() :]
    said = TEXT.sub("''", f"{'' if is_exists else asked} {rest}")
    columns = {f.name for f in contract.columns} | set(META)
    if AGGREGATE.search(said) or columns & set(NAME.findall(said)) or " or " in _top_level(rest):
        return None
    join = joins.setdefault((entity, tuple(pairs)), Join(f"j{len(joins) + 1}", entity, tuple(pairs)))
    qualified = re.compile(rf"\b{alias}\.(\w+)")
    join.columns |= set(qualified.findall(said))
    asked, rest = (qualified.sub(rf"{join.alias}_\1", part) for part in (asked, rest))
    is_there = f"{join.alias}_raw_id is not null" + (f" and ({rest})" if rest else "")
    if is_exists:
        return f"coalesce({is_there}, false)" if rest else f"({is_there})"
    return f"(case when {is_there} then {asked} end)"


def _closing(text: str, opened: int) -> int:
    """Where the bracket that opens there closes."""
    depth = 0
    for place, letter in _outside_texts(text, opened):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if not depth:
            return place
    raise ValueError(f"unbalanced: {text}")


def _top_level(text: str) -> str:
    """What stands in no bracket and no text."""
    kept, depth = [], 0
    for _, letter in _outside_texts(text, 0):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if not depth:
            kept.append(letter)
    return "".join(kept)


def _outside_texts(text: str, start: int) -> Iterator[tuple[int, str]]:
    is_text = False
    for place in range(start, len(text)):
        if text[place] == "'":
            is_text = not is_text
        elif not is_text:
            yield place, text[place]
