"""What is recorded about registrations: admissions and plans, status events, study abroad."""

import numpy as np
import polars as pl

from yuyan_demo.simulator import catalogue as cat
from yuyan_demo.simulator import people
from yuyan_demo.simulator.columns import (
    NEVER,
    counts,
    dates,
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
    text,
    weighted,
)

FIRST_EXAM = 2016


def admission(seed: int, s: people.Students, p: people.Persons, catalogue: cat.Catalogue) -> pl.DataFrame:
    """One admission per registration since 2016, and admitted applicants who never came."""
    rng = stream(seed, 11)
    own = np.flatnonzero(s.year >= FIRST_EXAM)
    absent = rng.choice(own, max(6, len(own) // 40), replace=False)
    index = np.concatenate([own, absent])
    came = np.arange(len(index)) < len(own)
    year, level = s.year[index], s.level[index]
    person = np.where(came, s.person[index], people.APPLICANT_PERSONS + np.arange(len(index)) - len(own))
    birth = np.where(came, p.birth_year[s.person[index]], year - 23)
    n = len(index)
    inst = pick(catalogue.inst_codes, s.inst[index])
    number = running(s.inst[index] * 10_000 + year)
    admitted = days(year, 4, 20) + rng.integers(0, 70, n)
    mode = s.admission_mode[index]
    special = np.where(rng.random(n) < 0.03, rng.integers(1, 4, n), 0)
    engineering = np.array([p.type == "2" and p.discipline[:2] == "08" for p in catalogue.points])
    special[(special == 1) & ~engineering[s.point[index]]] = 2
    return pl.DataFrame(
        {
            "src_inst_code": inst,
            "admission_id": join(inst, "-L", integers(year), padded(number, 6)),
            **people.identity(person, birth),
            "exam_year": integers(year),
            "degree_point_id": pick([x.id for x in catalogue.points], s.point[index]),
            "programme_id": pick(
                [cat.programme_id(catalogue, x) for x in catalogue.programmes], s.programme[index]
            ),
            "degree_level": integers(level),
            "degree_type": integers(s.type[index]),
            "study_mode": integers(s.mode[index]),
            "admission_mode": pick(("X1", *map(str, range(10, 42))), np.where(mode < 0, 0, mode - 9)),
            "special_plan_code": padded(special, 2),
            "prior_inst_code": null_unless(pick(catalogue.inst_codes, s.inst[index]), rng.random(n) < 0.4),
            "admitted_on": dates(admitted),
            "registered": flags(came & (s.fate[index] != people.RESERVED)),
        }
    )


def admission_plan(admissions: pl.DataFrame) -> pl.DataFrame:
    """The quota of each degree point, year and study mode: what was admitted and a little more; some were revised."""
    keys = ["exam_year", "degree_point_id", "study_mode"]
    groups = admissions.group_by("src_inst_code", *keys).len().sort(keys).with_row_index("i")
    plan = groups.select(
        "src_inst_code",
        pl.col("exam_year").alias("plan_year"),
        "degree_point_id",
        "study_mode",
        pl.lit("00").alias("special_plan_code"),
        pl.lit("0").alias("revision_no"),
        (pl.col("len") + 3 + pl.col("i") % 3).cast(pl.String).alias("plan_quota"),
        pl.format("{}-03-15", "exam_year").alias("issued_on"),
        "i",
    )
    revised = plan.filter(pl.col("i") % 15 == 4).with_columns(
        pl.lit("1").alias("revision_no"),
        (pl.col("plan_quota").cast(pl.Int64) + 2).cast(pl.String).alias("plan_quota"),
        pl.format("{}-05-20", "plan_year").alias("issued_on"),
    )
    return pl.concat([plan, revised]).drop("i")


def status_events(seed: int, s: people.Students, ids: pl.Series, catalogue: cat.Catalogue) -> pl.DataFrame:
    """Suspensions and resumptions, changes of programme and supervisor, extensions, and how registrations ended."""
    rng = stream(seed, 12)
    n = len(s)
    begin, back, _ = people.suspensions(seed, s)
    ended = {people.GRADUATED: "61", people.COMPLETED: "62", people.DROPPED: "31", people.TRANSFERRED: "27"}
    parts = [(np.flatnonzero(begin < NEVER), "11", begin), (np.flatnonzero(back < NEVER), "12", back)]
    parts += [(np.flatnonzero(s.fate == fate), kind, s.left) for fate, kind in ended.items()]
    parts.append(
        (np.flatnonzero((s.expected < people.AS_OF) & (s.left > s.expected + 60)), "06", s.expected + 1)
    )
    middle = s.entry + 120 + rng.integers(0, 200, n)
    possible = (middle < np.minimum(s.left, people.AS_OF) - 20) & (s.fate != people.RESERVED)
    draw = rng.random(n)
    parts.append((np.flatnonzero(possible & (draw < 0.004)), "23", middle))
    parts.append((np.flatnonzero(possible & (draw > 0.99)), "24", middle))
    index = np.concatenate([i for i, *_ in parts])
    kind = pl.concat([text(k, len(i)) for i, k, _ in parts])
    on = np.concatenate([at[i] for i, _, at in parts])
    inst = pick(catalogue.inst_codes, s.inst[index])
    programme = pick([cat.programme_id(catalogue, x) for x in catalogue.programmes], s.programme[index])
    return pl.DataFrame(
        {
            "src_inst_code": inst,
            "event_id": join(inst, "-Y", ids.gather(index).str.slice(5), "-", kind),
            "student_id": ids.gather(index),
            "event_type": kind,
            "event_on": dates(on),
            "reason_code": null_unless(
                pick(("1", "2", "9"), weighted(rng, (0.5, 0.3, 0.2), len(index))), (kind == "11").to_numpy()
            ),
            "to_programme_id": null_unless(programme, (kind == "23").to_numpy()),
        }
    )


def overseas_study(
    seed: int, s: people.Students, p: people.Persons, ids: pl.Series, catalogue: cat.Catalogue
) -> pl.DataFrame:
    """Students selected for study abroad, with departure and return where they have happened."""
    rng = stream(seed, 13)
    selected = s.entry + 200 + rng.integers(0, 400, len(s))
    possible = (
        (selected > days([2016], 1, 1)[0])
        & (selected < np.minimum(s.left, people.AS_OF) - 100)
        & (s.fate != people.RESERVED)
    )
    index = np.flatnonzero(possible & (rng.random(len(s)) < 0.02))
    n = len(index)
    selected = selected[index]
    departed = selected + 60 + rng.integers(0, 60, n)
    returned = departed + rng.integers(60, 400, n)
    inst = pick(catalogue.inst_codes, s.inst[index])
    back = returned < people.AS_OF
    return pl.DataFrame(
        {
            "src_inst_code": inst,
            "overseas_id": join(inst, "-G", ids.gather(index).str.slice(5)),
            **people.identity(s.person[index], p.birth_year[s.person[index]]),
            "student_id": null_unless(ids.gather(index), rng.random(n) < 0.95),
            "inst_code": inst,
            "scheme_code": pick(("1", "2", "3", "9"), weighted(rng, (0.4, 0.4, 0.15, 0.05), n)),
            "purpose_code": integers(1 + weighted(rng, (0.1, 0.05, 0.5, 0.35), n)),
            "country_code": pick(("USA", "GBR", "SGP", "JPN", "DEU", "AUS"), rng.integers(0, 6, n)),
            "selected_on": dates(selected),
            "departed_on": dates(departed, departed < people.AS_OF),
            "returned_on": dates(returned, back),
            "credits_recognised": null_unless(decimals(counts(rng, np.full(n, 6.0)), 1), back),
        }
    )
