"""How PostgreSQL would make the models: no subquery of theirs reads a table anew for every row of another."""

import json
import re
from collections.abc import Iterator

import psycopg
import pytest

from support.rebuild import DATABASE, Compiled

pytestmark = pytest.mark.database

READ_WHOLE = ("Seq Scan", "CTE Scan")


def nodes(node: dict) -> Iterator[dict]:
    """A node of a plan and all below it."""
    yield node
    for child in node.get("Plans", ()):
        yield from nodes(child)


def repeated(plan: dict) -> list[str]:
    """Tables that are read whole for every row of another: in a correlated subquery that was not made a join."""
    hashed = set(re.findall(r"hashed (SubPlan \d+)", json.dumps(plan)))
    return [
        below.get("Relation Name") or below["CTE Name"]
        for node in nodes(plan)
        if node.get("Parent Relationship") == "SubPlan" and node["Subplan Name"] not in hashed
        for below in nodes(node)
        if below["Node Type"] in READ_WHOLE
    ]


def plan_of(connection: psycopg.Connection, query: str) -> dict:
    return connection.execute(f"explain (format json) {query}").fetchone()[0][0]["Plan"]


def test_a_table_that_is_read_for_every_row_is_found(marts):
    of_each = (
        "select count(*) filter (where exists (select from star.fct_thesis as t where t.degree_point_id = s.degree_point_id "
        "and t.opened_on < s.entry_on)) from star.dim_student as s"
    )
    joined = (
        "select count(*) from star.dim_student as s "
        "where exists (select from star.fct_thesis as t where t.student_id = s.student_id)"
    )
    assert repeated(plan_of(marts, of_each)) == ["fct_thesis"]
    assert repeated(plan_of(marts, joined)) == []


def test_no_subquery_of_a_model_reads_a_table_for_every_row_of_another(
    marts, simulated_city, simulated_city_home
):
    compiled = Compiled(simulated_city_home, simulated_city.as_of)
    found, seen = {}, 0
    for name, node in compiled.models.items():
        path = compiled.folder / node["original_file_path"]
        if node["config"]["materialized"] == "table" and path.exists():
            seen += 1
            if tables := repeated(plan_of(marts, DATABASE.sub("", path.read_text(encoding="utf-8")))):
                found[name] = tables
    assert seen > 150
    assert found == {}
