"""The rule catalogue: what is derived, what is refused, what a change means."""

import shutil
from datetime import date

import pytest

from yuyan import settings
from yuyan.domain import catalogue, contracts
from yuyan.domain.catalogue import RuleError

RULES = catalogue.load()
DAY = date(2026, 10, 15)
BY_ID = {rule.rule_id: rule for of_entity in RULES.rules.values() for rule in of_entity}


def test_every_entity_has_rules_and_every_id_is_unique():
    assert set(RULES.rules) == set(contracts.load())
    assert len(BY_ID) == sum(map(len, RULES.rules.values()))
    for entity, rules in RULES.rules.items():
        assert not all(rule.is_business for rule in rules), entity


def test_who_may_override_follows_from_what_a_failure_does():
    assert BY_ID["QR.student.left_on.12"].override == "commission"
    assert BY_ID["QR.student.birth_year.16"].override == "university"
    for rule in BY_ID.values():
        if not rule.is_business and not rule.rule_id.endswith(".3"):
            assert rule.override == "nobody", rule.rule_id
    assert BY_ID["QR.thesis.title.3"].override == "commission"  # a length
    assert BY_ID["QR.course_offering.academic_year.3"].override == "nobody"  # a pattern
    assert BY_ID["QR.programme.programme_id.3"].override == "nobody"  # the length of a key


def test_tolerance_override_and_validity_are_read(tmp_path):
    given = "tolerance: {rows: 3, pct: 0.5}\n    override: nobody\n    valid_from: 2026-01-01\n    valid_to: 2026-12-31\n"
    (tmp_path / "programme.yml").write_text(EXAMPLE.replace("indicators: []\n", given), encoding="utf-8")
    rule = catalogue.load(tmp_path).rules["programme"][-1]
    assert (rule.tolerance.rows, rule.tolerance.pct, rule.override) == (3, 0.5, "nobody")
    days = (date(2025, 12, 31), date(2026, 1, 1), date(2026, 12, 31), date(2027, 1, 1))
    assert [rule.holds_on(day) for day in days] == [False, True, True, False]


@pytest.mark.parametrize(
    ("rule_id", "level", "definition"),
    [
        ("QR.student.student_id.1", 1, "coalesce({raw:student_id}, '') <> ''"),
        ("QR.student.entry_on.2", 1, "when {raw:entry_on} is not null then r.entry_on is not null"),
        (
            "QR.student.student_id.3",
            1,
            "when {raw:student_id} is not null then char_length({raw:student_id}) <= 40",
        ),
        (
            "QR.student.nationality_code.3",
            1,
            "when {raw:nationality_code} is not null then {raw:nationality_code} ~ '^[A-Z]{3}$'",
        ),
        (
            "QR.student.gender_code.4",
            1,
            "when {raw:gender_code} is not null then {raw:gender_code} in ('0', '1', '2', '9')",
        ),
        (
            "QR.student.degree_point_id.5",
            3,
            "when r.degree_point_id is not null then "
            "exists (select 1 from {accepted:degree_point} p where p.degree_point_id = r.degree_point_id)",
        ),
        ("QR.student.key.6", 2, "when r.record_key is not null then not r.key_is_taken"),
        ("QR.student.inst_code.7", 2, "when r.inst_code is not null then r.inst_code = r.src_inst_code"),
    ],
)
def test_structural_rules_follow_from_the_contract(rule_id, level, definition):
    rule = BY_ID[rule_id]
    assert (rule.level, rule.severity, rule.definition) == (level, "ERROR", definition)
    assert rule.message
    assert rule.why
    assert rule.fix
    assert rule.owner


def test_a_second_reference_with_the_same_first_field_is_named_after_its_last():
    assert "培养单位" in BY_ID["QR.student.inst_code.5"].message
    assert "院系" in BY_ID["QR.student.unit_code.5"].message
    assert "QR.course.inst_code.5" in BY_ID
    assert "QR.course.unit_code.5" not in BY_ID


def test_a_coded_field_has_no_length_rule_and_direct_identifiers_have_none_at_all():
    assert "QR.student.gender_code.3" not in BY_ID
    assert not [
        i
        for i in BY_ID
        if i.startswith(("QR.student.person_name.", "QR.student.mobile.", "QR.student.cert_no."))
    ]


def test_parents_come_before_children_also_where_only_a_rule_looks_them_up():
    position = {entity: i for i, entity in enumerate(RULES.order)}
    for contract in contracts.load().values():
        for reference in contract.references:
            assert position[reference.entity] < position[contract.entity]
    assert position["thesis"] < position["honour"]


def test_lookups_name_what_a_rule_reads():
    (lookup,) = [x for x in RULES.lookups if (x.parent, x.child) == ("student", "employment")]
    assert (lookup.to_fields, lookup.own_fields) == (("student_id",), ("student_id",))
    assert lookup.used >= {"student_id", "status_code"}
    assert "gender_code" not in lookup.used
    assert ("latest", "thesis_sampling_review", "thesis_sampling") in {
        (x.kind, x.parent, x.child) for x in RULES.lookups
    }


def test_a_parents_rules_affect_the_indicators_of_its_children():
    assert "H13" in BY_ID["QR.student.student_id.1"].indicators
    assert BY_ID["QR.course_evaluation.n1.13"].indicators == ("H06",)


EXAMPLE = """owner: 单位
rules:
  duration_years.11:
    severity: ERROR
    assert: duration_years between 1 and 8
    message: 学制超出 1–8 年
    why: 原因
    fix: 办法
    indicators: []
"""


def test_what_a_rule_does_not_say_follows_from_where_it_stands(tmp_path):
    (tmp_path / "programme.yml").write_text(EXAMPLE, encoding="utf-8")
    rule = catalogue.load(tmp_path).rules["programme"][-1]
    assert (rule.rule_id, rule.column) == ("QR.programme.duration_years.11", "duration_years")
    assert (rule.version, rule.level, rule.owner) == (1, 2, "单位")
    said = EXAMPLE.replace("severity", "version: 3\n    level: 1\n    owner: 教务处\n    severity")
    (tmp_path / "programme.yml").write_text(said, encoding="utf-8")
    catalogue.load.cache_clear()
    rule = catalogue.load(tmp_path).rules["programme"][-1]
    assert (rule.version, rule.level, rule.owner) == (3, 1, "教务处")


@pytest.mark.parametrize(
    ("condition", "level"),
    [
        ("exists (select 1 from {accepted:degree_point} p where p.degree_point_id = r.degree_point_id)", 3),
        ("not exists (select 1 from {latest:programme} p where p.programme_id = r.programme_id)", 3),
        ("exists (select 1 from {accepted:programme} p where p.programme_id = r.programme_id)", 5),
    ],
)
def test_the_level_of_a_rule_follows_from_what_it_looks_at(tmp_path, condition, level):
    text = EXAMPLE.replace("duration_years between 1 and 8", f'"{condition}"')
    (tmp_path / "programme.yml").write_text(text, encoding="utf-8")
    assert catalogue.load(tmp_path).rules["programme"][-1].level == level


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("severity: ERROR", "severity: FATAL", "severity"),
        ("owner: 单位\n", "# nobody\n", "owner"),
        ("severity", "rule_id: QR.programme.duration_years.11\n    severity", "rule_id: follows from"),
        ("severity", "column: duration_years\n    severity", "column: follows from"),
        ("indicators: []", "break: {changes: {}}", "break.set"),
        ("indicators: []", "indicators: [H99]", "H99 not in seeds/plan/indicator.csv"),
        ("indicators: []", "colour: red", "colour"),
        ("indicators: []", "tolerance: {pct: 101}", "tolerance.pct"),
        ("indicators: []", "override: anyone", "override"),
        (
            "indicators: []",
            "valid_from: 2026-02-01\n    valid_to: 2026-01-31",
            "valid_to 2026-01-31 is before",
        ),
        ("duration_years.11:", "duration.11:", "column 'duration' is not stored"),
        ("duration_years.11:", "duration_years:", "name a rule <column>.<number from 11>"),
        (".11", ".7", "number from 11"),
        ("between 1 and 8", "< {today}", "unknown macro {today}"),
        ("between 1 and 8", "< {known_region:nowhere}", "'nowhere' is not a column"),
        (
            "duration_years between 1 and 8",
            "exists (select 1 from {accepted:degree_point} p where p.status_code = '10')",
            "look degree_point up by p.<key> = r.<column>",
        ),
        (
            "duration_years between 1 and 8",
            "exists (select 1 from {latest:nothing} p where p.a = r.b)",
            "no such entity",
        ),
        (
            "duration_years between 1 and 8",
            "exists (select 1 from {accepted:degree_point} p where p.degree_point_id = = r.degree_point_id)",
            "not SQL that can be read",
        ),
    ],
)
def test_a_bad_rule_is_refused_with_file_and_line(tmp_path, old, new, message):
    assert old in EXAMPLE
    (tmp_path / "programme.yml").write_text(EXAMPLE.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(RuleError, match=r"programme\.yml:3: ") as refused:
        catalogue.load(tmp_path)
    assert message in str(refused.value)


def test_what_a_file_says_for_tests_and_city_is_checked_too(tmp_path):
    text = EXAMPLE + "planted:\n  duration_years.2: {set: {duration_years: x}, wher: a = 1}\n"
    (tmp_path / "programme.yml").write_text(text, encoding="utf-8")
    with pytest.raises(RuleError, match=r"programme\.yml:11: planted\.duration_years\.2\.wher: Extra inputs"):
        catalogue.cases("programme", tmp_path)
    (tmp_path / "programme.yml").write_text(text.replace("wher:", "where:"), encoding="utf-8")
    catalogue.cases.cache_clear()
    assert catalogue.cases("programme", tmp_path).planted["duration_years.2"].where == "a = 1"
    assert catalogue.cases("course", tmp_path).planted == {}
    catalogue.cases.cache_clear()


def test_a_name_used_twice_is_refused_at_the_second(tmp_path):
    (tmp_path / "programme.yml").write_text(EXAMPLE + EXAMPLE.split("rules:\n")[1], encoding="utf-8")
    with pytest.raises(RuleError, match=r"programme\.yml:10: duration_years\.11 is used twice"):
        catalogue.load(tmp_path)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (EXAMPLE.replace("owner: 单位", "owners: 单位"), 1, "'owners' is none of"),
        (EXAMPLE.replace("message: 学制", "message: 学制: "), 6, "not YAML"),
        ("- rules\n", 1, "not a mapping"),
        ("owner: 单位\nrules:\n  - a\n", 2, "must be a mapping"),
        ("owner: 单位\n", 1, "must be a mapping"),
    ],
)
def test_a_file_of_another_shape_is_refused_with_its_line(tmp_path, text, line, message):
    (tmp_path / "programme.yml").write_text(text, encoding="utf-8")
    with pytest.raises(RuleError, match=rf"programme\.yml:{line}: .*{message}"):
        catalogue.load(tmp_path)


def test_a_file_without_its_contract_or_of_another_name_is_refused(tmp_path):
    (tmp_path / "nobody.yml").write_text(EXAMPLE, encoding="utf-8")
    with pytest.raises(RuleError, match=r"nobody\.yml:1: there is no contract"):
        catalogue.load(tmp_path)
    (tmp_path / "nobody.yml").rename(tmp_path / "course.yml")
    with pytest.raises(
        RuleError, match=r"course\.yml:3: QR\.course\.duration_years\.11: column 'duration_years'"
    ):
        catalogue.load(tmp_path)


def test_a_circle_of_accepted_lookups_is_refused(tmp_path):
    circle = "exists (select 1 from {accepted:student} s where s.programme_id = r.programme_id)"
    text = EXAMPLE.replace("duration_years between 1 and 8", f'"{circle}"')
    (tmp_path / "programme.yml").write_text(text, encoding="utf-8")
    with pytest.raises(RuleError, match="in a circle"):
        catalogue.load(tmp_path)


def test_the_digest_follows_what_decides_and_nothing_else(tmp_path):
    shutil.copytree(settings.EXPECTATIONS, tmp_path / "rules")
    path = tmp_path / "rules" / "programme.yml"
    text = path.read_text(encoding="utf-8")
    original = RULES.digest("programme", DAY)
    path.write_text(text.replace("message: ", "message: 新"), encoding="utf-8")
    assert catalogue.load(tmp_path / "rules").digest("programme", DAY) == original
    catalogue.load.cache_clear()
    path.write_text(text.replace("between 1 and 8", "between 1 and 9"), encoding="utf-8")
    changed = catalogue.load(tmp_path / "rules")
    assert changed.digest("programme", DAY) != original
    assert changed.digest("student", DAY) == RULES.digest("student", DAY)
    catalogue.load.cache_clear()
