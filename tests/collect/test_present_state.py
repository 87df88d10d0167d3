"""Nothing that a source shows is lost: restored and moved sources, late commits, ids made alike, over real sockets."""

import json
from datetime import date, timedelta

import fake_platforms as fake
import psycopg
import pytest

from yuyan.load.run import collect_institution

DAYS = [date(2026, 10, 15) + timedelta(days=n) for n in range(10)]

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("patience")]


def fetch(dsn: str, query: str, *parameters) -> list[tuple]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(query, parameters or None).fetchall()


def names(dsn: str) -> dict[str, str]:
    return dict(fetch(dsn, "select src_record_id, unit_name from latest.org_unit"))


def collect(inst_code: str, day: int, **how) -> dict:
    return collect_institution(inst_code, f"run-{day}", DAYS[day], ["org_unit"], **how)


def told(dsn: str, day: int) -> str:
    query = "select error from ops.collection_result where run_id = %s and entity = 'org_unit'"
    return fetch(dsn, query, f"run-{day}")[0][0] or ""


def test_a_source_restored_to_lower_versions(warehouse, versioned):
    """The counter starts anew and records keep their ids: compared in full that day, by the source's versions afterwards."""
    versioned.records["org_unit"] = [fake.unit(i, version=1000 + i) for i in range(30)]
    collect("10611", 0)
    versioned.records["org_unit"] = [fake.unit(i, version=1 + i) for i in range(30)]
    for i in range(5):
        versioned.records["org_unit"][i] = fake.unit(i, version=40 + i, unit_name="更名学院")
    assert collect("10611", 1)["rows_stored"] == 30  # five with other content, all with another version
    assert "变更版本号由 1029 退回 44" in told(warehouse, 1)
    assert list(names(warehouse).values()).count("更名学院") == 5
    versioned.records["org_unit"][9] = fake.unit(9, version=45, unit_name="其后")
    assert collect("10611", 2)["rows_stored"] == 1
    assert names(warehouse)["u0009"] == "其后"
    assert told(warehouse, 2) == ""


def test_a_restored_source_that_takes_most_records_back_waits_for_a_decision(warehouse, versioned):
    versioned.records["org_unit"] = [fake.unit(i, version=1 + i) for i in range(30)]
    collect("10611", 0)
    versioned.records["org_unit"] = [fake.unit(i, version=100 + i, unit_name="新名") for i in range(30)]
    collect("10611", 1)
    versioned.records["org_unit"] = [fake.unit(i, version=1 + i) for i in range(30)]
    assert collect("10611", 2)["held"] == ["org_unit"]
    assert set(names(warehouse).values()) == {"新名"}


@pytest.mark.parametrize("is_new", [True, False])
def test_a_change_committed_late_below_the_bound_of_a_window(warehouse, versioned, is_new):
    versioned.records["org_unit"] = [fake.unit(i) for i in range(30)]
    collect("10611", 0)
    versioned.records["org_unit"][3] = fake.unit(3, version=42, unit_name="先提交")
    collect("10611", 1)
    late = fake.unit(
        99 if is_new else 4, version=41, unit_name="后提交"
    )  # its number was taken before, it is seen after
    if is_new:
        versioned.records["org_unit"].append(late)
    else:
        versioned.records["org_unit"][4] = late
    collect("10611", 2)
    assert names(warehouse)[late["src_record_id"]] == "后提交"


def test_everything_is_compared_after_a_week(warehouse, versioned):
    """What no window shows: a change at a version that was read long ago, one record exchanged for another."""
    versioned.records["org_unit"] = [fake.unit(i) for i in range(30)]
    collect("10611", 0)
    versioned.records["org_unit"][4] = fake.unit(4, version=5, unit_name="未计版本")
    versioned.records["org_unit"][7] = fake.unit(77, version=8)
    for day in range(1, 7):
        collect("10611", day)
    assert names(warehouse)["u0004"] == "第4学院"
    collect("10611", 7)
    assert names(warehouse)["u0004"] == "未计版本"
    assert "u0077" in names(warehouse)
    assert "u0007" not in names(warehouse)
    modes = fetch(
        warehouse, "select run_id, mode, rows_stored, rows_tombstoned from ops.batch order by loaded_at"
    )
    assert modes == [("run-0", "full", 30, 0), ("run-7", "full", 2, 1)]


def test_a_record_that_changes_while_a_listing_is_read_is_not_gone(warehouse, versioned):
    versioned.records["org_unit"] = [fake.unit(i) for i in range(30)]
    versioned.page = 10
    collect("10611", 0)
    answer, changed = fake.Versioned.answer, []

    def moving(self, method, path, params, headers):
        given = answer(self, method, path, params, headers)
        if path == "/org_unit" and not changed:
            changed.append(1)
            self.records["org_unit"][25] = fake.unit(25, version=31, unit_name="读取中更名")
        return given

    versioned.on_answer = moving
    collect("10611", 1, full=True)
    assert names(warehouse)["u0025"] == "读取中更名"
    assert fetch(warehouse, "select sum(rows_tombstoned) from ops.batch") == [(0,)]


@pytest.mark.parametrize("change", ["deleted", "updated", "deleted and added"])
def test_a_list_of_numbered_pages_that_moves_while_it_is_read(warehouse, legacy, change):
    def unit(i, stamp="20261014080000", name="学院"):
        row = {"JLID": f"u{i:02d}", "GXSJ": stamp, "DWDM": "10618", "YXDM": f"{i:03d}", "YXMC": name}
        return row | {"YXLB": "1", "SFST": "是", "SXRQ": "20010101", "SJYXDM": "", "SHIXRQ": ""}

    rows = legacy.records["XX_YX"] = [unit(i) for i in range(35)]
    legacy.page, done = 10, []
    answer = fake.Legacy.answer

    def moving(self, method, path, params, headers):
        given = answer(self, method, path, params, headers)
        if path.endswith("XX_YX") and params["pageNo"] == "1" and params["pageSize"] != "1" and not done:
            done.append(1)
            if change == "updated":
                rows[3] = unit(3, "20261014090000", "新名")
            else:
                del rows[3]
            if change == "deleted and added":
                rows.append(unit(40, "20261014090000"))
        return given

    legacy.on_answer = moving
    collect("10618", 0)
    assert names(warehouse) == {row["JLID"]: row["YXMC"] for row in rows}
    assert told(warehouse, 0) == ""


def test_ids_made_alike_are_named_and_nothing_of_the_file_is_lost_quietly(
    warehouse, connect, tmp_path, delivery
):
    connect("10647", conn_type="fs", extra={"path": str(tmp_path)})
    delivery(1, [f"2.026E+{17}"] * 3)
    assert collect("10647", 0)["failed"] == ["org_unit"]
    assert "3 行的记录编号与别的行相同而内容不同（例如第 1、2、3 行）" in told(warehouse, 0)
    delivery(2, ["202600000000000001", "202600000000000002", "202600000000000003"])
    assert collect("10647", 1)["failed"] == []
    assert len(names(warehouse)) == 3


@pytest.fixture
def delivery(tmp_path):
    import hashlib

    from yuyan.domain import contracts

    def write(sequence: int, ids: list[str]) -> None:
        folder = tmp_path / f"2026101{sequence}-01"
        folder.mkdir()
        header = ["记录编号", *(f.label for f in contracts.load()["org_unit"].supplied)]
        rows = [header, *([i, *[f"v{n}"] * (len(header) - 1)] for n, i in enumerate(ids))]
        content = "".join(",".join(row) + "\r\n" for row in rows).encode("gb18030")
        (folder / "u.csv").write_bytes(content)
        entry = {
            "entity": "org_unit",
            "ref_period": "all",
            "file": "u.csv",
            "format": "csv",
            "rows": len(ids),
        }
        entry["sha256"] = hashlib.sha256(content).hexdigest()
        manifest = {"producer": "x", "schema_version": "1", "sequence": sequence, "files": [entry]}
        (folder / "manifest.json").write_text(json.dumps(manifest))

    return write
