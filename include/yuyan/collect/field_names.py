"""Names of fields that nobody announced: what of them may be recorded.

A name may be a value: the columns of a pivoted sheet are people, the keys of an object are numbers. So a name is kept only
where it cannot be a person's; for any other stands where it is at the source, and a keyed digest by which it is told from
others.

recorded("guardian_phone", 13, ...)  ->  "guardian_phone"
recorded("欧阳某某", 13, ...)  ->  "（第 13 列，字段名不记录，标识 4f9a1c2e）"
"""

import hmac
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from functools import cache

from yuyan.domain import contracts, platforms

HIDDEN = "（字段名不明，已隐去）"
COLUMN_ROWS = 5
"""A field that so many records of a batch have is a column, not a value that became a name."""
LONGEST, MOST_DIGITS = 64, 6
"""What is longer, or has so many digits, is a value."""

_USUAL_WORDS = {
    "address", "attachment", "comment", "create", "created", "creator", "date", "email", "extra", "guardian",
    "memo", "modified", "note", "phone", "remark", "remarks", "sort", "tel", "telephone", "time", "update",
    "updated", "updater", "user",
}  # fmt: skip
"""Words that names of fields are made of, beside those of the contracts' names."""
_USUAL_LABELS = {
    "备注", "说明", "备用", "联系电话", "监护人电话", "电子邮箱", "邮箱", "通讯地址", "家庭住址", "创建时间", "更新时间",
    "创建人", "更新人",
}  # fmt: skip
_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_INSIDE = ".{}"
"""Ends the name of a field that is announced and held an object."""


def is_name(text: str) -> bool:
    """Whether a text has the form of a field's name, whoever's it is."""
    return len(text) <= LONGEST and len(re.sub(r"\D", "", text)) < MOST_DIGITS


def recorded(name: str, place: int | None, announced: Collection[str], key: bytes) -> str:
    """What is recorded of a field's name. `place`: the number of its column, where the source has them in an order.

    The name itself, if the institution's file, a contract, a label or a product's profile has it, or if it is an identifier
    all of whose words are such names' or usual ones; any identifier would not do, for a person's name may be one.
    """
    if name == HIDDEN or (is_name(name) and (name.removesuffix(_INSIDE) in announced or _is_known(name))):
        return name
    digest = hmac.digest(key, f"field|{name}".encode(errors="surrogatepass"), "sha256").hex()[:8]
    return f"（{f'第 {place} 列，' if place else ''}字段名不记录，标识 {digest}）"


def count(found: Counter[str], more: Iterable[tuple[str, int]], most: int) -> None:
    """Add rows per name to what was found. So many names are told apart; those that come later are counted as HIDDEN."""
    for name, rows in more:
        found[name if name in found or len(found) < most else HIDDEN] += rows


def columns_only(rows_with: Mapping[str, int], rows: int) -> Counter[str]:
    """Rows per recorded name; those in few of many records, or in a single one, are counted together as HIDDEN."""
    found: Counter[str] = Counter()
    for name, of in rows_with.items():
        is_column = of >= COLUMN_ROWS or (of == rows and rows > 1)
        found[name if is_column else HIDDEN] += of
    return found


def _is_known(name: str) -> bool:
    names, words = _known()
    if name.casefold() in names:
        return True
    if not _IDENTIFIER.fullmatch(name) or sum(c.isdigit() for c in name) > 2:
        return False
    return all(part.lower() in words or part.isdigit() for part in _PARTS.findall(name))


@cache
def _known() -> tuple[frozenset[str], frozenset[str]]:
    """Names of contracts and products, and the words of which names in letters are made; in lower case."""
    names, words = set(_USUAL_LABELS), set(_USUAL_WORDS)
    for contract in contracts.load().values():
        for f in contract.fields:
            names |= {f.name, f.label}
            words |= set(f.name.split("_"))
    for platform in platforms.load().values():
        names |= {
            *platform.envelope,
            *(platform.record_id or ()),
            platform.version or "",
            platform.deleted or "",
        }
        words.add(platform.prefix.strip("_"))
        for contract in contracts.load().values():
            names |= {column for f in platform.fields_of(contract).values() for column in f.columns}
    return frozenset(name.casefold() for name in names if name), frozenset(word.lower() for word in words)
