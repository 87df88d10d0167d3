"""Defects that take several records: what a rule's own `city:` cannot say. Each story names the rules that must find it."""

from collections.abc import Iterator

import polars as pl

from yuyan_demo.simulator.catalogue import seed_table
from yuyan_demo.simulator.defects_values import (
    GONE,
    GRANTS_BACHELOR,
    NOBODY,
    STUDYING,
    SUBMITTED,
    added,
    award_of,
    elsewhere,
    moved,
    neighbour,
    parent,
)
from yuyan_demo.simulator.identities import Change, Row, right_check, tail
from yuyan_demo.simulator.planting import PLACES, Planter, shift_date
from yuyan_demo.simulator.products.assignment import COMMISSION, EXCHANGE, FILES, LEGACY, VERSIONED

MASTER = pl.col("degree_level") == "2"
REPORTED_ELSEWHERE: Change = {"src_inst_code": elsewhere}


class Stories:
    """The stories of day 1, by the name under which planting_order.txt calls them; some remember what others need.

    `later`: per entity the rows that day 2 brings because of them.
    """

    def __init__(self, p: Planter, frames: dict[str, pl.DataFrame], later: dict[str, list[Row]]) -> None:
        self.p, self.frames, self.later = p, frames, later
        self.programmes = Programmes(frames["programme"])
        self.closed_enterprise: Row = {}

    # Organisation: units, degree points, programmes, plans, courses, lists

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

    # People: admissions, registrations, supervisors

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
        e, p, alone = "student", self.p, _alone(self.frames["student"])
        here = STUDYING & alone & (pl.col("is_joint_training") == "false")
        for row in p.draw(e, VERSIONED, here):
            p.keep(row)
            p.place(e, p.new_identity(e, row), {"cert_no": row["cert_no"]}, "person_key.22")
        for row in p.draw(e, FILES, here):
            for copy in p.draw(e, PLACES[LEGACY][0], here)[:1]:
                same = {"cert_no": row["cert_no"], "birth_year": row["birth_year"]}
                p.place(e, p.new_identity(e, copy), same, "person_key.23")
                p.note(e, row, "person_key.23")
        for row, copy in zip(p.draw(e, EXCHANGE, GONE & alone), p.draw(e, EXCHANGE, here), strict=False):
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

    def industry_member_of_a_campus_team(self) -> None:
        """The team says that it has no industry supervisors."""
        mentors = self.frames["supervisor"].filter(pl.col("supervisor_kind") == "2")
        of = {inst: who for inst, who in mentors.select("src_inst_code", "supervisor_id").iter_rows()}
        closed = self.frames["team"].filter(pl.col("is_school_enterprise") == "false")["team_id"]
        where = (pl.col("role_code") == "30") & pl.col("team_id").is_in(closed.implode())
        change = {"supervisor_id": lambda r: of[r["src_inst_code"]]}
        self.p.clone("team_member", "any", change, "supervisor_id.15", where=where)

    def supervisors_twice_and_a_burdened_one(self) -> None:
        """One person as two supervisors, here and at two institutions; and one with more students than anybody can guide."""
        e, p = "supervisor", self.p
        own = (
            (pl.col("supervisor_kind") == "1")
            & pl.col("qualification_code").is_in(["1", "2"])
            & (pl.col("status_code") == "10")
            & _alone(self.frames[e])
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

    # Theses, awards, sampling, honours

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

    # Practice, contracts, achievements, destinations

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
            twin = _same(row, *shared, "signed_on", "contract_amount", "cluster_code", "fund_source_code")
            p.clone(e, EXCHANGE, twin, "contract_no_digest.14", where=own)
        for row in p.clone(e, LEGACY, {}, "signed_on.16", where=own):
            day = "27" if row["signed_on"].endswith("28") else "28"
            twin = _same(row, *shared, "cluster_code", "fund_source_code")
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
            rest = _same(row, "canonical_id", "lead_inst_code", "kind_code", "granted_on")
            p.clone(e, LEGACY, rest | {"share": "0.4000", "level_code": "20"}, "level_code.13")
        for row in p.clone(e, EXCHANGE, part, "lead_inst_code.14"):
            rest = _same(row, "canonical_id", "kind_code", "granted_on", "level_code")
            p.clone(e, FILES, rest | {"share": "0.4000"}, "lead_inst_code.14")

    def achievement_twice(self) -> None:
        """One institution reports its share of one achievement in two records."""
        e, half = "achievement", {"share": "0.5000"}
        for row in self.p.clone(e, "10611", half):
            again = _same(row, "canonical_id", "kind_code", "granted_on", "level_code") | half
            self.p.clone(e, "10611", again, "canonical_id.17")

    def twins(self) -> None:
        """Two records with one natural key: the one with the greater record id fails."""
        self.p.twin("admission", VERSIONED, "key.6")
        self.p.twin("course", EXCHANGE, "key.6")
        self.p.twin("practice_participation", LEGACY, "key.6", "student_id.22")
        self.p.twin("employer_survey", COMMISSION, "key.6")
        self.p.twin("degree_award", VERSIONED, "student_id.15", "thesis_id.20", key="award_id")


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


def _alone(frame: pl.DataFrame) -> pl.Expr:
    """Records whose person has no other record of the entity."""
    return pl.col("cert_no").is_in(frame.filter(pl.col("cert_no").is_unique())["cert_no"].implode())


def _same(row: Row, *names: str) -> Change:
    return {name: row[name] for name in names}
