"""Evidence, signals and scores of every degree point equal what is computed here, without SQL and `yuyan.estimate`."""

import csv
import math
from collections import Counter, defaultdict
from datetime import date

import pytest

from yuyan import settings
from yuyan_demo.simulator.facts import scope

pytestmark = pytest.mark.database

FIRST = 2021
IN_FORCE = {"11", "12", "13", "32", "42"}
STATES = IN_FORCE | {"21", "22", "31", "33", "41"}
EMPLOYED = {
    r["destination_code"]
    for r in csv.DictReader((settings.SEEDS / "reference" / "destination_scope.csv").open(encoding="utf-8"))
    if r["is_employed"] == "true"
}
FROM_INDICATORS = {"H08": "con_practice", "H12": "fit_frontline", "H13a": "con_staying"}
"""Variants whose figures by degree point have a truth of their own (tests/indicators)."""


def seed(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader((settings.SEEDS / "plan" / f"{name}.csv").open(encoding="utf-8")))


COMPONENTS = {r["component_code"]: r for r in seed("point_component")}
DIMENSIONS = {r["dimension_code"]: r for r in seed("point_dimension")}


@pytest.fixture(scope="module")
def points(facts) -> dict[str, dict]:
    """Number -> level, type and discipline of the accepted degree points."""
    return {r["degree_point_id"]: r for r in facts["degree_point"].iter_rows(named=True)}


@pytest.fixture(scope="module")
def in_force(facts, points) -> dict[int, list[str]]:
    """Year -> doctoral and master's points whose last event by the year's end, or today, left them in force."""
    last = defaultdict(list)
    for e in facts["degree_point_event"].iter_rows(named=True):
        if e["event_type"] in STATES:
            last[e["degree_point_id"]].append((e["event_on"], e["event_id"], e["event_type"] in IN_FORCE))
    found = {}
    for year in range(FIRST, facts.as_of.year + 1):
        day = min(date(year, 12, 31), facts.as_of)
        found[year] = sorted(
            p
            for p, r in points.items()
            if r["authorised_on"] <= day
            and r["degree_level"] in ("1", "2")
            and max((e for e in last[p] if e[0] <= day), default=(0, 0, True))[2]
        )
    return found


@pytest.fixture(scope="module")
def evidence(facts, points, marts) -> dict[tuple[str, str, int], tuple[float, float, float]]:
    """(component, point, year) -> numerator, denominator, squares."""
    found = {}
    years = range(FIRST - 3, facts.as_of.year + 1)
    excluded = set(scope("is_h02_excluded"))
    discipline = {p: r["discipline_code"] for p, r in points.items()}
    strengths = {(d, c): s for d, c, s in facts.strengths().iter_rows() if s > 0}
    clusters = defaultdict(dict)
    for (d, c), s in strengths.items():
        clusters[d][c] = s

    # fit: the map and the demand, properties of the discipline
    awards = [a for a in facts["degree_award"].iter_rows(named=True) if a["awarded_on"] <= facts.as_of]
    supply, demand = defaultdict(Counter), defaultdict(Counter)
    for a in awards:
        of = clusters[discipline.get(a["degree_point_id"], "")]
        for c, s in of.items():
            supply[a["awarded_on"].year][c] += s / sum(of.values())
    for d in facts["talent_demand"].iter_rows(named=True):
        if d["cluster_code"] in facts.key_clusters() and d["headcount"] > 0:
            demand[int(d["demand_year"])][d["cluster_code"]] += d["headcount"]
    for year in years:
        for p, d in discipline.items():
            if d in excluded:
                continue
            strongest = max(clusters[d].values(), default=0)
            found["fit_map", p, year] = (strongest, 1, strongest)
            if demand[year] and supply[year]:
                of, covered = clusters[d], 0.0
                for c, s in of.items():
                    have = supply[year][c] / supply[year].total()
                    want = demand[year][c] / demand[year].total()
                    covered += s / sum(of.values()) * (min(1, want / have) if have else 1)
                found["fit_demand", p, year] = (covered, 1, covered)

    # destinations at the year's end
    firm = {r["uscc"]: r["cluster_code"] for r in facts["enterprise"].iter_rows(named=True)}
    point_of = {r["student_id"]: r["degree_point_id"] for r in facts["student"].iter_rows(named=True)}
    jobs = defaultdict(lambda: [0, 0, 0])
    for e in facts["employment"].iter_rows(named=True):
        p, year = point_of.get(e["student_id"]), int(e["grad_year"])
        if p in points and e["destination_code"] in EMPLOYED and e["status_on"] == date(year, 12, 31):
            at = firm.get(e["employer_uscc"])
            figures = jobs[p, year]
            figures[0] += 1
            figures[1] += strengths.get((discipline[p], e["cluster_code"] or at), 0) >= 0.5
            figures[2] += bool(e["is_key_post"]) and at in facts.key_clusters()
    for (p, year), (n, matched, key) in jobs.items():
        found["fit_destination", p, year] = (matched, n, matched)
        found["con_key_post", p, year] = (key, n, key)

    # commissions, by the points at which the leader supervises
    posts = defaultdict(lambda: [date.max, date.min])
    appointments = defaultdict(lambda: defaultdict(list))
    for a in facts["supervisor_appointment"].iter_rows(named=True):
        if a["role_code"] == "10":
            span = posts[a["supervisor_id"], a["degree_point_id"]]
            appointments[a["supervisor_id"]][a["degree_point_id"]].append(
                (a["from_on"], a["to_on"] or date.max)
            )
            span[:] = min(span[0], a["from_on"]), max(span[1], a["to_on"] or date(9999, 12, 31))
    projects = {r["project_id"]: r for r in facts["commissioned_project"].iter_rows(named=True)}
    reached = {}
    for r in projects.values():
        held = appointments[r["pi_supervisor_id"]]
        now = [p for p, spans in held.items() if any(a <= r["signed_on"] <= b for a, b in spans)]
        of_unit = [
            p
            for p, d in points.items()
            if (d["inst_code"], d["unit_code"]) == (r["inst_code"], r["unit_code"])
            and d["status_code"] == "10"
            and d["degree_level"] in ("1", "2")
        ]
        reached[r["project_id"]] = now or list(held) or of_unit
    for year in years:
        day = min(date(year, 12, 31), facts.as_of)
        at = defaultdict(list)
        for (s, p), (begin, end) in posts.items():
            if begin <= day <= end:
                at[s].append(p)
        staff, events = Counter(), {"con_contract": defaultdict(list), "con_receipt": defaultdict(list)}
        for held in at.values():
            for p in held:
                staff[p] += 1 / len(held)
        contracts = {}
        for r in projects.values():
            if r["signed_on"].year == year and r["signed_on"] <= facts.as_of and _enterprise(r):
                name = r["contract_no_digest"]
                contracts[name] = min(contracts.get(name, r["project_id"]), r["project_id"])
        amounts = [("con_contract", project, 1.0) for project in contracts.values()]
        for r in facts["commissioned_receipt"].iter_rows(named=True):
            project = projects.get(r["project_id"])
            day = r["received_on"]
            if project and _enterprise(project) and day.year == year and day <= facts.as_of:
                amounts.append(("con_receipt", r["project_id"], (-1 if r["is_refund"] else 1) * r["amount"]))
        for component, project, amount in amounts:
            for p in reached[project]:
                events[component][p].append(amount / len(reached[project]))
        for component, of in events.items():
            for p, n in staff.items():
                found[component, p, year] = (sum(of[p]), n, sum(a * a for a in of[p]))

    # students of a census
    opened = {
        r["platform_id"]: r["opened_on"]
        for r in facts["platform_base"].iter_rows(named=True)
        if r["opened_on"]
    }
    for year in years:
        day = date(year, 9, 30)
        if day > facts.as_of:
            continue
        here = Counter()
        special, trained = Counter(), Counter()
        for s in facts["student"].iter_rows(named=True):
            p = s["degree_point_id"]
            if (
                p in points and s["entry_on"] <= day and (s["left_on"] is None or s["left_on"] > day)
                and s["status_code"] != "30" and s["degree_level"] in ("1", "2")
            ):  # fmt: skip
                here[p] += 1
                special[p] += (s["special_programme_code"] or "00") not in ("00", "04")
                trained[p] += opened.get(s["platform_id"], date.max) <= day
        by_inst, by_kind = Counter(), Counter()
        for p, n in here.items():
            by_inst[p[:5]] += n
            by_kind[points[p]["degree_level"], discipline[p]] += n
        for p, n in here.items():
            expected = by_inst[p[:5]] * by_kind[points[p]["degree_level"], discipline[p]] / here.total()
            found["dis_quotient", p, year] = (n, expected, n)
            found["dis_programme", p, year] = (special[p], n, special[p])
            found["dis_platform", p, year] = (trained[p], n, trained[p])

    # degrees and courses of a year
    degrees = Counter(
        (a["awarded_on"].year, a["degree_point_id"]) for a in awards if a["degree_point_id"] in points
    )
    of_kind = Counter()
    for (year, p), n in degrees.items():
        of_kind[year, points[p]["degree_level"], discipline[p]] += n
    for (year, p), n in degrees.items():
        found["dis_output", p, year] = (n, of_kind[year, points[p]["degree_level"], discipline[p]], n)
    name = {r["course_id"]: r["course_name"] for r in facts["course"].iter_rows(named=True)}
    for year in years:
        taught = defaultdict(set)
        for r in facts["course_degree_point"].iter_rows(named=True):
            p = r["degree_point_id"]
            if (
                p in points and r["course_id"] in name and r["from_on"] <= date(year, 12, 31)
                and (r["to_on"] is None or r["to_on"] >= date(year, 1, 1))
            ):  # fmt: skip
                taught[p].add(name[r["course_id"]])
        places = defaultdict(set)
        for p, names in taught.items():
            for n in names:
                places[discipline[p], n].add(p[:5])
        for p, names in taught.items():
            own = sum(len(places[discipline[p], n]) == 1 for n in names)
            found["dis_course", p, year] = (own, len(names), own)

    rows = marts.execute(
        "select v.variant_code, v.unit_code, v.period_year, v.numerator, v.denominator from indicators.ind_value v "
        "join plan.indicator i using (variant_code, definition_version) "
        "where i.is_official and v.grain = 'degree_point' and v.denominator > 0 and v.variant_code = any(%s)",
        [list(FROM_INDICATORS)],
    )
    for variant, p, year, x, n in rows:
        found[FROM_INDICATORS[variant], p, year] = (x, n, x)
    return {k: v for k, v in found.items() if k[2] >= FIRST - 3 and v[1] > 0}


def _enterprise(project: dict) -> bool:
    return project["fund_source_code"] == "10" and project["client_kind"] in ("10", "20")


def test_the_evidence_is_what_the_records_say(evidence, marts):
    ours = {
        (c, p, y): (x, n, q)
        for c, p, y, x, n, q in marts.execute(
            "select component_code, degree_point_id, evidence_year, numerator, denominator, squares "
            "from indicators.ind_point_evidence"
        )
    }
    assert {c for c, _, _ in ours} == {c for c, r in COMPONENTS.items() if not r["missing_zh"]}
    assert Counter(k[0] for k in ours) == Counter(k[0] for k in evidence)
    assert set(ours) == set(evidence)
    for key, figures in evidence.items():
        assert ours[key] == pytest.approx(figures, rel=1e-9, abs=1e-9), key


MIN_PEERS, MIN_COMPARED, WORTH, LIMIT = 10, 5, 50, 3


@pytest.fixture(scope="module")
def computed(evidence, in_force, points, facts) -> tuple[dict, dict]:
    """Signals by (point, year, component) and scores by (point, year, dimension)."""
    excluded = set(scope("is_h02_excluded"))
    ends = {"con_practice": (8, 31), "fit_frontline": (8, 31), "fit_map": (9, 30), "dis_quotient": (9, 30),
            "dis_programme": (9, 30), "dis_platform": (9, 30)}  # fmt: skip
    signals, scores = {}, {}
    for year, active in in_force.items():
        applied = {p: points[p]["discipline_code"] not in excluded for p in active}
        group = dict.fromkeys(active, "")
        names = {
            p: (
                "-".join((points[p]["degree_level"], points[p]["degree_type"], points[p]["discipline_code"][:2])),
                f"{points[p]['degree_level']}-{'A' if applied[p] else 'B'}",
                points[p]["degree_level"],
            )
            for p in active
        }  # fmt: skip
        left = list(active)
        for step in range(3):
            sizes = Counter(names[p][step] for p in left)
            for p in left:
                group[p] = names[p][step]
            left = [p for p in left if sizes[names[p][step]] < MIN_PEERS]
        sizes = Counter(group.values())

        judged = defaultdict(dict)
        for component, of in COMPONENTS.items():
            takes_part = [p for p in active if applied[p] or of["dimension_code"] != "fit"]
            counts = {(p, y): f for (c, p, y), f in evidence.items() if c == component}
            month = ends.get(component, (12, 31))
            complete = {y for _, y in counts if date(y, *month) <= facts.as_of}
            last = max((y for y in complete if y in (year, year - 1)), default=None)
            window = range(last - int(of["pooled_years"]) + 1, last + 1) if last else range(0)
            own = {p: {y: counts[p, y] for y in window if (p, y) in counts} for p in takes_part}
            for p in takes_part:
                n = sum(f[1] for f in own[p].values())
                value = sum(f[0] for f in own[p].values()) / n if n else None
                why = "NO-SOURCE" if of["missing_zh"] else "FEW" if n else "NO-RECORDS"
                signals[p, year, component] = {"why": why, "value": value, "cases": n or None}
            enough = [
                p
                for p in takes_part
                if own[p] and signals[p, year, component]["cases"] >= float(of["minimum_cases"]) - 1e-9
            ]
            for g in {group[p] for p in enough}:
                like = [p for p in enough if group[p] == g]
                if len(like) < MIN_COMPARED:
                    for p in like:
                        signals[p, year, component]["why"] = "NO-PEERS"
                    continue
                pool = {y: [sum(own[p].get(y, (0, 0, 0))[i] for p in like) for i in range(3)] for y in window}
                total = [sum(f[i] for f in pool.values()) for i in range(3)]
                rows = []
                for p in like:
                    n = signals[p, year, component]["cases"]
                    e = sum(f[1] / n * pool[y][0] / pool[y][1] for y, f in own[p].items())
                    share = sum(f[1] / n * f[1] / pool[y][1] for y, f in own[p].items())
                    if of["kind"] == "share":
                        edge = 0.5 / (total[1] + 1)
                        r = min(max(e, edge), 1 - edge)
                        v = r * (1 - r) / n
                    elif of["kind"] == "rate":
                        v = abs(e) * (total[2] / abs(total[0]) if total[0] else 0) / n
                    else:
                        v = 0.0
                    rows.append((p, n, signals[p, year, component]["value"] - e, e, share, v))
                size = sum(r[1] for r in rows)
                chance = sum(n * v * (1 - n / size) for _, n, _, _, _, v in rows)
                room = size - sum(r[1] ** 2 for r in rows) / size
                moments = (sum(n * d * d for _, n, d, _, _, _ in rows) - chance) / room
                if max(abs(r[2]) for r in rows) < 1e-9 * max(1, abs(rows[0][3])):  # all alike
                    rows = [(p, n, 0.0, e, share, v) for p, n, _, e, share, v in rows]
                    moments = 0.0
                for p, n, d, e, share, v in rows:
                    spread = max(moments, v * n / WORTH)
                    weight = spread / (spread + v) if spread + v > 0 else 1.0
                    z = weight * d / math.sqrt(spread) if spread > 0 else 0.0
                    z = max(-LIMIT, min(LIMIT, z))
                    half = 1.2815515655446004 * math.sqrt(1 - weight)
                    judged[p][component] = (z, weight)
                    signals[p, year, component] |= {
                        "why": "EVIDENCE", "benchmark": e, "share": share, "spread": math.sqrt(max(spread, 0)),
                        "weight": weight, "z": z, "direction": "ABOVE" if z > half else "BELOW" if z < -half else "NEAR",
                    }  # fmt: skip
        for p in active:
            for dimension, rule in DIMENSIONS.items():
                weights = {
                    c: float(r["weight"]) for c, r in COMPONENTS.items() if r["dimension_code"] == dimension
                }
                row = {"group": group[p], "peers": sizes[group[p]], "state": "EXCLUDED"}
                if dimension != "fit" or applied[p]:
                    there = {c: w for c, w in weights.items() if c in judged[p]}
                    share = sum(there.values()) / sum(weights.values())
                    row |= {"state": "THIN", "evidence": share}
                    if share >= float(rule["minimum_evidence_share"]) - 1e-9:
                        parts = {c: 10 * w * judged[p][c][0] / sum(there.values()) for c, w in there.items()}
                        unsure = math.sqrt(sum(w * w * (1 - judged[p][c][1]) for c, w in there.items()))
                        half = 12.815515655446004 * unsure / sum(there.values())
                        score = 50 + sum(parts.values())
                        row |= {"state": "SCORED", "score": score, "low": score - half, "high": score + half}
                        for c, part in parts.items():
                            signals[p, year, c]["contribution"] = part
                scores[p, year, dimension] = row
    return signals, scores


def same(ours: float | None, theirs: float | None) -> bool:
    """Equal to seven digits, or both absent."""
    if ours is None or theirs is None:
        return ours is theirs
    return math.isclose(ours, theirs, rel_tol=1e-7, abs_tol=1e-7)


def test_every_signal_is_what_is_computed_here(computed, marts):
    signals, _ = computed
    rows = {
        (p, y, c): figures
        for p, y, c, *figures in marts.execute(
            "select degree_point_id, monitor_year, component_code, evidence_code, direction_code, value, case_count, "
            "benchmark_value, benchmark_own_share, peer_spread, own_weight, peer_position, contribution "
            "from marts.degree_point_signal"
        )
    }
    assert set(rows) == set(signals)
    names = ("value", "cases", "benchmark", "share", "spread", "weight", "z", "contribution")
    for key, expected in signals.items():
        why, direction, *figures = rows[key]
        assert (why, direction) == (expected["why"], expected.get("direction", "-")), key
        wanted = [expected.get(n) for n in names]
        if why == "FEW":
            wanted[0] = None
        assert all(same(f, w) for f, w in zip(figures, wanted, strict=True)), (key, figures, wanted)
    assert {s["why"] for s in signals.values()} == {"EVIDENCE", "FEW", "NO-RECORDS", "NO-PEERS", "NO-SOURCE"}
    assert {s.get("direction") for s in signals.values()} == {"ABOVE", "NEAR", "BELOW", None}


def test_every_score_is_what_is_computed_here(computed, marts):
    _, scores = computed
    rows = marts.execute("select * from marts.degree_point_monitor").fetchall()
    names = [d.name for d in marts.execute("select * from marts.degree_point_monitor limit 0").description]
    found = {
        (r["degree_point_id"], r["monitor_year"]): r
        for r in (dict(zip(names, row, strict=True)) for row in rows)
    }
    assert {(p, y) for p, y, _ in scores} == set(found)
    states = Counter()
    for (p, year, dimension), expected in scores.items():
        row = found[p, year]
        assert (row["peer_group_code"], row["peer_count"]) == (expected["group"], expected["peers"])
        assert row[f"{dimension}_state_code"] == expected["state"], (p, year, dimension)
        states[dimension, expected["state"]] += 1
        for name, wanted in (
            ("score", "score"),
            ("lcl80", "low"),
            ("ucl80", "high"),
            ("evidence_share", "evidence"),
        ):
            assert same(row[f"{dimension}_{name}"], expected.get(wanted)), (p, year, name)
        before = scores.get((p, year - 1, dimension), {}).get("score")
        score = expected.get("score")
        change = score - before if score is not None and before is not None else None
        assert same(row[f"{dimension}_change"], change), (p, year, dimension)
    assert all(states[d, "SCORED"] > 20 for d in DIMENSIONS)
    for (p, year), row in found.items():
        mine = [scores[p, year, d]["state"] for d in DIMENSIONS]
        assert (row["scored_count"], row["is_fully_scored"]) == (mine.count("SCORED"), "THIN" not in mine)


KINDS = {"new": ("11", "12", "13"), "withdrawn": ("22",), "revoked": ("21",), "suspended": ("41",)}


def test_adjustments_are_those_of_the_events(facts, points, in_force, marts):
    rows = {
        (y, i): figures
        for y, i, *figures in marts.execute(
            "select adjustment_year, inst_code, new_count, withdrawn_count, revoked_count, suspended_count, warned_count, "
            "withdrawn_after_warning_count from marts.degree_point_adjustment"
        )
    }
    warned = {
        (p, int(y))
        for p, y in marts.execute(
            "select unit_code, period_code from estimates.rate_warning where grain = 'degree_point' and pooled_years = 3 "
            "and variant_code = 'H09' and status_code in ('AMBER', 'RED')"
        )
    }
    events = [e for e in facts["degree_point_event"].iter_rows(named=True) if e["event_on"] <= facts.as_of]
    for (year, inst), figures in rows.items():
        here = [
            e for e in events if e["event_on"].year == year and e["degree_point_id"].startswith(inst)
            and e["degree_point_id"] in points
        ]  # fmt: skip
        of = {
            kind: {e["degree_point_id"] for e in here if e["event_type"] in types}
            for kind, types in KINDS.items()
        }
        assert figures[:4] == [len(of[k]) for k in ("new", "withdrawn", "revoked", "suspended")], (year, inst)
        recent = {p for p, y in warned if p.startswith(inst) and 1 <= year - y <= 2}
        assert figures[5] == len(recent & of["withdrawn"]), (year, inst)
        assert figures[4] == len(recent & (of["withdrawn"] | set(in_force[year]))), (year, inst)
    assert sum(f[0] for f in rows.values()) > 0
