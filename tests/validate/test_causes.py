"""Failures that one remedy mends are one cause: a missing parent, a quarantined one, an unknown code, a bad batch."""

import pytest
from small_world import STUDENT

pytestmark = pytest.mark.database


def causes(raw) -> dict[str, tuple]:
    """kind -> (cause_entity, cause_key, cause_rule_ids, entities, failed_rows) of every standing cause, for unique kinds."""
    return {
        kind: tuple(rest)
        for kind, *rest in raw.rows(
            "select kind, cause_entity, cause_key, cause_rule_ids, entities, failed_rows from quality.cause "
            "where resolved_run_id is null"
        )
    }


def standing(raw) -> int:
    """How many causes stand."""
    return raw.rows("select count(*) from quality.cause where resolved_run_id is null")[0][0]


def test_a_thousand_children_of_one_missing_parent_are_one_cause_over_all_entities(raw):
    raw.put_sound(["institution", "org_unit", "degree_point", "programme"])
    raw.put(
        *(
            raw.version("student_status_event", f"e{i}", event_id=f"E{i}", event_type="24")
            for i in range(1000)
        ),
        raw.version("overseas_study"),
    )
    raw.judge("run-1")
    assert causes(raw) == {
        "parent_missing": ("student", "10611X1", [], ["overseas_study", "student_status_event"], 1001)
    }
    assert raw.rows("select src_inst_code, message from quality.cause") == [
        ("10611", "学籍“10611X1”未报送、已删除或引用有误，涉及 1001 条记录")
    ]
    assert raw.rows("select count(distinct cause_id), count(*) from quality.row_failure") == [(1, 1001)]
    raw.put(raw.version("student"))
    raw.judge("run-2")
    assert causes(raw) == {}
    assert raw.rows("select since_run_id, resolved_run_id from quality.cause") == [("run-1", "run-2")]


def test_of_a_chain_of_quarantined_parents_the_topmost_is_the_cause(raw):
    """The degree point is faulty, so its programme, its student and the student's event wait."""
    raw.put_sound(["institution", "org_unit"])
    raw.put(
        raw.version("degree_point", status_code="77"),
        *(raw.version(e) for e in ("programme", "student", "student_status_event")),
    )
    raw.judge("run-1")
    assert causes(raw) == {
        "parent_quarantined": (
            "degree_point",
            "10611-2-1-0802",
            ["QR.degree_point.status_code.4"],
            ["programme", "student", "student_status_event"],
            3,
        ),
        "unknown_code": (None, None, [], ["degree_point"], 1),
    }


def test_a_chain_that_ends_in_a_missing_record_has_that_for_its_cause(raw):
    raw.put_sound([*STUDENT[1:], "student_status_event"])
    raw.judge("run-1")
    assert causes(raw) == {
        "parent_missing": (
            "institution",
            "10611",
            [],
            ["degree_point", "org_unit", "programme", "student", "student_status_event"],
            5,
        )
    }
    assert raw.rows("select src_inst_code from quality.cause") == [("50000",)]


def test_rows_with_one_unknown_code_are_one_cause_whatever_else_their_list_holds(raw):
    raw.put_sound(["institution", "org_unit"])
    raw.put(
        *(
            raw.version("course", f"c{i}", course_id=f"C{i}", tag_codes=tags)
            for i, tags in enumerate(["AI1;ZZ", "ZZ", "YY"])
        )
    )
    raw.judge("run-1")
    assert raw.rows("select kind, observed_value, failed_rows from quality.cause order by 2") == [
        ("unknown_code", "YY", 1),
        ("unknown_code", "ZZ", 2),
    ]


def test_a_batch_that_fails_as_a_whole_is_one_cause_and_later_failures_are_not_part_of_it(raw):
    raw.put_sound(STUDENT)
    events = [
        raw.version("student_status_event", f"e{i}", event_id=f"E{i}", event_type="24") for i in range(31)
    ]
    raw.put(*(e | {"student_id": f"10611Z{i}"} if i < 28 else e for i, e in enumerate(events[:30])))
    raw.put(events[30] | {"student_id": "10611Z30"})
    raw.judge("run-1")
    assert raw.rows("select kind, batch_id, failed_rows, cause_key from quality.cause order by 3 desc") == [
        ("same_batch", "load-2-student_status_event-10611", 28, None),
        ("parent_missing", None, 1, "10611Z30"),
    ]
    raw.put(*events[:28])
    raw.judge("run-2")
    assert standing(raw) == 1


def test_the_rest_is_grouped_by_rule_and_institution_and_keeps_its_name(raw):
    raw.put_sound(STUDENT[:-1])
    raw.put(*(raw.version("student", f"s{i}", student_id=f"10611X{i}", left_on=None) for i in range(3)))
    raw.judge("run-1")
    (before,) = raw.rows("select cause_id, kind, rule_ids, failed_rows, since_run_id from quality.cause")
    assert before[1:] == ("single", ["QR.student.left_on.12"], 3, "run-1")
    raw.put(raw.version("student", "s0", student_id="10611X0"))
    raw.judge("run-2")
    assert raw.rows("select cause_id, failed_rows, since_run_id, last_run_id from quality.cause") == [
        (before[0], 2, "run-1", "run-2")
    ]


def test_what_a_killed_run_found_has_its_cause_though_the_next_run_finds_it_mended(raw, monkeypatch):
    raw.put_sound(STUDENT[:-1])
    raw.put(raw.version("student", left_on=None))

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("yuyan.validate.causes.find", killed)
        with pytest.raises(KeyboardInterrupt):
            raw.judge("run-1")
    assert raw.rows("select count(*) from quality.cause") == [(0,)]
    raw.put(raw.version("student"))
    raw.judge("run-2")
    assert raw.failures() == {}
    assert raw.rows(
        "select f.rule_id, c.kind, c.entities, c.failed_rows, c.message, c.since_run_id, c.resolved_run_id "
        "from quality.row_failure f join quality.cause c using (cause_id)"
    ) == [
        (
            "QR.student.left_on.12",
            "single",
            ["student"],
            1,
            "学籍状态为离校但无离校日期，涉及 1 条记录",
            "run-1",
            "run-2",
        )
    ]


def test_a_rule_that_every_record_of_an_institution_breaks_is_a_systematic_error(raw):
    """Not twenty wrong records but one wrong mapping: whatever the values are, and however many batches they came in."""
    raw.put_sound(STUDENT[:4])
    raw.put(*students(raw, 12, gender_code="男"), *students(raw, 1, source="10635"))
    raw.put(*students(raw, 12, start=12, gender_code="女"))
    raw.judge("run-1")
    found = raw.rows(
        "select kind, src_inst_code, rule_ids, failed_rows, message from quality.cause where kind = 'systematic'"
    )
    assert [row[:4] for row in found] == [("systematic", "10611", ["QR.student.gender_code.4"], 24)]
    assert found[0][4].startswith("字段映射或系统性错误，学籍的适用记录全部不合格：")
    assert raw.rows(
        "select count(distinct cause_id), count(cause_id) from quality.row_failure where rule_id like '%%gender_code.4'"
    ) == [(1, 24)]


def test_one_sound_record_makes_it_a_matter_of_records(raw):
    raw.put_sound(STUDENT)
    raw.put(*students(raw, 24, birth_year="1900"))
    raw.judge("run-1")
    kinds = raw.rows("select kind from quality.cause where rule_ids = array['QR.student.birth_year.16']")
    assert kinds == [("same_batch",)]


def test_children_of_one_missing_parent_stay_one_cause_of_that_parent(raw):
    """An institution that the commission has not registered: nothing of the mapping is wrong."""
    raw.put(*students(raw, 30))
    raw.judge("run-1")
    assert "systematic" not in causes(raw)


def students(raw, count: int, start: int = 0, source: str = "10611", **changes) -> list[dict]:
    """Students with keys of their own."""
    return [
        raw.version(
            "student",
            f"m{i}",
            source=source,
            student_id=f"10611M{source}{i}",
            cert_no=f"M{source}{i}",
            **changes,
        )
        for i in range(start, start + count)
    ]
