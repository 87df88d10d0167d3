"""An indicator, a changed target and a column of a mart need what docs/how-to shows, taken from the pages, and no more."""

import pytest

from support import how_to
from yuyan import settings, transform

pytestmark = pytest.mark.database


@pytest.mark.long
def test_what_the_pages_say_is_published(copy_of_city, simulated_city, own_indicators, monkeypatch):
    folders = {"include/indicators/": own_indicators.folder, "dbt_project/": settings.DBT_PROJECT}
    for page, section in (
        ("add-an-indicator", "An indicator"),
        ("change-the-plan", "A target"),
        ("add-a-mart-column", "A column"),
    ):
        how_to.follow(settings.PROJECT, page, section, folders)
    written = own_indicators.compile()
    assert {"ind_counted_course_offering.sql", "target.csv"} <= {path.name for path in written}
    scope = (
        "path:seeds/plan",
        "ind_counted_course_offering",
        "ind_counted",
        "ind_value",
        "ind_plan_status",
        "ind_status",
    )
    monkeypatch.setitem(transform.SELECTIONS, "indicators", scope)
    monkeypatch.setitem(
        transform.SELECTIONS, "marts", ("indicator_value", "target_scorecard", "student_flow")
    )
    for layer in ("indicators", "marts"):
        transform.run_layer(layer, "added", simulated_city.as_of)

    connection = copy_of_city
    published = connection.execute(
        "select unit_code, period_code, numerator, denominator, status_code from marts.indicator_value "
        "where variant_code = 'M06-core'"
    ).fetchall()
    counted = connection.execute(
        "select o.inst_code, o.academic_year, count(*) filter (where c.is_core), count(*) "
        "from star.fct_course_offering o left join star.dim_course c using (course_key) "
        "where left(academic_year, 4) >= '2020' group by 1, 2"
    ).fetchall()
    units = connection.execute("select count(*) from star.dim_institution").fetchone()[0]
    assert len(published) == (units + 1) * (simulated_city.as_of.year - 2020 + 1)
    assert {r[:4] for r in published if r[3]} >= set(counted)
    assert sum(r[3] for r in published if r[0] == "500000") == sum(r[3] for r in counted)
    assert {r[4] for r in published} <= {"BLUE", "GREEN", "AMBER", "RED", "GREY"}
    assert connection.execute(
        "select count(*) from marts.target_scorecard where indicator_code = 'M06'"
    ).fetchone() == (1,)
    assert connection.execute(
        "select plan_target_value, target_value from marts.target_scorecard where indicator_code = 'H13'"
    ).fetchone() == (0.45, 0.45)
    flows = connection.execute(
        "select count(*), count(*) filter (where change_count = in_study_count - opening_in_study_count) "
        "from marts.student_flow where opening_in_study_count is not null"
    ).fetchone()
    assert flows[0] == flows[1] > 0
