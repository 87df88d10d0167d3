"""Records that one institution reports of a student or degree point of another one: indicators would count them there."""

import polars as pl

from yuyan_demo.simulator.defects_values import STUDYING, moved
from yuyan_demo.simulator.identities import Row
from yuyan_demo.simulator.planting import Planter
from yuyan_demo.simulator.products.assignment import EXCHANGE, FILES, LEGACY, VERSIONED


def elsewhere(row: Row) -> str:
    """Another institution than the one that reports."""
    return "10635" if row["src_inst_code"] != "10635" else "10611"


REPORTED_ELSEWHERE = {"src_inst_code": elsewhere}


def plant(p: Planter) -> None:
    """Plant everything of day 1."""
    foreign = {"student_id": lambda r: f"{elsewhere(r)}{r['student_id'][5:]}"}
    p.clone("student", VERSIONED, foreign, "student_id.39", where=STUDYING)
    nowhere = STUDYING & (pl.col("gatq_code") == "00")
    p.clone("student", FILES, {"origin_region_code": None}, "origin_region_code.40", where=nowhere)
    p.clone("student_status_event", LEGACY, REPORTED_ELSEWHERE, "student_id.21")
    p.clone("thesis", FILES, REPORTED_ELSEWHERE, "student_id.29")
    p.clone("thesis", VERSIONED, {"student_id": None}, "student_id.30")
    second = (pl.col("role_code") == "20") & pl.col("to_on").is_null()
    later = REPORTED_ELSEWHERE | {"from_on": moved("from_on", 1)}
    p.clone("student_supervisor", EXCHANGE, later, "student_id.20", where=second)
    p.clone("admission", VERSIONED, REPORTED_ELSEWHERE, "degree_point_id.23")
    p.clone("admission_plan", LEGACY, REPORTED_ELSEWHERE, "degree_point_id.18")
    p.clone("programme", FILES, REPORTED_ELSEWHERE, "degree_point_id.18")
