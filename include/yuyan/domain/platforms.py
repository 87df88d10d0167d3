"""Platform products, from include/platforms/ (YAML): how to reach one, how its names, codes and formats map to contracts.

A bad file is refused with its name and line; an institution's file may override much of what its product says
(domain/institutions.py).
"""

from collections.abc import Callable, Iterable
from functools import cache, lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    ValidationError,
)

from yuyan import settings
from yuyan.domain import contracts
from yuyan.domain.contracts import Contract
from yuyan.domain.field_map import Columns, DateForm, FieldMap
from yuyan.domain.yaml_file import YamlError, YamlFile

Codes = dict[str, dict[str, str]]
_M = TypeVar("_M", bound=BaseModel)
_T = TypeVar("_T")


class InstitutionError(ValueError):
    """A profile or institution file that cannot be used; the message names file, line and remedy."""


class Model(BaseModel):
    """A part of such a file: what it does not know is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Formats(Model):
    """How the product writes values that the warehouse wants in canonical form, and CSV files without a manifest."""

    date: DateForm = "yyyy-mm-dd"
    boolean: tuple[str, str] = ("true", "false")
    decimal: Literal[".", ","] = "."
    """A comma: 1.234,5 is 1234.5."""
    delimiter: str = Field(",", min_length=1, max_length=1)
    encoding: str | None = None
    """Of files whose manifest names none (default: gb18030)."""


class InstPrefix(Model):
    """Fields whose values travel without the institution's code; a value behind `whole` travels complete."""

    fields: tuple[str, ...] = ()
    whole: str = "*"


class Table(Model):
    """One entity's table, file or resource: what it is called, what names a record, and its columns.

    What it does not say is as the product has it. `record_id`: one column, or several that only together name a record.
    `version`: the column of its update time, null where it has none. `table` of a file: its name, with * and ? for any
    characters, or the name by which manifests list it.
    """

    table: str | None = Field(None, min_length=1)
    record_id: Columns | None = None
    version: str | None = None
    deleted: str | None = None
    fields: dict[str, FieldMap] = {}


class Limits(Model):
    """What one entity of a source may cost. Reaching one refuses the window by name, and nothing of it is loaded, unless it
    says otherwise."""

    answer_mb: PositiveInt = 8
    """An answer of a REST platform, unpacked."""
    page_rows: PositiveInt = 50_000
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
    """A workbook, unpacked."""
    workbook_characters: PositiveInt = 10_000_000
    """Characters of a sheet's cells, whatever they hold, and of the texts of a workbook that none of them shares."""
    columns: PositiveInt = 16_384
    """Columns of a file."""
    unannounced: PositiveInt = 1_000
    """Names of fields that nobody announced, of one window; those that come later are counted together, not refused."""
    next_id_characters: PositiveInt = 2_000
    """Characters of the id of a next page."""
    manifest_mb: PositiveInt = 16
    """manifest.json of a delivery."""


def _none_is_empty(said: Any) -> Any:
    """`student:` with nothing behind it: all as the product has it."""
    return {k: {} if v is None else v for k, v in said.items()} if isinstance(said, dict) else said


Tables = Annotated[dict[str, Table], BeforeValidator(_none_is_empty)]


class Platform(Model):
    """A product. `names` says how its field names follow from the contract; `version_as` how it orders versions;
    `connector` is one of yuyan.collect.connect.

    `overlap_hours`: how far a window reaches back behind the one before. `compare_days`: after how many days everything is
    compared, not only what changed. `fresh_hours`: how old its data may become, from the last complete collection.
    `not_yet`: entities that it does not serve yet and is not asked for.
    `unmapped: contract`: where names are a map, entities and fields that it does not have keep the contract's names.
    `marker`: the file by which a delivery that has no manifest says that it is complete.
    """

    product: str
    label: str
    connector: str
    names: Literal["contract", "label", "prefixed", "map"]
    prefix: str = ""
    record_id: Columns | None = None
    version: str | None = None
    version_as: Literal["number", "compact-time", "time", "delivery"]
    deleted: str | None = None
    envelope: tuple[str, ...] = ()
    table: str = "{entity}"
    marker: str | None = Field(None, min_length=1)
    page_size: PositiveInt
    requests_per_second: PositiveFloat = 50
    concurrency: PositiveInt = 4
    timeout_seconds: PositiveFloat = 60
    overlap_hours: int = Field(0, ge=0)
    compare_days: PositiveInt = 7
    fresh_hours: PositiveInt = 36
    limits: Limits = Limits()
    formats: Formats = Formats()
    codes: Codes = {}
    code_prefix: dict[str, str] = {}
    inst_prefix: InstPrefix = InstPrefix()
    entities: Tables = {}
    not_yet: tuple[str, ...] = ()
    unmapped: Literal["contract"] | None = None

    def table_of(self, contract: Contract) -> str:
        """What the product calls the entity."""
        own = self.entities.get(contract.entity)
        return own.table if own and own.table else self.table.format(entity=contract.entity)

    def fields_of(self, contract: Contract) -> dict[str, FieldMap]:
        """Contract field -> how it is made, for every field that the product has; none where it has no map of the entity."""
        if self.names == "map":
            mapped = self.entities[contract.entity].fields if contract.entity in self.entities else {}
            plain = {f.name: f.name for f in contract.supplied} if self.unmapped else {}
            return _fields(plain) | mapped
        rule = {
            "contract": lambda f: f.name,
            "label": lambda f: f.label,
            "prefixed": lambda f: self.prefix + f.name,
        }[self.names]
        return _fields({f.name: rule(f) for f in contract.supplied})

    def names_of(self, contract: Contract) -> dict[str, str]:
        """Contract field -> the product's column, for every field that is one column."""
        return {name: f.columns[0] for name, f in self.fields_of(contract).items() if len(f.columns) == 1}

    def codes_of(self, code_set: str | None) -> dict[str, str]:
        """Local -> national codes of a set. A prefixed code maps only where the set knows it: others are kept."""
        if code_set in self.code_prefix:
            prefix = self.code_prefix[code_set]
            return {prefix + code: code for code in contracts.code_sets()[code_set]}
        return self.codes.get(code_set or "", {})


def _fields(names: dict[str, str]) -> dict[str, FieldMap]:
    return {name: _plain(column) for name, column in names.items()}


@cache
def _plain(column: str) -> FieldMap:
    return FieldMap(column=column)


Stamps = tuple[tuple[Path, int, int], ...]


def stamped(folder: Path) -> Stamps:
    """The YAML files of a folder, each with the time of its last change and its size: what was read of them holds as long as
    these do."""
    paths = sorted(folder.glob("*.yml"))
    found = ((path, path.stat() if path.exists() else path.lstat()) for path in paths)
    return tuple((path, status.st_mtime_ns, status.st_size) for path, status in found)


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


def load(folder: Path | None = None) -> Known[Platform]:
    """Every product's profile by its name; a file that is not usable is in `refused`."""
    return of_files(stamped(folder or settings.platforms_dir()))


@lru_cache(maxsize=4)
def of_files(files: Stamps) -> Known[Platform]:
    """The profiles of these files, read once as long as they stay as they are."""
    return Known([path for path, *_ in files], _platform)


def _platform(path: Path) -> Platform:
    platform = read(path, Platform)
    known = contracts.load()
    if platform.product != path.stem:
        raise InstitutionError(f"{path}:1: product {platform.product!r} must be the file's name")
    try:
        platform.table.format(entity="student")
    except (LookupError, ValueError, AttributeError):
        raise InstitutionError(
            f"{at(path, 'table')}: table {platform.table!r} may have {{entity}} only; correct it"
        ) from None
    for entity in platform.not_yet:
        if entity not in known:
            raise InstitutionError(f"{at(path, 'not_yet')}: {entity} has no contract")
    for entity, table in platform.entities.items():
        if entity not in known:
            raise InstitutionError(f"{at(path, 'entities', entity)}: {entity} has no contract")
        check_fields(path, known[entity], table.fields, ("entities", entity, "fields"))
        lacking = [f.name for f in known[entity].supplied if f.mandatory and f.name not in table.fields]
        if platform.names == "map" and lacking and not platform.unmapped:
            raise InstitutionError(
                f"{at(path, 'entities', entity)}: {entity} has no name for {', '.join(lacking)}; "
                "map mandatory fields, or say `unmapped: contract` if the product calls them what the contract does"
            )
    check_code_sets(path, {**platform.codes, **dict.fromkeys(platform.code_prefix)})
    return platform


def check_fields(path: Path, contract: Contract, fields: dict[str, FieldMap], where: tuple[str, ...]) -> None:
    """Raise InstitutionError for fields that a platform does not supply, a column that two take as it is, and what the
    type of a field has no use for."""
    supplied = {f.name: f for f in contract.supplied}
    plain = [f.column for f in fields.values() if f.is_plain]
    for name, field in fields.items():
        if name not in supplied:
            raise InstitutionError(
                f"{at(path, *where, name)}: {contract.entity}.{name} is not a field that a platform supplies"
            )
        if field.is_plain and plain.count(field.column) > 1:
            raise InstitutionError(
                f"{at(path, *where, name)}: {field.column!r} is the name of two fields of {contract.entity}; if both are "
                f"meant to have it, write text: '{{{field.column}}}' for one of them"
            )
        kind = supplied[name].type
        for option, kinds in _OF_TYPE.items():
            if getattr(field, option) is not None and kind not in kinds:
                raise InstitutionError(
                    f"{at(path, *where, name)}: {contract.entity}.{name}: {option}: is for {' and '.join(kinds)} fields, "
                    f"and this one is {kind}; remove it"
                )


_OF_TYPE = {
    "date": ("date",), "boolean": ("boolean",), "times": ("integer", "number"), "separator": ("array",),
}  # fmt: skip
"""Options of a field's map that only some types have a use for."""


def check_code_sets(path: Path, codes: dict[str, Any]) -> None:
    """Raise InstitutionError for a code set that there is not."""
    for code_set in codes:
        if code_set not in contracts.code_sets():
            raise InstitutionError(
                f"{at(path, 'codes', code_set)}: code set {code_set!r} is not in seeds/reference/code.csv"
            )


def read(path: Path, model: type[_M]) -> _M:
    """A file as this model. Raises InstitutionError."""
    try:
        return model.model_validate(YamlFile(path).data)
    except YamlError as error:
        raise InstitutionError(str(error)) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        quote = "; put it in quotes" if first["type"] == "string_type" else ""
        raise InstitutionError(
            f"{at(path, *first['loc'])}: {where}: {first['msg'].removeprefix('Value error, ')}{quote}"
        ) from error


def at(path: Path, *keys: str | int) -> str:
    """`file:line` of the deepest node that exists under these keys."""
    return YamlFile(path).at(*keys)
