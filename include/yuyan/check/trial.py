"""The first rows of an institution, judged by the real rules in the real warehouse, in a transaction that is rolled back.

Nothing stays of it. While it lasts (seconds) no validation runs. A row that only a reference keeps out counts as there for
the rows that refer to it, so that every failure that is shown is one of its own.
"""

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import islice
from typing import Any

import polars as pl
import psycopg

from yuyan import settings
from yuyan.check import samples
from yuyan.collect import landing, privacy
from yuyan.collect import mapping as mapped
from yuyan.collect.landing import Landed
from yuyan.collect.source import ITEMS, Meter, Source
from yuyan.domain import catalogue, contracts, structural
from yuyan.domain.catalogue import BLOCKING, Catalogue, Rule
from yuyan.domain.contracts import Contract
from yuyan.domain.institutions import Institution
from yuyan.load.batch import Batch, LoadError, prepare
from yuyan.load.loader import Loader
from yuyan.validate import failures, isolation, rulebook, scope, statements, worktable
from yuyan.validate.run import LOCK
from yuyan.validate.work import Work
from yuyan.warehouse import records

RUN = "check"
"""Stands for the run in what is rolled back."""
OBSERVED = 5
"""Different observed values of a rule that are shown."""
_KINDS = ("boolean", "date", "integer", "number")


class Busy(RuntimeError):
    """A validation is running, which a trial would wait for."""


@dataclass(frozen=True)
class Rows:
    """The first rows of an entity, mapped. `is_all`: there are no others. `absent`: columns that the file names and the
    source does not have."""

    batch: Batch
    is_all: bool
    absent: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failure:
    """A rule that rows of the sample break. `undecided`: they refer to records of which only the first rows were tried.
    `observed`: values of codes, dates and numbers; of all else the shape."""

    rule_id: str
    severity: str
    message: str
    fix: str
    rows: int
    first_row: int
    observed: tuple[str, ...]
    undecided: bool = False


@dataclass(frozen=True)
class Verdict:
    """What became of the rows of an entity: how many were tried, how many would be accepted, and why others not.

    `refused`: why none of them would be loaded. `changed`: rows that are mapped differently than they were loaded, where the
    rows are landed ones.
    """

    rows: int
    accepted: int = 0
    failures: tuple[Failure, ...] = ()
    refused: str = ""
    changed: int | None = None


@dataclass(frozen=True)
class _InMemory(Landed):
    """A batch that has landed nowhere."""

    content: bytes = field(default=b"", repr=False)

    def open(self) -> io.BytesIO:
        return io.BytesIO(self.content)


def from_source(institution: Institution, source: Source, entity: str, rows: int, as_of: date) -> Rows:
    """The first rows that the source has of an entity. Raises SourceError, LoadError."""
    contract = contracts.load()[entity]
    mapping = institution.mapping(contract)
    pages = _pages(source, entity)
    frames: list[pl.DataFrame] = []
    absent: set[str] = set(mapping.announced)
    version: int | None = None
    while sum(frame.height for frame in frames) <= rows and (page := next(pages, None)):
        window, found = page
        version = window.version
        absent &= set(found.absent)
        frames.append(found.frame)
    whole = pl.concat(frames) if frames else pl.DataFrame(schema=dict.fromkeys(mapping.announced, pl.String))
    frame = privacy.protect(whole.head(rows), contract, mapping, *_person_key())
    frame = frame.with_columns(_feed=pl.lit(ITEMS))
    out = io.BytesIO()
    frame.write_parquet(out)
    manifest = {
        **{name: "" for name in ("ref_period", "window_from", "window_to", "payload_digest", "run_id")},
        **{
            "batch_id": f"{RUN}-{institution.inst_code}-{entity}",
            "product": institution.product,
            "mode": "incremental",
        },
        **{
            "version": version,
            "as_of": as_of.isoformat(),
            "is_last": True,
            "drift": {},
            "rows": {},
            "greatest": None,
        },
    }
    batch = prepare(_InMemory(f"{RUN}:{entity}", manifest, out.getvalue()), contract, mapping)
    return Rows(batch, whole.height <= rows, tuple(sorted(absent)) if frames else ())


def _person_key() -> tuple[bytes, int]:
    """The line's own, so that a person known to the warehouse is found; where it is not at hand, one for nobody."""
    try:
        return settings.person_key_secret()
    except KeyError:
        return RUN.encode(), 1


def _pages(source: Source, entity: str) -> Iterator[Any]:
    for window in source.windows(entity, None, True):
        for page in source.pages(window, Meter()):
            if page.feed == ITEMS:
                yield window, page


def from_landing(institution: Institution, entity: str, rows: int) -> Rows | None:
    """The first rows of the newest landed batch of an entity, mapped as the files say now; None where nothing has landed.
    Raises DamagedBatch, LoadError."""
    contract = contracts.load()[entity]
    mapping = institution.mapping(contract)
    if (landed := landing.newest(institution.inst_code, entity)) is None:
        return None
    with landed.open() as file:
        there = set(pl.read_parquet_schema(file))
    batch = prepare(landed, contract, mapping, correction=f"{RUN}-{landed.batch_id}")
    lacking = mapped.sources(contract, mapping) - there
    return Rows(replace(batch, rows=batch.rows.head(rows)), batch.rows.height <= rows, tuple(sorted(lacking)))


def judge(connection: psycopg.Connection, rows: Mapping[str, Rows], as_of: date) -> dict[str, Verdict]:
    """Load and judge the rows of each entity, parents first; everything is rolled back. Raises Busy, RuleError.

    >>> judge(connection, {"student": from_source(institution, source, "student", 100, as_of)}, as_of)["student"].accepted
    97
    """
    if not rows:
        return {}
    rules = catalogue.load()
    found: dict[str, Verdict] = {}
    with connection.transaction(force_rollback=True):
        if not connection.execute("select pg_try_advisory_xact_lock(%s)", [LOCK]).fetchone()[0]:
            raise Busy("正在校验，稍后再试。/ a validation is running; try again when it has ended")
        (is_prepared,) = connection.execute("select to_regclass('judging.city_total') is not null").fetchone()
        if not is_prepared:
            structure = statements.FOLDER.parent / "structure.sql"
            connection.execute(structure.read_text(encoding="utf-8"))
        rulebook.register(connection, rules, RUN)
        isolation.keep_out(connection, {})
        for entity in (e for e in rules.order if e in rows):
            try:
                with connection.transaction():
                    found[entity] = _Trial(connection, rules, entity, rows, as_of).run()
            except LoadError as refusal:
                found[entity] = Verdict(rows[entity].batch.rows.height, refused=str(refusal))
            except psycopg.Error as error:
                if connection.closed:
                    raise
                found[entity] = Verdict(
                    rows[entity].batch.rows.height,
                    refused=f"数据库无法判定：{isolation.text(error)} / the database cannot judge it",
                )
    return found


@dataclass(frozen=True)
class _Trial:
    connection: psycopg.Connection
    rules: Catalogue
    entity: str
    all_rows: Mapping[str, Rows]
    as_of: date

    def run(self) -> Verdict:
        connection, entity, work = self.connection, self.entity, Work(self.entity)
        batch, of_entity = self.all_rows[entity].batch, self.rules.rules[entity]
        loaded = Loader(connection, RUN, self.as_of).load(batch)
        inst_code, ids = batch.mapping.inst_code, batch.rows["id"].unique().to_list()
        where = "r.src_inst_code = {} and r.src_record_id = any({})"
        where = psycopg.sql.SQL(where).format(inst_code, ids).as_string(connection)
        columns = "r.src_inst_code, r.src_record_id, r.raw_id, r.record_key, r.is_deleted"
        connection.execute(f"drop table if exists {work.newest}")  # of a validation that was killed
        connection.execute(f"create unlogged table {work.newest} as {records.newest(entity, columns, where)}")
        connection.execute(
            f"create temp table {work.scope} as select src_inst_code, src_record_id, raw_id, record_key, true as is_newest "
            f"from {work.newest} where not is_deleted"
        )
        scope.find_taken_keys(connection, work)
        scope.find_latest(connection, self.rules, work)
        judged = worktable.build(connection, work, of_entity, self.as_of)
        connection.execute(f"drop table if exists {work.failing}")
        statements.run(
            connection, "failing", work=work, verdicts=failures.broken(connection, of_entity, work)
        )
        found = self._failures({rule.rule_id: rule for rule in of_entity})
        own = [f.rule_id for f in found if f.severity in BLOCKING and not f.undecided]
        accepted = judged - self._count(
            f"select count(distinct raw_id) from {work.failing} where rule_id = any(%s)", own
        )
        self._accept(work, batch.contract)
        changed = loaded.stored if batch.correction else None
        return Verdict(batch.rows.height, accepted, found, changed=changed)

    def _accept(self, work: Work, contract: Contract) -> None:
        """Put the rows that no blocking rule keeps out, but those of references, where rows that refer to them look."""
        names = ", ".join(f.name for f in contract.columns)
        meta = "src_inst_code, src_record_id, raw_id, batch_id"
        self.connection.execute(
            f"delete from accepted.{self.entity} as a using {work.judged} as w where {records.same_record('a', 'w')}"
        )
        self.connection.execute(
            f"insert into accepted.{self.entity} ({meta}, {names}) select {meta}, {names} from {work.judged} as w "
            f"where not exists (select from {work.failing} as f where f.raw_id = w.raw_id and f.severity = any(%s) "
            "and f.rule_id <> all(%s))",
            [list(BLOCKING), [structural.reference_id(contract, ref) for ref in contract.references]],
        )

    def _count(self, query: str, *parameters: Any) -> int:
        return self.connection.execute(query, parameters).fetchone()[0]

    def _failures(self, rules: Mapping[str, Rule]) -> tuple[Failure, ...]:
        query = (
            "select rule_id, count(*), min(row_no), (array_agg(distinct observed))[1:200] from failing "
            "group by rule_id order by count(*) desc, rule_id"
        )
        contract, undecided = contracts.load()[self.entity], self._undecided()
        return tuple(
            Failure(
                rule_id,
                rules[rule_id].severity,
                rules[rule_id].message,
                rules[rule_id].fix,
                rows,
                first,
                _shown(contract, rules[rule_id], [o for o in observed if o]),
                rule_id in undecided,
            )
            for rule_id, rows, first, observed in self.connection.execute(query)
        )

    def _undecided(self) -> set[str]:
        """Rules of references to records of which only the first rows are here, or none."""
        contract = contracts.load()[self.entity]
        return {
            structural.reference_id(contract, ref)
            for ref in contract.references
            if contracts.load()[ref.entity].owner == contract.owner
            and not (ref.entity in self.all_rows and self.all_rows[ref.entity].is_all)
        }


def _shown(contract: Contract, rule: Rule, observed: list[str]) -> tuple[str, ...]:
    """Observed values of codes, dates, numbers and truth values as they are; of all else shapes: it may be a person's."""
    names = rule.column.split("|")
    fields = {f.name: f for f in contract.columns}
    is_plain = all(
        n in fields
        and n not in contract.personal
        and n not in contract.key
        and (fields[n].code_set or fields[n].type in _KINDS)
        for n in names
    )
    texts = observed if is_plain else map(samples.shape, observed)
    return tuple(islice(dict.fromkeys(texts), OBSERVED))
