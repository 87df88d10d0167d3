"""Records that day 2 changes in a way that their own accepted past forbids: what rules of level 4 find.

A warning lasts a day: once accepted, the new value is the past. What blocks stays, beside the version accepted before.
"""

from typing import TYPE_CHECKING

import polars as pl

from yuyan_demo.simulator.columns import money
from yuyan_demo.simulator.defects_values import SUBMITTED, unsampled
from yuyan_demo.simulator.planting import Defect

if TYPE_CHECKING:
    from yuyan_demo.simulator.days import Day, Ledger


def plant(d: "Day", ledger: "Ledger") -> None:
    """Change the records and note what must be found."""
    late = SUBMITTED & (pl.col("topic_source_code") == "16") & (pl.col("frontline_flag") == "false")
    claim = {"frontline_flag": "true", "frontline_evidence_code": "4"}
    _change(d, ledger, "thesis", late, claim, "topic_source_code.28")
    closed = unsampled(d.frames) & (pl.col("awarded_on") < "2025-01-01")
    _change(d, ledger, "degree_award", closed, {"awarded_on": _later("awarded_on", 366)}, "awarded_on.24")
    passed = (pl.col("verdict_code") == "1") & (pl.col("sampling_year") < "2026")
    withdrawn = {"verdict_code": "9", "verdict_on": None}
    _change(d, ledger, "thesis_sampling", passed, withdrawn, "verdict_code.26", blocks=True)
    checked = pl.col("verify_state") == "2"
    _change(d, ledger, "employment", checked, {"verify_state": "1"}, "verify_state.32")
    settled = (pl.col("destination_code") == "10") & (pl.col("status_on") < "2026-01-01")
    _change(d, ledger, "employment", settled, {"destination_code": "11"}, "destination_code.38")
    outside = pl.col("cluster_code").is_null()  # no destination or project names a cluster of it
    cluster = d.frames["enterprise"]["cluster_code"].drop_nulls()[0]
    _change(d, ledger, "enterprise", outside, {"cluster_code": cluster}, "cluster_code.17")
    tripled = money(pl.col("contract_amount").cast(pl.Float64) * 3)
    running = (pl.col("status_code") == "10") & (pl.col("signed_on") < "2026-01-01")
    _change(d, ledger, "commissioned_project", running, {"contract_amount": tripled}, "contract_amount.24")
    confirmed = (pl.col("verified") == "true") & pl.col("to_on").is_not_null()
    _change(d, ledger, "practice_participation", confirmed, {"verified": "false"}, "verified.20")
    begun = pl.col("done_on").is_null() & (pl.col("progress_pct").cast(pl.Float64) >= 5)
    _change(d, ledger, "list_milestone", begun, {"progress_pct": "1.00"}, "progress_pct.19")
    _students(d, ledger)
    point = (pl.col("status_code") == "10") & (pl.col("authorised_on") < "2010-01-01")
    moved = {"authorised_on": _later("authorised_on", 400)}
    _change(d, ledger, "degree_point", point, moved, "authorised_on.24", blocks=True)


def _students(d: "Day", ledger: "Ledger") -> None:
    alone = pl.col("cert_no").is_unique()
    fresh = (pl.col("status_code") == "10") & (pl.col("entry_on") >= "2026-08-01")
    other = {"cert_no": pl.format("50010419950{}", pl.col("cert_no").str.slice(-7))}
    _change(d, ledger, "student", fresh & alone, other, "person_key.35", blocks=True)
    studying = (pl.col("status_code") == "10") & pl.col("entry_on").is_between(
        pl.lit("2024-08-01"), pl.lit("2025-12-31")
    )
    _change(
        d, ledger, "student", studying, {"entry_on": _later("entry_on", -400)}, "entry_on.36", blocks=True
    )
    gone = (pl.col("status_code") == "90") & pl.col("left_on").is_between(
        pl.lit("2024-01-01"), pl.lit("2026-03-31")
    )
    back = {"status_code": "40", "left_on": None}
    _change(d, ledger, "student", gone & alone, back, "status_code.37", blocks=True)


def _later(name: str, days: int) -> pl.Expr:
    return pl.col(name).str.to_date().dt.offset_by(f"{days}d").cast(pl.String)


def _change(
    d: "Day",
    ledger: "Ledger",
    entity: str,
    where: pl.Expr,
    change: dict[str, str | pl.Expr | None],
    rule: str,
    blocks: bool = False,
) -> None:
    """Change one sound record; with `blocks` the version before stays accepted."""
    rows = d.some(entity, 0, 1, where & ~pl.col("src_record_id").str.starts_with("x"))
    values = [
        (v if isinstance(v, pl.Expr) else pl.lit(v, pl.String)).alias(name) for name, v in change.items()
    ]
    d.change(entity, rows, *values)
    if blocks:
        held = ledger.fallback.get(entity)
        ledger.fallback[entity] = rows if held is None else pl.concat([held, rows])
        ledger.taken.update(rows["src_record_id"])
    severity, healed = ("ERROR", None) if blocks else ("WARN", d.number + 1)
    for inst, record in rows.select("src_inst_code", "src_record_id").iter_rows():
        ledger.defects.append(Defect(inst, entity, record, f"QR.{entity}.{rule}", severity, d.number, healed))
