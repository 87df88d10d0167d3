"""Stories about units, degree points, programmes, plans, courses, lists."""

import polars as pl

from yuyan_demo.simulator.catalogue import seed_table
from yuyan_demo.simulator.defects_values import (
    GRANTS_BACHELOR,
)
from yuyan_demo.simulator.identities import Row, tail
from yuyan_demo.simulator.products.assignment import COMMISSION, EXCHANGE, FILES, LEGACY, VERSIONED
from yuyan_demo.simulator.stories.base import Stories


class Organisation(Stories):
    def circle_of_units(self) -> None:
        """Two units, each the parent of the other."""
        for row in self.p.draw("org_unit", EXCHANGE):
            one, two = (self.p.new_identity("org_unit", row) for _ in range(2))
            self.p.place("org_unit", one, {"parent_unit_code": two["unit_code"]}, "parent_unit_code.13")
            self.p.place("org_unit", two, {"parent_unit_code": one["unit_code"]}, "parent_unit_code.13")

    def doctoral_point_of_a_masters_discipline(self) -> None:
        """A discipline of the catalogue in which no doctors are awarded."""
        codes = seed_table("discipline").filter(pl.col("allowed_levels") == "master")["code"]

        def masters_only(row: Row) -> str:
            return codes[int(tail(row, 6)) % len(codes)]

        doctoral = {
            "degree_level": "1",
            "degree_type": "2",
            "discipline_code": masters_only,
            "degree_point_id": lambda r: f"{r['inst_code']}-1-2-{masters_only(r)}",
        }
        self.p.clone("degree_point", "10611", doctoral, "discipline_code.19")

    def revoked_point_in_force(self) -> None:
        """A degree point that says it is in force, beside the event that revoked it."""
        for point in self.p.clone("degree_point", FILES, {}, "status_code.23", where=GRANTS_BACHELOR):
            for event in self.p.draw("degree_point_event", COMMISSION)[:1]:
                revoked = {"degree_point_id": point["degree_point_id"], "event_type": "22"}
                self.p.place("degree_point_event", self.p.new_identity("degree_point_event", event), revoked)

    def plans_that_do_not_fit(self) -> None:
        """A quota of nobody where students came, and a quota of a point that is closed."""
        group = ("degree_point_id", "plan_year", "study_mode")
        came = self.frames["admission"].filter(pl.col("registered") == "true")
        filled = came.select(pl.concat_str("degree_point_id", "exam_year", "study_mode"))["degree_point_id"]
        plans = self.frames["admission_plan"]
        once = plans.filter(pl.struct(group).is_unique()).select(pl.concat_str(group))["degree_point_id"]
        where = pl.concat_str(group).is_in(filled.implode()) & pl.concat_str(group).is_in(once.implode())
        self.p.clone("admission_plan", VERSIONED, {"plan_quota": "0"}, "plan_quota.16", where=where)
        closed = self.frames["degree_point"].filter(pl.col("status_code").is_in(["30", "80", "90"]))
        inst, point = closed.select("src_inst_code", "degree_point_id").row(0)
        still = {"plan_year": "2026", "issued_on": "2026-03-15", "degree_point_id": point}
        self.p.clone("admission_plan", inst, still, "plan_quota.17")

    def offering_of_another_courses_revision(self) -> None:
        """The revision named is one of another course of the institution."""
        revisions = self.frames["course_revision"].iter_rows(named=True)
        other = {r["src_inst_code"]: (r["course_id"], r["revision_id"]) for r in revisions}
        foreign = ~pl.col("course_id").is_in([course for course, _ in other.values()])
        change = {"revision_id": lambda r: other[r["src_inst_code"]][1]}
        self.p.clone("course_offering", LEGACY, change, "revision_id.15", where=foreign)

    def clusters_alike(self) -> None:
        """Two clusters of one name, and one cluster in two layers."""
        e, p = "cluster_reference", self.p
        for row in p.draw(e, COMMISSION):
            namesake = {"cluster_code": lambda r: f"Q{tail(r, 6)}", "edition": row["edition"]}
            p.place(e, p.new_identity(e, row), namesake, "name.12")
            code = {"cluster_code": f"Y{tail(p.new_identity(e, row), 6)}"}
            for layer in ("33618", "416"):
                p.place(e, p.new_identity(e, row), code | {"layer": layer}, "layer.13")
