"""The counts in the marts as cells of populations: who is counted, in which period, at which coordinates.

Two columns that count the same persons at the same coordinates are one cell, in whichever tables they stand.
"""

from dataclasses import dataclass
from io import BytesIO
from typing import Any

import polars as pl
import psycopg

from yuyan.disclosure.policy import Count, Policy, Table
from yuyan.domain import indicators

DIMENSIONS = (
    *(
        "institution",
        "level",
        "type",
        "mode",
        "category",
        "discipline",
        "degree_point",
        "cluster",
        "destination",
        "region",
    ),
    *(
        "province",
        "district",
        "origin",
        "term",
        "partner",
        "platform",
        "course",
        "warning_level",
        "reason",
        "event_type",
    ),
    *("client_kind", "scope", "employed"),
)
VARIANT_KEY = ("variant_code", "definition_version", "grain", "unit_code", "period_code")
GRAINS = {
    "city": {},
    "institution": {"institution": (0, 5)},
    "level_type": {"level": (0, 1), "type": (2, 1)},
    "category": {"category": (0, 2)},
    "discipline": {"category": (0, 2), "discipline": (0, None)},
    "institution_level_type": {"institution": (0, 5), "level": (6, 1), "type": (8, 1)},
    "institution_category": {"institution": (0, 5), "category": (6, 2)},
    "institution_discipline": {"institution": (0, 5), "category": (6, 2), "discipline": (6, None)},
    "cluster": {"cluster": (0, None)},
    "degree_point": {"degree_point": (0, None)},
}
"""Grain -> dimension -> where in `unit_code` its code stands (offset, length)."""
OF_CLUSTER = "#cluster"
"""Ends the name of a population by clusters of disciplines: they overlap, and add up to nothing."""
DISCIPLINES = """
select d.discipline_code as discipline, b.cluster_code as cluster, (not d.is_h02_excluded)::text as in_scope,
    (d.key_cluster_strength >= {minimum})::text as is_matched
from star.dim_discipline as d
left join star.bridge_key_cluster as b on b.discipline_code = d.discipline_code and b.is_matched
"""
POINTS = """
select degree_point_id as unit_code, inst_code as institution, degree_level as level, degree_type as type,
    substr(discipline_code, 1, 2) as category, discipline_code as discipline
from star.dim_degree_point where is_current
"""
CLIENTS = """
with of_client as (
    select signed_year, inst_code, cluster_code, coalesce(client_uscc, contract_no_digest) as client, contract_no_digest,
        max(contract_amount_cny) as amount
    from star.fct_commissioned_project where fund_source_code = '10' and client_kind in ('10', '20')
    group by 1, 2, 3, 4, 5
),
summed as (
    select signed_year, inst_code, cluster_code, client, sum(amount) as amount from of_client
    group by grouping sets ((signed_year, inst_code, client), (signed_year, cluster_code, client))
)
select signed_year as period_code, coalesce(inst_code, cluster_code) as unit_code,
    count(*) as clients, coalesce(max(amount) / nullif(sum(amount), 0), 1) as largest_share
from summed where coalesce(inst_code, cluster_code) is not null group by 1, 2
"""
"""Firms behind the money of an institution or a cluster, and the share of the largest of them."""


@dataclass(frozen=True)
class Counted:
    """`refs`: one row per count in a table: table, row, column, population, period, DIMENSIONS, value, is_open, is_money,
    is_few (money of few firms), of_firms, is_partial (some dimensions are fixed: its like do not add up to the whole),
    exists (its row says that it is not 0).
    `rows`: table -> its key columns by row. `sums`: (table, left columns, right columns).
    `disciplines`: discipline, in_scope and is_matched (in the matching indicators), cluster (a row per match)."""

    refs: pl.DataFrame
    rows: dict[str, pl.DataFrame]
    sums: list[tuple[str, tuple[str, ...], tuple[str, ...]]]
    disciplines: pl.DataFrame


def read(connection: psycopg.Connection, query: str) -> pl.DataFrame:
    """The result of a query, every column as text; COPY, since tables have hundreds of thousands of rows. Ordered by a key,
    so that which of two equal figures is hidden does not follow from where their rows lie."""
    buffer = BytesIO()
    with (
        connection.cursor() as cursor,
        cursor.copy(f"copy ({query}) to stdout with (format csv, header)") as copy,
    ):
        for part in copy:
            buffer.write(part)
    buffer.seek(0)
    return pl.read_csv(buffer, infer_schema_length=0)


def counted(connection: psycopg.Connection, policy: Policy) -> Counted:
    """All counts that the policy names, read from schema `marts`."""
    refs, rows, sums = [], {}, []
    for table in policy.tables.values():
        frame = _of_table(connection, table)
        rows[table.name] = frame.select("row", *table.key)
        refs += _table_refs(table, frame, policy)
        sums += [(table.name, *both) for both in table.sums]
    frame, of_values = _indicator_refs(connection, policy)
    rows["indicator_value"] = frame
    refs += of_values
    minimum = indicators.parameters()["map_strength_minimum"]
    disciplines = read(connection, DISCIPLINES.format(minimum=minimum)).with_columns(
        pl.col("in_scope", "is_matched") == "true"
    )
    return Counted(pl.concat(refs).filter(pl.col("period").is_not_null()), rows, sums, disciplines)


def _of_table(connection: psycopg.Connection, table: Table) -> pl.DataFrame:
    columns = dict.fromkeys(
        [*table.key, table.period, *table.dimensions, *table.counts, *table.money, *table.firms.values()]
    )
    if table.point and table.point.islower():
        columns[table.point] = None
    return read(
        connection, f"select {', '.join(columns)} from marts.{table.name} order by {', '.join(table.key)}"
    ).with_row_index("row")


def _table_refs(table: Table, frame: pl.DataFrame, policy: Policy) -> list[pl.DataFrame]:
    where = {d: pl.col(c) for c, d in table.dimensions.items()}
    if table.dimensions.get("unit_code") == "institution":
        where["institution"] = pl.when(pl.col("unit_code") != "500000").then(pl.col("unit_code"))
    for column in set(table.dimensions) & {"is_headline_scope"}:
        where["scope"] = (
            pl.when(pl.col(column).is_in(["t", "true"])).then(pl.lit("true")).otherwise(pl.lit("false"))
        )
    for column, groups in table.groups.items():
        for dimension, codes in groups.items():
            where[dimension] = pl.col(column).replace_strict(
                codes, default=codes.get("*"), return_dtype=pl.String
            )
    point = pl.lit("")
    if table.point:
        of = pl.col(table.point) if table.point.islower() else pl.lit(table.point)
        point = pl.lit("@") + of
    found = []
    for column, count in (table.counts | table.money).items():
        found.append(
            _refs(
                frame.filter(pl.col(column).is_not_null()),
                table.name,
                column,
                pl.lit(count.population) + point,
                _shifted(pl.col(table.period), count.shift),
                where,
                count.at,
                pl.col(column).cast(pl.Float64),
                is_money=column in table.money,
                of_firms=bool(table.firms),
                exists=table.is_sparse and column == next(iter(table.counts)),
                is_few=_few_firms(policy, table.firms["clients"], table.firms["largest_share"])
                if column in table.money
                else None,
            )
        )
    return found


def _refs(
    frame: pl.DataFrame,
    table: str,
    column: str,
    population: pl.Expr,
    period: pl.Expr,
    where: dict[str, pl.Expr],
    at: dict[str, str],
    value: pl.Expr,
    is_open: pl.Expr | None = None,
    is_money: bool = False,
    of_firms: bool = False,
    exists: bool = False,
    is_few: pl.Expr | None = None,
) -> pl.DataFrame:
    nothing = pl.lit(None, dtype=pl.String)
    given = where | {d: pl.lit(code) for d, code in at.items()}
    return frame.select(
        pl.lit(table).alias("table"),
        pl.col("row"),
        pl.lit(column).alias("column"),
        population.alias("population"),
        period.alias("period"),
        *[given.get(d, nothing).cast(pl.String).alias(d) for d in DIMENSIONS],
        value.alias("value"),
        (pl.lit(False) if is_open is None else is_open).alias("is_open"),
        pl.lit(is_money).alias("is_money"),
        pl.lit(of_firms).alias("of_firms"),
        pl.lit(bool(at)).alias("is_partial"),
        pl.lit(exists).alias("exists"),
        (pl.lit(False) if is_few is None else is_few).alias("is_few"),
    )


def _few_firms(policy: Policy, clients: str, largest_share: str) -> pl.Expr:
    """Money of too few firms, or of one above all."""
    few = pl.col(clients).cast(pl.Float64).fill_null(0) < policy.firm_minimum
    return few | (pl.col(largest_share).cast(pl.Float64).fill_null(1) > policy.dominance)


def _shifted(period: pl.Expr, shift: int) -> pl.Expr:
    return period if not shift else (period.cast(pl.Int64) + shift).cast(pl.String)


def counts_somebody(policy: Policy, variant: indicators.Variant) -> bool:
    """Are the rows of a variant counts of persons or firms?"""
    given = policy.variants
    return variant.fact in given.persons | given.firms or variant.code in given.single


def sides(policy: Policy) -> dict[tuple[str, int], dict[str, tuple[Count, str | None] | None]]:
    """(variant, version) -> side -> the population that it counts and its shift in time; None of a sum that is no count.

    Sides that count the same of the same fact are one population: named in the policy, else after the first of them.
    """
    names: dict[Any, Count] = {}
    found: dict[tuple[str, int], dict[str, tuple[Count, str | None] | None]] = {}
    for named in (True, False):
        for variant in indicators.variants():
            if not counts_somebody(policy, variant):
                continue
            measures = indicators.load()[variant.indicator].measures
            of = found.setdefault((variant.code, variant.version), {})
            for name, side in zip(("numerator", "denominator"), variant.value_at("institution"), strict=True):
                label = f"{variant.code}.{name}"
                alias = policy.variants.populations.get(label) if variant.version == 1 else None
                if side is None or not side.terms or (alias is None) == named:
                    continue
                terms = [measures[t.measure] for t in side.terms]
                if any(m.amount and m.amount not in policy.variants.counted for m in terms) and alias is None:
                    of[name] = None
                    continue
                wheres = tuple((m.amount, m.key, m.where) for m in terms)
                same = (variant.fact, variant.basis, variant.where, wheres)
                count = names.setdefault(
                    same, alias or Count(f"{label}{'' if variant.version == 1 else variant.version}")
                )
                of[name] = (alias or count, side.terms[0].shift if len(side.terms) == 1 else "mean")
    return found


def _indicator_refs(
    connection: psycopg.Connection, policy: Policy
) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    known = sides(policy)
    codes = ", ".join(f"'{code}'" for code in sorted({code for code, _ in known}))
    frame = read(
        connection,
        f"select {', '.join(VARIANT_KEY)}, period_year, period_basis, is_official, numerator, denominator "
        f"from marts.indicator_value where variant_code in ({codes}) order by {', '.join(VARIANT_KEY)}",
    ).with_row_index("row")
    points, clients = read(connection, POINTS), read(connection, CLIENTS)
    base_year = int(indicators.parameters()["base_year"])
    by_code = {(v.code, v.version): v for v in indicators.variants()}
    open_cells = (pl.col("grain") == "city") & pl.col("is_official").is_in(["t", "true"])
    refs = []
    parts = {
        (code, int(version), grain): rows
        for (code, version, grain), rows in frame.group_by("variant_code", "definition_version", "grain")
    }
    for (code, version, grain), rows in sorted(parts.items()):
        variant, of = by_code[code, version], known[code, version]
        others = (
            [(f"#{s}", known[policy.variants.beside[code], 1][s]) for s in of]
            if code in policy.variants.beside
            else []
        )
        where = {d: pl.col("unit_code").str.slice(o, n) for d, (o, n) in GRAINS[grain].items()}
        if grain == "degree_point":
            rows = rows.join(points, on="unit_code", how="left")
            where |= {d: pl.col(d) for d in ("institution", "level", "type", "category", "discipline")}
        is_money = variant.fact in policy.variants.firms and variant.row["unit_zh"] == "元"
        if is_money:
            rows = rows.join(clients, on=["period_code", "unit_code"], how="left", maintain_order="left")
        for name, side in [*of.items(), *others]:
            if side is None or (name == "denominator" and grain in variant.share_of_city):
                continue
            count, shift = side
            is_overlapping = grain == "cluster" and variant.cluster == indicators.BY_DISCIPLINE
            population = count.population + (OF_CLUSTER if is_overlapping else "")
            is_own = name in ("numerator", "denominator")
            refs.append(
                _refs(
                    rows.filter(pl.col(name).is_not_null()) if is_own else rows,
                    "indicator_value",
                    name,
                    pl.lit(
                        population if shift is None or shift in ("base", "previous") else f"{code}.{name}"
                    ),
                    _period(shift, base_year),
                    where,
                    count.at,
                    pl.col(name).cast(pl.Float64) if is_own else pl.lit(None, dtype=pl.Float64),
                    is_open=open_cells & pl.lit(is_own),
                    is_money=is_money,
                    is_few=_few_firms(policy, "clients", "largest_share")
                    if is_money and grain != "city"
                    else None,
                    of_firms=variant.fact in policy.variants.firms,
                    exists=grain not in ("city", "institution")
                    and name == ("denominator" if variant.kind == "ratio" else "numerator"),
                )
            )
    return frame, refs


def _period(shift: str | None, base_year: int) -> pl.Expr:
    """The period that a side counts: its row's, the base year's or the one before."""
    is_academic = pl.col("period_basis") == "AY"
    year = pl.col("period_year").cast(pl.Int64) - 1 if shift == "previous" else pl.lit(base_year)
    if shift not in ("previous", "base"):
        return pl.col("period_code")
    return pl.when(is_academic).then(pl.format("{}-{}", year - 1, year)).otherwise(year.cast(pl.String))
