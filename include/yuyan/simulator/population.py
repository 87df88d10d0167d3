"""The simulated city of one day: all 35 entities, the planted defects and what the warehouse must hold.

`build` is a pure function of (seed, scale, day); `write` puts the day's state below `<home>/simulator/`.
"""

import json
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from yuyan import contracts, settings
from yuyan.simulator import catalogue as cat
from yuyan.simulator import industry, municipal, outcomes, people, registrations, teaching, theses
from yuyan.simulator.columns import hexadecimal, mix

SEED, SCALE = 20261015, 1 / 15
META = ("src_inst_code", "src_record_id", "change_version", "updated_at", "is_deleted")
VERSIONS_PER_DAY = 10**9
"""Change versions of day N lie between N·10⁹ and (N+1)·10⁹, so that every change of a day is newer than all before it."""


@dataclass
class Population:
    """The state of one day. `frames`: per entity, META and one text column per supplied field, sorted by record."""

    seed: int
    scale: float
    day: int
    frames: dict[str, pl.DataFrame]

    @property
    def as_of(self) -> date:
        """The day's date."""
        return as_of(self.day)


def as_of(day: int) -> date:
    """Date of a simulated day, from 1."""
    return settings.FIRST_AS_OF + timedelta(days=day - 1)


def build(seed: int = SEED, scale: float = SCALE, day: int = 1) -> Population:
    """The population of a day."""
    frames = {entity: envelope(entity, frame) for entity, frame in _entities(seed, scale).items()}
    return Population(seed, scale, day, {entity: frames[entity] for entity in contracts.load()})


def _entities(seed: int, scale: float) -> dict[str, pl.DataFrame]:
    """All entities of day 1 without defects: src_inst_code and the supplied fields."""
    catalogue = cat.load()
    firms = municipal.enterprises(seed, scale)
    frames = {"enterprise": firms, **cat.frames(catalogue, firms["uscc"].head(40).to_list())}
    s = people.students(seed, scale, catalogue)
    p = people.persons(seed, s)
    ids = people.student_ids(s, catalogue)
    t = teaching.supervisors(seed, s, catalogue)
    first = teaching.first_supervisor(seed, s, t, catalogue)
    frames["student"] = people.student_frame(seed, s, p, ids, catalogue)
    frames["admission"] = registrations.admission(seed, s, p, catalogue)
    frames["admission_plan"] = registrations.admission_plan(frames["admission"])
    frames["student_status_event"] = registrations.status_events(seed, s, ids, catalogue)
    frames["overseas_study"] = registrations.overseas_study(seed, s, p, ids, catalogue)
    frames["supervisor"] = teaching.supervisor_frame(seed, t, catalogue, firms)
    frames["student_supervisor"] = teaching.student_supervisor(seed, s, ids, t, first, catalogue)
    frames |= teaching.course_frames(seed, scale, s, t, catalogue)
    practice, frames["practice_project"] = industry.practice_projects(seed, scale, catalogue, firms)
    frames["practice_participation"] = industry.participations(seed, s, ids, practice, catalogue)
    contracted, commissioned = industry.commissioned(seed, scale, t, catalogue, firms)
    frames |= commissioned
    frames["achievement"] = industry.achievements(seed, catalogue)
    th, frames["thesis"] = theses.theses(seed, s, ids, t, first, (contracted, practice), catalogue, firms)
    awarded, frames["degree_award"] = theses.awards(seed, s, ids, th, catalogue)
    frames |= theses.sampling(seed, s, th, t, awarded, frames["degree_award"], catalogue)
    frames["employment"] = outcomes.employment(seed, s, ids, th, catalogue, firms)
    frames["honour"] = outcomes.honours(seed, s, ids, th, t.ids, catalogue)
    frames["employer_survey"] = outcomes.employer_survey(seed, scale, catalogue, firms)
    frames["urgent_discipline_list"] = municipal.urgent_list(catalogue)
    frames["degree_point_event"] = municipal.point_events(catalogue)
    frames["talent_demand"] = municipal.talent_demand(seed)
    frames["list_item"] = municipal.list_items()
    frames["list_milestone"] = municipal.list_milestones(seed, frames["list_item"])
    return frames


def envelope(entity: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Add record id, change version, update time and deletion mark of day 1; sort by institution and record."""
    fields = [f.name for f in contracts.load()[entity].supplied]
    number = np.arange(len(frame)) + (sorted(contracts.load()).index(entity) << 40)
    frame = frame.with_columns(hexadecimal(mix(number)).alias("src_record_id")).sort(
        "src_inst_code", "src_record_id"
    )
    start = pl.lit(settings.FIRST_AS_OF - timedelta(days=700)).cast(pl.Datetime("us"))
    place = pl.int_range(pl.len()).over("src_inst_code")
    seconds = (place * (699 * 86_400) // pl.len().over("src_inst_code")).cast(pl.Int64)
    return frame.with_columns(
        (place + 1 + VERSIONS_PER_DAY).cast(pl.Int64).alias("change_version"),
        (start + pl.duration(seconds=seconds, time_unit="us")).alias("updated_at"),
        pl.lit(False).alias("is_deleted"),
    ).select(*META, *fields)


def write(home: Path, seed: int = SEED, scale: float = SCALE, day: int = 1) -> Population:
    """Build a day and write its state below `<home>/simulator/state/day_<N>/`."""
    population = build(seed, scale, day)
    folder = Path(home) / "simulator" / "state" / f"day_{day}"
    folder.mkdir(parents=True, exist_ok=True)
    for entity, frame in population.frames.items():
        frame.write_parquet(folder / f"{entity}.parquet", compression="zstd", statistics=False)
    meta = {"seed": seed, "scale": scale, "day": day, "as_of": str(population.as_of)}
    (folder / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
    return population
