"""Stories about practice, contracts, achievements, destinations, twins of any entity."""

from collections.abc import Iterator

import polars as pl

from yuyan_demo.simulator.defects_values import (
    NOBODY,
    STUDYING,
    added,
    elsewhere,
    parent,
)
from yuyan_demo.simulator.identities import Change, Row, right_check
from yuyan_demo.simulator.planting import PLACES, Planter, shift_date
from yuyan_demo.simulator.products.assignment import COMMISSION, EXCHANGE, FILES, LEGACY, VERSIONED
from yuyan_demo.simulator.stories.base import MASTER, Stories, same

REPORTED_ELSEWHERE: Change = {"src_inst_code": elsewhere}


class Practice(Stories):
    def __init__(self, p: Planter, frames: dict[str, pl.DataFrame], later: dict[str, list[Row]]) -> None:
        super().__init__(p, frames, later)
        self.closed_enterprise: Row = {}
        """What two other stories need once `a_closed_enterprise` is told."""

    def destinations_of_dropouts(self) -> None:
        """Destinations of students who dropped out, each wrong in one way: they left, and nobody asked where to."""
        p = self.p
        hosts = (h for h in self._employment_hosts() if h["src_inst_code"] not in PLACES[LEGACY])
        p.host("employment", hosts, {"destination_code": "99"}, "destination_code.4")
        p.host("employment", hosts, {"employer_uscc": None}, "employer_uscc.11")
        p.host("employment", hosts, {"region_code": None}, "region_code.12")
        nowhere = {"region_code": lambda r: "500199" if r["region_code"].startswith("50") else "990101"}
        p.host("employment", hosts, nowhere, "region_code.15")
        earlier = {"grad_year": added("grad_year", plus=-1)}
        p.host("employment", hosts, earlier, "status_on.13", "grad_year.28")
        gone_on = {"destination_code": "801", "is_key_post": None}
        p.host("employment", hosts, gone_on, "employer_uscc.16", "employer_kind_code.37")
        p.host("employment", hosts, REPORTED_ELSEWHERE, "student_id.33")
        p.host("employment", hosts, {"employer_uscc": NOBODY}, "employer_uscc.34")
        p.host("employment", hosts, {"employer_uscc": right_check}, "employer_uscc.35")

    def _employment_hosts(self) -> Iterator[Row]:
        """Sound destinations of students who dropped out."""
        masters = self.frames["student"].filter(MASTER)["student_id"].implode()
        dropped = self.frames["student_status_event"].filter(
            (pl.col("event_type") == "31")
            & pl.col("event_on").is_between(pl.lit("2016-01-01"), pl.lit("2025-12-01"))
            & pl.col("student_id").is_in(masters)
        )
        employed = (pl.col("destination_code") == "10") & pl.col("cluster_code").is_not_null()
        template = self.frames["employment"].filter(employed).row(0, named=True)
        for event in dropped.sort("src_record_id").iter_rows(named=True):
            year = event["event_on"][:4]
            yield {
                **template,
                "src_inst_code": event["src_inst_code"],
                "student_id": event["student_id"],
                "grad_year": year,
                "status_on": f"{year}-12-31",
            }

    def a_closed_enterprise(self) -> None:
        """It left the directory in 2015: sound, until somebody works there."""
        closed = {"valid_to": "2015-06-30"}
        self.closed_enterprise = self.p.clone("enterprise", COMMISSION, closed)[0]

    def work_at_the_closed_enterprise(self) -> None:
        """A destination of today at the enterprise that has closed."""
        gone = self.closed_enterprise
        there: Change = {
            "employer_uscc": gone["uscc"],
            "industry_code": gone["industry_code"],
            "region_code": gone["region_code"],
            "cluster_code": None,
            "employer_kind_code": "31",
        }
        employed = pl.col("destination_code").is_in(["10", "11"]) & pl.col("employer_uscc").is_not_null()
        self.p.spoil("employment", FILES, there, "employer_uscc.31", where=employed, healed=None)

    def answer_of_the_closed_enterprise(self) -> None:
        """An answer of the enterprise that has closed."""
        change = {"employer_uscc": self.closed_enterprise["uscc"]}
        self.p.clone("employer_survey", COMMISSION, change, "employer_uscc.17")

    def contracts_twice(self) -> None:
        """One contract reported by two institutions, and one project in two contracts."""
        e, p = "commissioned_project", self.p
        shared = ("contract_no_digest", "client_uscc", "client_kind", "client_country_code")
        own = (pl.col("client_country_code") == "CHN") & (pl.col("signed_on") < "2026-09-01")
        for row in p.clone(e, VERSIONED, {}, "contract_no_digest.14", where=own):
            twin = same(row, *shared, "signed_on", "contract_amount", "cluster_code", "fund_source_code")
            p.clone(e, EXCHANGE, twin, "contract_no_digest.14", where=own)
        for row in p.clone(e, LEGACY, {}, "signed_on.16", where=own):
            day = "27" if row["signed_on"].endswith("28") else "28"
            twin = same(row, *shared, "cluster_code", "fund_source_code")
            twin |= {"signed_on": row["signed_on"][:8] + day, "contract_amount": "123400.00"}
            p.clone(e, FILES, twin, "signed_on.16", where=own)

    def contract_of_a_strange_supervisor(self) -> None:
        """Led by somebody of another institution."""
        people = self.frames["supervisor"].filter(pl.col("inst_code").is_not_null())
        stranger = people.row(0, named=True)
        where = pl.col("src_inst_code") != stranger["inst_code"]
        change = {"pi_supervisor_id": stranger["supervisor_id"]}
        self.p.clone("commissioned_project", VERSIONED, change, "pi_supervisor_id.20", where=where)

    def overpaid_contract(self) -> None:
        """More came in than was agreed."""
        own = (pl.col("client_country_code") == "CHN") & (pl.col("signed_on") < "2026-09-01")
        agreed = {"contract_amount": "100000.00"}
        paid = self.p.clone("commissioned_project", EXCHANGE, agreed, "contract_amount.21", where=own)
        too_much = {
            "project_id": parent("project_id"),
            "received_on": parent("signed_on"),
            "amount": "120000.00",
            "is_refund": "false",
        }
        self.p.child("commissioned_receipt", paid, too_much, "amount.17")

    def crowded_project(self) -> None:
        """More students than any project can have; each took part for a few days, and nobody verified it."""
        inst, p = "10611", self.p
        began = {"start_on": "2000-09-01", "end_on": None}
        project = p.clone("practice_project", inst, began, "project_id.20")[0]
        students = self.frames["student"].filter(pl.col("entry_on") < "2026-01-01")
        students = students.sort(pl.col("src_inst_code") != inst, "student_id").head(201)
        template = self.frames["practice_participation"].row(0, named=True)
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
            rules = () if student["src_inst_code"] == inst else ("student_id.17",)
            p.note("practice_participation", row, *rules)

    def participation_in_another_institutions_project(self) -> None:
        """The oldest project, which is somebody else's."""
        projects = self.frames["practice_project"].sort("start_on", "project_id")
        first = projects.row(0, named=True)
        where = pl.col("src_inst_code") != first["src_inst_code"]
        change = {"project_id": first["project_id"]}
        self.p.clone("practice_participation", LEGACY, change, "student_id.17", where=where)

    def participations_before_their_project(self) -> None:
        """Children that come a day before their parent."""
        p = self.p
        studying = self.frames["student"].filter(STUDYING)
        someone = dict(studying.select("src_inst_code", "student_id").iter_rows())
        for place in (VERSIONED, EXCHANGE):
            drawn = p.draw("practice_project", place)
            made = [p.new_identity("practice_project", r) for r in drawn]
            early = {
                "project_id": parent("project_id"),
                "student_id": lambda r: someone[r["src_inst_code"]],
                "from_on": "2026-09-20",
                "to_on": None,
                "days": "20",
            }
            p.child("practice_participation", made, early, "project_id.5", healed=2)
            self.later.setdefault("practice_project", []).extend(
                {**m, "start_on": "2026-09-15", "end_on": None} for m in made
            )

    def shared_achievements(self) -> None:
        """Two institutions report their shares of one achievement at two levels, or with two leaders."""
        e, p, part = "achievement", self.p, {"share": "0.6000", "level_code": "10"}
        for row in p.clone(e, VERSIONED, part, "level_code.13"):
            rest = same(row, "canonical_id", "lead_inst_code", "kind_code", "granted_on")
            p.clone(e, LEGACY, rest | {"share": "0.4000", "level_code": "20"}, "level_code.13")
        for row in p.clone(e, EXCHANGE, part, "lead_inst_code.14"):
            rest = same(row, "canonical_id", "kind_code", "granted_on", "level_code")
            p.clone(e, FILES, rest | {"share": "0.4000"}, "lead_inst_code.14")

    def achievement_twice(self) -> None:
        """One institution reports its share of one achievement in two records."""
        e, half = "achievement", {"share": "0.5000"}
        for row in self.p.clone(e, "10611", half):
            again = same(row, "canonical_id", "kind_code", "granted_on", "level_code") | half
            self.p.clone(e, "10611", again, "canonical_id.17")

    def twins(self) -> None:
        """Two records with one natural key: the one with the greater record id fails."""
        self.p.twin("admission", VERSIONED, "key.6")
        self.p.twin("course", EXCHANGE, "key.6")
        self.p.twin("practice_participation", LEGACY, "key.6", "student_id.22")
        self.p.twin("employer_survey", COMMISSION, "key.6")
        self.p.twin("degree_award", VERSIONED, "student_id.15", "thesis_id.20", key="award_id")
