"""What is judged when, and what becomes of it: quarantine, healing, release, last good versions, repetition."""

import psycopg
import pytest
from small_world import STUDENT

from support import fill
from yuyan.domain import catalogue
from yuyan.validate import accepted, record, suite

pytestmark = pytest.mark.database

EVENT = ("student_status_event", "r1")
FROM_INDUSTRY = {
    "supervisor_id": "10611S2",
    "inst_code": None,
    "unit_code": None,
    "supervisor_kind": "2",
    "qualification_code": "3",
    "employer_uscc": "91500000202818928C",
    "employer_region_code": "500105",
    "cert_no": "12",
}


def test_a_sound_world_is_accepted_whole(raw):
    raw.put_sound(catalogue.load().order)
    review = "thesis_sampling_review"  # a verdict follows from three opinions
    raw.put(*(raw.version(review, f"r{i}", review_id=f"TR{i}", cert_no=f"3{i}") for i in (2, 3)))
    raw.put(raw.version("supervisor", "s2", **FROM_INDUSTRY))  # whom the pool's sample names
    weak = {"degree_point_id": "10611-2-1-0815", "result_code": "20", "eval_round": "2008-2010"}
    raw.put(  # what the sample of a case is about, and what the report's spending adds up from
        raw.version("degree_point", "s3", degree_point_id="10611-2-1-0815", discipline_code="0815",
                    is_joint_built="false", joint_partner_uscc=None),
        raw.version("evaluation_result", "ev9", eval_id="EV9", decided_on="2010-01-01", due_on="2012-01-01", **weak),
        raw.version("degree_point_event", "d31", event_id="DE31", degree_point_id="10611-2-1-0815", event_type="31",
                    event_on="2010-01-01", urgent_list_id=None),
        raw.version("degree_point_event", "d32", event_id="DE32", degree_point_id="10611-2-1-0815", event_type="32",
                    event_on="2012-01-01", urgent_list_id=None),
        raw.version("fund_ledger", "fl2", entry_id="FL2", direction="OUT", amount="900000.00",
                    is_performance_funded="false", degree_point_id="10611-2-1-0802"),
    )  # fmt: skip
    summary = raw.judge("run-1")
    assert raw.failures() == {}
    more = {review: ["r2", "r3"], "supervisor": ["s2"], "degree_point": ["s3"], "evaluation_result": ["ev9"],
            "degree_point_event": ["d31", "d32"], "fund_ledger": ["fl2"]}  # fmt: skip
    for entity in catalogue.load().order:
        records = sorted(["r1", *more.get(entity, [])])
        assert raw.accepted(entity) == records, entity
        assert summary[entity]["judged"] == summary[entity]["accepted"] == len(records)
    assert raw.rows("select tag_codes, credits::text, is_core from accepted.course") == [
        (["AI1", "JC"], "2.0", True)
    ]


def test_a_second_run_judges_nothing(raw):
    raw.put_sound(STUDENT)
    raw.judge("run-1")
    before = raw.rows("select * from quality.result order by rule_id")
    summary = raw.judge("run-2")
    assert {s["judged"] for s in summary.values()} == {0}
    raw.judge("run-1")
    assert raw.rows("select * from quality.result order by rule_id") == before


def test_repeating_a_run_judges_its_quarantine_once(raw):
    raw.put_sound(STUDENT)
    raw.put(raw.version("student", "r1", left_on=None))
    raw.judge("run-1")
    before = raw.rows("select * from quality.result order by rule_id")
    assert raw.judge("run-1")["student"]["judged"] == 0
    assert raw.rows("select * from quality.result order by rule_id") == before


def test_a_child_heals_when_its_parent_arrives(raw):
    raw.put_sound(STUDENT[:-1])
    raw.put(raw.version("student_status_event"))
    raw.judge("run-1")
    assert raw.failures() == {EVENT: {"QR.student_status_event.student_id.5"}}
    assert raw.accepted("student_status_event") == []
    raw.put(raw.version("student"))
    assert raw.judge("run-2")["student_status_event"]["healed"] == 1
    assert raw.accepted("student_status_event") == ["r1"]
    assert raw.quarantine() == set()
    assert raw.rows("select src_record_id, since_run_id, released_run_id, reason from quality.release") == [
        ("r1", "run-1", "run-2", "healed")
    ]


def test_a_row_that_still_fails_keeps_its_first_run(raw):
    raw.put_sound(STUDENT[:-1])
    raw.put(raw.version("student_status_event", event_on=None))
    raw.judge("run-1")
    assert raw.failures()[EVENT] == {
        "QR.student_status_event.student_id.5",
        "QR.student_status_event.event_on.1",
    }
    raw.put(raw.version("student"))
    raw.judge("run-2")
    assert raw.failures() == {EVENT: {"QR.student_status_event.event_on.1"}}
    assert raw.rows("select since_run_id, last_run_id, rule_ids from quality.quarantine") == [
        ("run-1", "run-2", ["QR.student_status_event.event_on.1"])
    ]


def test_a_correction_supersedes_the_quarantined_version(raw):
    raw.put_sound(STUDENT[:-1])
    raw.put(raw.version("student", left_on=None))
    raw.judge("run-1")
    assert raw.quarantine() == {("student", "r1")}
    raw.put(raw.version("student"))
    raw.judge("run-2")
    assert raw.quarantine() == set()
    assert raw.quarantine("superseded") == {("student", "r1")}
    assert raw.accepted("student", "left_on::text") == ["2024-06-30"]


def test_a_tombstone_removes_the_record_and_quarantines_its_children(raw):
    raw.put_sound([*STUDENT, "student_status_event"])
    raw.judge("run-1")
    raw.put(raw.version("student", deleted=True))
    raw.judge("run-2")
    assert raw.accepted("student") == raw.accepted("student_status_event") == []
    assert raw.failures() == {EVENT: {"QR.student_status_event.student_id.5"}}
    raw.put(raw.version("student"))
    raw.judge("run-3")
    assert raw.accepted("student_status_event") == ["r1"]


def test_a_child_is_judged_again_when_a_value_it_looks_up_changes(raw):
    raw.put_sound([*STUDENT, "student_status_event"])
    raw.judge("run-1")
    raw.put(raw.version("student", gender_code="2"))
    assert raw.judge("run-2")["student_status_event"]["judged"] == 0
    raw.put(raw.version("student", left_on="2024-03-01"))
    raw.judge("run-3")
    late = {"QR.student_status_event.event_on.16", "QR.student_status_event.event_on.17"}
    assert raw.failures() == {EVENT: late}


def test_a_rule_about_newest_versions_follows_them(raw):
    """A return to studies needs the suspension before it, in the same entity."""
    raw.put_sound(STUDENT)
    suspended = raw.version(
        "student_status_event", "r1", event_id="E1", event_type="11", event_on="2022-03-01"
    )
    resumed = raw.version("student_status_event", "r2", event_id="E2", event_type="12", event_on="2022-09-01")
    raw.put(suspended, resumed)
    raw.judge("run-1")
    assert raw.accepted("student_status_event") == ["r1", "r2"]
    raw.put({**suspended, "is_deleted": True})
    raw.judge("run-2")
    assert raw.failures() == {("student_status_event", "r2"): {"QR.student_status_event.event_type.14"}}


def test_a_parent_is_judged_again_when_newest_children_that_it_looks_up_change(raw):
    """The verdict of a sampling follows from the opinions, which are judged after it."""
    raw.put_sound(catalogue.load().order)
    raw.judge("run-1")
    raw.put(
        *(
            raw.version(
                "thesis_sampling_review", f"r{i}", review_id=f"X{i}", opinion_code="4", reason_codes="1"
            )
            for i in (2, 3)
        )
    )
    raw.judge("run-2")
    assert raw.failures()[("thesis_sampling", "r1")] == {"QR.thesis_sampling.verdict_code.15"}


def test_the_record_with_the_smallest_id_keeps_the_key(raw):
    raw.put_sound(STUDENT[:-1])
    raw.put(raw.version("student", "r5"), raw.version("student", "r7"))
    raw.judge("run-1")
    assert raw.failures() == {("student", "r7"): {"QR.student.key.6"}}
    assert raw.rows("select column_name, observed_value from quality.row_failure") == [
        ("student_id", "10611X1")
    ]
    raw.put(raw.version("student", "r3"))
    raw.judge("run-2")
    assert set(raw.failures()) == {("student", "r5"), ("student", "r7")}
    assert raw.accepted("student") == ["r3"]
    raw.put(raw.version("student", "r3", deleted=True))
    raw.judge("run-3")
    assert raw.accepted("student") == ["r5"]


def test_a_key_that_its_holder_gave_up_can_be_taken(raw):
    """The holder's new version is faulty: its last good one would hold the key twice, so it is withdrawn, later restored."""
    raw.put_sound(STUDENT)
    raw.judge("run-1")
    raw.put(raw.version("student", "r1", student_id="10611X2", left_on=None), raw.version("student", "r2"))
    raw.judge("run-2")
    assert raw.quarantine() == {("student", "r1")}
    assert raw.accepted("student") == ["r2"]
    raw.put(raw.version("student", "r2", student_id="10611X3"))
    raw.judge("run-3")
    assert raw.rows("select src_record_id, student_id from accepted.student order by 1") == [
        ("r1", "10611X1"),
        ("r2", "10611X3"),
    ]
    assert_rebuilt(raw, "student")


def test_a_version_replaced_before_it_was_judged_never_reaches_the_accepted_history(raw):
    raw.put_sound(STUDENT[:-1])
    raw.put(raw.version("student", left_on=None))
    raw.put(raw.version("student"))
    raw.judge("run-1")
    assert raw.failures() == {}
    assert raw.rows("select state, rule_ids from quality.quarantine") == [("superseded", [])]
    assert len(raw.rows("select 1 from accepted.student_versions")) == 1


def test_a_changed_rule_judges_again_and_releases(raw, tmp_path, monkeypatch):
    raw.put_sound([*STUDENT[:-1]])
    raw.put(raw.version("student", left_on="2024-06-30", status_code="10"))
    raw.judge("run-1")
    assert raw.failures() == {("student", "r1"): {"QR.student.left_on.14"}}
    original = catalogue.load()
    softer = [
        r.model_copy(update={"severity": "WARN", "version": 2}) if r.rule_id == "QR.student.left_on.14" else r
        for r in original.rules["student"]
    ]
    changed = catalogue.Catalogue(
        original.rules | {"student": tuple(softer)}, original.order, original.lookups
    )
    monkeypatch.setattr(catalogue, "load", lambda: changed)
    summary = raw.judge("run-2")
    assert {e for e, s in summary.items() if s["judged"]} == {"student"}
    assert raw.accepted("student") == ["r1"]
    assert raw.rows("select reason from quality.release") == [("rule_changed",)]
    monkeypatch.setattr(catalogue, "load", lambda: original)
    raw.judge("run-3")
    assert raw.quarantine() == {("student", "r1")}
    assert raw.accepted("student") == []


def test_a_warning_is_recorded_and_quarantines_nothing(raw):
    raw.put_sound(STUDENT[:-1])
    raw.put(raw.version("student", birth_year="1900"))
    raw.judge("run-1")
    assert raw.failures() == {("student", "r1"): {"QR.student.birth_year.16"}}
    assert raw.accepted("student") == ["r1"]


def test_time_heals_what_lay_in_the_future(raw):
    raw.put_sound(STUDENT[:-1])
    raw.put(
        raw.version(
            "student", entry_on="2026-10-16", expected_end_on="2029-07-01", status_code="10", left_on=None
        )
    )
    raw.judge("run-1")
    assert raw.failures() == {("student", "r1"): {"QR.student.entry_on.17"}}
    raw.judge("run-2", as_of=fill.AS_OF.replace(day=16))
    assert raw.accepted("student") == ["r1"]


def test_a_run_that_dies_between_two_entities_is_taken_up(raw, monkeypatch):
    raw.put_sound([*STUDENT, "student_status_event"])
    raw.judge("run-1")
    raw.put(raw.version("student", deleted=True))
    judgement = record.judgement

    def dies(connection, rules, entity, *rest):
        if entity == "student_status_event":
            raise KeyboardInterrupt
        return judgement(connection, rules, entity, *rest)

    monkeypatch.setattr(record, "judgement", dies)
    with pytest.raises(KeyboardInterrupt):
        raw.judge("run-2")
    assert raw.accepted("student") == []
    monkeypatch.setattr(record, "judgement", judgement)
    raw.judge("run-2")
    assert raw.failures() == {EVENT: {"QR.student_status_event.student_id.5"}}


def test_only_the_entities_asked_for_are_judged_and_the_others_catch_up(raw):
    raw.put_sound([*STUDENT, "student_status_event"])
    raw.judge("run-1")
    raw.put(raw.version("student", deleted=True))
    assert list(raw.judge("run-2", ["student"])) == ["student"]
    assert raw.accepted("student_status_event") == ["r1"]
    raw.judge("run-3")
    assert raw.accepted("student_status_event") == []
    with pytest.raises(KeyError, match="no_such_entity"):
        raw.judge("run-4", ["no_such_entity"])


def test_the_accepted_tables_can_be_rebuilt_from_nothing(raw):
    raw.put_sound([*STUDENT, "student_status_event"])
    raw.judge("run-1")
    raw.put(raw.version("student", left_on=None), raw.version("student", "r2", student_id="10611X2"))
    raw.put(raw.version("student", "r3", student_id="10611X3"), raw.version("student", "r2", deleted=True))
    raw.judge("run-2")
    assert raw.accepted("student") == ["r1", "r3"]
    for entity in (*STUDENT, "student_status_event"):
        assert_rebuilt(raw, entity)


def test_rows_that_arrive_during_a_run_wait_for_the_next(raw, monkeypatch):
    """A load commits while the run judges: its row is neither accepted nor lost."""
    raw.put_sound(STUDENT)
    raw.judge("run-1")
    raw.put(raw.version("student", left_on=None))
    run = suite.run

    def interrupt(batch, entity, rules):
        if entity == "student":
            raw.put(raw.version("student", gender_code="2"))
        return run(batch, entity, rules)

    monkeypatch.setattr(suite, "run", interrupt)
    raw.judge("run-2")
    monkeypatch.setattr(suite, "run", run)
    assert raw.accepted("student", "gender_code") == ["1"]
    assert_rebuilt(raw, "student")
    raw.judge("run-3")
    assert raw.accepted("student", "gender_code") == ["2"]
    assert raw.quarantine("superseded") == {("student", "r1")}


def test_results_are_per_institution_and_say_what_could_not_be_judged(raw):
    raw.put_sound(STUDENT[:-1])
    raw.put(
        raw.version("student_status_event"),
        raw.version("student_status_event", "r2", event_id="E2", event_on=None),
    )
    raw.put(raw.version("student_status_event", source="10635", event_id="E3"))
    raw.judge("run-1")
    assert raw.rows(
        "select src_inst_code, eligible, failed, unverifiable from quality.result "
        "where rule_id = 'QR.student_status_event.event_on.11' order by 1"
    ) == [("10611", 1, 0, 1), ("10635", 1, 0, 1)]
    assert raw.rows(
        "select src_inst_code, eligible, failed from quality.result "
        "where rule_id = 'QR.student_status_event.event_on.1' order by 1"
    ) == [("10611", 2, 1), ("10635", 1, 0)]


def test_the_suite_decides_and_the_tables_say_the_same(raw, monkeypatch):
    raw.put_sound(STUDENT[:-1])
    raw.put(
        raw.version("student", left_on=None),
        raw.version("student", "r2", student_id="10611X2", gender_code="8"),
    )
    reported = {}
    run = suite.run

    def listen(*arguments):
        result = run(*arguments)
        reported.update({one.expectation_config.kwargs["rule_id"]: one for one in result.results})
        return result

    monkeypatch.setattr(suite, "run", listen)
    raw.judge("run-1")
    tables = {
        rule: (eligible, failed)
        for rule, eligible, failed in raw.rows(
            "select rule_id, sum(eligible)::int, sum(failed)::int from quality.result group by rule_id"
        )
    }
    assert {r for r, one in reported.items() if not one.success} == {
        "QR.student.left_on.12",
        "QR.student.gender_code.4",
    }
    for rule, one in reported.items():
        figures = (one.result["element_count"], one.result["unexpected_count"])
        assert tables.get(rule, (0, 0)) == figures, rule


def test_where_the_suite_and_the_failing_rows_disagree_the_entity_is_not_judged(raw, monkeypatch):
    raw.put_sound(STUDENT[:-1])
    raw.put(raw.version("student", left_on=None))
    run = suite.run

    def interfere(batch, entity, rules):
        result = run(batch, entity, rules)
        raw.connection.execute(
            "update judging.student set v1 = '0', worst = '0'"
        ) if entity == "student" else None
        for one in result.results:
            one.success = one.success and one.expectation_config.kwargs["verdict"] > 1
        return result

    monkeypatch.setattr(suite, "run", interfere)
    assert "disagree" in raw.judge("run-1")["student"]["error"]
    assert raw.accepted("student") == []
    assert raw.failures() == {}
    assert raw.accepted("programme") == ["r1"]


def test_a_first_load_has_the_indexes_that_it_was_made_without(raw, monkeypatch):
    monkeypatch.setattr(accepted, "MANY", 0)
    keys = (
        "select conindid from pg_constraint where conrelid = 'accepted.student'::regclass and contype = 'p'"
    )
    (made,) = raw.rows(keys)
    indexes = (
        "select i.indexdef, c.contype from pg_indexes as i left join pg_constraint as c "
        "on c.conindid = (i.schemaname || '.' || i.indexname)::regclass and c.contype = 'p' "
        "where i.schemaname = 'accepted' order by i.indexname"
    )
    before = raw.rows(indexes)
    of_theses = [kind for definition, kind in before if " ON accepted.thesis " in definition]
    assert of_theses == [None, "p", None], "by its key, by its record, by its student"
    raw.put_sound(STUDENT)
    raw.judge("run-1")
    assert raw.accepted("student") == ["r1"]
    assert raw.rows(indexes) == before
    assert raw.rows(keys) != [made], "made anew"
    assert raw.rows("select * from ops.left_out") == []
    with pytest.raises(psycopg.errors.RaiseException, match="not empty"):
        raw.connection.execute("select ops.leave_out_indexes('student')")


def assert_rebuilt(raw, entity):
    """Rebuilding gives the same rows."""
    before = raw.rows(f"select * from accepted.{entity} order by src_inst_code, src_record_id")
    assert accepted.rebuild(raw.connection, entity) == len(before)
    assert raw.rows(f"select * from accepted.{entity} order by src_inst_code, src_record_id") == before
