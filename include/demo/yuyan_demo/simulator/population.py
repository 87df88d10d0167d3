"""The simulated city of one day: every entity, the planted defects and what the warehouse must hold.

`build` is a pure function of (seed, scale, day).
"""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import numpy as np
import polars as pl

from yuyan import settings
from yuyan.domain import contracts
from yuyan_demo.simulator import (
    accountability,
    catalogue_frames,
    coursework,
    days,
    defects,
    defects_structural,
    funding,
    industry,
    list_work,
    listed,
    lists,
    municipal,
    outcomes,
    people,
    platform_work,
    platforms,
    point_files,
    registrations,
    research,
    samples,
    supervision,
    teaching,
    theses,
    weak_points,
    welfare,
)
from yuyan_demo.simulator import catalogue as cat
from yuyan_demo.simulator.columns import hexadecimal, mix, series
from yuyan_demo.simulator.planting import KEY, VERSIONS_PER_DAY, Planter, merge
from yuyan_demo.simulator.simulated_day import STALE, Ledger

SEED, SCALE = 20261015, 1 / 15
META = ("src_inst_code", "src_record_id", "change_version", "updated_at", "is_deleted")


@dataclass
class Population:
    """The state of one day.

    `frames`: per entity the newest version of every record: META and one text column per supplied field, sorted by record.
    `ledger`: what is wrong with them, and the accepted versions of records whose newest version is not acceptable.
    """

    seed: int
    scale: float
    day: int
    frames: dict[str, pl.DataFrame]
    ledger: Ledger

    @property
    def as_of(self) -> date:
        """The day's date."""
        return as_of(self.day)

    @cached_property
    def defects(self) -> pl.DataFrame:
        """Everything a correct validator reports as open: src_inst_code, entity, src_record_id, rule_id, severity, state."""
        names = ("src_inst_code", "entity", "src_record_id", "rule_id", "severity")
        still = [
            d
            for d in self.ledger.defects
            if d.since <= self.day and (d.healed is None or self.day < d.healed)
        ]
        rows = [tuple(getattr(d, n) for n in names) for d in still]
        frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
        return frame.with_columns(pl.lit("open").alias("state")).sort(names)

    def served(self, entity: str) -> pl.DataFrame:
        """What the platforms show today: on day 2 an old version of two records comes after their newer one."""
        if self.day == 2 and entity == STALE:
            return merge(self.frames[entity], self.ledger.stale)
        return self.frames[entity]

    def accepted(self, entity: str) -> pl.DataFrame:
        """The records that the accepted layer holds, in the version it holds: META and all supplied fields."""
        bad = (
            self.defects.filter((pl.col("entity") == entity) & (pl.col("severity") == "ERROR"))
            .select(KEY)
            .unique()
        )
        frame = self.frames[entity].filter(~pl.col("is_deleted")).join(bad, on=KEY, how="anti")
        if entity in self.ledger.fallback:
            frame = pl.concat([frame, self.ledger.fallback[entity].join(bad, on=KEY, how="semi")])
        return frame.sort(KEY)


def as_of(day: int) -> date:
    """Date of a simulated day, from 1."""
    return settings.FIRST_AS_OF + timedelta(days=day - 1)


def build(
    seed: int = SEED, scale: float = SCALE, day: int = 1, every_rule: bool = False, pace: float = 1.0
) -> Population:
    """The population of a day: day 1 with its defects, and the changes of days 2 to `day`.

    With `every_rule` every structural rule is broken on day 1 as well; without, a sample of them. On the last day `pace`
    times as many records change as on a usual one.
    """
    ledger = Ledger()
    frames = clean(seed, scale)
    planter = Planter(frames, seed, 1, _times(scale), ledger.taken)
    ledger.later = defects.plant(planter, frames)
    if every_rule:
        defects_structural.plant(planter, frames)
    for entity, rows in defects.plant_new(planter, frames).items():
        ledger.later.setdefault(entity, []).extend(rows)
    frames |= planter.frames()
    ledger.defects += planter.defects
    frames = days.prepare_stale(frames, ledger, seed)
    every = {e: frames[e] if e in frames else _none(e) for e in contracts.load()}
    made = Population(seed, scale, 1, every, ledger)
    while made.day < day:
        made = following(made, pace if made.day == day - 1 else 1.0)
    return made


def following(made: Population, pace: float = 1.0) -> Population:
    """The population of the next day, on which `pace` times as many records change as on a usual one; the ledger goes over
    to it."""
    number, ledger = made.day + 1, made.ledger
    frames = days.advance(made.frames, ledger, made.seed, number, pace)
    planter = Planter(frames, made.seed, number, _times(made.scale), ledger.taken)
    defects.plant_later(planter)
    ledger.defects += planter.defects
    return Population(made.seed, made.scale, number, frames | planter.frames(), ledger)


def _times(scale: float) -> int:
    """How often each defect is planted: at twice the city no more than in the whole, since its smallest entities have no
    more records."""
    return 1 + int(10 * min(scale, 1.0))


def clean(seed: int, scale: float) -> dict[str, pl.DataFrame]:
    """Day 1 as it would be if nothing were wrong."""
    made = {e: samples.with_new_fields(seed, e, f) for e, f in _entities(seed, scale).items()}
    return {entity: envelope(entity, frame) for entity, frame in (made | samples.frames(seed, made)).items()}


def _entities(seed: int, scale: float) -> dict[str, pl.DataFrame]:
    """All entities of day 1 without defects: src_inst_code and the supplied fields."""
    catalogue = cat.load()
    firms = municipal.enterprises(seed, scale)
    frames = {"enterprise": firms, **catalogue_frames.frames(catalogue, firms["uscc"].head(40).to_list())}
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
    frames["student_supervisor"] = teaching.student_supervisor(seed, s, ids, t, first, catalogue)
    busy = frames["student_supervisor"].filter(pl.col("to_on").is_null())["supervisor_id"].unique()
    frames["supervisor"] = teaching.supervisor_frame(seed, t, busy, catalogue, firms)
    frames |= teaching.course_frames(seed, s, t, catalogue)
    practice, frames["practice_project"] = industry.practice_projects(seed, scale, catalogue, firms)
    frames["practice_participation"] = industry.participations(seed, s, ids, practice, catalogue)
    contracted, commissioned = industry.commissioned(seed, scale, t, catalogue, firms)
    frames |= commissioned
    frames["achievement"] = industry.achievements(seed, catalogue)
    th, frames["thesis"] = theses.theses(seed, s, ids, t, first, (contracted, practice), catalogue, firms)
    awarded, frames["degree_award"] = theses.awards(seed, s, ids, th, catalogue)
    frames |= theses.sampling(seed, s, th, t, awarded, frames["degree_award"], catalogue)
    frames |= weak_points.samplings(seed, frames)
    frames["employment"] = outcomes.employment(seed, s, ids, th, catalogue, firms)
    frames["honour"] = outcomes.honours(seed, s, ids, th, t.ids, frames["thesis_sampling"])
    frames["employer_survey"] = outcomes.employer_survey(seed, scale, catalogue, firms)
    frames["urgent_discipline_list"] = municipal.urgent_list()
    frames["degree_point_event"] = municipal.point_events(catalogue)
    frames["talent_demand"] = municipal.talent_demand(seed)
    frames["list_item"] = lists.list_items()
    frames["list_milestone"] = lists.list_milestones(seed)
    frames["list_project"] = list_work.list_projects(seed, scale, catalogue, firms, frames["supervisor"])
    frames["list_assignment"] = list_work.list_assignments(catalogue)
    frames["policy_document"] = list_work.policy_documents(seed, catalogue, frames["list_assignment"])
    frames |= supervision.frames(seed, frames)
    frames |= coursework.frames(seed, frames)
    frames |= platforms.frames(seed, frames)
    frames |= platform_work.frames(seed, frames)
    frames |= research.frames(seed, frames)
    frames |= listed.frames(seed, frames)
    frames |= welfare.frames(seed, frames)
    frames |= accountability.frames(seed, frames)
    frames |= point_files.frames(seed, frames)
    return frames | funding.frames(seed, frames)


def envelope(entity: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Add record id, change version, update time and deletion mark of day 1; sort by institution and record."""
    fields = [f.name for f in contracts.load()[entity].supplied]
    number = np.arange(len(frame)) + series(entity)
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


def _none(entity: str) -> pl.DataFrame:
    """An entity that this city does not simulate: it has a contract and no records."""
    fields = [f.name for f in contracts.load()[entity].supplied]
    kinds = {"change_version": pl.Int64, "updated_at": pl.Datetime("us"), "is_deleted": pl.Boolean}
    return pl.DataFrame(schema={name: kinds.get(name, pl.String) for name in (*META, *fields)})
