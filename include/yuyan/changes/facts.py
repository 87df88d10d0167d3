"""The rows of a fact that differ from those last published, the cause of each, and what each cause did to every count.

A fact is counted once per cause, in their order, by the same SQL that counts the indicators: before anything happened, after
corrections, after new records, and so on. Between two steps lies what one cause did, so that the parts add up whatever is
counted (persons once, weighted theses, sums of three years). Only rows that differ and those that share a counted key with
one of them are counted: the others are in every step alike.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import psycopg

from yuyan.changes import lineage, previous
from yuyan.changes.causes import CALENDAR, DEFINITION
from yuyan.domain import indicators
from yuyan.domain.indicators import counting_models, dbt_files

BRIDGE = "bridge_key_cluster"
FUTURE = "date 'infinity'"
"""A day after the run's date, as each side of a comparison sees it."""


@dataclass(frozen=True)
class Fact:
    """A table that indicators count: the SQL that counts it, the columns and keys that matter."""

    name: str
    sql: str = ""
    columns: dict[str, str] = field(default_factory=dict)
    """Column -> type: those that are counted, and those by which records belong to a row."""
    keys: tuple[str, ...] = ()
    """Columns of which a value is counted once: rows that share one hang together."""
    dates: tuple[str, ...] = ()
    """Columns that are compared with the run's date."""
    is_whole: bool = False
    """A count that is 1 as soon as there is a row needs all rows."""

    @property
    def by_discipline(self) -> bool:
        return BRIDGE in self.sql

    @property
    def table(self) -> previous.Table:
        return previous.Table(f"star.{self.name}", self.name, tuple(self.columns))


def counted() -> list[Fact]:
    """The facts of all indicators."""
    return [
        _fact(name.replace("ind_counted_", "fct_"), sql) for name, sql in counting_models.models().items()
    ]


def bridge() -> Fact:
    """Which disciplines belong to which clusters: rows of facts change with it."""
    return Fact(BRIDGE, columns=dict(indicators.facts()[BRIDGE]), is_whole=True)


def _fact(name: str, sql: str) -> Fact:
    known = indicators.facts()[name]
    linked = (own for link in lineage.links(name) for own, _ in link.columns)
    used = dict.fromkeys([*re.findall(r"\bf\.(\w+)", sql), *linked])
    of_fact = [v for v in indicators.variants() if v.fact == name]
    measures = {m for v in of_fact for m in _measures(v)}
    keys = tuple(dict.fromkeys(m.key for m in measures if m.key))
    dates = tuple(dict.fromkeys(counting_models.COMPARED_WITH_DAY.findall(sql)))
    constant = any(side and not side.terms for v in of_fact for value in v.values.values() for side in value)
    return Fact(name, sql, {c: known[c] for c in used}, tuple(sorted(keys)), dates, constant)


def _measures(variant: indicators.Variant) -> Iterable[indicators.Measure]:
    known = indicators.load()[variant.indicator].measures
    return (
        known[t.measure] for value in variant.values.values() for side in value if side for t in side.terms
    )


class Comparison:
    """One fact of the run against the same fact as last published, in temporary tables of the connection."""

    def __init__(
        self, connection: psycopg.Connection, fact: Fact, before: str, after: str, redefined: frozenset[str]
    ) -> None:
        """`before`, `after`: the dates of the two runs. What no record explains is the definition's where the fact is among
        `redefined`, else the passing day's."""
        self.connection, self.fact = connection, fact
        self.residual = DEFINITION if fact.name in redefined else CALENDAR
        self.before, self.after = before, after
        self.difference = f"differing_{fact.name}"
        self.causes = self._compare()

    def _compare(self) -> list[int]:
        """Find the rows that differ (side −1 before, 1 after; a row as often as it does); returns their causes."""
        columns, table = ", ".join(self.fact.columns), self.fact.table
        held, others = previous.held(self.connection, table), self._others()
        kept = previous.relation(self.connection, table)
        seen = (
            f"(select {self._seen(self.before, held)}, -1 as side from {kept} where {others} "
            f"union all select {self._seen(self.after)}, 1 from {table.source} where {others}) as both_states"
        )
        digest = (
            f"hash_record_extended(row({columns}), 0)"  # grouping all rows by it takes a fifth of the time
        )
        moved = f"where {digest} in (select {digest} from {seen} group by 1 having sum(side) <> 0)"
        self.connection.execute(
            f"create temp table {self.difference} on commit drop as "
            f"select {columns}, cast(sign(sides) as int) as side, cast(null as int) as cause from ("
            f"select {columns}, cast(sum(side) as int) as sides from {seen} {moved if others == previous.ANY else ''} "
            f"group by {columns} having sum(side) <> 0"
            ") as moved cross join lateral generate_series(1, abs(sides))"
        )
        if self.connection.execute(f"select exists (select from {self.difference})").fetchone()[0]:
            self._explain()
        found = self.connection.execute(f"select distinct cause from {self.difference} order by 1")
        return [cause for (cause,) in found]

    def _others(self) -> str:
        """A condition that each row of either side fulfils which the other side has not, or sees otherwise."""
        first, last = sorted((self.before, self.after))
        passed = [f"{date} > date '{first}' and {date} <= date '{last}'" for date in self.fact.dates]
        others = previous.may_differ(self.connection, self.fact.table)
        return others if others == previous.ANY else " or ".join([others, *passed])

    def _seen(self, day: str, held: frozenset[str] | None = None) -> str:
        """The columns as a run of that day counts them: a date after the day is any day after it. What the last published
        table has not (`held` says what it has) is NULL."""
        return ", ".join(self._column(name, kind, day, held) for name, kind in self.fact.columns.items())

    def _column(self, name: str, kind: str, day: str, held: frozenset[str] | None) -> str:
        if held is not None and name not in held:
            return f"cast(null as {kind}) as {name}"
        if name in self.fact.dates:
            return f"case when {name} > date '{day}' then {FUTURE} else {name} end as {name}"
        return name

    def _explain(self) -> None:
        """The cause of each row: of the first record that belongs to it, then the passing day, then of its institution."""
        links = lineage.links(self.fact.name)
        changed = {
            e for (e,) in self.connection.execute("select distinct entity from changed_record").fetchall()
        }
        for link in links:
            if link.entity in changed and link.is_certain:
                self._explain_by(link)
        for column in self.fact.dates:
            self.connection.execute(
                f"update {self.difference} set cause = {CALENDAR} where cause is null and {column} > %s",
                [self.before],
            )
        for link in links:
            if link.entity in changed and not link.is_certain:
                self._explain_by(link)
        self.connection.execute(f"update {self.difference} set cause = {self.residual} where cause is null")

    def _explain_by(self, link: lineage.Link) -> None:
        """The rows of no cause yet that these records are behind get the records' (the commonest, where they are many)."""
        source = (
            f"changed_record as c inner join raw.{link.entity} as r on r.raw_id in (c.before_id, c.after_id)"
        )
        alias = "r"
        if link.through:
            joined = " and ".join(f"cast(m.{own} as text) = r.{to}" for own, to in link.reference)
            source += f" inner join accepted.{link.through} as m on {joined}"
            alias = "m"
        columns = [f"cast({alias}.{to} as text) as c{n}" for n, (_, to) in enumerate(link.columns)]
        named = ", ".join([*columns, "mode() within group (order by c.cause) as cause"])
        grouped = f"group by {', '.join(str(n + 1) for n in range(len(columns)))}" if columns else ""
        equal = " and ".join(
            [f"cast(d.{own} as text) = k.c{n}" for n, (own, _) in enumerate(link.columns)] or ["true"]
        )
        self.connection.execute(
            f"update {self.difference} as d set cause = k.cause from (select {named} from {source} "
            f"where c.entity = '{link.entity}' {grouped}) as k where d.cause is null and k.cause is not null and {equal}"
        )

    def rows(self, step: int) -> str:
        """The rows that are counted, as they are when the causes up to `step` have had their effect."""
        return (
            f"(select * from counted_{self.fact.name} as s where s.cause is null "
            f"or s.side = 1 and s.cause <= {step} or s.side = -1 and s.cause > {step})"
        )

    def collect(self, disciplines: str | None) -> None:
        """Gather what is counted: rows that differ, and rows that hang together with them by a key.

        `disciplines`: a table of disciplines whose clusters changed; their rows differ as well.
        """
        columns = ", ".join(self.fact.columns)
        now = f"select {self._seen(self.after)} from star.{self.fact.name}"
        self.connection.execute(f"analyze {self.difference}")
        conditions = []
        if disciplines:
            conditions.append(f"discipline_code in (select discipline_code from {disciplines})")
        for key in self.fact.keys:
            touched = f"select {key} from {self.difference}"
            if disciplines:
                touched += f" union select {key} from star.{self.fact.name} where {conditions[0]}"
            conditions.append(f"{key} in ({touched})")
        restricted = "" if self.fact.is_whole else f" where {' or '.join(conditions) or 'false'}"
        self.connection.execute(
            f"create temp table counted_{self.fact.name} on commit drop as "
            f"select {columns}, cast(null as int) as side, cast(null as int) as cause from ("
            f"{now}{restricted} except all select {columns} from {self.difference} where side = 1) as unchanged "
            f"union all select {columns}, side, cause from {self.difference}"
        )
        self.connection.execute(f"analyze counted_{self.fact.name}")


_STEP = """
insert into counted_step
select {step}, variant_code, definition_version, grain, unit_code, period_code, numerator, coalesce(denominator, 0)
from ({sql}) as counted
"""
_PART = """
insert into changes_part
select variant_code, definition_version, grain, unit_code, period_code, {cause},
    sum(case step when {after} then numerator else -numerator end) as numerator,
    sum(case step when {after} then denominator else -denominator end) as denominator
from counted_step
where step in ({before}, {after})
group by 1, 2, 3, 4, 5
having sum(case step when {after} then numerator else -numerator end) <> 0
    or sum(case step when {after} then denominator else -denominator end) <> 0
"""


def parts(
    connection: psycopg.Connection,
    before: str,
    after: str,
    redefined: frozenset[str],
    variables: dict[str, str],
) -> dict[str, int]:
    """Fill the temporary table changes_part with what each cause did to each cell; returns the differing rows by fact.

    `redefined`: facts whose rows are made otherwise than before."""
    clusters = Comparison(connection, bridge(), before, after, redefined)
    clusters.collect(None)
    found = {}
    for fact in counted():
        comparison = Comparison(connection, fact, before, after, redefined)
        moved = clusters.difference if clusters.causes and fact.by_discipline else None
        if not comparison.causes and not moved:
            continue
        comparison.collect(moved)
        steps = sorted({*comparison.causes, *(clusters.causes if moved else [])})
        _count(connection, fact, comparison, clusters if moved else None, steps, variables)
        found[fact.name] = connection.execute(f"select count(*) from {comparison.difference}").fetchone()[0]
    return found


def _count(
    connection: psycopg.Connection,
    fact: Fact,
    comparison: Comparison,
    clusters: Comparison | None,
    causes: list[int],
    variables: dict[str, str],
) -> None:
    """Count the fact before all causes and after each, and keep the differences."""
    connection.execute("truncate counted_step")
    steps = [DEFINITION - 1, *causes]
    for step in steps:
        sql = dbt_files.render(fact.sql, _tables(comparison, clusters, step), variables)
        connection.execute(_STEP.format(step=step, sql=sql))
    for earlier, cause in zip(steps, causes, strict=False):
        connection.execute(_PART.format(cause=cause, before=earlier, after=cause))


def _tables(comparison: Comparison, clusters: Comparison | None, step: int) -> Callable[[str], str]:
    """Where the counting SQL reads a table of that name at a step."""
    known = {comparison.fact.name: comparison.rows(step)}
    known[BRIDGE] = clusters.rows(step) if clusters else f"star.{BRIDGE}"
    return lambda name: known.get(name, f"indicators.{name}")
