"""What is wrong at the sources: more than a hundred different findings over levels 1–4, each with the rules that must catch it.

Most are extra records, so that sound ones stay; some sound records are spoiled and corrected a day later. A rule written
`~name` is a warning. A place is a product, an institution, or `any`; malformed dates and numbers go where text travels.
"""

from collections.abc import Iterator

import numpy as np
import polars as pl

from yuyan.simulator.columns import USCC_LETTERS, uscc_numbers
from yuyan.simulator.planting import PLACES, Planter, Row, shift_date
from yuyan.simulator.products.assignment import COMMISSION, EXCHANGE, FILES, LEGACY, VERSIONED

STUDYING = (pl.col("status_code") == "10") & (pl.col("entry_on") < "2026-01-01")
GONE = pl.col("status_code") == "90"
ENDED = pl.col("to_on").is_not_null()


def plant(p: Planter, frames: dict[str, pl.DataFrame]) -> dict[str, list[Row]]:
    """Plant everything of day 1. Returns per entity the rows that day 2 brings: corrections, and parents that come late."""
    _fields(p)
    _numbers(p)
    _students(p)
    _records(p)
    _references(p, frames)
    _awards(p, award_hosts(frames))
    _employment(p, employment_hosts(frames))
    _municipal(p)
    _twins(p)
    later = _spoiled(p)
    for entity, rows in _late_parents(p).items():
        later.setdefault(entity, []).extend(rows)
    return later


def _fields(p: Planter) -> None:
    """Presence, type, form and code set: what the contract itself forbids."""
    p.clone("student", LEGACY, {"entry_on": "2023-02-30"}, "entry_on.2", where=STUDYING)
    p.clone("thesis", VERSIONED, {"opened_on": "2024-13-05"}, "opened_on.2")
    p.clone("admission", FILES, {"admitted_on": "待定"}, "admitted_on.2")
    p.clone("commissioned_receipt", VERSIONED, {"amount": "12万"}, "amount.2")
    p.clone("course_offering", FILES, {"enrolled_cnt": "三十"}, "enrolled_cnt.2")
    p.clone("practice_participation", LEGACY, {"verified": "已核"}, "verified.2")
    p.clone("student", LEGACY, {"study_mode": "9"}, "study_mode.4", where=STUDYING)
    p.clone("student", EXCHANGE, {"political_code": "66"}, "political_code.4", where=STUDYING)
    p.clone(
        "thesis",
        EXCHANGE,
        {"topic_source_code": "77"},
        "topic_source_code.4",
        where=pl.col("topic_source_code") != "14",
    )
    p.clone("course", LEGACY, {"tag_codes": "AI1;ZZ"}, "tag_codes.4")
    p.clone("student", VERSIONED, {"origin_region_code": "50X106"}, "origin_region_code.3", where=STUDYING)
    p.clone("commissioned_project", EXCHANGE, {"client_country_code": "CN1"}, "client_country_code.3")
    p.clone("honour", "any", {"doc_no": "校研〔2026〕" + "关于表彰优秀研究生的决定" * 4}, "doc_no.3")
    p.clone("supervisor", EXCHANGE, {"title_code": None}, "title_code.1")
    p.clone("practice_project", FILES, {"project_name": None}, "project_name.1")
    p.clone("thesis", VERSIONED, {"thesis_id": None}, "thesis_id.1")
    p.clone("student_status_event", EXCHANGE, {"event_on": None}, "event_on.1")
    p.clone("overseas_study", VERSIONED, {"cert_no": None}, "person_key.1")


def _numbers(p: Planter) -> None:
    """Values outside their range."""
    p.clone("practice_participation", EXCHANGE, {"days": "-5"}, "days.11")
    p.clone("thesis", EXCHANGE, {"similarity_pct": "130.00"}, "similarity_pct.14")
    p.clone("commissioned_project", VERSIONED, {"contract_amount": "-1000.00"}, "contract_amount.11")
    p.clone("commissioned_receipt", LEGACY, {"amount": "-5000.00"}, "amount.11")
    p.clone("course_offering", VERSIONED, {"academic_year": "2023-2025"}, "academic_year.12")
    p.clone("course_offering", LEGACY, {"enrolled_cnt": "-3"}, "enrolled_cnt.11")
    p.clone(
        "course_revision",
        VERSIONED,
        {"changed_content_ratio": "1.5000"},
        "changed_content_ratio.12",
        where=_changed(),
    )
    p.clone("programme", EXCHANGE, {"duration_years": "9.0"}, "duration_years.11")
    p.clone(
        "admission_plan",
        LEGACY,
        {"plan_quota": "-3", "revision_no": "7"},
        "plan_quota.11",
        where=_first_issue(),
    )
    p.clone("achievement", VERSIONED, {"share": "1.2000", **_own_achievement()}, "share.11", "~share.12")
    p.clone("achievement", "any", {"share": "0.7000", **_own_achievement()}, "~share.12")
    negative = {"instrument_version": "V0", "n1": "-1", "n2": _sum("n1", "n2", plus=1)}
    p.clone("course_evaluation", VERSIONED, negative, "n1.13")
    p.clone(
        "course_evaluation",
        VERSIONED,
        {"instrument_version": "V0", "n5": _sum("n5", plus=2)},
        "response_cnt.11",
    )
    few = {"instrument_version": "V0", "eligible_cnt": _sum("response_cnt", plus=-1)}
    p.clone("course_evaluation", EXCHANGE, few, "response_cnt.12", where=pl.col("response_cnt") != "0")


def _students(p: Planter) -> None:
    """Registrations whose fields contradict each other."""
    p.clone(
        "student",
        EXCHANGE,
        {"expected_end_on": lambda r: shift_date(r["entry_on"], -30)},
        "expected_end_on.11",
        where=STUDYING,
    )
    p.clone(
        "student", VERSIONED, {"left_on": lambda r: shift_date(r["entry_on"], -10)}, "left_on.13", where=GONE
    )
    p.clone("student", FILES, {"left_on": None}, "left_on.12", where=GONE)
    p.clone("student", LEGACY, {"left_on": "2026-06-30"}, "left_on.14", where=STUDYING)
    p.clone("student", VERSIONED, {"birth_year": "1900"}, "~birth_year.16", where=GONE)
    future = {"entry_on": "2027-09-01", "expected_end_on": "2030-06-30"}
    p.clone("student", VERSIONED, future, "entry_on.17", where=STUDYING)
    doctor = {"degree_level": "1"}
    p.clone("student", LEGACY, doctor, "degree_level.15", where=STUDYING & (pl.col("degree_level") == "2"))
    p.clone("admission", VERSIONED, doctor, "degree_level.12", where=pl.col("degree_level") == "2")
    p.clone(
        "admission", FILES, {"admission_mode": "11"}, "admission_mode.13", where=pl.col("degree_level") == "2"
    )
    p.clone(
        "admission", EXCHANGE, {"admitted_on": lambda r: f"{int(r['exam_year']) + 1}-05-10"}, "admitted_on.11"
    )
    p.clone(
        "student_status_event", EXCHANGE, {"event_type": "23", "to_programme_id": None}, "to_programme_id.12"
    )
    p.clone(
        "student_status_event",
        VERSIONED,
        {"event_on": "2001-03-01"},
        "event_on.11",
        where=pl.col("event_type") == "61",
    )
    p.clone(
        "overseas_study",
        VERSIONED,
        {"departed_on": lambda r: shift_date(r["selected_on"], -9)},
        "departed_on.11",
        where=_departed(),
    )


def _records(p: Planter) -> None:
    """Records of teaching and industry whose fields contradict each other."""
    before = {"to_on": lambda r: shift_date(r["from_on"], -4)}
    p.clone("practice_participation", LEGACY, before, "to_on.12", where=ENDED)
    p.clone("practice_participation", VERSIONED, {"days": "900"}, "days.13", where=ENDED)
    p.clone(
        "practice_participation",
        EXCHANGE,
        {"verifier_kind": None},
        "~verifier_kind.14",
        where=pl.col("verified") == "true",
    )
    p.clone(
        "practice_project",
        EXCHANGE,
        {"major_basis_code": None},
        "major_basis_code.11",
        where=pl.col("is_major_industry") == "true",
    )
    p.clone(
        "course",
        VERSIONED,
        {"core_basis_code": None},
        "core_basis_code.11",
        where=pl.col("is_core") == "true",
    )
    p.clone("course", EXCHANGE, {"core_from": None}, "core_from.12", where=pl.col("is_core") == "true")
    p.clone("course", LEGACY, {"active_to": "1999-01-01"}, "active_to.13")
    p.clone(
        "course_revision",
        EXCHANGE,
        {"changed_content_ratio": None},
        "changed_content_ratio.11",
        where=_changed(),
    )
    p.clone(
        "thesis",
        VERSIONED,
        {"submitted_on": lambda r: shift_date(r["opened_on"], -2)},
        "submitted_on.11",
        where=_submitted(),
    )
    claim = {"frontline_flag": "true", "frontline_evidence_code": "0"}
    p.clone("thesis", LEGACY, claim, "~frontline_evidence_code.13", where=pl.col("topic_source_code") == "16")
    p.clone(
        "commissioned_project",
        LEGACY,
        {"client_uscc": None},
        "client_uscc.13",
        where=pl.col("client_country_code") == "CHN",
    )
    p.clone("commissioned_project", EXCHANGE, {"signed_on": "2027-01-05"}, "signed_on.12")
    p.clone("commissioned_receipt", VERSIONED, {"received_on": "2027-03-01"}, "received_on.13")
    p.clone("commissioned_receipt", LEGACY, {"received_on": "2009-03-01"}, "received_on.12")
    p.clone(
        "student_supervisor",
        VERSIONED,
        {"from_on": _later("from_on"), "to_on": _from("from_on")},
        "to_on.11",
        where=ENDED,
    )
    early = {"from_on": lambda r: shift_date(r["from_on"], -90)}
    p.clone("student_supervisor", FILES, early, "~from_on.12")
    p.clone(
        "supervisor",
        VERSIONED,
        {"employer_uscc": None},
        "employer_uscc.11",
        where=pl.col("supervisor_kind") == "2",
    )
    p.clone("supervisor", LEGACY, {"unit_code": None}, "unit_code.13", where=pl.col("supervisor_kind") == "1")
    p.clone("supervisor", EXCHANGE, {"first_appointed_on": "2028-09-01"}, "first_appointed_on.12")
    p.clone(
        "degree_point",
        LEGACY,
        {"degree_point_id": lambda r: f"{r['inst_code']}-3-9-{_tail(r, 6)}"},
        "degree_point_id.11",
    )
    wrong_type = {
        "degree_type": "2",
        "degree_point_id": lambda r: f"{r['inst_code']}-{r['degree_level']}-2-{r['discipline_code']}",
    }
    p.clone("degree_point", VERSIONED, wrong_type, "discipline_code.14", where=pl.col("degree_type") == "1")


def _references(p: Planter, frames: dict[str, pl.DataFrame]) -> None:
    """Records that point to nothing, to something that is not accepted, or to something that contradicts them."""
    for place in (VERSIONED, LEGACY, EXCHANGE):
        p.clone("thesis", place, {"student_id": lambda r: f"{r['src_inst_code']}0000000000"}, "student_id.5")
    p.clone("thesis", FILES, {"opened_on": "2001-10-01", "submitted_on": None}, "opened_on.15")
    nothing = {"topic_source_code": "14", "source_project_id": lambda r: f"{r['src_inst_code']}-H00000000"}
    p.clone("thesis", VERSIONED, nothing, "~source_project_id.12", where=pl.col("frontline_flag") == "false")
    p.clone(
        "course_offering", EXCHANGE, {"course_id": lambda r: f"{r['src_inst_code']}-C99999"}, "course_id.5"
    )
    p.clone(
        "honour",
        VERSIONED,
        {"holder_id": lambda r: f"{r['src_inst_code']}0000000001"},
        "holder_id.11",
        where=_held_by("S"),
    )
    p.clone(
        "honour",
        LEGACY,
        {"holder_id": lambda r: f"{r['src_inst_code']}-T0000000001"},
        "holder_id.11",
        where=_held_by("X"),
    )
    p.clone(
        "achievement",
        VERSIONED,
        {"lead_inst_code": "10698", "share": "1.0000", **_own_achievement()},
        "lead_inst_code.5",
    )
    p.clone(
        "org_unit",
        VERSIONED,
        {"unit_code": lambda r: f"9X{_tail(r, 4)}", "parent_unit_code": "999"},
        "parent_unit_code.11",
    )
    p.clone("student", EXCHANGE, {"unit_code": "ZZ9"}, "unit_code.5", where=STUDYING)
    p.clone("practice_project", "10617", {"inst_code": "10611"}, "inst_code.7")
    p.clone(
        "supervisor",
        VERSIONED,
        {"employer_uscc": "91500000MA00000000"},
        "employer_uscc.5",
        where=pl.col("supervisor_kind") == "2",
    )
    finished = {
        "student_id": _parent("student_id"),
        "event_type": "61",
        "event_on": "2026-09-20",
        "to_programme_id": None,
    }
    p.child("student_status_event", p.draw("student", LEGACY, STUDYING), finished, "event_type.13")
    placed = {"student_id": _parent("student_id"), "grad_year": "2025", "status_on": "2025-12-31"}
    p.child("employment", p.draw("student", EXCHANGE, STUDYING), placed, "student_id.14")
    suspended = frames["student_status_event"].filter(pl.col("event_type") == "11")["student_id"]
    never = ~pl.col("student_id").is_in(suspended.implode()) & (pl.col("event_type") == "61")
    p.clone("student_status_event", VERSIONED, {"event_type": "12"}, "event_type.14", where=never)
    early = {"from_on": lambda r: shift_date(r["from_on"], -3000), "to_on": None}
    p.clone("practice_participation", EXCHANGE, early, "~from_on.15")
    bad = p.clone(
        "practice_project", LEGACY, {"end_on": lambda r: shift_date(r["start_on"], -1)}, "end_on.12"
    )
    p.child("practice_participation", bad, {"project_id": _parent("project_id")}, "project_id.5")
    bad = p.clone("commissioned_project", VERSIONED, {"contract_no_digest": "ABC"}, "contract_no_digest.3")
    p.child("commissioned_receipt", bad, {"project_id": _parent("project_id")}, "project_id.5")
    bad = p.clone(
        "student", VERSIONED, {"degree_type": "3"}, "degree_type.4", "degree_level.15", where=STUDYING
    )
    sound = {"student_id": _parent("student_id"), "degree_point_id": _parent("degree_point_id")}
    theses = p.child("thesis", bad, sound, "student_id.5")
    award = {**sound, "thesis_id": _parent("thesis_id"), **_award_of(_parent("degree_point_id"))}
    p.child("degree_award", theses, award, "student_id.5", "thesis_id.5")


def award_hosts(frames: dict[str, pl.DataFrame]) -> Iterator[Row]:
    """Sound awards that were never given: of students who completed with a thesis but without a degree (结业)."""
    completed = frames["student_status_event"].filter(pl.col("event_type") == "62").select("student_id")
    theses = (
        frames["thesis"]
        .join(completed, on="student_id", how="semi")
        .filter(pl.col("submitted_on").is_not_null())
    )
    template = frames["degree_award"].row(0, named=True)
    for thesis in theses.sort("src_record_id").iter_rows(named=True):
        row = {
            **template,
            **{k: thesis[k] for k in ("src_inst_code", "student_id", "thesis_id", "degree_point_id")},
        }
        row |= {name: make(row) for name, make in _award_of(lambda r: r["degree_point_id"]).items()}
        row["awarded_on"], row["award_id"] = (
            thesis["submitted_on"],
            f"{row['src_inst_code']}-AX{thesis['src_record_id']}",
        )
        yield row


def _awards(p: Planter, hosts: Iterator[Row]) -> None:
    wrong = {"degree_code": lambda r: "208" if r["degree_level"] == "2" else "308"}
    p.host("degree_award", hosts, wrong, "degree_code.14")
    p.host("degree_award", hosts, {"awarded_on": "2027-06-20"}, "awarded_on.11")
    p.host(
        "degree_award",
        hosts,
        {"discipline_code": lambda r: "0401" if r["discipline_code"] != "0401" else "0301"},
        "degree_point_id.12",
    )
    other = next(hosts)["thesis_id"]
    p.host("degree_award", hosts, {"thesis_id": other}, "thesis_id.13")


def employment_hosts(frames: dict[str, pl.DataFrame]) -> Iterator[Row]:
    """Sound destinations of students who dropped out: they left, and nobody asked where to."""
    dropped = frames["student_status_event"].filter(
        (pl.col("event_type") == "31") & pl.col("event_on").is_between(*_PAST)
    )
    template = (
        frames["employment"]
        .filter((pl.col("destination_code") == "10") & pl.col("cluster_code").is_not_null())
        .row(0, named=True)
    )
    for event in dropped.sort("src_record_id").iter_rows(named=True):
        year = event["event_on"][:4]
        yield {
            **template,
            "src_inst_code": event["src_inst_code"],
            "student_id": event["student_id"],
            "grad_year": year,
            "status_on": f"{year}-12-31",
        }


_PAST = (pl.lit("2016-01-01"), pl.lit("2025-12-01"))


def _employment(p: Planter, hosts: Iterator[Row]) -> None:
    online = (h for h in hosts if h["src_inst_code"] not in PLACES[LEGACY])
    p.host("employment", online, {"destination_code": "99"}, "destination_code.4")
    p.host("employment", online, {"employer_uscc": None}, "employer_uscc.11")
    p.host("employment", online, {"region_code": None}, "region_code.12")
    p.host("employment", online, {"region_code": "990101"}, "region_code.15")
    p.host("employment", online, {"grad_year": lambda r: str(int(r["grad_year"]) - 1)}, "status_on.13")
    p.host("employment", online, {"destination_code": "801"}, "employer_uscc.16")
    p.host("employment", online, {"employer_uscc": "91500000MA00000000"}, "employer_uscc.5")


def _municipal(p: Planter) -> None:
    """Defects in the commission's own files."""
    decided, c = pl.col("verdict_code") == "1", COMMISSION
    p.clone("thesis_sampling", c, {"inclusion_prob": "1.500000"}, "inclusion_prob.11", where=decided)
    p.clone("thesis_sampling", c, {"verdict_on": None}, "verdict_on.13", where=decided)
    p.clone(
        "thesis_sampling",
        c,
        {"sampling_year": _sum("sampling_year", plus=1)},
        "sampling_year.14",
        where=decided & _before_2026(),
    )
    shifted = {"sampling_year": _sum("sampling_year", plus=1), "frame_ay": _next_ay}
    p.clone("thesis_sampling", c, shifted, "frame_ay.12", where=decided & _before_2026())
    p.clone("thesis_sampling", c, {"award_id": "50000-A0"}, "award_id.5", where=decided)
    bad = p.clone("thesis_sampling", c, {"sampling_year": "二〇二五"}, "sampling_year.2", where=decided)
    bad += p.clone("thesis_sampling", c, {"verdict_code": "2"}, "verdict_code.15", where=decided)
    review = {
        "sampling_id": _parent("sampling_id"),
        "round_no": "1",
        "opinion_code": "2",
        "reason_codes": None,
    }
    p.child("thesis_sampling_review", bad, review, "sampling_id.5")
    good = pl.col("opinion_code") != "4"
    p.clone("thesis_sampling_review", c, {"round_no": "3"}, "round_no.11", where=good)
    p.clone("thesis_sampling_review", c, {"reviewed_on": "2027-02-01"}, "reviewed_on.13", where=good)
    p.clone("thesis_sampling_review", c, {"opinion_code": "7"}, "opinion_code.4", where=good)
    p.clone("enterprise", c, {"uscc": _wrong_check}, "uscc.11")
    p.clone("discipline_cluster_map", c, {"strength": "1.500"}, "strength.11")
    p.clone("list_milestone", c, {"progress_pct": "120.00"}, "progress_pct.11")
    p.clone(
        "list_milestone", c, {"evidence_uri": None}, "~evidence_uri.12", where=pl.col("done_on").is_not_null()
    )
    p.clone("employer_survey", c, {"overall_score": "7"}, "overall_score.11")
    p.clone("employer_survey", c, {"design_weight": "0.0000"}, "design_weight.12")
    p.clone("urgent_discipline_list", c, {"valid_to": "2020-12-31"}, "valid_to.11")
    p.clone(
        "institution", c, {"inst_code": lambda r: f"19{_tail(r, 3)}", "valid_to": "1990-01-01"}, "valid_to.12"
    )
    p.clone(
        "list_item",
        c,
        {
            "list_item_id": "X15",
            "doc_version": lambda r: f"2025-{_tail(r, 6)}",
            "qty_min": "9",
            "qty_max": "3",
        },
        "qty_max.11",
    )
    p.clone("talent_demand", c, {"headcount": "-20"}, "headcount.11")
    p.clone("talent_demand", c, {"cluster_code": "Q99"}, "cluster_code.4")
    p.clone("degree_point_event", c, {"event_on": "2027-05-01", "event_type": "51"}, "event_on.11")
    stray = {"event_type": "12", "event_on": "2026-05-05", "urgent_list_id": "50000-Z3-2025-0802-1"}
    p.clone(
        "degree_point_event",
        c,
        stray,
        "urgent_list_id.12",
        where=~pl.col("degree_point_id").str.ends_with("0802"),
    )


def _twins(p: Planter) -> None:
    """Two records with one natural key: the one with the greater record id fails."""
    p.twin("admission", VERSIONED, "key.6")
    p.twin("course", EXCHANGE, "key.6")
    p.twin("practice_participation", LEGACY, "key.6")
    p.twin("employer_survey", COMMISSION, "key.6")
    p.twin("degree_award", VERSIONED, "student_id.15", key="award_id")


def _spoiled(p: Planter) -> dict[str, list[Row]]:
    """Sound records that are wrong on day 1 only. Returns the corrections."""
    later: dict[str, list[Row]] = {}
    for entity, place, change, rules, where in (
        (
            "employment",
            VERSIONED,
            {"destination_code": "1O"},
            ("destination_code.4",),
            pl.col("destination_code") == "10",
        ),
        (
            "employment",
            FILES,
            {"region_code": None},
            ("region_code.12",),
            pl.col("destination_code").is_in(["10", "11"]),
        ),
        ("course_evaluation", LEGACY, {"n5": _sum("n5", plus=1)}, ("response_cnt.11",), None),
        ("commissioned_receipt", EXCHANGE, {"amount": lambda r: f"-{r['amount']}"}, ("amount.11",), None),
        ("practice_participation", VERSIONED, {"days": "999"}, ("days.13",), ENDED),
        (
            "thesis_sampling_review",
            COMMISSION,
            {"reason_codes": None},
            ("~reason_codes.12",),
            pl.col("opinion_code") == "4",
        ),
        (
            "degree_point",
            "any",
            {"joint_partner_uscc": None},
            ("~joint_partner_uscc.13",),
            pl.col("is_joint_built") == "true",
        ),
    ):
        later.setdefault(entity, []).extend(p.spoil(entity, place, change, *rules, where=where))
    return later


def _late_parents(p: Planter) -> dict[str, list[Row]]:
    """Children that come a day before their parent. Returns the parents."""
    parents: dict[str, list[Row]] = {}
    for place in (VERSIONED, EXCHANGE):
        made = [p.new_identity("practice_project", r) for r in p.draw("practice_project", place)]
        p.child("practice_participation", made, {"project_id": _parent("project_id"), "from_on": "2026-09-20", "to_on": None, "days": "20"},
                "project_id.5", healed=2)  # fmt: skip
        parents.setdefault("practice_project", []).extend(
            {**m, "start_on": "2026-09-15", "end_on": None} for m in made
        )
    return parents


def plant_later(p: Planter) -> None:
    """New defects of any later day."""
    p.clone("thesis", VERSIONED, {"student_id": lambda r: f"{r['src_inst_code']}0000000000"}, "student_id.5")
    p.clone("commissioned_receipt", LEGACY, {"received_on": "2027-13-01"}, "received_on.2")
    p.clone(
        "course_evaluation",
        EXCHANGE,
        {"instrument_version": f"V0-{p.day}", "n4": _sum("n4", plus=3)},
        "response_cnt.11",
    )
    p.clone("employer_survey", COMMISSION, {"overall_score": "0"}, "overall_score.11")


def _changed() -> pl.Expr:
    return pl.col("revision_kind").is_in(["2", "3"])


def _first_issue() -> pl.Expr:
    return pl.col("revision_no") == "0"


def _departed() -> pl.Expr:
    return pl.col("departed_on").is_not_null()


def _submitted() -> pl.Expr:
    return pl.col("submitted_on").is_not_null()


def _held_by(kind: str) -> pl.Expr:
    return pl.col("holder_kind") == kind


def _before_2026() -> pl.Expr:
    return pl.col("sampling_year") < "2025"


def _own_achievement() -> dict:
    return {"canonical_id": lambda r: f"CQ-{r['achievement_id']}"}


def _parent(name: str):
    return lambda r: r["_p"][name]


def _from(name: str):
    return lambda r: shift_date(r[name], -30)


def _later(name: str):
    return lambda r: shift_date(r[name], 7)


def _next_ay(row: Row) -> str:
    start = int(row["frame_ay"][:4]) + 1
    return f"{start}-{start + 1}"


def _tail(row: Row, n: int) -> str:
    return row["src_record_id"][-n:]


def _wrong_check(row: Row) -> str:
    """A credit code whose check character is the one after the right one."""
    right = uscc_numbers("91", ["500000"], np.array([int(_tail(row, 9))])).item()
    return right[:-1] + USCC_LETTERS[(USCC_LETTERS.index(right[-1]) + 1) % 31]


def _award_of(point):
    """Level, type, discipline and degree code of an award, from its degree point."""

    def code(row: Row) -> str:
        _, level, kind, discipline = point(row).split("-")
        return f"{'2' if level == '1' else '3'}{'90' if kind == '2' else discipline[:2]}"

    parts = {"degree_level": 1, "degree_type": 2, "discipline_code": 3}
    return {"degree_code": code} | {
        name: (lambda r, i=i: point(r).split("-")[i]) for name, i in parts.items()
    }


def _sum(*names: str, plus: int = 0):
    return lambda r: str(sum(int(r[n]) for n in names) + plus)
