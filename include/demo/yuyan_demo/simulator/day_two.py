"""What day 2 brings that nobody expects: a registration that changes its level, a revocation, a prize."""

import polars as pl

from yuyan_demo.simulator.planting import KEY, Defect
from yuyan_demo.simulator.simulated_day import Day, Ledger


def level_changes(d: Day, ledger: Ledger) -> None:
    """Master's students who have become doctoral ones overnight, without a new registration."""
    points = d.frames["degree_point"].filter((pl.col("degree_level") == "1") & (pl.col("degree_type") == "1"))
    points = points.group_by("inst_code").agg(pl.col("degree_point_id").min().alias("doctoral"))
    offered = (
        d.frames["programme"]
        .group_by(pl.col("degree_point_id").alias("doctoral"))
        .agg(pl.col("programme_id").min().alias("offered"))
    )
    where = (pl.col("status_code") == "10") & (pl.col("degree_level") == "2") & (pl.col("degree_type") == "1")
    for inst in ("10611", "10618"):
        rows = d.some("student", 0, 1, where & (pl.col("entry_on") < "2026-01-01"), inst)
        to = rows.join(points, on="inst_code", how="left").join(offered, on="doctoral", how="left")
        ledger.fallback["student"] = (
            pl.concat([ledger.fallback["student"], rows]) if "student" in ledger.fallback else rows
        )
        d.change(
            "student",
            rows,
            pl.lit("1").alias("degree_level"),
            to["doctoral"].alias("degree_point_id"),
            to["offered"].alias("programme_id"),
            pl.format("{}-06-30", pl.col("entry_on").str.slice(0, 4).cast(pl.Int64) + 4).alias(
                "expected_end_on"
            ),
        )
        ledger.defects += [
            Defect(*row, "QR.student.degree_level.18", "ERROR", 2) for row in _named(rows, "student")
        ]
        ledger.taken.update(rows["src_record_id"])


def _named(rows: pl.DataFrame, entity: str) -> list[tuple[str, str, str]]:
    return [(inst, entity, record) for inst, record in rows.select(KEY).iter_rows()]


def late_news(d: Day, ledger: Ledger) -> None:
    """A degree point of this year was revoked before the first day, and nobody said so; a prize was granted."""
    point = "11660-2-1-1405"
    granted = d.frames["degree_point_event"].filter(
        (pl.col("degree_point_id") == point) & (pl.col("event_type") == "12")
    )
    d.new(
        "degree_point_event",
        granted,
        pl.lit("50000-B90001").alias("event_id"),
        pl.lit("22").alias("event_type"),
        pl.lit("2026-10-10").alias("event_on"),
        pl.lit(None, pl.String).alias("urgent_list_id"),
    )
    unaware = d.frames["degree_point"].filter(pl.col("degree_point_id") == point)
    ledger.defects += [
        Defect(*row, "QR.degree_point.status_code.23", "WARN", 2) for row in _named(unaware, "degree_point")
    ]
    prize = d.some("achievement", 0, 1, pl.col("share") == "1.0000", "10611")
    d.new(
        "achievement",
        prize,
        pl.lit("10611-E90001").alias("achievement_id"),
        pl.lit("CQ-A90001").alias("canonical_id"),
        pl.lit("23").alias("level_code"),
        pl.lit("2026-10-12").alias("granted_on"),
        pl.lit("true").alias("graduate_education_related"),
    )
