"""Research projects, which students take part in them, and the teams that enter competitions.

Made from the supervisors, students and relations that are there already: a project is led by a supervisor of the
institution, those who take part are guided by its leader and study then, and so does who leads a team.
"""

import numpy as np
import polars as pl

from yuyan_demo.simulator import people
from yuyan_demo.simulator.columns import (
    NEVER,
    Groups,
    counts,
    dates,
    day,
    decimals,
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
FIRST_PROJECT, FIRST_COMPETITION = 2015, 2021
SOURCES = ("05", "07", "01", "12", "14")
"""Who pays for research that nobody commissioned: the national fund, the city, the department, the institution, abroad."""
LEVELS = ("10", "23", "21", "60", "70")
"""Level of the projects of each source."""
FINALS = (("10", 9, 20), ("20", 10, 10), ("30", 8, 16))
"""Competition, and the day of its final; the city's own comes first."""


def frames(seed: int, made: Frames) -> Frames:
    """research_project, research_participation, competition_entry."""
    projects = _projects(seed, made)
    return {
        "research_project": projects,
        "research_participation": _participations(seed, made, projects),
        "competition_entry": _entries(seed, made),
    }


def day_numbers(name: str) -> pl.Expr:
    """Day numbers of a date text, NEVER where it is empty."""
    return pl.col(name).str.to_date().cast(pl.Int32).cast(pl.Int64).fill_null(NEVER)


def numbered(src: pl.Series, mark: str, width: int) -> pl.Series:
    """Identities within each source: source, mark, running number."""
    return join(src, mark, padded(running(np.unique(src.to_numpy(), return_inverse=True)[1]), width))


def _projects(seed: int, made: Frames) -> pl.DataFrame:
    """One in eight supervisors begins a project in a year; it lasts two to five."""
    rng = stream(seed, 141)
    staff = (
        made["supervisor"]
        .filter(pl.col("supervisor_kind") == "1")
        .with_columns(day_numbers("first_appointed_on").alias("since"))
        .sort("supervisor_id")
    )
    years = np.arange(FIRST_PROJECT, 2027)
    start = np.array([day(int(y), 1, 1) for y in years])[None, :] + rng.integers(
        0, 300, (len(staff), len(years))
    )
    begins = (
        (rng.random(start.shape) < 0.125)
        & (staff["since"].to_numpy()[:, None] <= start)
        & (start < people.AS_OF)
    )
    who, when = np.nonzero(begins)
    n = len(who)
    start = start[who, when]
    source = weighted(rng, (0.35, 0.35, 0.12, 0.13, 0.05), n)
    src = staff["src_inst_code"].gather(who)
    return pl.DataFrame(
        {
            "src_inst_code": src,
            "project_id": numbered(src, "-KY", 6),
            "inst_code": src,
            "pi_supervisor_id": staff["supervisor_id"].gather(who),
            "level_code": pick(LEVELS, source),
            "fund_source_code": pick(SOURCES, source),
            "amount": null_unless(decimals(10_000.0 * rng.integers(2, 90, n), 2), rng.random(n) < 0.97),
            "start_on": dates(start),
            "end_on": dates(start + 365 * rng.integers(2, 6, n)),
        }
    )


def _led(
    frame: pl.DataFrame, kind: str, share: float, project: str, leader: str, start: pl.Expr, end: pl.Expr
) -> pl.DataFrame:
    """Projects of a kind: leader, the days between which they run, and the share of the leader's students in them."""
    return frame.select(
        pl.lit(kind).alias("kind"),
        pl.col(project).alias("project_id"),
        pl.col(leader).alias("supervisor_id"),
        start.alias("start"),
        end.alias("end"),
        pl.lit(share).alias("share"),
    )


def _participations(seed: int, made: Frames, projects: pl.DataFrame) -> pl.DataFrame:
    """Half of those whom a leader guides while a project runs; of the students' own projects whoever leads one."""
    rng = stream(seed, 142)
    commissioned = made["commissioned_project"].filter(pl.col("graduate_involved") == "true")
    innovation = made["list_project"].filter(pl.col("list_item_id") == "X08")
    signed = day_numbers("signed_on")
    led = [
        _led(projects, "10", 0.5, "project_id", "pi_supervisor_id", day_numbers("start_on"), day_numbers("end_on")),
        _led(
            commissioned.unique("project_id", maintain_order=True),
            "20", 0.4, "project_id", "pi_supervisor_id", signed, signed + 540,
        ),
        _led(
            innovation,
            "30", 0.6, "list_project_id", "lead_supervisor_id", day_numbers("approved_on"), day_numbers("due_close_on"),
        ),
    ]  # fmt: skip
    guided = made["student_supervisor"].filter(pl.col("role_code") == "10").select(
        "student_id", "supervisor_id", day_numbers("from_on").alias("since"), day_numbers("to_on").alias("until")
    )  # fmt: skip
    students = made["student"].filter(pl.col("status_code") != "30").select(
        "student_id", "src_inst_code", day_numbers("entry_on").alias("entry"), day_numbers("left_on").alias("left")
    )  # fmt: skip
    pairs = (
        pl.concat(led)
        .join(guided, on="supervisor_id")
        .join(students, on="student_id")
        .with_columns(
            pl.max_horizontal("start", "since", "entry").alias("first"),
            pl.min_horizontal("end", "until", "left").alias("last"),
        )
        .filter(pl.col("last") - pl.col("first") > 60)
        .sort("kind", "project_id", "student_id", "first")
        .unique(("project_id", "student_id"), keep="first", maintain_order=True)
    )
    pairs = pairs.filter(pl.Series(rng.random(len(pairs)), dtype=pl.Float64) < pl.col("share"))
    n = len(pairs)
    first = pairs["first"].to_numpy() + rng.integers(5, 50, n)
    keep = first < people.AS_OF
    pairs, first = pairs.filter(pl.Series(keep)), first[keep]
    n, last = len(pairs), pairs["last"].to_numpy()
    src = pairs["src_inst_code"]
    return pl.DataFrame(
        {
            "src_inst_code": src,
            "participation_id": numbered(src, "-KC", 7),
            "project_kind": pairs["kind"],
            "project_id": pairs["project_id"],
            "student_id": pairs["student_id"],
            "role_code": pick(("1", "2", "3"), weighted(rng, (0.1, 0.6, 0.3), n)),
            "from_on": dates(first),
            "to_on": dates(last, last < people.AS_OF),
        }
    )


def _entries(seed: int, made: Frames) -> pl.DataFrame:
    """One team per hundred students and competition; the city's own competition is held every year."""
    rng = stream(seed, 143)
    students = made["student"].filter(pl.col("status_code") != "30").select(
        "student_id", "src_inst_code", day_numbers("entry_on").alias("entry"), day_numbers("left_on").alias("left")
    ).sort("student_id")  # fmt: skip
    codes, inst = np.unique(students["src_inst_code"].to_numpy(), return_inverse=True)
    entry, left = students["entry"].to_numpy(), students["left"].to_numpy()
    parts = []
    for year in range(FIRST_COMPETITION, 2027):
        for competition, month, dom in FINALS:
            held = day(year, month, dom)
            here = np.flatnonzero((entry <= held) & (left > held))
            size = np.bincount(inst[here], minlength=len(codes))
            number = np.maximum(counts(rng, size * 0.01), (size > 0) & (competition == "10"))
            team = np.repeat(np.arange(len(codes)), number)
            leader = here[Groups(inst[here], len(codes)).draw(rng, team)]
            parts.append((np.unique(leader), competition, year, held))
    leader = np.concatenate([who for who, *_ in parts])
    n = len(leader)
    repeat = [len(who) for who, *_ in parts]
    held = np.repeat([h for *_, h in parts], repeat)
    firms = made["enterprise"].filter(pl.col("valid_to").is_null())["uscc"]
    src = students["src_inst_code"].gather(leader)
    return pl.DataFrame(
        {
            "src_inst_code": src,
            "entry_id": numbered(src, "-DS", 5),
            "competition_code": pl.Series(np.repeat([c for _, c, *_ in parts], repeat), dtype=pl.String),
            "competition_year": integers(np.repeat([y for *_, y, _ in parts], repeat)),
            "held_on": dates(held),
            "inst_code": src,
            "lead_student_id": students["student_id"].gather(leader),
            "student_cnt": integers(rng.integers(2, 9, n)),
            "supervisor_cnt": integers(rng.integers(1, 4, n)),
            "enterprise_uscc": null_unless(firms.gather(rng.integers(0, len(firms), n)), rng.random(n) < 0.3),
            "award_level": null_unless(
                pick(("10", "20", "30", "90"), weighted(rng, (0.1, 0.25, 0.45, 0.2), n)), rng.random(n) < 0.4
            ),
        }
    )
