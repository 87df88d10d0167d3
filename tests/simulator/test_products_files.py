"""Deliveries of the file product: what is in them, when they come, and what is wrong with them on purpose."""

import csv
import hashlib
import io
import json
import re
from collections import Counter

import polars as pl
import products_city
import pytest

from yuyan.domain import contracts
from yuyan_demo.simulator import products

INSTITUTIONS = ["10647", "10655", "89650", "50000"]
NO_DATABASE = "postgresql://nobody@127.0.0.1:5432/postgres"


@pytest.fixture
def day_1(tmp_path):
    """The state's records after preparing day 1."""
    frames = products_city.write(tmp_path, 1, INSTITUTIONS)
    products.prepare(tmp_path, 1, NO_DATABASE)
    return frames


def deliveries(home, inst: str, on: str) -> list[tuple]:
    """(folder, manifest) of a day, in order."""
    folders = sorted((home / "platforms" / "files" / inst).glob(f"{on}-*"))
    return [(f, json.loads((f / "manifest.json").read_text(encoding="utf-8"))) for f in folders]


def read(folder, entry: dict) -> pl.DataFrame:
    """A file as text columns with its Chinese header."""
    path = folder / entry["file"]
    if entry["format"] == "xlsx":
        return pl.read_excel(path, infer_schema_length=0, drop_empty_rows=False)
    header, *rows = csv.reader(io.StringIO(path.read_bytes().decode(entry["encoding"]), newline=""))
    return pl.DataFrame(rows, schema=dict.fromkeys(header, pl.String), orient="row")


def agrees(folder, entry: dict) -> bool:
    content = (folder / entry["file"]).read_bytes()
    return (
        hashlib.sha256(content).hexdigest() == entry["sha256"] and read(folder, entry).height == entry["rows"]
    )


def canonical(value: str | None, kind: str) -> str | None:
    """The contract's form of a cell."""
    if kind == "boolean":
        return {"是": "true", "否": "false"}.get(value, value)
    if kind == "date" and value and (found := re.fullmatch(r"(\d{4})/(\d{1,2})/(\d{1,2})", value)):
        return f"{found[1]}-{int(found[2]):02d}-{int(found[3]):02d}"
    return value or None


@pytest.mark.parametrize("inst", ["10647", "10655"])
def test_files_can_be_mapped_back_to_the_state(tmp_path, day_1, inst):
    contract = contracts.load()["student"]
    state = {r["src_record_id"]: r for r in day_1[inst, "student"].iter_rows(named=True)}
    last = {
        e["ref_period"]: (f, e)
        for f, m in deliveries(tmp_path, inst, "20261015")
        for e in m["files"]
        if e["entity"] == "student"
    }
    assert set(last) == {"2020", "2021", "2022", "2023", "unknown"}
    found = {}
    for period, (folder, entry) in last.items():
        assert entry["file"] == f"student_{period}.{entry['format']}"
        for row in read(folder, entry).iter_rows(named=True):
            found[row["记录编号"]] = period
            source = state[row["记录编号"]]
            for f in contract.supplied:
                assert canonical(row[f.label], f.type) == source[f.name], (f.name, row)
            assert ("监护人电话" in row) is (inst == "10647")
    assert found.keys() == state.keys()
    assert (found[f"{inst}-student-003"], found[f"{inst}-student-005"]) == ("2023", "unknown")


def test_formats_follow_the_institution(tmp_path, day_1):
    formats = {
        inst: {
            e["entity"]: e["format"] for _, m in deliveries(tmp_path, inst, "20261015") for e in m["files"]
        }
        for inst in INSTITUTIONS
    }
    assert (formats["10655"]["student"], formats["10655"]["course_offering"]) == ("xlsx", "csv")
    assert set(formats["50000"].values()) == {"xlsx"}
    assert (formats["10647"]["student"], formats["10647"]["org_unit"]) == ("csv", "xlsx")
    assert set(formats["50000"]) == {e for e, c in contracts.load().items() if c.owner == "commission"}


@pytest.mark.parametrize(("day", "on", "claim"), [(1, "20261015", "rows"), (2, "20261016", "sha256")])
def test_one_manifest_disagrees_and_the_truth_follows_the_same_day(tmp_path, day_1, day, on, claim):
    products_city.write(tmp_path, day, INSTITUTIONS)
    products.prepare(tmp_path, day, NO_DATABASE)
    wrong = []
    for inst in INSTITUTIONS:
        for number, (folder, manifest) in enumerate(deliveries(tmp_path, inst, on), start=1):
            assert manifest["sequence"] == int(on) * 100 + number
            wrong += [(inst, number, e) for e in manifest["files"] if not agrees(folder, e)]
    assert len(wrong) == 1
    inst, number, entry = wrong[0]
    period = (entry["entity"], entry["ref_period"])
    later = [
        (f, e)
        for f, m in deliveries(tmp_path, inst, on)[number:]
        for e in m["files"]
        if (e["entity"], e["ref_period"]) == period
    ]
    assert later
    assert all(agrees(f, e) and e[claim] != entry[claim] for f, e in later)


def test_one_institution_delivers_a_file_twice(tmp_path, day_1):
    digests = Counter(
        (inst, e["sha256"])
        for inst in INSTITUTIONS
        for f, m in deliveries(tmp_path, inst, "20261015")
        for e in m["files"]
        if agrees(f, e)
    )
    assert [n for n in digests.values() if n > 1] == [2]


def test_the_next_day_delivers_only_periods_that_changed(tmp_path, day_1):
    frames = products_city.write(tmp_path, 2, INSTITUTIONS)
    products.prepare(tmp_path, 2, NO_DATABASE)
    entries = [(f, e) for f, m in deliveries(tmp_path, "89650", "20261016") for e in m["files"]]
    contract = contracts.load()["thesis"]
    assert contract.period_field == "opened_on"
    # Records 0 and 3 (new key, new) are of 2020, record 1 (changed) of 2021, record 2 (deleted) was alone in 2022.
    rows = {e["ref_period"]: read(f, e)["记录编号"].to_list() for f, e in entries if e["entity"] == "thesis"}
    assert {p: sorted(ids) for p, ids in rows.items()} == {
        "2020": ["89650-thesis-000", "89650-thesis-003"],
        "2021": ["89650-thesis-001"],
        "2022": [],
    }
    students = {e["ref_period"] for _, e in entries if e["entity"] == "student"}
    assert students == {"2020", "2021", "2022"}
    assert frames["89650", "student"].height == products_city.STUDENTS + 1
    assert not list((tmp_path / "platforms").rglob(".*"))


def test_a_day_without_changes_has_no_delivery_and_preparing_again_changes_nothing(tmp_path, day_1):
    def everything() -> dict:
        return {p: p.stat().st_mtime_ns for p in (tmp_path / "platforms").rglob("*") if p.is_file()}

    before = everything()
    products.prepare(tmp_path, 1, NO_DATABASE)
    (tmp_path / "simulator" / "state" / "day_1").rename(tmp_path / "simulator" / "state" / "day_2")
    products_city.write(tmp_path, 1, INSTITUTIONS)
    assert products.prepare(tmp_path, 2, NO_DATABASE)["deliveries"] == {}
    assert everything() == before


def test_a_delivery_without_manifest_is_written_again(tmp_path, day_1):
    folder, manifest = deliveries(tmp_path, "89650", "20261015")[0]
    (folder / "manifest.json").unlink()
    (folder / "half.csv").write_text("left over", encoding="utf-8")
    products.prepare(tmp_path, 1, NO_DATABASE)
    assert deliveries(tmp_path, "89650", "20261015")[0] == (folder, manifest)
    assert not (folder / "half.csv").exists()


def test_a_missing_state_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="generate day 3 first"):
        products.prepare(tmp_path, 3, NO_DATABASE)


def test_an_entity_that_the_day_before_did_not_know_is_delivered_whole(tmp_path, day_1):
    products_city.write(tmp_path, 2, INSTITUTIONS)
    (tmp_path / "simulator" / "state" / "day_1" / "student.parquet").unlink()
    products.prepare(tmp_path, 2, NO_DATABASE)
    entries = [(f, e) for f, m in deliveries(tmp_path, "89650", "20261016") for e in m["files"]]
    delivered = sum(read(f, e).height for f, e in entries if e["entity"] == "student")
    assert delivered == products_city.STUDENTS
