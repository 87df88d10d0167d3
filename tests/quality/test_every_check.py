"""Every rule about indicators has an institution that breaks it and one that passes it, with the rule's own parameters."""

from datetime import date

import indicator_tables
import psycopg
import pytest

from yuyan.assess import credibility
from yuyan.domain import credibility_rules

pytestmark = pytest.mark.database

SOUND, BROKEN = "10611", "10635"
PEERS = [str(code) for code in range(20000, 20018)]
COUNTS = {"H03": (200, 100), "H05c": (100, 300), "H10": (40, 200), "H11": (5e7, 5e8), "H11s": (1, 1)}
"""Counts of every year, and of the last one where it is broken; every other variant is a share of 1,000."""
SHARE = (500, 950)
ROWS = """
insert into star.fct_enrolment_census select '{sound}', year from generate_series(2025, 2026) year, generate_series(1, 200);
insert into star.fct_enrolment_census select '{broken}', 2025 from generate_series(1, 200);
insert into star.fct_enrolment_census select '{broken}', 2026 from generate_series(1, 100);
-- entrants, opened theses, graduates: the sound ones half and half in both years, the broken ones of one kind in the second
insert into star.fct_admission select code, year, true, '2', kind, kind, kind from sample;
insert into star.fct_student_status_event select code, '61', '2026-06-30', '2' from sample where year = 2026;
insert into star.fct_thesis select code, (year - 1) || '-' || year, kind from sample;
insert into star.fct_employment select code, year, 'EP2', kind, kind from sample;
-- days from 1 to 100 against 30 days throughout; amounts and answers of all kinds against round and uniform ones
insert into star.fct_practice_participation select code, '2025-2026', case code when '{sound}' then n else 30 end from sample
    where year = 2026;
insert into star.fct_commissioned_project select code, year, case code when '{sound}' then 100001 else 100000 end * n,
        make_date(year, 3, 1), code || year || n, '10', '10'
    from sample where year = 2026 or code = '{sound}' or n <= 10;
-- up to the day as many as last year against many more or fewer, and one row that outweighs the city
insert into star.fct_commissioned_receipt select code, year, make_date(year, 3, 1), 100000, 100000, '10', '10' from sample;
insert into star.fct_degree_award select code, make_date(year, 6, 30) from sample
    where year = 2025 or code = '{sound}' or n <= 10;
insert into star.fct_degree_award select '{sound}', '2025-12-31' from generate_series(1, 500);
insert into star.fct_thesis_sampling select code, year, 20, false, '1' from sample;
insert into star.fct_employer_survey select code, year, 1.5 from sample;
insert into star.fct_commissioned_project values ('{broken}', 2026, 1e9, '2026-03-01', 'great', '10', '10');
insert into star.fct_commissioned_receipt values ('{broken}', 2026, '2026-03-01', 5e8, -5e8, '10', '10');
insert into star.fct_thesis_sampling values ('{broken}', 2026, 10000, false, '1');
insert into star.fct_employer_survey values ('{broken}', 2026, 900);
insert into star.fct_course_evaluation values ('{broken}', '2025-2026', 20000, 0, 0, 0, 0, 20000);
insert into star.fct_course_evaluation select code, '2025-2026', 20, 0, 0, 0, b, 20 - b
    from (select code, case code when '{sound}' then 3 else 0 end as b from sample where year = 2026) s;
"""


@pytest.fixture
def checked(warehouse) -> dict[tuple[str, str], tuple]:
    """(rule, institution) -> threshold, is_alarm."""
    with psycopg.connect(warehouse) as connection:
        connection.execute(indicator_tables.CREATE)
        variants = {c.variant_code for c in credibility_rules.load()} | {"H03"}
        for variant in sorted(variants):
            connection.execute(
                "insert into plan.indicator values (%s, %s, 'student')", [variant, variant[:3]]
            )
            for code in (SOUND, BROKEN, *PEERS):
                for year in range(2016, 2027):
                    _value(connection, variant, code, year)
        connection.execute(
            "create temp table sample as select code, year, n, case when code = %(broken)s and year = 2026 or n %% 2 = 0 "
            "then '1' else '2' end as kind from unnest(%(codes)s::text[]) code, generate_series(2025, 2026) year, "
            "generate_series(1, 100) n",
            {"broken": BROKEN, "codes": [SOUND, BROKEN]},
        )
        connection.execute(ROWS.format(sound=SOUND, broken=BROKEN))
        found = credibility.check(connection, date(2026, 10, 15))
    names = ("rule_id", "src_inst_code", "threshold", "is_alarm")
    return {(rule, code): rest for rule, code, *rest in found.select(names).iter_rows()}


def _value(connection: psycopg.Connection, variant: str, code: str, year: int) -> None:
    usual, broken = COUNTS.get(variant, SHARE)
    numerator = broken if code == BROKEN and year == 2026 else usual
    denominator = None if variant in COUNTS else 1000
    connection.execute(
        "insert into indicators.ind_value values (%s, 1, 'institution', %s, %s, %s, true, %s, %s, %s)",
        [variant, code, str(year), year, numerator, denominator, numerator / (denominator or 1)],
    )


def test_every_rule_is_broken_by_one_institution_and_passed_by_another(checked):
    for rule in credibility_rules.rules():
        threshold, is_alarm = checked[rule.rule_id, BROKEN]
        assert is_alarm, rule.rule_id
        threshold, is_alarm = checked[rule.rule_id, SOUND]
        assert threshold is not None, rule.rule_id
        assert not is_alarm, rule.rule_id
