"""How one institution supplies one entity: its product's profile and its own file, put together."""

import hashlib
import json
from dataclasses import dataclass, fields
from functools import cached_property

from yuyan.domain.field_map import FieldMap
from yuyan.domain.platforms import Formats


@dataclass(frozen=True)
class EntityMap:
    """How one institution supplies one entity.

    `fields`: contract field -> how it is made, for every field the source has. `record_id`: the columns that together name
    a record. `codes`: field -> {local: national}. `prefixed`: fields that get `inst_code` in front. `columns`: (name, type)
    of what the warehouse stores. `version` changes whenever the outcome of mapping may change.
    """

    inst_code: str
    entity: str
    table: str
    fields: dict[str, FieldMap]
    record_id: tuple[str, ...]
    version_column: str | None
    version_as: str
    deleted: str | None
    envelope: tuple[str, ...]
    formats: Formats
    codes: dict[str, dict[str, str]]
    prefixed: tuple[str, ...]
    whole: str
    columns: tuple[tuple[str, str], ...]

    @property
    def names(self) -> dict[str, str]:
        """Contract field -> the source's column, for every field that is made of one column alone."""
        return {name: f.columns[0] for name, f in self.fields.items() if len(f.columns) == 1}

    @property
    def announced(self) -> tuple[str, ...]:
        """The columns that are read, once each: the envelope, then the fields'."""
        return tuple(dict.fromkeys([*self.envelope, *(c for f in self.fields.values() for c in f.columns)]))

    @cached_property
    def version(self) -> str:
        """Digest of everything that mapping depends on."""
        parts = {f.name: getattr(self, f.name) for f in fields(self)}
        parts["formats"] = self.formats.model_dump()
        parts["fields"] = {
            name: f.model_dump(mode="json", exclude_defaults=True) for name, f in self.fields.items()
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:12]
