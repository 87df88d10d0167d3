"""Reads an indicator file and refuses what does not follow the grammar of include/indicators/README.md."""

import difflib
import re
from collections.abc import Iterator
from typing import Any

from yuyan.domain import conditions
from yuyan.domain.conditions import Condition, ConditionError
from yuyan.domain.indicators.types import (
    BY_DISCIPLINE,
    GRAIN_COLUMNS,
    Example,
    Indicator,
    IndicatorError,
    Measure,
    Side,
    Term,
    Variant,
)
from yuyan.domain.indicators.vocabulary import facts, known_grains, parameters, period_bases
from yuyan.domain.yaml_file import YamlFile

REGISTRY = {
    "name": "name_zh",
    "name_en": "name_en",
    "official": "is_official",
    "clause": "clause_zh",
    "numerator": "numerator_zh",
    "denominator": "denominator_zh",
    "denominator_day": "denominator_day_zh",
    "kind": "value_kind",
    "unit": "unit_zh",
    "scale": "display_scale",
    "direction": "direction",
    "grains": "grains",
    "small_number": "small_number_minimum",
    "department": "responsible_dept_zh",
    "sources": "source_entities",
    "caveat": "caveat_zh",
    "section": "plan_section_zh",
    "role": "variant_role",
    "estimator": "estimator",
    "adjustment": "adjustment",
    "comparator": "comparator",
    "city_rule": "city_rule",
    "unit_rule": "unit_rule",
    "answers": "answers",
    "value_upper": "value_upper",
    "sampled_kinds": "sampled_kinds",
    "threshold_range": "threshold_range",
    "beside_official": "is_beside_official",
}
"""Key of a file -> column of the registry (seed plan/indicator.csv)."""
BY_CATALOGUE = {
    "category", "discipline", "institution_category", "institution_discipline",
    "discipline_code", "is_urgent_discipline", "is_in_match_scope", "is_discipline_matched", "is_cluster_matched",
    "overlap_share",
}  # fmt: skip
"""Grains and columns by which a variant counts by the discipline catalogue: the registry says by which edition."""
GUARD = {"variant": "guard_variant_code", "minimum": "guard_minimum", "reason": "guard_reason_code"}
COUNTING = {"fact", "period", "cluster", "where", "value", "share_of_city", "cases"}
OF_FILE = {"measures", "variants", "examples"}
REQUIRED = (
    "name",
    "name_en",
    "clause",
    "numerator",
    "kind",
    "unit",
    "scale",
    "direction",
    "grains",
    "sources",
    "section",
    "role",
    "fact",
    "period",
    "value",
)
KINDS = ("count", "ratio", "index", "growth", "cagr")
SHIFTS = ("base", "previous", "three_years", "three_years_before")
"""`measure@base` is its value in the base year, `@previous` of the year before, `@three_years` the sum of three years."""
WHOLE = ("city", "institution")
MEASURE = re.compile(
    r"(?:(?P<count>count)|distinct (?P<distinct>\w+)|sum (?P<sum>\w+)(?: per (?P<per>\w+))?)(?: where (?P<where>.+))?",
    re.S,
)
TERM = r"(\w+)(?:@(\w+))?"
SIDE = re.compile(rf"1|{TERM}|mean\({TERM}, {TERM}\)")
TARGET_COLUMNS = (
    "doc_version",
    "target_value",
    "op",
    "due_on",
    "path_kind",
    "baseline_value",
    "baseline_year",
    "baseline_status",
    "awaits_decision_code",
    "is_city_only",
    "judged_finer_grains",
    "green_from",
    "amber_from",
    "is_proposed",
    "note_zh",
)
STEP_COLUMNS = ("path_value", "red_below")


class Reader:
    """Reads one file and refuses what does not follow the grammar."""

    def __init__(self, file: YamlFile) -> None:
        self.file, self.code = file, file.path.stem
        self.defaults = {k: v for k, v in file.data.items() if k not in OF_FILE}

    def indicator(self) -> Indicator:
        data = self.file.data
        for key in ("measures", "variants", "examples"):
            if not data.get(key):
                self._refuse([], f"has no {key}", f"write the block `{key}:`")
        for key in self.defaults:
            self._known([key], key, {*REGISTRY, *COUNTING, "guard"})
        self.measures = {name: self._measure(name, text) for name, text in data["measures"].items()}
        found, targets, steps = [], [], []
        for key, given in data["variants"].items():
            variant = self._variant(str(key), given or {})
            found.append(variant)
            for row, path in self._targets(str(key), variant, (given or {}).get("target", [])):
                targets.append(row)
                steps += path
        used = {t.measure for v in found for value in v.values.values() for s in value if s for t in s.terms}
        used |= {v.cases.measure for v in found if v.cases}
        if unused := [m for m in self.measures if m not in used]:
            self._refuse(
                ["measures", unused[0]], f"measure {unused[0]} is in no value", "use it or delete it"
            )
        if sum(v.row["is_official"] == "true" for v in found) != 1:
            self._refuse(
                ["variants"], "needs exactly one `official: true`", "say which variant is the official one"
            )
        examples = tuple(self._example(n, given) for n, given in enumerate(data["examples"]))
        return Indicator(self.code, self.measures, tuple(found), tuple(targets), tuple(steps), examples)

    def _measure(self, name: str, text: Any) -> Measure:
        where = ["measures", name]
        match = MEASURE.fullmatch(" ".join(str(text).split()))
        if not match:
            self._refuse(
                where,
                f"{text!r} is no measure",
                "write count, distinct COLUMN, sum COLUMN or sum COLUMN per COLUMN, then perhaps `where …`; "
                "what needs more is a column or a table of the star",
            )
        condition = self._condition(where, match["where"]) if match["where"] else None
        return Measure(name, match["sum"], match["distinct"] or match["per"], condition)

    def _condition(self, where: list[str | int], text: str) -> Condition:
        try:
            condition = conditions.parse(text)
        except ConditionError as error:
            self._refuse(where, str(error), "")
        for name in condition.parameters:
            self._known(where, name, parameters(), "parameter (vars in dbt_project.yml)")
        return condition

    def _variant(self, key: str, given: dict[str, Any]) -> Variant:
        where: list[str | int] = ["variants", key]
        match = re.fullmatch(r"([\w.-]+?)(?: v(\d+))?", key)
        if not match or not match[1].startswith(self.code):
            self._refuse(
                where,
                f"{key!r} is no variant of {self.code}",
                f"a variant is {self.code}… or {self.code}… v2",
            )
        for name in given:
            self._known([*where, name], name, {*REGISTRY, *COUNTING, "guard", "target"})
        data = self.defaults | given
        data["period"] = self.defaults.get("period", {}) | given.get("period", {})
        for name in REQUIRED:
            if data.get(name) in (None, ""):
                self._refuse(
                    where,
                    f"{key} has no {name}",
                    f"write `{name}:` in the variant or at the head of the file",
                )
        self._known(where, data["kind"], KINDS, "kind")
        fact = data["fact"]
        self._known(where, fact, facts(), "star table")
        period = data["period"]
        if set(period) != {"basis", "column", "first_year"}:
            self._refuse(
                where,
                "period must have basis, column and first_year",
                "period: {basis: CY, column: …, first_year: 2016}",
            )
        self._known(where, period["basis"], period_bases(), "period basis")
        said = data["grains"]
        grains = WHOLE if said == "whole" else WHOLE[:1] if said == "city" else (*WHOLE, *said)
        for grain in grains:
            self._known(where, grain, known_grains(), "grain")
        conditions_of = [
            self._condition([*where, "where"], g["where"]) for g in (self.defaults, given) if g.get("where")
        ]
        variant = Variant(
            indicator=self.code,
            code=match[1],
            version=int(match[2] or 1),
            fact=fact,
            basis=period["basis"],
            period_column=period["column"],
            cluster=data.get("cluster"),
            where=conditions.all_of(conditions_of),
            grains=tuple(sorted(grains, key=known_grains().index)),
            kind=data["kind"],
            values=self._values(where, data["value"]),
            share_of_city=tuple(data.get("share_of_city", ())),
            cases=self._cases(where, data.get("cases")),
            row={},
        )
        self._check(where, variant)
        variant.row.update(self._row(variant, data))
        return variant

    def _values(self, where: list[str | int], value: Any) -> dict[str, tuple[Side, Side | None]]:
        by_grain = value if isinstance(value, dict) else {"*": value}
        found = {}
        for grain, text in by_grain.items():
            sides = [self._side([*where, "value"], part.strip()) for part in str(text).split(" / ")]
            if len(sides) > 2:
                self._refuse(
                    [*where, "value"], f"{text!r} has more than one division", "write NUMERATOR / DENOMINATOR"
                )
            found[grain] = (sides[0], sides[1] if len(sides) == 2 else None)
        return found

    def _cases(self, where: list[str | int], name: str | None) -> Term | None:
        if name is not None:
            self._known([*where, "cases"], name, self.measures, "measure of this file")
        return Term(name) if name else None

    def _side(self, where: list[str | int], text: str) -> Side:
        match = SIDE.fullmatch(text)
        if not match:
            self._refuse(
                where,
                f"{text!r} is no numerator or denominator",
                "write a measure, measure@base, measure@previous, mean(one, other) or 1",
            )
        names = [(match[n], match[n + 1]) for n in (1, 3, 5) if match[n]]
        for name, shift in names:
            self._known(where, name, self.measures, "measure of this file")
            if shift:
                self._known(where, shift, SHIFTS, "shift")
        return Side(tuple(Term(name, shift) for name, shift in names))

    def _check(self, where: list[str | int], variant: Variant) -> None:
        """Columns are the fact's, keys of one value agree, a discipline's clusters are counted by keys only."""
        columns = facts()[variant.fact]
        used = [variant.period_column, *(variant.where.columns if variant.where else ())]
        for grain in variant.grains:
            if grain == "cluster":
                if not variant.cluster:
                    self._refuse(
                        where,
                        "grain cluster needs `cluster:`",
                        f"cluster: COLUMN, or cluster: {BY_DISCIPLINE}",
                    )
                used += ["discipline_code"] if variant.cluster == BY_DISCIPLINE else [variant.cluster]
            else:
                used += GRAIN_COLUMNS[grain]
        for numerator, denominator in variant.values.values():
            terms = [t for s in (numerator, denominator) if s for t in s.terms]
            terms += [variant.cases] if variant.cases else []
            measures = [self.measures[t.measure] for t in terms]
            for m in measures:
                used += [c for c in (m.amount, m.key) if c] + (m.where.columns if m.where else [])
            if len({m.key for m in measures}) > 1:
                self._refuse(
                    [*where, "value"],
                    "counts one side by another key than the other",
                    "use one key for both sides",
                )
            if (
                variant.cluster == BY_DISCIPLINE
                and "cluster" in variant.grains
                and any(m.key is None for m in measures)
            ):
                self._refuse(
                    [*where, "cluster"],
                    "a row of two clusters would count twice",
                    "count distinct keys, or name a column",
                )
            if any(t.shift for t in terms) and columns.get(variant.period_column) == "text":
                self._refuse(
                    [*where, "value"],
                    f"{variant.period_column} is no year that can be shifted",
                    "shift years only",
                )
            if (denominator is None) != (variant.kind == "count"):
                self._refuse(
                    [*where, "value"],
                    f"does not fit kind {variant.kind}",
                    "a count has no denominator, all others have one",
                )
        for column in used:
            self._known(where, column, columns, f"column of {variant.fact}")

    def _columns(self, variant: Variant) -> set[str]:
        """Columns that decide what the variant counts."""
        terms = [t for value in variant.values.values() for s in value if s for t in s.terms]
        measures = [self.measures[t.measure] for t in terms]
        conditions_of = [variant.where, *(m.where for m in measures)]
        named = {c for condition in conditions_of if condition for c in condition.columns}
        return named | {m.amount for m in measures if m.amount}

    def _row(self, variant: Variant, data: dict[str, Any]) -> dict[str, str]:
        row = {
            "variant_code": variant.code,
            "indicator_code": self.code,
            "definition_version": str(variant.version),
            "is_official": "false",
            "period_basis": variant.basis,
            "first_year": str(data["period"]["first_year"]),
            "discipline_edition": "",
        }
        for key, column in REGISTRY.items():
            row[column] = _text(data.get(key, row.get(column, "")))
        if BY_CATALOGUE & {*variant.grains, *self._columns(variant)} or variant.cluster == BY_DISCIPLINE:
            row["discipline_edition"] = _text(parameters()["discipline_edition"])
        row["is_official"] = _text(bool(data.get("official")))
        row["grains"] = ";".join(variant.grains)
        for key, column in GUARD.items():
            row[column] = _text(data.get("guard", {}).get(key))
        return row

    def _targets(
        self, key: str, variant: Variant, given: list[dict[str, Any]]
    ) -> Iterator[tuple[dict[str, str], list[dict[str, str]]]]:
        for n, target in enumerate(given):
            where = ["variants", key, "target", n]
            for name in target:
                self._known(where, name, {*TARGET_COLUMNS, "steps"}, "column of target")
            row = {"variant_code": variant.code, **{c: _text(target.get(c)) for c in TARGET_COLUMNS}}
            steps = []
            for year, step in target.get("steps", {}).items():
                for name in step:
                    self._known(where, name, STEP_COLUMNS, "column of a step")
                steps.append(
                    {
                        "variant_code": variant.code,
                        "doc_version": row["doc_version"],
                        "period_year": str(year),
                    }
                    | {c: _text(step.get(c)) for c in STEP_COLUMNS}
                )
            yield row, steps

    def _example(self, number: int, given: dict[str, Any]) -> Example:
        where: list[str | int] = ["examples", number]
        if missing := {"name", "as_of", "rows", "expect"} - set(given):
            self._refuse(
                where, f"an example has no {', '.join(sorted(missing))}", "compare with a neighbouring file"
            )
        for fact, text in given["rows"].items():
            self._known(where, fact, facts(), "star table")
            for column in text.splitlines()[0].split(","):
                self._known(where, column, facts()[fact], f"column of {fact}")
        return Example(
            given["name"],
            str(given["as_of"]),
            {k: str(v) for k, v in given.get("parameters", {}).items()},
            dict(given["rows"]),
            given["expect"],
        )

    def _known(self, where: list[str | int], name: Any, known: Any, what: str = "key") -> None:
        if name not in known:
            near = difflib.get_close_matches(str(name), [str(k) for k in known], n=1)
            meant = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(map(str, known)))}"
            self._refuse(where, f"{name} is no {what}", meant)

    def _refuse(self, where: list[str | int], what: str, remedy: str) -> None:
        raise IndicatorError(f"{self.file.at(*where)}: {'; '.join(filter(None, (what, remedy)))}")


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return ";".join(map(str, value)) if isinstance(value, list) else str(value)
