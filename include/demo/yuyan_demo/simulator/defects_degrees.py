"""Defects of theses, awards, the sampling of theses and honours that only a look at other records shows."""

import polars as pl

from yuyan_demo.simulator.defects_values import (
    GONE,
    NOBODY,
    STUDYING,
    SUBMITTED,
    award_of,
    moved,
    parent,
    unsampled,
)
from yuyan_demo.simulator.identities import Change, right_check, tail
from yuyan_demo.simulator.planting import Planter, shift_date
from yuyan_demo.simulator.products.assignment import COMMISSION, EXCHANGE, FILES, LEGACY, VERSIONED

POINT, NEW_POINT = "10611-2-1-0802", "10635-1-1-1405"
"""A degree point of long standing, and one granted in 2026."""

SAMPLED = pl.col("authority_code") != "3"
OPINION_GOOD = pl.col("opinion_code") == "2"


def plant(p: Planter, frames: dict[str, pl.DataFrame]) -> None:
    """Plant everything of day 1."""
    _theses(p, frames)
    _awards(p, frames)
    _samplings(p, frames)
    _reviews(p, frames)
    _honours(p, frames)


def _theses(p: Planter, frames: dict[str, pl.DataFrame]) -> None:
    open_text = (pl.col("confidential_level") == "0") & pl.col("title").is_not_null()
    studying = frames["student"].filter(pl.col("left_on").is_null())["student_id"].implode()
    not_yet = pl.col("submitted_on").is_null() & pl.col("student_id").is_in(studying)
    elsewhere = pl.col("degree_point_id") != POINT
    p.clone("thesis", LEGACY, {"degree_point_id": POINT}, "~degree_point_id.16", where=elsewhere)
    stranger = frames["supervisor"]["supervisor_id"][0]
    guided = frames["student_supervisor"].filter(pl.col("supervisor_id") == stranger)["student_id"]
    p.clone(
        "thesis",
        EXCHANGE,
        {"supervisor_id": stranger},
        "~supervisor_id.17",
        where=~pl.col("student_id").is_in(guided.implode()),
    )
    p.clone("thesis", FILES, {"submitted_on": "2026-12-20"}, "submitted_on.18", where=not_yet)
    p.clone("thesis", VERSIONED, {"opened_on": "2026-11-30"}, "opened_on.19", where=not_yet)
    p.clone("thesis", EXCHANGE, {"title": None}, "~title.20", where=open_text)
    p.clone("thesis", LEGACY, {"confidential_level": "1"}, "title.21", where=open_text)
    claimed = (pl.col("frontline_flag") == "true") & pl.col("frontline_evidence_code").is_in(["1", "2", "3"])
    p.clone("thesis", "any", {"enterprise_uscc": None}, "~enterprise_uscc.22", where=claimed)
    p.clone("thesis", VERSIONED, {"enterprise_uscc": NOBODY}, "enterprise_uscc.31", where=claimed)
    p.clone("thesis", LEGACY, {"enterprise_uscc": right_check}, "~enterprise_uscc.32", where=claimed)
    late = frames["commissioned_project"].sort("signed_on")["project_id"][-1]
    p.clone(
        "thesis",
        "any",
        {"source_project_id": late},
        "~source_project_id.23",
        where=SUBMITTED & (pl.col("topic_source_code") == "14") & (pl.col("submitted_on") < "2026-01-01"),
    )
    p.clone("thesis", VERSIONED, {"similarity_pct": "45.00"}, "~similarity_pct.24", where=SUBMITTED)
    academic = pl.col("degree_point_id").str.slice(8, 1) == "1"
    p.clone("thesis", EXCHANGE, {"output_kind": "2"}, "output_kind.25", where=academic)
    early = SUBMITTED & (pl.col("submitted_on") < "2026-01-01")
    p.clone("thesis", LEGACY, {"submitted_on": "2026-10-01"}, "~submitted_on.26", where=early)
    p.clone("thesis", FILES, {"opened_on": moved("submitted_on", -10)}, "~submitted_on.27", where=SUBMITTED)


def _awards(p: Planter, frames: dict[str, pl.DataFrame]) -> None:
    free = unsampled(frames)
    p.spoil(
        "degree_award",
        EXCHANGE,
        {"awarded_on": moved("awarded_on", -100)},
        "awarded_on.16",
        where=free,
        healed=None,
    )
    theses = frames["thesis"].filter(pl.col("submitted_on").is_null() & (pl.col("opened_on") < "2026-06-01"))
    waiting = p.draw("student", LEGACY, STUDYING & pl.col("student_id").is_in(theses["student_id"].implode()))
    of_student = {t["student_id"]: t for t in theses.iter_rows(named=True)}
    given: Change = {
        **{
            n: lambda r, n=n: of_student[r["_p"]["student_id"]][n]
            for n in ("student_id", "thesis_id", "degree_point_id")
        },
        **award_of(parent("degree_point_id")),
        "basis_code": lambda r: of_student[r["_p"]["student_id"]]["output_kind"],
        "awarded_on": "2026-10-01",
    }
    p.child("degree_award", waiting, given, "~student_id.17")
    there = {"degree_point_id": POINT, **award_of(lambda r: POINT)}
    p.spoil(
        "degree_award",
        VERSIONED,
        there,
        "degree_point_id.18",
        where=free & (pl.col("degree_point_id") != POINT),
        healed=None,
    )
    thesis = free & (pl.col("basis_code") == "1")
    p.spoil("degree_award", FILES, {"basis_code": "2"}, "basis_code.19", where=thesis, healed=None)
    entered = dict(frames["student"].select("student_id", "entry_on").iter_rows())
    hurried = {"awarded_on": lambda r: shift_date(entered[r["student_id"]], 300)}
    old = free & pl.col("degree_point_id").is_in(_old_points(frames).implode())
    p.spoil("degree_award", LEGACY, hurried, "awarded_on.16", "~awarded_on.21", where=old, healed=None)
    unfounded = {"degree_point_id": NEW_POINT, **award_of(lambda r: NEW_POINT)}
    p.spoil(
        "degree_award",
        "any",
        unfounded,
        "degree_point_id.18",
        "~awarded_on.22",
        where=free & (pl.col("awarded_on") < "2026-01-01"),
        healed=None,
    )
    other = {
        "degree_code": lambda r: r["degree_code"][0] + ("02" if r["discipline_code"][:2] != "02" else "03")
    }
    academic = free & (pl.col("degree_type") == "1") & ~pl.col("discipline_code").str.starts_with("14")
    p.spoil("degree_award", EXCHANGE, other, "~degree_code.23", where=academic, healed=None)


def _old_points(frames: dict[str, pl.DataFrame]) -> pl.Series:
    return frames["degree_point"].filter(pl.col("authorised_on") < "2008-01-01")["degree_point_id"]


def _samplings(p: Planter, frames: dict[str, pl.DataFrame]) -> None:
    c, entity = COMMISSION, "thesis_sampling"
    october = {"verdict_on": lambda r: f"{r['sampling_year']}-10-02", "verdict_code": "1"}
    p.clone(
        entity, c, october | {"verdict_on": "2027-01-10"}, "verdict_on.16", "~verdict_code.18", where=SAMPLED
    )
    other = frames["thesis"].filter(SUBMITTED).row(0, named=True)
    stray = {n: other[n] for n in ("thesis_id", "supervisor_id")}
    p.clone(entity, c, stray, "thesis_id.17", where=SAMPLED & (pl.col("thesis_id") != other["thesis_id"]))
    p.clone(entity, c, october, "~verdict_code.18", where=SAMPLED)
    again = {"authority_code": lambda r: "1" if r["degree_point_id"][6] == "1" else "2"}
    p.clone(entity, c, again, "award_id.19", where=SAMPLED)
    elsewhere = SAMPLED & (pl.col("degree_point_id") != POINT)
    p.clone(entity, c, {"degree_point_id": POINT}, "degree_point_id.20", where=elsewhere)
    someone = SAMPLED & (pl.col("supervisor_id") != other["supervisor_id"])
    p.clone(entity, c, {"supervisor_id": other["supervisor_id"]}, "~supervisor_id.21", where=someone)
    p.clone(entity, c, {"appeal_state": "10"}, "~appeal_state.22", where=SAMPLED)
    doctor = pl.col("authority_code") == "1"
    p.clone(entity, c, {"authority_code": "2"}, "~authority_code.23", where=doctor)
    p.clone(entity, c, {"verdict_on": "2026-10-01"}, "verdict_on.24", where=SAMPLED)
    swapped = october | {"authority_code": "2"}
    hasty = p.clone(entity, c, swapped, "verdict_code.27", "~authority_code.23", where=doctor)
    for opinion, reasons in (("2", None), ("3", None), ("4", "1")):
        review = {
            "sampling_id": parent("sampling_id"),
            "round_no": "1",
            "opinion_code": opinion,
            "reason_codes": reasons,
            "reviewed_on": lambda r: f"{r['_p']['sampling_year']}-09-01",
        }
        p.child("thesis_sampling_review", hasty, review, "sampling_id.5")
    for row in p.draw(
        entity, c, SAMPLED & (pl.col("inclusion_prob") < "0.5") & (pl.col("is_targeted") == "false")
    ):
        odd = {"stratum_code": row["stratum_code"], "inclusion_prob": "0.900000"}
        p.place(entity, p.new_identity(entity, row), odd, "~inclusion_prob.25")


def _reviews(p: Planter, frames: dict[str, pl.DataFrame]) -> None:
    c, entity = COMMISSION, "thesis_sampling_review"
    failed = frames[entity].filter(pl.col("opinion_code") == "4")["sampling_id"].implode()
    p.clone(
        entity,
        c,
        {"round_no": "2"},
        "~round_no.14",
        where=OPINION_GOOD & ~pl.col("sampling_id").is_in(failed),
    )
    for row in p.draw(entity, c, OPINION_GOOD):
        p.place(entity, p.new_identity(entity, row), {"cert_no": row["cert_no"]}, "expert_key.15")
    this_year = OPINION_GOOD & (pl.col("reviewed_on") >= "2026-01-01")
    p.clone(entity, c, {"reviewed_on": "2026-10-12"}, "~reviewed_on.16", where=this_year)
    p.clone(entity, c, {"reviewed_on": moved("reviewed_on", -800)}, "~reviewed_on.17", where=OPINION_GOOD)
    p.clone(entity, c, {"reason_codes": "1;2"}, "~reason_codes.18", where=OPINION_GOOD)


def _honours(p: Planter, frames: dict[str, pl.DataFrame]) -> None:
    student, thesis = pl.col("holder_kind") == "S", pl.col("holder_kind") == "X"
    p.clone("honour", "any", {"granted_on": "2027-03-01"}, "granted_on.12", where=thesis)
    p.clone("honour", "any", {"honour_code": "02"}, "honour_code.13", where=student)
    problems = frames["thesis_sampling"].filter(pl.col("verdict_code") == "2")["thesis_id"]
    for row, problem in zip(p.draw("honour", "any", thesis), problems, strict=False):
        copy = p.new_identity("honour", row | {"src_inst_code": problem[:5]})
        p.place("honour", copy, {"holder_id": problem}, "~holder_id.14")
    graduate = frames["student"].filter(GONE).row(0, named=True)
    theirs = {"holder_id": graduate["student_id"], "honour_code": "09"}
    p.clone(
        "honour",
        "any",
        theirs,
        "~holder_id.15",
        where=student & (pl.col("src_inst_code") != graduate["src_inst_code"]),
    )
    nobody = {
        "holder_kind": "T",
        "honour_code": "09",
        "holder_id": lambda r: f"{r['src_inst_code']}-T{tail(r, 6)}",
    }
    p.clone("honour", "any", nobody, "holder_id.16", where=student)
    p.clone("honour", "any", {"granted_on": moved("granted_on", -800)}, "~granted_on.17", where=student)
