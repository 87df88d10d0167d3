"""A record that alone makes too much of a city's total: held until somebody decides.

    amount.18:
      severity: ERROR
      single_row: {of: abs(amount), by: received_on, percent: 10, least: 5000000}

Such a rule has no `when` and `assert` of its own; they follow. The record is compared with the greater of two totals over
all newest versions of the entity: the usual year's (the total of the year to which the middle record belongs) and that of
its own year without the records that exceed the limit of a usual year. So the first records of a running year are no great
part of anything, a year that really grew is measured by itself, and a wild record neither hides itself nor others.
"""

from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from yuyan.domain.contracts import Contract

TOTALS = "judging.city_total"
"""Table of the totals; year 0 is the usual one. Filled before an entity is judged (validate/city_totals.py)."""


class SingleRow(BaseModel):
    """`of`: what adds up, SQL over the record's typed fields, never negative. `by`: the field that says its year, a date or
    a year. `percent`: of the city's total, above which one record is held; up to `least` (in the unit of `of`) it never is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    of: str = Field(min_length=1)
    by: str
    percent: Decimal = Field(gt=0, lt=100)
    least: Decimal = Field(ge=0)

    @property
    def share(self) -> Decimal:
        """The percentage as a fraction."""
        return self.percent / 100

    def year(self, contract: Contract) -> str:
        """SQL of the record's year as an integer."""
        return f"extract(year from {self.by})::int" if contract[self.by].type == "date" else f"{self.by}::int"

    def conditions(self, rule_id: str, contract: Contract) -> dict[str, Any]:
        """`when` and `assert` of the rule."""
        year = self.year(contract)
        total = f"(select max(t.city_total) from {TOTALS} t where t.rule_id = '{rule_id}' and t.of_year in (0, {year}))"
        return {
            "when": f"{self.of} is not null and {year} is not null",
            "assert": f"{self.of} <= {self.least} or {self.of} <= {self.share} * {total}",
        }
