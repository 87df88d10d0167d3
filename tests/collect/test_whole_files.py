"""A file that is loaded in several batches takes effect whole or not at all; the other files of its delivery do."""

import hashlib
import json
import re
from datetime import date
from pathlib import Path

import polars as pl
import psycopg
import pytest

from yuyan import settings
from yuyan.domain import contracts
from yuyan.load.run import collect_institution

UNIT = contracts.load()["org_unit"]

pytestmark = pytest.mark.database


@pytest.fixture
def deliveries(tmp_path, connect, monkeypatch) -> Path:
    """The delivery folder of 10647; a batch is some ten rows."""
    path = tmp_path / "deliveries"
    connect("10647", conn_type="fs", extra={"path": str(path)})
    monkeypatch.setattr("yuyan.collect.landing.BATCH_ROWS", 10)
    monkeypatch.setattr("yuyan.collect.file_reader.BLOCK", 256)
    return path


def deliver(
    folder: Path, sequence: int, value: str | None = None, without: str = "", **periods: list[str]
) -> None:
    """A delivery with a file per period (written _2026), of these records; all other fields have the same value."""
    (folder / str(sequence)).mkdir(parents=True)
    entries = []
    for period, records in periods.items():
        file = folder / str(sequence) / f"{period}.csv"
        header = ["记录编号", *(f.label for f in UNIT.supplied if f.name != without)]
        rows = [header, *([record, *[value or str(sequence)] * (len(header) - 1)] for record in records)]
        file.write_bytes("".join(",".join(row) + "\r\n" for row in rows).encode("gb18030"))
        entry = {"entity": "org_unit", "ref_period": period[1:], "file": file.name, "format": "csv"}
        entries.append(
            entry | {"rows": len(records), "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
        )
    manifest = {"producer": "x", "schema_version": "1.0.0", "sequence": sequence, "files": entries}
    (folder / str(sequence) / "manifest.json").write_text(json.dumps(manifest))


def fetch(query: str, *parameters) -> list[tuple]:
    with psycopg.connect(settings.warehouse_dsn("collect")) as connection:
        return connection.execute(query, parameters).fetchall()


def collect(run_id: str) -> tuple:
    """outcome, rows received, rows stored and message of a collection."""
    collect_institution("10647", run_id, date(2026, 10, 15), ["org_unit"])
    query = "select outcome, rows_received, rows_stored, error from ops.collection_result where entity = 'org_unit' "
    return fetch(query + "and run_id = %s", run_id)[0]


def live() -> list[str]:
    return [record for (record,) in fetch("select src_record_id from latest.org_unit order by 1")]


def of(letter: str, count: int) -> list[str]:
    return [f"{letter}{i:02d}" for i in range(count)]


def test_a_file_with_a_bad_row_in_a_later_batch(warehouse, deliveries):
    good, other = of("a", 35), of("b", 5)
    faulty = of("c", 33)
    deliver(deliveries, 1, _2026=[*faulty, "", "c34"], _2025=other)
    outcome, received, stored, error = collect("run-1")  # the first collection of all is no exception
    assert (outcome, received, stored, live()) == ("failed", 5, 5, other)
    assert "10647 org_unit" in error
    batch, row = re.search(
        r"批次 (\w+)：1 行没有记录编号（首行为第 (\d+) 行），整个文件未装载", error
    ).groups()
    assert "请报送单位补齐 记录编号" in error
    landing = Path(settings.landing()) / "10647" / "org_unit"
    assert pl.read_parquet(landing / f"{batch}.parquet")["记录编号"][int(row) - 1] == ""
    manifests = [json.loads(path.read_text()) for path in landing.glob("*.json")]
    assert sum(m["rows"]["items"] for m in manifests if m["ref_period"] == "2026") == 35  # nothing is lost
    assert sum(m["ref_period"] == "2026" for m in manifests) > 1
    assert fetch("select distinct ref_period, file_name from ops.batch") == [("2025", "1/_2025.csv")]
    ((cursor,),) = fetch("select cursor_value from ops.watermark")
    assert json.loads(cursor).keys() == {"2025", ""}

    deliver(deliveries, 2, _2026=good)
    assert collect("run-2")[0] == "success"
    assert live() == sorted(good + other)

    deliver(deliveries, 3, _2025=[*other, "b05"], _2026=[*good[:33], "", "a34"], _2024=of("d", 3))
    before = fetch("select t::text from raw.org_unit t where src_record_id like 'a%%' order by 1")
    outcome, received, stored, error = collect("run-3")
    assert (outcome, received, stored) == ("failed", 9, 9)
    assert "整个文件未装载" in error
    assert fetch("select t::text from raw.org_unit t where src_record_id like 'a%%' order by 1") == before
    assert live() == sorted([*good, *other, "b05", *of("d", 3)])
    assert fetch("select count(*) from quality.hold") == [(0,)]
    assert json.loads(fetch("select cursor_value from ops.watermark")[0][0])["2026"][0] == 2


def test_what_a_refused_file_would_have_changed_holds_nothing(warehouse, deliveries):
    units, rest = of("a", 40), of("b", 3)
    deliver(deliveries, 1, _2026=units, _2025=rest)
    deliver(deliveries, 2, _2026=[*units, "a40"])
    collect("run-1")
    assert fetch("select count(*) from ops.batch where ref_period = '2026'")[0][0] > 2
    # Its first batches alone would look like a return to old content; its content was never loaded as a whole.
    deliver(deliveries, 3, "1", _2026=[*units[:39], "", "a39"], _2025=[*rest, "b03"])
    outcome, _, stored, _ = collect("run-2")
    assert (outcome, stored) == ("failed", 1)
    assert fetch("select count(*) from quality.hold") == [(0,)]
    assert live() == sorted([*units, "a40", *rest, "b03"])


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ({"_2026": ["a00", ""]}, "没有记录编号"),
        ({"_2026": ["a00"], "without": "unit_name"}, "必填字段"),
    ],
)
def test_a_refused_file_that_comes_again_is_not_taken_for_a_loaded_one(warehouse, deliveries, fault, says):
    for sequence in (1, 2):
        deliver(deliveries, sequence, "x", **fault)
    for run_id in ("run-1", "run-2"):  # it stays an error until another file puts it right
        outcome, _, _, error = collect(run_id)
        assert outcome == "failed"
        assert says in error
        assert fetch("select cursor_value from ops.watermark") == []
    deliver(deliveries, 3, _2026=["a00"])
    assert collect("run-3")[0] == "success"
    assert live() == ["a00"]
