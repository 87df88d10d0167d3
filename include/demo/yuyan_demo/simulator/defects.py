"""What is wrong at the sources: more than a hundred different findings over levels 1–4, each with the rules that catch it.

Most are extra records, so that sound ones stay; some sound records are spoiled and corrected a day later. A rule written
`~name` is a warning. A place is a product, an institution, or `any`; malformed dates and numbers go where text travels.
"""

import polars as pl

from yuyan_demo.simulator import (
    defects_catalogue,
    defects_degrees,
    defects_industry,
    defects_links,
    defects_outcomes,
    defects_ownership,
    defects_people,
)
from yuyan_demo.simulator.defects_catalogue import GRANTS_BACHELOR
from yuyan_demo.simulator.defects_values import (
    CHANGED,
    DEPARTED,
    ENDED,
    FIRST_ISSUE,
    GONE,
    STUDYING,
    SUBMITTED,
    added,
    moved,
)
from yuyan_demo.simulator.identities import tail
from yuyan_demo.simulator.planting import Planter, Row
from yuyan_demo.simulator.products.assignment import COMMISSION, EXCHANGE, FILES, LEGACY, VERSIONED


def plant(p: Planter, frames: dict[str, pl.DataFrame]) -> dict[str, list[Row]]:
    """Plant everything of day 1. Returns per entity the rows that day 2 brings: corrections, and parents that come late."""
    _fields(p)
    _numbers(p)
    _students(p)
    _records(p)
    defects_links.references(p, frames)
    defects_links.awards(p, defects_links.award_hosts(frames))
    defects_links.employment(p, defects_links.employment_hosts(frames))
    defects_links.municipal(p)
    defects_links.twins(p)
    defects_catalogue.plant(p, frames)
    defects_people.plant(p, frames)
    defects_degrees.plant(p, frames)
    defects_outcomes.plant(p, frames)
    defects_industry.plant(p, frames)
    defects_ownership.plant(p)
    later = defects_links.spoiled(p)
    for entity, rows in defects_links.late_parents(p, frames).items():
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
    abroad = pl.col("client_kind") == "50"
    p.clone(
        "commissioned_project", "any", {"client_country_code": "CN1"}, "client_country_code.3", where=abroad
    )
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
        where=CHANGED,
    )
    p.clone("programme", EXCHANGE, {"duration_years": "9.0"}, "duration_years.11")
    p.clone(
        "admission_plan",
        LEGACY,
        {"plan_quota": "-3"},
        "plan_quota.11",
        where=FIRST_ISSUE,
    )
    p.clone("achievement", VERSIONED, {"share": "1.2000"}, "share.11", "~share.12")
    p.clone("achievement", "any", {"share": "0.7000"}, "~share.12")
    negative = {"instrument_version": "V0", "n1": "-1", "n2": added("n1", "n2", plus=1)}
    p.clone("course_evaluation", VERSIONED, negative, "n1.13")
    p.clone(
        "course_evaluation",
        VERSIONED,
        {"instrument_version": "V0", "n5": added("n5", plus=2)},
        "response_cnt.11",
    )
    few = {"instrument_version": "V0", "eligible_cnt": added("response_cnt", plus=-1)}
    p.clone("course_evaluation", EXCHANGE, few, "response_cnt.12", where=pl.col("response_cnt") != "0")


def _students(p: Planter) -> None:
    """Registrations whose fields contradict each other."""
    p.clone(
        "student",
        EXCHANGE,
        {"expected_end_on": moved("entry_on", -30)},
        "expected_end_on.11",
        where=STUDYING,
    )
    before = GONE & (pl.col("entry_on") < "2025-01-01")
    p.clone("student", VERSIONED, {"left_on": moved("entry_on", -10)}, "left_on.13", where=before)
    p.clone("student", FILES, {"left_on": None}, "left_on.12", where=GONE)
    p.clone("student", LEGACY, {"left_on": "2026-06-30"}, "left_on.14", where=STUDYING)
    p.clone("student", VERSIONED, {"birth_year": "1900"}, "~birth_year.16", where=STUDYING)
    future = {"entry_on": "2027-09-01", "expected_end_on": "2030-06-30"}
    p.clone("student", VERSIONED, future, "entry_on.17", where=STUDYING & (pl.col("degree_level") == "2"))
    doctor = {"degree_level": "1"}
    p.clone("student", LEGACY, doctor, "degree_level.15", where=STUDYING & (pl.col("degree_level") == "2"))
    applicant = doctor | {"admission_mode": "11"}
    p.clone("admission", VERSIONED, applicant, "degree_level.12", where=pl.col("degree_level") == "2")
    p.clone(
        "admission", FILES, {"admission_mode": "11"}, "admission_mode.13", where=pl.col("degree_level") == "2"
    )
    p.clone(
        "admission",
        EXCHANGE,
        {"admitted_on": lambda r: f"{int(r['exam_year']) + 1}-05-10"},
        "admitted_on.11",
        where=pl.col("exam_year") < "2026",
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
        {"departed_on": moved("selected_on", -9)},
        "departed_on.11",
        where=DEPARTED,
    )


def _records(p: Planter) -> None:
    """Records of teaching and industry whose fields contradict each other."""
    before = {"to_on": moved("from_on", -4)}
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
    p.clone("course", LEGACY, {"active_to": "1999-01-01"}, "active_to.13", where=pl.col("is_core") == "false")
    p.clone(
        "course_revision",
        EXCHANGE,
        {"changed_content_ratio": None},
        "changed_content_ratio.11",
        where=CHANGED,
    )
    p.clone(
        "thesis",
        VERSIONED,
        {"submitted_on": moved("opened_on", -2)},
        "submitted_on.11",
        where=SUBMITTED,
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
    recent = pl.col("received_on") > "2020-01-01"
    p.clone("commissioned_receipt", VERSIONED, {"received_on": "2027-03-01"}, "received_on.13", where=recent)
    p.clone("commissioned_receipt", LEGACY, {"received_on": "2009-03-01"}, "~received_on.12")
    p.clone(
        "student_supervisor",
        VERSIONED,
        {"from_on": moved("from_on", 7), "to_on": moved("from_on", -30)},
        "to_on.11",
        where=ENDED,
    )
    early = {"from_on": moved("from_on", -90)}
    p.clone("student_supervisor", FILES, early, "~from_on.12", where=pl.col("role_code") == "20")
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
        {"degree_point_id": lambda r: f"{r['inst_code']}-3-9-{tail(r, 6)}"},
        "degree_point_id.11",
        where=GRANTS_BACHELOR,
    )
    wrong_type = {
        "degree_type": "2",
        "degree_point_id": lambda r: f"{r['inst_code']}-{r['degree_level']}-2-{r['discipline_code']}",
    }
    p.clone(
        "degree_point",
        VERSIONED,
        wrong_type,
        "discipline_code.14",
        where=(pl.col("degree_type") == "1") & GRANTS_BACHELOR,
    )


def plant_later(p: Planter) -> None:
    """New defects of any later day."""
    p.clone("thesis", VERSIONED, {"student_id": lambda r: f"{r['src_inst_code']}0000000000"}, "student_id.5")
    p.clone("commissioned_receipt", LEGACY, {"received_on": "2027-13-01"}, "received_on.2")
    p.clone(
        "course_evaluation",
        EXCHANGE,
        {"instrument_version": f"V0-{p.day}", "n4": added("n4", plus=3)},
        "response_cnt.11",
    )
    p.clone("employer_survey", COMMISSION, {"overall_score": "0"}, "overall_score.11")
