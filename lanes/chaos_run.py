"""One run of `make chaos`, inside namespaces of its own: a copy of a city, a disturbance, plain runs, a comparison.

    chaos_run.py reference            the undisturbed city, DAYS days: a copy of its work folder and a snapshot of each
    chaos_run.py run SEED NUMBER      one run, as it follows from the seed and its number; prints its result as JSON

Started by lanes/chaos.py, which makes the namespaces: here all processes, sockets, ports and the file system are this run's.
"""

import contextlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import polars as pl
import psycopg

from yuyan import settings
from yuyan.commands.report import STAGES
from yuyan_demo.runtime import day, environment, postgres

sys.path += [str(settings.PROJECT / "lanes"), str(settings.PROJECT / "bench")]

import disturbances
import equal

FOLDER = settings.PROJECT / ".yuyan" / "chaos"
HOME = FOLDER / "city" / "home"
"""The work folder, on a file system of its own, at the same place in every run: its rows name their files by it."""
CLOCK = FOLDER / "clock.so"
BASES, SNAPSHOTS = FOLDER / "base", FOLDER / "reference"
INSTITUTIONS = ("10618", "11551", "11799", "50000")
"""One of each product, so that a run is short."""
SCALE = "0.003"
DAYS, LATEST = 3, 2
"""Days of the reference; the last day that is disturbed, so that one more can follow."""
PATIENCE = 600
"""Seconds within which a run must end."""
FIRST_DAY = 0.1
"""Share of the runs that begin with nothing: cluster, metadata and city are made while they are disturbed."""
MOMENTS = {
    "database": "启动数据库", "city": "模拟平台推进到", "services": "启动平台与 Airflow", "collecting": "采集 进行中",
    **{name: f"{STAGES[name]} (进行中|完成)" for name in ("collect", "validate", "star", "indicators", "estimate", "assess",
                                                    "changes", "marts", "feedback")},
}  # fmt: skip
"""What the command prints when a stage begins; some seconds after one of these lines is the moment."""
KINDS = disturbances.deck(CLOCK)
BY_RUN = ("credibility", "indicator_confidence", "scorecard")
"""Tables of quality that keep what every run found: what the last one found is compared."""
STEPS = ("new", "still", "resolved")
"""Columns of quality.result that count from one run to the next."""
OF_DELIVERY = ("star.fct_delivery", "star.fct_platform_year", "quality.", "marts.", "published.")
"""Where a day without an institution is told, also when the next is whole: tables of it, and grades in all of a schema."""
BY_ARRIVAL = ("valid_from", "valid_to", "student_key", "degree_point_key", "supervisor_key")
"""Columns of the star by the day on which a version came: where it came a day late, it is valid a day later."""
LATE = "M18.1"
"""The indicator that counts such days."""


@dataclass
class Drawn:
    """What is done in a run: all of it follows from the seed and the number."""

    number: int
    kind: str
    day: int
    moment: str
    delay: float
    dice: random.Random = field(repr=False, compare=False)


@dataclass
class Result:
    """What came of a run."""

    number: int
    kind: str
    day: int
    moment: str
    done: str = ""
    ended: list[int | str] = field(default_factory=list)
    """Exit codes: of the disturbed run, then of the plain runs."""
    came_of_it: str = ""
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0
    tables: int = 0
    cells: int = 0


def draw(seed: int, number: int) -> Drawn:
    """Every kind comes once in each round of the deck, in an order of the seed's."""
    kinds = [*KINDS, *disturbances.TWICE]
    round_, place = divmod(number - 1, len(kinds))
    kind = random.Random(f"{seed}/{round_}").sample(kinds, len(kinds))[place]
    dice = random.Random(f"{seed}/{round_}/{place}")
    first = dice.random() < FIRST_DAY
    moment, delay = dice.choice(list(MOMENTS)), dice.uniform(0, 8)
    return Drawn(number, kind, 1 if first else LATEST, moment, delay, dice)


def variables() -> dict[str, str]:
    """What `yuyan` is told: its work folder and its institutions."""
    kept = {k: v for k, v in environment.inherited().items() if not k.startswith(("YUYAN_", "DBT_"))}
    own = {"YUYAN_HOME": str(HOME), "YUYAN_INSTITUTIONS": str(FOLDER / "institutions"), "COLUMNS": "200"}
    return kept | own | {"SCALE": SCALE}


def command(env: dict[str, str], *words: str) -> subprocess.Popen:
    """`yuyan …`, started; what it says is appended to a file outside the city."""
    with open(FOLDER / "said" / f"{os.environ['CHAOS_NAME']}.txt", "ab") as said:
        return subprocess.Popen(
            [str(Path(sys.executable).with_name("yuyan")), *words],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )


def ended(process: subprocess.Popen) -> int | str:
    """Its exit code; a command that does not end within PATIENCE is killed, which is a fault."""
    try:
        return process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return f"no end in {PATIENCE} s"


def restore(number: int) -> None:
    """The work folder as it was when that many days were done; for none its secrets alone, of which pseudonyms are made."""
    if number:
        subprocess.run(["cp", "-a", str(BASES / f"day_{number}"), str(HOME)], check=True)
    else:
        HOME.mkdir(mode=0o700)
        shutil.copy2(BASES / "day_1" / "secrets.json", HOME)


def wait_for(moment: str, delay: float, process: subprocess.Popen) -> None:
    """Wait until the command has said that a stage has begun, and some seconds more; not longer than it runs."""
    path = FOLDER / "said" / f"{os.environ['CHAOS_NAME']}.txt"
    line = re.compile(f"^{MOMENTS[moment]}", re.M)
    while process.poll() is None and not line.search(path.read_text(errors="replace")):
        time.sleep(0.1)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(delay)


def is_whole() -> bool:
    """Has the newest collection brought everything? An institution that failed is the next day's."""
    with psycopg.connect(postgres.dsn(HOME / "pg", "warehouse")) as connection:
        found = connection.execute(
            "select state from ops.run where kind = 'collect' order by started_at desc limit 1"
        ).fetchone()
    return found == ("success",)


def waiting() -> int:
    """Batches with records that nobody has judged."""
    with psycopg.connect(postgres.dsn(HOME / "pg", "warehouse")) as connection:
        return connection.execute(
            "select count(*) from ops.batch left join quality.judged as j using (entity, batch_id) "
            "where j.batch_id is null and rows_stored + rows_tombstoned > 0"
        ).fetchone()[0]


def snapshot(folder: Path) -> None:
    """The tables of the warehouse; of what every run wrote anew, what the last one wrote."""
    dsn = postgres.dsn(HOME / "pg", "warehouse")
    equal.snapshot(folder, dsn)
    with psycopg.connect(dsn) as connection:
        columns = equal.tables(connection)
        for table in BY_RUN:
            connection.execute(
                f"create temp view {table} as select * from quality.{table} where run_id = (select run_id "
                f"from quality.{table} join ops.run using (run_id) order by started_at desc limit 1)"
            )
            frame = equal.read(connection, "pg_temp", table, columns["quality", table])
            frame.write_parquet(folder / f"quality.{table}.parquet")
        standing = {c: kind for c, kind in columns["quality", "result"].items() if c not in STEPS}
        frame = equal.read(connection, "quality", "current_result", standing)
        frame.write_parquet(folder / "quality.result.parquet")
    judged = (
        folder / "quality.judged.parquet"
    )  # a row per batch: a day that was collected twice has more of them
    pl.read_parquet(judged).unique(maintain_order=True).write_parquet(judged)


def without_delivery(folder: Path, into: Path) -> Path:
    """A snapshot without what tells whether, and when, institutions delivered."""
    into.mkdir()
    for path in folder.glob("*.parquet"):
        if path.stem.startswith(OF_DELIVERY):
            continue
        frame = pl.read_parquet(path)
        if path.stem.startswith("star."):
            frame = frame.drop(BY_ARRIVAL, strict=False)
        for column in {"variant_code", "indicator_code"} & set(frame.columns):
            frame = frame.filter(~pl.col(column).str.starts_with(LATE).fill_null(False))
        frame.write_parquet(into / path.name)
    return into


def reference() -> None:
    """Run the undisturbed city."""
    env = variables()
    for number in range(1, DAYS + 1):
        began = time.monotonic()
        if (code := ended(command(env, "run"))) != 0 or not is_whole():
            sys.exit(f"the undisturbed city's day {number} ended with {code}")
        print(f"day {number}: {time.monotonic() - began:.0f} s", flush=True)
        snapshot(SNAPSHOTS / f"day_{number}")
        if number < LATEST:
            ended(command(env, "down"))
            subprocess.run(["cp", "-a", str(HOME), str(BASES / f"day_{number}")], check=True)
    ended(command(env, "down"))


def run(seed: int, number: int) -> Result:
    """One run from the copy to the comparison."""
    drawn = draw(seed, number)
    result = Result(number, drawn.kind, drawn.day, f"{drawn.moment} + {drawn.delay:.1f} s")
    began = time.monotonic()
    restore(drawn.day - 1)
    city = disturbances.City(HOME, drawn.dice, variables())
    disturbance = KINDS[drawn.kind]()
    disturbance.before(city)
    city.command = command(city.env, "run")
    wait_for(drawn.moment, drawn.delay, city.command)
    is_late = city.command.poll() is not None
    result.done = disturbance.strike(city)
    result.ended.append(ended(city.command))
    disturbance.after(city)
    judge(result, city.env, is_late)
    result.seconds = round(time.monotonic() - began, 1)
    return result


def judge(result: Result, env: dict[str, str], is_late: bool) -> None:
    """Plain runs until the day is whole, at most two, and the comparison; where it needed none, the day after, compared too;
    then what is left after `yuyan down`."""
    if result.ended[0] == 0 and is_whole() and not is_late:
        result.came_of_it = "ended well by itself"
    else:
        partial = result.ended[0] == 0
        for _ in range(2):
            result.ended.append(ended(command(env, "run")))
            if result.ended[-1] != 0:
                result.faults.append(f"the plain run ended with {result.ended[-1]}")
                break
            if is_whole():
                break
            partial = True
        else:
            result.faults.append("two plain runs, and the day is not whole")
        result.came_of_it = "whole the next day" if partial else "ended well by the plain run"
    if not result.faults:
        compare(result)
    if not result.faults and result.came_of_it == "ended well by itself" and day.load(HOME).done < DAYS:
        result.ended.append(ended(command(env, "run")))
        if result.ended[-1] != 0:
            result.faults.append(f"the day after ended with {result.ended[-1]}")
        elif not is_whole():
            result.faults.append("the day after is not whole")
        else:
            compare(result)
    if result.faults:  # the city goes with this run; its logs stay
        with contextlib.suppress(FileNotFoundError):
            shutil.copytree(HOME / "logs", _kept() / "logs", dirs_exist_ok=True)
            shutil.copy(HOME / "pg" / "server.log", _kept())
    result.ended.append(ended(command(env, "down")))
    left = [" ".join(p.cmdline()[:6]) for p in disturbances.City(HOME, random.Random(), env).crowd()]
    result.faults += [f"left after down: {words}"[:200] for words in left]


def compare(result: Result) -> None:
    """The warehouse against the undisturbed one of the same day."""
    done = day.load(HOME).done
    if done > DAYS:
        result.faults.append(f"day {done} has no reference")
        return
    if count := waiting():
        result.faults.append(f"{count} batch(es) that nobody has judged")
    then, now = SNAPSHOTS / f"day_{done}", FOLDER / "now" / os.environ["CHAOS_NAME"]
    snapshot(now)
    if result.came_of_it == "whole the next day":
        sides = [without_delivery(side, now / name) for name, side in (("then", then), ("now", now))]
    else:
        sides = [then, now]
    tables, cells, said = equal.compare(*sides, [])
    result.tables, result.cells = result.tables + tables, result.cells + cells
    result.faults += [line[:300] for line in said]
    for table in {line.partition(":")[0] for line in said}:
        with contextlib.suppress(FileNotFoundError):
            shutil.copy(now / f"{table}.parquet", _kept())
    shutil.rmtree(now)


def _kept() -> Path:
    """Where the evidence of a fault is kept."""
    folder = FOLDER / "said" / os.environ["CHAOS_NAME"]
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def main(words: list[str]) -> None:
    if words[0] == "reference":
        reference()
    else:
        result = run(int(words[1]), int(words[2]))
        print(json.dumps(asdict(result), ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
