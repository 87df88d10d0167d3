"""The file connector: deliveries, their order, repetitions and disagreements; GB18030 and workbooks."""

import hashlib
import json
import re
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from yuyan.collect.connect import source
from yuyan.collect.source import Meter, PlatformDown, SourceError
from yuyan.domain import contracts, institutions

AS_OF = date(2026, 10, 15)
PLAN = contracts.load()["admission_plan"]


@pytest.fixture
def folder(tmp_path, connect) -> Path:
    """The delivery folder of 10647."""
    path = tmp_path / "deliveries"
    path.mkdir()
    connect("10647", conn_type="fs", extra={"path": str(path)})
    return path


def plans(*ids: str, **more: str) -> pl.DataFrame:
    """Rows of admission_plan under the contract's labels."""
    rows = [{"记录编号": i} | {f.label: f"{f.name}{i}" for f in PLAN.supplied} | more for i in ids]
    header = ["记录编号", *(f.label for f in PLAN.supplied), *more]
    return pl.DataFrame(rows, schema=dict.fromkeys(header, pl.String))


def deliver(folder: Path, sequence: int, *files: tuple[str, pl.DataFrame, dict], kind: str = "csv") -> None:
    """Write a delivery; each file is (period, rows, what the manifest says otherwise)."""
    path = folder / f"{sequence // 100}-{sequence % 100:02d}"
    path.mkdir()
    entries = []
    for period, frame, lies in files:
        name = f"admission_plan_{period}.{kind}"
        if kind == "csv":
            (path / name).write_bytes(frame.write_csv(line_terminator="\r\n").encode("gb18030"))
        else:
            frame.write_excel(path / name)
        entry = {
            "entity": "admission_plan",
            "ref_period": period,
            "file": name,
            "format": kind,
            "rows": frame.height,
        }
        entry |= {"encoding": "gb18030", "sha256": hashlib.sha256((path / name).read_bytes()).hexdigest()}
        entries.append(entry | lies)
    manifest = {"producer": "长江师范学院", "schema_version": "1.0.0", "sequence": sequence, "files": entries}
    (path / "manifest.json").write_text(json.dumps(manifest, ensure_ascii=False), encoding="utf-8")


def opened():
    found = source(institutions.load()["10647"], AS_OF)
    found.open()
    return found


def take(cursor: str | None, full: bool = False) -> tuple[list, str | None]:
    """(period, version, already loaded, record ids or error) of every window, and the cursor after the good ones."""
    found, seen = opened(), []
    for window in found.windows("admission_plan", cursor, full):
        got: object = None
        if not window.already_loaded:
            try:
                got = [i for p in found.pages(window, Meter()) for i in p.frame["记录编号"]]
            except SourceError as error:
                got = str(error)
        seen.append((window.ref_period, window.version, window.already_loaded, got))
        if not isinstance(got, str):
            cursor = found.advance(cursor, window, None)
    return seen, cursor


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_delivery_is_read_as_text(folder, kind):
    rows = plans("甲1", "€𠀀", 学习方式="00", 计划数="")
    deliver(folder, 2026101501, ("2026", rows, {}), kind=kind)
    found = opened()
    (window,) = found.windows("admission_plan", None, False)
    assert (window.mode, window.ref_period, window.version) == ("replace", "2026", 2026101501)
    frame = pl.concat(p.frame for p in found.pages(window, Meter()))
    assert frame["记录编号"].to_list() == ["甲1", "€𠀀"]
    assert frame["学习方式"].to_list() == ["00", "00"]
    assert set(frame.dtypes) == {pl.String}
    assert not any(frame["计划数"].fill_null(""))
    assert found.count("admission_plan", Meter()) is None


def test_deliveries_come_in_order_and_once(folder):
    deliver(folder, 2026101502, ("2026", plans("a", "b"), {}))
    deliver(folder, 2026101501, ("2026", plans("a"), {}), ("2025", plans("z"), {}))
    seen, cursor = take(None)
    assert [(p, v, got) for p, v, _, got in seen] == [
        ("2026", 2026101501, ["a"]),
        ("2025", 2026101501, ["z"]),
        ("2026", 2026101502, ["a", "b"]),
    ]
    assert take(cursor) == ([], cursor)


def test_the_same_file_again_is_skipped_but_an_older_content_is_not(folder):
    deliver(folder, 2026101501, ("2026", plans("a"), {}))
    deliver(folder, 2026101502, ("2026", plans("a"), {}))
    seen, cursor = take(None)
    assert [again for _, _, again, _ in seen] == [False, True]
    deliver(folder, 2026101601, ("2026", plans("a", "b"), {}))
    deliver(folder, 2026101701, ("2026", plans("a"), {}))
    assert [(again, got) for _, _, again, got in take(cursor)[0]] == [(False, ["a", "b"]), (False, ["a"])]


@pytest.mark.parametrize(
    ("lies", "says"),
    [
        ({"rows": 3}, r"清单为 3 行，文件为 2 行"),
        ({"sha256": "0" * 64}, r"清单 sha256 为 000000000000…"),
        ({"file": "elsewhere.csv"}, r"文件不存在"),
    ],
)
def test_a_file_that_disagrees_is_refused_and_the_next_one_put_it_right(folder, lies, says):
    good = plans("a", "b")
    deliver(folder, 2026101501, ("2026", good, lies), ("2025", plans("z"), {}))
    seen, cursor = take(None)
    assert "20261015-01/" in seen[0][3]
    assert says in seen[0][3]
    assert "重新交付" in seen[0][3]
    assert seen[1][3] == ["z"]
    deliver(folder, 2026101502, ("2026", good, {}))
    assert [got for _, _, _, got in take(cursor)[0]][-1] == ["a", "b"]
    # In one go as well: the bad file does not make the good one a repetition.
    assert [(again, isinstance(got, str)) for _, _, again, got in take(None)[0]] == [
        (False, True),
        (False, False),
        (False, False),
    ]


def test_files_with_rows_come_before_emptied_periods(folder):
    deliver(folder, 2026101501, ("2025", plans(), {}), ("2026", plans("a"), {}))
    assert [(p, got) for p, _, _, got in take(None)[0]] == [("2026", ["a"]), ("2025", [])]


def test_a_full_collection_reads_the_newest_file_of_each_period_again(folder):
    deliver(folder, 2026101501, ("2025", plans("z"), {}), ("2026", plans("a"), {}))
    deliver(folder, 2026101601, ("2026", plans("b"), {}))
    _, cursor = take(None)
    assert [(p, got) for p, _, _, got in take(cursor, full=True)[0]] == [("2025", ["z"]), ("2026", ["b"])]


def test_columns_nobody_announced_are_counted_not_read(folder):
    deliver(folder, 2026101501, ("2026", plans("a", "b", 监护人电话="13900000000"), {}))
    found = opened()
    (window,) = found.windows("admission_plan", None, False)
    (page,) = found.pages(window, Meter())
    assert page.unannounced == {"监护人电话": 2}
    assert "监护人电话" not in page.frame.columns


def test_a_missing_column_is_reported(folder):
    deliver(folder, 2026101501, ("2026", plans("a").drop("学习方式"), {}))
    found = opened()
    (window,) = found.windows("admission_plan", None, False)
    (page,) = found.pages(window, Meter())
    assert page.absent == ("学习方式",)


@pytest.mark.parametrize(
    "content",
    [b"", "记录编号,年\r\na,1,2,13900000000\r\n".encode("gb18030"), b"\xff\xff,\x81\r\n\xff\xff,1\r\n"],
)
def test_a_broken_file_is_refused_without_quoting_it(folder, content):
    deliver(folder, 2026101501, ("2026", plans("a"), {"sha256": hashlib.sha256(content).hexdigest()}))
    (folder / "20261015-01" / "admission_plan_2026.csv").write_bytes(content)
    ((_, _, _, got),) = take(None)[0]
    assert isinstance(got, str)
    assert "不是约定的 CSV" in got
    assert "139" not in got


def test_a_delivery_without_manifest_is_not_there_yet(folder):
    deliver(folder, 2026101501, ("2026", plans("a"), {}))
    (folder / "20261015-01" / "manifest.json").rename(folder / "20261015-01" / "manifest.tmp")
    assert take(None) == ([], None)


@pytest.mark.parametrize(
    "change", [{"sequence": "x"}, {"files": [{"entity": "a", "file": "../../etc/passwd"}]}]
)
def test_a_bad_manifest_stops_the_institution(folder, change):
    deliver(folder, 2026101501, ("2026", plans("a"), {}))
    path = folder / "20261015-01" / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(PlatformDown, match=r"manifest\.json 不符合约定"):
        opened()


def test_a_missing_folder(connect):
    connect("10647", conn_type="fs", extra={"path": "/nowhere/at/all"})
    with pytest.raises(PlatformDown, match="交付目录 /nowhere/at/all 不存在"):
        opened()


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_file_without_header_is_refused_and_its_first_person_not_taken_for_field_names(folder, kind):
    people = pl.DataFrame([{"张三": "李四", "13800138000": "13900139000", "510223199001011234": "x"}])
    deliver(folder, 2026101501, ("2026", people, {}), kind=kind)
    ((_, _, _, refused),), _ = take(None)
    assert "记录编号" in refused
    assert not {"张三", "138"} & set(re.findall("张三|138", refused))
