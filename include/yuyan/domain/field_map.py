"""How one field of a contract is made of what a source has: what an institution's or a product's file says for it.

    unit_name: dept_name                                   # that column
    inst_code: {text: "19001"}                             # the same for every record
    student_id: {text: "19001-{matrikel}"}                 # columns and text, joined
    academic_year: {text: "{term:1-4}-{term:5-8}"}         # characters of a column
    gender_code: {column: sex, codes: {m: "1", w: "2"}}    # local value: national code
    entry_on: {column: start, date: dd.mm.yyyy}
    is_core: {column: core, boolean: [J, N]}
    amount: {column: fee_k, times: 1000}                   # another unit
    tag_codes: {column: tags, separator: ","}              # several values in one text
    study_mode: {column: mode, default: "1"}               # where the source says nothing

A value that does not fit (no number to multiply, no date of that form, fewer characters than asked for) is kept as it is, so
that a rule names it with its row.
"""

import re
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from yuyan.domain.date_forms import date_pattern

_PART = re.compile(r"\{([^{}]+?)(?::(\d+)-(\d+))?\}")


def _date_form(form: str) -> str:
    date_pattern(form)
    return form


DateForm = Annotated[str, AfterValidator(_date_form)]
"""How a source writes dates: `yyyy-mm-dd`, `dd/mm/yyyy`, `yyyy年m月d日`, `dd-mon-yy`."""


class Part(NamedTuple):
    """A column, or characters `first` to `last` of it (from 1, inclusive)."""

    column: str
    first: int | None = None
    last: int | None = None


class FieldMap(BaseModel):
    """One field of an institution's or a product's map; a bare text is the column's name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: str | None = Field(None, min_length=1)
    text: str | None = None
    separator: str | None = Field(None, min_length=1)
    codes: dict[str, str] = {}
    date: DateForm | None = None
    boolean: tuple[str, str] | None = None
    times: Decimal | None = Field(None, allow_inf_nan=False)
    default: str | None = Field(None, min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, said: Any) -> Any:
        return {"column": said} if isinstance(said, str) else said

    @model_validator(mode="after")
    def _one_source(self) -> "FieldMap":
        if (self.column is None) == (self.text is None):
            raise ValueError("say either column: or text:, one of the two")
        if self.times == 0:
            raise ValueError("times: 0 would make every value 0; give the factor between the two units")
        for part in self.parts:
            if isinstance(part, str) and ("{" in part or "}" in part):
                raise ValueError(f"text {self.text!r}: a brace without its other one; write {{column}}")
            if isinstance(part, Part) and part.first is not None and not 1 <= part.first <= part.last:
                raise ValueError(
                    f"text {self.text!r}: {part.first}-{part.last} are no characters; count from 1, the first first"
                )
        return self

    @property
    def is_plain(self) -> bool:
        """Whether it is a column's value as it is."""
        return self.text is None and not self.model_fields_set - {"column"}

    @cached_property
    def parts(self) -> tuple[str | Part, ...]:
        """Texts and columns that make up the value, in order."""
        if self.text is None:
            return (Part(self.column),)
        found: list[str | Part] = []
        at = 0
        for match in _PART.finditer(self.text):
            found.append(self.text[at : match.start()])
            name, first, last = match.groups()
            found.append(Part(name, first and int(first), last and int(last)))
            at = match.end()
        found.append(self.text[at:])
        return tuple(part for part in found if part != "")

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the source that it reads, once each."""
        return tuple(dict.fromkeys(part.column for part in self.parts if isinstance(part, Part)))


def _several(said: Any) -> Any:
    return [said] if isinstance(said, str) else said


Columns = Annotated[
    tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_several), Field(min_length=1)
]
"""A column, or several that only together name a record."""
