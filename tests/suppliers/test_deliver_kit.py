"""The deliverer's kit: it runs on a bare Python, reads what the line reads, and says of it what the line says."""

import ast
import csv
import hashlib
import io
import json
import re
import subprocess
import sys
import zipfile
from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest
import source_errors
import xlsxwriter
from test_foreign_institutions import COURSES, UNITS

from yuyan import settings
from yuyan.collect import mapping, privacy, workbook_check
from yuyan.collect.connect import source as connected
from yuyan.collect.file_faults import said
from yuyan.collect.source import Meter, SourceError
from yuyan.domain import contracts, institutions
from yuyan.suppliers import kit
from yuyan.suppliers.deliver import delivery, tables, values

DAY = date(2026, 10, 15)
ODD = [
    "", " ", "\u3000乙\ufeff", "\u200b", "００1 ", "a\u00adb", "Ｘ１\n", "是", "否", "Y", "TRUE", "maybe", "2024/9/1",
    "2024/09/01",     "2024-09-01", "20240901", "2024/9/1 00:00:00", "2024-09-01 08:00",
    "2024-09-01T00:00:00+08:00", "2024-08-31T16:00:00Z",
    "2024/13/1", "2024-02-30", "12.0", "-7.00", "007", "1.5e-05", "1E3", "8000.00", "若干", "A;Ｂ ;C", ";",
    "x" * 300, "\x85z", "Fak", "J", "N", "P", "1.9.2026", "13.09.2026", "19980901", "1.234,5", "-7,25", "1,2,3", "AI1, AI2,",
    "a|b\\c", "2500", "0.001",
]  # fmt: skip
"""Cells as people, programs and spreadsheets make them."""


def run(archive: Path, *arguments: object, code: int = 0) -> str:
    """Run the kit as a university does, on a Python that knows nothing but its standard library."""
    command = [sys.executable, "-I", "-S", str(archive), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=60)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def exported(folder: Path, name: str, rows: list[dict[str, str]], entity: str, facts: dict) -> Path:
    """A CSV file with the entity's header."""
    folder.mkdir(exist_ok=True)
    columns = delivery.header(facts["entities"][entity]["table"], facts)
    frame = pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String))
    frame.write_csv(folder / name, line_terminator="\r\n")
    return folder / name


def unit(number: int, **more: str) -> dict[str, str]:
    """A sound department of 10655."""
    row = {
        "记录编号": f"u{number}",
        "单位代码": "10655",
        "院系代码": f"{number:03d}",
        "院系名称": f"第{number}学院",
    }
    label = {f.name: f.label for f in contracts.load()["org_unit"].supplied}
    return row | {label["unit_kind"]: "10", label["is_entity"]: "是", label["valid_from"]: "2001/9/1"} | more


def plan(number: int, year: str, **more: str) -> dict[str, str]:
    """A sound admission plan."""
    label = {f.name: f.label for f in contracts.load()["admission_plan"].supplied}
    sample = contracts.load()["admission_plan"].sample
    own = {label["plan_year"]: year, label["issued_on"]: "2024/5/6"}
    row = {label[name]: value for name, value in sample.items()} | own
    return {"记录编号": f"p{number}"} | row | {label["revision_no"]: str(number)} | more


def test_the_kit_is_one_file_that_needs_nothing_but_python(institution, archive, tmp_path):
    assert kit.packed(institution) == archive.read_bytes(), "the same facts make the same file"
    with zipfile.ZipFile(archive) as packed:
        sources = {name: packed.read(name).decode() for name in packed.namelist() if name.endswith(".py")}
    for name, text in sources.items():
        tree = ast.parse(text, name, feature_version=(3, 10))
        for node in ast.walk(tree):
            modules = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module] if isinstance(node, ast.ImportFrom) else []
            for module in modules:
                top = module.split(".")[0]
                assert top in sys.stdlib_module_names or top == "yuyan", (name, module)
    assert "10655" in run(archive, "--help")
    run(archive, "template", "--to", tmp_path / "表头")
    header = (tmp_path / "表头" / "student.csv").read_text(encoding="utf-8-sig").strip().split(",")
    assert header[:2] == ["记录编号", "学籍编号"]


@pytest.mark.parametrize("whose", ["institution", "foreign"])
def test_every_cell_is_read_as_the_line_reads_it(request, whose):
    institution = request.getfixturevalue(whose)
    facts = kit.facts(institution)
    for entity in institution.entities:
        contract = contracts.load()[entity]
        how = institution.mapping(contract)
        rows = [dict.fromkeys(how.announced, cell) for cell in ODD]
        frame = pl.DataFrame(rows, schema=dict.fromkeys(how.announced, pl.String))
        landed = privacy.protect(frame, contract, how, b"key", 1)
        mapped = landed.select(mapping.columns(contract, how))
        ids = frame.select(mapping.record_id(how)).to_series()
        for row, want, record_id in zip(
            frame.iter_rows(named=True), mapped.iter_rows(named=True), ids, strict=True
        ):
            got = values.record(row, facts["entities"][entity], facts["formats"])
            people = {f.becomes for f in contract.fields if f.becomes}
            alike = {n: (v is not None) if n in people else v for n, v in got.items()}
            assert alike == {n: (v is not None) if n in people else v for n, v in want.items()}, (entity, row)
            assert values.record_id(row, facts["entities"][entity]) == (record_id or "")


@pytest.mark.parametrize("d", [d for d in source_errors.DELIVERIES if not d.limits], ids=lambda d: d.name)
def test_a_delivery_gets_the_words_that_the_line_has_for_it(facts, drop, tmp_path, monkeypatch, d):
    """The line's connector on the same folder says the same; what only the loader sees is in the catalogue's words.

    Limits are the line's own and not among them.
    """
    monkeypatch.setattr(workbook_check, "MOST_NOTED", source_errors.MOST_NOTED)
    code = drop.institution.inst_code
    folder = drop.folder / "20261015-01"
    folder.mkdir()
    content = d.content.replace(b"{code}", code.encode())
    digest = hashlib.sha256(content).hexdigest().encode()
    original = hashlib.sha256(d.content).hexdigest().encode()
    for name, data in d.files().items():
        target = folder / name if name != d.link else tmp_path / name
        target.write_bytes(content if name == "u.csv" else data.replace(original, digest))
        if name == d.link:
            (folder / name).symlink_to(target)
    faults = delivery.check(folder, facts).faults
    heard = "\n".join(fault.chinese for fault in faults)
    assert d.says in heard
    assert bool(faults) is not bool(d.loaded)
    line = drop.open()
    complaints, seen = list(line.complaints), []
    for window in line.windows("org_unit", None, False):
        try:
            seen += line.pages(window, Meter())
        except SourceError as error:
            complaints.append(str(error))
    told = [fault.chinese for fault in faults]
    for complaint in complaints:
        assert any(_alike(complaint, words) for words in told), (complaint, told)


def _alike(complaint: str, words: str) -> bool:
    """Whether the line's complaint is these words: up to the name of a parser's error, and its own words on a field."""
    until = {"不是约定的 CSV（": "（", "不是约定的工作簿（": "（", "清单不符合约定": "："}
    ends = [end for begin, end in until.items() if begin in words]
    start = words[: words.rindex(ends[0])] if ends and ends[0] in words else words
    return start in complaint


def test_a_workbook_is_read_as_the_line_reads_it(facts, drop, tmp_path):
    entity = contracts.load()["org_unit"]
    label = {f.name: f.label for f in entity.supplied}
    columns = ["记录编号", *label.values()]
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        day, moment = book.add_format({"num_format": "yyyy/m/d"}), book.add_format({"num_format": 22})
        for at, name in enumerate(columns):
            sheet.write_string(2, at + 1, f" {name} ")
        for number in range(1, 5):
            row = unit(number, 单位代码="")
            for at, name in enumerate(columns):
                sheet.write_string(2 + number, at + 1, row.get(name, ""))
        at = {name: index + 1 for index, name in enumerate(columns)}
        sheet.write_number(3, at[label["inst_code"]], 10655)
        sheet.write_number(4, at[label["unit_code"]], 2.5)
        sheet.write_boolean(3, at[label["is_entity"]], True)
        sheet.write_datetime(3, at[label["valid_from"]], datetime(2001, 9, 1), day)
        sheet.write_datetime(4, at[label["valid_from"]], datetime(2001, 9, 1, 8, 30), moment)
        sheet.write_rich_string(
            5, at[label["unit_name"]], "第", book.add_format({"bold": True}), "三", "学院"
        )
        sheet.write_formula(6, at[label["unit_name"]], '="第四学院"', None, "第四学院")
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "org_unit.xlsx").write_bytes(out.getvalue())
    rows = tables.read(folder / "org_unit.xlsx", "xlsx", None, facts["entities"]["org_unit"], facts)
    content = (folder / "org_unit.xlsx").read_bytes()
    entry = {"entity": "org_unit", "ref_period": "all", "file": "u.xlsx", "format": "xlsx", "rows": 4}
    _deliver(drop.folder / "20261015-01", {"u.xlsx": content}, [entry])
    line = drop.open()
    (window,) = line.windows("org_unit", None, False)
    how = drop.institution.mapping(entity)
    frame = pl.concat(page.frame for page in line.pages(window, Meter()))
    mapped = frame.select(mapping.columns(entity, how)).to_dicts()
    assert [row.values for row in rows] == mapped
    assert rows[0].values["valid_from"] == "2001-09-01"
    assert [row.line for row in rows] == [4, 5, 6, 7]


def _deliver(folder: Path, files: dict[str, bytes], entries: list[dict], sequence: int = 2026101501) -> None:
    """Write a delivery whose manifest is true."""
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    listed = [e | {"sha256": hashlib.sha256(files[e["file"]]).hexdigest()} for e in entries]
    manifest = {"producer": "x", "schema_version": "1", "sequence": sequence, "files": listed}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def test_what_is_built_is_what_the_line_reads(archive, facts, drop, tmp_path):
    source = tmp_path / "导出"
    exported(source, "org_unit.csv", [unit(1), unit(2)], "org_unit", facts)
    exported(source, "招生计划_2024.csv", [plan(1, "2024"), plan(2, "2025")], "admission_plan", facts)
    said_first = run(archive, "build", source, "--to", drop.folder, "--date", DAY)
    assert "没有发现问题" in said_first
    first = drop.folder / "20261015-01"
    assert sorted(path.name for path in first.iterdir()) == [
        "admission_plan_2024.csv", "admission_plan_2025.csv", "manifest.json", "org_unit_all.csv",
    ]  # fmt: skip
    assert [path.name for path in drop.folder.iterdir() if path.name.startswith(".")] == []
    assert (first / "org_unit_all.csv").read_bytes().decode("gb18030").startswith("记录编号,")
    (source / "招生计划_2024.csv").unlink()
    exported(source, "admission_plan.csv", [plan(2, "2025")], "admission_plan", facts)
    run(archive, "build", source, "--to", drop.folder, "--date", DAY)
    line, taken = drop.open(), []
    assert line.complaints == []
    for entity in ("org_unit", "admission_plan"):
        for window in line.windows(entity, None, False):
            rows = (
                []
                if window.already_loaded
                else [i for p in line.pages(window, Meter()) for i in p.frame["记录编号"]]
            )
            taken.append((window.delivery, entity, window.ref_period, window.already_loaded, rows))
    assert taken == [
        ("20261015-01", "org_unit", "all", False, ["u1", "u2"]),
        ("20261015-02", "org_unit", "all", True, []),
        ("20261015-01", "admission_plan", "2024", False, ["p1"]),
        ("20261015-01", "admission_plan", "2025", False, ["p2"]),
        ("20261015-02", "admission_plan", "2025", True, []),
        ("20261015-02", "admission_plan", "2024", False, []),
    ]


def test_exit_codes_and_what_is_written(archive, facts, tmp_path):
    source, to = tmp_path / "导出", tmp_path / "交付"
    bad = [unit(1), unit(2, 院系代码="001"), unit(3, 单位代码="10611"), unit(4, 院系名称="")]
    exported(source, "org_unit.csv", bad, "org_unit", facts)
    heard = run(archive, "build", source, "--to", to, "--strict", "--date", DAY, code=2)
    assert "没有生成交付" in heard
    assert not to.exists()
    heard = run(
        archive, "build", source, "--to", to, "--date", DAY, "--report", tmp_path / "问题.csv", code=1
    )
    listed = (tmp_path / "问题.csv").read_text(encoding="utf-8-sig")
    for rule in ("key.6", "inst_code.7", "unit_name.1"):
        assert f"QR.org_unit.{rule}" in heard
        assert f"QR.org_unit.{rule}" in listed
    again = json.loads(run(archive, "check", to / "20261015-01", "--json", code=1))
    assert [(f["rule_id"], f["record_id"], f["line"]) for f in again[0]["findings"]] == [
        ("QR.org_unit.unit_name.1", "u4", 5), ("QR.org_unit.key.6", "u2", 3), ("QR.org_unit.inst_code.7", "u3", 4),
    ]  # fmt: skip
    (source / "备注.csv").write_text("x", encoding="utf-8")
    assert "备注.csv 不知属于哪个实体" in run(archive, "build", source, "--to", to, code=2)
    assert "no/such" in run(archive, "build", "/no/such", "--to", to, code=2)
    assert "无法读取" in run(archive, "check", "/no/such", code=2)
    assert run(archive, "build", source / "org_unit.csv", "--to", "/proc/no", "--date", DAY, code=2)


def test_an_institution_with_names_and_forms_of_its_own_has_a_kit_as_well(foreign, tmp_path, monkeypatch):
    """The institution of the how-to: a file of semicolons and a workbook, columns, dates, codes and ids of its own."""
    (tmp_path / "kit.pyz").write_bytes(kit.packed(foreign))
    source, to = tmp_path / "export", tmp_path / "drop"
    source.mkdir()
    text = "".join(";".join(row) + "\r\n" for row in UNITS)
    (source / "bereich_2026.csv").write_bytes(text.encode("gb18030"))
    with xlsxwriter.Workbook(source / "lv.xlsx") as book:
        sheet = book.add_worksheet()
        for number, row in enumerate(COURSES):
            sheet.write_row(number, 0, row)
    to.mkdir()
    run(
        tmp_path / "kit.pyz",
        "build",
        source,
        "--to",
        to,
        "--date",
        DAY,
        "--report",
        tmp_path / "r.csv",
        code=1,
    )
    with open(tmp_path / "r.csv", encoding="utf-8-sig", newline="") as file:
        found = {(row["file"], row["line"], row["rule_id"], row["record_id"]) for row in csv.DictReader(file)}
    assert found == {
        ("lv.xlsx", "42", f"QR.course.{rule}", "LV900")
        for rule in ("course_rank_code.4", "credits.2", "active_from.2")
    }
    content = (to / "20261015-01" / "org_unit_all.csv").read_bytes().decode("gb18030")
    assert content.splitlines()[:2] == [
        "campus;nr;bezeichnung;art;real;von",
        "A;01;Bereich A1;Fak;J;19980901",
    ]
    assert "Müller" not in content, "a column that nobody asks for stays at home"

    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "airflow"))
    connection = json.dumps({"conn_type": "fs", "extra": {"path": str(to)}})
    monkeypatch.setenv(f"AIRFLOW_CONN_{foreign.connection.upper()}", connection)
    line = connected(foreign, DAY)
    line.open()
    facts = kit.facts(foreign)
    for entity, rows in (("org_unit", 16), ("course", 41)):
        (window,) = line.windows(entity, None, False)
        contract = contracts.load()[entity]
        how = foreign.mapping(contract)
        frame = pl.concat(page.frame for page in line.pages(window, Meter()))
        want = frame.select(mapping.columns(contract, how)).to_dicts()
        known = facts["entities"][entity]
        got = tables.read(to / "20261015-01" / window.path.name, "csv", None, known, facts)
        assert [row.values for row in got] == want
        assert [row.record_id for row in got] == frame.select(mapping.record_id(how)).to_series().to_list()
        assert len(got) == rows
    assert line.complaints == []
    assert "没有发现问题" not in run(tmp_path / "kit.pyz", "check", to / "20261015-01", code=1)


def test_several_entities_of_one_file_are_delivered_in_one(foreign_file, tmp_path):
    text = foreign_file.read_text(encoding="utf-8")
    foreign_file.write_text(text.replace('table: "lv.*"', 'table: "bereich*.csv"'), encoding="utf-8")
    (shared,) = institutions.load(foreign_file.parent).values()
    facts = kit.facts(shared)
    head = list(dict.fromkeys([*UNITS[0][:-1], *COURSES[0][:-1]]))
    one = dict(zip(UNITS[0], UNITS[1], strict=True)) | dict(zip(COURSES[0], COURSES[1], strict=True))
    other = (
        dict.fromkeys(head, "") | dict(zip(COURSES[0], COURSES[2], strict=True)) | {"campus": "A", "nr": "99"}
    )
    lines = [head, *([row.get(name, "") for name in head] for row in (one, other))]
    export = tmp_path / "bereich_x.csv"
    export.write_text("".join(";".join(line) + "\n" for line in lines), encoding="utf-8")
    report, folder = delivery.build([export], tmp_path / "drop", facts, DAY, only_sound=False)
    assert {entity: rows for _, entity, rows in report.files} == {"org_unit": 2, "course": 2}
    (listed,) = json.loads((folder / "manifest.json").read_text())["files"]
    assert (listed["entity"], listed["rows"]) == ("bereich*.csv", 2)
    again = delivery.check(folder, facts)
    assert ({entity: rows for _, entity, rows in again.files}, again.faults) == (
        {"org_unit": 2, "course": 2},
        [],
    )


def test_no_certificate_number_is_shown(archive, facts, tmp_path):
    label = {f.name: f.label for f in contracts.load()["student"].supplied}
    number = "500101199901011188"
    row = {
        "记录编号": "s1",
        label["cert_type"]: "1",
        label["cert_no"]: number,
        label["person_name"]: "欧阳机密",
    }
    exported(tmp_path / "导出", "student.csv", [row], "student", facts)
    heard = run(
        archive, "build", tmp_path / "导出", "--to", tmp_path / "交付", "--report", tmp_path / "r.csv", code=1
    )
    assert "QR.student.person_key.3" in heard
    for text in (heard, (tmp_path / "r.csv").read_text(encoding="utf-8-sig")):
        assert number not in text
        assert "欧阳机密" not in text


def test_the_page_for_universities_shows_what_the_kit_does(archive, facts, tmp_path):
    """Its commands with `python`, in the order of the page, on the export that the page tells of."""
    page = (settings.PROJECT / "docs" / "for-universities.zh-CN.md").read_text(encoding="utf-8")
    commands = [
        line.split()
        for block in re.findall(r"```console\n(.*?)```", page, re.S)
        for line in block.splitlines()
    ]
    assert [words[2] for words in commands] == ["template", "build", "check"]
    exported(
        tmp_path / "导出", "org_unit.csv", [unit(1), unit(2, 院系代码="001"), unit(3)], "org_unit", facts
    )
    (tmp_path / "交付工具").mkdir()
    (tmp_path / "交付工具" / "yuyan-deliver-10655.pyz").write_bytes(archive.read_bytes())
    said = [
        subprocess.run([sys.executable, *words[1:]], cwd=tmp_path, capture_output=True, text=True, timeout=60)
        for words in commands
    ]
    assert [done.returncode for done in said] == [0, 1, 1]
    shown = re.search(r"```\n(20261015-01：.*?)```", page, re.S)[1]
    assert shown in said[1].stdout
    assert shown in said[2].stdout.replace("20261015-01/org_unit_all.csv", "org_unit.csv")
    assert {path.name for path in (tmp_path / "交付").iterdir()} == {"20261015-01", "20261015-01.sftp"}
    assert (tmp_path / "问题.csv").exists()


def test_who_delivers_no_files_has_no_kit():
    with pytest.raises(kit.NoKit, match="10611"):
        kit.facts(institutions.load()["10611"])


def test_who_has_mapped_nothing_yet_is_told_what_to_do(foreign_file):
    foreign_file.write_text(foreign_file.read_text(encoding="utf-8").partition("entities:")[0])
    (bare,) = institutions.load(foreign_file.parent).values()
    with pytest.raises(kit.NoKit, match="yuyan check 19001"):
        kit.facts(bare)


def test_faults_say_something_in_both_languages():
    fault = said("rows", manifest=3, found=4)
    assert fault == ("清单为 3 行，文件为 4 行", "manifest 3 rows, file 4 rows")
