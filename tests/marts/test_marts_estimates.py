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


def test_a_value_below_its_target_is_not_labelled_normal(marts):
    """What decided stands beside it: pooled counts, shrunk value, floor and the probability of being below it."""
    labels = marts.execute(
        f"select judged_by_code, status_zh, count(*) from {VALUES} where status_code = 'GREEN' and value < target_value "
        "group by 1, 2"
    ).fetchall()
    assert "PATH" in {by for by, *_ in labels}
    assert [label for _, label, _ in labels if label.startswith("正常")] == []
    of_pooled = (
        f"select distinct status_zh from {VALUES} where judged_by_code = 'RATE' and status_code = 'GREEN'"
    )
    assert marts.execute(of_pooled).fetchall() == [("按3年合并估计未见异常",)]
    pooled = marts.execute(
        f"select count(*), count(*) filter (where judged_numerator <= judged_denominator and judged_denominator >= 10 "
        "and judged_value between 0 and 1 and judged_floor = 0.95 and probability_below between 0 and 1 "
        f"and pooled_years = 3) from {VALUES} where judged_by_code = 'RATE'"
    ).fetchone()
    assert pooled[0] == pooled[1] > 10
    unexplained = marts.execute(
        f"select count(*) from {VALUES} where (judged_by_code is null) <> (status_code in ('GREY', 'NCID'))"
    ).fetchone()
    assert unexplained == (0,)


def test_a_level_is_red_only_where_its_interval_excludes_the_path(marts):
    rows = marts.execute(
        f"select status_code, judged_by_code, value, ucl95, path_value, v.variant_code from {VALUES} v "
        "join plan.indicator i using (variant_code, definition_version) where i.city_rule like 'LEVEL%' "
        "and judged_by_code in ('PATH', 'INTERVAL') and status_code in ('RED', 'AMBER')"
    ).fetchall()
    assert {by for _, by, *_ in rows} == {"PATH", "INTERVAL"}
    for colour, by, _, upper, path, variant in rows:
        if by == "INTERVAL":
            assert (colour, upper >= path) == ("AMBER", True), variant
        elif colour == "RED":
            assert upper is None or upper < path, variant


def test_no_line_of_the_scorecard_compares_a_year_with_itself(marts):
    rows = marts.execute(
        "select indicator_code, period_year, baseline_year, path_kind, path_value, gap_to_path, running_period_code, "
        "running_value, running_path_value, status_code from marts.target_scorecard"
    ).fetchall()
    base = {}
    for code, year, start, kind, path, gap, *running, colour in rows:
        if start is not None and kind in ("LINEAR", "CAGR") and year <= start:
            assert (path, gap) == (None, None), code
            base[code] = (*running, colour)
    assert set(base) >= {"H05", "H10", "H11", "H13", "H14"}
    for code in ("H10", "H11"):
        assert base[code][0] == "2026"
        assert base[code][1] is not None
        assert base[code][2] is not None
    floor = marts.execute(
        "select required_annual_change from marts.target_scorecard where path_kind in ('FLOOR', 'TREND')"
    ).fetchall()
    assert set(floor) == {(None,)}
    (h14,) = marts.execute(
        "select status_code, status_reason_code from marts.target_scorecard where indicator_code = 'H14'"
    ).fetchall()
    assert h14 == ("GREY", "UNDECIDED")
