"""The steps of docs/how-to/add-an-indicator.md, taken from the page itself, publish a new indicator."""

import re
import shutil

import pytest

from yuyan import settings, transform

pytestmark = pytest.mark.database

PAGE = (settings.PROJECT / "docs" / "how-to" / "add-an-indicator.md").read_text(encoding="utf-8")
ADDED = [
    "\n".join(line[1:] for line in block.splitlines() if line.startswith("+"))
    for block in re.findall(r"```diff\n(.*?)```", PAGE[: PAGE.index("## A second definition")], re.S)
]
MODEL = re.search(r"```sql\n(.*?)```", PAGE, re.S).group(1)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A copy of the dbt project that transform runs."""
    copy = tmp_path / "dbt_project"
    shutil.copytree(settings.DBT_PROJECT, copy)
    monkeypatch.setattr(settings, "DBT_PROJECT", copy)
    return copy


def append(path, text: str) -> None:
    path.write_text(path.read_text(encoding="utf-8").rstrip("\n") + "\n" + text + "\n", encoding="utf-8")


def test_the_steps_of_the_page_publish_the_indicator(copy_of_city, simulated_city, project, monkeypatch):
    row, name, description, target = ADDED
    plan, indicators = project / "seeds" / "plan", project / "models" / "indicators"
    append(plan / "indicator.csv", row)
    append(plan / "target.csv", target)
    (indicators / "ind_m06.sql").write_text(MODEL, encoding="utf-8")

    properties = indicators / "_indicators.yml"
    text = properties.read_text(encoding="utf-8")
    properties.write_text(
        text.replace("  - name: ind_value\n", description + "\n\n  - name: ind_value\n"), encoding="utf-8"
    )
    monkeypatch.setitem(
        transform.SELECTIONS,
        "indicators",
        ("indicator", "target", "ind_m06", "ind_value", "ind_plan_status", "ind_status"),
    )
    with pytest.raises(transform.TransformFailed, match="ind_m06 is not in indicator_models"):
        transform.run_layer("indicators", "unnamed", simulated_city.as_of)

    macros = project / "macros" / "indicators.sql"
    listed = macros.read_text(encoding="utf-8")
    macros.write_text(
        listed.replace("'ind_h15',\n", "'ind_h15',\n" + name.splitlines()[-1] + "\n"), encoding="utf-8"
    )
    for layer in ("indicators", "marts"):
        transform.run_layer(layer, "named", simulated_city.as_of)

    connection = copy_of_city
    published = connection.execute(
        "select unit_code, period_code, numerator, denominator, status_code from marts.indicator_value "
        "where variant_code = 'M06-core'"
    ).fetchall()
    counted = connection.execute(
        "select o.inst_code, o.academic_year, count(*) filter (where c.is_core), count(*) "
        "from star.fct_course_offering o join star.dim_course c using (course_key) "
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
