"""Problems follow from what stands of every entity, also of those that the run itself did not judge."""

from datetime import timedelta

import pytest
from made_up import UNI
from small_world import STUDENT

from support import fill
from yuyan.decisions import problems
from yuyan.validate import run, suite

pytestmark = pytest.mark.database

RULE = "QR.student.birth_year.16"  # of an unlikely age: a warning, so that no row waits to be judged again
ENTITIES = (*STUDENT, "overseas_study")


@pytest.fixture
def broken(raw):
    """A student who breaks the rule, and a stay abroad of theirs; nothing is judged yet."""
    raw.put_sound(set(ENTITIES) - {"student"})
    raw.put(raw.version("student", birth_year="1930"))
    return raw


def _steps(raw) -> list[tuple]:
    return raw.rows(
        "select action, run_id from quality.problem_event join quality.problem using (problem_id) "
        "where rule_id = %s order by event_id",
        RULE,
    )


class Killed(BaseException):
    """The process ends: what only an entity cannot bear is that entity's alone."""


def test_a_run_that_broke_off_leaves_its_problems_to_the_next(broken, monkeypatch):
    """Students are judged and committed, their stays abroad are not: nothing of students is new for the next run."""
    judge_rows = suite.run

    def breaks_off(batch, entity, rules):
        if entity == "overseas_study":
            raise Killed
        return judge_rows(batch, entity, rules)

    with monkeypatch.context() as patch:
        patch.setattr(run.suite, "run", breaks_off)
        with pytest.raises(Killed):
            broken.judge("run-1", ENTITIES)
    assert _steps(broken) == []

    assert broken.judge("run-2", ENTITIES)["student"]["judged"] == 0
    assert _steps(broken) == [("found", "run-2")]
    broken.judge("run-3", ENTITIES)
    assert _steps(broken) == [("found", "run-2")]


def test_a_promise_is_overdue_in_a_run_that_judged_nothing_of_it(broken):
    broken.judge("run-1", ENTITIES)
    ((number,),) = broken.rows("select problem_id from quality.problem where rule_id = %s", RULE)
    by = fill.AS_OF + timedelta(days=1)
    problems.promise(broken.connection, number, UNI, by, "联系厂商", fill.AS_OF)
    assert broken.judge("run-2", ("institution",), by)["institution"]["judged"] == 0
    assert [action for action, _ in _steps(broken)] == ["found", "promise"]
    broken.judge("run-3", ("institution",), by + timedelta(days=1))
    assert _steps(broken)[2:] == [("overdue", "run-3")]
