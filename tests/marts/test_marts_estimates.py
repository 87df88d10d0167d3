"""What the marts say of how sure a value is, on the simulated city: every grain, and the statuses that follow."""

import pytest

pytestmark = pytest.mark.database

VALUES = "marts.indicator_value"


def test_an_interval_holds_its_value_at_every_grain(marts):
    rows = marts.execute(
        f"select grain, count(*), count(*) filter (where value between lcl95 - 1e-9 and ucl95 + 1e-9) from {VALUES} "
        "where estimator_code in ('JEFFREYS', 'STRATIFIED', 'CLUSTERED') group by grain"
    ).fetchall()
    assert {grain for grain, _, _ in rows} >= {
        "city",
        "institution",
        "degree_point",
        "level_type",
        "discipline",
    }
    assert [(grain, held) for grain, held, _ in rows] == [(grain, inside) for grain, _, inside in rows]


def test_every_ratio_of_counts_with_cases_has_an_interval(marts):
    """But for those that are no rate: an average population can be smaller than the persons of the year."""
    missing = marts.execute(
        f"select v.variant_code, v.grain, v.unit_code, v.period_code from {VALUES} v join plan.indicator i "
        "using (variant_code) where i.estimator = 'JEFFREYS' and v.value is not null and v.lcl95 is null "
        "and v.numerator between 0 and v.denominator"
    ).fetchall()
    assert missing == []


def test_benchmarks_add_up_to_what_happened(marts):
    """Over all institutions the expected cases are the observed ones: indirect standardisation has no residue."""
    rows = marts.execute(
        f"select variant_code, period_code, sum(denominator * benchmark_value), sum(numerator), count(*) from {VALUES} "
        "where grain = 'degree_point' and benchmark_value is not null group by 1, 2"
    ).fetchall()
    assert {variant for variant, *_ in rows} == {"H09d", "H12", "H13a"}
    for variant, period, expected, observed, _ in rows:
        assert expected == pytest.approx(observed), (variant, period)


def test_statuses_follow_the_statistical_rules(marts):
    found = dict(
        marts.execute(
            f"select v.variant_code || ' ' || v.grain, count(*) from {VALUES} v join estimates.indicator_estimate e "
            "using (variant_code, grain, unit_code, period_code) where e.status_code is not null "
            "and v.status_code in (e.status_code, 'NCID') group by 1"
        ).fetchall()
    )
    total = marts.execute(
        "select count(*) from estimates.indicator_estimate where status_code is not null"
    ).fetchone()[0]
    assert sum(found.values()) == total
    assert {
        "H09 city",
        "H06 city",
        "H15 city",
        "H09 institution",
        "H13a institution",
        "H09 degree_point",
    } <= set(found)


def test_no_red_of_thesis_sampling_without_a_failed_thesis(marts):
    """A raw rate below 98 % is no alarm; a warning needs at least one adverse case in its window."""
    rows = marts.execute(
        "select count(*) from estimates.rate_warning where status_code in ('AMBER', 'RED') and cases - sound < 1"
    ).fetchone()
    assert rows == (0,)


def test_an_official_value_stands_beside_its_definitions(marts):
    rows = marts.execute(
        f"select indicator_code, value, definition_lowest, definition_highest, definition_count from {VALUES} "
        "where is_official and grain = 'city' and value is not null and is_complete"
    ).fetchall()
    assert {code for code, *_ in rows if code in ("H02", "H08", "H13")} == {"H02", "H08", "H13"}
    for code, value, lowest, highest, count in rows:
        assert lowest <= value <= highest, code
        assert count >= 1
    # beside the official H02b and its four other thresholds only H02a: H02c is an index, H02d a check
    assert {count for code, *_, count in rows if code == "H02"} == {6}
    others = marts.execute(f"select count(definition_count) from {VALUES} where not is_official").fetchone()
    assert others == (0,)


def test_the_threshold_in_force_gives_the_official_match_and_others_move_it(marts):
    """At 0.5 the sensitivity model counts what H02b counts; a higher threshold never matches more."""
    differing = marts.execute(
        "select t.unit_code, t.period_year from indicators.ind_match_threshold t join indicators.ind_value v "
        "on v.variant_code = 'H02b' and v.grain = t.grain and v.unit_code = t.unit_code and v.period_year = t.period_year "
        "where t.threshold = 0.5 and (t.numerator, t.denominator) is distinct from (v.numerator, v.denominator)"
    ).fetchall()
    assert differing == []
    series = marts.execute(
        "select array_agg(numerator order by threshold), count(distinct denominator) from indicators.ind_match_threshold "
        "group by grain, unit_code, period_year"
    ).fetchall()
    assert len(series) > 100
    assert all(counts == sorted(counts, reverse=True) and sizes == 1 for counts, sizes in series)
    assert any(counts[0] > counts[-1] for counts, _ in series)
