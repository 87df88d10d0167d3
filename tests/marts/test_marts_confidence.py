"""The grades in the marts are those of the newest assessment, whatever the grain of the value."""

import pytest

pytestmark = pytest.mark.database


def test_the_card_is_the_assessment(marts):
    shown = marts.execute(
        "select inst_code, nullif(entity_code, 'ALL'), dimension_code, value, nullif(grade_code, '-') "
        "from marts.data_confidence"
    ).fetchall()
    assessed = marts.execute(
        "select src_inst_code, nullif(entity, ''), dimension, value, grade from quality.scorecard where run_id = 'city'"
    ).fetchall()
    assert len(shown) > 1000
    assert sorted(shown, key=str) == sorted(assessed, key=str)


def test_a_value_has_the_grade_of_its_institution_or_the_citys(marts):
    differing = marts.execute(
        "select count(*) from marts.indicator_value v left join quality.indicator_confidence c "
        "on c.run_id = 'city' and c.variant_code = v.variant_code and c.unit_code = coalesce(v.inst_code, '500000') "
        "where v.confidence_grade is distinct from c.grade"
    ).fetchone()
    assert differing == (0,)
    by_grain = marts.execute(
        "select grain, count(confidence_grade) from marts.indicator_value group by grain"
    ).fetchall()
    assert {"city", "institution", "degree_point"} <= {grain for grain, graded in by_grain if graded}


def test_no_confidence_and_no_other_reason_is_ncid(marts):
    wrong = marts.execute(
        "select count(*) from marts.indicator_value where (status_code = 'NCID') <> "
        "coalesce(confidence_grade = 'NCID', false)"
    ).fetchone()
    assert wrong == (0,)
    headline = marts.execute(
        "select count(*) from marts.target_scorecard t join marts.indicator_value v using (variant_code, period_code, "
        "definition_version) where v.grain = 'city' and (t.confidence_grade, t.status_code) is distinct from "
        "(v.confidence_grade, v.status_code)"
    ).fetchone()
    assert headline == (0,)
