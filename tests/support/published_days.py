"""Two days of published tables as their readers know them, for the attacks of tests/marts/test_disclosure.py."""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
import psycopg
from scipy.optimize import linprog
from scipy.sparse import csr_matrix

from support.rebuild import Compiled
from yuyan.disclosure import attack, counts, policy, sums
from yuyan.disclosure.cells import PLACE, Cells
from yuyan.disclosure.protect import System

POLICY = policy.load()
N = POLICY.minimum
FIRST_YEAR = 2023
MOVED = (
    *("ind_counted_employment", "ind_counted_enrolment_census", "ind_counted_student_lifecycle"),
    *(
        "ind_counted_thesis_sampling",
        "ind_counted_supervisor_year",
        "ind_value",
        "ind_plan_status",
        "ind_status",
    ),
    *(
        "graduate_destination",
        "student_flow",
        "institution_profile",
        "internationalisation",
        "thesis_sampling",
    ),
    *("supervisor_team", "indicator_value", "target_scorecard", "target_by_version"),
)
"""What is filled anew for the second day, in order; views follow by themselves."""
CHANGES = (
    "delete from marts.warning_recall",
    "delete from star.fct_employment where hashtext(student_id) % 40 = 0",
    "update star.fct_employment set destination_code = '10', is_employed = true, is_in_chongqing = true, "
    "region_code = '500103' where hashtext(student_id) % 60 = 7",
    "delete from star.fct_enrolment_census where hashtext(student_id) % 60 = 0",
    "delete from star.fct_student_lifecycle where hashtext(student_id) % 60 = 0",
    "delete from star.fct_thesis_sampling where hashtext(sampling_id) % 40 = 0",
    "update star.fct_thesis_sampling set verdict_code = '2' where verdict_code = '1' and hashtext(sampling_id) % 40 = 7",
    "delete from star.fct_supervisor_year where hashtext(supervisor_id) % 60 = 0",
    "update star.fct_supervisor_year set is_trained = not is_trained where hashtext(supervisor_id) % 60 = 7",
)
"""What happens between the days: some graduates, students, theses and supervisors leave the records, some have found work,
failed or been trained; a mart has become empty."""


@dataclass
class Day:
    """A day's exact counts with the cells they are, and `shown`: each count in a table beside what its readers see."""

    cells: Cells
    shown: pl.DataFrame
    found: dict[str, int]

    @property
    def system(self) -> System:
        """The cells as a reader knows them: what no table shows as it is can only be computed."""
        shown = self.shown
        known = shown.filter(
            pl.col("shown").is_not_null() & ((pl.col("shown") - pl.col("value")).abs() < 1e-6)
        )
        hidden = np.ones(len(self.cells.system.value), dtype=bool)
        hidden[known["cell"].unique().to_numpy()] = False
        return replace(self.cells.system, is_hidden=hidden)

    @property
    def secret(self) -> np.ndarray:
        """What must not be told: counts of somebody that are hidden for their own sake, in a table or left over of one.

        Figures of many that are hidden as company are no secret: that they keep the others is what is tried.
        """
        return attack.judged(self.system) & self.cells.system.is_hidden


def day(connection: psycopg.Connection, found: dict[str, int]) -> Day:
    """What the tables show now, beside the counts behind it."""
    counted = counts.counted(connection, POLICY)
    cells = sums.system(counted, POLICY)
    seen = []
    for table, rows in counted.rows.items():
        keys = (
            [c for c in rows.columns if c in POLICY.tables[table].key]
            if table in POLICY.tables
            else list(counts.VARIANT_KEY)
        )
        columns = [
            c
            for c in counted.refs.filter(pl.col("table") == table)["column"].unique()
            if not c.startswith("#")
        ]
        if not columns:
            continue
        read = counts.read(connection, f"select {', '.join(keys + columns)} from published.{table}")
        joined = rows.select("row", *keys).join(read, on=keys, how="left", nulls_equal=True)
        assert joined.height == rows.height
        seen.append(
            joined.unpivot(columns, index="row", variable_name="column", value_name="shown").select(
                pl.lit(table).alias("table"), "row", "column", pl.col("shown").cast(pl.Float64)
            )
        )
    refs = cells.refs.filter(~pl.col("column").str.starts_with("#"))
    shown = refs.join(pl.concat(seen), on=["table", "row", "column"], how="left", maintain_order="left")
    return Day(cells, shown, found)


def leave_recent_years(connection: psycopg.Connection) -> None:
    """Sums stay within a period: some years are attacked like all of them, in a third of the time."""
    periods = {name: table.period for name, table in POLICY.tables.items() if not name.startswith("v_")}
    for name, period in (periods | {"indicator_value": "period_year"}).items():
        connection.execute(f"delete from marts.{name} where left(cast({period} as text), 4) < '{FIRST_YEAR}'")
    connection.execute(f"delete from star.fct_employment where grad_year < {FIRST_YEAR}")


def count_records(connection: psycopg.Connection) -> None:
    """The city's records were not judged: its scorecard gets numbers of records, from one to thousands."""
    connection.execute(
        "update marts.data_confidence as c set numerator = n.records - 1, denominator = n.records, "
        "value = (n.records - 1) / n.records::float8 from (select inst_code, entity_code, dimension_code, "
        "1 + abs(hashtext(inst_code || entity_code || dimension_code)) % 3000 as records from marts.data_confidence) as n "
        "where (n.inst_code, n.entity_code, n.dimension_code) = (c.inst_code, c.entity_code, c.dimension_code) "
        "and c.dimension_code in ('D02', 'D03', 'D05', 'D07')"
    )


def move(connection: psycopg.Connection, compiled: Compiled, as_of) -> None:
    """A day passes."""
    for statement in CHANGES:
        connection.execute(statement)
    compiled.fill_models(connection, as_of, *MOVED)
    leave_recent_years(connection)


def joined(first: Day, second: Day) -> System:
    """Cells of two days; a cell of the same place and value on both is one, and known where one of the days shows it."""
    a, b = first.system, second.system
    places = [
        one.cells.places.with_columns(pl.Series("value", one.cells.system.value)).filter(
            pl.col("population").is_not_null()
        )
        for one in (first, second)
    ]
    same = places[1].join(places[0], on=[*PLACE, "value"], how="inner", nulls_equal=True, suffix="_before")
    to = np.arange(len(b.value)) + len(a.value)
    to[same["cell"].to_numpy()] = same["cell_before"].to_numpy()
    size = len(a.value) + len(b.value)

    def both(name: str) -> np.ndarray:
        return np.concatenate([getattr(a, name), getattr(b, name)])

    hidden = both("is_hidden")
    twice = same["cell"].to_numpy(), same["cell_before"].to_numpy()
    hidden[twice[1]] = a.is_hidden[twice[1]] & b.is_hidden[twice[0]]
    assert len(hidden) == size
    return System(
        value=both("value"),
        least=both("least"),
        need=both("need"),
        is_money=both("is_money"),
        is_open=both("is_open"),
        is_hidden=hidden,
        total=np.concatenate([a.total, to[b.total]]),
        start=np.concatenate([a.start, b.start[1:] + a.start[-1]]),
        member=np.concatenate([a.member, to[b.member]]),
        rest=both("rest"),
    )


def inside(system: System, group: np.ndarray) -> csr_matrix:
    """The sums that have one of these cells, and no other hidden one: a row each, a column per cell."""
    place = np.full(len(system.value), -1)
    place[group] = np.arange(len(group))
    cells = np.concatenate([system.member, system.total])
    rows = np.concatenate([system.sum_of_member, np.arange(len(system.total))])
    signs = np.concatenate([np.ones(len(system.member)), -np.ones(len(system.total))])
    of = place[cells] >= 0
    matrix = csr_matrix((signs[of], (rows[of], place[cells[of]])), shape=(len(system.total), len(group)))
    return matrix[np.diff(matrix.indptr) > 0]


def programme(system: System, group: np.ndarray, cell: int) -> tuple[float, float]:
    """The least and greatest value of a cell that fits all sums of its component."""
    matrix = inside(system, group)
    given = matrix @ system.value[group]
    goal = (group == cell).astype(float)
    bounds = [(low, None) for low in system.least[group]]
    ends = [linprog(sign * goal, A_eq=matrix, b_eq=given, bounds=bounds, method="highs") for sign in (1, -1)]
    assert all(e.status in (0, 3) for e in ends)
    return ends[0].fun, -ends[1].fun if ends[1].status == 0 else np.inf


def pairs(of: Day, shown: pl.DataFrame) -> pl.DataFrame:
    """Parts beside their wholes, as indicators and the policy name them: cell, value, shown; of, of_shown; left, the cell of
    what is left over."""
    place = ["period", *counts.DIMENSIONS]
    rows = shown.filter(pl.col("table") == "indicator_value")
    found = [_pairs(rows, ["row"], "column", "numerator", "denominator").with_columns(left=None)]
    for part, (whole, rest) in POLICY.parts.items():
        left = of.cells.places.filter(pl.col("population") == rest).select(
            *place, pl.col("cell").alias("left")
        )
        both = _pairs(shown, place, "population", part, whole)
        found.append(both.join(left, on=place, how="left", nulls_equal=True))
    columns = ["cell", "value", "shown", "of", "of_shown", pl.col("left").cast(pl.Int64)]
    return pl.concat([one.select(columns) for one in found])


def _pairs(shown: pl.DataFrame, on: list[str], by: str, part: str, whole: str) -> pl.DataFrame:
    parts = shown.filter(pl.col(by) == part).select(*on, "cell", "value", "shown")
    wholes = shown.filter(pl.col(by) == whole)
    wholes = wholes.select(*on, pl.col("value").alias("of"), pl.col("shown").alias("of_shown"))
    wholes = wholes.unique(on, keep="first", maintain_order=True)
    return parts.join(wholes, on=on, how="inner", nulls_equal=True)
