"""The published tables of indicator values: what a hidden or kept count makes of a row's figures and of its status."""

import polars as pl
import psycopg

from yuyan.disclosure.counts import VARIANT_KEY, Counted
from yuyan.disclosure.expressions import (
    HIDDEN,
    KEPT,
    columns_of,
    following,
    has,
    listed,
    rounded,
    shown,
    stage,
)
from yuyan.disclosure.policy import Policy
from yuyan.domain import indicators

SIDES = ("numerator", "denominator")
COUNTS = (*SIDES, *(f"beside_{side}" for side in SIDES))
"""What a row is counted from, with those of the variant whose row must be shown, too (`with` in the policy)."""
OF_ROW = (
    *("value", "value_display", "case_count", "lcl95", "ucl95", "adjusted_value", "benchmark_value"),
    *("benchmark_own_share", "probability_below", "probability_decline", "judged_value", "judged_floor"),
    *("judged_numerator", "judged_denominator", "definition_lowest", "definition_highest"),
)
"""Columns of an indicator's row that follow from its numerator and denominator."""
STATUS = (
    "status_code",
    "status_reason_code",
    "status_zh",
    "status_order",
    "status_colour",
    "judged_by_code",
    "judged_by_zh",
)
"""They follow from numerator and denominator, too, and say on which side of target and path the value is."""
FLAGS = ("is_small_number", "estimator_code", "pooled_years")
"""They follow from how many there are."""
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
    *("projected_lcl80", "projected_ucl80", "judged_value", "judged_floor", "probability_below"),
    *("probability_decline", *STATUS),
)
TO_PATH = ("gap_to_target", "gap_to_path", "required_annual_change", "running_path_value")
"""Columns of the scorecard that follow from the value from which the path starts."""
RUNNING = ("running_numerator", "running_denominator", "running_value")
JOINS = {
    "b": "{same} and b.period_year = {base_year}",
    "p": "{same} and p.period_year = m.period_year - 1",
    "g": "g.variant_code = i.guard_variant_code and g.grain = m.grain and g.unit_code = m.unit_code "
    "and g.period_code = m.period_code",
}
"""What becomes of the counts from which a row's path starts (`b`, `p`) and of those that allow it a status (`g`)."""
GUARDS = (
    "left join (select variant_code, min(guard_variant_code) as guard_variant_code from plan.indicator group by 1) as i "
    "on i.variant_code = m.variant_code "
)


def protected(policy: Policy) -> dict[str, set[str]]:
    """Table -> its columns that are hidden, kept or rounded where a count is."""
    other_periods = policy.variants.of_other_periods
    return {
        "indicator_value": {*SIDES, *OF_ROW, *STATUS, *FLAGS, *other_periods},
        "target_scorecard": {
            *SCORECARD,
            *RUNNING,
            *TO_PATH,
            "previous_value",
            "baseline_value",
            *other_periods,
        },
        "target_by_version": {
            "value",
            "value_display",
            "path_status_code",
            "path_reason_code",
            *other_periods,
        },
    }


def _is_shown(alias: str) -> str:
    """Is the row of `alias` as its readers may use it? Of the city a figure that is kept is: its total is official."""
    hidden = " or ".join(f"coalesce({alias}.m_{n}, 0) = {HIDDEN}" for n in COUNTS)
    return f"case when m.grain = 'city' then not ({hidden}) else {alias}.unit_code is null end"


def _joins(aliases: str, same: str, in_force: str = "") -> str:
    """Left joins of the rows that `aliases` name; `in_force`: of those whose table is of the definition in force."""
    base_year = int(indicators.parameters()["base_year"])
    joins = GUARDS if "g" in aliases else ""
    for alias in aliases:
        table = "hidden_in_force" if alias in in_force else "hidden_indicator_value"
        on = JOINS[alias].format(same=same.format(alias), base_year=base_year)
        joins += f"left join {table} as {alias} on {on} "
    return joins


def indicator_value(
    connection: psycopg.Connection, policy: Policy, counted: Counted, modes: pl.DataFrame
) -> str:
    """The query of the table; makes hidden_indicator_value and hidden_in_force, which the other tables read."""
    rows = counted.rows["indicator_value"].with_columns(pl.col("definition_version").cast(pl.String))
    names = stage(
        connection,
        "indicator_value",
        [*VARIANT_KEY, "period_year"],
        [*SIDES, *(f"#{side}" for side in SIDES)],
        rows,
        modes,
    )
    connection.execute(
        "create temp table hidden_in_force on commit drop as select h.* from hidden_indicator_value as h inner join "
        "(select distinct variant_code, definition_version from indicators.ind_status where is_in_force) as i "
        "using (variant_code, definition_version)"
    )
    connection.execute("analyze hidden_in_force")
    given = policy.variants
    withheld = f"(m.variant_code in ({listed(sorted(given.city_only))}) and m.grain <> 'city')"
    old = columns_of(connection, "indicator_value", "published")
    # a sum that is no count follows from the row's other counts
    no_count = {s: f"h.m_{s} is null" for s in SIDES}
    starts = f"({_is_shown('b')} and {_is_shown('p')})"
    chosen = {}
    for column, kind in columns_of(connection, "indicator_value").items():
        expression = f"m.{column}"
        if column in SIDES:
            follows = following(column, kind, names, column in old)
            expression = f"case when {no_count[column]} then {follows} else {shown(column, column, kind)} end"
        elif column in (*OF_ROW, *STATUS, *FLAGS):
            expression = following(column, kind, names, column in old)
        if column in (*SIDES, *OF_ROW, *STATUS, *FLAGS):
            expression = f"case when not {withheld} then {expression} end"
        if column in STATUS:
            allowed = f"(m.judged_by_code is null or {starts}) and {_is_shown('g')}"
            expression = f"case when {allowed} then {expression} end"
        if column in given.below_city_withheld:
            expression = f"case when m.grain = 'city' then {expression} end"
        if column in given.of_other_periods:
            expression = f"case when {starts} then {expression} end"
        if column in given.rounded:
            expression = rounded(expression, policy.decimals)
        chosen[column] = expression
    on = " and ".join(f"h.{c} = m.{c}" for c in VARIANT_KEY)
    before = " and ".join(f"o.{c} = m.{c}" for c in VARIANT_KEY)
    same = " and ".join(
        f"{{0}}.{c} = m.{c}" for c in ("variant_code", "definition_version", "grain", "unit_code")
    )
    # every row has a status, and without one of its figures none
    hidden = f"({chosen['status_code']}) is null or (m.path_value is not null and not {starts})"
    columns = ", ".join(f"{expression} as {column}" for column, expression in chosen.items())
    return (
        f"select {columns}, {hidden} as is_suppressed, {has(names, KEPT)} as is_kept "
        f"from marts.indicator_value as m left join hidden_indicator_value as h on {on} "
        + _joins("bpg", same, in_force="g")
        + (f"left join published.indicator_value as o on {before}" if old else "")
    )


def target_scorecard(connection: psycopg.Connection, policy: Policy) -> str:
    """The city's rows: what is not shown as it is stands as it stood, if that was the same period."""
    old = columns_of(connection, "target_scorecard", "published")
    other_periods = policy.variants.of_other_periods
    city = indicators.parameters()["city_code"]
    starts = f"({_of_city('b')} and {_of_city('p')})"
    chosen = []
    for column, kind in columns_of(connection, "target_scorecard").items():
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
                expression = f"case when {alias}.unit_code is not null then {earlier} else {expression} end"
        if column == "previous_value":
            expression = "case when p.unit_code is null then m.previous_value end"
        if column == "baseline_value":
            expression = "case when b.unit_code is null then m.baseline_value end"
        if column in (*other_periods, *TO_PATH):
            expression = f"case when {starts} then {expression} end"
        if column in STATUS:
            expression = (
                f"case when (m.judged_by_code is null or {starts}) and {_of_city('g')} then {expression} end"
            )
        chosen.append(f"{expression} as {column}")
    of_city = f"{{0}}.grain = 'city' and {{0}}.unit_code = '{city}'"
    joins = GUARDS + (
        "left join hidden_in_force as g on g.variant_code = i.guard_variant_code and g.period_code = m.period_code "
        f"and {of_city.format('g')} "
    )
    for alias, period in {
        "h": "period_code = m.period_code",
        "r": "period_code = m.running_period_code",
        "p": "period_code = m.previous_period_code",
        "b": "period_year = m.baseline_year",
    }.items():
        joins += (
            f"left join hidden_indicator_value as {alias} on {alias}.variant_code = m.variant_code "
            f"and {alias}.definition_version = m.definition_version and {alias}.{period} and {of_city.format(alias)} "
        )
    if old:
        joins += "left join published.target_scorecard as o on o.indicator_code = m.indicator_code"
    somewhere = "coalesce(h.unit_code, r.unit_code, p.unit_code, b.unit_code) is not null"
    kept = f"({somewhere})" if old else "false"
    return (
        f"select {', '.join(chosen)}, {somewhere} or not {_of_city('g')} as is_suppressed, {kept} as is_kept "
        f"from marts.target_scorecard as m {joins}"
    )


def _of_city(alias: str) -> str:
    """Is a row of the city shown, or kept?"""
    return "not (" + " or ".join(f"coalesce({alias}.m_{n}, 0) = {HIDDEN}" for n in COUNTS) + ")"


def target_by_version(connection: psycopg.Connection, policy: Policy) -> str:
    """Values by version of the plan: as indicator_value shows them."""
    given = policy.variants
    city_only = f"(m.grain <> 'city' and m.variant_code in ({listed(sorted(given.city_only))}))"
    starts = f"({_is_shown('b')} and {_is_shown('p')})"
    is_shown = f"(h.unit_code is null and not {city_only})"
    chosen = []
    for column in columns_of(connection, "target_by_version"):
        expression = f"m.{column}"
        if column in ("value", "value_display"):
            expression = f"case when {is_shown} then m.{column} end"
        elif column in ("path_status_code", "path_reason_code"):
            allowed = f"{is_shown} and (m.path_status_code = 'GREY' or {starts}) and {_is_shown('g')}"
            expression = f"case when {allowed} then m.{column} end"
        elif column in given.of_other_periods:
            expression = f"case when {starts} then m.{column} end"
        chosen.append(f"{expression} as {column}")
    same = "{0}.variant_code = m.variant_code and {0}.grain = m.grain and {0}.unit_code = m.unit_code"
    hidden = f"not {is_shown} or not {_is_shown('g')} or (m.path_value is not null and not {starts})"
    return (
        f"select {', '.join(chosen)}, {hidden} as is_suppressed, false as is_kept from marts.target_by_version as m "
        f"left join hidden_in_force as h on {same.format('h')} and h.period_code = m.period_code "
        + _joins("bpg", same, in_force="bpg")
    )
