"""Defects between records: references, cascades, twins, awards, destinations; and those in the commission's files."""

from collections.abc import Iterator

import polars as pl

from yuyan_demo.simulator.defects_ownership import REPORTED_ELSEWHERE
from yuyan_demo.simulator.defects_values import (
    BEFORE_2025,
    ENDED,
    NOBODY,
    STUDYING,
    added,
    award_of,
    moved,
    neighbour,
    next_ay,
    parent,
    wrong_check,
)
from yuyan_demo.simulator.identities import right_check, tail
from yuyan_demo.simulator.planting import PLACES, Planter, Row
from yuyan_demo.simulator.products.assignment import COMMISSION, EXCHANGE, FILES, LEGACY, VERSIONED

_PAST = (pl.lit("2016-01-01"), pl.lit("2025-12-01"))


def references(p: Planter, frames: dict[str, pl.DataFrame]) -> None:
    """Records that point to nothing, to something that is not accepted, or to something that contradicts them."""
    for place in (VERSIONED, LEGACY, EXCHANGE):
        p.clone("thesis", place, {"student_id": lambda r: f"{r['src_inst_code']}0000000000"}, "student_id.5")
    p.clone("thesis", FILES, {"opened_on": "2001-10-01", "submitted_on": None}, "~opened_on.15")
    nothing = {"topic_source_code": "14", "source_project_id": lambda r: f"{r['src_inst_code']}-H00000000"}
    p.clone("thesis", VERSIONED, nothing, "~source_project_id.12", where=pl.col("frontline_flag") == "false")
    unknown = {"course_id": lambda r: f"{r['src_inst_code']}-C99999", "revision_id": None}
    p.clone("course_offering", EXCHANGE, unknown, "course_id.5")
    p.clone(
        "honour",
        VERSIONED,
        {"holder_id": lambda r: f"{r['src_inst_code']}0000000001"},
        "holder_id.11",
        where=pl.col("holder_kind") == "S",
    )
    p.clone(
        "honour",
        LEGACY,
        {"holder_id": lambda r: f"{r['src_inst_code']}-T0000000001"},
        "holder_id.11",
        where=pl.col("holder_kind") == "X",
    )
    p.clone(
        "achievement", VERSIONED, {"lead_inst_code": "10698", "share": "0.3000"}
    )  # led from elsewhere: sound
    p.clone(
        "org_unit",
        VERSIONED,
        {"unit_code": lambda r: f"9X{tail(r, 4)}", "parent_unit_code": "999"},
        "parent_unit_code.11",
    )
    p.clone("student", EXCHANGE, {"unit_code": "ZZ9"}, "unit_code.5", where=STUDYING)
    p.clone("practice_project", "10617", {"inst_code": "10611"}, "inst_code.7")
    finished = {
        "student_id": parent("student_id"),
        "event_type": "61",
        "event_on": "2026-09-20",
        "to_programme_id": None,
    }
    p.child("student_status_event", p.draw("student", LEGACY, STUDYING), finished, "event_type.13")
    employer = ("employer_uscc", "employer_kind_code", "industry_code", "cluster_code", "is_key_post")
    freelance = {"destination_code": "76", "region_code": "510000", **dict.fromkeys(employer)}
    placed = {"student_id": parent("student_id"), "grad_year": "2025", "status_on": "2025-12-31", **freelance}
    p.child("employment", p.draw("student", EXCHANGE, STUDYING), placed, "student_id.14")
    suspended = frames["student_status_event"].filter(pl.col("event_type") == "11")["student_id"]
    never = ~pl.col("student_id").is_in(suspended.implode()) & (pl.col("event_type") == "61")
    p.clone("student_status_event", VERSIONED, {"event_type": "12"}, "~event_type.14", where=never)
    early = {"from_on": moved("from_on", -3000), "to_on": None}
    p.clone("practice_participation", EXCHANGE, early, "~from_on.15", "from_on.16")
    bad = p.clone("practice_project", LEGACY, {"end_on": moved("start_on", -1)}, "end_on.12")
    p.child("practice_participation", bad, {"project_id": parent("project_id")}, "project_id.5")
    bad = p.clone(
        "commissioned_project",
        VERSIONED,
        {"contract_no_digest": lambda r: f"ABC{tail(r, 6)}"},
        "contract_no_digest.3",
    )
    p.child("commissioned_receipt", bad, {"project_id": parent("project_id")}, "project_id.5")
    bad = p.clone(
        "student", VERSIONED, {"degree_type": "3"}, "degree_type.4", "degree_level.15", where=STUDYING
    )
    sound = {"student_id": parent("student_id"), "degree_point_id": parent("degree_point_id")}
    theses = p.child("thesis", bad, sound, "student_id.5")
    award = {**sound, "thesis_id": parent("thesis_id"), **award_of(parent("degree_point_id"))}
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
        row |= {name: make(row) for name, make in award_of(lambda r: r["degree_point_id"]).items()}
        row |= {
            "awarded_on": thesis["submitted_on"],
            "award_id": f"{row['src_inst_code']}-AX{thesis['src_record_id']}",
            "basis_code": thesis["output_kind"],
        }
        yield row


def awards(p: Planter, hosts: Iterator[Row]) -> None:
    wrong = {"degree_code": lambda r: ("2" if r["degree_level"] == "2" else "3") + r["degree_code"][1:]}
    p.host("degree_award", hosts, wrong, "degree_code.14")
    p.host("degree_award", hosts, {"awarded_on": "2027-06-20"}, "awarded_on.11")
    p.host("degree_award", hosts, {"discipline_code": neighbour}, "degree_point_id.12")
    other = next(hosts)["thesis_id"]
    p.host("degree_award", hosts, {"thesis_id": other, "awarded_on": "2026-10-01"}, "thesis_id.13")
    p.host("degree_award", hosts, REPORTED_ELSEWHERE, "student_id.25")
    p.host("degree_award", hosts, {"student_id": None}, "student_id.26", "thesis_id.13")


def employment_hosts(frames: dict[str, pl.DataFrame]) -> Iterator[Row]:
    """Sound destinations of students who dropped out: they left, and nobody asked where to."""
    masters = frames["student"].filter(pl.col("degree_level") == "2")["student_id"].implode()
    dropped = frames["student_status_event"].filter(
        (pl.col("event_type") == "31")
        & pl.col("event_on").is_between(*_PAST)
        & pl.col("student_id").is_in(masters)
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


def employment(p: Planter, hosts: Iterator[Row]) -> None:
    online = (h for h in hosts if h["src_inst_code"] not in PLACES[LEGACY])
    p.host("employment", online, {"destination_code": "99"}, "destination_code.4")
    p.host("employment", online, {"employer_uscc": None}, "employer_uscc.11")
    p.host("employment", online, {"region_code": None}, "region_code.12")
    nowhere = {"region_code": lambda r: "500199" if r["region_code"].startswith("50") else "990101"}
    p.host("employment", online, nowhere, "region_code.15")
    p.host("employment", online, {"grad_year": added("grad_year", plus=-1)}, "status_on.13", "~grad_year.28")
    gone_on = {"destination_code": "801", "is_key_post": None}
    p.host("employment", online, gone_on, "employer_uscc.16", "~employer_kind_code.37")
    p.host("employment", online, REPORTED_ELSEWHERE, "student_id.33")
    p.host("employment", online, {"employer_uscc": NOBODY}, "employer_uscc.34")
    p.host("employment", online, {"employer_uscc": right_check}, "~employer_uscc.35")


def municipal(p: Planter) -> None:
    """Defects in the commission's own files."""
    sampled, c = pl.col("authority_code") != "3", COMMISSION
    p.clone("thesis_sampling", c, {"inclusion_prob": "1.500000"}, "inclusion_prob.11", where=sampled)
    undated = {"verdict_code": "1", "verdict_on": None}
    p.clone("thesis_sampling", c, undated, "verdict_on.13", "~verdict_code.18", where=sampled)
    early = sampled & BEFORE_2025
    next_year = {"sampling_year": added("sampling_year", plus=1)}
    p.clone("thesis_sampling", c, next_year, "sampling_year.14", where=early)
    p.clone("thesis_sampling", c, next_year | {"frame_ay": next_ay}, "frame_ay.12", where=early)
    p.clone("thesis_sampling", c, {"award_id": "50000-A0"}, "award_id.5", where=sampled)
    bad = p.clone("thesis_sampling", c, {"sampling_year": "二〇二五"}, "sampling_year.2", where=sampled)
    problem = {"verdict_code": "2", "verdict_on": lambda r: f"{r['sampling_year']}-10-09"}
    bad += p.clone("thesis_sampling", c, problem, "verdict_code.15", "~verdict_code.18", where=sampled)
    review = {
        "sampling_id": parent("sampling_id"),
        "round_no": "1",
        "opinion_code": "2",
        "reason_codes": None,
    }
    p.child("thesis_sampling_review", bad, review, "sampling_id.5")
    good = pl.col("opinion_code") == "2"
    p.clone("thesis_sampling_review", c, {"round_no": "3"}, "round_no.11", where=good)
    late = ("reviewed_on.13", "~reviewed_on.16", "~reviewed_on.17")
    old = good & (pl.col("reviewed_on") < "2025-01-01")
    p.clone("thesis_sampling_review", c, {"reviewed_on": "2027-02-01"}, *late, where=old)
    p.clone("thesis_sampling_review", c, {"opinion_code": "7"}, "opinion_code.4", where=good)
    p.clone("enterprise", c, {"uscc": wrong_check}, "uscc.11")
    p.clone("enterprise", c, {"region_code": "990000"}, "region_code.12")
    p.clone("institution", c, {"uscc": wrong_check}, "uscc.11")
    p.clone("discipline_cluster_map", c, {"strength": "1.500"}, "strength.11")
    p.clone(
        "list_milestone", c, {"progress_pct": "120.00"}, "progress_pct.11", where=pl.col("done_on").is_null()
    )
    p.clone(
        "list_milestone", c, {"evidence_uri": None}, "~evidence_uri.12", where=pl.col("done_on").is_not_null()
    )
    p.clone("employer_survey", c, {"overall_score": "7"}, "overall_score.11")
    p.clone("employer_survey", c, {"design_weight": "0.0000"}, "design_weight.12")
    p.clone("urgent_discipline_list", c, {"valid_to": "1940-12-31"}, "valid_to.11")
    p.clone("institution", c, {"valid_to": "1990-01-01"}, "valid_to.12")
    p.clone(
        "list_item",
        c,
        {
            "list_item_id": "X15",
            "list_kind": "X",
            "qty_unit": "个",
            "qty_min": "9",
            "qty_max": "3",
        },
        "qty_max.11",
    )
    p.clone("talent_demand", c, {"headcount": "-20"}, "headcount.11")
    p.clone("talent_demand", c, {"cluster_code": "Q99"}, "cluster_code.4", "~discipline_code.15")
    p.clone("degree_point_event", c, {"event_on": "2027-05-01"}, "event_on.11")
    stray = {"event_type": "12", "event_on": "2026-05-05", "urgent_list_id": "50000-Z3-2025-0802-1"}
    p.clone(
        "degree_point_event",
        c,
        stray,
        "urgent_list_id.12",
        "~event_on.14",
        where=~pl.col("degree_point_id").str.ends_with("0802"),
    )


def twins(p: Planter) -> None:
    """Two records with one natural key: the one with the greater record id fails."""
    p.twin("admission", VERSIONED, "key.6")
    p.twin("course", EXCHANGE, "key.6")
    p.twin("practice_participation", LEGACY, "key.6", "student_id.22")
    p.twin("employer_survey", COMMISSION, "key.6")
    p.twin("degree_award", VERSIONED, "student_id.15", "thesis_id.20", key="award_id")


def spoiled(p: Planter) -> dict[str, list[Row]]:
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
        ("course_evaluation", LEGACY, {"n5": added("n5", plus=1)}, ("response_cnt.11",), None),
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


def late_parents(p: Planter, frames: dict[str, pl.DataFrame]) -> dict[str, list[Row]]:
    """Children that come a day before their parent. Returns the parents."""
    parents: dict[str, list[Row]] = {}
    studying = dict(frames["student"].filter(STUDYING).select("src_inst_code", "student_id").iter_rows())
    for place in (VERSIONED, EXCHANGE):
        made = [p.new_identity("practice_project", r) for r in p.draw("practice_project", place)]
        early = {
            "project_id": parent("project_id"),
            "student_id": lambda r: studying[r["src_inst_code"]],
            "from_on": "2026-09-20",
            "to_on": None,
            "days": "20",
        }
        p.child("practice_participation", made, early, "project_id.5", healed=2)
        parents.setdefault("practice_project", []).extend(
            {**m, "start_on": "2026-09-15", "end_on": None} for m in made
        )
    return parents
