"""The line as a user runs it, against the simulator's own books: indicators, defects, accepted rows, privacy, readers."""

import json
import re
from pathlib import Path

import polars as pl
import psycopg
import pytest

from support.city import KEY
from yuyan.domain import contracts

pytestmark = [pytest.mark.end_to_end, pytest.mark.database]

FIGURE = ["variant_code", "grain", "unit_code", "period_code"]
DAYS = ["first", "second"]
REFUSED = (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)


@pytest.fixture(params=DAYS)
def day(request):
    """Each day in turn."""
    return request.getfixturevalue(request.param)


def test_every_numerator_and_denominator_equals_the_truth(day):
    truth = pl.read_parquet(day.truth / "indicators.parquet")
    assert set(day.indicators.select(FIGURE).rows()) == set(truth.select(FIGURE).rows())
    assert len(day.indicators) == len(truth) > 0
    both = day.indicators.join(truth, on=FIGURE, suffix="_true", validate="1:1")
    for figure in ("numerator", "denominator"):
        ours, theirs = pl.col(figure), pl.col(f"{figure}_true")
        near = (ours - theirs).abs() <= 1e-9 * pl.max_horizontal(ours.abs(), theirs.abs())
        wrong = both.filter(~((ours.is_null() & theirs.is_null()) | near.fill_null(False)))
        assert wrong.select(*FIGURE, figure, f"{figure}_true").rows() == []


def test_findings_are_the_planted_defects_none_missed_none_extra(first, second):
    planted = pl.read_parquet(first.truth / "defects.parquet").select(KEY)
    assert first.failures == set(planted.rows())
    assert len(planted["rule_id"].unique()) >= 20
    later = (
        pl.read_parquet(second.truth / "defects.parquet").select(KEY).filter(pl.col("severity") == "ERROR")
    )
    assert {f for f in second.failures if f[4] == "ERROR"} == set(later.rows())
    assert set(later.rows()) != set(planted.filter(pl.col("severity") == "ERROR").rows())


def test_accepted_rows_are_the_true_ones(day):
    truth = pl.read_parquet(day.truth / "accepted.parquet")
    expected = {(e, c): n for c, e, n in truth.select("src_inst_code", "entity", "rows").rows()}
    assert day.accepted == {k: n for k, n in expected.items() if n}


def test_accepted_values_are_the_true_ones(city, second):
    with psycopg.connect(city.owner()) as connection:
        for entity, contract in contracts.load().items():
            fields = [f for f in contract.supplied if f.privacy is None]
            select = ", ".join(
                f"array_to_string({f.name}, ';')" if f.type == "array" else f"{f.name}::text" for f in fields
            )
            ours = connection.execute(
                f"select src_inst_code, src_record_id, {select} from accepted.{entity}"
            ).fetchall()
            numbers = [f.name for f in fields if f.type == "number"]
            frame = pl.DataFrame(
                ours,
                schema=["src_inst_code", "src_record_id", *(f.name for f in fields)],
                orient="row",
                infer_schema_length=None,
            ).cast(pl.String)
            true = pl.read_parquet(second.truth / "accepted_records" / f"{entity}.parquet")
            alike = [pl.col(n).cast(pl.Float64) for n in numbers]
            assert set(frame.with_columns(alike).rows()) == set(true.with_columns(alike).rows()), entity


def test_every_batch_is_reconciled(day):
    assert len(day.batches) > 300
    assert day.batches["is_balanced"].to_list() == [True] * len(day.batches)


def test_the_second_day_moves_only_the_changes(first, second):
    loaded_first = first.batches["rows_stored"].sum()
    new = second.batches.join(first.batches, on="batch_id", how="anti")
    assert 0 < new["rows_stored"].sum() < 0.05 * loaded_first
    assert second.status["days_done"] == 2


def test_nobody_failed_although_every_kind_of_fault_happened(city, second):
    totals = second.collection.filter(pl.col("entity") == "")
    assert set(totals["outcome"]) == {"success"}
    assert totals["retries"].sum() > 0
    kinds = {
        json.loads(line)["fault"]
        for line in (city.home / "simulator" / "faults.jsonl").read_text().splitlines()
    }
    assert len(kinds) >= 5


def test_the_summary_says_what_a_reader_needs(day):
    for text in ("模拟数据", "H01", "H15", "对账", "postgresql://", "http://127.0.0.1:"):
        assert text in day.output


def test_a_reader_sees_marts_with_comments_and_nothing_else(city, second):
    with psycopg.connect(city.dsn("analyst"), autocommit=True) as connection:
        assert connection.execute("select count(*) from marts.target_scorecard").fetchone()[0] > 0
        bare = connection.execute(
            "select table_name, column_name from information_schema.columns where table_schema in ('marts', 'star') and "
            "col_description(format('%I.%I', table_schema, table_name)::regclass, ordinal_position) is null"
        ).fetchall()
        assert bare == []
        for query in (
            "select * from raw.student",
            "delete from marts.indicator_value",
            "create table star.x (i int)",
        ):
            with pytest.raises(REFUSED):
                connection.execute(query)


def test_an_auditor_reads_results_and_runs_but_no_records(city, second):
    with psycopg.connect(city.dsn("auditor"), autocommit=True) as connection:
        assert connection.execute("select count(*) from quality.row_failure").fetchone()[0] > 100
        assert connection.execute("select count(*) from ops.reconciliation").fetchone()[0] > 100
        for query in ("select * from raw.student", "delete from quality.quarantine"):
            with pytest.raises(REFUSED):
                connection.execute(query)


def _identities(home: Path) -> set[str]:
    """Names, phones and certificate numbers of everybody in the simulated city."""
    found: set[str] = set()
    for path in (home / "simulator" / "state").glob("day_*/*.parquet"):
        columns = {"cert_no", "mobile", "person_name", "expert_name"} & set(pl.read_parquet_schema(path))
        for column in columns:
            found |= set(pl.read_parquet(path, columns=[column])[column].drop_nulls().to_list())
    return found


def test_no_cell_of_landing_or_warehouse_is_a_name_phone_or_certificate_number(city, second):
    identities = _identities(city.home)
    assert len(identities) > 2000
    landed = list((city.home / "landing").rglob("*.parquet"))
    assert len(landed) > 300
    for path in landed:
        frame = pl.read_parquet(path)
        for column in frame.select(pl.col(pl.String)).columns:
            assert not identities & set(frame[column].unique().to_list()), (path, column)
    with psycopg.connect(city.owner()) as connection:
        columns = connection.execute(
            "select table_schema, table_name, column_name from information_schema.columns where data_type = 'text' "
            "and table_schema in ('raw', 'accepted', 'quality', 'ops', 'star', 'marts', 'indicators')"
        ).fetchall()
        assert len(columns) > 500
        for schema, table, column in columns:
            values = {v for (v,) in connection.execute(f'select distinct "{column}" from {schema}.{table}')}
            assert not identities & values, (schema, table, column)


def test_no_byte_of_landing_or_warehouse_files_holds_a_phone_or_certificate_number(city, second):
    numbers = {i.encode() for i in _identities(city.home) if re.fullmatch(r"\d{10,17}[\dX]", i)}
    assert len(numbers) > 2000
    with psycopg.connect(city.owner()) as connection:
        oid = connection.execute("select oid from pg_database where datname = current_database()").fetchone()[
            0
        ]
    folders = [city.home / "landing", *city.home.glob(f"*/base/{oid}")]
    assert len(folders) == 2
    read = 0
    for path in (p for folder in folders for p in folder.rglob("*") if p.is_file()):
        content = path.read_bytes()
        read += len(content)
        hits = set(re.findall(rb"(?<!\d)\d{10,17}[\dX](?!\d)", content)) & numbers
        assert not hits, (path, sorted(hits)[:3])
    assert read > 10_000_000
