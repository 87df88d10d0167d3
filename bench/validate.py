"""Validation against one hand-written SQL pass over the same rows and rules.

    python bench/validate.py [scale] [rounds]

The pass is what an engineer would write without this project: per entity one statement that types the newest version of
every record, evaluates every rule and returns the ids of the rows that break it. The stage does that through Great
Expectations, counts eligible and unverifiable rows per institution too, and writes results, failures, quarantine and the
accepted tables.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from yuyan import settings
from yuyan.domain import catalogue, contracts, macros
from yuyan.validate import run
from yuyan.warehouse import ddl
from yuyan_demo.runtime import postgres
from yuyan_demo.simulator import population

sys.path.insert(0, str(settings.PROJECT / "tests"))
from support import fill

BUDGET = 3.0
ROUNDS = 3


def by_hand(dsn: str) -> int:
    """The hand-written pass, plain SQL over raw and the accepted parents; returns the failures found."""
    rules = catalogue.load()
    failures = 0
    with psycopg.connect(dsn) as connection:
        for entity in rules.order:
            of_entity = rules.rules[entity]
            _newest_of_others(connection, entity)
            broken = ", ".join(f"array_agg(r.raw_id) filter (where {_broken(entity, r)})" for r in of_entity)
            row = connection.execute(f"select count(*), {broken} from ({_typed(entity)}) r").fetchone()
            failures += sum(len(ids or ()) for ids in row[1:])
        connection.rollback()
    return failures


def _newest_of_others(connection: psycopg.Connection, entity: str) -> None:
    """Temporary tables of the newest versions that an entity's rules look up, indexed by what they ask for."""
    asked: dict[str, set[str]] = {}
    for x in catalogue.load().lookups:
        if x.child == entity and x.kind == "latest" and not x.is_key:
            asked.setdefault(x.parent, set()).add(", ".join(x.to_fields))
    for parent, keys in asked.items():
        connection.execute(f"drop table if exists latest_{parent}")
        connection.execute(f"create temp table latest_{parent} as select * from latest.{parent}")
        for key in keys:
            connection.execute(f"create index on latest_{parent} ({key})")
        connection.execute(f"analyze latest_{parent}")


def _typed(entity: str) -> str:
    """SQL of the newest live versions: ids, typed columns, their raw text, and whether another record holds the key."""
    contract = contracts.load()[entity]
    raw = ", ".join(f"r.{f.name} as {f.name}__raw" for f in contract.columns if f.type != "string")
    order = "order by src_inst_code, src_record_id, source_version desc, raw_id desc"
    return (
        f"select r.src_inst_code, r.src_record_id, r.raw_id, r.record_key, {ddl.typed_columns(contract)}"
        f"{', ' + raw if raw else ''}, r.record_key is not null and row_number() over (partition by r.record_key "
        "order by r.src_record_id) > 1 as key_is_taken, false as is_isolated from "
        "(select distinct on (src_inst_code, src_record_id) * "
        f"from raw.{entity} {order}) r where not r.is_deleted offset 0"
    )


def _broken(entity: str, rule: catalogue.Rule) -> str:
    names = {
        f.name: f"r.{f.name}" + ("" if f.type == "string" else "__raw")
        for f in contracts.load()[entity].columns
    }
    condition = f"not ({macros.expand(rule.assert_, population.as_of(1), names)})"
    return (
        f"({macros.expand(rule.when, population.as_of(1), names)}) and {condition}"
        if rule.when
        else condition
    )


def timed(work: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main(scale: float, rounds: int) -> None:
    """Load a population, then run stage and pass in turn; prints seconds and the ratio of the medians."""
    with tempfile.TemporaryDirectory(prefix="yuyan-bench-") as folder:
        home = Path(folder)
        postgres.start(home / "pg")
        try:
            dsn = postgres.create_database(home / "pg", "bench")
            os.environ |= {"YUYAN_HOME": folder, "YUYAN_WAREHOUSE_DSN": dsn}
            with psycopg.connect(dsn) as connection:
                ddl.create(connection)
                rows = fill.load(connection, population.build(scale=scale).frames)
                connection.commit()
                connection.autocommit = True
                connection.execute("analyze")
            stage, hand, found = [], [], []
            for number in range(rounds):
                with psycopg.connect(dsn) as connection:
                    for entity in catalogue.load().order:
                        connection.execute(f"truncate accepted.{entity}")
                        connection.execute(f"drop table if exists judging.standing_{entity} cascade")
                    connection.execute("set session_replication_role = replica")  # what failed is kept
                    connection.execute("truncate quality.judged, quality.quarantine, quality.row_failure")
                stage.append(timed(lambda n=number: run.validate(f"bench-{n}", population.as_of(1))))
                hand.append(timed(lambda: found.append(by_hand(dsn))))
                with psycopg.connect(dsn) as connection:
                    (reported,) = connection.execute("select count(*) from quality.row_failure").fetchone()
                if found[-1] != reported:
                    raise SystemExit(
                        f"the pass finds {found[-1]} failures, the stage {reported}: not the same work"
                    )
        finally:
            postgres.stop(home / "pg")
    ratio = statistics.median(stage) / statistics.median(hand)
    rules = sum(map(len, catalogue.load().rules.values()))
    print(f"validate: {rows} rows, {rules} rules, {rounds} rounds")
    print(f"  stage            {statistics.median(stage):7.2f} s  {[round(s, 2) for s in stage]}")
    print(f"  hand-written SQL {statistics.median(hand):7.2f} s  {[round(s, 2) for s in hand]}")
    print(f"  ratio            {ratio:7.2f}    budget ≤ {BUDGET}  {'met' if ratio <= BUDGET else 'MISSED'}")


if __name__ == "__main__":
    arguments = sys.argv[1:]
    main(
        float(arguments[0]) if arguments else population.SCALE,
        int(arguments[1]) if len(arguments) > 1 else ROUNDS,
    )
