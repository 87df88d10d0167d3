"""Records that day 2 changes in a way that their own accepted past forbids: what rules of level 4 find.

A warning lasts a day: once accepted, the new value is the past. What blocks stays, beside the version accepted before.
"""

import polars as pl

from yuyan_demo.simulator import defects
from yuyan_demo.simulator.planting import Defect, records_where, severities
from yuyan_demo.simulator.simulated_day import Day, Ledger


def plant(d: Day, ledger: Ledger) -> None:
    """Change the records and note what must be found: those that the order names first, then any other."""
    known = defects.faults()
    listed = defects.order(2)
    newer = [name for name, fault in known.items() if fault.city.newer and name not in set(listed)]
    for name in (*listed, *newer):
        if name == ENTERPRISE:
            first = d.frames["enterprise"]["cluster_code"].drop_nulls()[0]
            # no destination or project names a cluster of it
            _change(
                d,
                ledger,
                "enterprise",
                "cluster_code is null",
                [pl.lit(first).alias("cluster_code")],
                "cluster_code.17",
            )
        else:
            fault = known[name]
            values = [pl.lit(v, pl.String).alias(n) for n, v in (fault.city.set_ or {}).items()]
            values += [pl.sql_expr(sql).alias(n) for n, sql in fault.city.compute.items()]
            _change(d, ledger, fault.entity, fault.city.where or "true", values, fault.rules[0])


ENTERPRISE = f"{defects.STORY}enterprise_in_a_cluster"
"""An enterprise that the directory puts into a cluster: the first one that any is in."""


def _change(d: Day, ledger: Ledger, entity: str, where: str, values: list[pl.Expr], rule: str) -> None:
    """Change one sound record; where the rule blocks, the version before stays accepted."""
    sound = d.frames[entity].filter(~pl.col("is_deleted") & ~pl.col("src_record_id").is_in(sorted(d.taken)))
    fitting = records_where(d.frames | {entity: sound}, entity, where)
    rows = d.some(entity, 0, 1, fitting & ~pl.col("src_record_id").str.starts_with("x"))
    d.change(entity, rows, *values)
    rule_id = f"QR.{entity}.{rule}"
    severity = severities()[rule_id]
    blocks = severity == "ERROR"
    if blocks:
        earlier = ledger.fallback.get(entity)
        ledger.fallback[entity] = rows if earlier is None else pl.concat([earlier, rows])
        ledger.taken.update(rows["src_record_id"])
    healed = None if blocks else d.number + 1
    for inst, record in rows.select("src_inst_code", "src_record_id").iter_rows():
        ledger.defects.append(Defect(inst, entity, record, rule_id, severity, d.number, healed))
