"""Stories about theses, awards, sampling, honours."""

from collections.abc import Iterator

import polars as pl

from yuyan_demo.simulator.defects_values import (
    GONE,
    STUDYING,
    SUBMITTED,
    award_of,
    elsewhere,
    moved,
    neighbour,
    parent,
)
from yuyan_demo.simulator.identities import Change, Row, tail
from yuyan_demo.simulator.planting import shift_date
from yuyan_demo.simulator.products.assignment import COMMISSION, EXCHANGE, LEGACY, VERSIONED
from yuyan_demo.simulator.stories.base import Stories

REPORTED_ELSEWHERE: Change = {"src_inst_code": elsewhere}


class Theses(Stories):
    def children_of_refused_parents(self) -> None:
        """Sound records whose parent is not accepted, over three generations."""
        p = self.p
        bad = p.clone("practice_project", LEGACY, {"end_on": moved("start_on", -1)}, "end_on.12")
        p.child("practice_participation", bad, {"project_id": parent("project_id")}, "project_id.5")
        digest = {"contract_no_digest": lambda r: f"ABC{tail(r, 6)}"}
        bad = p.clone("commissioned_project", VERSIONED, digest, "contract_no_digest.3")
        p.child("commissioned_receipt", bad, {"project_id": parent("project_id")}, "project_id.5")
        rules = ("degree_type.4", "degree_level.15")
        bad = p.clone("student", VERSIONED, {"degree_type": "3"}, *rules, where=STUDYING)
        sound = {"student_id": parent("student_id"), "degree_point_id": parent("degree_point_id")}
        theses = p.child("thesis", bad, sound, "student_id.5")
        award = {**sound, "thesis_id": parent("thesis_id"), **award_of(parent("degree_point_id"))}
        p.child("degree_award", theses, award, "student_id.5", "thesis_id.5")

    def awards_of_completers(self) -> None:
        """Awards of students who completed with a thesis but without a degree (结业), each wrong in one way."""
        hosts, p = self._award_hosts(), self.p
        wrong = {"degree_code": lambda r: ("2" if r["degree_level"] == "2" else "3") + r["degree_code"][1:]}
        p.host("degree_award", hosts, wrong, "degree_code.14")
        p.host("degree_award", hosts, {"awarded_on": "2027-06-20"}, "awarded_on.11")
        p.host("degree_award", hosts, {"discipline_code": neighbour}, "degree_point_id.12")
        other = {"thesis_id": next(hosts)["thesis_id"], "awarded_on": "2026-10-01"}
        p.host("degree_award", hosts, other, "thesis_id.13")
        p.host("degree_award", hosts, REPORTED_ELSEWHERE, "student_id.25")
        p.host("degree_award", hosts, {"student_id": None}, "student_id.26", "thesis_id.13")

    def _award_hosts(self) -> Iterator[Row]:
        """Sound awards that were never given."""
        events, template = (
            self.frames["student_status_event"],
            self.frames["degree_award"].row(0, named=True),
        )
        completed = events.filter(pl.col("event_type") == "62").select("student_id")
        theses = self.frames["thesis"].join(completed, on="student_id", how="semi")
        for thesis in (
            theses.filter(pl.col("submitted_on").is_not_null()).sort("src_record_id").iter_rows(named=True)
        ):
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

    def thesis_of_a_strange_supervisor(self) -> None:
        """Somebody who never guided the student."""
        stranger = self.frames["supervisor"]["supervisor_id"][0]
        links = self.frames["student_supervisor"]
        guided = links.filter(pl.col("supervisor_id") == stranger)["student_id"]
        where = ~pl.col("student_id").is_in(guided.implode())
        self.p.clone("thesis", EXCHANGE, {"supervisor_id": stranger}, "supervisor_id.17", where=where)

    def thesis_of_a_later_project(self) -> None:
        """The project that it came from was signed after it was submitted."""
        late = self.frames["commissioned_project"].sort("signed_on")["project_id"][-1]
        where = SUBMITTED & (pl.col("topic_source_code") == "14") & (pl.col("submitted_on") < "2026-01-01")
        self.p.clone("thesis", "any", {"source_project_id": late}, "source_project_id.23", where=where)

    def award_of_a_student_in_study(self) -> None:
        """Nobody has said that the student left."""
        theses = self.frames["thesis"].filter(
            pl.col("submitted_on").is_null() & (pl.col("opened_on") < "2026-06-01")
        )
        writing = pl.col("student_id").is_in(theses["student_id"].implode())
        waiting = self.p.draw("student", LEGACY, STUDYING & writing)
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
        self.p.child("degree_award", waiting, given, "student_id.17")

    def award_within_a_year(self) -> None:
        """Three hundred days after entry."""
        entered = dict(self.frames["student"].select("student_id", "entry_on").iter_rows())
        old_points = self.frames["degree_point"].filter(pl.col("authorised_on") < "2008-01-01")
        sampled = self.frames["thesis_sampling"]["award_id"]
        where = ~pl.col("award_id").is_in(sampled.implode()) & pl.col("degree_point_id").is_in(
            old_points["degree_point_id"].implode()
        )
        hurried = {"awarded_on": lambda r: shift_date(entered[r["student_id"]], 300)}
        rules = ("awarded_on.16", "awarded_on.21")
        self.p.spoil("degree_award", LEGACY, hurried, *rules, where=where, healed=None)

    def refused_samplings_and_their_reviews(self) -> None:
        """Samplings that are refused; their reviews wait with them."""
        p, e, sampled = self.p, "thesis_sampling", pl.col("authority_code") != "3"
        bad = p.clone(e, COMMISSION, {"sampling_year": "二〇二五"}, "sampling_year.2", where=sampled)
        problem = {"verdict_code": "2", "verdict_on": lambda r: f"{r['sampling_year']}-10-09"}
        bad += p.clone(e, COMMISSION, problem, "verdict_code.15", "verdict_code.18", where=sampled)
        review = {
            "sampling_id": parent("sampling_id"),
            "round_no": "1",
            "opinion_code": "2",
            "reason_codes": None,
        }
        p.child("thesis_sampling_review", bad, review, "sampling_id.5")

    def sampling_of_another_thesis(self) -> None:
        """Thesis and supervisor are not those of the award."""
        other = self.frames["thesis"].filter(SUBMITTED).row(0, named=True)
        where = (pl.col("authority_code") != "3") & (pl.col("thesis_id") != other["thesis_id"])
        stray = {n: other[n] for n in ("thesis_id", "supervisor_id")}
        self.p.clone("thesis_sampling", COMMISSION, stray, "thesis_id.17", where=where)

    def sampling_of_another_supervisor(self) -> None:
        """The supervisor is not the thesis's."""
        other = self.frames["thesis"].filter(SUBMITTED).row(0, named=True)["supervisor_id"]
        where = (pl.col("authority_code") != "3") & (pl.col("supervisor_id") != other)
        self.p.clone("thesis_sampling", COMMISSION, {"supervisor_id": other}, "supervisor_id.21", where=where)

    def sampling_decided_against_its_reviews(self) -> None:
        """Passed although a third expert's opinion is missing; and an inclusion probability unlike its stratum's."""
        p, entity = self.p, "thesis_sampling"
        swapped = {
            "verdict_on": lambda r: f"{r['sampling_year']}-10-02",
            "verdict_code": "1",
            "authority_code": "2",
        }
        doctor = pl.col("authority_code") == "1"
        rules = ("verdict_code.27", "authority_code.23")
        hasty = p.clone(entity, COMMISSION, swapped, *rules, where=doctor)
        for opinion, reasons in (("2", None), ("3", None), ("4", "1")):
            review = {
                "sampling_id": parent("sampling_id"),
                "round_no": "1",
                "opinion_code": opinion,
                "reason_codes": reasons,
                "reviewed_on": lambda r: f"{r['_p']['sampling_year']}-09-01",
            }
            p.child("thesis_sampling_review", hasty, review, "sampling_id.5")
        drawn = (pl.col("authority_code") != "3") & (pl.col("inclusion_prob") < "0.5")
        for row in p.draw(entity, COMMISSION, drawn & (pl.col("is_targeted") == "false")):
            odd = {"stratum_code": row["stratum_code"], "inclusion_prob": "0.900000"}
            p.place(entity, p.new_identity(entity, row), odd, "inclusion_prob.25")

    def honours_of_a_failed_thesis_and_of_another_institutions_student(self) -> None:
        """A thesis with problems is honoured, and an institution honours somebody else's graduate."""
        p, thesis = self.p, pl.col("holder_kind") == "X"
        samplings = self.frames["thesis_sampling"]
        problems = samplings.filter(pl.col("verdict_code") == "2")["thesis_id"]
        for row, problem in zip(p.draw("honour", "any", thesis), problems, strict=False):
            copy = p.new_identity("honour", row | {"src_inst_code": problem[:5]})
            p.place("honour", copy, {"holder_id": problem}, "holder_id.14")
        graduate = self.frames["student"].filter(GONE).row(0, named=True)
        theirs = {"holder_id": graduate["student_id"], "honour_code": "09"}
        where = (pl.col("holder_kind") == "S") & (pl.col("src_inst_code") != graduate["src_inst_code"])
        p.clone("honour", "any", theirs, "holder_id.15", where=where)
