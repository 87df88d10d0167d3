"""The rules about indicators: checks of credibility, as data.

A check is a row of expectations/credibility.csv and a rule of its own (`QR.indicator.<variant or topic>.<n>`), so that an
explanation is of one indicator; the texts of the seven kinds are in expectations/credibility_check.csv.
"""

import csv
from dataclasses import dataclass
from functools import cache

from yuyan import settings
from yuyan.domain.catalogue import Rule

SUBJECT = "indicator"
"""The second part of the rule ids, and their `entity` in quality.rule."""
SEVERITY = "WARN"


@dataclass(frozen=True)
class Subject:
    """What the rules are about, where a rule of an entity has its contract."""

    entity: str = SUBJECT
    label: str = "指标可信度"


@dataclass(frozen=True)
class Kind:
    """What the checks of one kind say to a reader; `{label}` is what is checked."""

    check: str
    level: int
    message: str
    why: str
    fix: str
    owner: str
    explanation: str
    not_judged: str


@dataclass(frozen=True)
class Check:
    """One row of credibility.csv: parameters of one check of one variant or category. What a kind does not use is empty."""

    rule_id: str
    version: int
    kind: Kind
    variant_code: str
    measure: str
    display: str
    is_relative: bool
    noise: str
    exposure_variant: str
    source: str
    period: str
    eligible: str
    category: str
    floor: float
    least: float
    minimum_n: int
    expected: float
    design_effect: float
    label: str
    provenance: str

    @property
    def topic(self) -> str:
        return self.rule_id.split(".")[2]

    @property
    def parameters(self) -> str:
        """The check as one line, for the rule directory; what the kind does not use is left out."""
        names = ("variant_code", "measure", "noise", "exposure_variant", "source", "period", "category")
        given = {name: getattr(self, name) for name in names}
        given |= {name: f"{getattr(self, name):g}" for name in ("floor", "least", "minimum_n", "expected")}
        given |= {"relative": "true" if self.is_relative else "", "design_effect": f"{self.design_effect:g}"}
        used = (
            f"{k}: {v}" for k, v in given.items() if v not in ("", "0") and (k, v) != ("design_effect", "1")
        )
        return f"{self.kind.check}({', '.join(used)})"


@cache
def load() -> tuple[Check, ...]:
    """All checks. Raises ValueError for a row that cannot be used, naming file and line."""
    kinds = {
        row["check"]: Kind(**row | {"level": int(row["level"])}) for _, row in _rows("credibility_check")
    }
    found = []
    for line, row in _rows("credibility"):
        try:
            found.append(
                Check(
                    rule_id=row["rule_id"],
                    version=int(row["version"]),
                    kind=kinds[row["check"]],
                    is_relative=row["relative"] == "true",
                    floor=float(row["floor"] or 0),
                    least=float(row["least"] or 0),
                    minimum_n=int(row["minimum_n"] or 0),
                    expected=float(row["expected"] or 0),
                    design_effect=float(row["design_effect"] or 1),
                    label=row["label_zh"],
                    provenance=row["provenance_zh"],
                    eligible=row["eligible"] or "true",
                    **{
                        k: row[k]
                        for k in (
                            "variant_code",
                            "measure",
                            "display",
                            "noise",
                            "exposure_variant",
                            "source",
                            "period",
                            "category",
                        )
                    },
                )
            )
        except (KeyError, ValueError) as error:
            path = settings.EXPECTATIONS / "credibility.csv"
            raise ValueError(
                f"{path}:{line}: {row.get('rule_id')}: {error!r}; compare with the rows beside it"
            ) from error
    return tuple(found)


def rules() -> tuple[Rule, ...]:
    """The checks as rules, for quality.rule and the rule directory. An explanation is for the commission to accept."""
    return tuple(
        Rule(
            rule_id=c.rule_id,
            version=c.version,
            level=c.kind.level,
            severity=SEVERITY,
            column=c.topic,
            when=None if c.eligible == "true" else c.eligible,
            **{"assert": c.parameters},
            message=c.kind.message.format(label=c.label),
            why=c.kind.why,
            fix=c.kind.fix,
            owner=c.kind.owner,
            indicators=(c.variant_code[:3],),
            override="commission",
        )
        for c in load()
    )


def _rows(name: str) -> list[tuple[int, dict[str, str]]]:
    with open(settings.EXPECTATIONS / f"{name}.csv", encoding="utf-8", newline="") as f:
        return list(enumerate(csv.DictReader(f), start=2))
