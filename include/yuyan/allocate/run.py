"""A run: scheme and signed data to grants, their robustness, efficiency and guards, written once and for good."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg

from yuyan.allocate import guards, robustness, rows
from yuyan.allocate import inputs as data
from yuyan.allocate import scheme as schemes
from yuyan.allocate.inputs import Inputs
from yuyan.allocate.robustness import Problem
from yuyan.allocate.rows import Rows

METHOD = 1
"""Raised with every change of this room that changes a figure: part of a run's number."""
TABLES = (
    "score",
    "result",
    "clamp_round",
    "transfer",
    "robustness",
    "pair",
    "sensitivity",
    "weight",
    "influence",
    "efficiency",
)
"""Tables of schema allocation that a run fills, beside allocation.run."""


class NotReproducible(RuntimeError):
    """The same scheme and data gave other figures than before: the method changed and METHOD was not raised."""


@dataclass(frozen=True)
class Allocation:
    """A run before it is written: its number, and the rows of every table."""

    allocation_id: str
    tables: Mapping[str, Rows]

    @property
    def digest(self) -> str:
        return schemes.digest(dict(self.tables))


def allocate(dsn: str, name: str, budget_cny: int | None = None) -> dict[str, Any]:
    """Allocate by a scheme on the signed data of the warehouse; returns allocation_id and is_new.

    The same scheme on the same data is the same run: it is computed again, compared and not written twice. Raises
    scheme.SchemeError, inputs.InputError, guards.NotAllowed, money.MoneyError, NotReproducible.

    >>> allocate(settings.warehouse_dsn("decide"), "default", budget_cny=100_000_000)["allocation_id"]
    """
    with alone(dsn) as connection:
        inputs = data.read(connection, schemes.load(name).with_budget(budget_cny))
        sign_off = guards.admitted(connection, inputs)
        found = computed(connection, inputs)
        known = connection.execute(
            "select result_digest from allocation.run where allocation_id = %s", [found.allocation_id]
        ).fetchone()
        if known is None:
            _write(connection, inputs, found, sign_off)
        elif known[0] != found.digest:
            raise NotReproducible(
                f"配置运行 {found.allocation_id} 重算的结果与已发布的不同：算法改动后须提高 allocate.run.METHOD"
            )
        return {"allocation_id": found.allocation_id, "is_new": known is None}


@contextmanager
def alone(dsn: str) -> Iterator[psycopg.Connection]:
    """A transaction that sees one state of the warehouse, while nobody else writes to schema allocation."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "select pg_advisory_lock(hashtext('allocation'))"
        )  # until the connection is closed
        with connection.transaction():
            connection.execute("set transaction isolation level repeatable read")
            yield connection


def computed(connection: psycopg.Connection, inputs: Inputs) -> Allocation:
    """Everything of a run, from its inputs; the same inputs give the same rows to the last digit."""
    scheme = inputs.scheme
    last = [None if np.isnan(v) else float(v) for v in inputs.last]
    number = schemes.digest([METHOD, scheme.digest, inputs.digest, last])[:12]
    formula = inputs.formula
    score = formula.scores(inputs.values)
    steps = formula.steps(score)
    rule = scheme.robustness
    varied = robustness.robustness(
        Problem(formula, inputs.definitions, inputs.errors, rule.weight_noise, rule.drop_probability),
        rule.draws,
        rule.seed,
    )
    return Allocation(
        f"{scheme.name}-{number}",
        {
            "score": rows.of_score(inputs, score),
            "result": rows.of_result(inputs, score, varied.rank, steps),
            "clamp_round": rows.of_round(inputs, steps),
            "transfer": rows.of_transfer(inputs, steps),
            "robustness": rows.of_robustness(inputs, varied),
            "pair": rows.of_pair(inputs, varied),
            "sensitivity": rows.of_sensitivity(inputs, varied.sobol),
            "weight": rows.of_weight(inputs, robustness.weight_audit(formula, inputs.values)),
            "influence": rows.of_influence(guards.influences(connection, inputs, scheme.guards.record_share)),
            "efficiency": rows.of_efficiency(inputs),
        },
    )


def _write(connection: psycopg.Connection, inputs: Inputs, found: Allocation, sign_off: int) -> None:
    scheme = inputs.scheme
    run = {
        "allocation_id": found.allocation_id,
        "scheme": scheme.name,
        "scheme_version": scheme.version,
        "title_zh": scheme.title_zh,
        "scheme_digest": scheme.digest,
        "data_digest": inputs.digest,
        "result_digest": found.digest,
        "method_version": METHOD,
        "sign_off_id": sign_off,
        "as_of": inputs.as_of,
        "budget_cny": scheme.budget_cny,
        "last_total_cny": int(np.nansum(inputs.last)),
        "institution_count": len(inputs.codes),
        "draw_count": scheme.robustness.draws,
        "scheme_content": json.dumps(scheme.content, ensure_ascii=False),
        "excluded": json.dumps(inputs.excluded, ensure_ascii=False),
    }
    insert(connection, "run", [run])
    for table in TABLES:
        insert(
            connection, table, [{"allocation_id": found.allocation_id} | row for row in found.tables[table]]
        )


def insert(connection: psycopg.Connection, table: str, content: Rows) -> None:
    """Add rows to a table of schema allocation; columns by name."""
    if content:
        names = list(content[0])
        statement = f"insert into allocation.{table} ({', '.join(names)}) values ({', '.join(f'%({n})s' for n in names)})"
        connection.cursor().executemany(statement, content)
