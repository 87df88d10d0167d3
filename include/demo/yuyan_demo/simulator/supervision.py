"""How supervisors are managed: the mentor pool, appointments, trainings and assessments, teams and their members.

Made from the supervisors, students and relations that are there already, so that an appointment is to a degree point whose
students the supervisor guides, one out of the pool has its entry, and a team's members are supervisors.
"""

import numpy as np
import polars as pl

from yuyan_demo.simulator import people
from yuyan_demo.simulator.columns import (
    NEVER,
    Groups,
    dates,
    day,
    days,
    decimals,
    flags,
    integers,
    join,
    null_unless,
    padded,
    pick,
    running,
    stream,
    weighted,
)

Frames = dict[str, pl.DataFrame]
FIRST_EVENT_YEAR = 2022
"""Trainings and assessments are kept from here on: a training counts for two years, and the plan begins in 2026."""
POOL_OPENED = day(2024, 3, 1)


def frames(seed: int, made: Frames) -> Frames:
    """mentor_pool_entry, supervisor_appointment, supervisor_event, team, team_member."""
    t = made["supervisor"].with_columns(
        _days("first_appointed_on").alias("since"), pl.col("supervisor_id").str.slice(0, 5).alias("home")
    )
    pool = _pool(seed, t)
    team, member = _teams(seed, t)
    return {
        "mentor_pool_entry": pool.drop("entered", "exited"),
        "supervisor_appointment": _appointments(seed, t, pool, made),
        "supervisor_event": _events(seed, t),
        "team": team,
        "team_member": member,
    }


def _days(name: str) -> pl.Expr:
    """Day numbers of a date text."""
    return pl.col(name).str.to_date().cast(pl.Int32).cast(pl.Int64)


def _pool(seed: int, t: pl.DataFrame) -> pl.DataFrame:
    """Three of four industry mentors and outside experts have entered the city's pool; one in seven has left it again."""
    rng = stream(seed, 31)
    who = t.filter(pl.col("supervisor_kind").is_in(["2", "3"]))
    who = who.filter(pl.Series(rng.random(len(who)) < 0.75, dtype=pl.Boolean))
    n = len(who)
    earliest = np.maximum(who["since"].to_numpy(), POOL_OPENED)
    entered = earliest + (rng.random(n) * (people.AS_OF - earliest)).astype(np.int64)
    exited = entered + rng.integers(150, 700, n)
    exited = np.where((rng.random(n) < 0.3) & (exited < people.AS_OF), exited, NEVER)
    return pl.DataFrame(
        {
            "src_inst_code": pl.repeat("50000", n, dtype=pl.String, eager=True),
            "pool_entry_id": join("50000-ZK", padded(np.arange(n), 5)),
            "supervisor_id": who["supervisor_id"],
            "entry_kind": who["supervisor_kind"].replace({"2": "1", "3": "2"}),
            "high_level_basis": pick(
                ("10", "20", "30", "40", "90"), weighted(rng, (0.35, 0.15, 0.3, 0.1, 0.1), n)
            ),
            "entered_on": dates(entered),
            "exited_on": dates(exited),
            "exit_reason_code": null_unless(
                pick(("10", "20", "30", "40"), weighted(rng, (0.4, 0.15, 0.25, 0.2), n)), exited < NEVER
            ),
            "entered": entered,
            "exited": exited,
        }
    )


def _appointments(seed: int, t: pl.DataFrame, pool: pl.DataFrame, made: Frames) -> pl.DataFrame:
    """Supervisors at the degree points of their students, and whoever was chosen from the pool, some at two institutions."""
    rng = stream(seed, 32)
    open_end = pl.lit(NEVER, pl.Int64)
    guided = (
        made["student_supervisor"]
        .join(made["student"].select("student_id", "degree_point_id"), on="student_id")
        .group_by("supervisor_id", "degree_point_id")
        .agg(_days("from_on").min().alias("start"), _days("to_on").fill_null(open_end).max().alias("end"))
        .join(t.select("supervisor_id", "home", "supervisor_kind", "since"), on="supervisor_id")
        .filter(pl.col("degree_point_id").str.slice(0, 5) == pl.col("home"))
        .sort("supervisor_id", "degree_point_id")
    )
    own = guided.select(
        pl.col("home").alias("inst"),
        "supervisor_id",
        "degree_point_id",
        "supervisor_kind",
        pl.max_horizontal("start", "since").alias("start"),
        pl.max_horizontal("end", "start", "since").alias("end"),
        pl.lit(None, pl.String).alias("pool_entry_id"),
    )
    points = made["degree_point"].filter(pl.col("status_code") == "10")
    codes = sorted(points["src_inst_code"].unique())
    index = {code: i for i, code in enumerate(codes)}
    chosen = pool.join(t.select("supervisor_id", "home", "supervisor_kind"), on="supervisor_id").sort(
        "pool_entry_id"
    )
    chosen = chosen.filter(pl.Series(rng.random(len(chosen)) < 0.8, dtype=pl.Boolean))
    second = chosen.filter(pl.Series(rng.random(len(chosen)) < 0.25, dtype=pl.Boolean))
    home = np.array([index[code] for code in chosen["home"]], dtype=np.int64)
    away = np.array([index[code] for code in second["home"]], dtype=np.int64)
    away = (away + rng.integers(1, len(codes), len(second))) % len(codes)
    hired = pl.concat([chosen, second])
    at = np.concatenate([home, away])
    groups = Groups(np.array([index[code] for code in points["src_inst_code"]]), len(codes))
    entered, exited = hired["entered"].to_numpy(), hired["exited"].to_numpy()
    start = np.minimum(entered + rng.integers(5, 120, len(hired)), np.minimum(exited, people.AS_OF))
    end = np.where(rng.random(len(hired)) < 0.2, start + rng.integers(200, 600, len(hired)), NEVER)
    end = np.where(end < people.AS_OF, end, exited)
    from_pool = pl.DataFrame(
        {
            "inst": pick(codes, at),
            "supervisor_id": hired["supervisor_id"],
            "degree_point_id": points["degree_point_id"].gather(groups.draw(rng, at)),
            "supervisor_kind": hired["supervisor_kind"],
            "start": start,
            "end": np.maximum(end, start),
            "pool_entry_id": hired["pool_entry_id"],
        }
    )
    rows = pl.concat([own, from_pool])
    end = rows["end"].to_numpy()
    roles = {"1": "10", "2": "30", "5": "10"}
    return pl.DataFrame(
        {
            "src_inst_code": rows["inst"],
            "appointment_id": join(rows["inst"], "-PR", padded(_nth(rows["inst"]), 6)),
            "supervisor_id": rows["supervisor_id"],
            "inst_code": rows["inst"],
            "degree_point_id": rows["degree_point_id"],
            "role_code": rows["supervisor_kind"].replace_strict(roles, default="20"),
            "from_on": dates(rows["start"].to_numpy()),
            "to_on": dates(end, end < people.AS_OF),
            "pool_entry_id": rows["pool_entry_id"],
        }
    )


def _nth(groups: pl.Series) -> np.ndarray:
    """Position of each row within its group."""
    return running(np.unique(groups.to_numpy(), return_inverse=True)[1])


def _events(seed: int, t: pl.DataFrame) -> pl.DataFrame:
    """Per supervisor and year a training or two, both assessments in winter, sometimes a secondment or an exchange."""
    rng = stream(seed, 33)
    years = np.arange(FIRST_EVENT_YEAR, 2027)
    size = len(t) * len(years)
    who = np.repeat(np.arange(len(t)), len(years))
    january = days(np.tile(years, len(t)), 1, 1)
    campus = (t["supervisor_kind"] == "1").to_numpy()[who]
    parts = []
    for kind, share, first, span in (
        ("10", np.where(campus, 0.75, 0.55), 60, 280),
        ("10", np.where(campus, 0.3, 0.1), 60, 280),
        ("20", np.where(campus, 0.94, 0.8), 325, 30),
        ("30", np.where(campus, 0.96, 0.85), 335, 25),
        ("40", np.full(size, 0.03), 30, 200),
        ("50", np.full(size, 0.05), 30, 250),
    ):
        happens = rng.random(size) < share
        parts.append((who[happens], kind, (january + first + rng.integers(0, span, size))[happens]))
    halted = np.flatnonzero((t["status_code"] == "20").to_numpy())
    stop = day(2025, 6, 1) + rng.integers(0, 400, len(halted))
    parts.append((halted, "60", stop))
    again = np.flatnonzero((rng.random(len(t)) < 0.01) & (t["since"].to_numpy() < day(2023, 1, 1)))
    parts += [
        (again, "60", day(2023, 3, 1) + rng.integers(0, 300, len(again))),
        (again, "70", day(2024, 3, 1) + rng.integers(0, 300, len(again))),
    ]
    index = np.concatenate([i for i, *_ in parts])
    kind = np.concatenate([np.full(len(i), k) for i, k, _ in parts])
    on = np.concatenate([d for *_, d in parts])
    left = (t["status_code"] == "90").to_numpy()[index] & (on > day(2025, 1, 1))
    keep = (on >= t["since"].to_numpy()[index]) & (on < people.AS_OF) & ~left
    index, kind, on = index[keep], kind[keep], on[keep]
    n = len(index)
    home = t["home"].gather(index)
    trained, assessed = kind == "10", np.isin(kind, ("20", "30"))
    length = np.where(trained, rng.integers(0, 4, n), rng.integers(30, 180, n))
    lasts = np.isin(kind, ("10", "40", "50")) & (on + length < people.AS_OF)
    result = weighted(rng, (0.2, 0.72, 0.06, 0.02), n)
    platform = join("PT", padded(rng.integers(1, 60, n), 3))
    return pl.DataFrame(
        {
            "src_inst_code": home,
            "event_id": join(home, "-DS", padded(_nth(home), 6)),
            "supervisor_id": t["supervisor_id"].gather(index),
            "event_type": pl.Series(kind, dtype=pl.String),
            "event_on": dates(on),
            "end_on": dates(on + length, lasts),
            "hours": null_unless(decimals(4.0 * rng.integers(1, 7, n), 1), trained),
            "result_code": null_unless(integers(1 + result), assessed),
            "platform_id": null_unless(platform, np.isin(kind, ("40", "50")) & (rng.random(n) < 0.6)),
        }
    )


def _teams(seed: int, t: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """One team per dozen supervisors and at least three per institution; what a team is follows from its members."""
    rng = stream(seed, 34)
    t = t.filter(pl.col("status_code") != "90").sort("supervisor_id")
    codes, inst = np.unique(t["home"].to_numpy(), return_inverse=True)
    team = np.repeat(np.arange(len(codes)), np.maximum(3, np.bincount(inst) // 12))
    n = len(team)
    kind = weighted(rng, (0.3, 0.4, 0.2, 0.1), n)
    campus = np.flatnonzero((t["supervisor_kind"] == "1").to_numpy())
    college = t.select(pl.concat_str("home", pl.col("unit_code").fill_null("-")))["home"].to_numpy()
    _, unit = np.unique(college, return_inverse=True)
    of_inst, of_unit = Groups(inst[campus], len(codes)), Groups(unit[campus], int(unit.max()) + 1)
    mentor = np.flatnonzero((t["supervisor_kind"] == "2").to_numpy())
    mentors = Groups(inst[mentor], len(codes))
    leader = campus[of_inst.draw(rng, team)]
    size = rng.integers(3, 8, n)
    row = np.repeat(np.arange(n), size)
    wide = (rng.random(n) < 0.45)[row]
    member = np.where(
        wide, campus[of_inst.draw(rng, team[row])], campus[of_unit.draw(rng, unit[leader][row])]
    )
    with_industry = np.flatnonzero((rng.random(n) < 0.35) | (kind == 3))
    industry = mentors.draw(rng, team[with_industry])
    with_industry, industry = with_industry[industry >= 0], mentor[industry[industry >= 0]]
    several = np.flatnonzero(rng.random(n) < 0.12)
    guest = campus[
        of_inst.draw(rng, (team[several] + 1 + rng.integers(0, len(codes) - 1, len(several))) % len(codes))
    ]
    everyone = pl.DataFrame(
        {
            "team": np.concatenate([np.arange(n), row, with_industry, several]),
            "who": np.concatenate([leader, member, industry, guest]),
        }
    ).unique(maintain_order=True)
    team_of, who = everyone["team"].to_numpy(), everyone["who"].to_numpy()
    crossing = everyone.with_columns(
        pl.Series("college", unit[who]),
        pl.Series("campus", np.isin(who, campus)),
        pl.Series("home", inst[who]),
    )
    known = (
        crossing.group_by("team")
        .agg(
            (pl.col("college").filter("campus").n_unique() > 1).alias("cross"),
            (~pl.col("campus")).any().alias("industry"),
            (pl.col("home").n_unique() > 1).alias("several"),
        )
        .sort("team")
    )
    kind = np.where((kind == 3) & ~known["industry"].to_numpy(), 0, kind)
    place = pick(list(codes), team)
    ids = join(place, "-TD", padded(_nth(place), 4))
    approved = day(2018, 3, 1) + rng.integers(0, people.AS_OF - day(2018, 3, 1), n)
    role = np.where(_nth(everyone["team"]) == 0, 0, 1 + (rng.random(len(who)) < 0.7))
    joined = approved[team_of] + np.where(role == 0, 0, rng.integers(0, 400, len(who)))
    joined = np.minimum(joined, people.AS_OF - 1)
    left = joined + rng.integers(300, 900, len(who))
    left = np.where((role == 2) & (rng.random(len(who)) < 0.1) & (left < people.AS_OF), left, NEVER)
    teams = pl.DataFrame(
        {
            "src_inst_code": place,
            "team_id": ids,
            "inst_code": place,
            "team_kind": pick(("10", "20", "30", "40"), kind),
            "level_code": pick(("60", "31", "23", "10"), weighted(rng, (0.6, 0.2, 0.15, 0.05), n)),
            "approved_on": dates(approved),
            "is_cross_unit": flags(known["cross"].to_numpy()),
            "is_school_enterprise": flags(known["industry"].to_numpy()),
            "is_multi_inst": flags(known["several"].to_numpy()),
            "discipline_group": pick(
                ("10", "20", "30", "40", "90"), weighted(rng, (0.1, 0.15, 0.45, 0.05, 0.25), n)
            ),
            "list_project_id": pl.repeat(None, n, dtype=pl.String, eager=True),
        }
    )
    members = pl.DataFrame(
        {
            "src_inst_code": place.gather(team_of),
            "team_id": ids.gather(team_of),
            "supervisor_id": t["supervisor_id"].gather(who),
            "role_code": pick(("10", "20", "30"), role),
            "from_on": dates(joined),
            "to_on": dates(left),
        }
    )
    return teams, members
