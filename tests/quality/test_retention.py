"""Results of a year of made-up runs: which of them stay, and that the others are accounted for."""

from datetime import date, timedelta

import psycopg
import pytest

from yuyan.assess import retention

pytestmark = pytest.mark.database

FIRST = date(2026, 10, 15)
DAYS = 250
LAST = FIRST + timedelta(days=DAYS - 1)
FULL_SINCE = LAST - timedelta(days=retention.DAYS_IN_FULL - 1)
WHOLE = ("credibility", "scorecard", "indicator_confidence")


def name(day: date) -> str:
    return f"w{day:%Y%m%d}"


def run(connection: psycopg.Connection, day: date, run_id: str = "", kind: str = "warehouse") -> None:
    connection.execute(
        "insert into ops.run (run_id, kind, as_of) values (%s, %s, %s)", [run_id or name(day), kind, day]
    )


def result(connection: psycopg.Connection, run_id: str, entity: str) -> None:
    """Two rows of an entity that was judged in a run; it is the entity's current result."""
    connection.execute(
        "insert into quality.result (run_id, rule_id, rule_version, src_inst_code, entity, eligible, failed, unverifiable, "
        "tolerance_rows, tolerance_pct, new, still, resolved, verdict) "
        "select %s, 'QR.' || %s || '.x.1', 1, code, %s, 9, 0, 0, 0, 0, 0, 0, 0, 'pass' "
        "from unnest('{10611,10635}'::text[]) code",
        [run_id, entity, entity],
    )
    connection.execute(
        "insert into quality.last_judged select %s, run_id, as_of from ops.run where run_id = %s "
        "on conflict (entity) do update set run_id = excluded.run_id, as_of = excluded.as_of",
        [entity, run_id],
    )


def assessment(connection: psycopg.Connection, run_id: str) -> None:
    connection.execute(
        "insert into quality.credibility values (%s, 'QR.indicator.H03.11', '10611', 'H03', '', '2026', 1, 1, 1, true, '')",
        [run_id],
    )
    connection.execute(
        "insert into quality.scorecard (run_id, as_of, src_inst_code, entity, period, dimension) "
        "select run_id, as_of, '10611', '', '', 'D01' from ops.run where run_id = %s",
        [run_id],
    )
    connection.execute("insert into quality.indicator_confidence values (%s, 'H03', '10611', 'A')", [run_id])


@pytest.fixture
def year(connection) -> psycopg.Connection:
    """A run a day. Students are judged every day, theses on the first ten days of a month, lists on the first day only."""
    for day in (FIRST + timedelta(days=n) for n in range(DAYS)):
        run(connection, day)
        run(connection, day, f"c{day}", "collect")
        result(connection, name(day), "student")
        if day.day <= 10:
            result(connection, name(day), "thesis")
        if day == FIRST:
            result(connection, name(day), "list_item")
        assessment(connection, name(day))
    return connection


def kept(connection: psycopg.Connection, table: str, where: str = "true") -> set[str]:
    return {run_id for (run_id,) in connection.execute(f"select run_id from quality.{table} where {where}")}


def expected(judged: list[date]) -> set[str]:
    """Runs that the policy keeps of the days on which something was judged."""
    last = {(day.year, day.month): day for day in judged}
    return {name(day) for day in judged if day >= FULL_SINCE or last[day.year, day.month] == day}


def everything(connection: psycopg.Connection) -> list[list[tuple]]:
    tables = ("result", *WHOLE, "thinning")
    return [
        connection.execute(f"select * from quality.{t} order by 1, 2, 3, 4, 5").fetchall() for t in tables
    ]


def test_the_newest_days_stay_whole_and_of_each_month_before_them_the_last(year):
    days = [FIRST + timedelta(days=n) for n in range(DAYS)]
    before = len(kept(year, "result", "entity = 'student'"))
    assert retention.thin(year, name(LAST), LAST)

    assert before == DAYS
    assert kept(year, "result", "entity = 'student'") == expected(days)
    assert kept(year, "result", "entity = 'thesis'") == expected([d for d in days if d.day <= 10])
    for table in WHOLE:
        assert kept(year, table) == expected(days), table
    # the month in which the days in full begin has its last run among them
    assert FULL_SINCE.day > 1
    edge = {
        name(FULL_SINCE - timedelta(days=1)): False,
        name(FULL_SINCE): True,
        name(date(2026, 10, 31)): True,
    }
    assert {run_id: run_id in kept(year, "scorecard") for run_id in edge} == edge


def test_the_current_result_of_an_idle_entity_stays(year):
    """Lists were judged on the first day only; units last for that day as well, after they had been for a later one."""
    later = name(FIRST + timedelta(days=3))
    run(year, FIRST, "again")
    result(year, later, "org_unit")
    result(year, "again", "org_unit")
    current = "select * from quality.current_result order by run_id, rule_id, src_inst_code"
    before = year.execute(current).fetchall()
    assert {run_id for run_id, *_ in before} >= {name(FIRST), "again", name(LAST)}

    assert retention.thin(year, name(LAST), LAST)
    assert year.execute(current).fetchall() == before
    assert kept(year, "result", "entity = 'list_item'") == {name(FIRST)}
    assert kept(year, "result", "entity = 'org_unit'") == {"again", later}


def test_the_alarm_that_a_problem_is_about_stays(year):
    old = name(FIRST + timedelta(days=1))
    year.execute(
        "insert into quality.problem (rule_id, src_inst_code, entity, severity, state, failed, known_rows, opened_run_id, "
        "last_run_id) values ('QR.indicator.H03.11', '10611', 'indicator', 'WARN', 'known', 1, 1, %s, %s)",
        [old, old],
    )
    retention.thin(year, name(LAST), LAST)
    assert old in kept(year, "credibility")
    assert old not in kept(year, "scorecard")


def test_what_was_thinned_is_recorded_and_a_second_call_changes_nothing(year):
    def rows() -> dict[tuple[str, str], int]:
        return {
            (table, run_id): n
            for table in ("result", *WHOLE)
            for run_id, n in year.execute(f"select run_id, count(*) from quality.{table} group by run_id")
        }

    before = rows()
    thinned = retention.thin(year, name(LAST), LAST)
    after = rows()
    lost = {key: n - after.get(key, 0) for key, n in before.items() if n > after.get(key, 0)}
    recorded = year.execute(
        "select table_name, t.run_id, rows, policy, thinned_run_id, t.as_of = r.as_of "
        "from quality.thinning t join ops.run r using (run_id)"
    ).fetchall()
    assert {(table, run_id): n for table, run_id, n, *_ in recorded} == lost
    assert len(recorded) == len(lost)
    assert thinned == sum(lost.values())
    assert {tuple(rest) for _, _, _, *rest in recorded} == {(retention.POLICY, name(LAST), True)}

    state = everything(year)
    assert retention.thin(year, name(LAST), LAST) == 0
    assert everything(year) == state

    # a day later one more falls out of the days in full
    following = LAST + timedelta(days=1)
    run(year, following)
    assert retention.thin(year, name(following), following) == 2 + len(WHOLE)
    assert everything(year)[-1][: len(recorded)] == state[-1]


def test_only_days_on_which_the_line_ran_count(year):
    """Neither a standstill nor a run for a day that is far off takes away more than the days themselves push out."""
    retention.thin(year, name(LAST), LAST)
    state = everything(year)
    far = date(2099, 1, 1)
    run(year, far)
    assert retention.thin(year, name(far), far) == 2 + len(WHOLE)
    year.execute("delete from ops.run where as_of = %s", [far])
    # an earlier day is done again: for it there is nothing to thin
    assert retention.thin(year, name(FIRST), FIRST) == 0
    assert len(state[0]) - len(everything(year)[0]) == 2


def test_a_young_warehouse_is_left_alone(connection):
    for n in range(retention.DAYS_IN_FULL):
        day = FIRST + timedelta(days=n)
        run(connection, day)
        result(connection, name(day), "student")
    assert retention.thin(connection, name(day), day) == 0
    assert kept(connection, "thinning") == set()
