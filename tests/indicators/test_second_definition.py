"""A second definition of a variant, by the steps of docs/how-to/add-an-indicator.md, stands beside the first."""

import re

import polars as pl
import pytest

from yuyan import settings, transform
from yuyan.estimate import sources

pytestmark = pytest.mark.database

PAGE = (settings.PROJECT / "docs" / "how-to" / "add-an-indicator.md").read_text(encoding="utf-8")
CHANGES = re.findall(r"```diff\n(.*?)```", PAGE[PAGE.index("## A second definition") :], re.S)
LAYERS = {
    "indicators": (
        "path:seeds/plan",
        "ind_counted_employment",
        "ind_counted",
        "ind_value",
        "ind_plan_status",
        "ind_status",
    ),
    "marts": ("indicator_value", "target_scorecard"),
}
COUNTED = """
select unit, grad_year::text, count(*) filter (where is_employed and is_in_chongqing),
    count(*) filter (where is_employed), count(*) filter (where is_employed or is_further_study)
from star.fct_employment cross join lateral (values ('500000'), (inst_code)) as u (unit)
where point_code = 'EP2' group by 1, 2
"""


def sides(hunk: str) -> tuple[str, str]:
    """The text before and after a hunk of a diff."""
    lines = hunk.splitlines(keepends=True)
    return tuple("".join(line[1:] for line in lines if line[0] in marks) for marks in (" -", " +"))


@pytest.fixture
def project(own_indicators, monkeypatch):
    """The indicators with the steps of the page taken; transform runs what they touch."""
    file = own_indicators.folder / "H13.yml"
    text = file.read_text(encoding="utf-8")
    for before, after in map(sides, CHANGES):
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    file.write_text(text, encoding="utf-8")
    written = {path.name for path in own_indicators.compile()}
    assert written == {"ind_counted_employment.sql", "indicator.csv"}
    for layer, models in LAYERS.items():
        monkeypatch.setitem(transform.SELECTIONS, layer, models)
    return own_indicators


def adopt(project) -> None:
    """Make the second definition the official one."""
    file = project.folder / "H13.yml"
    text = file.read_text(encoding="utf-8").replace("    official: true\n", "")
    second = "  H13a v2:\n"
    assert text.count(second) == 1
    file.write_text(text.replace(second, second + "    official: true\n"), encoding="utf-8")
    project.compile()


@pytest.mark.long
def test_both_definitions_are_computed_and_judged_for_all_history(copy_of_city, simulated_city, project):
    connection = copy_of_city
    everything = (
        "select * from marts.indicator_value where definition_version = 1 "
        "order by variant_code, grain, unit_code, period_year"
    )
    before = connection.execute(everything).fetchall()
    connection.commit()
    for layer in LAYERS:
        transform.run_layer(layer, "second", simulated_city.as_of)
    assert connection.execute(everything).fetchall() == before

    found = {1: {}, 2: {}}
    for version, grain, unit, period, n, d in connection.execute(
        "select definition_version, grain, unit_code, period_code, numerator, denominator from marts.indicator_value "
        "where variant_code = 'H13a'"
    ):
        found[version][grain, unit, period] = (n, d)
    assert set(found[2]) >= set(found[1])  # a unit whose graduates all study on has a row by the second only
    assert {g for g, *_ in found[2]} == {g for g, *_ in found[1]}
    for unit, period, stayed, employed, wider in connection.execute(COUNTED):
        key = ("city" if unit == "500000" else "institution", unit, period)
        assert (found[1][key], found[2][key]) == ((stayed, employed), (stayed, wider))
    assert any(found[1][k] != found[2][k] for k in found[1])
    judged = (
        "select count(*) from marts.indicator_value where variant_code = 'H13a' and definition_version = 2"
    )
    assert connection.execute(
        f"{judged} and grain = 'city' and status_reason_code = 'NO-TARGET'"
    ).fetchone() == (0,)
    in_force = (
        "select definition_version, denominator, (select denominator from marts.indicator_value v where grain = 'city' and "
        "v.variant_code = s.variant_code and v.definition_version = %s and v.period_code = s.period_code) "
        "from marts.target_scorecard s where variant_code = 'H13a'"
    )
    version, shown, expected = connection.execute(in_force, [1]).fetchone()
    assert (version, shown) == (1, expected)
    connection.commit()

    adopt(project)
    for layer in LAYERS:
        transform.run_layer(layer, "adopted", simulated_city.as_of)
    version, shown, expected = connection.execute(in_force, [2]).fetchone()
    assert (version, shown) == (2, expected)
    connection.commit()
    estimated = sources.read(
        connection, sources.VALUES, as_of=simulated_city.as_of, base_year=2025, doc_version="2026-draft"
    )
    assert estimated.select("variant_code", "grain", "unit_code", "period_code").is_unique().all()
    assert sources.read(connection, sources.REGISTRY)["variant_code"].is_unique().all()
    own = estimated.filter(pl.col("variant_code") == "H13a")
    assert len(own) == sum(bool(d) for _, d in found[2].values())
    for grain, unit, period, denominator in own.select(
        "grain", "unit_code", "period_code", "denominator"
    ).iter_rows():
        assert denominator == found[2][grain, unit, period][1]
