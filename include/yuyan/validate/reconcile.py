"""Reconciliation of every batch, counted in the warehouse: received = accepted + quarantined + unchanged + superseded."""

import psycopg

from yuyan import settings
from yuyan.domain import contracts


class ReconciliationError(RuntimeError):
    """A batch whose rows do not add up; the message names the batches, their figures and what to do."""


def reconcile(run_id: str) -> int:
    """Check every batch, store the figures of those that this run touched or that do not balance; returns batches checked.

    Accepted and quarantined are counted from raw and quality.quarantine, not taken from what the load reported, so a
    lost or added row shows. A batch loaded after the run began and not judged yet is left to
    the next run, and so is one of an entity that could not be judged (quality.unjudged); another that was never judged has
    nothing accepted. Raises ReconciliationError, after the
    figures are stored, when a batch does not balance.
    """
    with psycopg.connect(settings.warehouse_dsn()) as connection:
        connection.execute(
            "create temp table counted (entity text, batch_id text, rows bigint) on commit drop"
        )
        for entity in contracts.load():
            connection.execute(
                f"insert into counted select %s, batch_id, count(*) from raw.{entity} group by batch_id",
                [entity],
            )
        connection.execute(
            "create temp table found on commit drop as select b.batch_id, b.src_inst_code, b.entity, "
            "b.rows_received as received, "
            "case when j.batch_id is null then 0 else coalesce(c.rows, 0) - b.rows_tombstoned - coalesce(q.rows, 0) end "
            "as accepted, coalesce(q.rows, 0) as quarantined, b.rows_unchanged as unchanged, "
            "b.rows_superseded as superseded "
            "from ops.batch b left join counted c using (entity, batch_id) "
            "left join quality.judged j using (entity, batch_id) "
            "left join (select entity, batch_id, count(*) as rows from quality.quarantine group by entity, batch_id) q "
            "using (entity, batch_id) where j.batch_id is not null "
            "or (b.loaded_at < coalesce((select started_at from ops.run where run_id = %s), 'infinity') "
            "and not exists (select 1 from quality.unjudged u where u.entity = b.entity))",
            [run_id],
        )
        connection.execute(
            "insert into ops.reconciliation (run_id, batch_id, src_inst_code, entity, received, accepted, quarantined, "
            "unchanged, superseded) select %(run)s, f.* from found f where "
            "f.received <> f.accepted + f.quarantined + f.unchanged + f.superseded "
            "or not exists (select 1 from ops.reconciliation r where r.batch_id = f.batch_id) "
            "or exists (select 1 from quality.judged j where j.entity = f.entity and j.batch_id = f.batch_id "
            "and j.run_id = %(run)s) "
            "or exists (select 1 from quality.quarantine q where q.batch_id = f.batch_id and q.last_run_id = %(run)s) "
            "or exists (select 1 from quality.release x where x.batch_id = f.batch_id and x.released_run_id = %(run)s) "
            "on conflict (run_id, batch_id) do update set received = excluded.received, accepted = excluded.accepted, "
            "quarantined = excluded.quarantined, unchanged = excluded.unchanged, superseded = excluded.superseded",
            {"run": run_id},
        )
        checked = connection.execute("select count(*) from found").fetchone()[0]
        wrong = connection.execute(
            "select format('%s (%s %s: received %s, accepted %s, quarantined %s, unchanged %s, superseded %s)', batch_id, "
            "src_inst_code, entity, received, accepted, quarantined, unchanged, superseded) from found "
            "where received <> accepted + quarantined + unchanged + superseded order by batch_id"
        ).fetchall()
        connection.commit()
    if wrong:
        raise ReconciliationError(
            f"{len(wrong)} of {checked} batches do not add up: {'; '.join(text for (text,) in wrong[:20])}. "
            "Rows were lost or added after the load, though raw is append-only: compare with the landed files of these "
            "batches and restore the warehouse (docs/how-to/rerun-and-replay.md)."
        )
    return checked
