"""The simulated city: sound records pass, and the planted defects are found exactly, day after day."""

import polars as pl
import pytest
from small_world import Raw

from support import fill
from yuyan.validate.reconcile import reconcile
from yuyan_demo.simulator import population

pytestmark = pytest.mark.database

SCALE = 0.002
KEY = ("src_inst_code", "entity", "src_record_id", "rule_id", "severity")


def test_planted_defects_and_findings_are_the_same(raw: Raw):
    for day in (1, 2):
        city = population.build(scale=SCALE, day=day)
        changed = {
            e: f.filter(pl.col("change_version") >= day * population.VERSIONS_PER_DAY)
            for e, f in city.frames.items()
        }
        fill.load(raw.connection, city.frames if day == 1 else changed, f"day-{day}", city.as_of)
        raw.judge(f"run-{day}", as_of=city.as_of)
        errors = city.defects.filter(pl.col("severity") == "ERROR")
        found = raw.rows(
            f"select {', '.join('f.' + k for k in KEY)} from quality.quarantine q join quality.row_failure f "
            "on f.entity = q.entity and f.raw_id = q.raw_id and f.resolved_run_id is null "
            "where q.state = 'open' and f.severity = 'ERROR'"
        )
        assert set(found) == set(errors.select(KEY).iter_rows())
        if day == 1:
            every = raw.rows(f"select {', '.join(KEY)} from quality.row_failure")
            assert set(every) == set(city.defects.select(KEY).iter_rows())
        for entity in city.frames:
            held = raw.rows(f"select src_inst_code, src_record_id from accepted.{entity}")
            assert set(held) == set(
                city.accepted(entity).select("src_inst_code", "src_record_id").iter_rows()
            ), entity
        assert reconcile(f"run-{day}") > 300
