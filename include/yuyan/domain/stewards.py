"""Stewards: the accounts that may act on problems, from include/stewards.yml (YUYAN_STEWARDS names another file).

A steward's name is the name of an Airflow account and no personal datum.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated

import psycopg
import yaml
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from yuyan import settings
from yuyan.domain import yaml_file

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Code = Annotated[str, StringConstraints(pattern=r"^\d{5}$")]


class StewardError(ValueError):
    """A steward file that cannot be used, or a name that is not in it; the message says what to do."""


@dataclass(frozen=True)
class Steward:
    """An account of the commission (`inst_code` is None) or of one university."""

    name: str
    role: str
    inst_code: str | None = None

    def acts_on(self, inst_code: str) -> bool:
        """Whether the account may act on this institution's problems: a university's only on its own."""
        return self.role == "commission" or self.inst_code == inst_code

    def may_decide(self, override_by: str, inst_code: str, requested_by: str) -> bool:
        """Whether the account may approve or reject: of the role that the rule names, of the same institution where that
        is `university`, and another account than the requester's."""
        return self.role == override_by and self.acts_on(inst_code) and self.name != requested_by


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    commission: list[Name]
    universities: dict[Code, list[Name]]


def load() -> dict[str, Steward]:
    """Name -> steward. Raises StewardError for a file that is missing or wrong, and for a name that is there twice."""
    return _read(settings.stewards_file())


def find(name: str) -> Steward:
    """The steward of this name. Raises StewardError.

    >>> find("data-10611-1").acts_on("10611")
    True
    """
    steward = load().get(name)
    if steward is None:
        raise StewardError(f"{name!r} 不是登记的数据管理员；名单在 {settings.stewards_file()}")
    return steward


def deciders(override_by: str, inst_code: str, requested_by: str) -> list[Steward]:
    """Who may decide on an override of a rule with this `override_by`."""
    return [s for s in load().values() if s.may_decide(override_by, inst_code, requested_by)]


def publish(connection: psycopg.Connection) -> None:
    """Make quality.steward say what the file says."""
    rows = [(s.name, s.role, s.inst_code) for s in load().values()]
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("delete from quality.steward")
        cursor.executemany(
            "insert into quality.steward (name, role, src_inst_code) values (%s, %s, %s)", rows
        )


def forget() -> None:
    """Read the file anew the next time: it has been changed."""
    _read.cache_clear()


@cache
def _read(path: Path) -> dict[str, Steward]:
    try:
        content = _File.model_validate(yaml_file.read(path))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise StewardError(f"数据管理员名单 {path} 不可用：{error}") from error
    found = [Steward(name, "commission") for name in content.commission]
    found += [
        Steward(name, "university", code) for code, names in content.universities.items() for name in names
    ]
    by_name = {steward.name: steward for steward in found}
    if len(by_name) < len(found):
        twice = sorted(n for n in by_name if sum(s.name == n for s in found) > 1)
        raise StewardError(
            f"数据管理员名单 {path}：账号 {'、'.join(twice)} 出现不止一次，每个账号只属于一个单位"
        )
    return by_name
