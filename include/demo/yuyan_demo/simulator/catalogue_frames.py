"""The catalogue as entities: institution, org_unit, degree_point, programme, cluster_reference, discipline_cluster_map."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from yuyan_demo.simulator.catalogue import Catalogue, cluster_map, programme_id, seed_table
from yuyan_demo.simulator.columns import uscc_numbers


def frames(catalogue: Catalogue, partners: Sequence[str]) -> dict[str, pl.DataFrame]:
    """institution, org_unit, degree_point, programme, cluster_reference, discipline_cluster_map as canonical text.

    `partners` are credit codes of enterprises with which points are jointly built.
    """
    return {
        "institution": _institution(catalogue),
        "org_unit": _org_unit(catalogue),
        "degree_point": _degree_point(catalogue, partners),
        "programme": _programme(catalogue),
        "cluster_reference": seed_table("cluster").select(
            pl.lit("50000").alias("src_inst_code"),
            pl.col("code").alias("cluster_code"),
            pl.lit("2023").alias("edition"),
            pl.col("name_zh").alias("name"),
            pl.lit("33618").alias("layer"),
            pl.when(pl.col("tier") == "new_star_future")
            .then(pl.lit("false"))
            .otherwise(pl.lit("true"))
            .alias("is_key"),
        ),
        "discipline_cluster_map": cluster_map().select(
            pl.lit("50000").alias("src_inst_code"),
            pl.format("50000-MAP2023-{}-{}", "cluster_code", "discipline_code").alias("map_id"),
            pl.lit("2023").alias("edition"),
            "discipline_code",
            pl.lit(None, pl.String).alias("programme_code"),
            "cluster_code",
            "strength",
            pl.lit("1").alias("basis_code"),
            pl.lit("模拟专家组〔2023〕1号").alias("panel_doc_no"),
            pl.lit("2023-09-01").alias("valid_from"),
            pl.lit(None, pl.String).alias("valid_to"),
        ),
    }


def _institution(catalogue: Catalogue) -> pl.DataFrame:
    frame, codes = catalogue.institutions, catalogue.inst_codes
    body = pl.col("governing_body_zh")
    kind = pl.when(body == "教育部").then(pl.lit("10")).when(body == "军队").then(pl.lit("40"))
    kind = kind.when(body == "中共重庆市委").then(pl.lit("50")).otherwise(pl.lit("20"))
    peer = pl.when(pl.col("is_double_first_class") == "true").then(pl.lit("SYL"))
    peer = peer.when(kind.is_in(["40", "50"])).then(pl.lit("JD"))
    peer = peer.when(pl.col("highest_degree") == "doctor").then(pl.lit("BS")).otherwise(pl.lit("SS"))
    doctor = (pl.col("highest_degree") == "doctor").fill_null(False)
    return frame.select(
        pl.lit("50000").alias("src_inst_code"),
        pl.col("institution_code_5").alias("inst_code"),
        pl.col("name_zh").alias("inst_name"),
        uscc_numbers("12", ["500000"] * len(codes), np.array([int(c) for c in codes])).alias("uscc"),
        kind.alias("affiliation_code"),
        peer.alias("peer_group_code"),
        doctor.cast(pl.String).alias("grants_doctor"),
        pl.lit("true").alias("grants_master"),
        (pl.col("institution_code_5") != "89650").cast(pl.String).alias("grants_bachelor"),
        pl.col("district_code").fill_null("500000").alias("region_code"),
        pl.lit("2026-10-15").alias("connected_on"),
        pl.lit("1998-01-01").alias("valid_from"),
        pl.lit(None, pl.String).alias("valid_to"),
    )


def _org_unit(catalogue: Catalogue) -> pl.DataFrame:
    names = ["inst_code", "unit_code", "unit_name", "parent_unit_code", "unit_kind"]
    return pl.DataFrame(catalogue.units, schema=dict.fromkeys(names, pl.String), orient="row").select(
        pl.col("inst_code").alias("src_inst_code"),
        *names,
        # every third interdisciplinary centre is one by name only (planted)
        ((pl.col("unit_kind") != "30") | (pl.col("inst_code").cast(pl.Int64) % 3 != 0))
        .cast(pl.String)
        .alias("is_entity"),
        pl.lit("2000-09-01").alias("valid_from"),
        pl.lit(None, pl.String).alias("valid_to"),
    )


def _degree_point(catalogue: Catalogue, partners: Sequence[str]) -> pl.DataFrame:
    rows = []
    for i, p in enumerate(catalogue.points):
        partner = (
            ";".join(partners[(i * 7 + k) % len(partners)] for k in range(1 + i % 2)) if p.joint else None
        )
        flags = (str(p.joint).lower(), partner, str(p.self_set).lower())
        rows.append(
            (
                p.inst,
                p.id,
                p.inst,
                p.unit,
                p.level,
                p.type,
                p.discipline,
                str(p.authorised),
                p.doc_no,
                p.status,
                *flags,
            )
        )
    names = (
        "src_inst_code", "degree_point_id", "inst_code", "unit_code", "degree_level", "degree_type",
        "discipline_code", "authorised_on",
        "authorised_doc_no", "status_code", "is_joint_built", "joint_partner_uscc", "is_self_set",
    )  # fmt: skip
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")


def _programme(catalogue: Catalogue) -> pl.DataFrame:
    rows = []
    for i, p in enumerate(catalogue.programmes):
        point = catalogue.points[p.point]
        effective = max(point.authorised.year + 1, 2020)
        code = (
            point.discipline + p.code[4:]
        )  # where the catalogue of 2022 has given the discipline another number
        rows.append(
            (
                point.inst, programme_id(catalogue, p), point.id, p.unit, code, p.name, str(effective),
                f"{effective}-09-01",
                f"{p.duration:.1f}", "20.0" if point.level == "1" else "32.0",
                str(point.type == "2" and i % 9 == 0).lower(),
                str(p.interdisciplinary).lower(), None, str(point.type == "2" and i % 5 == 0).lower(),
            )
        )  # fmt: skip
    names = (
        "src_inst_code", "programme_id", "degree_point_id", "unit_code", "programme_code", "programme_name",
        "plan_version",
        "plan_effective_from", "duration_years", "min_credits", "is_alternation", "is_interdisciplinary",
        "platform_id", "licence_linked",
    )  # fmt: skip
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
