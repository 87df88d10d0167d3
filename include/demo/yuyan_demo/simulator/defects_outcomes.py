"""Defects of destinations, employers and what employers say that only a look at other records shows."""

import polars as pl

from yuyan_demo.simulator.defects_values import NOBODY, added
from yuyan_demo.simulator.identities import Change, Row, right_check
from yuyan_demo.simulator.planting import Planter
from yuyan_demo.simulator.products.assignment import COMMISSION, EXCHANGE, FILES, LEGACY, VERSIONED

POINT = "10611-2-1-0802"
EMPLOYED = pl.col("destination_code").is_in(["10", "11"]) & pl.col("employer_uscc").is_not_null()


def plant(p: Planter, frames: dict[str, pl.DataFrame]) -> None:
    """Plant everything of day 1."""
    gone = p.clone("enterprise", COMMISSION, {"valid_to": "2015-06-30"})[0]
    _employers(p)
    _destinations(p, frames, gone)
    _answers(p, gone)


def _employers(p: Planter) -> None:
    c = COMMISSION
    p.clone("enterprise", c, {"valid_to": "2014-01-01"}, "valid_to.13")
    for _ in range(2):
        p.clone("enterprise", c, {"name": "模拟同名企业"}, "~name.14")
    p.clone("enterprise", c, {"org_kind": "20"}, "~org_kind.15")
    p.clone("enterprise", c, {"valid_from": "2027-01-01"}, "~valid_from.16")


def _destinations(p: Planter, frames: dict[str, pl.DataFrame], gone: Row) -> None:
    def spoil(place: str, change: Change, *rules: str, where: pl.Expr = EMPLOYED) -> None:
        p.spoil("employment", place, change, *rules, where=where, healed=None)

    spoil(VERSIONED, {"employer_kind_code": None}, "~employer_kind_code.17")
    spoil(LEGACY, {"industry_code": None}, "~industry_code.18")
    spoil(EXCHANGE, {"post_category_code": None}, "~post_category_code.19")
    spoil(
        FILES,
        {"industry_code": lambda r: "J66" if r["industry_code"] != "J66" else "C36"},
        "~industry_code.20",
    )
    clusters = frames["enterprise"]["cluster_code"].drop_nulls().unique().sort()[:2]
    other = {"cluster_code": lambda r: clusters[int(r["cluster_code"] == clusters[0])]}
    spoil("any", other, "~cluster_code.21", where=EMPLOYED & pl.col("cluster_code").is_not_null())
    company = EMPLOYED & pl.col("employer_kind_code").is_in(["31", "39"])
    spoil(LEGACY, {"employer_kind_code": "10"}, "~employer_kind_code.22", where=company)
    away = {"region_code": lambda r: "110000" if r["region_code"].startswith("50") else "500106"}
    spoil(VERSIONED, away, "~region_code.23")
    waiting, studying = pl.col("destination_code") == "701", pl.col("destination_code") == "801"
    spoil(EXCHANGE, {"region_code": "510000"}, "~region_code.24", where=waiting)
    spoil(FILES, {"is_key_post": "true"}, "~is_key_post.25", where=studying)
    spoil(LEGACY, {"destination_code": "802"}, "destination_code.26", where=studying)
    doctors = frames["student"].filter(pl.col("degree_level") == "1")["student_id"].implode()
    spoil(
        "any",
        {"destination_code": "801"},
        "~destination_code.27",
        where=waiting & pl.col("student_id").is_in(doctors),
    )
    before = {
        "grad_year": added("grad_year", plus=-1),
        "status_on": lambda r: f"{int(r['grad_year']) - 1}-12-31",
    }
    spoil(VERSIONED, before, "~grad_year.28")
    spoil("any", {"status_on": "2026-12-31"}, "status_on.29", where=pl.col("grad_year") == "2026")
    spoil(
        EXCHANGE,
        {"status_on": lambda r: f"{r['grad_year']}-09-30"},
        "~status_on.30",
        where=pl.col("grad_year") < "2026",
    )
    working = pl.col("destination_code").is_in(["502", "512", "751", "76"])
    spoil("any", {"region_code": None}, "~region_code.36", where=working)
    spoil("any", {"employer_kind_code": "39"}, "~employer_kind_code.37", where=waiting)
    there: Change = {
        "employer_uscc": gone["uscc"],
        "industry_code": gone["industry_code"],
        "region_code": gone["region_code"],
        "cluster_code": None,
        "employer_kind_code": "31",
    }
    spoil(FILES, there, "~employer_uscc.31")


def _answers(p: Planter, gone: Row) -> None:
    c, entity = COMMISSION, "employer_survey"
    p.clone(entity, c, {"survey_year": added("survey_year", plus=-2)}, "collected_on.13")
    p.clone(
        entity, c, {"collected_on": "2027-02-01"}, "collected_on.14", where=pl.col("survey_year") == "2026"
    )
    elsewhere = pl.col("inst_code") != "10611"
    p.clone(entity, c, {"degree_point_id": POINT}, "degree_point_id.15", where=elsewhere)
    p.clone(entity, c, {"design_weight": "99.0000"}, "~design_weight.16")
    p.clone(entity, c, {"employer_uscc": gone["uscc"]}, "~employer_uscc.17")
    p.clone(entity, c, {"employer_uscc": NOBODY}, "employer_uscc.18")
    p.clone(entity, c, {"employer_uscc": right_check}, "~employer_uscc.19")
