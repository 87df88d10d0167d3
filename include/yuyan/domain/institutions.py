"""Institutions and the platform products they run, from include/institutions/ and include/platforms/ (YAML).

A product's profile says how to reach a platform and how its fields, codes and formats map to the contracts; an institution's
file names its product and connection and may override any of it. A bad file is refused with its name and line.
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, ValidationError

from yuyan import settings
from yuyan.domain import contracts
from yuyan.domain.contracts import Contract
from yuyan.domain.yaml_file import YamlError, YamlFile

Code = Annotated[str, Field(pattern=r"^\d{5}$")]
Codes = dict[str, dict[str, str]]
_M = TypeVar("_M", bound=BaseModel)
_T = TypeVar("_T")


class InstitutionError(ValueError):
    """A profile or institution file that cannot be used; the message names file, line and remedy."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Formats(_Model):
    """How the product writes values that the warehouse wants in canonical form."""

    date: Literal["yyyy-mm-dd", "yyyymmdd", "yyyy/m/d"] = "yyyy-mm-dd"
    boolean: tuple[str, str] = ("true", "false")


class InstPrefix(_Model):
    """Fields whose values travel without the institution's code; a value behind `whole` travels complete."""

    fields: tuple[str, ...] = ()
    whole: str = "*"


class Table(_Model):
    """One entity's table on a product whose names follow no rule: contract field -> the vendor's name."""

    table: str
    fields: dict[str, str]


class Limits(_Model):
    """What one entity of a source may cost. Reaching one refuses the window by name; nothing of it is loaded."""

    answer_mb: PositiveInt = 16
    """An answer of a REST platform, unpacked."""
    page_rows: PositiveInt = 200_000
    """Records (objects) in one answer."""
    pages: PositiveInt = 200_000
    """Answers to one question."""
    empty_pages: PositiveInt = 20
    """Answers in a row without a record that say there is more."""
    rows: PositiveInt = 20_000_000
    """Records of one window, whatever the product."""
    workbook_cells: PositiveInt = 2_000_000
    """Cells between the first and the last one of a sheet that hold something, the empty ones between them included."""
    workbook_mb: PositiveInt = 128
    """A workbook, unpacked; and its cells' text, in million characters."""
    manifest_mb: PositiveInt = 16
    """manifest.json of a delivery."""


class Platform(_Model):
    """A product. `names` says how its field names follow from the contract; `version_as` how it orders versions;
    `connector` is one of yuyan.collect.connect.

    `overlap_hours`: how far a window reaches back behind the one before. `compare_days`: after how many days everything is
    compared, not only what changed.
    `unmapped: contract`: where names are a map, entities and fields that it does not have keep the contract's names.
    """

    product: str
    label: str
    connector: str
    names: Literal["contract", "label", "prefixed", "map"]
    prefix: str = ""
    record_id: str
    version: str | None = None
    version_as: Literal["number", "compact-time", "time", "delivery"]
    deleted: str | None = None
    envelope: tuple[str, ...] = ()
    table: str = "{entity}"
    page_size: PositiveInt
    requests_per_second: PositiveFloat = 50
    concurrency: PositiveInt = 4
    timeout_seconds: PositiveFloat = 60
    overlap_hours: int = Field(0, ge=0)
    compare_days: PositiveInt = 7
    limits: Limits = Limits()
    formats: Formats = Formats()
    codes: Codes = {}
    code_prefix: dict[str, str] = {}
    inst_prefix: InstPrefix = InstPrefix()
    entities: dict[str, Table] = {}
    unmapped: Literal["contract"] | None = None

    def table_of(self, contract: Contract) -> str:
        """What the product calls the entity."""
        if contract.entity in self.entities:
            return self.entities[contract.entity].table
        return self.table.format(entity=contract.entity)

    def names_of(self, contract: Contract) -> dict[str, str]:
        """Contract field -> the product's name, for every field that the product has."""
        if self.names == "map":
            mapped = self.entities[contract.entity].fields if contract.entity in self.entities else {}
            if self.unmapped:
                return {f.name: mapped.get(f.name, f.name) for f in contract.supplied}
            if mapped:
                return mapped
            raise InstitutionError(
                f"include/platforms/{self.product}.yml: no table for {contract.entity}; add it under entities"
            )
        rule = {
            "contract": lambda f: f.name,
            "label": lambda f: f.label,
            "prefixed": lambda f: self.prefix + f.name,
        }[self.names]
        return {f.name: rule(f) for f in contract.supplied}


class _File(_Model):
    """What an institution's file may say. Everything but the first four overrides its product's profile."""

    inst_code: Code
    name: str
    product: str
    connection: str
    entities: tuple[str, ...] | None = None
    page_size: PositiveInt | None = None
    requests_per_second: PositiveFloat | None = None
    concurrency: PositiveInt | None = None
    compare_days: PositiveInt | None = None
    limits: Limits = Limits()
    fields: dict[str, dict[str, str]] = {}
    codes: Codes = {}


@dataclass(frozen=True)
class EntityMap:
    """How one institution supplies one entity.

    `names`: contract field -> the source's name, for every field the source has. `codes`: field -> {local: national}.
    `prefixed`: fields that get `inst_code` in front. `columns`: (name, type) of what the warehouse stores.
    `version` changes whenever the outcome of mapping may change.
    """

    inst_code: str
    entity: str
    table: str
    names: dict[str, str]
    record_id: str
    version_column: str | None
    version_as: str
    deleted: str | None
    envelope: tuple[str, ...]
    formats: Formats
    codes: dict[str, dict[str, str]]
    prefixed: tuple[str, ...]
    whole: str
    columns: tuple[tuple[str, str], ...]

    @cached_property
    def version(self) -> str:
        """Digest of everything that mapping depends on."""
        parts = {k: v for k, v in self.__dict__.items() if k not in ("formats", "version")}
        parts["formats"] = self.formats.model_dump()
        return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Institution:
    """One institution with its product's profile, overrides applied."""

    inst_code: str
    name: str
    connection: str
    platform: Platform
    entities: tuple[str, ...]
    """What it is asked for, parents before children: the commission-owned entities or the universities' ones."""
    fields: dict[str, dict[str, str]]
    path: Path

    @property
    def product(self) -> str:
        return self.platform.product

    def mapping(self, contract: Contract) -> EntityMap:
        """Names, codes and formats of an entity at this institution."""
        p = self.platform
        return EntityMap(
            inst_code=self.inst_code,
            entity=contract.entity,
            table=p.table_of(contract),
            names=p.names_of(contract) | self.fields.get(contract.entity, {}),
            record_id=p.record_id,
            version_column=p.version,
            version_as=p.version_as,
            deleted=p.deleted,
            envelope=tuple(dict.fromkeys(n for n in (*p.envelope, p.record_id, p.version, p.deleted) if n)),
            formats=p.formats,
            codes={f.name: codes for f in contract.supplied if (codes := _codes(p, f.code_set))},
            prefixed=tuple(f.name for f in contract.supplied if f.name in p.inst_prefix.fields),
            whole=p.inst_prefix.whole,
            columns=tuple((f.name, f.type) for f in contract.columns),
        )


class Known(dict[str, _T]):
    """What the files of a folder say, by name. A file that is not usable is in `refused` and raises when it is asked for:
    one bad file stops nobody else.
    """

    def __init__(self, paths: Iterable[Path], read: Callable[[Path], _T]) -> None:
        super().__init__()
        self.refused: dict[str, InstitutionError] = {}
        for path in paths:
            try:
                self[path.stem] = read(path)
            except InstitutionError as error:
                self.refused[path.stem] = error

    def __missing__(self, name: str) -> _T:
        raise self.refused.get(name) or KeyError(name)


def load(folder: Path | None = None, platforms: Path = settings.PLATFORMS) -> Known[Institution]:
    """Every institution by code; a file that is not usable is in `refused`.

    >>> load()["10618"].mapping(contracts.load()["student"]).names["status_code"]
    'XJZTM'
    """
    profiles = load_platforms(platforms)
    files = sorted((folder or settings.institutions_dir()).glob("*.yml"))
    return Known(files, lambda path: _institution(path, profiles))


def codes() -> list[str]:
    """Codes of all institutions to collect, those whose file is not usable included: their tasks say so."""
    known = load()
    return sorted([*known, *known.refused])


def label(inst_code: str) -> str:
    """Code and name, or the code alone where the file is not usable."""
    known = load()
    return f"{inst_code} {known[inst_code].name}" if inst_code in known else inst_code


def load_platforms(folder: Path = settings.PLATFORMS) -> Known[Platform]:
    """Every product's profile by its name; a file that is not usable is in `refused`."""
    return Known(sorted(folder.glob("*.yml")), _platform)


def _platform(path: Path) -> Platform:
    platform = _read(path, Platform)
    known = contracts.load()
    if platform.product != path.stem:
        raise InstitutionError(f"{path}:1: product {platform.product!r} must be the file's name")
    try:
        platform.table.format(entity="student")
    except (LookupError, ValueError, AttributeError):
        raise InstitutionError(
            f"{_at(path, 'table')}: table {platform.table!r} may have {{entity}} only; correct it"
        ) from None
    for entity, table in platform.entities.items():
        if entity not in known:
            raise InstitutionError(f"{_at(path, 'entities', entity)}: {entity} has no contract")
        _check_fields(path, known[entity], table.fields, ("entities", entity, "fields"))
        lacking = [f.name for f in known[entity].supplied if f.mandatory and f.name not in table.fields]
        if lacking and not platform.unmapped:
            raise InstitutionError(
                f"{_at(path, 'entities', entity)}: {entity} has no name for {', '.join(lacking)}; "
                "map mandatory fields, or say `unmapped: contract` if the product calls them what the contract does"
            )
    _check_code_sets(path, {**platform.codes, **dict.fromkeys(platform.code_prefix)})
    return platform


def _institution(path: Path, profiles: Known[Platform]) -> Institution:
    file = _read(path, _File)
    if file.inst_code != path.stem:
        raise InstitutionError(
            f"{_at(path, 'inst_code')}: inst_code {file.inst_code} must be the file's name"
        )
    if file.product not in profiles and file.product not in profiles.refused:
        raise InstitutionError(
            f"{_at(path, 'product')}: product {file.product!r} has no profile; known are {', '.join(sorted(profiles))}"
        )
    own = owned(file.inst_code)
    for entity in file.entities or ():
        if entity not in own:
            raise InstitutionError(f"{_at(path, 'entities')}: {file.inst_code} does not supply {entity!r}")
    for entity, names in file.fields.items():
        if entity not in own:
            raise InstitutionError(
                f"{_at(path, 'fields', entity)}: {file.inst_code} does not supply {entity!r}"
            )
        _check_fields(path, own[entity], names, ("fields", entity))
    _check_code_sets(path, file.codes)
    profile = profiles[file.product]
    changes = {
        name: value
        for name in ("page_size", "requests_per_second", "concurrency", "compare_days")
        if (value := getattr(file, name)) is not None
    }
    changes["limits"] = profile.limits.model_copy(update=file.limits.model_dump(exclude_unset=True))
    changes["codes"] = {
        **profile.codes,
        **{s: {**profile.codes.get(s, {}), **c} for s, c in file.codes.items()},
    }
    institution = Institution(
        inst_code=file.inst_code,
        name=file.name,
        connection=file.connection,
        platform=profile.model_copy(update=changes),
        entities=tuple(e for e in own if file.entities is None or e in file.entities),
        fields=file.fields,
        path=path,
    )
    for entity in institution.entities:
        _check_one_column_each(path, institution.mapping(own[entity]))
    return institution


def _check_one_column_each(path: Path, mapping: EntityMap) -> None:
    """No column of the source is read as two fields: with the profile's names and the envelope, not the file's own alone."""
    names = [*((n, name) for n, name in mapping.names.items()), *(("", name) for name in mapping.envelope)]
    first: dict[str, str] = {}
    for field, name in names:
        if name in first:
            other = field or "the record's envelope"
            raise InstitutionError(
                f"{_at(path, 'fields', mapping.entity, first[name])}: {mapping.entity}: {name!r} is the column of both "
                f"{first[name]} and {other}; name another column for one of them"
            )
        first[name] = field


def owned(inst_code: str) -> dict[str, Contract]:
    """The entities that an institution of this code supplies: the commission's or the universities' ones."""
    owner = "commission" if inst_code == settings.COMMISSION else "university"
    return {e: c for e, c in contracts.load().items() if c.owner == owner}


def _codes(platform: Platform, code_set: str | None) -> dict[str, str]:
    """Local -> national codes of a set. A prefixed code maps only where the set knows it: others are kept as they are."""
    if code_set in platform.code_prefix:
        prefix = platform.code_prefix[code_set]
        return {prefix + code: code for code in contracts.code_sets()[code_set]}
    return platform.codes.get(code_set or "", {})


def _check_fields(path: Path, contract: Contract, names: dict[str, str], where: tuple[str, ...]) -> None:
    supplied = {f.name for f in contract.supplied}
    for name, source in names.items():
        if name not in supplied:
            raise InstitutionError(
                f"{_at(path, *where, name)}: {contract.entity}.{name} is not a field that a platform supplies"
            )
        if sum(other == source for other in names.values()) > 1:
            raise InstitutionError(
                f"{_at(path, *where, name)}: {source!r} is the name of two fields of {contract.entity}"
            )


def _check_code_sets(path: Path, codes: dict[str, Any]) -> None:
    for code_set in codes:
        if code_set not in contracts.code_sets():
            raise InstitutionError(
                f"{_at(path, 'codes', code_set)}: code set {code_set!r} is not in seeds/reference/code.csv"
            )


def _read(path: Path, model: type[_M]) -> _M:
    try:
        return model.model_validate(YamlFile(path).data)
    except YamlError as error:
        raise InstitutionError(str(error)) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InstitutionError(f"{_at(path, *first['loc'])}: {where}: {first['msg']}") from error


def _at(path: Path, *keys: str | int) -> str:
    """`file:line` of the deepest node that exists under these keys."""
    return YamlFile(path).at(*keys)
