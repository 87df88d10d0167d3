"""The feedback page and workbook of an institution say what the warehouse knows, all of it, and nothing of persons."""

import csv
import re
import zipfile
from html.parser import HTMLParser

import fastexcel
import fixture_rows as rows
import polars as pl
import psycopg
import pytest

from yuyan import runs, settings
from yuyan.domain import institutions, labels
from yuyan.pages import documentation, facts, feedback, sheets, wording, workbook


class Text(HTMLParser):
    """The text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.feed(page.split("</style>")[1].split("<script>")[0])

    def handle_data(self, data: str) -> None:
        self.parts.append(data.strip())

    def __str__(self) -> str:
        return " ".join(filter(None, self.parts))


@pytest.fixture(scope="module")
def page(feedback_folder) -> str:
    return (feedback_folder / "10611.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def said(page) -> str:
    return str(Text(page))


@pytest.fixture(scope="module")
def book(feedback_folder) -> dict[str, list[dict]]:
    """Sheet -> its rows."""
    reader = fastexcel.read_excel(feedback_folder / "10611.xlsx")
    return {
        name: reader.load_sheet(name, header_row=1, dtypes="string").to_polars().to_dicts()
        for name in reader.sheet_names
        if name != "说明"
    }


def test_every_institution_has_a_page_and_a_workbook_and_nothing_else_is_left(feedback_folder):
    codes = ("10611", "10635", "10637")
    files = {f"{code}.{kind}" for code in codes for kind in ("html", "xlsx")}
    extra = {"index.html", *documentation.pages()}
    assert {p.name for p in feedback_folder.iterdir()} == files | extra
    index = str(Text((feedback_folder / "index.html").read_text(encoding="utf-8")))
    assert "10611 重庆大学" in index
    assert "10637 重庆师范大学 采集失败" in index


def test_who_when_and_the_mark_are_on_every_page_and_sheet(feedback_folder, said):
    for name in ("10611.html", "10635.html", "index.html", "rule-directory.zh-CN.html"):
        assert f'<p class="mark">{settings.SIMULATED}</p>' in (feedback_folder / name).read_text(
            encoding="utf-8"
        )
    assert "重庆大学（10611）" in said
    assert "统计日期 2026-10-15，运行 warehouse-2" in said
    reader = fastexcel.read_excel(feedback_folder / "10611.xlsx")
    for name in reader.sheet_names:
        (title,) = reader.load_sheet(name, header_row=None, n_rows=1).to_polars().row(0)[:1]
        assert "重庆大学（10611）" in title, name
        assert settings.SIMULATED in title, name


def test_what_arrived_and_what_never_did(said, book):
    assert "令牌过期，请在平台上续期后重采" in said
    assert re.search(r"从未收到：.*课程（course）", said)
    assert "phone 约定中没有的字段，未接收 40" in said
    assert "500 498 重采后仍不一致" in said
    assert "收到而未采用的行" in said
    (passed_over,) = book["未采用"]
    assert (passed_over["同一窗口重复"], passed_over["版本更旧"]) == ("6", "3")
    assert [(r["字段"], r["行数"]) for r in book["归一化"]] == [("XH", "12")]
    student = next(r for r in book["到数情况"] if r["实体"] == "学籍（student）")
    assert (student["本次收到"], student["现已接收"], student["未接收"]) == ("120", "300", "3")


def test_rows_are_grouped_by_cause_and_the_page_points_to_the_rest(said):
    assert "学籍 1061120230001 未报 本单位 45 条，本次新增 45 行" in said
    assert "补报学籍（student） 1061120230001" in said
    assert "共 45 行，这里是前 20 行，全部见工作簿“逐行问题”，根因编号 cause-student" in said
    assert len(set(re.findall(r"\bT00\d\d\b", said.replace("10611|T", "")))) == facts.SAMPLE
    assert "先更正学位授权点（degree_point） 10611D0812（它违反 QR.degree_point.discipline_code.4）" in said
    assert said.index("学籍 1061120230001 未报") < said.index("学位授权点 10611D0812 被隔离")


def test_the_workbook_has_every_row_with_the_sources_own_key(book):
    lines = book["逐行问题"]
    assert len([r for r in lines if r["根因编号"] == "cause-student"]) == rows.WAITING
    first = next(r for r in lines if r["来源记录编号"] == "T0000")
    assert first["批次"] == "10611-thesis-0001"
    assert (first["行号"], first["字段"], first["观察值"]) == ("1", "学籍编号", "1061120230001")
    assert first["是否接收"] == "未接收"
    assert first["怎么改"]
    assert {r["来源记录编号"]: r["是否接收"] for r in lines if r["来源记录编号"] in ("S1", "S3", "W1")} == {
        "S1": "未接收",
        "S3": "已豁免",
        "W1": "仅提醒",
    }
    assert next(r for r in lines if r["来源记录编号"] == "S1")["观察值"] == "（空）"
    assert {r["来源记录编号"] for r in lines}.isdisjoint({"S5", "S6", "O1"})


def test_text_of_a_source_is_never_a_formula_or_a_link(feedback_folder, book, page):
    assert next(r for r in book["逐行问题"] if r["来源记录编号"] == "S2")["观察值"] == rows.FORMULA
    with zipfile.ZipFile(feedback_folder / "10611.xlsx") as archive:
        parts = {n: archive.read(n).decode() for n in archive.namelist() if n.startswith("xl/worksheets/")}
    assert len([n for n in parts if n.endswith(".xml")]) == len(book) + 1
    for name, text in parts.items():
        assert "<f>" not in text, name
        assert "<hyperlink" not in text, name
    assert "<script>alert" not in page


def test_sheets_are_frozen_filtered_and_wide_enough(feedback_folder, book):
    with zipfile.ZipFile(feedback_folder / "10611.xlsx") as archive:
        for n in range(2, len(book) + 2):
            text = archive.read(f"xl/worksheets/sheet{n}.xml").decode()
            assert 'state="frozen"' in text
            assert "<autoFilter" in text
            assert "<cols>" in text


@pytest.mark.parametrize(
    ("value", "lines"),
    [(None, 1), ("", 1), ("abc", 1), ("学" * 9, 2), ("a" * 9 + "\nb", 2), ("学" * 900, workbook.LINES)],
)
def test_a_row_is_as_high_as_its_longest_text(value, lines):
    assert workbook._lines(sheets.Column("x", 10, "text", "x"), value) == lines


def test_no_pseudonym_leaves_the_warehouse(feedback_folder, book, said):
    assert next(r for r in book["逐行问题"] if r["来源记录编号"] == "S4")["观察值"] == facts.HIDDEN
    for path in feedback_folder.glob("10611.*"):
        assert rows.PSEUDONYM.encode() not in path.read_bytes()
    assert facts.HIDDEN in said


def test_rows_that_passed_and_other_institutions_that_wait(said):
    passed = said[said.index("提醒与已豁免 已接收的行计入指标") : said.index("问题与豁免 一条规则")]
    assert "W1" in passed
    assert "10611D0812 学位授权点 10611D0812 被隔离 1 10635" in said


def test_a_record_that_another_rule_keeps_out_is_not_called_accepted(said, book):
    noted = said[said.index("提醒与已豁免 已接收的行计入指标") : said.index("问题与豁免 一条规则")]
    assert "另有 1 条因其他规则未接收" in noted
    line = next(r for r in book["逐行问题"] if r["规则"] == rows.NOTED_AS_WELL)
    assert (line["来源记录编号"], line["是否接收"]) == ("T0000", "未接收（另有规则）")


def test_an_institution_that_delivers_files_is_sent_to_its_files(feedback_dsn):
    with psycopg.connect(feedback_dsn) as connection:
        read = {code: facts.read(connection, code, rows.RUN, rows.AS_OF) for code in ("10611",)}
    files = [i.inst_code for i in institutions.load().values() if i.platform.connector == "files"]
    assert "10611" not in files
    assert feedback._where(read["10611"]).endswith("在本单位平台上查找。")
    delivering = facts.Facts(files[0], "", rows.RUN, rows.AS_OF, {}, [], {})
    assert "交付文件夹和文件名" in feedback._where(delivering)
    assert "平台" not in feedback._where(delivering)
    asked = f"select {facts.DELIVERY} from (values (%s::text, '3', '2026')) as b (file_name, window_from, ref_period)"
    with psycopg.connect(feedback_dsn) as connection:
        shown = {n: connection.execute(asked, [n]).fetchone()[0] for n in ("3/学籍.xlsx", "3/a.csv", None)}
    assert shown == {
        "3/学籍.xlsx": "3/学籍.xlsx，第一个工作表",
        "3/a.csv": "3/a.csv",
        None: "清单 3，期间 2026",
    }


def test_a_row_says_what_its_rule_compared_it_with(book, feedback_folder):
    """The old level, the twin, the other date: on the page and in the workbook, and no formula of a spreadsheet."""
    line = next(r for r in book["逐行问题"] if r["来源记录编号"] == "S1")
    assert line["对照"] == rows.COMPARED
    assert rows.COMPARED in (feedback_folder / "10611.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("value", "shown"),
    [(1, "1"), (0.99997, "0.99997"), (0.9999999, "0.9999999"), (0.8551, "0.8551"), (1234.5, "1,234.5"), (0, "0"),
     (0.00001, "0.00001"), (-2.25, "-2.25")],
)  # fmt: skip
def test_what_is_not_whole_never_looks_whole(value, shown):
    assert sheets.figure(value) == shown


def test_a_grade_below_a_says_what_to_do(said, book):
    grade = next(r for r in book["指标可信等级"] if r["等级"] == "NCID")
    assert grade["怎么办"] == "学位论文与实践成果（thesis）：更正未接收的记录；见“未接收的数据及原因”。"
    assert "更正未接收的记录；见“未接收的数据及原因”" in said
    every = {d for d in labels.dimensions() if re.fullmatch(r"D\d\d", d)} - {"D11"}
    assert set(labels.DIMENSION_REMEDIES) == every


def test_a_sheet_without_rows_is_left_out(feedback_folder, book):
    assert all(book.values())
    names = fastexcel.read_excel(feedback_folder / "10635.xlsx").sheet_names
    assert "豁免" not in names
    assert names[0] == "说明"


def test_problems_with_state_promise_override_and_history(said, book):
    assert "已承诺修复 错误（隔离） 学籍编号所引用的学籍不存在或未被接收" in said
    assert "承诺修复日期 2026-10-31" in said
    assert "至多放行 5 行，到期 2026-11-30" in said
    assert "2026-10-14 cqjw-zhang 批准豁免 已申请豁免 已豁免 同意，至十一月底" in said
    assert [r["动作"] for r in book["问题经过"]] == ["发现", "申请豁免", "批准豁免"]
    assert book["豁免"][0]["到期日"].startswith("2026-11-30")


def test_holds_changes_scorecard_and_grades(said, book):
    assert "课程（course） 骤减 待定 2026-10-15 800 500" in said
    assert "学籍（student） 1 3 1" in said
    assert "学位论文与实践成果（thesis） 45 4 0" in said
    assert "离校日期早于入学日期 来源已更正 1" in said
    assert [r["来源记录编号"] for r in book["已了结"]] == ["S5"]
    assert "D03 有效性 D 0.8551 0.999 295 345" in said
    assert "H12 NCID 学位论文与实践成果（thesis） D03 有效性" in said
    assert "2026 期为 310；按上期和历年变动预期 410" in said
    (result,) = book["规则结果"]
    assert (result["结论"], result["适用"], result["不合格"], result["容许"]) == (
        "不通过",
        "300",
        "3",
        "不容许",
    )


def test_every_rule_that_is_named_is_in_the_directory_beside_it(feedback_folder, page):
    directory = (feedback_folder / "rule-directory.zh-CN.html").read_text(encoding="utf-8")
    linked = set(re.findall(r'href="rule-directory.zh-CN.html#([^"]+)"', page))
    assert len(linked) >= 5
    assert {rule for rule in linked if f'id="{rule}"' not in directory} == set()


def test_an_institution_without_findings_is_told_so(feedback_folder):
    said = str(Text((feedback_folder / "10635.html").read_text(encoding="utf-8")))
    assert "没有暂缓的批次" in said
    assert "尚未评定" in said
    failed = str(Text((feedback_folder / "10637.html").read_text(encoding="utf-8")))
    assert "最近一次采集（2026-10-15）失败：连接超时" in failed
    assert "还没有收到任何数据" in failed


def test_a_long_table_goes_on_in_a_next_sheet(tmp_path, monkeypatch, feedback_dsn):
    monkeypatch.setattr(workbook, "ROWS", 20)
    with psycopg.connect(feedback_dsn) as connection:
        written = feedback.build(connection, rows.RUN, rows.AS_OF, "", ["10611"], tmp_path)
    reader = fastexcel.read_excel(tmp_path / "10611.xlsx")
    parts = [n for n in reader.sheet_names if n.startswith("逐行问题")]
    counts = [reader.load_sheet(n, header_row=1).height for n in parts]
    assert parts == ["逐行问题", "逐行问题 2", "逐行问题 3"]
    assert counts == [20, 20, 14]
    assert written["institutions"] == 1
    assert not (tmp_path / "index.html").exists()
    assert settings.SIMULATED not in (tmp_path / "10611.html").read_text(encoding="utf-8").split("<main")[0]


def test_an_unknown_institution_is_refused_by_name(tmp_path, feedback_dsn):
    with (
        psycopg.connect(feedback_dsn) as connection,
        pytest.raises(feedback.NoFeedback, match=r"^99999: .*known are 10611, 10635, 10637"),
    ):
        feedback.build(connection, rows.RUN, rows.AS_OF, "", ["10611", "99999"], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_warehouse_says_what_to_do(warehouse, tmp_path):
    with pytest.raises(feedback.NoFeedback, match="yuyan run"):
        feedback.newest(warehouse, [], tmp_path)


def test_the_task_of_the_line_writes_into_the_work_folder(feedback_dsn, work, monkeypatch):
    monkeypatch.setenv("YUYAN_WAREHOUSE_DSN", feedback_dsn)
    monkeypatch.setenv("YUYAN_SIMULATED", "1")
    with runs.stage(rows.RUN, "feedback") as detail:
        detail |= feedback.after(rows.RUN, runs.day_of(rows.RUN))
    assert detail["institutions"] == 3
    assert settings.SIMULATED in (work / "feedback" / "10611.html").read_text(encoding="utf-8")
    before = {p.name: p.read_bytes() for p in (work / "feedback").iterdir()}
    feedback.after(rows.RUN, runs.day_of(rows.RUN))
    assert {p.name: p.read_bytes() for p in (work / "feedback").iterdir()} == before


def test_a_failing_page_leaves_the_old_one(feedback_dsn, tmp_path, monkeypatch):
    with psycopg.connect(feedback_dsn) as connection:
        feedback.build(connection, rows.RUN, rows.AS_OF, "", ["10635"], tmp_path)
        before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
        monkeypatch.setattr(sheets.Column, "value", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            feedback.build(connection, rows.RUN, rows.AS_OF, "", ["10611"], tmp_path)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_a_cause_with_very_many_rows_has_them_all_in_a_csv(tmp_path, monkeypatch, feedback_dsn):
    monkeypatch.setattr(facts, "LISTED", 30)
    with psycopg.connect(feedback_dsn) as connection:
        feedback.build(connection, rows.RUN, rows.AS_OF, "", ["10611"], tmp_path)
    lines = list(csv.DictReader((tmp_path / "10611-rows.csv").open(encoding="utf-8-sig")))
    assert len([r for r in lines if r["根因编号"] == "cause-student"]) == rows.WAITING
    first = next(r for r in lines if r["来源记录编号"] == "T0000" and r["根因编号"] == "cause-student")
    assert (first["实体"], first["行号"], first["字段"], first["观察值"], first["是否接收"]) == (
        "学位论文与实践成果（thesis）", "1", "学籍编号", "1061120230001", "未接收",
    )  # fmt: skip
    by_record = {r["来源记录编号"]: r for r in lines}
    assert by_record["S2"]["观察值"] == "'" + rows.FORMULA
    assert by_record["S4"]["观察值"] == facts.HIDDEN
    assert by_record["S1"]["观察值"] == "（空）"
    assert by_record["S3"]["是否接收"] == "已豁免"
    sheet = fastexcel.read_excel(tmp_path / "10611.xlsx").load_sheet("逐行问题", header_row=1).to_polars()
    assert len(sheet.filter(pl.col("根因编号") == "cause-student")) == 30
    said = str(Text((tmp_path / "10611.html").read_text(encoding="utf-8")))
    assert "共 45 行，这里是前 20 行，工作簿“逐行问题”列前 30 行，全部见 10611-rows.csv" in said
    assert not (tmp_path / "10611-resolved.csv").exists()


def test_a_csv_that_is_no_longer_needed_goes(tmp_path, feedback_dsn):
    (tmp_path / "10611-rows.csv").write_text("yesterday", encoding="utf-8")
    with psycopg.connect(feedback_dsn) as connection:
        feedback.build(connection, rows.RUN, rows.AS_OF, "", ["10611"], tmp_path)
    assert not (tmp_path / "10611-rows.csv").exists()


def test_a_systematic_error_is_no_matter_of_single_rows():
    group = {
        "kind": "systematic", "cause_entity": None, "cause_key": None, "records": 28785, "fix": "按日期填写。",
        "cause_rule_ids": [], "batch_id": None, "observed_value": None,
    }  # fmt: skip
    assert "28,785 条记录全部不合格，不是个别记录填错，不要逐条更正" in wording.remedy(group)
