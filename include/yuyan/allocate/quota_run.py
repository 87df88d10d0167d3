"""A quota scenario: the pipeline read from the star, simulated, written once under the digest of what went in."""

import json
from dataclasses import asdict
from datetime import date
from typing import Any

import numpy as np
import psycopg

from yuyan.allocate import quota, sources
from yuyan.allocate import scheme as schemes
from yuyan.allocate.quota import LONGEST, Move, Pipeline
from yuyan.allocate.run import alone, insert
from yuyan.domain import indicators

METHOD = 1
DRAWS, SEED = 1000, 2026

STOCK = """
select discipline_code, degree_level, least(greatest(
        census_year - (extract(year from entry_on) + (extract(month from entry_on) > 9)::int), 0)::int, 99) as years,
    count(distinct student_id) as students
from star.fct_enrolment_census
where census_year = %(year)s and discipline_code is not null group by 1, 2, 3 order by 1, 2, 3
"""
EXITS = """
select degree_level, least(greatest(
        (extract(year from left_on) + (extract(month from left_on) > 9)::int)
        - (extract(year from entry_on) + (extract(month from entry_on) > 9)::int), 0)::int, 99) as years,
    is_awarded, count(*) as students
from star.fct_student_lifecycle
where left_on <= %(as_of)s and extract(year from entry_on) + (extract(month from entry_on) > 9)::int
    <= %(year)s - case degree_level when '1' then %(doctoral)s else %(master)s end and degree_level in ('1', '2')
group by 1, 2, 3 order by 1, 2, 3
"""
DISCIPLINES = """
select discipline_code, key_cluster_strength::float8 as strength from star.dim_discipline
where not is_h02_excluded order by 1
"""
PARTS = """
select discipline_code, cluster_code, (strength / sum(strength) over (partition by discipline_code))::float8 as part
from (
    select discipline_code, cluster_code, max(strength) as strength from star.bridge_discipline_cluster
    where is_valid and is_key_cluster and strength > 0 group by 1, 2
) as strongest
order by 1, 2
"""
DEMAND = """
select d.cluster_code, sum(d.demand_count)::float8 as posts
from star.fct_talent_demand d join star.dim_cluster c on c.cluster_code = d.cluster_code and c.is_key
where d.demand_count > 0 and d.demand_year = (select max(demand_year) from star.fct_talent_demand)
group by 1 order by 1
"""


def scenario(dsn: str, moves: list[Move], fill: float = 1.0, draws: int = DRAWS) -> dict[str, Any]:
    """Simulate a scenario and write it; the same moves on the same data are the same scenario, written once.

    Returns scenario_id, is_new, as_of and outcomes. Raises quota.QuotaError, LookupError where nothing was published yet.
    """
    with alone(dsn) as connection:
        day = sources.as_of(connection)
        pipeline = read(connection, day)
        outcomes = [asdict(o) for o in quota.simulate(pipeline, moves, draws, SEED, fill)]
        content = [METHOD, str(day), quota.plain(moves), fill, draws, SEED, _content(pipeline)]
        number = f"quota-{schemes.digest(content)[:12]}"
        known = connection.execute(
            "select 1 from allocation.quota_run where scenario_id = %s", [number]
        ).fetchone()
        if not known:
            run = {
                "scenario_id": number,
                "as_of": day,
                "moves": json.dumps(quota.plain(moves), ensure_ascii=False),
                "assumptions": json.dumps([*quota.ASSUMPTIONS, f"录取率 {fill:g}"], ensure_ascii=False),
                "draw_count": draws,
                "result_digest": schemes.digest(outcomes),
            }
            insert(connection, "quota_run", [run])
            insert(connection, "quota_scenario", [{"scenario_id": number} | o for o in outcomes])
        return {"scenario_id": number, "is_new": not known, "as_of": day, "outcomes": outcomes}


def read(connection: psycopg.Connection, day: date) -> Pipeline:
    """The pipeline at the newest census. Raises LookupError when nobody is in study."""
    year = sources.rows(connection, "select max(census_year) as year from star.fct_enrolment_census")[0][
        "year"
    ]
    if year is None:
        raise LookupError("star.fct_enrolment_census 是空的：先运行一次数仓（yuyan run）")
    stock: dict[tuple[str, str], Any] = {}
    for r in sources.rows(connection, STOCK, {"year": year}):
        longest = LONGEST[r["degree_level"]]
        own = stock.setdefault((r["discipline_code"], r["degree_level"]), np.zeros(longest, dtype=np.int64))
        own[min(r["years"], longest - 1)] += r["students"]
    exits = {level: np.zeros((longest + 1, 2)) for level, longest in LONGEST.items()}
    given = {"as_of": day, "year": year, "doctoral": LONGEST["1"], "master": LONGEST["2"]}
    for r in sources.rows(connection, EXITS, given):
        exits[r["degree_level"]][min(r["years"], LONGEST[r["degree_level"]]), int(r["is_awarded"])] += r[
            "students"
        ]
    least = float(indicators.parameters()["map_strength_minimum"])
    parts: dict[str, dict[str, float]] = {}
    for r in sources.rows(connection, PARTS):
        parts.setdefault(r["discipline_code"], {})[r["cluster_code"]] = r["part"]
    return Pipeline(
        int(year),
        stock,
        exits,
        {r["discipline_code"]: r["strength"] >= least for r in sources.rows(connection, DISCIPLINES)},
        parts,
        {r["cluster_code"]: r["posts"] for r in sources.rows(connection, DEMAND)},
    )


def _content(pipeline: Pipeline) -> list[Any]:
    return [
        pipeline.base_year,
        {"-".join(cell): stock.tolist() for cell, stock in pipeline.stock.items()},
        {level: exits.tolist() for level, exits in pipeline.exits.items()},
        pipeline.matched,
        pipeline.parts,
        pipeline.demand,
    ]
