"""Institutions and how each supplies its entities, from include/institutions/ (YAML) over the profile of its product.

An institution's file names its product and connection and may override any of it: names, codes, formats, the record id, and
how each field is made. A bad file is refused with its name and line.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PositiveFloat, PositiveInt

from yuyan import settings
from yuyan.domain import contracts, platforms
from yuyan.domain.contracts import Contract
from yuyan.domain.entity_map import EntityMap
from yuyan.domain.field_map import FieldMap
from yuyan.domain.platforms import (
    Codes,
    Formats,
    InstitutionError,
    Known,
    Limits,
    Model,
    Platform,
    Table,
    Tables,
    at,
    check_code_sets,
    check_fields,
)
from yuyan.domain.yaml_file import YamlFile

Code = Annotated[str, Field(pattern=r"^\d{5}$")]
OVERRIDES = ("page_size", "requests_per_second", "concurrency", "compare_days", "fresh_hours")
"""Keys of an institution's file that take the place of its product's."""


def _listed(said: Any) -> Any:
    """`[student, org_unit]` is short for a mapping that says nothing more of either."""
    return (
        dict.fromkeys(said, Table())
        if isinstance(said, list) and all(isinstance(e, str) for e in said)
        else said
    )


class _File(Model):
    """What an institution's file may say. Everything but the first four overrides its product's profile."""

    inst_code: Code
    name: str
    product: str
    connection: str
    entities: Annotated[Tables, BeforeValidator(_listed)] | None = None
    not_yet: tuple[str, ...] = ()
    page_size: PositiveInt | None = None
    requests_per_second: PositiveFloat | None = None
    concurrency: PositiveInt | None = None
    compare_days: PositiveInt | None = None
    fresh_hours: PositiveInt | None = None
    limits: Limits = Limits()
    formats: Formats = Formats()
    fields: dict[str, dict[str, FieldMap]] = Field({})
    codes: Codes = Field({})


@dataclass(frozen=True)
class Institution:
    """One institution with its product's profile, overrides applied."""

    inst_code: str
    name: str
    connection: str
    platform: Platform
    entities: tuple[str, ...]
    """What it is asked for, parents before children: the commission-owned entities or the universities' ones, those that its
    file names, or those that its product has a map of."""
    tables: dict[str, Table]
    """What its own file says of an entity."""
    path: Path

    @property
    def product(self) -> str:
        return self.platform.product

    def mapping(self, contract: Contract) -> EntityMap:
        """Names, codes and formats of an entity at this institution. Raises InstitutionError where nothing names a record or
        maps a field."""
        p, entity = self.platform, contract.entity
        own, base = self.tables.get(entity, Table()), p.entities.get(entity, Table())

        def said(name: str) -> Any:
            return next(
                (getattr(t, name) for t in (own, base) if name in t.model_fields_set), getattr(p, name)
            )

        fields = p.fields_of(contract) | own.fields
        if not fields:
            raise InstitutionError(
                f"{at(self.path, 'entities', entity)}: no map of {entity}; add it under entities "
                f"(`yuyan check {self.inst_code}` proposes one)"
            )
        record_id, version, deleted = said("record_id"), said("version"), said("deleted")
        if not record_id:
            raise InstitutionError(
                f"{at(self.path, 'entities', entity)}: {entity} has no record_id; name the column, or the columns that "
                "only together name a record"
            )
        codes = {f.name: p.codes_of(f.code_set) | _own_codes(fields, f.name) for f in contract.supplied}
        return EntityMap(
            inst_code=self.inst_code,
            entity=entity,
            table=own.table or p.table_of(contract),
            fields=fields,
            record_id=record_id,
            version_column=version,
            version_as=p.version_as,
            deleted=deleted,
            envelope=tuple(dict.fromkeys(n for n in (*p.envelope, *record_id, version, deleted) if n)),
            formats=p.formats,
            codes={name: found for name, found in codes.items() if found},
            prefixed=tuple(n for n in p.inst_prefix.fields if n in fields and fields[n].text is None),
            whole=p.inst_prefix.whole,
            columns=tuple((f.name, f.type) for f in contract.columns),
        )


def _own_codes(fields: dict[str, FieldMap], name: str) -> dict[str, str]:
    return fields[name].codes if name in fields else {}


def load(folder: Path | None = None, profiles: Path | None = None) -> Known[Institution]:
    """Every institution by code; a file that is not usable is in `refused`.

    >>> load()["10618"].mapping(contracts.load()["student"]).names["status_code"]
    'XJZTM'
    """
    return _known(
        platforms.stamped(folder or settings.institutions_dir()),
        platforms.stamped(profiles or settings.platforms_dir()),
    )


@lru_cache(maxsize=4)
def _known(files: platforms.Stamps, profiles: platforms.Stamps) -> Known[Institution]:
    known = platforms.of_files(profiles)
    return Known([path for path, *_ in files], lambda path: _institution(path, known))


def codes() -> list[str]:
    """Codes of all institutions to collect, those whose file is not usable included: their tasks say so."""
    known = load()
    return sorted([*known, *known.refused])


def fresh_hours() -> dict[str, int]:
    """Code -> how many hours old its data may become; that of a file which is not usable is the profiles' default."""
    known = load()
    default = Platform.model_fields["fresh_hours"].default
    return {code: known[code].platform.fresh_hours if code in known else default for code in codes()}


def label(inst_code: str) -> str:
    """Code and name, or the code alone where the file is not usable."""
    known = load()
    return f"{inst_code} {known[inst_code].name}" if inst_code in known else inst_code


def owned(inst_code: str) -> dict[str, Contract]:
    """The entities that an institution of this code supplies: the commission's or the universities' ones."""
    owner = "commission" if inst_code == settings.COMMISSION else "university"
    return {e: c for e, c in contracts.load().items() if c.owner == owner}


def _institution(path: Path, profiles: Known[Platform]) -> Institution:
    file = platforms.read(path, _File)
    if file.inst_code != path.stem:
        raise InstitutionError(f"{at(path, 'inst_code')}: inst_code {file.inst_code} must be the file's name")
    if file.product not in profiles and file.product not in profiles.refused:
        raise InstitutionError(
            f"{at(path, 'product')}: product {file.product!r} has no profile; known are {', '.join(sorted(profiles))}"
        )
    own = owned(file.inst_code)
    _check_entities(path, file, own)
    check_code_sets(path, file.codes)
    profile = profiles[file.product]
    changes = {name: value for name in OVERRIDES if (value := getattr(file, name)) is not None}
    for name in ("limits", "formats"):
        said = getattr(file, name).model_dump(exclude_unset=True)
        changes[name] = getattr(profile, name).model_copy(update=said)
    changes["codes"] = {
        **profile.codes,
        **{s: {**profile.codes.get(s, {}), **c} for s, c in file.codes.items()},
    }
    tables = _tables(file)
    institution = Institution(
        inst_code=file.inst_code,
        name=file.name,
        connection=file.connection,
        platform=profile.model_copy(update=changes),
        entities=_asked_for(file, profile, own, tables),
        tables=tables,
        path=path,
    )
    for entity in institution.entities:
        mapping = institution.mapping(own[entity])
        _check_one_column_each(path, institution, mapping)
        _check_persons(path, own[entity], mapping)
        if len(mapping.record_id) > 1 and mapping.version_as == "number":
            raise InstitutionError(
                f"{at(path, 'entities', entity, 'record_id')}: {entity}: {profile.product} pages and deletes by one "
                "record id; name one column"
            )
    return institution


def _check_entities(path: Path, file: _File, own: dict[str, Contract]) -> None:
    places = [("entities", e, ("entities", e, "fields"), t.fields) for e, t in (file.entities or {}).items()]
    places += [("fields", e, ("fields", e), fields) for e, fields in file.fields.items()]
    for entity in file.not_yet:
        if entity not in own:
            raise InstitutionError(
                f"{at(path, 'not_yet')}: {file.inst_code} does not supply {entity!r}; it supplies {', '.join(own)}"
            )
    for key, entity, where, fields in places:
        if entity not in own:
            raise InstitutionError(
                f"{at(path, key, entity)}: {file.inst_code} does not supply {entity!r}; it supplies {', '.join(own)}"
            )
        check_fields(path, own[entity], fields, where)


def _tables(file: _File) -> dict[str, Table]:
    """What the file says of each entity: under `entities`, and of fields alone under `fields`."""
    tables = dict(file.entities or {})
    for entity, fields in file.fields.items():
        table = tables.get(entity, Table())
        tables[entity] = table.model_copy(update={"fields": {**fields, **table.fields}})
    return tables


def _asked_for(
    file: _File, profile: Platform, own: dict[str, Contract], tables: dict[str, Table]
) -> tuple[str, ...]:
    """Entities that the file names; where it names none, those that there is a map of. Not those that are for later."""
    asked = [e for e in own if e not in (*profile.not_yet, *file.not_yet)]
    if file.entities is not None:
        return tuple(e for e in asked if e in file.entities)
    return tuple(e for e in asked if profile.fields_of(own[e]) or tables.get(e, Table()).fields)


def _check_one_column_each(path: Path, institution: Institution, mapping: EntityMap) -> None:
    """No column of the source is taken as it is for two fields: with the profile's names and the product's own envelope, not
    the file's own alone. A column that the file itself calls the record's id may be a field, too."""
    own = institution.tables.get(mapping.entity, Table())
    given = {*(own.record_id or ()), own.version, own.deleted}
    names = [(n, f.column) for n, f in mapping.fields.items() if f.is_plain]
    first: dict[str, str] = {}
    for field, name in [*names, *(("", name) for name in mapping.envelope if name not in given)]:
        if name in first:
            other = field or "the record's envelope"
            raise InstitutionError(
                f"{_where(path, mapping.entity, first[name])}: {mapping.entity}: {name!r} is the column of both "
                f"{first[name]} and {other}; name another column for one of them"
            )
        first[name] = field


def _check_persons(path: Path, contract: Contract, mapping: EntityMap) -> None:
    """What identifies a person never lands, so no column of it may serve another field or the record's id."""
    marked = {
        column: f.name
        for f in contract.supplied
        if f.privacy and f.name in mapping.fields
        for column in mapping.fields[f.name].columns
    }
    others = [
        (c, f.name)
        for f in contract.columns
        if f.name in mapping.fields
        for c in mapping.fields[f.name].columns
    ]
    for column, field in [*others, *((c, "record_id") for c in mapping.envelope)]:
        if column in marked:
            raise InstitutionError(
                f"{_where(path, mapping.entity, field)}: {mapping.entity}: {column!r} is {marked[column]}, which identifies "
                f"a person and is never stored, so {field} cannot be made of it; name another column"
            )


def _where(path: Path, entity: str, field: str) -> str:
    """`file:line` of a field, or of `record_id`, under whichever key the file has it."""
    file = YamlFile(path)
    if field in ((file.data.get("fields") or {}).get(entity) or {}):
        return file.at("fields", entity, field)
    return file.at("entities", entity, *([field] if field == "record_id" else ["fields", field]))
