"""The marts of platforms equal the accepted records, counted apart; the planted cases are seen."""

from collections import Counter
from datetime import date

import polars as pl

from yuyan_demo.simulator import measures_platforms as measures
from yuyan_demo.simulator import platform_work
from yuyan_demo.simulator.measures_supervision import in_study, of_events, pool_entries

SUMS = {
    "joint_enrolment_count": ("10",),
    "mutual_appointment_count": ("20",),
    "enterprise_mentor_count": ("25",),
    "course_count": ("30",),
    "project_count": ("40",),
    "equipment_hours": ("50",),
    "compute_hours": ("55",),
    "mentor_trained_count": ("60",),
    "companion_trained_count": ("61", "62", "63", "64"),
    "enterprise_trained_count": ("65",),
    "training_hours": ("66",),
    "secondment_count": ("70",),
    "material_count": ("85",),
    "service_done_count": ("90",),
    "incubation_count": ("95",),
}


def _shown(number: float) -> float | None:
    return number if number == 0 or number >= 5 else None


def test_platforms_of_every_year_stand_where_their_records_say(marts, facts):
    columns = (
        "platform_state_code, is_paired, partner_count, outside_first_class_count, enterprise_count, activity_count, "
        "student_count, seconded_mentor_count, placement_count, service_planned_count"
    )
    rows = marts.execute(
        f"select platform_id, activity_year, {columns}, {', '.join(SUMS)} from marts.platform_activity"
    ).fetchall()
    ours = {(platform, year): tuple(rest) for platform, year, *rest in rows}
    theirs = {}
    for year in range(2022, facts.as_of.year + 1):
        last = min(date(year, 12, 31), facts.as_of)
        done, with_whom = measures.activities(facts, year), measures.partners(facts, last)
        open_ones = set(measures.running(facts, last)["platform_id"])
        students = dict(
            in_study(facts, date(year, 9, 30))
            .group_by("platform_id")
            .agg(pl.col("person").n_unique())
            .iter_rows()
        )
        moved = pl.concat([of_events(facts, date(year, 12, 31), kind, year) for kind in ("40", "50")])
        seconded = dict(moved.group_by("platform_id").agg(pl.col("supervisor_id").n_unique()).iter_rows())
        first_class = measures.outside_first_class(facts)
        for b in facts["platform_base"].iter_rows(named=True):
            platform = b["platform_id"]
            if (b["approved_on"] or b["opened_on"]) is None or (b["approved_on"] or b["opened_on"]) > last:
                continue
            here = done.filter(pl.col("platform_id") == platform)
            whom = with_whom.filter(pl.col("platform_id") == platform)
            kind = pl.col("partner_kind")
            added = {
                k: here.filter(pl.col("activity_kind") == k)["quantity"].sum()
                for k in set(here["activity_kind"])
            }
            moving = seconded.get(platform, 0)
            if platform not in open_ones:
                state = "CLOSED" if b["closed_on"] else "BEING-SET-UP"
            elif b["status_code"] == "30":
                state = "RECTIFYING"
            else:
                state = "ACTIVE" if len(here) or moving or b["kind_code"] == "P10" else "IDLE"
            theirs[platform, year] = (
                state,
                len(whom.filter((kind == "10") & (pl.col("signed_on") <= last))) > 0,
                whom["partner"].n_unique(),
                whom.filter(first_class)["partner"].n_unique(),
                whom.filter(kind == "30")["partner"].n_unique(),
                len(here),
                _shown(students.get(platform, 0)),
                _shown(moving),
                _shown(added.get("80", 0)),
                here.filter(pl.col("activity_kind") == "90")["planned_quantity"].sum(),
                *(sum(added.get(k, 0) for k in kinds) for kinds in SUMS.values()),
            )
    assert ours == theirs
    assert {state for state, *_ in ours.values()} == {
        "CLOSED",
        "BEING-SET-UP",
        "RECTIFYING",
        "ACTIVE",
        "IDLE",
    }


def test_the_mentor_pool_is_counted_since_the_plan_began(marts, facts):
    columns = "activity_year, pool_new_count, pool_new_net_count, pool_stock_count, pool_shared_count"
    rows = marts.execute(
        f"select distinct {columns} from marts.platform_activity where platform_kind_code = 'P10' and activity_year = 2026"
    ).fetchall()
    entries, last = pool_entries(facts), facts.as_of
    new = entries.filter(pl.col("hired_on").is_between(date(2026, 1, 1), last))
    stays = pl.col("exited_on").is_null() | (pl.col("exited_on") > last)
    stock = entries.filter((pl.col("entered_on") <= last) & stays)
    persons = [
        f["person"].n_unique() for f in (new, new.filter(stays), stock, stock.filter(pl.col("places") > 1))
    ]
    assert rows == [(2026, *persons)]
    assert persons[0] >= persons[1] > 0
    others = marts.execute(
        "select count(pool_new_count) from marts.platform_activity where platform_kind_code <> 'P10'"
    ).fetchone()
    assert others == (0,)


def test_every_planted_case_of_the_platforms_is_seen(marts):
    """The simulator's books say which states were planted where."""
    states = marts.execute(
        "select platform_state_code, platform_kind_code from marts.platform_activity where activity_year = 2026 "
        "union select 'UNPAIRED', platform_kind_code from marts.platform_activity "
        "where activity_year = 2026 and not is_paired and opened_on is not null"
    ).fetchall()
    pairings = marts.execute(
        "select case when level_1_count + level_2_count + level_3_count = 0 then 'NONE' when has_all_levels then 'ALL' "
        "else 'PARTIAL' end, inst_code from star.fct_pairing_year where calendar_year = 2026 "
        "union select 'EXPIRED', inst_code from star.fct_district_pairing where not is_open"
    ).fetchall()
    found = {"platform_activity": set(states), "district_pairing": set(pairings)}
    for mart, state, where, _ in platform_work.PLANTED:
        assert (state, where) in found[mart], (mart, state, where)


def test_partners_are_known_by_the_directories(marts, facts):
    counted = Counter(
        dict(marts.execute("select partner_kind_code, count(*) from star.dim_partner group by 1").fetchall())
    )
    kinds = {"1": "40", "2": "80", "3": "30"}
    named = {row for row in facts["platform_partner"].select("partner_kind", "partner_id").iter_rows()}
    named |= {
        (kinds[level], code)
        for level, code in facts["district_pairing"].select("pairing_level", "counterpart_code").iter_rows()
    }
    assert counted == Counter(kind for kind, _ in named)
    stray = marts.execute(
        "select partner_kind_code, count(*) from star.dim_partner where partner_name is null group by 1"
    ).fetchall()
    assert stray == []
