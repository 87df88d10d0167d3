"""What rules look up by a whole key is joined once; what is anything else is left as it is."""

from datetime import date

import psycopg
import pytest
from small_world import STUDENT

from yuyan.domain import catalogue
from yuyan.validate import looked_up, worktable
from yuyan.warehouse import ddl

LEFT = "(select s.left_on from accepted.student s where s.student_id = r.student_id) > r.from_on"


def test_a_value_and_whether_the_record_is_there_come_from_one_join():
    there = "exists (select 1 from accepted.student p where p.student_id = r.student_id)"
    level = (
        "exists (select 1 from accepted.student p where p.student_id = r.student_id and p.degree_level = '2')"
    )
    conditions, joins = looked_up.once({"v1": LEFT, "v2": there, "v3": f"{there} or {level}"})
    assert conditions == {
        "v1": "(case when j1_raw_id is not null then j1_left_on end) > r.from_on",
        "v2": "(j1_raw_id is not null)",
        "v3": "(j1_raw_id is not null) or coalesce(j1_raw_id is not null and (j1_degree_level = '2'), false)",
    }
    assert joins == [
        "left join (select degree_level as j1_degree_level, left_on as j1_left_on, raw_id as j1_raw_id, "
        "student_id as j1_student_id from accepted.student) as j1 on j1.j1_student_id = r.student_id"
    ]


@pytest.mark.parametrize(
    "condition",
    [
        "(select max(s.left_on) from accepted.student s where s.student_id = r.student_id) > r.from_on",
        "exists (select 1 from accepted.student s where s.person_key = r.person_key)",  # not the key
        "exists (select 1 from accepted.employment s where s.student_id = r.student_id)",  # a part of the key
        "exists (select 1 from accepted.student s where s.student_id = r.student_id and s.a = 1 or s.b = 2)",
        "exists (select 1 from accepted.student s where s.student_id = r.student_id and left_on is null)",  # whose?
        "exists (select 1 from latest_student s where s.student_id = r.student_id)",
    ],
)
def test_what_is_not_one_record_by_its_key_stays(condition):
    assert looked_up.once({"v1": condition}) == ({"v1": condition}, [])


def test_most_lookups_of_the_catalogue_are_joined():
    day, rules = date(2026, 10, 15), catalogue.load()
    verdicts = {
        r.rule_id: worktable.verdict(e, r, day) for e, of_entity in rules.rules.items() for r in of_entity
    }
    joined, joins = looked_up.once(verdicts)
    asking = [rule_id for rule_id, sql in verdicts.items() if "accepted." in sql]
    assert sum("accepted." in joined[rule_id] for rule_id in asking) < 0.1 * len(asking)
    assert len(joins) < 0.5 * len(asking)


@pytest.mark.database
def test_two_accepted_records_of_one_key_are_told(raw):
    """The line keeps keys apart; were they not, a join would judge a row twice."""
    raw.put_sound(STUDENT)
    raw.judge("run-1")
    raw.connection.execute(
        'insert into accepted.programme select (jsonb_populate_record(p, \'{"src_record_id": "twin"}\')).* '
        "from accepted.programme p"
    )
    raw.put(raw.version("student", gender_code="2"))
    assert raw.judge("run-2")["student"]["isolated"] == 2, (
        "the version that came and the one to stand in for it"
    )
    said = raw.rows("select observed_value from quality.row_failure where rule_id like '%%student%%.9'")
    assert set(said) == {("21000 two accepted records have one key, which rules look up",)}


@pytest.mark.database
def test_patterns_that_are_asked_otherwise_say_the_same(warehouse):
    values = ["", "5", "123456", "12345", "1234567", "12345x", "123456\n", "１２３４５６", None, "0a" * 32, "0A" * 32,
              "0a" * 31, "x…sha256:" + "0a" * 32, "…sha256:" + "0a" * 31, "…sha256:", "zz"]  # fmt: skip
    patterns = [
        r"^\d{6}$",
        "^[0-9a-f]{64}$",
        "…sha256:[0-9a-f]{64}$",
        "sha[0-9]|zz",
        "^[0-9A-HJ-NPQRTUWXY]{6}$",
    ]
    with psycopg.connect(warehouse) as connection:
        for pattern in patterns:
            for operand in ("r.x", "coalesce(r.x, '')"):
                plain = f"{operand} ~ '{pattern}'"
                quick = worktable._quick(plain)
                assert quick != plain or "sha" in pattern
                rows = connection.execute(
                    f"select x, {plain}, {quick} from unnest(%s::text[]) as r (x)".replace("%s", "%(v)s"),
                    {"v": values},
                ).fetchall()
                assert [row for row in rows if row[1] is not row[2]] == []


@pytest.mark.database
def test_a_date_has_the_shape_that_a_pattern_says(warehouse):
    days = ["2024-09-01", "2024-02-30", "2024-9-01", "-024-01-01", "2024--1-01", "2024-01-1x", "2024-01-01 ", "２024-01-01",
            "----------", "", None]  # fmt: skip
    shape, pattern = ddl._SHAPES["date"].format("r.x"), r"r.x ~ '^\d{4}-\d{2}-\d{2}$'"
    with psycopg.connect(warehouse) as connection:
        rows = connection.execute(
            f"select x, {shape.replace('%', '%%')}, {pattern} from unnest(%(v)s::text[]) as r (x)",
            {"v": days},
        ).fetchall()
    assert [row for row in rows if row[1] is not row[2]] == []
    assert [x for x, fits, _ in rows if fits] == ["2024-09-01", "2024-02-30"]
