"""How records break rules: what a rule file says for the tests and the simulated city. Production makes no use of it."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

Values = dict[str, str | None]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Break(_Model):
    """How a record breaks the rule: a copy of the entity's sample gets the fields of `set`, by values next to sound ones.

    `on`: what makes the copy a sound record that can be broken so. `record`: a newer version of this record instead of a
    copy. `also`: further rules of the entity that it breaks. `others`: rules that sound records ({entity/record: [rules]})
    break because of it. `with`: sound records beside it.
    """

    set_: Values = Field(alias="set")
    on: Values = {}
    record: str | None = None
    also: tuple[str, ...] = ()
    others: dict[str, tuple[str, ...]] = {}
    with_: tuple[dict[str, str | int | None], ...] = Field((), alias="with")


class City(_Model):
    """How the simulated city breaks the rule: in a copy of a sound record.

    `at`: of which institution, product, or any. `where`: of which record, by SQL. The copy gets what the rule's `break`
    sets, unless `set` (texts), `compute` (SQL over the record) or `same` (fields that it shares with the record copied) say
    otherwise. Of `same`, `both`: that record breaks the rule as well; `kept`: it must stay as it is. `itself`: the record
    is changed instead of a copy, and put right on the day `until`. `newer`: the record is changed on day 2, against its own
    accepted past. `also`: further rules of the entity that break with it.
    """

    at: str | None = None
    where: str | None = None
    set_: Values | None = Field(None, alias="set")
    compute: dict[str, str] = {}
    same: tuple[str, ...] = ()
    both: bool = False
    kept: bool = False
    itself: bool = False
    newer: bool = False
    until: int | None = None
    also: tuple[str, ...] = ()


class Structural(_Model):
    """What the records look like in which the city breaks the rules that follow from the contract.

    `where`: SQL, by rule; `every` for those not named. `also`: further rules that break with each.
    """

    where: dict[str, str] = {}
    also: dict[str, tuple[str, ...]] = {}


class Cases(_Model):
    """What a rule file says besides its rules.

    `breaks`: how a record breaks rules that follow from the contract. `copy`: what makes a copy of the sample another
    record. `sound`: further sound records. `planted`: further faults of the city, by rule (`/2` for the second of one rule).
    """

    breaks: dict[str, Break] = {}
    copy_: Values = Field({}, alias="copy")
    sound: tuple[dict[str, str | int | None], ...] = ()
    planted: dict[str, City] = {}
    structural: Structural = Structural()

    @model_validator(mode="before")
    @classmethod
    def _texts(cls, given: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in given.items() if value is not None}
