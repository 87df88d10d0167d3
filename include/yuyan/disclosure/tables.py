"""Writes schema `published`: every mart with the same columns, `is_suppressed` and `is_kept` beside them.

Tables are filled beside the old ones and take their names at the end, so that a reader sees one publication or the other.
"""

import re

import polars as pl
import psycopg

from yuyan.disclosure.counts import VARIANT_KEY, Counted
from yuyan.disclosure.policy import Policy, Table
from yuyan.domain import indicators

AS_IS, KEPT, HIDDEN, CHANGED = 0, 1, 2, 3
SIDES = ("numerator", "denominator")
OF_ROW = (
    *(
        "value",
        "value_display",
        "case_count",
        "lcl95",
        "ucl95",
        "adjusted_value",
        "benchmark_value",
        "benchmark_own_share",
    ),
    *(
        "probability_below",
        "probability_decline",
        "judged_value",
        "judged_floor",
        "judged_numerator",
        "judged_denominator",
    ),
    *("definition_lowest", "definition_highest"),
)
"""Columns of an indicator's row that follow from its numerator and denominator."""
SCORECARD = (
    *("numerator", "denominator", "value", "value_display", "case_count", "gap_to_target", "gap_to_path"),
    *(
        "required_annual_change",
        "lcl95",
        "ucl95",
        "definition_lowest",
        "definition_highest",
        "projected_2030",
    ),
    *("projected_lcl80", "projected_ucl80", "judged_value", "probability_below", "probability_decline"),
)
RUNNING = ("running_numerator", "running_denominator", "running_value")
COMMENTS = """
select format('comment on %s published.%I is %L', case c.relkind when 'v' then 'view' else 'table' end, c.relname,
    d.description)
from pg_class p join pg_class c on c.relname = p.relname and c.relnamespace = 'published'::regnamespace
join pg_description d on d.objoid = p.oid and d.objsubid = 0 and d.classoid = 'pg_class'::regclass
where p.relnamespace = 'marts'::regnamespace and p.relkind in ('r', 'v')
union all
select format('comment on column published.%I.%I is %L', c.relname, a.attname, d.description)
from pg_class p join pg_class c on c.relname = p.relname and c.relnamespace = 'published'::regnamespace
join pg_attribute a on a.attrelid = p.oid and a.attnum > 0
join pg_attribute b on b.attrelid = c.oid and b.attname = a.attname and not b.attisdropped
join pg_description d on d.objoid = p.oid and d.objsubid = a.attnum and d.classoid = 'pg_class'::regclass
where p.relnamespace = 'marts'::regnamespace and p.relkind in ('r', 'v')
"""
OWN = {
    "is_suppressed": "本行是否有数字因人数（或单位数）过少而不公布：为空的不是 0",
    "is_kept": "本行是否有数字沿用上次公布的值：此后的变化不足最小人数",
}


def write(connection: psycopg.Connection, policy: Policy, counted: Counted, modes: pl.DataFrame) -> None:
    """Replace all tables and views of schema `published`; `modes` says what becomes of each count."""
    relations = dict(
        connection.execute(
            "select relname, relkind = 'v' from pg_class where relnamespace = 'marts'::regnamespace "
            "and relkind in ('r', 'v') order by 1"
        ).fetchall()
    )
    connection.execute(
        "set local enable_nestloop = off"
    )  # joins on five columns of text are estimated at one row
    views, statements = [], {}
    for name, is_view in relations.items():
        if name in policy.withheld:
            continue
        if name in policy.tables:
            statements[name] = _counting(connection, policy, policy.tables[name], counted, modes)
        elif name == "indicator_value":
            statements[name] = _indicator_value(connection, policy, counted, modes)
        elif is_view:
            views.append(name)
        else:
            statements[name] = None
    for name in ("target_scorecard", "target_by_version"):
        if name in statements:
            statements[name] = {"target_scorecard": _scorecard, "target_by_version": _by_version}[name](
                connection, policy
            )
    for name, query in statements.items():
        plain = f"select m.*, false as is_suppressed, false as is_kept from marts.{name} as m"
        connection.execute(f'create table published."{name}__new" as {query or plain}')
    old = "select relname, case relkind when 'v' then 'view' else 'table' end from pg_class "
    old += "where relnamespace = 'published'::regnamespace and relkind in ('r', 'v') and relname not like '%__new'"
    for name, kind in connection.execute(
        old + " order by relkind desc"
    ).fetchall():  # views before what they read
        connection.execute(f'drop {kind} published."{name}"')
    for name in statements:
        connection.execute(f'alter table published."{name}__new" rename to "{name}"')
    for name in views:
        connection.execute(f"create view published.{name} as {_view(connection, name, statements)}")
    connection.execute(
        "create unique index on published.indicator_value (variant_code, unit_code, period_code, grain, definition_version)"
    )
    for (comment,) in connection.execute(COMMENTS).fetchall():
        connection.execute(comment)
    for name, column in connection.execute(
        "select table_name, column_name from information_schema.columns where table_schema = 'published' "
        "and column_name in ('is_suppressed', 'is_kept')"
    ).fetchall():
        connection.execute(f"comment on column published.{name}.{column} is '{OWN[column]}'")


def _view(connection: psycopg.Connection, name: str, tables: dict[str, str | None]) -> str:
    """A view's own query, on the published tables; where it reads one of them row by row, with what is suppressed."""
    query = (
        connection.execute("select pg_get_viewdef(%s::regclass)", [f"marts.{name}"]).fetchone()[0].rstrip(";")
    )
    read = set(re.findall(r"\bmarts\.(\w+)", query))
    query = re.sub(r"\bmarts\.(\w+)", r"published.\1", query)
    if len(read) == 1 and read <= set(tables) and "GROUP BY" not in query:
        before, select, after = query.partition("FROM published.")
        query = f"{before.rstrip()}, is_suppressed, is_kept {select}{after}"
    return query


def _columns(connection: psycopg.Connection, table: str, schema: str = "marts") -> dict[str, str]:
    rows = connection.execute(
        "select attname, format_type(atttypid, atttypmod) from pg_attribute where attrelid = to_regclass(%s) and attnum > 0 "
        "and not attisdropped order by attnum",
        [f"{schema}.{table}"],
    ).fetchall()
    return dict(rows)


def _stage(
    connection: psycopg.Connection,
    table: str,
    keys: list[str],
    columns: list[str],
    rows: pl.DataFrame,
    modes: pl.DataFrame,
) -> list[str]:
    """Temp table `hidden_<table>`: key, and per count m_<count> (mode), k_<count> (what is shown); returns the counts.

    Only rows of which not everything is shown as it is; none where the table is empty.
    """
    of = modes.filter(pl.col("table") == table)
    wide = of.filter(pl.col("mode").is_in([KEPT, HIDDEN])).select("row").unique(maintain_order=True)
    wide = wide.join(rows.select("row", *keys), on="row", how="inner", maintain_order="left")
    for column in columns:
        count = of.filter(pl.col("column") == column).select(
            "row", pl.col("mode").alias(f"mode_{column}"), pl.col("keep").alias(f"keep_{column}")
        )
        wide = wide.join(count, on="row", how="left", maintain_order="left")
    names = [c.replace("#", "beside_") for c in columns]
    types = _columns(connection, table)
    fields = [f"{k} {types[k]}" for k in keys] + [f"m_{n} smallint, k_{n} double precision" for n in names]
    connection.execute(f"create temp table hidden_{table} ({', '.join(fields)}) on commit drop")
    order = [*keys, *[f"{kind}_{c}" for c in columns for kind in ("mode", "keep")]]
    with (
        connection.cursor() as cursor,
        cursor.copy(f"copy hidden_{table} from stdin with (format csv)") as copy,
    ):
        copy.write(wide.select(order).write_csv(include_header=False).encode())
    connection.execute(f"analyze hidden_{table}")
    return names


def _has(names: list[str], *modes: int) -> str:
    listed = ", ".join(map(str, modes))
    return "(" + " or ".join(f"coalesce(h.m_{n}, 0) in ({listed})" for n in names) + ")"


def _shown(column: str, name: str, kind: str) -> str:
    """A count: as it is, as it was shown before, or NULL."""
    return f"case when h.m_{name} in (1, 2) then cast(h.k_{name} as {kind}) else m.{column} end"


def _following(column: str, kind: str, names: list[str], has_old: bool) -> str:
    """What follows from counts: NULL with one of them, of the publication before where they are kept from it."""
    if not names:
        return f"m.{column}"
    old = f"o.{column}" if has_old else f"cast(null as {kind})"
    return (
        f"case when {_has(names, HIDDEN)} then null "
        f"when {_has(names, KEPT)} then case when {_has(names, CHANGED)} then null else {old} end else m.{column} end"
    )


def _rounded(expression: str, decimals: int) -> str:
    return f"cast(round(cast({expression} as numeric), {decimals}) as double precision)"


def _counting(
    connection: psycopg.Connection, policy: Policy, table: Table, counted: Counted, modes: pl.DataFrame
) -> str:
    keys = list(table.key)
    counts = [*table.counts, *table.money]
    names = _stage(connection, table.name, keys, counts, counted.rows[table.name], modes)
    old = _columns(connection, table.name, "published")
    sizes = {column: size for size, columns in table.order_statistics.items() for column in columns}
    chosen = []
    for column, kind in _columns(connection, table.name).items():
        expression = f"m.{column}"
        if column in names:
            expression = _shown(column, column, kind)
        elif column in table.follows:
            expression = _following(
                column, kind, [n for n in table.follows[column] if n in names], column in old
            )
        elif column in sizes:
            size = sizes[column]
            follows = _following(column, kind, [size], column in old) if size in names else f"m.{column}"
            expression = f"case when m.{size} >= {policy.uniform_minimum} then {follows} end"
        if column in table.rounded:
            expression = _rounded(expression, policy.decimals)
        chosen.append(f"{expression} as {column}")
    on = " and ".join(
        f"h.{k} is not distinct from m.{k}" if k in _nullable(connection, table.name) else f"h.{k} = m.{k}"
        for k in keys
    )
    before = " and ".join(f"o.{k} = m.{k}" for k in keys)
    return (
        f"select {', '.join(chosen)}, {_has(names, HIDDEN)} as is_suppressed, {_has(names, KEPT)} as is_kept "
        f"from marts.{table.name} as m left join hidden_{table.name} as h on {on} "
        + (f"left join published.{table.name} as o on {before}" if old else "")
    )


def _nullable(connection: psycopg.Connection, table: str) -> set[str]:
    """Columns of a view may be NULL; those of a table's key are not."""
    is_view = connection.execute(
        "select relkind = 'v' from pg_class where oid = to_regclass(%s)", [f"marts.{table}"]
    ).fetchone()
    return set(_columns(connection, table)) if is_view and is_view[0] else set()


def _indicator_value(
    connection: psycopg.Connection, policy: Policy, counted: Counted, modes: pl.DataFrame
) -> str:
    rows = counted.rows["indicator_value"].with_columns(pl.col("definition_version").cast(pl.String))
    columns = [*SIDES, *(f"#{side}" for side in SIDES)]
    names = _stage(connection, "indicator_value", [*VARIANT_KEY, "period_year"], columns, rows, modes)
    given = policy.variants
    whole = ", ".join(f"'{code}'" for code in sorted(given.city_only))
    withheld = f"(m.variant_code in ({whole}) and m.grain <> 'city')"
    old = _columns(connection, "indicator_value", "published")
    # a sum that is no count follows from the row's other counts
    no_count = {s: f"h.m_{s} is null" for s in SIDES}
    base_year = int(indicators.parameters()["base_year"])
    same = " and ".join(
        f"{{0}}.{c} = m.{c}" for c in ("variant_code", "definition_version", "grain", "unit_code")
    )
    chosen = []
    for column, kind in _columns(connection, "indicator_value").items():
        expression = f"m.{column}"
        if column in SIDES:
            follows = _following(column, kind, names, column in old)
            expression = (
                f"case when {no_count[column]} then {follows} else {_shown(column, column, kind)} end"
            )
        elif column in OF_ROW:
            expression = _following(column, kind, names, column in old)
        if column in (*SIDES, *OF_ROW):
            expression = f"case when not {withheld} then {expression} end"
        if column in given.below_city_withheld:
            expression = f"case when m.grain = 'city' then {expression} end"
        if column in given.of_other_periods:
            expression = f"case when m.grain = 'city' or (b.unit_code is null and p.unit_code is null) then {expression} end"
        if column in given.rounded:
            expression = _rounded(expression, policy.decimals)
        chosen.append(f"{expression} as {column}")
    on = " and ".join(f"h.{c} = m.{c}" for c in VARIANT_KEY)
    before = " and ".join(f"o.{c} = m.{c}" for c in VARIANT_KEY)
    return (
        f"select {', '.join(chosen)}, {_has(names, HIDDEN)} or {withheld} as is_suppressed, {_has(names, KEPT)} as is_kept "
        f"from marts.indicator_value as m left join hidden_indicator_value as h on {on} "
        f"left join hidden_indicator_value as b on {same.format('b')} and b.period_year = {base_year} "
        f"left join hidden_indicator_value as p on {same.format('p')} and p.period_year = m.period_year - 1 "
        + (f"left join published.indicator_value as o on {before}" if old else "")
    )


def _scorecard(connection: psycopg.Connection, policy: Policy) -> str:
    """The city's rows: what is not shown as it is stands as it stood, if that was the same period."""
    old = _columns(connection, "target_scorecard", "published")
    chosen = []
    for column, kind in _columns(connection, "target_scorecard").items():
        expression = f"m.{column}"
        for columns, alias, period in (
            (SCORECARD, "h", "period_code"),
            (RUNNING, "r", "running_period_code"),
        ):
            if column in columns:
                earlier = (
                    f"case when o.{period} = m.{period} then o.{column} end"
                    if old
                    else f"cast(null as {kind})"
                )
                expression = f"case when {alias}.unit_code is not null then {earlier} else m.{column} end"
        if column == "previous_value":
            expression = "case when p.unit_code is null then m.previous_value end"
        if column == "baseline_value":
            expression = "case when b.unit_code is null then m.baseline_value end"
        chosen.append(f"{expression} as {column}")
    city = indicators.parameters()["city_code"]
    joins = [
        f"left join hidden_indicator_value as {alias} on {alias}.variant_code = m.variant_code "
        f"and {alias}.unit_code = '{city}' and {alias}.grain = 'city' "
        f"and {alias}.definition_version = m.definition_version and {alias}.{period}"
        for alias, period in (
            ("h", "period_code = m.period_code"),
            ("r", "period_code = m.running_period_code"),
            ("p", "period_code = m.previous_period_code"),
            ("b", "period_year = m.baseline_year"),
        )
    ]
    if old:
        joins.append("left join published.target_scorecard as o on o.indicator_code = m.indicator_code")
    somewhere = "coalesce(h.unit_code, r.unit_code, p.unit_code, b.unit_code) is not null"
    kept = f"({somewhere})" if old else "false"
    return (
        f"select {', '.join(chosen)}, {somewhere} as is_suppressed, {kept} as is_kept from marts.target_scorecard as m "
        + " ".join(joins)
    )


def _by_version(connection: psycopg.Connection, policy: Policy) -> str:
    """Values by version of the plan: as indicator_value shows them."""
    chosen = []
    columns = _columns(connection, "target_by_version")
    given = policy.variants
    whole = ", ".join(f"'{code}'" for code in sorted(given.city_only))
    for column in columns:
        expression = f"m.{column}"
        if column in ("value", "value_display"):
            is_shown = f"h.unit_code is null and (m.grain = 'city' or m.variant_code not in ({whole}))"
            expression = f"case when {is_shown} then m.{column} end"
        elif column in given.of_other_periods:
            expression = f"case when m.grain = 'city' or (b.unit_code is null and p.unit_code is null) then m.{column} end"
        chosen.append(f"{expression} as {column}")
    base_year = int(indicators.parameters()["base_year"])
    same = "{0}.variant_code = m.variant_code and {0}.grain = m.grain and {0}.unit_code = m.unit_code"
    connection.execute(
        "create temp table hidden_in_force on commit drop as select h.* from hidden_indicator_value as h inner join "
        "(select distinct variant_code, definition_version from indicators.ind_status where is_in_force) as i "
        "using (variant_code, definition_version)"
    )
    connection.execute("analyze hidden_in_force")
    return (
        f"select {', '.join(chosen)}, h.unit_code is not null as is_suppressed, false as is_kept "
        f"from marts.target_by_version as m "
        f"left join hidden_in_force as h on {same.format('h')} and h.period_code = m.period_code "
        f"left join hidden_in_force as b on {same.format('b')} and b.period_year = {base_year} "
        f"left join hidden_in_force as p on {same.format('p')} and p.period_year = m.period_year - 1"
    )
