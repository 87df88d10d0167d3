"""What is made in part is what it would be if it were made whole (docs/incremental.md).

The days are those of real runs: dbt makes the layers in the warehouse; `verify` makes them whole beside and compares every
row of every table. Records of all kinds come, are corrected, deleted, kept out and healed, and the date moves, also back.
"""

import random
import shutil
from collections.abc import Iterator
from datetime import date, timedelta

import psycopg
import pytest

from marts.test_indicator_change import CORRECTIONS, NEW_KEYS, move
from support.changing import Records
from support.copies import copy_of
from yuyan import settings, transform, verify
from yuyan.changes import causes, facts, previous
from yuyan.changes import run as changes
from yuyan.domain import contracts

pytestmark = pytest.mark.database

DAYS = 10
SEEDS = (1, 2)
SUPERVISION = {
    "supervisor": {"first_appointed_on": "((first_appointed_on::date) - 30)::text"},
    "supervisor_event": {"hours": "(coalesce(hours, '0')::numeric + 8)::text"},
    "student_supervisor": {"from_on": "((from_on::date) - 400)::text"},
    "supervisor_appointment": {"to_on": "null"},
}
"""Entity -> a correction of what the supervisors' tables are made of."""
OF_UNIT = "degree_point_id in (select degree_point_id from star.bridge_project_degree_point where basis_code = 'UNIT')"
OTHER_UNIT = """(
    select max(u.unit_code) from accepted.org_unit as u
    where u.inst_code = degree_point.inst_code and u.unit_code <> degree_point.unit_code
)"""
"""Degree points that projects come to by their unit, and another unit of the same institution."""
MADE = """
select split_part(node_id, '.', 3), message from ops.model_result where run_id = 'a-day' and resource_type = 'model'
"""
WHY = """
select c.variant_code, c.definition_version, c.grain, c.unit_code, c.period_code, c.numerator_before, c.numerator_after,
    c.denominator_before, c.denominator_after, p.cause, p.numerator, p.denominator
from changes.cell as c
left join changes.part as p using (publication_no, variant_code, definition_version, grain, unit_code, period_code)
where c.publication_no = (select max(publication_no) from changes.publication)
order by 1, 2, 3, 4, 5, 10
"""


@pytest.fixture
def line(
    pg_home, simulated_city_dsn, simulated_city_home, simulated_city, tmp_path, monkeypatch
) -> Iterator["Line"]:
    """The built city as a copy of its own; what dbt compiles for it is not what others read of the city."""
    (tmp_path / "dbt").mkdir()
    shutil.copy(simulated_city_home / "dbt" / "parsed.msgpack", tmp_path / "dbt")
    for dsn in copy_of(pg_home, simulated_city_dsn):
        monkeypatch.setenv("YUYAN_HOME", str(tmp_path))
        monkeypatch.setenv("YUYAN_WAREHOUSE_DSN", dsn)
        monkeypatch.setenv("YUYAN_SIMULATED", "0.01")
        yield Line(dsn, simulated_city.as_of)


class Line:
    """A warehouse and the day that it is of."""

    def __init__(self, dsn: str, as_of: date) -> None:
        self.dsn, self.as_of = dsn, as_of

    def run(self, days: int = 1) -> dict[str, str]:
        """Build the star and the indicators for the day so many days later; model -> how it was made."""
        self.as_of += timedelta(days=days)
        for layer in verify.LAYERS:
            transform.run_layer(layer, "a-day", self.as_of)
        with self.connected() as connection:
            return dict(connection.execute(MADE).fetchall())

    def connected(self) -> psycopg.Connection:
        return psycopg.connect(self.dsn)

    def explain(self) -> list[tuple]:
        """Why cells are not what was last published."""
        changes.explain("a-day", self.as_of)
        with self.connected() as connection:
            return connection.execute(WHY).fetchall()

    def publish(self) -> set[str]:
        """Publish, and return which tables were compared and kept in part."""
        with self.connected() as connection:
            tables = [
                *(f.table for f in facts.counted()),
                facts.bridge().table,
                *causes.tables(connection).values(),
            ]
            ways = {t.name: previous.may_differ(connection, t) for t in tables}
        changes.publish("a-day", self.as_of)
        with self.connected() as connection:
            for table in tables:
                now, kept = (
                    f"select {', '.join(table.columns)} from {r}" for r in (table.source, table.kept)
                )
                differing = f"select count(*) from (({now} except all {kept}) union all ({kept} except all {now})) as d"
                assert (table.name, *connection.execute(differing).fetchone()) == (table.name, 0)
        return {name for name, way in ways.items() if way not in (previous.ANY, previous.NONE)}


def made(found: dict[str, str], way: str) -> set[str]:
    return {model for model, message in found.items() if message == way}


def test_a_day_makes_anew_what_changed_and_the_result_is_that_of_a_whole_build(line):
    line.publish()
    with line.connected() as connection:
        for entity in ("employment", "student", "course_evaluation", "commissioned_project"):
            records = Records(connection, entity)
            records.correct(records.some(4, 1), **CORRECTIONS[entity])
        for entity, correction in SUPERVISION.items():
            records = Records(connection, entity)
            records.correct(records.some(2, 1), **correction)
        award = Records(connection, "degree_award")
        award.correct(award.some(1, 1), student_id="null")  # an empty key is a key, too
        thesis = Records(connection, "thesis")
        thesis.delete(thesis.some(2, 1))
    found = line.run()
    in_part, unchanged = made(found, "IN PART"), made(found, "UNCHANGED")
    assert {"dim_student", "fct_employment", "fct_thesis", "fct_enrolment_census", "ind_value"} <= in_part
    assert {"dim_supervisor", "fct_supervisor_event", "fct_supervisor_year", "fct_supervisor_load"} <= in_part
    assert {
        "fct_supervisor_appointment",
        "fct_commissioned_project",
        "bridge_project_degree_point",
    } <= in_part
    assert "fct_degree_award" in in_part
    assert {"dim_date", "dim_discipline", "dim_cluster", "ind_counted_employer_survey"} <= unchanged
    assert found["fct_course_evaluation"].startswith("INSERT")  # it follows nothing, and has changed
    assert_explained_as_if_compared_whole(line)
    assert line.publish() >= {
        "fct_employment",
        "fct_enrolment_census",
        "accepted_student",
        "accepted_employment",
    }
    assert line.explain() == []
    take_rows_in_another_order(line)
    assert verify.verify() == len(compared(line))


def assert_explained_as_if_compared_whole(line: Line) -> None:
    found = line.explain()
    assert found
    with line.connected() as connection:
        read = connection.execute(
            "delete from ops.read_version where starts_with(model, 'previous.') returning model, relation, version"
        ).fetchall()
    assert line.explain() == found
    with line.connected() as connection:
        connection.cursor().executemany("insert into ops.read_version values (%s, %s, %s)", read)


def take_rows_in_another_order(line: Line) -> None:
    """Of sums and averages, what depends on the order of rows is another figure then."""
    with line.connected() as connection:
        for entity in contracts.load():
            connection.execute(f"create index shuffled on accepted.{entity} (md5(src_record_id))")
            connection.execute(f"cluster accepted.{entity} using shuffled")
            connection.execute("drop index accepted.shuffled")
        connection.execute(f"alter database {connection.info.dbname} set enable_hashagg = off")


def compared(line: Line) -> list[tuple]:
    with line.connected() as connection:
        found = connection.execute("select relation, standing + rebuilt from ops.verification").fetchall()
    assert {differing for _, differing in found} == {0}
    return found


def test_references_are_asked_of_the_rows_that_may_be_others(line):
    assert missing_keys_of_employment(line) == 0  # of all rows
    with line.connected() as connection:
        other = connection.execute("select min(student_id) from star.fct_employment").fetchone()
        connection.execute(
            "update star.fct_employment set institution_key = 'nowhere' where student_id = %s", other
        )
        records = Records(connection, "employment")
        chosen = records.some(2, 1, f"student_id <> '{other[0]}'")
        records.correct(chosen, **CORRECTIONS["employment"])
    assert missing_keys_of_employment(line) == 0
    with line.connected() as connection:
        connection.execute(
            "with changed as (update ops.table_version set version = ops.next_change() "
            "where relation = 'star.fct_employment' returning relation, version) "
            "insert into ops.changed_key select relation, version, 'student_id', %s from changed",
            other,
        )
    assert missing_keys_of_employment(line) == 1


NOTE = """
with changed as (update ops.table_version set version = ops.next_change() where relation = %s returning relation, version)
insert into ops.changed_key select relation, version, %s, %s from changed
"""
READ = """
update ops.read_version as r set version = v.version from ops.table_version as v
where v.relation = r.relation and r.relation = 'star.fct_employment' and r.model not like 'test.%'
"""


@pytest.mark.parametrize("is_forgotten", [False, True])
def test_references_are_asked_where_only_they_lead(line, is_forgotten):
    """A cluster that graduates are counted to and that is gone; a change of the table whose notes were removed."""
    assert missing_keys_of_employment(line) == 0
    with line.connected() as connection:
        connection.execute(
            "update star.fct_employment set cluster_code = 'gone' where employer_cluster_code is null "
            "and student_id = (select min(student_id) from star.fct_employment where employer_cluster_code is null)"
        )
        if is_forgotten:
            connection.execute(NOTE, ["star.fct_employment", "student_id", "another"])
            connection.execute(READ)  # by all models, so that notes before it may be gone
        else:
            connection.execute(NOTE, ["star.dim_cluster", "cluster_code", "gone"])
    assert missing_keys_of_employment(line) == 1


def missing_keys_of_employment(line: Line) -> int:
    results = transform.invoke(["build", "--select", "fct_employment"], line.as_of).result.results
    found = {r.node.name: r.failures for r in results if str(r.node.resource_type) == "test"}
    assert {str(r.status) for r in results} <= {"success", "pass", "warn"}
    return found["fct_employment_keys_resolve"]


def test_a_history_is_compared_with_the_records_that_may_be_others(line):
    """Records that the dimension lacks, one of them corrected, and versions of which the record is gone."""
    assert inconsistent_supervisors(line) == 0  # of all
    with line.connected() as connection:
        records = Records(connection, "supervisor")
        silent, corrected, deleted = records.some(3, 1)
        connection.execute(
            "delete from star.dim_supervisor as d using accepted.supervisor as a "
            "where a.supervisor_id = d.supervisor_id and a.raw_id = any(%s)",
            [[silent, corrected]],
        )
        records.correct([corrected], **SUPERVISION["supervisor"])
        records.delete([deleted])
    assert inconsistent_supervisors(line) == 2
    assert inconsistent_supervisors(line) == 3, "of all again, since it failed"


def inconsistent_supervisors(line: Line) -> int:
    """What the test of the dimension's history finds; the dimension is not made."""
    results = transform.invoke(["test", "--select", "dim_supervisor_versions"], line.as_of).result.results
    (found,) = [r.failures for r in results if str(r.node.resource_type) == "test"]
    return found


@pytest.mark.long
def test_ten_days_of_every_kind_of_change_are_as_if_made_whole(line):
    line.publish()
    waiting: dict[str, list[int]] = {}
    ways: dict[str, set[str]] = {}
    for day in range(1, DAYS + 1):
        with line.connected() as connection:
            move(connection, day, waiting)
            for entity, correction in SUPERVISION.items():
                records = Records(connection, entity)
                records.correct(records.some(2, day), **correction)
            events = Records(connection, "supervisor_event")
            events.delete(events.some(day % 3, -day))
            points = Records(connection, "degree_point")
            points.correct(points.some(day % 2, -day, OF_UNIT), unit_code=OTHER_UNIT)
        for model, message in line.run().items():
            ways.setdefault(message, set()).add(model)
        assert_explained_as_if_compared_whole(line)
        assert line.publish()
        verify.verify()
    follow = {
        path.stem
        for path in settings.DBT_PROJECT.glob("models/*/*.sql")
        if "config(follows" in path.read_text(encoding="utf-8")
    }
    assert ways["IN PART"] >= {m for m in follow if m.startswith(("dim", "bridge", "fct"))} - {
        "fct_course_offering"
    }


@pytest.mark.long
@pytest.mark.parametrize("seed", SEEDS)
def test_drawn_days_are_as_if_made_whole(line, seed):
    line.publish()
    drawn = random.Random(seed)
    for day in range(1, 4):
        with line.connected() as connection:
            for entity in drawn.sample(sorted({*CORRECTIONS, *NEW_KEYS, *SUPERVISION}), 6):
                change(drawn, Records(connection, entity), day)
        line.run(drawn.choice((0, 1, 30, 80, -5)))
        assert_explained_as_if_compared_whole(line)
        line.publish()
        verify.verify()


def change(drawn: random.Random, records: Records, day: int) -> None:
    chosen = records.some(drawn.choice((1, 5, 200)), day)
    ways = [records.delete, records.quarantine]
    if correction := (CORRECTIONS | SUPERVISION).get(records.entity):
        ways.append(lambda ids: records.correct(ids, **correction))
    if records.entity in NEW_KEYS:
        keys = {column: sql.format(day=day) for column, sql in NEW_KEYS[records.entity].items()}
        ways.append(lambda ids: records.add(ids, day, **keys))
    drawn.choice(ways)(chosen)


@pytest.mark.long
def test_a_row_that_is_not_what_it_should_be_is_found_and_made_anew(line):
    line.run()
    with line.connected() as connection:
        connection.execute(
            "update star.fct_thesis set similarity_share = 0.99 "
            "where thesis_id = (select min(thesis_id) from star.fct_thesis)"
        )
    with pytest.raises(
        verify.Differs,
        match=r"star\.fct_thesis: 1 rows stand that are not made, 1 are made that do not stand",
    ):
        verify.verify()
    assert line.run(0)["fct_thesis"].startswith("INSERT")
    verify.verify()


def test_layers_that_are_older_than_what_is_accepted_are_not_compared(line):
    with line.connected() as connection:
        records = Records(connection, "thesis")
        records.delete(records.some(1, 1))
    with pytest.raises(verify.NotBuilt, match=r"accepted\.thesis changed since"):
        verify.verify()
    with line.connected() as connection:
        assert connection.execute("select count(*) from ops.verification").fetchone() == (0,)
