"""What is true once somebody has followed docs/how-to/add-an-entity.md: test_add_an_entity.py runs it in such a copy."""

import pytest
from small_world import Raw

from support import fill
from yuyan import transform
from yuyan_demo.simulator import population
from yuyan_demo.simulator.products.assignment import COMMISSION

pytestmark = pytest.mark.database

KEY = ("src_inst_code", "entity", "src_record_id", "rule_id", "severity")


def test_the_city_has_the_new_records_and_breaks_the_new_rules(raw: Raw, work, monkeypatch, warehouse):
    city = population.build(scale=0.002, every_rule=True)
    fill.load(raw.connection, city.frames, "day-1", city.as_of)
    raw.judge("run-1", as_of=city.as_of)
    found = set(raw.rows(f"select {', '.join(KEY)} from quality.row_failure"))
    assert found == set(city.defects.select(KEY).iter_rows())
    broken = {rule for _, _, _, rule, _ in found}
    assert {"QR.scholarship.amount.11", "QR.scholarship.granted_on.12", "QR.course.course_name.19"} <= broken
    assert {
        "QR.scholarship.scholarship_id.1",
        "QR.scholarship.student_id.5",
        "QR.scholarship.key.6",
    } <= broken
    assert "QR.student.is_first_generation.2" in broken

    sources = raw.rows(
        "select src_inst_code, count(*), count(distinct student_id) from accepted.scholarship group by 1"
    )
    assert len(sources) > 10
    assert COMMISSION not in {source for source, *_ in sources}
    assert sum(rows for _, rows, _ in sources) > 100
    levels = dict(raw.rows("select level_code, count(*) from accepted.scholarship group by 1"))
    assert levels["30"] > levels["20"] > 0

    monkeypatch.setenv("YUYAN_WAREHOUSE_DSN", warehouse)
    transform.prepare_manifest(city.as_of)
    monkeypatch.setitem(transform.SELECTIONS, "star", ("path:seeds", "+dim_student"))
    transform.run_layer("star", "run-1", city.as_of)
    shown = raw.rows("select is_first_generation, count(*) from star.dim_student where is_current group by 1")
    assert dict(shown)[True] > 100
