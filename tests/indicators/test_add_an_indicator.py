"""The file of docs/how-to/add-an-indicator.md, taken from the page itself, is all that a new indicator needs."""

import re

import pytest

from yuyan import settings, transform

pytestmark = pytest.mark.database

PAGE = (settings.PROJECT / "docs" / "how-to" / "add-an-indicator.md").read_text(encoding="utf-8")
FILE = re.search(r"```yaml\n(.*?)```", PAGE, re.S).group(1)


def test_the_file_of_the_page_publishes_the_indicator(
    copy_of_city, simulated_city, own_indicators, monkeypatch
):
    (own_indicators.folder / "M06.yml").write_text(FILE, encoding="utf-8")
    written = own_indicators.compile()
    assert "ind_counted_course_offering.sql" in {path.name for path in written}
    scope = (
        "path:seeds/plan",
        "ind_counted_course_offering",
        "ind_counted",
        "ind_value",
        "ind_plan_status",
        "ind_status",
    )
    monkeypatch.setitem(transform.SELECTIONS, "indicators", scope)
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
