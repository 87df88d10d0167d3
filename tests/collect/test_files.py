"""The file connector: deliveries, their order, repetitions and disagreements; GB18030 and workbooks."""

import hashlib
import io
import json
import re
import shutil
from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter

from yuyan.collect import landing, mapping
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


def deliver(
    folder: Path,
    number: int,
    *files: tuple[str, pl.DataFrame, dict],
    kind: str = "csv",
    sequence: int | None = None,
) -> None:
    """Write a delivery; each file is (period, rows, what the manifest says otherwise)."""
    path = folder / f"{number // 100}-{number % 100:02d}"
    sequence = number if sequence is None else sequence
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


@pytest.mark.usefixtures("work")
@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_sheet_whose_columns_are_people_names_none_of_them(folder, kind):
    """Twenty rows make a column of each header. Told is where each is, and that it is another one."""
    people = ["欧阳某某", "WangMou", "13800138000"]
    rows = plans(*(f"r{i}" for i in range(20)), 备注="x", **dict.fromkeys(people, "1"))
    deliver(folder, 2026101501, ("2026", rows, {}), kind=kind)
    found, institution = opened(), institutions.load()["10647"]
    (window,) = found.windows("admission_plan", None, False)
    pages = found.pages(window, Meter())
    (landed,) = landing.land(institution, PLAN, institution.mapping(PLAN), window, pages, "run", AS_OF)
    written = Path(landed.uri).with_suffix(".json").read_text(encoding="utf-8")
    assert not [name for name in people if name in written]
    assert landed.manifest["drift"].pop("备注") == ["unannounced", 20]
    first = len(HEADER) + 2
    assert len(landed.manifest["drift"]) == len(people)
    for number, (name, (_, count)) in enumerate(landed.manifest["drift"].items(), start=first):
        assert re.fullmatch(f"（第 {number} 列，字段名不记录，标识 [0-9a-f]{{8}}）", name)
        assert count == 20


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
    ("change", "says"),
    [
        (b'{"sequence": "x"}', "producer"),
        (b"[1, 2]", "交付 20261015-01 的清单不符合约定"),
        (b'{"producer": "\xd6\xd8"', "不是 UTF-8 的 JSON"),
        (b"", "不是 UTF-8 的 JSON"),
        (b"[" * 100_000, "不是 UTF-8 的 JSON"),
        (b'{"producer": "x", "schema_version": "1", "sequence": 1e400, "files": []}', "sequence"),
        (b'{"producer": "x", "schema_version": "1", "sequence": 1, "files": {}}', "files"),
    ],
)
def test_a_bad_manifest_stops_no_other_delivery(folder, change, says):
    deliver(folder, 2026101501, ("2026", plans("a"), {}))
    (folder / "20261015-01" / "manifest.json").write_bytes(change)
    deliver(folder, 2026101601, ("2026", plans("b"), {}))
    assert [got for _, _, _, got in take(None)[0]] == [["b"]]
    (complaint,) = opened().complaints
    assert says in complaint
    assert "10647 长江师范学院" in complaint


@pytest.mark.parametrize(
    ("lies", "says"),
    [
        ({"entity": "admission_plann"}, "第 1 个文件的实体 'admission_plann' 不由该单位报送"),
        ({"entity": "institution"}, "第 1 个文件的实体 'institution' 不由该单位报送"),
        ({"file": "../../etc/passwd"}, "第 1 个文件：file"),
        ({"sha256": "none"}, "第 1 个文件：sha256"),
        ({"rows": -1}, "第 1 个文件：rows"),
        ({"format": "xls"}, "第 1 个文件：format"),
    ],
)
def test_a_bad_entry_stops_no_other_file(folder, lies, says):
    deliver(folder, 2026101501, ("2025", plans("a"), lies), ("2026", plans("b"), {}))
    assert [got for _, _, _, got in take(None)[0]] == [["b"]]
    assert says in opened().complaints[0]


def test_a_byte_order_mark_and_an_upper_case_digest_are_no_defects(folder):
    deliver(folder, 2026101501, ("2026", plans("a"), {}))
    path = folder / "20261015-01" / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["files"][0]["sha256"] = manifest["files"][0]["sha256"].upper() + " "
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(manifest).encode())
    assert take(None)[0][0][3] == ["a"]
    assert opened().complaints == []


@pytest.mark.parametrize(
    ("announced", "written"),
    [
        ("ANSI", "gbk"),
        ("GB2312", "gb2312"),
        ("cp936", "gbk"),
        ("GB18030-2022", "gb18030"),
        ("UTF8", "utf-8"),
        ("UTF-8 BOM", "utf-8-sig"),
        ("utf-8-sig", "utf-8-sig"),
        ("utf-8", "utf-8-sig"),
        ("UTF-16", "utf-16"),
        ("big5hkscs", "big5hkscs"),
        (None, "gb18030"),
    ],
)
def test_encodings_by_the_names_that_people_use(folder, announced, written):
    frame = plans("a", 学习方式="全日制")
    deliver(folder, 2026101501, ("2026", frame, {"encoding": announced}))
    rewrite(
        folder, frame.write_csv(line_terminator="\r\n").replace("年度", "年度").encode(written, "replace")
    )
    got = take(None)[0][0][3]
    assert got == ["a"] if written != "big5hkscs" else isinstance(got, str)


@pytest.mark.parametrize(
    ("announced", "written", "says"),
    [
        ("汉字编码", "gb18030", "编码名 '汉字编码' 不认识"),
        ("hex", "gb18030", "编码名 'hex' 不认识"),
        ("a\0b", "gb18030", "不认识"),
        ("gb18030", "utf-8", "清单的编码为 gb18030，文件实为 UTF-8"),
        (None, "utf-8-sig", "文件实为 UTF-8"),
        ("utf-8", "gb18030", "不是约定的 CSV"),
        ("utf-16", "gb18030", "不是约定的 CSV"),
    ],
)
def test_an_encoding_that_is_none_or_another_is_said(folder, announced, written, says):
    frame = plans("a", 学习方式="全日制")
    deliver(folder, 2026101501, ("2026", frame, {"encoding": announced}))
    rewrite(folder, frame.write_csv(line_terminator="\r\n").encode(written))
    assert says in take(None)[0][0][3]


def rewrite(folder: Path, content: bytes, kind: str = "csv") -> None:
    """Put other bytes into the only file of the first delivery, whose manifest follows."""
    path = next(folder.glob("*-01"))
    (path / f"admission_plan_2026.{kind}").write_bytes(content)
    manifest = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
    manifest["files"][0]["sha256"] = hashlib.sha256(content).hexdigest()
    (path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def table(*rows: list) -> bytes:
    return "".join(",".join(row) + "\r\n" for row in rows).encode("gb18030")


HEADER = ["记录编号", *(f.label for f in PLAN.supplied)]


@pytest.mark.parametrize("front", [True, False])
@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_an_announced_header_twice_is_refused(folder, kind, front):
    deliver(folder, 2026101501, ("2026", plans("a"), {}), kind=kind)
    header = ["学习方式", *HEADER] if front else [*HEADER, "学习方式"]
    rows = [header, ["x"] * len(header)]
    rewrite(folder, table(*rows) if kind == "csv" else book(rows), kind)
    assert "表头中“学习方式”出现不止一次" in take(None)[0][0][3]


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_an_unannounced_header_twice_is_counted_as_any_other(folder, kind):
    deliver(folder, 2026101501, ("2026", plans("a"), {}), kind=kind)
    rows = [[*HEADER, "备注", "备注", ""], ["a"] * len(HEADER) + ["1", "2", ""]]
    rewrite(folder, table(*rows) if kind == "csv" else book(rows), kind)
    found = opened()
    (window,) = found.windows("admission_plan", None, False)
    (page,) = found.pages(window, Meter())
    assert (page.frame["记录编号"].to_list(), page.unannounced) == (["a"], {"备注": 1})


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_blanks_in_a_header_and_empty_rows_change_nothing(folder, kind):
    deliver(folder, 2026101501, ("2026", plans("a"), {}), kind=kind)
    rows = [["\ufeff记录编号 ", *HEADER[1:]], ["a"] * len(HEADER), [""] * len(HEADER), [""] * len(HEADER)]
    rewrite(folder, table(*rows) if kind == "csv" else book(rows), kind)
    assert take(None)[0][0][3] == ["a"]


@pytest.mark.parametrize(
    ("tail", "says"), [("合计,1\r\n", "第 3 行的列数与表头不符"), ("\x1a", "不是约定的 CSV")]
)
def test_what_is_no_row_is_refused_with_its_line(folder, tail, says):
    deliver(folder, 2026101501, ("2026", plans("a"), {}))
    rewrite(folder, table(HEADER, ["a"] * len(HEADER)) + tail.encode("gb18030"))
    assert says in take(None)[0][0][3]


def book(rows: list[list], **how) -> bytes:
    """A workbook: dates as date cells, numbers as number cells, the rest as text."""
    out = io.BytesIO()
    made = xlsxwriter.Workbook(out, {"in_memory": True, **how})
    sheet, day = made.add_worksheet(), made.add_format({"num_format": "yyyy/m/d"})
    for i, row in enumerate(rows):
        for j, value in enumerate(row):
            if isinstance(value, date):
                sheet.write_datetime(i, j, datetime(value.year, value.month, value.day), day)
            elif isinstance(value, float | int):
                sheet.write_number(i, j, value)
            elif value:
                sheet.write_string(i, j, value)
            else:
                sheet.write_blank(i, j, None, day)
    made.close()
    return out.getvalue()


@pytest.mark.parametrize("how", [{}, {"date_1904": True}])
@pytest.mark.parametrize("other", ["2026/3/1", date(2026, 3, 1)])
def test_date_cells_of_a_workbook_are_dates(folder, how, other):
    deliver(folder, 2026101501, ("2026", plans("a", "b"), {}), kind="xlsx")
    at = HEADER.index(PLAN["issued_on"].label)
    rows = [HEADER, ["a"] * len(HEADER), ["b"] * len(HEADER)]
    rows[1][at], rows[2][at] = date(2026, 9, 1), other
    rewrite(folder, book(rows, **how), "xlsx")
    found = opened()
    (window,) = found.windows("admission_plan", None, False)
    (page,) = found.pages(window, Meter())
    entity_map = institutions.load()["10647"].mapping(PLAN)
    frame = page.frame.with_columns(pl.lit(None, pl.String).alias("_feed"))
    mapped = frame.select(mapping.columns(PLAN, entity_map))
    assert mapped["issued_on"].to_list() == ["2026-09-01", "2026-03-01"]


def test_a_long_number_in_a_number_cell_is_no_record_id(folder):
    deliver(folder, 2026101501, ("2026", plans("a", "b"), {}), kind="xlsx")
    rows = [HEADER, [12345] + ["1"] * (len(HEADER) - 1), [202600000000000001] + ["2"] * (len(HEADER) - 1)]
    rewrite(folder, book(rows), "xlsx")
    assert "1 行的“记录编号”是数字单元格，超过 15 位的部分已丢失（首行为第 2 行）" in take(None)[0][0][3]


def test_a_sequence_that_starts_anew_is_refused_until_it_is_mended(folder):
    deliver(folder, 2026122801, ("2026", plans("a"), {}), sequence=52)
    _, cursor = take(None)
    deliver(folder, 2027010501, ("2026", plans("a", "b"), {}), sequence=1)
    for full in (False, True):
        *_, (_, _, _, got) = take(cursor, full)[0]
        assert "交付序号 1 不大于先前的交付 20261228-01 的序号 52" in got
    shutil.rmtree(folder / "20261228-01")  # the share is tidied up; what was loaded is known all the same
    assert "序号 52" in take(cursor)[0][0][3]
    renumber(folder / "20270105-01", 53)
    assert [got for _, _, _, got in take(cursor)[0]] == [["a", "b"]]


def test_one_sequence_twice_is_refused(folder):
    deliver(folder, 2026122801, ("2026", plans("a"), {}), sequence=7)
    deliver(folder, 2026122802, ("2026", plans("b"), {}), sequence=7)
    first, second = take(None)[0]
    assert first[3] == ["a"]
    assert "序号 7 不大于先前的交付 20261228-01 的序号 7" in second[3]


def test_a_delivery_that_comes_late_is_said_once(folder):
    deliver(folder, 2026122802, ("2026", plans("a"), {}))
    _, cursor = take(None)
    deliver(folder, 2026122801, ("2026", plans("old"), {}), ("2025", plans("z"), {}))
    found = opened()
    notes = {w.ref_period: w.note for w in found.windows("admission_plan", cursor, False)}
    assert "交付 20261228-01 的文件 admission_plan_2026.csv 晚到" in notes["2026"]
    assert notes["2025"] == ""
    seen, cursor = take(cursor)
    assert [(p, again, got) for p, _, again, got in seen] == [("2026", True, None), ("2025", False, ["z"])]
    assert take(cursor) == ([], cursor)
    assert json.loads(cursor)["2026"][0] == 2026122802


def test_a_delivery_changed_after_it_was_loaded_is_refused(folder):
    deliver(folder, 2026122801, ("2026", plans("a"), {}))
    _, cursor = take(None)
    rewrite(folder, table(HEADER, ["b"] * len(HEADER)))
    assert "交付在装载后被改动" in take(cursor)[0][0][3]


def test_a_period_listed_twice_is_refused(folder):
    deliver(folder, 2026122801, ("2026", plans("a"), {}))
    path = folder / "20261228-01" / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["files"] *= 2
    path.write_text(json.dumps(manifest), encoding="utf-8")
    assert all("清单把期间 2026 列了两次" in got for _, _, _, got in take(None)[0])


def test_a_file_that_is_written_to_while_it_is_read_is_refused(folder):
    deliver(folder, 2026122801, ("2026", plans("a"), {}))
    found = opened()
    (window,) = found.windows("admission_plan", None, False)
    pages = found.pages(window, Meter())
    next(pages)
    window.path.write_bytes(window.path.read_bytes() + b"\r\n")
    with pytest.raises(SourceError, match="清单 sha256"):
        list(pages)


def test_a_cursor_of_before_deliveries_were_noted_still_counts(folder):
    deliver(folder, 2026122801, ("2026", plans("a"), {}))
    (window,) = opened().windows("admission_plan", None, False)
    cursor = json.dumps({"2026": [2026122801, window.until]})
    assert take(cursor) == ([], cursor)


def renumber(delivery: Path, sequence: int) -> None:
    path = delivery / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8")) | {"sequence": sequence}
    path.write_text(json.dumps(manifest), encoding="utf-8")


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
