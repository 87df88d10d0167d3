"""One institution from its platform to raw: outcomes, changes only, drift, counts, failures that stay where they are."""

import hashlib
import json
from datetime import date
from pathlib import Path

import fake_platforms as fake
import polars as pl
import psycopg
import pytest

from yuyan import settings
from yuyan.collect import privacy
from yuyan.domain import contracts, institutions
from yuyan.domain.institutions import InstitutionError
from yuyan.load.loader import Loader
from yuyan.load.run import collect_institution

DAY_1, DAY_2 = date(2026, 10, 15), date(2026, 10, 16)

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("patience")]


def fetch(dsn: str, query: str, *parameters) -> list[tuple]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(query, parameters).fetchall()


def live(dsn: str, entity: str = "org_unit", inst_code: str = "10611") -> list[str]:
    query = (
        f"select src_record_id from (select distinct on (src_record_id) * from raw.{entity} where src_inst_code = %s "
        "order by src_record_id, source_version desc, raw_id desc) r where not is_deleted order by 1"
    )
    return [r for (r,) in fetch(dsn, query, inst_code)]


def old_unit(record: str, stamp: str = "20261014080000", name: str = "学院") -> dict[str, str]:
    """An org_unit as rest-legacy sends it."""
    row = {
        "JLID": record,
        "GXSJ": stamp,
        "DWDM": "10618",
        "YXDM": record,
        "YXMC": name,
        "YXLB": "1",
        "SFST": "是",
    }
    return row | {"SXRQ": "20010101", "SJYXDM": "", "SHIXRQ": ""}


def test_two_days_of_an_institution(warehouse, versioned):
    versioned.records["org_unit"] = [fake.unit(i) for i in range(30)]
    versioned.records["student"] = [fake.student(i) for i in range(5)]
    first = collect_institution("10611", "run-1", DAY_1)
    assert (first["outcome"], first["error"], first["rows_received"], first["rows_stored"]) == (
        "success",
        None,
        35,
        35,
    )
    assert live(warehouse) == [f"u{i:04d}" for i in range(30)]
    assert (
        dict(fetch(warehouse, "select entity, cursor_value from ops.watermark"))["student"]
        == '{"2026-10-15": 30}'
    )

    versioned.records["org_unit"][3] = fake.unit(3, version=31, unit_name="新名")
    versioned.records["org_unit"][4] = fake.unit(4, version=32, _deleted=True)
    second = collect_institution("10611", "run-2", DAY_2)
    assert (second["rows_received"], second["rows_stored"]) == (2, 2)
    assert len(live(warehouse)) == 29
    assert fetch(warehouse, "select entity, rows_received, is_deleted from ops.batch b join raw.org_unit r using (batch_id) "
                 "where run_id = 'run-2' order by 3") == [("org_unit", 2, False), ("org_unit", 2, True)]  # fmt: skip
    results = fetch(
        warehouse,
        "select entity, outcome, rows_received, rows_stored from ops.collection_result "
        "where run_id = 'run-2' and (rows_received > 0 or entity = '') order by 1",
    )
    assert results == [("", "success", 2, 2), ("org_unit", "success", 2, 2)]
    assert {a for (a,) in fetch(warehouse, "select action from ops.count_check")} == {"none"}
    third = collect_institution("10611", "run-3", DAY_2)
    assert (third["rows_received"], third["rows_stored"]) == (0, 0)
    assert fetch(warehouse, "select count(*) from ops.batch where run_id = 'run-3'") == [(0,)]


def test_a_new_institution_is_a_file_and_a_connection(warehouse, versioned, own_institutions, connect):
    """Nothing else: no code, no list of institutions, no table."""
    own_institutions("19999", "rest-versioned")
    connect(
        "19999",
        conn_type="http",
        host=f"http://127.0.0.1:{versioned.port}",
        login="client",
        password="secret",
    )
    versioned.records["org_unit"] = [fake.unit(i, "19999") for i in range(3)]
    result = collect_institution("19999", "run-1", DAY_1)
    assert (result["outcome"], result["name"], result["rows_stored"]) == ("success", "试验大学", 3)
    assert live(warehouse, inst_code="19999") == ["u0000", "u0001", "u0002"]


def test_an_unknown_institution_is_refused(warehouse):
    with pytest.raises(InstitutionError, match=r"12345\.yml does not exist"):
        collect_institution("12345", "run-1", DAY_1)


def test_a_platform_that_is_down_disturbs_nothing_and_is_made_up_for(warehouse, versioned, legacy):
    versioned.records["org_unit"] = [fake.unit(0)]
    legacy.records["XX_YX"] = [old_unit("a")]
    first = institutions.load()["10618"]
    asked_first = first.mapping(contracts.load()[first.entities[0]]).table
    legacy.faults[f"/api/{asked_first}"] = [(503, {}, b"")] * 100
    down = collect_institution("10618", "run-1", DAY_1)
    up = collect_institution("10611", "run-1", DAY_1)
    assert (down["outcome"], down["rows_received"], up["outcome"]) == ("failed", 0, "success")
    assert "10618 重庆交通大学" in down["error"]
    assert "HTTP 503" in down["error"]
    rows = fetch(warehouse, "select entity, outcome from ops.collection_result where src_inst_code = '10618'")
    assert rows == [("", "failed")]
    legacy.faults.clear()
    assert collect_institution("10618", "run-2", DAY_2)["outcome"] == "success"
    assert live(warehouse, inst_code="10618") == ["a"]


def test_one_broken_entity_does_not_stop_the_others(warehouse, versioned):
    versioned.records["org_unit"] = [fake.unit(i) for i in range(3)]
    versioned.records["student"] = [fake.student(0)]
    for row in versioned.records["org_unit"]:
        del row["unit_name"]
    result = collect_institution("10611", "run-1", DAY_1)
    assert (result["outcome"], result["failed"]) == ("partial", ["org_unit"])
    assert "必填字段 unit_name" in result["error"]
    assert live(warehouse) == []
    assert live(warehouse, "student") == ["s0000"]
    assert fetch(warehouse, "select entity, field, kind, rows from ops.schema_drift") == [
        ("org_unit", "unit_name", "missing_mandatory", 3)
    ]
    assert "org_unit" not in dict(fetch(warehouse, "select entity, cursor_value from ops.watermark"))
    for row in versioned.records["org_unit"]:
        row["unit_name"] = "恢复"
    assert collect_institution("10611", "run-2", DAY_2)["failed"] == []
    assert len(live(warehouse)) == 3


def test_when_every_entity_fails_the_institution_has_failed(warehouse, versioned):
    versioned.records["org_unit"] = [fake.unit(0)]
    versioned.faults["/org_unit"] = [(404, {}, b"")] * 5
    result = collect_institution("10611", "run-1", DAY_1, ["org_unit"])
    assert (result["outcome"], result["failed"]) == ("failed", ["org_unit"])


def test_a_defect_of_ours_is_told_without_quoting_a_record(warehouse, versioned, monkeypatch, caplog):
    versioned.records["org_unit"] = [fake.unit(0)]
    versioned.records["student"] = [fake.student(0)]

    def broken(frame, *how):
        if "person_name" in frame.columns:
            raise ValueError("cannot cope with " + frame["person_name"][0])
        return protect(frame, *how)

    protect = privacy.protect
    monkeypatch.setattr("yuyan.collect.privacy.protect", broken)
    result = collect_institution("10611", "run-1", DAY_1, ["student", "programme"])
    assert result["failed"] == ["student"]
    assert "ValueError" in result["error"]
    assert "欧阳" not in result["error"] + caplog.text
    assert "in broken" in caplog.text


def test_silent_deletions_are_found_by_counting(warehouse, legacy):
    legacy.records["XX_YX"] = [old_unit(r, "20260101080000") for r in "abc"]
    collect_institution("10618", "run-1", DAY_1)
    del legacy.records["XX_YX"][1]
    result = collect_institution("10618", "run-2", DAY_2)
    assert result["outcome"] == "success"
    assert live(warehouse, inst_code="10618") == ["a", "c"]
    query = "select source_count, warehouse_count, action from ops.count_check where run_id = %s and entity = 'org_unit'"
    assert fetch(warehouse, query, "run-1") == [(3, 3, "none")]
    assert fetch(warehouse, query, "run-2") == [(2, 3, "full_refresh")]
    legacy.records["XX_YX"].insert(1, old_unit("b", "20260101080000"))  # and back again, at its old time
    collect_institution("10618", "run-3", DAY_2)
    assert live(warehouse, inst_code="10618") == ["a", "b", "c"]


def test_counts_that_stay_different_are_recorded(warehouse, versioned, monkeypatch):
    versioned.records["org_unit"] = [fake.unit(i) for i in range(3)]
    monkeypatch.setattr(
        "yuyan.collect.rest_versioned.Versioned.count",
        lambda self, entity, meter: 5 if entity == "org_unit" else 0,
    )
    collect_institution("10611", "run-1", DAY_1)
    query = "select source_count, warehouse_count, action from ops.count_check where entity = 'org_unit'"
    assert fetch(warehouse, query) == [(5, 3, "still_different")]


def test_an_entity_emptied_by_its_source_waits_for_a_decision(warehouse, legacy):
    legacy.records["XX_YX"] = [old_unit("a"), old_unit("b")]
    collect_institution("10618", "run-1", DAY_1)
    legacy.records["XX_YX"] = []
    result = collect_institution("10618", "run-2", DAY_2)
    assert (result["outcome"], result["failed"], result["held"]) == ("partial", [], ["org_unit"])
    assert "暂缓 1（清空）：仓库有 2 条有效记录" in result["error"]
    assert live(warehouse, inst_code="10618") == ["a", "b"]
    query = "select source_count, warehouse_count, action from ops.count_check where run_id = 'run-2' and entity = %s"
    assert fetch(warehouse, query, "org_unit") == [(0, 2, "still_different")]


def test_late_changes_within_the_overlap_arrive(warehouse, legacy):
    legacy.records["XX_YX"] = [old_unit("a", "20261014080000")]
    collect_institution("10618", "run-1", DAY_1)
    legacy.records["XX_YX"].append(old_unit("b", "20261013080000"))  # written earlier, seen later
    collect_institution("10618", "run-2", DAY_2, ["org_unit"])
    assert live(warehouse, inst_code="10618") == ["a", "b"]
    assert fetch(
        warehouse, "select rows_received, rows_unchanged, rows_stored from ops.batch where run_id = 'run-2'"
    ) == [(2, 1, 1)]


def test_a_window_can_be_asked_for_again(warehouse, versioned):
    versioned.records["org_unit"] = [fake.unit(i) for i in range(6)]
    collect_institution("10611", "run-1", DAY_1, ["org_unit"])
    with psycopg.connect(warehouse) as connection:
        connection.execute("delete from raw.org_unit where src_record_id = 'u0005'")
    result = collect_institution("10611", "run-2", DAY_1, ["org_unit"], since="3")
    assert (result["rows_received"], result["rows_stored"]) == (3, 1)
    assert len(live(warehouse)) == 6
    assert fetch(warehouse, "select cursor_value from ops.watermark") == [('{"2026-10-15": 6}',)]
    again = collect_institution("10611", "run-3", DAY_1, ["org_unit"], since="3")
    assert (again["rows_received"], again["rows_stored"]) == (0, 0)  # the same window with the same content


def test_a_task_that_is_tried_again_adds_to_its_run(warehouse, versioned):
    versioned.records["org_unit"] = [fake.unit(0)]
    versioned.faults["/org_unit/count"] = [(404, {}, b"")]
    first = collect_institution("10611", "run-1", DAY_1, ["org_unit"])
    assert first["failed"] == ["org_unit"]
    collect_institution("10611", "run-1", DAY_1, ["org_unit"])
    query = "select outcome, rows_received, rows_stored, error from ops.collection_result where entity = 'org_unit'"
    assert fetch(warehouse, query) == [("success", 1, 1, None)]


def test_a_first_collection_that_was_killed_takes_up_where_it_was(warehouse, versioned, monkeypatch):
    """Where raw has nothing yet each batch commits by itself; later a window takes effect as a whole."""
    monkeypatch.setattr("yuyan.collect.landing.BATCH_ROWS", 10)
    versioned.page = 10
    versioned.records["org_unit"] = [fake.unit(i) for i in range(30)]
    load, loads = Loader.load, []

    def killed(loader, batch, cursor=None):
        loads.append(batch.batch_id)
        if len(loads) in (2, 6):
            raise KeyboardInterrupt
        return load(loader, batch, cursor)

    def kept() -> tuple:
        return len(live(warehouse)), *fetch(warehouse, "select count(*), sum(rows_stored) from ops.batch")

    monkeypatch.setattr(Loader, "load", killed)
    with pytest.raises(KeyboardInterrupt):
        collect_institution("10611", "run-1", DAY_1, ["org_unit"])
    assert kept() == (10, (1, 10))
    assert collect_institution("10611", "run-1", DAY_1, ["org_unit"])["rows_stored"] == 20
    assert loads[2] == loads[0]  # the same batch, known by its id
    assert kept() == (30, (3, 30))
    versioned.records["org_unit"] = [fake.unit(i, version=40 + i, unit_name="新名") for i in range(30)]
    with pytest.raises(KeyboardInterrupt):
        collect_institution("10611", "run-2", DAY_2, ["org_unit"])
    assert kept() == (30, (3, 30))


def test_files_are_loaded_skipped_and_refused(warehouse, connect, tmp_path):
    """The outcome names a file that disagrees; a repeated one is noted; the good ones are loaded."""
    contract = contracts.load()["org_unit"]
    connect("10647", conn_type="fs", extra={"path": str(tmp_path)})

    def deliver(sequence: int, rows: int, claimed: int) -> None:
        folder = tmp_path / str(sequence)
        folder.mkdir()
        header = ["记录编号", *(f.label for f in contract.supplied)]
        text = (
            "\r\n".join([",".join(header), *(",".join([f"r{i}"] * len(header)) for i in range(rows))])
            + "\r\n"
        )
        (folder / "u.csv").write_bytes(text.encode("gb18030"))
        entry = {"entity": "org_unit", "ref_period": "all", "file": "u.csv", "format": "csv", "rows": claimed}
        entry["sha256"] = hashlib.sha256((folder / "u.csv").read_bytes()).hexdigest()
        manifest = {"producer": "x", "schema_version": "1.0.0", "sequence": sequence, "files": [entry]}
        (folder / "manifest.json").write_text(json.dumps(manifest))

    def outcome(run_id: str) -> tuple:
        collect_institution("10647", run_id, DAY_1, ["org_unit"])
        query = "select outcome, rows_stored, error from ops.collection_result where entity = 'org_unit' and run_id = %s"
        return fetch(warehouse, query, run_id)[0]

    deliver(1, 3, 3)
    assert outcome("run-1") == ("success", 3, None)
    assert outcome("run-2") == ("success", 0, None)  # nothing new
    deliver(2, 3, 3)
    skipped = outcome("run-3")
    assert skipped[:2] == ("skipped", 0)
    assert "1 个文件此前已装载" in skipped[2]
    deliver(3, 5, 4)
    failed = outcome("run-4")
    assert failed[:2] == ("failed", 0)
    assert "文件 3/u.csv 未装载：清单为 4 行，文件为 5 行" in failed[2]
    assert live(warehouse, inst_code="10647") == ["r0", "r1", "r2"]
    deliver(4, 2, 2)
    put_right = outcome("run-5")
    assert put_right[:2] == ("success", 0)
    assert "已由后续交付更正" in put_right[2]
    assert live(warehouse, inst_code="10647") == ["r0", "r1"]
    assert fetch(warehouse, "select rows_tombstoned from ops.batch where run_id = 'run-5'") == [(1,)]


def test_no_identifier_anywhere(warehouse, versioned):
    """Every byte of landing and every table of the warehouse, searched for names, numbers and what nobody announced."""
    students = [fake.student(i) | {"guardian_phone": f"1377777{i:04d}"} for i in range(40)]
    versioned.records["student"] = students
    collect_institution("10611", "run-1", DAY_1)
    assert fetch(warehouse, "select field, kind, rows from ops.schema_drift") == [
        ("guardian_phone", "unannounced", 40)
    ]
    secrets = [
        s
        for row in students
        for s in (row["person_name"], row["mobile"], row["cert_no"], row["guardian_phone"])
    ]
    texts = [fetch(warehouse, f"select t::text from {table} t") for (table,) in fetch(
        warehouse, "select format('%%I.%%I', schemaname, tablename) from pg_tables "
        "where schemaname in ('raw', 'ops', 'quality', 'accepted')")]  # fmt: skip
    warehouse_text = "\n".join(row for rows in texts for (row,) in rows)
    assert students[0]["student_id"] in warehouse_text
    for path in Path(settings.landing()).rglob("*"):
        if path.suffix == ".parquet":
            warehouse_text += str(pl.read_parquet(path).rows())
        elif path.is_file():
            warehouse_text += path.read_text()
    assert [s for s in secrets if s in warehouse_text] == []
