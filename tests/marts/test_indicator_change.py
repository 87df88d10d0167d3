"""What changed since yesterday and why: over ten days of the city the parts of every cell add up to its difference.

On every day records of all kinds come, are corrected, deleted, kept out and healed, and the date moves on. The star and the
indicators are filled by the SQL that dbt compiled; before and after are read by the test itself.
"""

import shutil
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import psycopg
import pytest

from support import built_city
from support.changing import Records
from support.copies import copy_of
from support.rebuild import Compiled
from yuyan import settings
from yuyan.changes import causes, run
from yuyan.domain import contracts, indicators

pytestmark = pytest.mark.database

DAYS = 10
REDEFINED = DAYS + 1
"""A further day on which a definition and a target of the plan are others than the day before."""
KEPT = ("10611", "10635", "50000")
"""Institutions of the city that stay, so that a day takes a second."""
CELL = "variant_code, definition_version, grain, unit_code, period_code"
PARTS = [f"{c.lower()}_part" for c in causes.CAUSES]
NEW_KEYS = {
    "employment": {"status_on": "((status_on::date) - 1)::text"},
    "degree_award": {"award_id": "award_id || '-{day}'"},
    "commissioned_receipt": {"receipt_id": "receipt_id || '-{day}'"},
    "commissioned_project": {
        "project_id": "project_id || '-{day}'",
        "contract_no_digest": "md5(contract_no_digest || '{day}')",
    },
    "practice_participation": {"participation_id": "participation_id || '-{day}'"},
    "admission": {"admission_id": "admission_id || '-{day}'"},
    "thesis_sampling": {"sampling_id": "sampling_id || '-{day}'"},
    "employer_survey": {"response_id": "response_id || '-{day}'"},
    "achievement": {
        "achievement_id": "achievement_id || '-{day}'",
        "canonical_id": "canonical_id || '-{day}'",
    },
    "student": {"student_id": "student_id || 'x{day}'"},
}
"""Entity -> what makes a new record of a copy."""
CORRECTIONS = {
    "employment": {"region_code": "case when left(region_code, 2) = '50' then '440300' else '500103' end"},
    "student": {"degree_type": "case degree_type when '1' then '2' else '1' end"},
    "commissioned_receipt": {"amount": "(amount::numeric * 2)::text"},
    "commissioned_project": {"signed_on": "((signed_on::date) - 365)::text"},
    "thesis_sampling": {"verdict_code": "case verdict_code when '1' then '2' else '1' end"},
    "practice_project": {"major_basis_code": "null"},
    "enterprise": {"cluster_code": "case cluster_code when 'L01' then 'L02' else 'L01' end"},
    "course_evaluation": {"n5": "(n5::int + 1)::text", "response_cnt": "(response_cnt::int + 1)::text"},
    "degree_point": {"degree_type": "case degree_type when '1' then '2' else '1' end"},
}


def cells(connection: psycopg.Connection) -> dict[tuple, tuple]:
    """Cell -> numerator, denominator, value; of cells in which something is."""
    rows = connection.execute(
        f"select {CELL}, numerator, denominator, value from indicators.ind_value"
    ).fetchall()
    return {row[:5]: row[5:] for row in rows}


def differ(a: float | None, b: float | None) -> bool:
    return abs((a or 0) - (b or 0)) > 1e-9 * max(1, abs(a or 0), abs(b or 0))


def move(connection: psycopg.Connection, day: int, waiting: dict[str, list[int]]) -> None:
    """A day of the city: some entities get new records, others corrections; a few are deleted, kept out or healed."""
    for n, (entity, key) in enumerate(NEW_KEYS.items()):
        records = Records(connection, entity)
        turn = (n + day) % 4
        if turn == 0:
            chosen = records.some(5, day)
            records.add(chosen, day, **{c: sql.format(day=day) for c, sql in key.items()})
        elif turn == 1:
            records.delete(records.some(3, day))
        elif turn == 2 and entity not in waiting:
            waiting[entity] = records.some(4, day)
            records.quarantine(waiting[entity])
        elif turn == 3 and entity in waiting:
            records.heal(waiting.pop(entity))
    for n, (entity, changes) in enumerate(CORRECTIONS.items()):
        if (n + day) % 3 == 0:
            records = Records(connection, entity)
            records.correct(records.some(4, day), **changes)


def shrink(connection: psycopg.Connection) -> None:
    """Leave two universities and the commission in a copy of the city; nothing has changed yet."""
    tables = [f"{schema}.{entity}" for entity in contracts.load() for schema in ("accepted", "raw")]
    for table in tables:
        connection.execute(f"delete from {table} where src_inst_code <> all(%s)", [list(KEPT)])
    connection.execute("delete from accepted.institution where inst_code <> all(%s)", [list(KEPT)])
    connection.execute("truncate changes.publication, changes.cell, changes.part, changes.record_count")
    connection.execute(f"vacuum analyze {', '.join(tables)}")


def unexplained(connection: psycopg.Connection) -> list[tuple]:
    """Cells of the newest publication of whose difference something is left over."""
    return connection.execute(
        f"select {CELL}, p.numerator, p.denominator from changes.part p join changes.cell c using (publication_no, {CELL}) "
        "where cause = %s and publication_no = (select max(publication_no) from changes.part)",
        [causes.UNEXPLAINED],
    ).fetchall()


def redefine(
    patch: pytest.MonkeyPatch, connection: psycopg.Connection, compiled: Compiled, folder: Path
) -> None:
    """Only those who are very satisfied count for H15, in the files and in what dbt makes of them; the plan asks for more by
    2030 of H13a, and for more growth a year of H10."""
    score, stricter = "overall_score >= 4", "overall_score >= 5"
    copies = {name: folder / name for name in ("indicators", "compiled")}
    shutil.copytree(settings.INDICATORS, copies["indicators"])
    shutil.copytree(compiled.folder, copies["compiled"])
    for path in (
        copies["compiled"] / "models" / "indicators" / "ind_counted_employer_survey.sql",
        copies["indicators"] / "H15.yml",
    ):
        text = path.read_text(encoding="utf-8")
        assert score in text, path
        path.write_text(text.replace(score, stricter), encoding="utf-8")
    moved = connection.execute(
        "update plan.target set target_value = target_value + 0.02 where variant_code in ('H13a', 'H10')"
    ).rowcount
    assert moved == 2
    compiled.folder = copies["compiled"]
    patch.setattr(settings, "INDICATORS", copies["indicators"])
    indicators.load.cache_clear()


@pytest.fixture(scope="module")
def days(
    pg_home, simulated_city_dsn, simulated_city_home, simulated_city, tmp_path_factory
) -> Iterator[tuple[psycopg.Connection, list]]:
    """A copy of the city after ten days and one of another definition, with [(day, cells before, cells after), …]."""
    with pytest.MonkeyPatch.context() as patch:
        for dsn in copy_of(pg_home, simulated_city_dsn):
            patch.setenv("YUYAN_HOME", str(simulated_city_home))
            patch.setenv("YUYAN_WAREHOUSE_DSN", dsn)
            patch.setenv("YUYAN_SIMULATED", str(built_city.SCALE))
            compiled = Compiled(simulated_city_home, simulated_city.as_of)
            with psycopg.connect(dsn, autocommit=True) as connection:
                shrink(connection)
                compiled.fill(connection, simulated_city.as_of)
                run.publish("day-0", simulated_city.as_of)
                waiting: dict[str, list[int]] = {}
                kept = []
                before = cells(connection)
                for number in range(1, REDEFINED + 1):
                    # the tenth day is in another year, in which periods begin and dates have passed
                    first = (
                        simulated_city.as_of if number < DAYS else date(2027, 10, 1) - timedelta(days=DAYS)
                    )
                    day = first + timedelta(days=number)
                    if number == REDEFINED:
                        redefine(patch, connection, compiled, tmp_path_factory.mktemp("redefined"))
                    with connection.transaction():
                        move(connection, number, waiting)
                        compiled.fill(connection, day)
                    found = run.explain(f"day-{number}", day)
                    assert (found["unexplained"], unexplained(connection)) == (0, [])
                    after = cells(connection)
                    kept.append((day, before, after))
                    run.publish(f"day-{number}", day)
                    before = after
                compiled.fill_models(connection, kept[-1][0], "indicator_change", "record_change")
                yield connection, kept
    indicators.load.cache_clear()


def test_the_parts_of_every_cell_add_up_to_its_difference(days):
    connection, kept = days
    for day, before, after in kept:
        rows = connection.execute(
            f"select {CELL}, numerator_before, numerator_after, denominator_before, denominator_after, value_before, "
            f"value_after, value_difference, {' + '.join(PARTS)} from marts.indicator_change where as_of = %s",
            [day],
        ).fetchall()
        found = {row[:5]: row[5:] for row in rows}
        moved = {
            cell
            for cell in before.keys() | after.keys()
            if any(
                differ(a, b)
                for a, b in zip(before.get(cell, (0, 0, 0)), after.get(cell, (0, 0, 0)), strict=True)
            )
        }
        assert len(moved) > 100
        assert moved <= found.keys()
        for cell, (nb, na, db, da, vb, va, difference, parts) in found.items():
            was, now = before.get(cell, (None, None, None)), after.get(cell, (None, None, None))
            assert (nb, db, vb) == was
            assert (na, da, va) == now
            if vb is not None and va is not None:
                assert difference == va - vb
                assert parts == pytest.approx(difference, abs=1e-9 * max(1, abs(vb), abs(va))), (day, cell)


def test_numerators_and_denominators_add_up_by_cause(days):
    connection, _ = days
    rest = (
        "abs(coalesce(max(c.{0}_after), 0) - coalesce(max(c.{0}_before), 0) - coalesce(sum(p.{0}), 0)) "
        "> 1e-9 * greatest(1, abs(max(c.{0}_after)))"
    )
    wrong = connection.execute(
        f"select c.publication_no, {CELL} from changes.cell c left join changes.part p using (publication_no, {CELL}) "
        f"group by c.publication_no, {CELL} having {rest.format('numerator')} or {rest.format('denominator')}"
    ).fetchall()
    assert wrong == []


def test_every_cause_occurs_and_nothing_stays_unexplained(days):
    connection, _ = days
    occurring = {
        causes.CAUSES[cause]
        for (cause,) in connection.execute("select distinct cause from changes.part").fetchall()
    }
    assert occurring == {"DEFINITION", "CORRECTION", "NEW", "DELETION", "QUARANTINE", "CALENDAR"}
    assert connection.execute(
        "select count(*) from marts.indicator_change where unexplained_part <> 0"
    ).fetchone() == (0,)


def test_another_definition_is_the_cause_where_it_counts_otherwise(days):
    """On its own day and of its own indicator alone, apart from what records did on that day."""
    connection, kept = days
    defined = connection.execute(
        "select distinct variant_code, as_of from marts.indicator_change where definition_part <> 0"
    ).fetchall()
    assert {day for _, day in defined} == {kept[-1][0]}
    assert {code.rstrip("abcdefghijklmnopqrstuvwxyz") for code, _ in defined} == {"H15"}
    main = connection.execute(
        "select main_cause_code, definition_part, value_difference from marts.indicator_change "
        "where variant_code = 'H15' and grain = 'city' and as_of = %s and value_before is not null",
        [kept[-1][0]],
    ).fetchall()
    assert main
    assert {cause for cause, _, _ in main} == {"DEFINITION"}
    assert all(part < 0 for _, part, _ in main), "fewer are very satisfied than satisfied"


def test_another_target_of_the_plan_is_told_from_other_figures(days):
    """H13a's is a level that no figure moves; H10's is growth on a base year, whose data move on the same day."""
    connection, kept = days
    rows = connection.execute(
        "select as_of, variant_code, target_after - target_before, gap_plan_part, gap_baseline_part, value_difference, "
        "gap_difference from marts.indicator_change where target_before <> target_after"
    ).fetchall()
    of_plan = [row for row in rows if row[3] != 0]
    assert {(day, code) for day, code, *_ in of_plan} == {(kept[-1][0], code) for code in ("H13a", "H10")}
    assert all(row[4] == pytest.approx(-row[2]) for row in rows if row not in of_plan)
    for _, code, target, by_plan, by_baseline, value, gap in of_plan:
        assert by_plan + by_baseline == pytest.approx(-target)
        assert by_plan < 0, "more is asked"
        assert code != "H13a" or by_baseline == 0
        assert gap == pytest.approx((value or 0) - target)
