"""Students as research may read them: no key, coarse attributes, every combination of them shared by a minimum of students.

Attributes by which somebody could be recognised are made coarser, one after the other, for those who would be alone with
theirs; what happened to a student (degree, delay, destination) stands beside them.
"""

import polars as pl
import psycopg

from yuyan.disclosure.counts import read
from yuyan.disclosure.policy import Policy

RECOGNISABLE = (
    "degree_level",
    "degree_type",
    "study_mode",
    "entry_years",
    "category_code",
    "origin",
    "gender_code",
    "peer_group_code",
)
"""Quasi-identifiers; ALL stands for every value."""
COARSER = (
    "origin",
    "gender_code",
    "category_code",
    "peer_group_code",
    "study_mode",
    "entry_years",
    "degree_type",
    "degree_level",
)
"""In which order they are given up for those who are too few."""
ALL = "*"
OUTCOMES = ("status_code", "is_awarded", "is_late", "years_to_degree", "destination_group", "is_in_chongqing")
STUDENTS = """
select coalesce(s.degree_level, '-') as degree_level, coalesce(s.degree_type, '-') as degree_type,
    coalesce(s.study_mode, '-') as study_mode,
    (extract(year from s.entry_on)::int / 3 * 3)::text || '-' ||
        (extract(year from s.entry_on)::int / 3 * 3 + 2) as entry_years,
    coalesce(left(s.discipline_code, 2), '-') as category_code,
    case when s.origin_region_code is null then '-' when s.origin_region_code like '50%' then 'CQ' else 'OTHER' end
        as origin,
    coalesce(s.gender_code, '-') as gender_code, coalesce(i.peer_group_code, '-') as peer_group_code,
    s.status_code, l.is_awarded, l.first_awarded_on > l.expected_end_on as is_late,
    round(l.entry_to_award_days_count / 365.25) as years_to_degree,
    left(e.destination_code, 2) as destination_group, e.is_in_chongqing
from star.dim_student as s
inner join star.fct_student_lifecycle as l on l.student_id = s.student_id
left join star.dim_institution as i on i.inst_code = s.inst_code
left join star.fct_employment as e on e.student_id = s.student_id and e.point_code = 'EP2'
where s.is_current
"""
COMMENT = "学籍：每个现有学籍一行，没有编号；可识别的属性逐级概括（* 为不区分），每种组合不少于最小人数"


def coarsen(students: pl.DataFrame, minimum: int) -> pl.DataFrame:
    """Give up recognisable attributes, in the order of COARSER, of those who share theirs with fewer than `minimum`.

    Whoever is too few even with all of them given up is left out. The result is in no order that tells who is who.
    """
    done = []
    rest = students
    for given_up in (None, *COARSER):
        if given_up is not None:
            rest = rest.with_columns(pl.lit(ALL).alias(given_up))
        enough = pl.len().over(RECOGNISABLE) >= minimum
        done.append(rest.filter(enough))
        rest = rest.filter(~enough)
    return pl.concat(done).sort([*RECOGNISABLE, *OUTCOMES], nulls_last=True)


def write(connection: psycopg.Connection, policy: Policy) -> int:
    """Replace research.student; returns how many students are left out because they are too few."""
    students = read(connection, STUDENTS)
    kept = coarsen(students, policy.minimum)
    connection.execute("drop table if exists research.student")
    columns = [f"{c} text not null" for c in RECOGNISABLE]
    columns += [
        "status_code text", "is_awarded boolean", "is_late boolean", "years_to_degree integer", "destination_group text",
        "is_in_chongqing boolean",
    ]  # fmt: skip
    connection.execute(f"create table research.student ({', '.join(columns)})")
    with (
        connection.cursor() as cursor,
        cursor.copy("copy research.student from stdin with (format csv)") as copy,
    ):
        copy.write(kept.select(*RECOGNISABLE, *OUTCOMES).write_csv(include_header=False).encode())
    connection.execute(f"comment on table research.student is '{COMMENT}'")
    return students.height - kept.height
