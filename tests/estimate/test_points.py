"""Scores of degree points on hand-made cities, figures worked out here."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from yuyan import settings
from yuyan.estimate import points

YEAR = 2025
DIMENSIONS = pl.DataFrame(
    [("fit", 0.6, True), ("contribution", 0.6, False)],
    schema=["dimension_code", "minimum_evidence_share", "is_applied_only"],
    orient="row",
)
COMPONENTS = pl.DataFrame(
    [
        ("level", "fit", "level", 0.4, 1, 1.0, None),
        ("share", "fit", "share", 0.6, 3, 5.0, None),
        ("rate", "contribution", "rate", 0.7, 1, 3.0, None),
        ("nothing", "contribution", "rate", 0.3, 1, 3.0, "没有来源"),
    ],
    schema=[
        "component_code",
        "dimension_code",
        "kind",
        "weight",
        "pooled_years",
        "minimum_cases",
        "missing_zh",
    ],
    orient="row",
)


def city(names: list[str], category: str = "08", is_applied: bool = True) -> pl.DataFrame:
    return pl.DataFrame({"degree_point_id": names}).with_columns(
        monitor_year=pl.lit(YEAR, pl.Int64), degree_level=pl.lit("2"), degree_type=pl.lit("1"),
        category_code=pl.lit(category), is_applied=pl.lit(is_applied),
    )  # fmt: skip


def counted(
    component: str, rows: dict[str, tuple[float, float]], year: int = YEAR, squares: float = 1
) -> pl.DataFrame:
    """`squares`: what one event is worth."""
    return pl.DataFrame(
        [(component, p, year, date(year, 12, 31), float(x), float(n), float(x * squares)) for p, (x, n) in rows.items()],
        schema=["component_code", "degree_point_id", "evidence_year", "evidence_end_on", "numerator", "denominator",
                "squares"],
        orient="row",
    )  # fmt: skip


def row(frame: pl.DataFrame, point: str, **where: str) -> dict:
    return frame.filter(degree_point_id=point, **where).row(0, named=True)


NAMES = [f"p{i:02}" for i in range(12)]
LEVELS = counted("level", {p: (i / 10, 1) for i, p in enumerate(NAMES)})


def test_a_level_is_compared_as_it_is():
    """Twelve peers, no chance: position = distance from their mean in their standard deviation."""
    _, signals = points.scored(city(NAMES), LEVELS, COMPONENTS, DIMENSIONS)
    values = np.arange(12) / 10
    found = row(signals, "p11", component_code="level")
    assert found["benchmark_value"] == pytest.approx(values.mean())
    assert found["benchmark_own_share"] == pytest.approx(1 / 12)
    assert found["position"] == pytest.approx((1.1 - values.mean()) / values.std(ddof=1))
    assert (found["own_weight"], found["direction_code"]) == (1, "ABOVE")


def test_few_cases_are_pulled_to_the_peers_and_stay_uncertain():
    """The same rate of 90 %: of 10 cases it moves a score less than of 1,000, and the interval is wider."""
    shares = dict.fromkeys(NAMES, (50, 100)) | {"p00": (900, 1000), "p01": (9, 10)}
    evidence = pl.concat([LEVELS, counted("share", shares)])
    scores, signals = points.scored(city(NAMES), evidence, COMPONENTS, DIMENSIONS)
    many, few = (row(signals, p, component_code="share") for p in ("p00", "p01"))
    assert many["value"] == few["value"] == pytest.approx(0.9)
    assert many["own_weight"] > 0.9 > few["own_weight"]
    assert many["position"] > few["position"] > 0
    width = {p: (r := row(scores, p, dimension_code="fit"))["ucl80"] - r["lcl80"] for p in ("p00", "p01")}
    assert width["p01"] > 2 * width["p00"] > 0
    total = sum(signals.filter(degree_point_id="p00")["contribution"].drop_nulls())
    assert row(scores, "p00", dimension_code="fit")["score"] == pytest.approx(50 + total)


def test_peers_that_are_all_alike_are_at_fifty():
    evidence = pl.concat([
        counted("level", dict.fromkeys(NAMES, (0.1 + 0.2, 1))), counted("share", dict.fromkeys(NAMES, (30, 100)))
    ])  # fmt: skip
    scores, signals = points.scored(city(NAMES), evidence, COMPONENTS, DIMENSIONS)
    assert set(scores.filter(dimension_code="fit")["score"]) == {50.0}
    assert set(signals.filter(component_code="level")["direction_code"]) == {"NEAR"}


def test_events_of_unequal_size_count_for_less():
    """One grant of 100 says less than a hundred contracts of 1: the size of an event is in the variance."""
    figures = {p: (20 + i, 10) for i, p in enumerate(NAMES)} | {"p00": (100, 10)}
    small, large = (
        row(
            points.scored(city(NAMES), counted("rate", figures, squares=s), COMPONENTS, DIMENSIONS)[1],
            "p00",
            component_code="rate",
        )
        for s in (1, 100)
    )
    assert small["benchmark_value"] == large["benchmark_value"]
    assert large["benchmark_error"] == pytest.approx(10 * small["benchmark_error"])
    assert large["own_weight"] < small["own_weight"]
    assert max(small["position"], large["position"]) <= points.POSITION_LIMIT


def test_years_are_compared_with_their_own():
    """Rates that doubled in the city are nobody's merit: who has cases in the later year alone is like its peers."""
    early = counted("share", dict.fromkeys(NAMES[1:], (20, 100)), YEAR - 1)
    late = counted("share", dict.fromkeys(NAMES, (40, 100)))
    _, signals = points.scored(city(NAMES), pl.concat([early, late]), COMPONENTS, DIMENSIONS)
    newcomer, old = (row(signals, p, component_code="share") for p in ("p00", "p05"))
    assert (newcomer["value"], newcomer["benchmark_value"]) == (pytest.approx(0.4), pytest.approx(0.4))
    assert (old["value"], old["benchmark_value"]) == (pytest.approx(0.3), pytest.approx(0.3))
    assert old["position"] == newcomer["position"] == 0


def test_what_is_missing_is_named_and_too_little_evidence_is_no_score():
    shares = dict.fromkeys(NAMES[:6], (3, 10)) | {"p06": (3, 4)}
    scores, signals = points.scored(
        city(NAMES), pl.concat([LEVELS, counted("share", shares)]), COMPONENTS, DIMENSIONS
    )
    reasons = {p: row(signals, p, component_code="share")["evidence_code"] for p in ("p00", "p06", "p07")}
    assert reasons == {"p00": "EVIDENCE", "p06": "FEW", "p07": "NO-RECORDS"}
    assert set(signals.filter(component_code="nothing")["evidence_code"]) == {"NO-SOURCE"}
    assert row(scores, "p00", dimension_code="fit")["score_state_code"] == "SCORED"
    thin = row(scores, "p06", dimension_code="fit")
    assert (thin["score_state_code"], thin["score"], thin["evidence_share"]) == (
        "THIN",
        None,
        pytest.approx(0.4),
    )
    few = points.scored(
        city(NAMES), counted("share", dict.fromkeys(NAMES[:4], (3, 10))), COMPONENTS, DIMENSIONS
    )[1]
    assert row(few, "p00", component_code="share")["evidence_code"] == "NO-PEERS"


def test_fit_is_not_asked_of_basic_disciplines():
    basic = city([f"b{i:02}" for i in range(10)], "01", is_applied=False)
    scores, signals = points.scored(pl.concat([city(NAMES), basic]), LEVELS, COMPONENTS, DIMENSIONS)
    found = row(scores, "b00", dimension_code="fit")
    assert (found["score_state_code"], found["evidence_share"]) == ("EXCLUDED", None)
    assert signals.filter(degree_point_id="b00", component_code="level").is_empty()
    assert row(scores, "b00", dimension_code="contribution")["score_state_code"] == "THIN"


def test_small_groups_are_widened_by_class_and_level():
    rows = pl.concat([
        city([f"a{i}" for i in range(10)]), city(["c0", "c1"], "09"), city([f"d{i}" for i in range(8)], "10"),
        city(["e0", "e1"], "01", is_applied=False),
    ])  # fmt: skip
    groups = dict(zip(rows["degree_point_id"], points.peer_groups(rows), strict=True))
    assert {groups[p] for p in groups if p[0] == "a"} == {"2-1-08"}
    assert {groups[p] for p in groups if p[0] in "cd"} == {"2-A"}
    assert {groups[p] for p in groups if p[0] == "e"} == {"2"}


def test_a_running_year_uses_the_last_complete_ones():
    rows = pl.concat([counted("share", {"p00": (1, 10)}, year) for year in range(2020, 2026)])
    assert points.pooled_years(rows, 2026, 3)["evidence_year"].to_list() == [2023, 2024, 2025]
    assert points.pooled_years(rows, 2024, 3)["evidence_year"].to_list() == [2022, 2023, 2024]
    assert points.pooled_years(rows, 2027, 3).is_empty()


def test_no_points_no_scores():
    scores, signals = points.scored(city(NAMES).clear(), LEVELS, COMPONENTS, DIMENSIONS)
    assert (scores.columns, signals.columns) == (points.SCORE, points.SIGNAL)
    assert len(scores) == len(signals) == 0


@pytest.mark.parametrize(("count", "cases"), [(12, 200), (40, 10)])
def test_eighty_of_a_hundred_intervals_hold_the_true_position_among_the_peers(count, cases):
    """Two components of equal weight, true rates Beta(10, 15); the truth is a position among the peers there are."""
    components = COMPONENTS.filter(component_code="share")
    both = pl.concat([
        components.with_columns(component_code=pl.lit(name), weight=pl.lit(0.5), dimension_code=pl.lit("contribution"))
        for name in ("first", "second")
    ])  # fmt: skip
    names = [f"p{i:03}" for i in range(count)]
    rng, held = np.random.default_rng(5), []
    for _ in range(25):
        truth, evidence = np.full(count, 50.0), []
        for name in ("first", "second"):
            n = np.maximum(5, rng.poisson(cases, count))
            rate = rng.beta(10, 15, count)
            gap = rate - (rate * n).sum() / n.sum()
            truth += 5 * gap / np.sqrt((n * gap**2).sum() / (n.sum() - (n**2).sum() / n.sum()))
            evidence.append(
                counted(name, dict(zip(names, zip(rng.binomial(n, rate), n, strict=True), strict=True)))
            )
        scores, _ = points.scored(city(names), pl.concat(evidence), both, DIMENSIONS)
        of = scores.filter(dimension_code="contribution").sort("degree_point_id")
        held.append((of["lcl80"].to_numpy() <= truth) & (truth <= of["ucl80"].to_numpy()))
    assert 0.75 < np.mean(held) < 0.9


def test_the_registrys_weights_of_a_dimension_add_up_to_one():
    rows = pl.read_csv(settings.SEEDS / "plan" / "point_component.csv", infer_schema_length=None)
    sums = rows.group_by("dimension_code").agg(pl.sum("weight"))
    known = pl.read_csv(settings.SEEDS / "plan" / "point_dimension.csv")["dimension_code"].to_list()
    assert dict(sums.iter_rows()) == dict.fromkeys(known, pytest.approx(1))
    named = rows.filter(pl.col("missing_zh").is_null())
    assert named["numerator_zh"].null_count() == named["denominator_zh"].null_count() == 0
