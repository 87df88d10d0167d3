"""Every record that a complete listing showed is accepted, in quarantine, deleted by name or waiting: nothing else."""

import io
from datetime import date

import fake_platforms as fake
import psycopg
import pytest
from rich.console import Console

from yuyan import runs
from yuyan.commands import report
from yuyan.load.run import collect_institution
from yuyan.validate import reconcile, run

DAYS = [date(2026, 10, 15 + n) for n in range(6)]

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("patience")]


def figures(dsn: str, run_id: str) -> list[tuple]:
    """listed, accepted, quarantined, deleted, waiting, lost, unread, balanced of a run's org_units."""
    with psycopg.connect(dsn) as connection:
        return connection.execute(
            "select listed, accepted, quarantined, deleted, waiting, lost_records, unread_batches, is_balanced "
            "from ops.key_reconciliation where run_id = %s and entity = 'org_unit'",
            [run_id],
        ).fetchall()


def judge(day: int) -> str:
    """A warehouse run up to the reconciliation; returns its id."""
    runs.open_run(f"w{day}", "warehouse", DAYS[day])
    run.validate(f"w{day}", DAYS[day])
    return f"w{day}"


def collect(day: int, **how) -> None:
    runs.open_run(f"c{day}", "collect", DAYS[day])
    collect_institution("10611", f"c{day}", DAYS[day], ["org_unit"], **how)


@pytest.fixture
def listed(warehouse, versioned) -> str:
    """30 records, listed by the first collection, of which one has no name; judged. Returns the warehouse."""
    fake_institution(warehouse)
    versioned.records["org_unit"] = [fake.unit(i, unit_kind="10") for i in range(30)]
    versioned.records["org_unit"][7] = fake.unit(7, unit_kind="10", unit_name=None)
    collect(0)
    judge(0)
    return warehouse


def fake_institution(dsn: str) -> None:
    """The parent of the units, put where the judgement looks it up."""
    with psycopg.connect(dsn) as connection:
        connection.execute(
            "insert into accepted.institution (src_inst_code, src_record_id, raw_id, batch_id, inst_code) "
            "values ('50000', 'i1', 0, '', '10611')"
        )


def test_what_was_listed_is_accepted_or_in_quarantine(listed, versioned):
    reconcile.reconcile("w0")
    assert figures(listed, "w0") == [(30, 29, 1, 0, 0, [], 0, True)]
    console = Console(file=io.StringIO(), width=200)
    report.print_balance(console, report.balance(listed, "w0"))
    assert "完整清单列出 30 条记录 = 接收 29 + 隔离 1 + 其后删除 0 + 待判 0  平衡" in console.file.getvalue()
    collect(1)  # a window of changes lists nothing
    reconcile.reconcile(judge(1))
    assert figures(listed, "w1") == []
    collect(2, full=True)
    versioned.records["org_unit"][3] = fake.unit(3, version=99, _deleted=True)
    collect(2)
    reconcile.reconcile(judge(2))
    assert figures(listed, "w2") == [(30, 28, 1, 1, 0, [], 0, True)]


@pytest.mark.parametrize(
    "harm",
    [
        "delete from raw.org_unit where src_record_id = 'u0004'",
        "delete from accepted.org_unit where src_record_id = 'u0004'",
        # ended for being absent, though the same listing showed it
        "insert into raw.org_unit (src_inst_code, src_record_id, source_version, is_deleted, row_hash, batch_id, row_no, "
        "as_of) select src_inst_code, src_record_id, source_version, true, '', batch_id, 0, as_of from raw.org_unit "
        "where src_record_id = 'u0004'",
    ],
    ids=["not-stored", "not-accepted", "ended"],
)
def test_a_record_that_was_listed_and_is_lost_stops_the_run_and_is_named(listed, harm):
    with psycopg.connect(listed) as connection:
        connection.execute(harm)
    with pytest.raises(reconcile.ReconciliationError, match=r"10611 org_unit: 30 listed.* lost are u0004"):
        reconcile.reconcile("w0")
    ((*_, lost, _, is_balanced),) = figures(listed, "w0")
    assert (lost, is_balanced) == (["u0004"], False)


def test_a_batch_that_is_no_longer_in_landing_is_said_to_be_unread(listed, work):
    for path in (work / "landing").rglob("*.parquet"):
        path.unlink()
    reconcile.reconcile("w0")
    assert figures(listed, "w0") == [(0, 0, 0, 0, 0, [], 1, True)]


def test_rows_that_were_not_taken_stand_by_reason_where_operators_look(listed):
    """`yuyan status` and `yuyan quality`: repeated within a window, or older than what is held."""
    reconcile.reconcile("w0")
    assert report.passed_over(listed) == []
    with psycopg.connect(listed) as connection:
        connection.execute("update ops.batch set rows_received = 33, rows_superseded = 3, rows_repeated = 1")
    assert report.passed_over(listed) == [
        {"src_inst_code": "10611", "entity": "org_unit", "older": 2, "repeated": 1}
    ]
    (row,) = report.quality(listed)
    assert (row["repeated"], row["older"]) == (1, 2)
    console = Console(file=io.StringIO(), width=200)
    report.print_quality(console, [row])
    assert "更旧" in console.file.getvalue()
