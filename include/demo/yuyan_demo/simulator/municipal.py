"""The commission's own data: enterprises, guidance list, talent demand, degree-point events."""

import numpy as np
import polars as pl

from yuyan import settings
from yuyan_demo.simulator import catalogue as cat
from yuyan_demo.simulator.columns import (
    counts,
    flags,
    integers,
    join,
    null_unless,
    padded,
    pick,
    stream,
    text,
    uscc_numbers,
    weighted,
)

LOCAL = [
    "500101",
    "500103",
    "500106",
    "500107",
    "500108",
    "500109",
    "500113",
    "500116",
    "500118",
    "500120",
    "500157",
]
ELSEWHERE = [
    "510000",
    "440000",
    "310000",
    "320000",
    "330000",
    "110000",
    "420000",
    "520000",
    "530000",
    "610000",
]
PLACE_SHARES = (0.3, 0.16, 0.12, 0.1, 0.1, 0.07, 0.05, 0.05, 0.03, 0.02)
INDUSTRIES = (
    "C36",
    "C39",
    "C38",
    "C26",
    "C27",
    "C32",
    "C33",
    "C34",
    "C35",
    "I65",
    "J66",
    "P83",
    "Q84",
    "M73",
    "E48",
    "D44",
    "A01",
)
URGENT = (
    "0802", "0803", "0805", "0808", "0809", "0810", "0811", "0812", "0854", "0855", "0856", "0858", "0860",
    "1001", "1007", "1401",
    "1405", "0830", "0710", "0814",
)  # fmt: skip
"""Disciplines that the guidance list supports."""


def enterprises(seed: int, scale: float) -> pl.DataFrame:
    """Employers, partners and clients: several in Chongqing and elsewhere for every cluster and for none."""
    rng = stream(seed, 61)
    clusters = [
        *pl.read_csv(settings.SEEDS / "reference" / "cluster.csv", infer_schema_length=0)["code"],
        None,
    ]
    n = max(310, int(6000 * scale))
    number = np.arange(n)
    cluster = np.where(number < 310, number % 31, np.where(rng.random(n) < 0.7, rng.integers(0, 30, n), 30))
    local = np.where(number < 310, number // 31 % 2 == 0, rng.random(n) < 0.6)
    region = np.where(local, rng.integers(0, len(LOCAL), n), len(LOCAL) + weighted(rng, PLACE_SHARES, n))
    regions = pick(LOCAL + ELSEWHERE, region)
    kind = weighted(rng, (0.87, 0.1, 0.02, 0.01), n)
    industry = np.where(cluster < 30, cluster % 11, rng.integers(9, len(INDUSTRIES), n))
    return pl.DataFrame(
        {
            "src_inst_code": text("50000", n),
            "uscc": _uscc(kind, regions, number + 1),
            "name": join(
                "模拟",
                pick(("渝丰", "长江", "嘉陵", "巴渝", "山城", "两江", "华岩", "缙云"), number % 8),
                "企业",
                padded(number, 5),
            ),
            "org_kind": integers(10 * (1 + kind)),
            "industry_code": pick(INDUSTRIES, industry),
            "cluster_code": pick(clusters, cluster),
            "region_code": regions,
            "is_leading": flags(rng.random(n) < 0.08),
            "list_edition": text("2026", n),
            "valid_from": text("2015-01-01", n),
            "valid_to": text(None, n),
        }
    )


def _uscc(kind: np.ndarray, regions: pl.Series, number: np.ndarray) -> pl.Series:
    """Credit codes that say who registered: enterprise 91, institution 12, government 11, association 51."""
    drawn = [uscc_numbers(prefix, regions.to_list(), number) for prefix in ("91", "12", "11", "51")]
    return pl.select(
        pl.coalesce(*(null_unless(codes, kind == i) for i, codes in enumerate(drawn)))
    ).to_series()


def urgent_list() -> pl.DataFrame:
    """Guidance lists of two editions: supported disciplines at both levels, some restricted or warned."""
    restricted = ("1301", "1352", "1251", "0503", "1253")
    rows = []
    for year in (2024, 2025):
        for discipline in (*URGENT, *restricted):
            for level in ("1", "2"):
                if level == "1" and discipline in ("1301", "1251", "1253"):
                    continue
                category = "10" if discipline in URGENT else ("20" if year == 2024 else "30")
                valid = (f"{year + 1}-01-01", f"{year + 1}-12-31" if year == 2024 else None)
                rows.append(
                    (
                        "50000",
                        f"50000-Z3-{year}-{discipline}-{level}",
                        str(year),
                        f"{year}-12-20",
                        discipline,
                        level,
                        category,
                        None,
                        *valid,
                    )
                )
    names = (
        "src_inst_code", "list_id", "edition_year", "published_on", "discipline_code", "degree_level",
        "category_code", "cluster_code",
        "valid_from", "valid_to",
    )  # fmt: skip
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")


def point_events(catalogue: cat.Catalogue) -> pl.DataFrame:
    """Grants, supervision and revocations of degree points. The grant of one urgent point of 2026 is revoked later."""
    rows: list[tuple[str, str, str, str, str | None]] = []
    for p in catalogue.points:
        if p.authorised.year == 2026:
            continue
        if p.authorised.year >= 2011:
            rows.append(
                (p.id, "11" if p.authorised.year != 2014 else "12", str(p.authorised), p.doc_no, None)
            )
        if p.joint:
            rows.append((p.id, "51", f"{p.authorised.year + 1}-06-01", "模拟共建协议", None))
        for kind, on in {
            "20": (("31", "2025-06-10"),),
            "30": (("31", "2023-05-20"), ("41", "2024-03-01")),
            "80": (("22", "2019-07-15"),),
            "90": (("31", "2017-04-01"), ("33", "2018-12-10"), ("21", "2019-03-20")),
        }.get(p.status, ()):
            rows.append((p.id, kind, on, f"模拟学位〔{on[:4]}〕{kind}号", None))
    for i, p in enumerate(
        q for q in catalogue.points if q.level == "2" and q.status == "10" and q.authorised.year < 2012
    ):
        if i % 45 == 7:
            rows += [
                (p.id, "31", "2020-05-10", "模拟学位〔2020〕31号", None),
                (p.id, "32", "2022-06-10", "模拟学位〔2022〕32号", None),
            ]
    for inst, level, kind, discipline, event, granted, _, urgent in cat.NEW_POINTS:
        point = f"{inst}-{level}-{kind}-{discipline}"
        listed = f"50000-Z3-2025-{discipline}-{level}" if urgent else None
        rows.append((point, event, str(granted), f"模拟学位〔2026〕{discipline}号", listed))
        if inst == "10643":
            rows.append((point, "22", "2026-09-03", "模拟学位〔2026〕撤并1号", None))
    frame = pl.DataFrame(
        rows,
        schema=dict.fromkeys(
            ("degree_point_id", "event_type", "event_on", "doc_no", "urgent_list_id"), pl.String
        ),
        orient="row",
    )
    return frame.sort("event_on", "degree_point_id", "event_type").with_row_index("i").select(
        pl.lit("50000").alias("src_inst_code"),
        pl.format("50000-B{}", pl.col("i").cast(pl.String).str.zfill(5)).alias("event_id"),
        pl.exclude("i"),
    )  # fmt: skip


def talent_demand(seed: int) -> pl.DataFrame:
    """Demand by year, cluster, discipline and level for the core pairs of the map; it does not scale with the sample."""
    rng = stream(seed, 62)
    core = cat.cluster_map().filter(pl.col("strength") == "1.000").sort("cluster_code", "discipline_code")
    index = np.tile(np.repeat(np.arange(len(core)), 2), 11)
    year = np.repeat(np.arange(2016, 2027), 2 * len(core))
    level = np.where(np.arange(len(index)) % 2 == 0, 1, 2)
    head = counts(
        rng, np.where(level == 1, 12, 70) * rng.lognormal(0, 0.5, len(index)) * 1.04 ** (year - 2016)
    )
    n = len(index)
    cluster = core["cluster_code"].gather(index)
    return pl.DataFrame(
        {
            "src_inst_code": text("50000", n),
            "demand_id": join(
                "50000-XQ",
                integers(year),
                "-",
                cluster,
                "-",
                core["discipline_code"].gather(index),
                "-",
                integers(level),
            ),
            "issuing_dept": text("市经济信息委（模拟）", n),
            "demand_year": integers(year),
            "cluster_code": cluster,
            "discipline_code": core["discipline_code"].gather(index),
            "degree_level": integers(level),
            "headcount": integers(head),
            "urgency_code": integers(1 + weighted(rng, (0.4, 0.4, 0.2), n)),
            "published_on": join(integers(year), "-03-31"),
        }
    )
