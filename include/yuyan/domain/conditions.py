"""The conditions of an indicator's measures: a column compared with literals, joined by and, or and not. Nothing else.

    is_employed and verify_state in ('2', '3')
    instrument_version = {evaluation_instrument}
    signed_on <= as_of

`{name}` is a parameter (a var of the dbt project), `as_of` the date of the run. A function, arithmetic, a second table or a
comparison of two columns is refused: that is a column of a star table.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

TOKEN = re.compile(
    r"\s*(?:(?P<text>'[^']*')|(?P<number>\d+(?:\.\d+)?)|(?P<parameter>\{\w+\})|(?P<word>[A-Za-z_]\w*)"
    r"|(?P<comparison><=|>=|<>|=|<|>)|(?P<mark>[(),])|(?P<other>\S))"
)
KEYWORDS = {"and", "or", "not", "in", "is", "null", "true", "false", "as_of"}
REMEDY = (
    "a condition compares columns with literals (= <> < <= > >=, in, is null), joined by and, or, not; "
    "make anything else a column of the fact"
)


class ConditionError(ValueError):
    """Text that is no condition; the message says where it stops being one and what to do."""


@dataclass(frozen=True)
class Condition:
    """A condition that follows the grammar: its tokens (kind, text), the columns and the parameters it names."""

    tokens: tuple[tuple[str, str], ...]

    @property
    def columns(self) -> list[str]:
        return [text for kind, text in self.tokens if kind == "column"]

    @property
    def parameters(self) -> list[str]:
        return [text[1:-1] for kind, text in self.tokens if kind == "parameter"]

    def text(self, parameter: Callable[[str], str], as_of: str) -> str:
        """The condition with `parameter(name)` for a parameter and `as_of` for the date of the run; else as written."""
        written = {"parameter": lambda text: parameter(text[1:-1]), "as_of": lambda text: as_of}
        parts = [written.get(kind, str)(text) for kind, text in self.tokens]
        return " ".join(parts).replace("( ", "(").replace(" )", ")").replace(" ,", ",")


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = [(m.lastgroup or "", m[m.lastgroup]) for m in TOKEN.finditer(text.strip())]
        self.done: list[tuple[str, str]] = []

    def condition(self) -> Condition:
        self._disjunction()
        if self.tokens:
            self._refuse()
        return Condition(tuple(self.done))

    def _disjunction(self) -> None:
        self._conjunction()
        while self._accept("word", "or"):
            self._conjunction()

    def _conjunction(self) -> None:
        self._negation()
        while self._accept("word", "and"):
            self._negation()

    def _negation(self) -> None:
        if self._accept("word", "not"):
            self._negation()
        elif self._accept("mark", "("):
            self._disjunction()
            self._expect("mark", ")")
        else:
            self._predicate()

    def _predicate(self) -> None:
        if not self.tokens or self.tokens[0][0] != "word" or self.tokens[0][1] in KEYWORDS:
            self._refuse()
        self.done.append(("column", self.tokens.pop(0)[1]))
        if self._accept("comparison"):
            self._literal()
        elif self._accept("word", "in"):
            self._expect("mark", "(")
            self._literal()
            while self._accept("mark", ","):
                self._literal()
            self._expect("mark", ")")
        elif self._accept("word", "is"):
            self._accept("word", "not")
            self._expect("word", "null")

    def _literal(self) -> None:
        kind, text = self.tokens[0] if self.tokens else ("", "")
        if kind == "word" and text == "as_of":
            kind = "as_of"
        elif kind not in ("text", "number", "parameter") and text not in ("true", "false"):
            self._refuse()
        self.tokens.pop(0)
        self.done.append((kind, text))

    def _accept(self, kind: str, text: str | None = None) -> bool:
        if not self.tokens or self.tokens[0][0] != kind or text not in (None, self.tokens[0][1]):
            return False
        self.done.append(self.tokens.pop(0))
        return True

    def _expect(self, kind: str, text: str) -> None:
        if not self._accept(kind, text):
            self._refuse()

    def _refuse(self) -> None:
        here = f"at {self.tokens[0][1]!r}" if self.tokens else "at its end"
        raise ConditionError(f"{self.text!r} is no condition {here}; {REMEDY}")


def parse(text: str) -> Condition:
    """Read a condition. Raises ConditionError.

    >>> parse("is_employed and verify_state in ('2', '3')").columns
    ['is_employed', 'verify_state']
    """
    return _Parser(text).condition()


def all_of(conditions: Iterable[Condition | None]) -> Condition | None:
    """The conjunction of those that are not None; what says `or` in parentheses, because `or` binds less than `and`."""
    found = [c for c in conditions if c]
    if len(found) < 2:
        return found[0] if found else None
    tokens: list[tuple[str, str]] = []
    for n, condition in enumerate(found):
        own = [*condition.tokens]
        if ("word", "or") in own:
            own = [("mark", "("), *own, ("mark", ")")]
        tokens += [*([("word", "and")] if n else []), *own]
    return Condition(tuple(tokens))
