"""`yuyan check`: connection and rights, what the source has, mapping and rules on the first rows, a proposal, what lacks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatchcase

import psycopg

from yuyan.check import propose, samples, trial
from yuyan.check.samples import Column
from yuyan.check.trial import Rows, Verdict
from yuyan.collect.connect import source as connect
from yuyan.collect.landing import DamagedBatch
from yuyan.collect.source import Resource, SourceError
from yuyan.domain import contracts, institutions, stewards
from yuyan.domain.catalogue import RuleError
from yuyan.domain.institutions import Institution
from yuyan.domain.stewards import StewardError
from yuyan.load.batch import LoadError

ROWS = 100
"""Rows of each entity that are tried."""
STEWARDS = 2
"""A university's overrides are approved by another account than the one that asked."""


@dataclass(frozen=True)
class Seen:
    """A table, file or resource: its columns as they may be shown, and the entities that are made of it."""

    name: str
    columns: tuple[Column, ...]
    entities: tuple[str, ...]
    problem: str = ""
    note: str = ""


@dataclass(frozen=True)
class Tried:
    """The first rows of an entity. `absent`: columns that the file names and the source does not have; `unmapped`: mandatory
    fields that nothing is said of; `verdict`: None where there was no warehouse to judge in."""

    entity: str
    label: str
    table: str
    rows: int
    is_all: bool
    absent: tuple[str, ...]
    unmapped: tuple[str, ...]
    verdict: Verdict | None
    problem: str = ""


@dataclass(frozen=True)
class Report:
    """What a check found. `stopped`: why it went no further; `missing`: what has to be done before the first collection."""

    inst_code: str
    name: str
    product: str
    against: str
    stopped: str
    resources: tuple[Seen, ...]
    tried: tuple[Tried, ...]
    proposal: str
    missing: tuple[str, ...]


def check(
    institution: Institution,
    as_of: date,
    connection: psycopg.Connection | None,
    against_landing: bool = False,
    rows: int = ROWS,
) -> Report:
    """Try an institution's connection and mapping; nothing is loaded. Without a warehouse's `connection` no rule is
    tried.

    Raises Busy while a validation is running.

    >>> check(institutions.load()["19001"], date(2026, 10, 15), connection).missing
    ('市教委尚未报送 19001 的培养单位记录 …',)
    """
    paged = institution.platform.model_copy(update={"page_size": min(rows, institution.platform.page_size)})
    one = _Check(replace(institution, platform=paged), as_of, connection, rows)
    return one.of_landing() if against_landing else one.of_source()


class _Check:
    def __init__(
        self, institution: Institution, as_of: date, connection: psycopg.Connection | None, rows: int
    ) -> None:
        self._institution, self._as_of, self._connection, self._rows = institution, as_of, connection, rows

    def of_source(self) -> Report:
        institution = self._institution
        try:
            source = connect(institution, self._as_of)
            try:
                source.open()
                resources = list(source.resources(self._rows))
                tried = self._tried(
                    lambda entity: trial.from_source(institution, source, entity, self._rows, self._as_of)
                )
                complaints = tuple(source.complaints)
            finally:
                source.close()
        except SourceError as error:
            return self._report("source", str(error), (), (), self._missing(()))
        return self._report("source", "", resources, tried, (*complaints, *self._missing(tried)))

    def of_landing(self) -> Report:
        tried = self._tried(lambda entity: trial.from_landing(self._institution, entity, self._rows))
        stopped = "" if tried else "还没有落地的数据，请先采集。/ nothing has landed yet; collect first"
        return self._report("landing", stopped, (), tried, self._missing(tried))

    def _tried(self, read: Callable[[str], Rows | None]) -> tuple[Tried, ...]:
        found: dict[str, Rows] = {}
        problems: dict[str, str] = {}
        for entity in self._institution.entities:
            try:
                if (rows := read(entity)) is not None:
                    found[entity] = rows
            except (SourceError, LoadError, DamagedBatch) as error:
                problems[entity] = str(error)
        verdicts: dict[str, Verdict] = {}
        self._not_judged = "没有仓库地址，规则未试判（YUYAN_WAREHOUSE_DSN）"
        if self._connection is not None:
            try:
                verdicts, self._not_judged = trial.judge(self._connection, found, self._as_of), ""
            except (RuleError, psycopg.errors.UndefinedTable) as error:
                self._not_judged = f"规则未试判：{error}"
        return tuple(
            self._one(entity, found.get(entity), verdicts.get(entity), problems.get(entity, ""))
            for entity in self._institution.entities
            if entity in found or entity in problems
        )

    def _one(self, entity: str, rows: Rows | None, verdict: Verdict | None, problem: str) -> Tried:
        contract = contracts.load()[entity]
        mapping = self._institution.mapping(contract)
        return Tried(
            entity,
            contract.label,
            mapping.table,
            rows.batch.rows.height if rows else 0,
            rows.is_all if rows else True,
            rows.absent if rows else (),
            tuple(
                f"{f.label} {f.name}"
                for f in contract.supplied
                if f.mandatory and f.name not in mapping.fields
            ),
            verdict,
            problem,
        )

    def _report(
        self,
        against: str,
        stopped: str,
        resources: Sequence[Resource],
        tried: tuple[Tried, ...],
        missing: tuple[str, ...],
    ) -> Report:
        institution = self._institution
        tables = {e: institution.mapping(contracts.load()[e]).table for e in institution.entities}
        mapped = {r.name: [e for e, table in tables.items() if _is_of(r.name, table)] for r in resources}
        asked = [e for e in institutions.owned(institution.inst_code) if e not in tables]
        is_database = institution.platform.connector == "database"
        return Report(
            institution.inst_code,
            institution.name,
            institution.product,
            against,
            stopped,
            tuple(
                Seen(r.name, tuple(samples.columns(r)), tuple(mapped[r.name]), r.problem, r.note)
                for r in resources
            ),
            tried,
            propose.yaml(institution.inst_code, resources, asked, is_database),
            missing,
        )

    def _missing(self, tried: Sequence[Tried]) -> tuple[str, ...]:
        code = self._institution.inst_code
        return (
            *self._registration(code),
            *(self._not_judged_of(tried)),
            *_of_entities(tried),
            *self._not_mapped(),
        )

    def _not_judged_of(self, tried: Sequence[Tried]) -> list[str]:
        return [self._not_judged] if tried and self._not_judged else []

    def _not_mapped(self) -> list[str]:
        if self._institution.entities:
            return []
        return [f"{self._institution.path.name} 没有说明任何实体：把建议的 entities 抄入文件，核对后再试"]

    def _registration(self, code: str) -> list[str]:
        """What must be there before anything of a university is accepted: the commission's record, and accounts."""
        found = []
        if self._connection is not None and code in _universities(self._institution):
            query = "select exists (select from accepted.institution where inst_code = %s)"
            if not self._connection.execute(query, [code]).fetchone()[0]:
                found.append(
                    f"市教委尚未报送 {code} 的培养单位记录（institution）：它到达并接收之前，{code} 的全部记录都会被隔离"
                )
        try:
            known = [s.name for s in stewards.load().values() if s.inst_code == code]
        except StewardError as error:
            return [*found, str(error)]
        if code in _universities(self._institution) and len(known) < STEWARDS:
            found.append(
                f"数据管理员名单中 {code} 只有 {len(known)} 个账号，需要 {STEWARDS} 个（申请与批准不能是同一个）"
            )
        return found


def _universities(institution: Institution) -> set[str]:
    owned = institutions.owned(institution.inst_code)
    return {institution.inst_code} if any(c.owner == "university" for c in owned.values()) else set()


def _of_entities(tried: Sequence[Tried]) -> list[str]:
    found = []
    for one in tried:
        who = f"{one.label} {one.entity}"
        if one.problem:
            found.append(one.problem)
        if one.unmapped:
            found.append(f"{who}：必填字段没有来源：{'、'.join(one.unmapped)}")
        if one.absent:
            found.append(f"{who}：{one.table} 没有文件所写的列：{'、'.join(one.absent)}")
        if one.verdict and one.verdict.refused:
            found.append(one.verdict.refused)
        if not one.problem and not one.rows:
            found.append(f"{who}：{one.table} 没有一行")
    return found


def _is_of(name: str, table: str) -> bool:
    return name.lower() == table.lower() or fnmatchcase(name, table)
