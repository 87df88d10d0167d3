"""Every signal and warning state of the city's points equals what is computed here from accepted records, without the rules'
code: other counts (data frames instead of SQL), another optimiser for the priors, plain loops for the levels.
"""

import csv
from datetime import date

import numpy as np
import polars as pl
import pytest
from scipy import optimize, special, stats

from yuyan import settings
from yuyan_demo.simulator.measures_supervision import in_study, open_on
from yuyan_demo.simulator.weak_points import PLANTED

pytestmark = pytest.mark.database

YEAR, BACK = 2025, 3
PILLARS = {"QUALITY": ["H09d", "EXPERT", "BLIND"], "PROCESS": ["DELAY", "LOAD", "M06.1", "H06"],
           "OUTCOME": ["H12", "H13a", "INTAKE"]}  # fmt: skip
COUNT = ["signal", "point", "year", "x", "n"]


@pytest.fixture(scope="module")
def limits() -> dict[tuple[str, str], float]:
    with (settings.SEEDS / "plan" / "warning_parameter.csv").open(encoding="utf-8") as file:
        return {(r["rule_code"], r["parameter_code"]): float(r["value"]) for r in csv.DictReader(file)}


@pytest.fixture(scope="module")
def points(facts) -> dict[str, str]:
    """Point -> its peers: level and type."""
    rows = facts["degree_point"].filter(~pl.col("status_code").is_in(["80", "90"]))
    return {
        p: f"{level}-{kind}"
        for p, level, kind in rows.select("degree_point_id", "degree_level", "degree_type").iter_rows()
    }


@pytest.fixture(scope="module")
def counts(facts, marts, limits) -> dict[tuple[str, str], list[float]]:
    """(signal, point) -> [x, n], pooled over the last three complete years."""
    parts = [
        _samplings(facts),
        _experts(facts),
        _blind(facts),
        _census(facts, limits),
        _courses(facts),
        _intake(facts),
    ]
    published = marts.execute(  # held against the simulator's own truth by test_indicator_truth
        "select variant_code, unit_code, period_year, numerator::float8, denominator::float8 from indicators.ind_value "
        "where grain = 'degree_point' and variant_code in ('H12', 'H13a', 'M06.1') and is_complete and denominator > 0"
    ).fetchall()
    parts.append(pl.DataFrame(published, schema=_SCHEMA, orient="row"))
    rows = pl.concat([p.select(pl.col(c).cast(t) for c, t in _SCHEMA.items()) for p in parts])
    found: dict[tuple[str, str], list[float]] = {}
    for signal, point, year, x, n in rows.iter_rows():
        if YEAR - BACK < year <= YEAR:
            pooled = found.setdefault((signal, point), [0.0, 0.0])
            pooled[0] += x
            pooled[1] += n
    return found


_SCHEMA = dict(zip(COUNT, [pl.String, pl.String, pl.Int64, pl.Float64, pl.Float64], strict=True))


def _table(
    frame: pl.DataFrame, signal: str, point: str, year: pl.Expr, x: pl.Expr, n: pl.Expr
) -> pl.DataFrame:
    rows = (
        frame.drop_nulls(point)
        .group_by(pl.col(point).alias("point"), year.alias("year"))
        .agg(x.alias("x"), n.alias("n"))
    )
    return rows.with_columns(signal=pl.lit(signal))


def _samplings(facts) -> pl.DataFrame:
    judged = facts["thesis_sampling"].filter(
        pl.col("authority_code").is_in(["1", "2"])
        & ~pl.col("is_targeted")
        & pl.col("verdict_code").is_in(["1", "2"])
    )
    return _table(
        judged,
        "H09d",
        "degree_point_id",
        pl.col("sampling_year"),
        (pl.col("verdict_code") == "1").sum(),
        pl.len(),
    )


def _experts(facts) -> pl.DataFrame:
    opinions = (
        facts["thesis_sampling_review"]
        .filter(pl.col("opinion_code").is_in(["1", "2", "3", "4"]))
        .join(
            facts["thesis_sampling"].select("sampling_id", "degree_point_id", "sampling_year"),
            on="sampling_id",
        )
    )
    good = (4 - pl.col("opinion_code").cast(pl.Int64)).sum() / 3
    return _table(opinions, "EXPERT", "degree_point_id", pl.col("sampling_year"), good, pl.len())


def _blind(facts) -> pl.DataFrame:
    first = facts["thesis_review"].filter((pl.col("review_kind") == "10") & (pl.col("round_no") == 1))
    student = facts["student"].select("student_id", "degree_point_id")
    theses = facts["thesis"].select("thesis_id", "student_id").join(student, on="student_id")
    rows = facts.of_accepted_point(first.join(theses, on="thesis_id"))
    passed = pl.col("result_code").is_in(["1", "2"]).sum()
    return _table(rows, "BLIND", "degree_point_id", pl.col("reviewed_on").dt.year(), passed, pl.len())


def _census(facts, limits) -> pl.DataFrame:
    """DELAY and LOAD, of who is in study on 30 September."""
    point_of = dict(facts["student"].select("student_id", "degree_point_id").iter_rows())
    known = set(facts["degree_point"]["degree_point_id"])
    events = facts["student_status_event"].filter(pl.col("event_type").is_in(["06", "31"]))
    rows = []
    for year in range(YEAR - BACK + 1, YEAR + 1):
        day = date(year, 9, 30)
        here = set(in_study(facts, day)["student_id"])
        troubled = {s for s, on in events.select("student_id", "event_on").iter_rows() if on.year == year}
        size: dict[str, int] = {}
        late: dict[str, int] = {}
        for student in here:
            size[point_of[student]] = size.get(point_of[student], 0) + 1
        for student in troubled:
            late[point_of.get(student)] = late.get(point_of.get(student), 0) + 1
        rows += [("DELAY", p, year, max(n - late.get(p, 0), 0), n) for p, n in size.items() if p in known]
        guides = facts["student_supervisor"].filter(
            (pl.col("role_code") == "10") & open_on(day) & pl.col("student_id").is_in(list(here))
        )
        pairs = set(guides.select("student_id", "supervisor_id").iter_rows())
        load: dict[str, int] = {}
        for _, supervisor in pairs:
            load[supervisor] = load.get(supervisor, 0) + 1
        by_student: dict[str, list[int]] = {}
        for student, supervisor in pairs:
            by_student.setdefault(student, []).append(load[supervisor])
        totals: dict[str, list[int]] = {}
        for student, loads in by_student.items():
            entry = totals.setdefault(point_of[student], [0, 0])
            entry[0] += any(v <= limits["W03", "load_limit"] for v in loads)
            entry[1] += 1
        rows += [("LOAD", p, year, x, n) for p, (x, n) in totals.items() if p in known]
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def _courses(facts) -> pl.DataFrame:
    offered = facts["course_offering"].select("offering_id", "course_id", "academic_year")
    rows = (
        facts["course_evaluation"].filter(pl.col("instrument_version") == "V2")
        .join(offered, on="offering_id")
        .join(facts["course_degree_point"].select("course_id", "degree_point_id").unique(), on="course_id")
    )  # fmt: skip
    year = pl.col("academic_year").str.slice(0, 4).cast(pl.Int64)
    return _table(
        rows,
        "H06",
        "degree_point_id",
        year,
        (pl.col("n4") + pl.col("n5")).sum(),
        pl.col("response_cnt").sum(),
    )


def _intake(facts) -> pl.DataFrame:
    cell = ["plan_year", "degree_point_id", "study_mode", "special_plan_code"]
    newest = facts["admission_plan"].filter(pl.col("revision_no") == pl.col("revision_no").max().over(cell))
    quota = newest.group_by("degree_point_id", "plan_year").agg(pl.col("plan_quota").sum().alias("n"))
    came = facts["admission"].filter("registered").group_by("degree_point_id", "exam_year").len("came")
    rows = quota.join(
        came, left_on=["degree_point_id", "plan_year"], right_on=["degree_point_id", "exam_year"], how="left"
    )
    return rows.select(
        signal=pl.lit("INTAKE"), point="degree_point_id", year="plan_year",
        x=pl.min_horizontal(pl.col("came").fill_null(0), "n"), n="n",
    )  # fmt: skip


def prior(x: np.ndarray, n: np.ndarray) -> tuple[float, float]:
    """Mean and strength of a beta-binomial by maximum likelihood, strength 20 to 1000 searched, worth at most 50."""
    edge = 0.5 / (n.sum() + 1)

    def loss(at: np.ndarray) -> float:
        mean, strength = 1 / (1 + np.exp(-at[0])), np.exp(at[1])
        a, b = mean * strength, (1 - mean) * strength
        return -np.sum(special.betaln(x + a, n - x + b) - special.betaln(a, b))

    bounds = [(np.log(edge / (1 - edge)), np.log((1 - edge) / edge)), (np.log(20), np.log(1000))]
    start = np.clip(np.log((x.sum() + 0.5) / (n.sum() - x.sum() + 0.5)), *bounds[0])
    found = min(
        (
            optimize.minimize(loss, (start, s), method="L-BFGS-B", bounds=bounds)
            for s in np.linspace(*bounds[1], 5)
        ),
        key=lambda r: r.fun,
    )
    return float(1 / (1 + np.exp(-found.x[0]))), min(float(np.exp(found.x[1])), 50.0)


def test_the_risk_index_of_every_point(marts, points, counts, limits):
    least = limits["W03", "minimum_cases"]
    scores: dict[str, dict[str, list[float]]] = {}
    for pillar, signals in PILLARS.items():
        for signal in signals:
            own = {p: c for (s, p), c in counts.items() if s == signal and p in points and c[1] >= least}
            if not own:
                continue
            everything = [np.array(v) for v in zip(*own.values(), strict=True)]
            of_all = prior(*everything)
            for group in {points[p] for p in own}:
                members = [p for p in own if points[p] == group]
                xs, ns = (np.array([own[p][i] for p in members]) for i in (0, 1))
                mean, strength = prior(xs, ns) if len(members) >= 10 else of_all
                spread = np.sqrt(mean * (1 - mean) / (strength + 1))
                for p, x, n in zip(members, xs, ns, strict=True):
                    shrunk = (mean * strength + x) / (strength + n)
                    scores.setdefault(p, {}).setdefault(pillar, []).append((mean - shrunk) / spread)
    ours = {
        code: (value, level)
        for code, value, level in marts.execute(
            "select target_code, value, level_code from marts.warning_signal "
            "where rule_code = 'W03' and is_verdict and is_current"
        )
    }
    assert set(ours) == set(points)
    judged = 0
    for p in points:
        means = [float(np.mean(v)) for v in scores.get(p, {}).values()]
        signals = sum(len(v) for v in scores.get(p, {}).values())
        value, level = ours[p]
        if signals < limits["W03", "minimum_signals"]:
            assert level == "GREY", p
            continue
        judged += 1
        expected = max(means) + sum(means) / len(means)
        assert value == pytest.approx(expected, abs=0.03), p
        if min(abs(expected - limits["W03", name]) for name in ("amber", "red")) > 0.03:
            assert level == (
                "RED"
                if expected >= limits["W03", "red"]
                else "AMBER"
                if expected >= limits["W03", "amber"]
                else "GREEN"
            ), p
    assert judged > 50
    unequal = marts.execute(
        "select count(*) from (select target_code, period_year, sum(contribution) as parts, "
        "max(value) filter (where is_verdict) as whole "
        "from marts.warning_signal where rule_code = 'W03' group by 1, 2) s where abs(parts - whole) > 1e-9"
    ).fetchone()
    assert unequal == (0,), "contributions add up to the index"


def test_statutory_triggers_of_every_point(marts, facts, points, limits):
    judged = facts["thesis_sampling"].filter(
        pl.col("verdict_code").is_in(["1", "2"]) & pl.col("authority_code").is_in(["1", "2"])
    )
    theses: dict[str, dict[int, list[int]]] = {}
    for p, year, verdict in judged.select("degree_point_id", "sampling_year", "verdict_code").iter_rows():
        if int(year) in (YEAR - 1, YEAR):
            cell = theses.setdefault(p, {}).setdefault(int(year), [0, 0])
            cell[0] += verdict == "2"
            cell[1] += 1
    shares = [sum(b for b, _ in by.values()) / sum(n for _, n in by.values()) for by in theses.values()]
    high = float(np.quantile(shares, limits["W01", "city_percentile"]))
    words = [
        (on, kind, p)
        for p, kind, on in facts["degree_point_event"]
        .select("degree_point_id", "event_type", "event_on")
        .iter_rows()
        if kind in ("31", "32", "33")
    ]
    by_others = facts["evaluation_result"].filter(pl.col("eval_kind").is_in(["20", "30", "40"]))
    results = by_others.select("degree_point_id", "result_code", "decided_on")
    words += [(on, f"E{code}", p) for p, code, on in results.iter_rows()]
    evaluated = {p: kind for on, kind, p in sorted(words) if on <= facts.as_of}
    ours = dict(
        marts.execute(
            "select target_code, level_code from marts.warning_signal where rule_code = 'W01' and is_verdict and is_current"
        )
    )
    assert set(ours) == set(points)
    for p in points:
        by = theses.get(p, {})
        newer, older = (by.get(y, [0, 0])[0] for y in (YEAR, YEAR - 1))
        share = sum(b for b, _ in by.values()) / max(sum(n for _, n in by.values()), 1)
        is_hit = newer >= 1 and older >= 1 and (newer >= limits["W01", "problem_count"] or share > high)
        expected = (
            "STATUTORY"
            if is_hit or evaluated.get(p) in ("31", "33", "E20", "E30")
            else "GREEN"
            if len(by) == 2
            else "GREY"
        )
        assert ours[p] == expected, p
    assert "STATUTORY" in ours.values()


def test_planted_points_are_warned_of_and_sound_ones_are_not(marts):
    """Weak points have problem theses in two consecutive years; shaky and sound ones never."""
    found = dict(
        marts.execute(
            "select target_code, string_agg(rule_code || ' ' || level_code, ' ' order by rule_code) from "
            " marts.warning_signal where is_verdict and is_current and rule_code in ('W01', 'W02') group by 1"
        )
    )
    of = {
        state: [found[s.point] for s in PLANTED if s.state == state] for state in ("WEAK", "SHAKY", "SOUND")
    }
    assert of["WEAK"]
    assert of["SOUND"]
    assert all("W01 STATUTORY" in levels for levels in of["WEAK"])
    for levels in (*of["SHAKY"], *of["SOUND"]):
        assert not {"STATUTORY", "AMBER", "RED"} & set(levels.split()), levels


def test_statistical_warnings_of_every_point(marts, points, counts, limits):
    """Levels from the published counts and priors, whose truth tests/estimate holds; the counts are those of here."""
    rows = marts.execute(
        "select target_code, numerator, denominator, probability, level_code from marts.warning_signal "
        "where rule_code = 'W02' and is_current and signal_code = 'H09d'"
    ).fetchall()
    priors = {
        code: (mean * strength, (1 - mean) * strength)
        for code, mean, strength in marts.execute(
            "select unit_code, prior_mean, prior_strength from estimates.rate_warning where variant_code = 'H09' "
            "and grain = 'degree_point' and period_code = %s and pooled_years = 3",
            [str(YEAR)],
        )
    }
    found = {code: (x, n) for code, x, n, _, _ in rows}
    assert found == {p: tuple(c) for (s, p), c in counts.items() if s == "H09d" and p in points and c[1]}
    for code, x, n, probability, level in rows:
        a, b = priors[code]
        expected = stats.beta(a + x, b + n - x).cdf(limits["W02", "floor"])
        assert probability == pytest.approx(expected, abs=1e-9), code
        is_bad = n - x >= 1
        reached = (
            "RED"
            if expected >= limits["W02", "red"]
            else "AMBER"
            if expected >= limits["W02", "amber"]
            else "GREEN"
        )
        assert level == ("GREY" if n < limits["W02", "minimum"] else reached if is_bad else "GREEN"), code
    verdicts = marts.execute(
        "select count(distinct target_code) from marts.warning_signal where rule_code = 'W02' and is_verdict and is_current"
    ).fetchone()
    assert verdicts == (len(points),)


def test_institutions_by_the_share_of_their_points(marts, points, limits):
    worst: dict[str, int] = {}
    rank = {"GREEN": 1, "AMBER": 2, "RED": 3, "STATUTORY": 4}
    for code, level in marts.execute(
        "select target_code, level_code from marts.warning_signal "
        "where is_verdict and is_current and target_kind_code = 'DP'"
    ):
        if level in rank:
            worst[code] = max(worst.get(code, 0), rank[level])
    ours = {
        code: (x, n, level)
        for code, x, n, level in marts.execute(
            "select target_code, numerator, denominator, level_code from marts.warning_signal "
            "where rule_code = 'W04' and signal_code = 'SHARE' and is_current"
        )
    }
    assert set(ours) == {p[:5] for p in worst}
    for inst, (x, n, level) in ours.items():
        own = [v for p, v in worst.items() if p[:5] == inst]
        alarmed = sum(v >= 2 for v in own)
        assert (n - x, n) == (alarmed, len(own)), inst
        share, enough = alarmed / len(own), alarmed >= limits["W04", "minimum_alarmed"]
        colour = (
            "RED"
            if share >= limits["W04", "red_share"]
            else "AMBER"
            if share >= limits["W04", "amber_share"]
            else "GREEN"
        )
        expected = "GREY" if len(own) < limits["W04", "minimum_points"] else colour if enough else "GREEN"
        assert level == expected, inst


def test_what_concerns_persons_is_published_as_a_count_only(marts, facts, points):
    told = marts.execute(
        "select count(*) from marts.warning_signal where signal_code = 'MISCONDUCT'"
    ).fetchone()
    assert told == (0,)
    cases = facts["misconduct_case"].filter(
        (pl.col("subject_kind") == "S") & pl.col("category_code").is_in(["10", "20", "30"])
        & pl.col("degree_point_id").is_in(list(points)) & (pl.col("decided_on") <= facts.as_of)
    )  # fmt: skip
    recent = cases.filter(pl.col("decided_on").dt.year() >= YEAR - 2)
    restricted = dict(
        marts.execute(
            "select target_code, denominator from accountability.warning_signal where rule_code = 'W01' and is_restricted "
            "and signal_code = 'MISCONDUCT'"
        )
    )
    assert restricted == dict(recent.group_by("degree_point_id").agg(pl.len().cast(pl.Float64)).iter_rows())
    shown = marts.execute(
        "select sum(case_count), max(case_id), max(target_code) from marts.accountability_status where is_confidential"
    ).fetchone()
    assert shown[1:] == (0, "-")
    per_inst = recent.group_by(inst=pl.col("degree_point_id").str.slice(0, 5)).agg(
        n=pl.col("degree_point_id").n_unique()
    )
    assert shown[0] == (sum(n for _, n in per_inst.iter_rows() if n >= 5) or None)
