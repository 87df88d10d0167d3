"""Allocation schemes: files of include/schemes, read into typed objects; a wrong one is refused with file, place and remedy.

`load("default").pillars["quality"].indicators["H09"].weight` is 0.4. A scheme may extend another: what it names replaces
that, and null takes it out.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from yuyan import settings
from yuyan.allocate.scores import AGGREGATIONS, NORMALISATIONS

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
SMALL = 1e-9


class SchemeError(ValueError):
    """A scheme that cannot be used; the message names the file, the place in it, what is wrong and what to do."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Indicator(_Model):
    """One indicator of a pillar: a variant of the registry, or a measure of the star (sources.MEASURES)."""

    weight: Positive
    direction: Literal["up", "down"]
    goalposts: tuple[float, float]
    """The value that scores 0 and the one that scores 100."""
    normalisation: Literal[NORMALISATIONS] = "goalpost"  # type: ignore[valid-type]
    use: Literal["value", "shrunk", "adjusted", "benchmark"] = "value"
    """The value as it is; shrunk towards its like; adjusted for what is not its doing; distance from the benchmark."""
    per: str | None = None
    """Measure that the value is divided by."""
    times: Positive = 1.0
    """What one unit of `per` is counted in: 1000 makes the value one per thousand."""
    definitions: tuple[str, ...] = ()
    """Other variants that mean the same thing: assumptions of the robustness analysis."""

    @model_validator(mode="after")
    def _direction_is_that_of_the_goalposts(self) -> "Indicator":
        worst, best = self.goalposts
        if worst == best or (self.direction == "up") != (best > worst):
            raise ValueError(
                f"goalposts 写作 [得0分的值, 得100分的值]，direction 为 {self.direction} 时"
                f"{'后者' if self.direction == 'up' else '前者'}必须较大，现为 [{worst:g}, {best:g}]"
            )
        return self


class Pillar(_Model):
    name_zh: str
    weight: Positive
    indicators: dict[str, Indicator] = Field(min_length=1)

    @field_validator("indicators")
    @classmethod
    def _weights(cls, value: dict[str, Indicator]) -> dict[str, Indicator]:
        _sum_to_one({code: i.weight for code, i in value.items()}, "指标")
        return value


class Exclusion(_Model):
    """Institutions that take no part, by affiliation or by code, and why."""

    affiliation: str | None = None
    institution: str | None = None
    reason_zh: str

    @model_validator(mode="after")
    def _one_rule(self) -> "Exclusion":
        if (self.affiliation is None) == (self.institution is None):
            raise ValueError("一条规则写 affiliation（隶属关系代码）或 institution（单位代码），二者取一")
        return self


class Costs(_Model):
    """Cost of a student against that of a master's student of an inexpensive discipline."""

    level: dict[str, Positive]
    discipline: dict[str, Positive]
    """Discipline category (two digits) -> weight; `default` for all others."""

    @field_validator("discipline")
    @classmethod
    def _default(cls, value: dict[str, float]) -> dict[str, float]:
        if "default" not in value:
            raise ValueError("缺少 default：没有列出的学科门类按它计")
        return value


class Base(_Model):
    share: Share
    costs: Costs


class Performance(_Model):
    alpha: Annotated[float, Field(ge=0)]
    beta: Annotated[float, Field(ge=0)]
    spread: Positive


class Bounds(_Model):
    floor: Annotated[Decimal, Field(ge=0, le=1)]
    cap: Annotated[Decimal, Field(ge=0)]


class Robustness(_Model):
    draws: Annotated[int, Field(ge=1000, le=100_000)]
    seed: int
    weight_noise: Annotated[float, Field(gt=0, lt=1)]
    drop_probability: Share


class EfficiencyRule(_Model):
    """Measures or `<variant>.value`, `<variant>.numerator`."""

    inputs: tuple[str, ...] = Field(min_length=1)
    outputs: tuple[str, ...] = Field(min_length=1)
    draws: Annotated[int, Field(ge=100, le=10_000)]

    @model_validator(mode="after")
    def _few(self) -> "EfficiencyRule":
        if len(self.inputs) + len(self.outputs) > 5:
            raise ValueError("约三十个单位至多用五个投入和产出，否则几乎每个单位都在前沿上")
        return self


class Guards(_Model):
    record_share: Annotated[float, Field(gt=0, lt=1)]
    """A single record that moves an institution's grant by more than this share is listed."""
    favourable_numbers: Annotated[int, Field(ge=1)]


class Scheme(_Model):
    """A whole scheme. Every number is [param]: ours until the commission signs it."""

    name: str
    version: Annotated[int, Field(ge=1)]
    title_zh: str
    note_zh: str
    budget_cny: Annotated[int, Field(gt=0)]
    last_grants: int
    """Year of include/schemes/last_grants.csv."""
    transition_year: Annotated[int, Field(ge=1)]
    hold_harmless: tuple[Share, ...] = Field(min_length=1)
    """Share of a loss that is made up for in the first, second, … year; nothing after the last."""
    exclude: tuple[Exclusion, ...]
    base: Base
    performance: Performance
    bounds: Bounds
    aggregation: Literal[AGGREGATIONS]  # type: ignore[valid-type]
    missing: Literal["share", "refuse"]
    """A value that an institution lacks: its weight goes to the institution's other indicators, or the run is refused."""
    pillars: dict[str, Pillar] = Field(min_length=1)
    robustness: Robustness
    efficiency: EfficiencyRule
    guards: Guards

    @field_validator("pillars")
    @classmethod
    def _weights(cls, value: dict[str, Pillar]) -> dict[str, Pillar]:
        _sum_to_one({code: p.weight for code, p in value.items()}, "方面（pillar）")
        codes = [code for p in value.values() for code in p.indicators]
        if twice := sorted({c for c in codes if codes.count(c) > 1}):
            raise ValueError(f"指标 {'、'.join(twice)} 出现在不止一个方面里，会被计算两次")
        return value

    @property
    def indicators(self) -> dict[str, Indicator]:
        """Code -> indicator, of all pillars in order."""
        return {code: i for p in self.pillars.values() for code, i in p.indicators.items()}

    @property
    def weights(self) -> dict[str, float]:
        """Code -> share of the whole score."""
        return {code: p.weight * i.weight for p in self.pillars.values() for code, i in p.indicators.items()}

    @property
    def protection(self) -> float:
        """Share of a loss made up for in this year of the transition."""
        year = self.transition_year
        return self.hold_harmless[year - 1] if year <= len(self.hold_harmless) else 0.0

    @property
    def names(self) -> set[str]:
        """Everything that must be a variant of the registry or a measure of the star."""
        found = set(self.indicators)
        for indicator in self.indicators.values():
            found |= {*indicator.definitions, *([indicator.per] if indicator.per else [])}
        return found | {
            name.partition(".")[0] for name in (*self.efficiency.inputs, *self.efficiency.outputs)
        }

    @property
    def content(self) -> dict[str, Any]:
        """The scheme as plain data, in one form for one scheme."""
        return self.model_dump(mode="json")

    @property
    def digest(self) -> str:
        """SHA-256 of the content, hexadecimal."""
        return digest(self.content)

    def with_budget(self, budget_cny: int | None) -> "Scheme":
        """The same scheme with another budget. Raises SchemeError."""
        if budget_cny is None:
            return self
        if budget_cny <= 0:
            raise SchemeError(f"预算 {budget_cny} 元：必须是正整数")
        return self.model_copy(update={"budget_cny": budget_cny})


def digest(content: Any) -> str:
    """SHA-256 of plain data in canonical JSON, hexadecimal."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def names() -> list[str]:
    """The schemes that there are."""
    return sorted(path.stem for path in settings.schemes_dir().glob("*.yml"))


def load(name: str) -> Scheme:
    """Read a scheme and what it extends. Raises SchemeError."""
    content = {k: v for k, v in _merged(name, ()).items() if k != "extends"}
    try:
        return Scheme.model_validate({"name": name} | content)
    except ValidationError as error:
        faults = "；".join(f"{'.'.join(map(str, e['loc'])) or '全文'}：{e['msg']}" for e in error.errors())
        raise SchemeError(f"方案 {_path(name).name} 不可用：{faults.replace('Value error, ', '')}") from error


def last_grants(year: int) -> dict[str, int]:
    """Institution -> grant of that year in yuan, from include/schemes/last_grants.csv. Raises SchemeError."""
    import polars as pl

    path = settings.schemes_dir() / "last_grants.csv"
    try:
        rows = pl.read_csv(path, schema_overrides={"inst_code": pl.String})
        own = rows.filter(pl.col("year") == year)
        found = dict(own.select("inst_code", "amount_cny").iter_rows())
    except (OSError, pl.exceptions.PolarsError) as error:
        raise SchemeError(f"上次拨款 {path.name} 不可用：{error}") from error
    if len(found) < len(own) or not all(isinstance(a, int) and a > 0 for a in found.values()):
        raise SchemeError(f"上次拨款 {path.name}：{year} 年每个单位只能有一行，金额须为正整数（元）")
    if not found:
        raise SchemeError(f"上次拨款 {path.name} 没有 {year} 年的行：补上，或更正方案的 last_grants")
    return found


def _path(name: str) -> Path:
    return settings.schemes_dir() / f"{name}.yml"


def _merged(name: str, below: tuple[str, ...]) -> dict[str, Any]:
    """The file's content over that of the scheme it extends."""
    if name in below:
        raise SchemeError(
            f"方案 {' → '.join((*below, name))} 互相扩展（extends），没有起点：让其中一个写全，不再 extends"
        )
    try:
        content = yaml.load(_path(name).read_text(encoding="utf-8"), Loader=_Loader)
    except OSError as error:
        raise SchemeError(f"没有方案 {name}；现有：{'、'.join(names()) or '无'}") from error
    except yaml.YAMLError as error:
        raise SchemeError(f"方案 {_path(name).name} 不是有效的 YAML：{error}") from error
    if not isinstance(content, dict):
        raise SchemeError(f"方案 {_path(name).name} 应为一组“键: 值”")
    if parent := content.get("extends"):
        return _over(_merged(str(parent), (*below, name)), content)
    return content


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(below)
    for key, value in above.items():
        if value is None:
            found.pop(key, None)
        elif isinstance(value, dict) and isinstance(found.get(key), dict):
            found[key] = _over(found[key], value)
        else:
            found[key] = value
    return found


def _sum_to_one(weights: Mapping[str, float], what: str) -> None:
    if abs(sum(weights.values()) - 1) > SMALL:
        each = "、".join(f"{k} {v:g}" for k, v in weights.items())
        raise ValueError(f"{what}权重之和为 {sum(weights.values()):g}，应为 1（{each}）")


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """Refuses a key that stands twice: plain YAML would silently take the second."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in _twice(keys):
            raise yaml.constructor.ConstructorError(None, None, f"键 {key!r} 出现两次", node.start_mark)
        return super().construct_mapping(node, deep)


def _twice(keys: list[Any]) -> Iterator[Any]:
    seen = set()
    for key in keys:
        if key in seen:
            yield key
        seen.add(key)
