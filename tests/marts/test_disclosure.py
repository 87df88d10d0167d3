"""What readers of the published figures can find out about few persons: attacks on every table, on two days.

The attacker knows all published tables of two days, how they add up, where rows are and, at worst, which figures have not
changed. What is hidden is read off the published tables, not off the code that wrote them.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import polars as pl
import psycopg
import pytest

from support import built_city
from support.copies import copy_of
from support.examples import of_marts
from support.published_days import (
    POLICY,
    Day,
    N,
    count_records,
    day,
    inside,
    joined,
    leave_recent_years,
    move,
    pairs,
    programme,
)
from support.rebuild import Compiled
from yuyan.disclosure import attack, counts, research, run, tables

pytestmark = pytest.mark.database


@pytest.fixture(scope="module")
def days(
    pg_home, simulated_city_dsn, simulated_city_home, simulated_city
) -> Iterator[tuple[psycopg.Connection, list[Day]]]:
    """A copy of the city, published; then some of its rows change, and it is published again."""
    with pytest.MonkeyPatch.context() as patch:
        for dsn in copy_of(pg_home, simulated_city_dsn):
            patch.setenv("YUYAN_HOME", str(simulated_city_home))
            patch.setenv("YUYAN_WAREHOUSE_DSN", dsn)
            patch.setenv("YUYAN_SIMULATED", str(built_city.SCALE))
            with psycopg.connect(dsn, autocommit=True) as connection:
                leave_recent_years(connection)
                count_records(connection)
                first = day(connection, run.publish("first", simulated_city.as_of))
                move(connection, Compiled(simulated_city_home, simulated_city.as_of), simulated_city.as_of)
                second = day(connection, run.publish("second", simulated_city.as_of))
                yield connection, [first, second]


@pytest.mark.parametrize("number", [0, 1])
def test_what_is_shown_is_true_or_was_shown_before(days, number):
    """A figure is as it is, is not there, or is the one of the day before, from which it differs by fewer than n."""
    _, both = days
    shown = both[number].shown.filter(pl.col("shown").is_not_null())
    differing = shown.filter((pl.col("shown") - pl.col("value")).abs() > 1e-6)
    if number == 0:
        assert differing.height == 0
    else:
        assert 0 < differing.height < shown.height / 10
        official = shown.filter("is_open")["cell"].unique()  # stay as they were shown, in whichever table
        others = differing.filter(~pl.col("cell").is_in(official.implode()))
        assert (others["value"] - others["shown"]).abs().max() < N
    small = shown.filter(
        (pl.col("shown") > 0) & (pl.col("shown") < N) & ~pl.col("is_money") & ~pl.col("of_firms")
    )
    assert small.height == 0


def test_headline_totals_of_the_city_are_shown(days):
    _, both = days
    for one in both:
        official = one.shown.filter(pl.col("is_open") & (pl.col("value") >= N))
        assert official.height > 100
        assert official["shown"].null_count() == 0


@pytest.mark.parametrize("number", [0, 1])
def test_no_hidden_figure_follows_from_all_the_others(days, number):
    """Interval attack over all tables: of every hidden count of somebody at least n - 1 numbers stay possible; of one in two
    hundred fewer on the second day, when what has not changed is known from the first."""
    _, both = days
    system, secret = both[number].system, both[number].secret
    low, high = attack.bounds(system)
    assert secret.sum() > 5_000
    assert (low[secret] <= system.value[secret] + 1e-6).all()
    assert (high[secret] >= system.value[secret] - 1e-6).all()  # the attack finds true bounds
    assert (secret & (high - low < 1e-6)).sum() == 0
    assert (secret & (high - low < system.need - 2)).sum() <= (0, secret.sum() / 200)[number]
    assert (secret & (high - low < system.need - 3)).sum() == 0


def test_the_attack_would_find_what_primary_suppression_leaves(days):
    """With only the small figures hidden it computes thousands of them: the test above can fail."""
    _, both = days
    system = both[0].cells.system
    only_small = (system.value > 0) & (system.value < system.need) & ~system.is_money
    bare = replace(system, is_hidden=only_small)
    low, high = attack.bounds(bare)
    assert (only_small & (high - low < 1e-6)).sum() > 2_000


@pytest.mark.parametrize("number", [0, 1])
def test_no_hidden_figure_follows_by_linear_algebra(days, number):
    """Differencing attack, exactly: all sums of all tables at once."""
    _, both = days
    system, secret = both[number].system, both[number].secret
    assert secret.sum() > 5_000
    assert (attack.Algebra(system).told() & secret).sum() == 0


def test_the_linear_attack_finds_what_singular_values_find(days):
    """Beside the sparse factorisation a dense one, on components of which one in three has a figure that follows."""
    _, both = days
    system = both[0].cells.system
    bare = replace(system, is_hidden=(system.value > 0) & (system.value < system.need))
    algebra = attack.Algebra(bare)
    labels = np.full(len(bare.value), -1)
    labels[algebra.hidden] = algebra.part
    sizes = np.bincount(algebra.part)
    told, seen = algebra.told(), np.zeros(len(bare.value), dtype=bool)
    for label in np.random.default_rng(2026).permutation(np.flatnonzero((sizes > 3) & (sizes <= 300)))[:60]:
        group = np.flatnonzero(labels == label)
        matrix = inside(bare, group).toarray()
        _, values, rows = np.linalg.svd(matrix)
        kernel = rows[(values > 1e-9).sum() :]
        seen[group] = True
        np.testing.assert_array_equal(told[group], (kernel**2).sum(axis=0) < 1e-9)
    assert 20 < (told & seen).sum() < seen.sum() - 100


def test_no_hidden_figure_is_narrowed_by_a_linear_programme(days):
    """The strongest interval attack, on twenty hidden figures of less than n, drawn at random."""
    _, both = days
    system = both[1].system
    algebra = attack.Algebra(system)
    labels = np.full(len(system.value), -1)
    labels[algebra.hidden] = algebra.part
    sizes = np.bincount(algebra.part)
    small = both[1].secret & (system.value < N)
    fitting = np.flatnonzero(small & (labels >= 0) & (sizes[labels] > 5) & (sizes[labels] <= 400))
    for cell in np.random.default_rng(7).choice(fitting, 20, replace=False):
        least, greatest = programme(system, np.flatnonzero(labels == labels[cell]), cell)
        assert least - 1e-6 <= system.value[cell] <= greatest + 1e-6
        assert greatest - least >= system.need[cell] - 2 - 1e-6


def test_no_hidden_figure_follows_from_the_table_of_the_day_before(days):
    """Both days as one system: a count that has not changed is the same number, which the attacker is taken to know."""
    _, (first, second) = days
    system = joined(first, second)
    low, high = attack.bounds(system)
    small = attack.judged(system) & (system.value < system.need)
    assert small.sum() > 5_000
    assert (small & (high - low < 1e-6)).sum() == 0


def test_no_change_of_a_day_is_small(days):
    """What both days show differs by 0 or by n and more."""
    _, (first, second) = days
    key = ["table", "column", "population", "period", *counts.DIMENSIONS]
    before = first.shown.filter(~pl.col("is_money")).select(*key, pl.col("shown").alias("before"))
    both = second.shown.filter(~pl.col("of_firms")).join(before, on=key, how="inner", nulls_equal=True)
    change = (both["shown"] - both["before"]).abs().drop_nulls()
    assert (change > 0).sum() > 1
    assert change.filter(change > 1e-6).min() >= N


def test_the_stage_says_what_its_own_attack_found(days):
    first, second = days[1]
    assert (first.found["told"], first.found["narrow"], first.found["kept"]) == (0, 0, 0)
    assert second.found["told"] == 0
    assert second.found["narrow"] < second.found["hidden"] / 200
    assert second.found["kept"] > 0


def test_a_row_with_something_hidden_says_so_and_shows_no_zero(days):
    connection, _ = days
    rows = connection.execute(
        "select count(*) filter (where numerator is null), "
        "count(*) filter (where value_display is not null and value is null) from published.indicator_value "
        "where is_suppressed"
    ).fetchone()
    assert rows[0] > 500
    assert rows[1] == 0
    silent = connection.execute(
        "select count(*) from published.indicator_value as p join marts.indicator_value as m "
        "using (variant_code, unit_code, period_code, grain, definition_version) "
        "where not p.is_suppressed and (p.numerator is null) <> (m.numerator is null)"
    ).fetchone()
    assert silent == (0,)


def test_what_follows_from_a_hidden_count_is_hidden(days):
    connection, _ = days
    for query in (
        "select count(*) from published.indicator_value where numerator is null and is_suppressed "
        "and coalesce(value, lcl95) is not null",
        "select count(*) from published.target_by_version as t join published.indicator_value as v "
        "using (variant_code, grain, unit_code, period_code) where v.is_official and v.is_suppressed "
        "and t.value is not null and v.value is null",
        "select count(*) from published.thesis_sampling where problem_count is null and weighted_pass_share is not null",
        "select count(*) from published.industry_projects where client_count < 3 and signed_amount_cny > 0",
        "select count(*) from published.industry_projects where top_client_share > 0.75",
        "select count(*) from published.supervisor_team where guiding_count < 20 "
        "and coalesce(load_max, peer_load_p90, is_load_above_peers::int) is not null",
        "select count(*) from published.academic_warning_flow where is_small_cell <> is_suppressed",
    ):
        assert connection.execute(query).fetchone() == (0,), query


def test_a_status_tells_no_figure_that_is_hidden(days):
    """With a target of 1 or 0.9 "reached" says which of ten to nineteen it is: all of them."""
    connection, _ = days
    both = (
        "from published.indicator_value as p join marts.indicator_value as m "
        "using (variant_code, unit_code, period_code, grain, definition_version) where m.judged_by_code is not null and "
    )
    hidden = "(p.numerator is null and m.numerator is not null or p.denominator is null and m.denominator is not null)"
    seen = "coalesce(p.status_code, p.status_reason_code, p.status_zh, p.status_order::text, p.status_colour)"
    of_path = "(p.path_value is null and m.path_value is not null)"
    flags = "coalesce(p.is_small_number::text, p.estimator_code, p.pooled_years::text)"
    for rows, columns in ((hidden, seen), (hidden, flags), (of_path, seen)):
        found = connection.execute(f"select count(*), count({columns}) {both} {rows}").fetchone()
        assert found[0] > 0, rows
        assert found[1] == 0, (rows, columns)
    for query in (
        f"select count(*) {both} p.status_code is null and not p.is_suppressed",
        "select count(*) from published.v_institution where value is null and is_suppressed "
        "and value_display is not null",
        "select count(*) from published.v_institution as v join published.indicator_value as p on "
        "p.indicator_code = v.indicator_code and p.is_official and p.grain = 'institution' and p.unit_code = v.inst_code "
        "and p.period_code = v.period_code where v.status_code is distinct from p.status_code",
        "select count(*) from published.target_by_version as t join published.indicator_value as p "
        "using (variant_code, grain, unit_code, period_code) where p.is_official and p.value is null and p.is_suppressed "
        "and p.status_code is null and t.value is null and t.path_status_code not in ('GREY')",
    ):
        assert connection.execute(query).fetchone() == (0,), query


def test_none_or_all_of_fewer_than_twenty_is_not_told(days):
    """Rule 3 on the first day: part and whole are not both shown where the part is nobody or everybody, unless of a larger
    whole nobody is in it, or left over."""
    first = days[1][0]
    shown = first.shown.filter(~pl.col("is_money") & ~pl.col("of_firms") & ~pl.col("is_open"))
    small = pairs(first, shown).filter(pl.col("of").is_between(1, POLICY.uniform_minimum - 1))
    system = first.system
    zeros = (system.value[system.total] == 0) & (system.rest == 0)
    in_zeros = pl.Series(np.unique(system.member[zeros[system.sum_of_member]]))
    for uniform, nobody in ((0, "cell"), (pl.col("of"), "left")):
        found = small.filter(pl.col("value") == uniform)
        told = found.filter(pl.col("shown").is_not_null() & pl.col("of_shown").is_not_null())
        assert found.height > told.height + 20, nobody
        assert told.filter(~pl.col(nobody).is_in(in_zeros.implode()).fill_null(False)).height == 0, nobody


def test_how_good_data_are_says_of_persons_no_number_of_records(days):
    """`D03` of misconduct cases would be how many there are; of things it may say so."""
    connection, _ = days
    both = (
        "from published.data_confidence as p join marts.data_confidence as m "
        "using (period_code, inst_code, entity_code, dimension_code) where "
    )
    persons = "p.entity_code in ('ALL', 'student', 'misconduct_case', 'overseas_study', 'commissioned_project') and "
    persons += "p.dimension_code in ('D02', 'D03', 'D05', 'D07')"
    many = tables.many(POLICY)
    rows = connection.execute(
        f"select count(*), count(*) filter (where p.is_suppressed), count(p.numerator), count(p.denominator), "
        f"count(*) filter (where m.denominator < {many}), count(*) filter (where m.denominator >= {many}), "
        f"count(p.value), count(*) filter (where round(m.value::numeric, 3) = p.value::numeric) {both} {persons} "
        "and m.value is not null"
    ).fetchone()
    assert rows[0] == rows[1] > 100
    assert rows[2:4] == (0, 0)
    assert rows[4] > 100
    assert rows[5] == rows[6] == rows[7]
    things = connection.execute(
        f"select count(*), count(*) filter (where p.numerator = m.numerator and not p.is_suppressed) {both} "
        "p.entity_code = 'degree_point' and p.dimension_code = 'D03' and m.numerator is not null"
    ).fetchone()
    assert things[0] == things[1] > 0
    for query in (
        "select count(*) from published.list_measure where measure_code = 'EXPERTS' and thing_count is not null",
        "select count(*) from published.list_quantity where list_item_code = 'P10' and quantity_count is not null",
    ):
        assert connection.execute(query).fetchone() == (0,), query


def test_published_has_the_marts_but_for_what_is_withheld(days):
    connection, _ = days
    columns = (
        "select table_name, column_name from information_schema.columns where table_schema = %s "
        "and column_name not in ('is_suppressed', 'is_kept')"
    )
    marts = set(connection.execute(columns, ["marts"]).fetchall())
    published = set(connection.execute(columns, ["published"]).fetchall())
    assert published == {(table, column) for table, column in marts if table not in POLICY.withheld}
    past = connection.execute(
        "select viewname from pg_views where schemaname = 'published' and definition ~ '\\m(star|marts|indicators)\\.'"
    ).fetchall()
    assert past == []
    bare = connection.execute(
        "select table_name, column_name from information_schema.columns where table_schema = 'published' and "
        "col_description(format('%I.%I', table_schema, table_name)::regclass, ordinal_position) is null"
    ).fetchall()
    assert bare == []


def test_the_examples_of_the_marts_run_on_what_is_published(days):
    connection, _ = days
    empty = []
    for name, query in of_marts().items():
        if set(re.findall(r"\bmarts\.(\w+)", query)) & (POLICY.withheld | {"warning_recall"}):
            continue
        if not connection.execute(re.sub(r"\bmarts\.", "published.", query)).fetchall():
            empty.append(name)
    assert empty == []


def test_no_student_of_research_is_alone(days):
    connection, _ = days
    together = ", ".join(research.RECOGNISABLE)
    classes, least, students = connection.execute(
        f"select count(*), min(n), sum(n) from (select count(*) as n from research.student group by {together}) as c"
    ).fetchone()
    assert least >= N
    assert classes > 100
    exact = connection.execute(
        "select count(*) from (select 1 from star.dim_student where is_current group by inst_code, degree_point_id, "
        "study_mode, entry_on, gender_code, origin_region_code, birth_year having count(*) = 1) as alone"
    ).fetchone()[0]
    assert exact > students / 2  # of the star most are alone with seven attributes
    columns = connection.execute(
        "select string_agg(column_name, ' ') from information_schema.columns where table_schema = 'research'"
    ).fetchone()[0]
    assert not re.search(r"person|student_id|_key|inst_code|degree_point|birth|_on\b", columns)


def test_money_of_few_firms_stays_uncertain(days):
    """Interval attack on money: what is hidden stays uncertain by what the policy asks; without company it would not."""
    _, both = days
    day = both[0]
    secret = day.system.is_hidden & day.cells.system.is_hidden & day.system.is_money & (day.system.value > 0)
    low, high = attack.bounds(day.system)
    assert secret.sum() > 50
    assert ((high - low)[secret] >= POLICY.protection * day.system.value[secret]).all()
    low, high = attack.bounds(day.cells.system)
    assert (secret & (high - low < 1)).sum() > 5


def test_which_of_equal_figures_is_hidden_does_not_follow_from_where_rows_lie(days):
    """The cells come in the same order, however the tables were filled; the rest is arithmetic."""
    connection, _ = days
    before = counts.counted(connection, POLICY).refs
    for table in ("indicator_value", "graduate_destination", "supervisor_team"):
        connection.execute(f"create temp table t as select * from marts.{table} order by md5({table}::text)")
        connection.execute(f"delete from marts.{table}")
        connection.execute(f"insert into marts.{table} select * from t")
        connection.execute("drop table t")
    assert counts.counted(connection, POLICY).refs.equals(before)
