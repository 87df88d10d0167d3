"""Stories about admissions, registrations, supervisors."""

import polars as pl

from yuyan_demo.simulator.defects_values import (
    GONE,
    STUDYING,
    parent,
)
from yuyan_demo.simulator.planting import PLACES
from yuyan_demo.simulator.products.assignment import EXCHANGE, FILES, LEGACY, VERSIONED
from yuyan_demo.simulator.stories.base import MASTER, Stories, alone


class People(Stories):
    def admission_to_another_points_programme(self) -> None:
        """The programme belongs to another degree point of the institution."""
        change = {"programme_id": lambda r: self.programmes.other(r)["programme_id"]}
        self.p.clone("admission", LEGACY, change, "programme_id.15", where=MASTER)

    def registration_in_another_points_programme(self) -> None:
        """The same of a registration."""
        change = {"programme_id": lambda r: self.programmes.other(r)["programme_id"]}
        self.p.clone("student", FILES, change, "programme_id.21", where=STUDYING & MASTER)

    def registration_at_another_institutions_point(self) -> None:
        """Degree point and programme belong to another institution."""
        foreign = {
            n: lambda r, n=n: self.programmes.other(r, abroad=True)[n]
            for n in ("degree_point_id", "programme_id")
        }
        self.p.clone("student", VERSIONED, foreign, "degree_point_id.38", where=STUDYING & MASTER)

    def persons_twice(self) -> None:
        """One person where there should be two, or two where there should be one."""
        e, p, only = "student", self.p, alone(self.frames["student"])
        here = STUDYING & only & (pl.col("is_joint_training") == "false")
        for row in p.draw(e, VERSIONED, here):
            p.keep(row)
            p.place(e, p.new_identity(e, row), {"cert_no": row["cert_no"]}, "person_key.22")
        for row in p.draw(e, FILES, here):
            for copy in p.draw(e, PLACES[LEGACY][0], here)[:1]:
                same = {"cert_no": row["cert_no"], "birth_year": row["birth_year"]}
                p.place(e, p.new_identity(e, copy), same, "person_key.23")
                p.note(e, row, "person_key.23")
        for row, copy in zip(p.draw(e, EXCHANGE, GONE & only), p.draw(e, EXCHANGE, here), strict=False):
            younger = {"cert_no": row["cert_no"], "birth_year": str(int(row["birth_year"]) + 2)}
            p.place(e, p.new_identity(e, copy), younger, "birth_year.34")
            p.note(e, row, "birth_year.34")

    def transfers(self) -> None:
        """A transfer to another institution's programme, and one that the registration does not show."""
        e, p = "student_status_event", self.p
        early = (pl.col("event_type") == "61") & (pl.col("event_on") < "2026-06-01")
        moving = early & pl.col("student_id").str.slice(9, 1).eq("2")
        for abroad, rules in (
            (True, ("to_programme_id.18", "to_programme_id.19")),
            (False, ("to_programme_id.19",)),
        ):
            for row in p.draw(e, EXCHANGE, moving):
                own = p.sound("student", pl.col("student_id") == row["student_id"])
                to = {
                    "event_type": "23",
                    "to_programme_id": self.programmes.other(own, abroad)["programme_id"],
                }
                p.place(e, p.new_identity(e, row), to, *rules)

    def supervisors_twice_and_a_burdened_one(self) -> None:
        """One person as two supervisors, here and at two institutions; and one with more students than anybody can guide."""
        e, p = "supervisor", self.p
        own = (
            (pl.col("supervisor_kind") == "1")
            & pl.col("qualification_code").is_in(["1", "2"])
            & (pl.col("status_code") == "10")
            & alone(self.frames[e])
        )
        for row in p.draw(e, FILES, own):
            p.place(e, p.new_identity(e, row), {"cert_no": row["cert_no"]}, "person_key.20")
            p.keep(row)
        for row in p.draw(e, VERSIONED, own):
            for copy in p.draw(e, PLACES[LEGACY][1], own)[:1]:
                p.place(e, p.new_identity(e, copy), {"cert_no": row["cert_no"]}, "person_key.21")
                p.note(e, row, "person_key.21")
        here = (pl.col("src_inst_code") == "10611") & (pl.col("status_code") == "10")
        crowd = self.frames["student"].filter(here).head(31)
        for student in crowd.iter_rows(named=True):
            p.keep(student)
        for row in p.draw(e, "10611", own):
            burdened = p.place(e, p.new_identity(e, row), {}, "supervisor_id.22")
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

    def unfit_and_departed_supervisors(self) -> None:
        """A doctoral student guided by somebody for masters only, and one by somebody who has left."""
        e, open_end = "student_supervisor", pl.col("to_on").is_null()
        first, of_master = pl.col("role_code") == "10", pl.col("student_id").str.slice(9, 1) == "2"
        people = self.frames["supervisor"]
        masters_only = people.filter((pl.col("qualification_code") == "2") & (pl.col("status_code") == "10"))
        by_inst = dict(masters_only.select("src_inst_code", "supervisor_id").iter_rows())
        unfit = {"supervisor_id": lambda r: by_inst[r["src_inst_code"]]}
        rules = ("role_code.15", "supervisor_id.18")
        self.p.clone(e, VERSIONED, unfit, *rules, where=first & open_end & ~of_master)
        departed = people.filter(pl.col("status_code") == "90")
        inst, left = departed.select("src_inst_code", "supervisor_id").row(0)
        change = {"supervisor_id": left, "role_code": "20"}
        self.p.clone(e, inst, change, "supervisor_id.19", where=first & open_end)

    def graduates_still_in_study(self) -> None:
        """A graduation and a destination of students whose registration says that they study."""
        p = self.p
        finished = {
            "student_id": parent("student_id"),
            "event_type": "61",
            "event_on": "2026-09-20",
            "to_programme_id": None,
        }
        p.child("student_status_event", p.draw("student", LEGACY, STUDYING), finished, "event_type.13")
        employer = ("employer_uscc", "employer_kind_code", "industry_code", "cluster_code", "is_key_post")
        freelance = {"destination_code": "76", "region_code": "510000", **dict.fromkeys(employer)}
        placed = {
            "student_id": parent("student_id"),
            "grad_year": "2025",
            "status_on": "2025-12-31",
            **freelance,
        }
        p.child("employment", p.draw("student", EXCHANGE, STUDYING), placed, "student_id.14")
