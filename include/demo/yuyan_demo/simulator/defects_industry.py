"""Defects of contracts, receipts, practice, achievements, demand and lists that only a look at other records shows."""

import polars as pl

from yuyan_demo.simulator.defects_ownership import REPORTED_ELSEWHERE
from yuyan_demo.simulator.defects_values import NOBODY, STUDYING, added, moved, parent
from yuyan_demo.simulator.identities import Change, Row, right_check
from yuyan_demo.simulator.planting import Planter, shift_date
from yuyan_demo.simulator.products.assignment import COMMISSION, EXCHANGE, FILES, LEGACY, VERSIONED


def plant(p: Planter, frames: dict[str, pl.DataFrame]) -> None:
    """Plant everything of day 1."""
    clusters = frames["enterprise"]["cluster_code"].drop_nulls().unique().sort()[:2]
    other: Change = {"cluster_code": lambda r: clusters[int(r["cluster_code"] == clusters[0])]}
    _contracts(p, frames, other)
    _receipts(p)
    _practice(p, frames, other)
    _achievements(p)
    _demand(p)
    _lists(p, frames)


def _same(row: Row, *names: str) -> Change:
    return {name: row[name] for name in names}


def _contracts(p: Planter, frames: dict[str, pl.DataFrame], other: Change) -> None:
    entity, shared = (
        "commissioned_project",
        ("contract_no_digest", "client_uscc", "client_kind", "client_country_code"),
    )
    own = (pl.col("client_country_code") == "CHN") & (pl.col("signed_on") < "2026-09-01")
    for row in p.clone(entity, VERSIONED, {}, "~contract_no_digest.14", where=own):
        twin = _same(row, *shared, "signed_on", "contract_amount", "cluster_code", "fund_source_code")
        p.clone(entity, EXCHANGE, twin, "~contract_no_digest.14", where=own)
    for row in p.clone(entity, LEGACY, {}, "~signed_on.16", where=own):
        day = "27" if row["signed_on"].endswith("28") else "28"
        twin = _same(row, *shared, "cluster_code", "fund_source_code")
        twin |= {"signed_on": row["signed_on"][:8] + day, "contract_amount": "123400.00"}
        p.clone(entity, FILES, twin, "~signed_on.16", where=own)
    for row in p.draw(entity, EXCHANGE, own):
        p.place(
            entity, p.new_identity(entity, row), _same(row, "contract_no_digest"), "contract_no_digest.15"
        )
    abroad, company = pl.col("client_kind") == "50", pl.col("client_kind") == "10"
    p.clone(entity, "any", {"fund_source_code": "10"}, "~fund_source_code.17", where=abroad)
    p.clone(entity, FILES, {"client_country_code": "DEU"}, "client_country_code.18", where=company)
    p.clone(entity, LEGACY, {"client_kind": "20"}, "~client_kind.19", where=company)
    stranger = frames["supervisor"].filter(pl.col("inst_code").is_not_null()).row(0, named=True)
    elsewhere = pl.col("src_inst_code") != stranger["inst_code"]
    p.clone(
        entity,
        VERSIONED,
        {"pi_supervisor_id": stranger["supervisor_id"]},
        "~pi_supervisor_id.20",
        where=elsewhere,
    )
    paid = p.clone(entity, EXCHANGE, {"contract_amount": "100000.00"}, "~contract_amount.21", where=own)
    too_much = {
        "project_id": parent("project_id"),
        "received_on": parent("signed_on"),
        "amount": "120000.00",
        "is_refund": "false",
    }
    p.child("commissioned_receipt", paid, too_much, "amount.17")
    p.clone(entity, FILES, {"contract_amount": "12.00"}, "~contract_amount.22")
    named = own & pl.col("cluster_code").is_not_null()
    p.clone(entity, LEGACY, other, "~cluster_code.23", where=named)
    p.clone(entity, VERSIONED, {"client_uscc": NOBODY}, "client_uscc.25", where=own)
    p.clone(entity, EXCHANGE, {"client_uscc": right_check}, "~client_uscc.26", where=own)


def _receipts(p: Planter) -> None:
    entity = "commissioned_receipt"
    p.clone(entity, VERSIONED, {"is_refund": "true", "amount": "99999999.00"}, "amount.14")
    for row in p.draw(entity, "any", pl.col("is_refund") == "true"):
        p.place(entity, p.new_identity(entity, row), _same(row, "amount"), "~received_on.15")
    p.clone(
        entity,
        "any",
        {"received_on": "2026-10-01"},
        "~received_on.16",
        where=pl.col("received_on") < "2015-06-01",
    )


def _practice(p: Planter, frames: dict[str, pl.DataFrame], other: Change) -> None:
    entity, major = "practice_project", pl.col("is_major_industry") == "true"
    leading, large = pl.col("major_basis_code") == "2", pl.col("major_basis_code") == "4"
    p.clone(entity, VERSIONED, {"enterprise_uscc": None}, "~enterprise_uscc.13", where=major & leading)
    p.clone(entity, EXCHANGE, {"amount": None}, "~amount.14", where=major & large)
    p.clone(entity, LEGACY, {"amount": "-5.00"}, "amount.15")
    p.clone(entity, FILES, {"start_on": "2026-12-01", "end_on": None}, "~start_on.16")
    named = pl.col("cluster_code").is_not_null() & pl.col("enterprise_uscc").is_not_null()
    p.clone(entity, VERSIONED, other, "~cluster_code.17", where=named)
    p.clone(entity, LEGACY, {"enterprise_uscc": NOBODY}, "enterprise_uscc.18")
    p.clone(entity, "any", {"enterprise_uscc": right_check}, "~enterprise_uscc.19")
    _crowd(p, frames)
    first = frames[entity].sort("start_on", "project_id").row(0, named=True)
    elsewhere = pl.col("src_inst_code") != first["src_inst_code"]
    entity = "practice_participation"
    p.clone(entity, LEGACY, {"project_id": first["project_id"]}, "~student_id.17", where=elsewhere)
    there = pl.col("student_id").is_in(frames["student"].filter(STUDYING)["student_id"].implode())
    p.clone(entity, "any", {"from_on": "2026-12-01", "to_on": None}, "from_on.18", where=there)
    gone = frames["student"].filter(pl.col("left_on") < "2026-09-01")["student_id"].implode()
    late = {"from_on": "2026-09-15", "to_on": None}
    p.clone(entity, FILES, late, "~from_on.19", where=pl.col("student_id").is_in(gone))
    p.clone(entity, VERSIONED, REPORTED_ELSEWHERE, "student_id.21")
    for row in p.draw(entity, FILES):
        p.keep(row)
        again = p.new_identity(entity, row)
        p.place(entity, again, _same(row, "project_id"), "student_id.22")


def _crowd(p: Planter, frames: dict[str, pl.DataFrame]) -> None:
    """One project with more students than any project can have; each took part for a few days, and nobody verified it."""
    inst = "10611"
    project = p.clone("practice_project", inst, {"start_on": "2000-09-01", "end_on": None}, "~project_id.20")[
        0
    ]
    students = frames["student"].filter(pl.col("entry_on") < "2026-01-01")
    students = students.sort(pl.col("src_inst_code") != inst, "student_id").head(201)
    template = frames["practice_participation"].row(0, named=True)
    for n, student in enumerate(students.iter_rows(named=True)):
        row = template | {
            "src_inst_code": student["src_inst_code"],
            "src_record_id": f"xc{n:014d}",
            "participation_id": f"{student['src_inst_code']}-XC{n:05d}",
            "project_id": project["project_id"],
            "student_id": student["student_id"],
            "from_on": student["entry_on"],
            "to_on": shift_date(student["entry_on"], 4),
            "days": "5",
            "verified": "false",
            "verifier_kind": None,
        }
        p.add("practice_participation", row)
        p.note(
            "practice_participation", row, *(() if student["src_inst_code"] == inst else ("~student_id.17",))
        )


def _achievements(p: Planter) -> None:
    entity = "achievement"
    part = {"share": "0.6000", "level_code": "10"}
    for row in p.clone(entity, VERSIONED, part, "~level_code.13"):
        rest = _same(row, "canonical_id", "lead_inst_code", "kind_code", "granted_on") | {"share": "0.4000"}
        p.clone(entity, LEGACY, rest | {"level_code": "20"}, "~level_code.13")
    for row in p.clone(entity, EXCHANGE, part, "~lead_inst_code.14"):
        rest = _same(row, "canonical_id", "kind_code", "granted_on", "level_code") | {"share": "0.4000"}
        p.clone(entity, FILES, rest, "~lead_inst_code.14")
    p.clone(entity, LEGACY, {"granted_on": "2027-01-05"}, "granted_on.15")
    elsewhere = pl.col("src_inst_code") != "10611"
    p.clone(entity, EXCHANGE, {"lead_inst_code": "10611"}, "~lead_inst_code.16", where=elsewhere)
    for row in p.clone(entity, "10611", {"share": "0.5000"}):
        again = _same(row, "canonical_id", "kind_code", "granted_on", "level_code") | {"share": "0.5000"}
        p.clone(entity, "10611", again, "canonical_id.17")


def _demand(p: Planter) -> None:
    c, entity = COMMISSION, "talent_demand"
    p.clone(entity, c, {"demand_year": added("demand_year", plus=-2)}, "published_on.12")
    p.clone(entity, c, {"demand_year": "2027", "published_on": "2027-03-31"}, "published_on.13")
    for row in p.draw(entity, c):
        p.place(entity, p.new_identity(entity, row), _same(row, "issuing_dept"), "headcount.14")
    p.clone(entity, c, {"discipline_code": "0101"}, "~discipline_code.15")
    p.clone(entity, c, {"degree_level": "3"}, "~degree_level.16")


def _lists(p: Planter, frames: dict[str, pl.DataFrame]) -> None:
    c, entity = COMMISSION, "list_item"
    p.clone(entity, c, {"list_kind": lambda r: "Z" if r["list_item_id"][0] != "Z" else "R"}, "list_kind.12")
    once, has_month = pl.col("due_on").is_not_null(), pl.col("due_month").is_not_null()
    p.clone(entity, c, {"due_month": "13"}, "due_month.13", where=has_month & ~once)
    p.clone(entity, c, {"due_month": "1"}, "~due_month.14", where=once)
    p.clone(entity, c, {"qty_unit": None}, "~qty_unit.15", where=pl.col("qty_min").is_not_null())
    p.clone(entity, c, {"due_on": None}, "~due_on.16", where=pl.col("period_kind") == "ONCE")
    p.clone(entity, c, {"lead_dept": None}, "~lead_dept.17")
    entity, done = "list_milestone", pl.col("verified_on").is_not_null()
    p.clone(entity, c, {"weight": "1.5000"}, "weight.13", "~weight.20")
    p.clone(entity, c, {"weight": "0.6000"}, "~weight.20")
    dated = frames["list_item"].filter(pl.col("due_on").is_not_null())["list_item_id"].implode()
    late = pl.col("list_item_id").is_in(dated)
    p.clone(entity, c, {"due_on": "2036-12-31"}, "~due_on.21", where=late)
    p.clone(entity, c, {"done_on": "2026-12-01", "verified_on": "2026-12-05"}, "done_on.14", where=done)
    p.clone(entity, c, {"progress_pct": "80.00"}, "~progress_pct.15", where=done)
    p.clone(entity, c, {"verified_on": moved("done_on", -5)}, "~verified_on.16", where=done)
    p.clone(entity, c, {"verified_by": None}, "~verified_by.17", where=done)
    p.clone(entity, c, {"reported_on": "2026-12-20"}, "reported_on.18")
