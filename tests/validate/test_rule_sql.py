"""What a rule looks up is what its SQL says, however it is written."""

import pytest

from yuyan.domain import catalogue, rule_sql


def found(text: str) -> list[tuple]:
    """(kind, entity, pairs, used) of every lookup."""
    return [(x.kind, x.entity, x.pairs, set(x.used)) for x in rule_sql.lookups(text)]


def test_a_table_its_keys_and_what_is_read_of_it():
    text = (
        "exists (select 1 from {accepted:student} s where s.student_id = r.student_id and s.left_on is null)"
    )
    assert found(text) == [
        ("accepted", "student", (("student_id", "student_id"),), {"student_id", "left_on"})
    ]


@pytest.mark.parametrize(
    "text",
    [
        "exists (select 1 from {latest:thesis} as t where r.thesis_id = t.thesis_id)",
        "exists (select 1 from {latest:thesis} t where (t.thesis_id) = (r.thesis_id) or t.thesis_id = r.thesis_id)",
        "(select max(t.thesis_id) from\n  {latest:thesis}   t\n where t.thesis_id=r.thesis_id) is not null",
        "exists (select 1 from (select 1) x join {latest:thesis} t on t.thesis_id = r.thesis_id)",
        "exists (select 1 from {latest:thesis} t where t.thesis_id = r.thesis_id -- t.title = r.title\n)",
    ],
)
def test_the_form_does_not_matter(text):
    assert found(text) == [("latest", "thesis", (("thesis_id", "thesis_id"),), {"thesis_id"})]


def test_one_alias_in_two_queries_is_two_lookups():
    text = (
        "exists (select 1 from {accepted:student} p where p.student_id = r.student_id) "
        "and exists (select 1 from {accepted:programme} p where p.programme_id = r.programme_id)"
    )
    assert found(text) == [
        ("accepted", "student", (("student_id", "student_id"),), {"student_id"}),
        ("accepted", "programme", (("programme_id", "programme_id"),), {"programme_id"}),
    ]


def test_a_text_that_looks_like_a_column_is_none():
    text = "exists (select 1 from {accepted:student} s where s.student_id = r.student_id and r.a <> 's.left_on = r.b')"
    assert found(text) == [("accepted", "student", (("student_id", "student_id"),), {"student_id"})]


def test_every_rule_can_be_read_and_names_its_records():
    rules = [rule for of_entity in catalogue.load().rules.values() for rule in of_entity]
    looking = [rule for rule in rules if "{accepted:" in rule.definition or "{latest:" in rule.definition]
    assert looking
    for rule in looking:
        every = [x for text in filter(None, (rule.when, rule.assert_)) for x in rule_sql.lookups(text)]
        assert every, rule.rule_id
        assert all(x.pairs for x in every), rule.rule_id
