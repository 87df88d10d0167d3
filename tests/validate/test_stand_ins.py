"""The last good version of a record stands in for a newest one that waits in quarantine, as long as it passes itself."""

from datetime import date, timedelta

import pytest
from small_world import STUDENT, Raw

from support import fill
from yuyan.validate import accepted

pytestmark = pytest.mark.database

BIRTH = "QR.student.birth_year.16"
PARENT = "QR.student.programme_id.5"


@pytest.fixture
def waiting(raw: Raw) -> Raw:
    """A student whose second version is in quarantine, so that the first is what is published."""
    raw.put_sound(STUDENT)
    raw.judge("run-1")
    raw.put(raw.version("student", left_on=None))
    raw.judge("run-2")
    assert published(raw) == ["2024-06-30"]
    return raw


def published(raw: Raw, column: str = "left_on::text") -> list:
    """A column of the accepted students, who are the same when the table is made anew."""
    before = raw.rows("select * from accepted.student order by src_record_id")
    assert accepted.rebuild(raw.connection, "student") == len(before)
    assert raw.rows("select * from accepted.student order by src_record_id") == before
    return raw.accepted("student", column)


def test_the_last_good_version_stays_while_a_newer_one_waits(raw):
    raw.put_sound(STUDENT)
    raw.judge("run-1")
    raw.put(raw.version("student", left_on="2024-07-15", entry_on="坏"))
    raw.judge("run-2")
    assert raw.accepted("student", "left_on::text") == ["2024-06-30"]
    assert raw.rows("select column_name, observed_value from quality.row_failure") == [("entry_on", "坏")]
    assert len(raw.rows("select 1 from accepted.student_versions")) == 1


def test_a_last_good_version_whose_parent_is_withdrawn_goes_too(raw):
    raw.put_sound(STUDENT)
    raw.judge("run-1")
    raw.put(raw.version("student", left_on=None))
    raw.judge("run-2")
    raw.put(raw.version("programme", deleted=True))
    raw.judge("run-3")
    assert raw.accepted("student") == []
    assert raw.quarantine() == {("student", "r1")}
    assert raw.quarantine("stood_down") == {("student", "r1")}
    assert published(raw) == []
    raw.put(raw.version("programme"), raw.version("student"))
    raw.judge("run-4")
    assert raw.accepted("student", "left_on::text") == ["2024-06-30"]


def test_a_last_good_version_gives_way_when_the_newest_passes(raw):
    raw.put_sound([*STUDENT, "supervisor", "enterprise", "commissioned_project", "commissioned_receipt"])
    raw.judge("run-1")
    raw.put(raw.version("commissioned_receipt", received_on="2026-10-16"))
    raw.judge("run-2")
    assert raw.accepted("commissioned_receipt", "received_on::text") == ["2022-06-01"]
    raw.put(raw.version("commissioned_project", signed_on="2022-03-02"))
    assert raw.judge("run-3", as_of=fill.AS_OF.replace(day=16))["commissioned_receipt"]["judged"] == 1
    assert raw.accepted("commissioned_receipt", "received_on::text") == ["2026-10-16"]


def test_an_older_version_is_not_restored_without_its_parent(raw):
    raw.put_sound(STUDENT)
    raw.judge("run-1")
    raw.put(raw.version("student", gender_code="2"))
    raw.judge("run-2")
    raw.put(raw.version("programme", deleted=True))
    raw.judge("run-3")
    assert raw.quarantine() == {("student", "r1")}
    assert published(raw) == []
    assert raw.quarantine("stood_down") == {("student", "r1")}


def test_an_older_version_that_passes_is_restored(raw):
    second = raw.version("programme", "p2", programme_id="PR2")
    raw.put_sound(STUDENT)
    raw.put(second)
    raw.judge("run-1")
    raw.put(raw.version("student", programme_id="PR2"))
    raw.judge("run-2")
    assert published(raw, "programme_id") == ["PR2"]
    raw.put({**second, "is_deleted": True})
    raw.judge("run-3")
    assert raw.failures() == {("student", "r1"): {PARENT}}
    assert published(raw, "programme_id") == ["PR1"]
    raw.put(second)
    raw.judge("run-4")
    assert published(raw, "programme_id") == ["PR2"]
    assert raw.quarantine() == set()


def test_a_parent_that_goes_while_another_faulty_version_comes(raw):
    raw.put_sound(STUDENT)
    raw.judge("run-1")
    raw.put(raw.version("programme", deleted=True), raw.version("student", left_on=None))
    raw.judge("run-2")
    assert published(raw) == []
    assert raw.rows(
        "select rule_id, resolution from quality.row_failure f where exists "
        "(select 1 from quality.quarantine q where q.raw_id = f.raw_id and q.state = 'stood_down')"
    ) == [(PARENT, "replaced")], "why it is no longer published"


def test_a_tightened_rule_judges_it_too(waiting, change_rule):
    change_rule(BIRTH, version=2, severity="ERROR", assert_="r.gender_code = '9'")
    waiting.judge("run-3")
    assert published(waiting) == []


def test_time_judges_it_too(waiting, change_rule):
    change_rule(BIRTH, version=2, severity="ERROR", assert_="{as_of} <= date '2026-12-17'")
    waiting.judge("run-3", as_of=date(2026, 12, 17))
    assert published(waiting) == ["2024-06-30"]
    waiting.judge("run-4", as_of=date(2026, 12, 18))
    assert published(waiting) == []


def test_one_that_passes_is_judged_in_every_run_and_leaves_no_trace(waiting):
    counts = "select (select count(*) from quality.row_failure), (select count(*) from quality.quarantine), "
    counts += "(select count(*) from quality.release), (select count(*) from quality.judged)"
    before = waiting.rows(counts)
    for number in (3, 4):
        waiting.judge(f"run-{number}", as_of=fill.AS_OF + timedelta(number))
    assert waiting.judge("run-5")["student"]["judged"] == 2
    assert waiting.judge("run-5")["student"]["judged"] == 0
    assert waiting.rows(counts) == before
    assert waiting.quarantine("stood_down") == set()
    assert published(waiting) == ["2024-06-30"]


def test_one_that_fails_waits_for_better_times_and_stays_history(raw):
    """Three good versions; the parent goes for two runs and comes back while another fault keeps the newest out."""
    raw.put_sound(STUDENT)
    raw.judge("run-1")
    for number, region in ((2, "500102"), (3, "500103")):
        raw.put(raw.version("student", origin_region_code=region))
        raw.judge(f"run-{number}")
    raw.put(raw.version("programme", deleted=True), raw.version("student", left_on=None))
    for number in (4, 5, 6):
        raw.judge(f"run-{number}")
        assert published(raw) == []
        assert raw.rows("select since_run_id from quality.quarantine where state = 'stood_down'") == [
            ("run-4",)
        ]
    raw.put(raw.version("programme"))
    raw.judge("run-7")
    assert published(raw, "origin_region_code") == ["500103"]
    assert raw.quarantine("stood_down") == set()
    history = "select origin_region_code from accepted.student_versions order by raw_id"
    assert raw.rows(history) == [("500101",), ("500102",), ("500103",)]


def test_a_record_that_was_deleted_before_its_faulty_return_is_gone(raw):
    raw.put_sound(STUDENT)
    raw.judge("run-1")
    raw.put(raw.version("student", deleted=True))
    raw.put(raw.version("student", left_on=None))
    raw.judge("run-2")
    assert published(raw) == []
    raw.judge("run-3")
    assert published(raw) == []


def test_it_holds_no_key_against_a_newest_version(raw):
    """r1 wants another key and fails; r2, whose id is greater, takes the one that r1 leaves."""
    raw.put_sound(STUDENT)
    raw.judge("run-1")
    raw.put(raw.version("student", student_id="10611X2", left_on=None))
    raw.judge("run-2")
    assert published(raw, "src_record_id") == ["r1"]
    raw.put(raw.version("student", "r2"))
    raw.judge("run-3")
    assert published(raw, "src_record_id") == ["r2"]
    assert raw.quarantine() == {("student", "r1")}


def test_of_two_with_one_key_the_later_stays(raw):
    raw.put_sound(STUDENT)
    raw.judge("run-1")
    raw.put(raw.version("student", "r1", student_id="10611X3"), raw.version("student", "r2"))
    raw.judge("run-2")
    assert raw.failures() == {}
    assert published(raw, "src_record_id") == ["r1", "r2"]
    raw.put(
        raw.version("student", "r1", student_id="10611X4", left_on=None),
        raw.version("student", "r2", student_id="10611X5", left_on=None),
        raw.version("student", "r3", student_id="10611X3"),
    )
    raw.judge("run-3")
    assert raw.rows("select src_record_id, student_id from accepted.student order by 1") == [
        ("r2", "10611X1"),
        ("r3", "10611X3"),
    ]
    raw.put(raw.version("student", "r3", student_id="10611X3", deleted=True))
    raw.judge("run-4")
    assert raw.rows("select src_record_id, student_id from accepted.student order by 1") == [
        ("r1", "10611X3"),
        ("r2", "10611X1"),
    ]
    assert published(raw, "src_record_id") == ["r1", "r2"]
