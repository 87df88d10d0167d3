"""Defects of admissions, registrations, their events, supervisors and study abroad."""

import polars as pl

from yuyan_demo.simulator.defects_values import DEPARTED, ENDED, GONE, NOBODY, STUDYING, moved
from yuyan_demo.simulator.identities import Row, right_check, tail
from yuyan_demo.simulator.planting import PLACES, Planter
from yuyan_demo.simulator.products.assignment import EXCHANGE, FILES, LEGACY, VERSIONED

MASTER, DOCTOR = pl.col("degree_level") == "2", pl.col("degree_level") == "1"
ACADEMIC = pl.col("degree_type") == "1"
GRADUATION = pl.col("event_type") == "61"


def plant(p: Planter, frames: dict[str, pl.DataFrame]) -> None:
    """Plant everything of day 1."""
    programmes = Programmes(frames["programme"])
    _admissions(p, programmes)
    _students(p, programmes)
    _persons(p, frames)
    _events(p, programmes)
    _supervisors(p, frames)
    _supervision(p, frames)
    _abroad(p)


class Programmes:
    """Other programmes than a record's own."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self._rows = frame.select(
            "programme_id", "degree_point_id", "src_inst_code", "duration_years"
        ).to_dicts()
        self._own = {r["programme_id"]: r for r in self._rows}

    def other(self, row: Row, abroad: bool = False) -> Row:
        """One of the same length and kind of degree at another degree point: of the institution, or of another one."""
        own = self._own[row["programme_id"]]
        return next(
            r
            for r in self._rows
            if (r["src_inst_code"] != row["src_inst_code"]) is abroad
            and r["degree_point_id"] != own["degree_point_id"]
            and r["duration_years"] == own["duration_years"]
            and r["degree_point_id"][6:9] == own["degree_point_id"][6:9]
        )


def _admissions(p: Planter, programmes: Programmes) -> None:
    e = "admission"
    late = {"exam_year": "2026", "admitted_on": "2026-12-01"}
    p.clone(e, VERSIONED, late, "admitted_on.14", where=pl.col("exam_year") == "2026")
    p.clone(
        e,
        LEGACY,
        {"programme_id": lambda r: programmes.other(r)["programme_id"]},
        "programme_id.15",
        where=MASTER,
    )
    p.clone(e, EXCHANGE, {"admission_mode": "21"}, "admission_mode.16", where=DOCTOR)
    p.clone(e, VERSIONED, {"admission_mode": "40"}, "~admission_mode.17", where=MASTER & ACADEMIC)
    p.clone(e, FILES, {"special_plan_code": "01"}, "~special_plan_code.18", where=ACADEMIC)
    for row in p.draw(e, LEGACY, (pl.col("registered") == "true") & (pl.col("exam_year") == "2024")):
        twice = {"cert_no": row["cert_no"], "registered": "true"}
        p.place(e, p.new_identity(e, row), twice, "~person_key.19")
        p.note(e, row, "~person_key.19")
    p.clone(e, FILES, {"registered": "true"}, "~registered.20", where=pl.col("exam_year") < "2026")
    unplanned = {"exam_year": "2012", "admitted_on": "2012-05-10"}
    p.clone(e, EXCHANGE, unplanned, "~degree_point_id.21")
    stranger = {
        "admission_mode": "13",
        "prior_inst_code": lambda r: "10635" if r["src_inst_code"] != "10635" else "10611",
    }
    p.clone(e, VERSIONED, stranger, "~prior_inst_code.22", where=DOCTOR)


def _students(p: Planter, programmes: Programmes) -> None:
    e, fresh = "student", STUDYING & (pl.col("entry_on") >= "2025-01-01")
    gone = {"status_code": "90", "left_on": "2027-01-10"}
    p.clone(e, VERSIONED, gone, "left_on.19", "~status_code.32", where=STUDYING)
    p.clone(e, LEGACY, {"degree_level": "3"}, "degree_level.20", "degree_level.15", where=STUDYING)
    other = {"programme_id": lambda r: programmes.other(r)["programme_id"]}
    p.clone(e, FILES, other, "programme_id.21", where=STUDYING & MASTER)
    p.clone(
        e,
        EXCHANGE,
        {"nationality_code": "USA"},
        "~nationality_code.24",
        where=STUDYING & (pl.col("gatq_code") == "00"),
    )
    joint = {"is_joint_training": "true", "platform_id": None}
    p.clone(e, LEGACY, joint, "~platform_id.25", where=STUDYING)
    p.clone(e, VERSIONED, {"origin_region_code": "990000"}, "~origin_region_code.26", where=STUDYING)
    p.clone(
        e, FILES, {"expected_end_on": moved("expected_end_on", 3000)}, "~expected_end_on.27", where=STUDYING
    )
    p.clone(e, EXCHANGE, {"status_code": "40"}, "~status_code.28", where=fresh)
    overdue = {"entry_on": "2022-09-01", "expected_end_on": "2025-06-30"}
    p.clone(e, LEGACY, overdue, "~status_code.29", where=fresh & MASTER)
    endless = {
        "entry_on": "2017-09-01",
        "expected_end_on": "2020-06-30",
        "status_code": "40",
        "birth_year": "1990",
    }
    p.clone(e, VERSIONED, endless, "~entry_on.30", where=fresh & MASTER)
    p.clone(e, FILES, {"status_code": "20"}, "~status_code.31", where=STUDYING)
    p.clone(e, EXCHANGE, {"status_code": "90", "left_on": "2026-06-30"}, "~status_code.32", where=STUDYING)
    p.clone(
        e, LEGACY, {"special_programme_code": "01"}, "~special_programme_code.33", where=STUDYING & ACADEMIC
    )
    foreign = {
        n: lambda r, n=n: programmes.other(r, abroad=True)[n] for n in ("degree_point_id", "programme_id")
    }
    p.clone(e, VERSIONED, foreign, "degree_point_id.38", where=STUDYING & MASTER)


def _persons(p: Planter, frames: dict[str, pl.DataFrame]) -> None:
    """One person where there should be two, or two where there should be one."""
    e, alone = "student", _alone(frames["student"])
    here = STUDYING & alone & (pl.col("is_joint_training") == "false")
    for row in p.draw(e, VERSIONED, here):
        p.keep(row)
        p.place(e, p.new_identity(e, row), {"cert_no": row["cert_no"]}, "person_key.22")
    elsewhere = (i for row in p.draw(e, FILES, here) for i in (row,))
    for row in elsewhere:
        there = PLACES[LEGACY][0]
        for copy in p.draw(e, there, here)[:1]:
            same = {"cert_no": row["cert_no"], "birth_year": row["birth_year"]}
            p.place(e, p.new_identity(e, copy), same, "~person_key.23")
            p.note(e, row, "~person_key.23")
    for row, copy in zip(p.draw(e, EXCHANGE, GONE & alone), p.draw(e, EXCHANGE, here), strict=False):
        younger = {"cert_no": row["cert_no"], "birth_year": str(int(row["birth_year"]) + 2)}
        p.place(e, p.new_identity(e, copy), younger, "~birth_year.34")
        p.note(e, row, "~birth_year.34")


def _alone(frame: pl.DataFrame) -> pl.Expr:
    """Records whose person has no other record of the entity."""
    return pl.col("cert_no").is_in(frame.filter(pl.col("cert_no").is_unique())["cert_no"].implode())


def _events(p: Planter, programmes: Programmes) -> None:
    e, early = "student_status_event", GRADUATION & (pl.col("event_on") < "2026-06-01")
    p.clone(e, VERSIONED, {"event_on": "2027-01-05"}, "event_on.15", "~event_on.16", where=early)
    p.clone(e, LEGACY, {"event_on": "2026-10-01"}, "~event_on.16", where=early)
    dropped = {"event_type": "31", "event_on": moved("event_on", -100)}
    p.clone(e, FILES, dropped, "~event_on.17", "event_type.20", where=early)
    moving = early & pl.col("student_id").str.slice(9, 1).eq("2")
    for abroad, rules in (
        (True, ("to_programme_id.18", "~to_programme_id.19")),
        (False, ("~to_programme_id.19",)),
    ):
        for row in p.draw(e, EXCHANGE, moving):
            own = p.sound("student", pl.col("student_id") == row["student_id"])
            to = {"event_type": "23", "to_programme_id": programmes.other(own, abroad)["programme_id"]}
            p.place(e, p.new_identity(e, row), to, *rules)
    p.clone(e, LEGACY, {"event_type": "62"}, "event_type.20", where=early)


def _supervisors(p: Planter, frames: dict[str, pl.DataFrame]) -> None:
    e, campus, mentor, expert = "supervisor", *(pl.col("supervisor_kind") == k for k in "123")
    p.clone(e, VERSIONED, {"inst_code": None}, "inst_code.14", where=campus)
    p.clone(e, LEGACY, {"employer_region_code": None}, "~employer_region_code.15", where=expert)
    p.clone(e, FILES, {"employer_region_code": "990000"}, "~employer_region_code.16", where=expert)
    p.clone(e, EXCHANGE, {"employer_region_code": "540000"}, "~employer_region_code.17", where=mentor)
    p.clone(e, VERSIONED, {"employer_uscc": NOBODY}, "employer_uscc.23", where=mentor)
    p.clone(e, FILES, {"employer_uscc": right_check}, "~employer_uscc.24", where=mentor)
    p.clone(e, VERSIONED, {"employer_region_code": "500106"}, "~employer_region_code.18", where=expert)
    p.clone(
        e, LEGACY, {"qualification_code": "1", "title_code": "013"}, "~qualification_code.19", where=campus
    )
    own = campus & pl.col("qualification_code").is_in(["1", "2"]) & (pl.col("status_code") == "10")
    own &= _alone(frames[e])
    for row in p.draw(e, FILES, own):
        p.place(e, p.new_identity(e, row), {"cert_no": row["cert_no"]}, "~person_key.20")
        p.keep(row)
    for row in p.draw(e, VERSIONED, own):
        for copy in p.draw(e, PLACES[LEGACY][1], own)[:1]:
            p.place(e, p.new_identity(e, copy), {"cert_no": row["cert_no"]}, "~person_key.21")
            p.note(e, row, "~person_key.21")
    here = (pl.col("src_inst_code") == "10611") & (pl.col("status_code") == "10")
    crowd = frames["student"].filter(here).head(31)
    for student in crowd.iter_rows(named=True):
        p.keep(student)
    for row in p.draw(e, "10611", own):
        burdened = p.place(e, p.new_identity(e, row), {}, "~supervisor_id.22")
        template = p.sound(
            "student_supervisor", (pl.col("src_inst_code") == "10611") & (pl.col("role_code") == "20")
        )
        for student in crowd["student_id"]:
            link = {
                "student_id": student,
                "supervisor_id": burdened["supervisor_id"],
                "from_on": "2026-10-01",
                "to_on": None,
            }
            p.place("student_supervisor", p.new_identity("student_supervisor", template), link)


def _supervision(p: Planter, frames: dict[str, pl.DataFrame]) -> None:
    e, first, second, third = "student_supervisor", *(pl.col("role_code") == r for r in ("10", "20", "30"))
    open_end, of_master = pl.col("to_on").is_null(), pl.col("student_id").str.slice(9, 1) == "2"
    people = frames["supervisor"]
    departed = people.filter(pl.col("status_code") == "90")
    active = ~pl.col("supervisor_id").is_in(departed["supervisor_id"].implode())
    p.clone(e, VERSIONED, {"from_on": "2027-01-01"}, "from_on.13", where=second & open_end)
    forgotten = {"from_on": moved("from_on", 1), "to_on": None}
    p.clone(e, "any", forgotten, "~to_on.14", where=second & ENDED & active)
    again = {"from_on": moved("from_on", 20)}
    long_since = first & open_end & (pl.col("from_on") < "2026-09-01")
    p.clone(e, EXCHANGE, again, "~role_code.15", where=long_since)
    p.clone(
        e, "any", {"role_code": "10"}, "~role_code.15", "~role_code.16", where=third & open_end & of_master
    )
    p.clone(e, "any", {"role_code": "30"}, "~role_code.17", where=second & open_end)
    masters_only = people.filter((pl.col("qualification_code") == "2") & (pl.col("status_code") == "10"))
    by_inst = dict(masters_only.select("src_inst_code", "supervisor_id").iter_rows())
    unfit = {"supervisor_id": lambda r: by_inst[r["src_inst_code"]]}
    p.clone(e, VERSIONED, unfit, "~role_code.15", "~supervisor_id.18", where=first & open_end & ~of_master)
    inst, left = departed.select("src_inst_code", "supervisor_id").row(0)
    p.clone(e, inst, {"supervisor_id": left, "role_code": "20"}, "~supervisor_id.19", where=first & open_end)


def _abroad(p: Planter) -> None:
    e, known = "overseas_study", pl.col("student_id").is_not_null()
    p.clone(e, "any", {"departed_on": None}, "returned_on.12", where=pl.col("returned_on").is_not_null())
    p.clone(e, "any", {"returned_on": "2027-02-01"}, "selected_on.13", where=DEPARTED)
    p.clone(e, "any", {"country_code": "CHN"}, "country_code.14")
    p.clone(e, "any", {"cert_no": lambda r: f"500103199603{tail(r, 6)}"}, "person_key.15", where=known)
    p.clone(e, "any", {"selected_on": "2001-01-01"}, "~selected_on.16", where=known)
    p.clone(e, "any", {"credits_recognised": "90.0"}, "~credits_recognised.17")
