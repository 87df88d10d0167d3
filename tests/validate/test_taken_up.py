"""A validation is killed between entities, alone or with the server, and run on: it finds what one left alone finds."""

import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import broken
import psycopg
import pytest
from small_world import Raw

from support import fill, scratch
from yuyan.validate import run
from yuyan.warehouse import ddl
from yuyan_demo.runtime import postgres

pytestmark = pytest.mark.database

ENTITIES = {"institution", "cluster_reference", "enterprise", "list_item", "list_milestone", "org_unit", "supervisor",
            "commissioned_project"}  # fmt: skip
PAST = ("QR.enterprise.cluster_code.17", "QR.list_milestone.progress_pct.19",
        "QR.commissioned_project.contract_amount.24")  # fmt: skip
"""Rules that compare a record with what was accepted of it before; at the last one's entity the validation is killed."""
NEXT = fill.AS_OF + timedelta(days=1)
FOUND = {
    "quality.row_failure": "entity, src_record_id, rule_id, observed_value, compared_with, since_run_id, last_run_id, "
    "resolved_run_id, resolution, cause_id",
    "quality.result": "run_id, rule_id, src_inst_code, eligible, failed, new, still, resolved, verdict",
    "quality.problem": "rule_id, src_inst_code, entity, state, failed",
    "quality.cause": "cause_id, since_run_id, last_run_id, resolved_run_id, failed_rows",
    "quality.quarantine": "entity, src_record_id, state, since_run_id, last_run_id",
    "judging.pending": "entity, raw_id",
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Path]:
    """A cluster of its own, which a test may kill."""
    with scratch.folder("yuyan-killed-") as folder:
        data = Path(folder) / "pg"
        postgres.start(data)
        yield data
        postgres.stop(data)


@pytest.fixture(scope="module")
def left_alone(cluster, tmp_path_factory) -> dict[str, list[tuple]]:
    """What a validation of the second day finds: of three records values came that their past forbids.

    The database `killed` is before that validation.
    """
    with psycopg.connect(postgres.create_database(cluster, "left_alone")) as connection:
        ddl.create(connection)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("YUYAN_HOME", str(tmp_path_factory.mktemp("left-alone")))
        raw = connected(cluster, "left_alone", patch)
        raw.put(*(version for version in broken.sound(raw) if version["entity"] in ENTITIES))
        raw.judge("run-1")
        raw.put(*(version for rule_id, _, version in broken.business(raw) if rule_id in PAST))
        raw.connection.close()
        with psycopg.connect(postgres.dsn(cluster), autocommit=True) as admin:
            admin.execute("create database killed template left_alone strategy file_copy")
        raw = connected(cluster, "left_alone", patch)
        raw.judge("run-2", as_of=NEXT)
        rows = found(raw)
        raw.connection.close()
    assert {(rule, state) for rule, _, _, state, _ in rows["quality.problem"]} >= {
        (rule, "open") for rule in PAST
    }
    return rows


def connected(cluster: Path, name: str, patch: pytest.MonkeyPatch) -> Raw:
    """A database of the cluster, which is the warehouse now."""
    dsn = postgres.dsn(cluster, name)
    patch.setenv("YUYAN_WAREHOUSE_DSN", dsn)
    return Raw(dsn)


def found(raw: Raw) -> dict[str, list[tuple]]:
    """What stands in the tables of results."""
    return {
        table: sorted(raw.rows(f"select {columns} from {table}"), key=str) for table, columns in FOUND.items()
    }


@pytest.mark.parametrize("with_server", [False, True])
def test_a_validation_that_was_killed_ends_like_one_left_alone(
    left_alone, cluster, work, monkeypatch, with_server
):
    name = f"killed_{int(with_server)}"
    with psycopg.connect(postgres.dsn(cluster), autocommit=True) as admin:
        admin.execute(f"create database {name} template killed strategy file_copy")
    killed = connected(cluster, name, monkeypatch)
    judgement = run.record.judgement

    def die(connection, catalogue, entity, *rest):
        if entity == "commissioned_project":
            raise KeyboardInterrupt
        return judgement(connection, catalogue, entity, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(run, "WORKERS", 1)
        patch.setattr(run.record, "judgement", die)
        with pytest.raises(KeyboardInterrupt):
            killed.judge("run-2", as_of=NEXT)
    judged = {entity for (entity,) in killed.rows("select entity from quality.judged where run_id = 'run-2'")}
    assert judged == {"enterprise", "list_milestone"}
    killed.connection.close()
    if with_server:
        server = postgres.server(cluster)
        server.send_signal(signal.SIGQUIT)  # nothing more is written, as when it is killed
        server.wait()
        postgres.start(cluster)

    killed = connected(cluster, name, monkeypatch)
    killed.judge("run-2", as_of=NEXT)
    assert found(killed) == left_alone
    killed.connection.close()
