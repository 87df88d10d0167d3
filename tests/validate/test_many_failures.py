"""An institution all of whose records fail costs time in proportion to its rows, whatever the planner has been told."""

import pytest
from small_world import STUDENT

from yuyan.validate import failures, statements

pytestmark = pytest.mark.database

MANY = 300
BAD = {"gender_code": "?", "ethnic_code": "?", "political_code": "?"}


def students(raw, **changes) -> list[dict]:
    """As many students with keys of their own."""
    return [
        raw.version("student", f"m{i}", student_id=f"10611M{i}", cert_no=f"M{i}", **changes)
        for i in range(MANY)
    ]


def nested(plan: dict) -> int:
    """Nested loops of a plan, in which both sides are read whole."""
    inner = [nested(part) for part in plan.get("Plans", ())]
    return sum(inner) + (plan["Node Type"] == "Nested Loop")


def test_failures_that_stand_and_end_are_compared_by_hashing_whatever_the_statistics_say(raw, monkeypatch):
    """The statistics are those of a day without failures, so the planner expects none."""
    raw.put_sound(STUDENT)
    raw.judge("run-1")
    raw.connection.execute("analyze quality.row_failure")
    raw.put(*students(raw, **BAD))
    raw.judge("run-2")
    monkeypatch.setattr(failures, "_analyze", lambda *_: None)
    plans = {}
    original = statements.run

    def run(connection, name, parameters=None, /, **parts):
        if name in ("stood", "resolve_failures", "write_failures"):
            query = statements.text(name, **parts)
            query = query[query.index("with touched") :] if name == "stood" else query
            ((plan,),) = connection.execute(f"explain (format json) {query}", parameters).fetchall()
            plans[name] = nested(plan[0]["Plan"])
        return original(connection, name, parameters, **parts)

    monkeypatch.setattr(statements, "run", run)
    raw.put(*students(raw, birth_year="1998"))
    raw.judge("run-3", ["student"])
    assert plans == {"stood": 0, "resolve_failures": 0, "write_failures": 0}


def test_going_bad_being_corrected_going_bad_again_and_being_deleted(raw):
    raw.put_sound(STUDENT)
    raw.put(*students(raw))
    raw.judge("run-1")
    assert raw.failures() == {}
    raw.put(*students(raw, birth_year="1998", **BAD))
    raw.judge("run-2")
    assert sum(map(len, raw.failures().values())) == MANY * len(BAD)
    raw.put(*students(raw, birth_year="1999"))
    raw.judge("run-3")
    raw.put(*students(raw, birth_year="1998", **BAD))
    raw.judge("run-4")
    raw.put(*(s | {"is_deleted": True} for s in students(raw, birth_year="1998")))
    raw.judge("run-5")
    assert raw.failures() == {}
    assert raw.rows(
        "select since_run_id, resolved_run_id, resolution, count(*) from quality.row_failure group by 1, 2, 3 order by 1"
    ) == [
        ("run-2", "run-3", "corrected", MANY * len(BAD)),
        ("run-4", "run-5", "deleted", MANY * len(BAD)),
    ]
