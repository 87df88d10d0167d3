"""The star built on `tiny`: facts and versions that were counted by hand."""

from datetime import date
from decimal import Decimal

import pytest
import tiny
from tiny import A, B

pytestmark = pytest.mark.database


@pytest.fixture
def ask(built):
    """Run a query, get its rows."""
    return lambda sql, *values: built.execute(sql, values).fetchall()


def test_every_node_was_recorded_and_none_failed_or_warned(ask):
    outcomes = dict(
        ask(
            "select status, count(*) from ops.model_result where run_id = 'built' and layer = 'star' group by 1"
        )
    )
    assert set(outcomes) == {"success", "pass"}


def test_a_unit_that_the_directory_does_not_have_is_a_member_without_attributes(ask):
    rows = ask(
        "select uscc, is_in_directory, enterprise_name, cluster_code from star.dim_enterprise order by 1"
    )
    assert rows == [("E1", True, "x", "L01"), ("E2", False, "名录未收录的单位", None)]


def test_the_census_counts_who_is_in_study_on_the_day(ask):
    rows = ask(
        "select census_year, array_agg(student_id order by student_id) from star.fct_enrolment_census group by 1"
    )
    assert dict(rows) == {
        2019: [f"{B}001"],
        2020: [f"{B}001"],
        2021: [f"{B}001"],
        2022: [f"{B}002"],  # B001 left in June
        2023: [f"{A}001", f"{B}002", f"{B}004"],  # B003 keeps its place only (30)
        2024: [f"{A}001", f"{B}002"],  # B004 left on the day itself; B007 was deleted
        2025: [f"{A}001", f"{B}088"],
        2026: [f"{A}001", f"{B}005", f"{B}088"],  # B006 came a day later
    }


def test_the_census_carries_the_current_discipline_and_the_versions_of_its_day(ask):
    rows = ask(
        "select c.student_id, c.discipline_code, s.version_number, p.version_number, p.discipline_code "
        "from star.fct_enrolment_census c join star.dim_student s using (student_key) "
        "join star.dim_degree_point p on p.degree_point_key = c.degree_point_key where c.census_year = 2026 order by 1"
    )
    assert rows == [
        (f"{A}001", "0812", 1, 1, "0812"),
        (f"{B}005", "0855", 1, 1, "0854"),
        (f"{B}088", "0855", 1, 1, "0854"),
    ]


def test_versions_of_a_student_follow_the_days_they_were_collected(ask):
    rows = ask(
        "select version_number, study_mode, valid_from, valid_to, is_current from star.dim_student "
        "where student_id = %s order by 1",
        f"{A}001",
    )
    assert rows == [
        (1, "1", date(1900, 1, 1), tiny.DAY_1, False),
        (2, "2", tiny.AS_OF, date(9999, 12, 31), True),
    ]


def test_a_deleted_and_a_renumbered_student_have_no_current_version(ask):
    rows = ask(
        "select student_id, valid_to, is_current from star.dim_student "
        "where right(student_id, 3) in ('007', '008', '088') order by 1"
    )
    assert rows == [
        (f"{B}007", tiny.DAY_1, False),
        (f"{B}008", tiny.DAY_1, False),
        (f"{B}088", date(9999, 12, 31), True),
    ]


def test_an_unchanged_record_has_one_version(ask):
    assert ask("select count(*) from star.dim_degree_point where degree_point_id = '10611D0812'") == [(1,)]
    assert ask("select count(*) from star.dim_degree_point where inst_code = %s", B) == [(2,)]


def test_a_fact_takes_the_version_of_its_date(ask):
    rows = ask(
        "select t.thesis_id, s.study_mode, t.discipline_code, p.discipline_code from star.fct_thesis t "
        "join star.dim_student s using (student_key) "
        "join star.dim_degree_point p on p.degree_point_key = t.degree_point_key order by 1"
    )
    assert rows == [("T1", "1", "0855", "0854"), ("T2", "2", "0812", "0812")]


def test_people_are_one_person_across_institutions(ask):
    assert ask(
        "select count(distinct person_key), count(*) from star.fct_student_lifecycle where person_key = %s",
        tiny.PEOPLE["ANN"],
    ) == [(1, 2)]


def test_the_lifecycle_gathers_the_dates_of_a_student(ask):
    (row,) = ask(
        "select first_thesis_opened_on, first_awarded_on, left_on, first_employed_on, entry_to_award_days_count, "
        "is_awarded, is_employed from star.fct_student_lifecycle where student_id = %s",
        f"{B}002",
    )
    awarded = date(2025, 6, 20)
    assert row == (
        date(2023, 10, 1), awarded, date(2025, 6, 30), date(2025, 12, 31), (awarded - date(2022, 9, 1)).days, True, True,
    )  # fmt: skip
    assert len(ask("select 1 from star.fct_student_lifecycle")) == 8  # nine records less the deleted one


def test_a_thesis_knows_whether_its_source_project_is_accepted(ask):
    rows = ask(
        "select thesis_id, inst_code, is_source_project_accepted, opened_academic_year from star.fct_thesis order by 1"
    )
    assert rows == [("T1", B, True, "2023-2024"), ("T2", A, False, "2026-2027")]
    assert ask("select similarity_share from star.fct_thesis where thesis_id = 'T1'") == [
        (Decimal("0.0750"),)
    ]


def test_an_award_takes_its_academic_year_and_the_point_s_discipline(ask):
    rows = ask(
        "select academic_year, award_year, discipline_code, award_discipline_code, is_thesis_accepted "
        "from star.fct_degree_award"
    )
    assert rows == [("2024-2025", 2025, "0855", "0854", True)]


def test_refunds_are_negative_in_the_net_amount(ask):
    rows = ask(
        "select received_year, sum(amount_cny), sum(net_amount_cny) from star.fct_commissioned_receipt group by 1"
    )
    assert rows == [(2025, Decimal("120.75"), Decimal("80.25"))]
    assert ask(
        "select distinct inst_code, client_kind, contract_no_digest from star.fct_commissioned_receipt"
    ) == [(B, "10", "f" * 64)]


def test_employment_names_its_point_region_and_cluster(ask):
    rows = ask(
        "select point_code, is_employed, is_in_chongqing, cluster_code, employer_cluster_code, "
        "resolved_cluster_code, person_key from star.fct_employment order by 1"
    )
    assert rows == [
        ("EP1", False, False, None, None, None, tiny.PEOPLE["BEN"]),
        ("EP2", True, True, None, "L01", "L01", tiny.PEOPLE["BEN"]),
    ]


def test_an_evaluation_belongs_to_the_course_s_institution_and_adds_up(ask):
    rows = ask(
        "select inst_code, academic_year, satisfied_count, score_sum, response_count from star.fct_course_evaluation"
    )
    assert rows == [(A, "2025-2026", 9, 1 + 4 + 9 + 16 + 25, 15)]
    assert ask("select teacher_count from star.fct_course_offering") == [(2,)]


def test_a_thesis_honour_reaches_its_student(ask):
    assert ask("select student_id, person_key, inst_code from star.fct_honour") == [
        (f"{B}002", tiny.PEOPLE["BEN"], B)
    ]


def test_participation_carries_the_project_and_ends_the_old_academic_year(ask):
    rows = ask(
        "select academic_year, is_major_industry, major_basis_code, participation_days_count "
        "from star.fct_practice_participation"
    )
    assert rows == [("2023-2024", True, "2", 45)]


def test_sampling_weights_are_the_inverse_probability(ask):
    rows = ask("select sampling_weight, degree_level, degree_type, inst_code from star.fct_thesis_sampling")
    assert rows == [(Decimal(20), "2", "2", B)]
    assert ask("select inst_code, reason_codes, reason_count from star.fct_thesis_sampling_review") == [
        (B, "11;12", 2)
    ]


def test_bridge_weights_add_up_to_one(ask):
    assert ask("select partner_uscc, weight_share from star.bridge_joint_partner order by 1") == [
        ("E1", Decimal("0.5")),
        ("E2", Decimal("0.5")),
    ]
    rows = ask("select role_code, is_open, weight_share from star.bridge_student_supervisor order by 1")
    assert rows == [("10", True, Decimal("0.5")), ("30", False, Decimal("0.5"))]


def test_a_discipline_takes_its_greatest_valid_strength_to_a_key_cluster(ask):
    """m2 is of an edition in which L01 was not key; m3 is no longer valid on the day."""
    rows = ask("select map_id, is_key_cluster, is_valid from star.bridge_discipline_cluster order by 1")
    assert rows == [("m1", True, True), ("m2", False, True), ("m3", True, False)]
    assert ask(
        "select discipline_code, key_cluster_strength from star.dim_discipline where key_cluster_strength > 0"
    ) == [("0812", Decimal("0.8"))]


def test_a_cluster_is_described_by_its_newest_edition_and_key_by_the_catalogue_s(ask):
    rows = ask("select cluster_code, edition, is_key, is_in_latest_edition from star.dim_cluster order by 1")
    assert rows == [("L01", "2025", True, True), ("L02", "2023", False, False)]


def test_a_milestone_is_overdue_only_after_its_day(ask):
    rows = ask("select milestone_id, is_done, is_overdue from star.fct_list_milestone order by 1")
    assert rows == [("N1", False, True), ("N2", False, False), ("N3", True, False)]


def test_academic_years_reach_the_day(ask):
    assert ask("select max(academic_year) from star.dim_academic_year") == [("2026-2027",)]
    assert ask(
        "select academic_year from star.dim_date where date_on in ('2025-08-31', '2025-09-01') order by date_on"
    ) == [
        ("2024-2025",),
        ("2025-2026",),
    ]


def test_tables_and_columns_are_commented_in_the_database(ask):
    bare = ask(
        "select c.relname, a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum >= 0 "
        "where c.relnamespace = 'star'::regnamespace and c.relkind = 'r' and col_description(c.oid, a.attnum) is null "
        "union all select c.relname, null from pg_class c "
        "where c.relnamespace = 'star'::regnamespace and c.relkind = 'r' and obj_description(c.oid) is null"
    )
    assert bare == []
    assert ask("select obj_description('star'::regnamespace) is not null") == [(True,)]


def test_codes_of_former_catalogues_are_counted_by_the_present_one(ask):
    """1305 is 1403 today; 0852 was split, and its programme in mechanical engineering is 0855. 10612 is part of 10611."""
    points = ask(
        "select degree_point_id, inst_code, discipline_code, discipline_name, reported_discipline_code "
        "from star.dim_degree_point where degree_point_id in ('10611M1305', '10612M0852') order by 1"
    )
    assert points == [
        ("10611M1305", A, "1403", "设计学", "1305"),
        ("10612M0852", A, "0852", "工程", "0852"),
    ]
    assert ask("select inst_code, discipline_code from star.dim_programme where programme_id = '10612G'") == [
        (A, "0855")
    ]
    codes = ask(
        "select discipline_code, edition, counted_discipline_code, is_urgent, key_cluster_strength::float "
        "from star.dim_discipline where discipline_code in ('0852', '1305', '1403') order by 1"
    )
    assert codes == [
        ("0852", "2011", "0852", True, 0.0),
        ("1305", "2011", "1403", False, 0.0),
        ("1403", "2022", "1403", False, 0.0),
    ]
    units = ask(
        "select unit_code from indicators.ind_unit where grain = 'discipline' and unit_code in ('0852', '1305')"
    )
    assert units == [("0852",)]


def test_keys_whose_row_is_missing_in_the_dimension_are_named_with_the_number_of_facts(built, dbt_home):
    (compiled,) = (dbt_home / "dbt" / "compiled").rglob("fct_enrolment_census_keys_resolve.sql")
    missing = compiled.read_text(encoding="utf-8")
    assert built.execute(missing).fetchall() == []
    counts = "select {0}, count(*) from star.fct_enrolment_census where {1} = %s group by 1"
    facts = [
        (
            "discipline_code",
            *built.execute(counts.format("discipline_code", "discipline_code"), ["0855"]).fetchone(),
        ),
        ("institution_key", *built.execute(counts.format("institution_key", "inst_code"), [A]).fetchone()),
    ]
    built.execute("delete from star.dim_discipline where discipline_code = '0855'")
    built.execute("delete from star.dim_institution where inst_code = %s", [A])
    found = built.execute(missing).fetchall()
    built.rollback()
    assert sorted(found) == facts
    assert min(count for *_, count in facts) > 1
