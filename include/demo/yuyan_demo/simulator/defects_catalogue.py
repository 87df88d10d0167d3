"""Defects of institutions, units, degree points, programmes, plans and courses, and of the commission's lists and maps."""

import polars as pl

from yuyan_demo.simulator.catalogue import seed_table
from yuyan_demo.simulator.defects_values import CHANGED, added, moved, wrong_check
from yuyan_demo.simulator.identities import Row, right_check, tail
from yuyan_demo.simulator.planting import Planter
from yuyan_demo.simulator.products.assignment import COMMISSION, EXCHANGE, FILES, LEGACY, VERSIONED

GRANTS_BACHELOR = pl.col("src_inst_code") != "89650"
"""Copies of degree points are bachelor's ones."""


def plant(p: Planter, frames: dict[str, pl.DataFrame]) -> None:
    """Plant everything of day 1."""
    _units(p)
    _institutions(p)
    _points(p)
    _events(p, frames)
    _programmes(p)
    _plans(p, frames)
    _courses(p, frames)
    _lists(p)


def _units(p: Planter) -> None:
    e = "org_unit"
    p.clone(e, LEGACY, {"valid_to": "1990-01-01"}, "valid_to.12")
    for row in p.draw(e, EXCHANGE):
        one, two = (p.new_identity(e, row) for _ in range(2))
        p.place(e, one, {"parent_unit_code": two["unit_code"]}, "parent_unit_code.13")
        p.place(e, two, {"parent_unit_code": one["unit_code"]}, "parent_unit_code.13")


def _institutions(p: Planter) -> None:
    e, c, group = "institution", COMMISSION, pl.col("peer_group_code")
    p.clone(e, c, {"region_code": "110108"}, "region_code.13")
    army = {"inst_code": lambda r: f"98{tail(r, 3)}"}
    p.clone(e, c, army, "inst_code.14", where=pl.col("affiliation_code") != "40")
    p.clone(e, c, {"grants_doctor": "false"}, "grants_doctor.15", where=group == "SYL")
    none = {"grants_doctor": "false", "grants_master": "false"}
    p.clone(e, c, none, "grants_master.16", where=group == "JD")
    p.spoil(
        e, c, {"connected_on": "2027-01-01"}, "~connected_on.17", healed=None
    )  # a copy would be a unit of the city
    for row in p.draw(e, c):
        p.keep(row)
        p.place(e, p.new_identity(e, row), {"uscc": row["uscc"]}, "uscc.18")


def _points(p: Planter) -> None:
    e, at = "degree_point", GRANTS_BACHELOR
    p.clone(e, VERSIONED, {"authorised_on": "2027-01-01"}, "authorised_on.15", where=at)
    p.clone(e, LEGACY, {"authorised_on": "1980-06-01"}, "~authorised_on.16", where=at)
    category = {
        "discipline_code": _category,
        "degree_point_id": lambda r: f"{r['inst_code']}-3-{r['degree_type']}-{_category(r)}",
    }
    p.clone(e, FILES, category, "discipline_code.17", where=at)
    p.clone(e, "89650", {}, "degree_level.18")
    codes = seed_table("discipline").filter(pl.col("allowed_levels") == "master")["code"]

    def masters_only(row: Row) -> str:
        return codes[int(tail(row, 6)) % len(codes)]

    doctoral = {
        "degree_level": "1",
        "degree_type": "2",
        "discipline_code": masters_only,
        "degree_point_id": lambda r: f"{r['inst_code']}-1-2-{masters_only(r)}",
    }
    p.clone(e, "10611", doctoral, "discipline_code.19")
    p.clone(
        e,
        EXCHANGE,
        {"is_joint_built": "true", "joint_partner_uscc": wrong_check},
        "joint_partner_uscc.20",
        where=at,
    )
    unmarked = {"is_joint_built": "false", "joint_partner_uscc": right_check}
    p.clone(e, VERSIONED, unmarked, "~joint_partner_uscc.21", where=at)
    p.clone(e, LEGACY, {"status_code": "90"}, "~status_code.22", where=at)
    for point in p.clone(e, FILES, {}, "~status_code.23", where=at):
        for event in p.draw("degree_point_event", COMMISSION)[:1]:
            revoked = {"degree_point_id": point["degree_point_id"], "event_type": "22"}
            p.place("degree_point_event", p.new_identity("degree_point_event", event), revoked)


def _category(row: Row) -> str:
    return f"{int(tail(row, 6)) % 13 + 1:02d}"


def _events(p: Planter, frames: dict[str, pl.DataFrame]) -> None:
    e, c = "degree_point_event", COMMISSION
    seen = frames[e].filter(pl.col("event_type").is_in(["31", "41"]))["degree_point_id"]
    untouched = ~pl.col("degree_point_id").is_in(seen.implode())
    joint = frames["degree_point"].filter(pl.col("is_joint_built") == "true")["degree_point_id"]
    p.clone(e, c, {"event_on": "1979-01-01"}, "event_on.13")
    p.clone(e, c, {"event_type": "11"}, "~event_on.14")
    p.clone(e, c, {"event_type": "32", "event_on": "2026-07-20"}, "event_type.15", where=untouched)
    p.clone(e, c, {"event_type": "42", "event_on": "2026-07-20"}, "event_type.16", where=untouched)
    p.clone(e, c, {"urgent_list_id": "50000-Z3-2025-0802-1"}, "~urgent_list_id.17")
    alone = ~pl.col("degree_point_id").is_in(joint.implode())
    p.clone(e, c, {"event_type": "51"}, "~event_type.18", where=alone)
    for row in p.draw(e, c):
        same = {n: row[n] for n in ("event_type", "event_on", "urgent_list_id")}
        p.place(e, p.new_identity(e, row), same, "event_type.19")


def _programmes(p: Planter) -> None:
    e, academic = "programme", pl.col("degree_point_id").str.slice(8, 1) == "1"
    p.clone(e, VERSIONED, {"programme_code": "999900"}, "programme_code.12")
    p.clone(e, LEGACY, {"min_credits": "100.0"}, "~min_credits.13")
    p.clone(e, FILES, {"duration_years": "7.0"}, "~duration_years.14")
    p.clone(e, EXCHANGE, {"plan_effective_from": "1979-01-01"}, "~plan_effective_from.15")
    p.clone(e, VERSIONED, {"is_alternation": "true"}, "~is_alternation.16", where=academic)
    p.clone(e, LEGACY, {"unit_code": "ZZ9"}, "unit_code.17")


def _plans(p: Planter, frames: dict[str, pl.DataFrame]) -> None:
    e = "admission_plan"
    p.clone(e, VERSIONED, {"plan_year": "2027", "issued_on": "2027-01-05"}, "issued_on.12")
    p.clone(e, LEGACY, {"plan_year": "2012"}, "plan_year.13")
    p.clone(e, FILES, {"revision_no": "-1"}, "revision_no.14")
    p.clone(e, EXCHANGE, {"revision_no": "5"}, "~revision_no.15")
    group = ("degree_point_id", "plan_year", "study_mode")
    came = frames["admission"].filter(pl.col("registered") == "true")
    filled = came.select(pl.concat_str("degree_point_id", "exam_year", "study_mode"))["degree_point_id"]
    once = frames[e].filter(pl.struct(group).is_unique()).select(pl.concat_str(group))["degree_point_id"]
    where = pl.concat_str(group).is_in(filled.implode()) & pl.concat_str(group).is_in(once.implode())
    p.clone(e, VERSIONED, {"plan_quota": "0"}, "~plan_quota.16", where=where)
    closed = frames["degree_point"].filter(pl.col("status_code").is_in(["30", "80", "90"]))
    inst, point = closed.select("src_inst_code", "degree_point_id").row(0)
    still = {"plan_year": "2026", "issued_on": "2026-03-15", "degree_point_id": point}
    p.clone(e, inst, still, "~plan_quota.17")


def _courses(p: Planter, frames: dict[str, pl.DataFrame]) -> None:
    core = pl.col("is_core") == "true"
    p.clone("course", VERSIONED, {"core_to": moved("core_from", -10)}, "core_to.14", where=core)
    p.clone("course", LEGACY, {"core_from": moved("active_from", -30)}, "~core_from.15", where=core)
    p.clone("course", EXCHANGE, {"credits": "32.0"}, "credits.16")
    p.clone("course", FILES, {"core_basis_code": "1"}, "~core_basis_code.17", where=~core)
    p.clone("course", VERSIONED, {"active_to": "2026-08-31"}, "~core_to.18", where=core)
    e, term = "course_revision", "2026-2027-2"
    p.clone(e, VERSIONED, {"approved_on": "2027-01-05", "effective_term": term}, "approved_on.13")
    p.clone(e, LEGACY, {"effective_term": lambda r: f"{r['effective_term'][:5]}2050-1"}, "effective_term.14")
    p.clone(e, FILES, {"effective_term": "2014-2015-1"}, "~effective_term.15")
    p.clone(e, EXCHANGE, {"approved_on": "1999-05-01"}, "~approved_on.16", where=CHANGED)
    p.clone(e, VERSIONED, {"revision_kind": "4", "changed_content_ratio": None}, "~revision_kind.17")
    other = {r["src_inst_code"]: (r["course_id"], r["revision_id"]) for r in frames[e].iter_rows(named=True)}
    foreign = ~pl.col("course_id").is_in([course for course, _ in other.values()])
    e = "course_offering"
    p.clone(e, VERSIONED, {"academic_year": "2027-2028"}, "academic_year.13")
    p.clone(e, EXCHANGE, {"academic_year": "2001-2002"}, "~academic_year.14")
    p.clone(
        e, LEGACY, {"revision_id": lambda r: other[r["src_inst_code"]][1]}, "revision_id.15", where=foreign
    )
    p.clone(e, FILES, {"enrolled_cnt": "900"}, "~enrolled_cnt.16")
    e = "course_evaluation"
    p.clone(e, VERSIONED, {"eligible_cnt": added("eligible_cnt", plus=5)}, "~eligible_cnt.14")
    p.clone(e, LEGACY, {"collected_to": "2027-03-01"}, "collected_to.15", "~collected_to.16")
    p.clone(e, FILES, {"collected_to": "2001-01-01"}, "~collected_to.16")
    same = dict.fromkeys(("n1", "n2", "n3", "n4"), "0") | {"n5": lambda r: r["response_cnt"]}
    many = pl.col("response_cnt").cast(pl.Int64) >= 30
    p.clone(e, EXCHANGE, same, "~n5.17", where=many)


def _lists(p: Planter) -> None:
    e, c = "urgent_discipline_list", COMMISSION
    p.clone(e, c, {"edition_year": added("edition_year", plus=1)}, "~published_on.12")
    p.clone(e, c, {"valid_from": lambda r: f"{r['edition_year']}-01-01"}, "~valid_from.13")
    for row in p.draw(e, c):
        again = {n: row[n] for n in ("edition_year", "published_on", "valid_from", "valid_to")}
        p.place(e, p.new_identity(e, row), again | {"category_code": "20"}, "category_code.14")
    p.clone(e, c, {"discipline_code": "08"}, "discipline_code.15")
    e = "cluster_reference"
    p.clone(e, c, {"edition": lambda r: f"新{tail(r, 6)}"}, "edition.11")
    for row in p.draw(e, c):
        namesake = {"cluster_code": lambda r: f"Q{tail(r, 6)}", "edition": row["edition"]}
        p.place(e, p.new_identity(e, row), namesake, "name.12")
        code = {"cluster_code": f"Y{tail(p.new_identity(e, row), 6)}"}
        for layer in ("33618", "416"):
            p.place(e, p.new_identity(e, row), code | {"layer": layer}, "~layer.13")
    e = "discipline_cluster_map"
    p.clone(e, c, {"valid_to": "2020-01-01"}, "valid_to.12")
    p.clone(e, c, {"programme_code": "999901"}, "programme_code.13")
    for row in p.draw(e, c):
        p.place(e, p.new_identity(e, row), {"programme_code": row["programme_code"]}, "map_id.14")
