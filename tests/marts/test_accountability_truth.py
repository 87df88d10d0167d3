"""What the star says of evaluations, cases and triggers equals what is counted here, without SQL; no person is in it."""

import polars as pl
import pytest

from yuyan_demo.simulator import measures_accountability as books

pytestmark = pytest.mark.database


def test_triggers(marts, facts):
    ours = {
        row[0]: row[1:]
        for row in marts.execute(
            "select trigger_id, triggered_on, is_due, is_acted_in_time from star.fct_point_trigger"
        ).fetchall()
    }
    theirs = {t["id"]: (t["on"], t["is_due"], t["in_time"]) for t in books.triggers(facts)}
    assert ours == theirs
    assert {row[1:] for row in ours.values()} >= {(True, True), (True, False)}


def test_cases_and_their_quota_cuts(marts, facts):
    ours = {
        row[0]: row[1:]
        for row in marts.execute(
            "select case_id, issued_on - triggered_on, is_open, is_past_due, is_quota_cut_done "
            "from star.fct_accountability_case"
        ).fetchall()
    }
    newest: dict[tuple, float] = {}
    for p in facts["admission_plan"].sort("revision_no").to_dicts():
        newest[p["degree_point_id"], p["plan_year"], p["study_mode"], p["special_plan_code"]] = p[
            "plan_quota"
        ]
    quota: dict[tuple, float] = {}
    for (point, year, *_), n in newest.items():
        quota[point, year] = quota.get((point, year), 0) + n
    theirs = {}
    for case in books.cases(facts):
        due, done = case["due_on"], None
        cuts = [e["event_on"] for e in case["events"] if e["action_code"] == "50"]
        if case["quota_cut"] and case["target_kind"] == "DP":
            year = max(cuts, default=case["action_on"]).year
            before, after = (quota.get((case["target_id"], y), 0) for y in (year, year + 1))
            done = after <= before - case["quota_cut"] if year < facts.as_of.year else None
        open_ = case["closed_on"] is None
        late = open_ and due is not None and due < facts.as_of
        theirs[case["case_id"]] = ((case["issued_on"] - case["triggered_on"]).days, open_, late, done)
    assert ours == theirs
    assert {done for *_, done in ours.values()} == {None, True, False}


def test_counts_of_all_cases_and_nobody_in_the_star(marts, facts):
    ours = marts.execute(
        "select inst_code, issued_year, target_kind_code, action_code, case_count, open_count "
        "from star.fct_accountability_year"
    ).fetchall()
    rows = facts["accountability_case"].filter(pl.col("issued_on") <= facts.as_of)
    theirs = (
        rows.with_columns(
            pl.col("target_id").str.slice(0, 5).alias("at"), pl.col("issued_on").dt.year().alias("year")
        )
        .group_by("at", "year", "target_kind", "action_code")
        .agg(pl.len(), pl.col("closed_on").is_null().sum())
    )
    assert sorted(ours) == sorted(theirs.rows())
    assert "SUP" in {row[2] for row in ours}
    persons = facts["accountability_case"].filter(pl.col("target_kind") == "SUP")["case_id"].to_list()
    for table in ("fct_accountability_case", "fct_accountability_event"):
        found = marts.execute(f"select case_id from star.{table} where case_id = any(%s)", (persons,))
        assert found.fetchall() == []
    columns = marts.execute(
        "select column_name from information_schema.columns "
        "where table_schema = 'star' and table_name like 'fct_accountability%'"
    ).fetchall()
    assert [
        name for (name,) in columns if "statement" in name or "supervisor" in name or name == "target_id"
    ] == []


def test_evaluations(marts, facts):
    ours = marts.execute(
        "select eval_id, degree_point_id, eval_kind_code, result_code, decided_on, is_failed from star.fct_evaluation_result"
    ).fetchall()
    rows = facts["evaluation_result"].select(
        "eval_id", "degree_point_id", "eval_kind", "result_code", "decided_on"
    )
    assert sorted(ours) == sorted((*row, row[3] != "10") for row in rows.rows())


def test_commissioned_money_reaches_degree_points_once(marts, facts):
    ours = marts.execute(
        "select project_id, degree_point_id, basis_code, weight_share from star.bridge_project_degree_point"
    ).fetchall()
    appointed: dict[str, list[tuple]] = {}
    for a in facts["supervisor_appointment"].filter(pl.col("role_code") == "10").to_dicts():
        if a["degree_point_id"]:
            appointed.setdefault(a["supervisor_id"], []).append(
                (a["degree_point_id"], a["from_on"], a["to_on"])
            )
    units: dict[tuple[str, str], list[str]] = {}
    for p in facts["degree_point"].to_dicts():
        if p["degree_level"] in ("1", "2") and p["status_code"] == "10":
            units.setdefault((p["inst_code"], p["unit_code"]), []).append(p["degree_point_id"])
    theirs = {}
    for project in facts["commissioned_project"].to_dicts():
        ever = appointed.get(project["pi_supervisor_id"], [])
        on = project["signed_on"]
        then = [a for a in ever if a[1] <= on and (a[2] is None or a[2] >= on)]
        basis, reached = ("THEN", {a[0] for a in then}) if then else ("EVER", {a[0] for a in ever})
        if not reached:
            basis, reached = "UNIT", set(units.get((project["inst_code"], project["unit_code"]), []))
        theirs |= {(project["project_id"], point): (basis, 1 / len(reached)) for point in reached}
    ours = [(project, point, basis, float(share)) for project, point, basis, share in ours]
    assert {
        (project, point): (basis, pytest.approx(share)) for project, point, basis, share in ours
    } == theirs
    assert {basis for _, _, basis, _ in ours} == {"THEN", "EVER", "UNIT"}
