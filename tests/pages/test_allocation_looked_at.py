"""The report of an allocation as a person meets it: in the browser, in the spreadsheet program, twice the same."""

import csv
import json
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import psycopg
import pytest
from axe_playwright_python.sync_playwright import Axe
from test_looked_at import CHROMIUM, CUT_OFF, NOT_DRAWN, WIDTHS, browser, show, tab  # noqa: F401 - fixtures

from yuyan import settings
from yuyan.allocate import run, scheme
from yuyan.pages import allocation

SPREADSHEET = shutil.which("soffice")
BUDGET = scheme.load("default").budget_cny

drawn = pytest.mark.skipif(
    CHROMIUM is None, reason="Chromium is not installed (Debian: apt-get install chromium fonts-wqy-zenhei)"
)
calculated = pytest.mark.skipif(
    SPREADSHEET is None, reason="LibreOffice is not installed (Debian: apt-get install libreoffice-calc)"
)
pytestmark = pytest.mark.database


@drawn
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["index", "10611", "10647"])
def test_nothing_is_cut_off_and_nothing_grave_is_found(tab, allocation_folder, name, width):  # noqa: F811
    show(tab, allocation_folder / f"{name}.html", width)
    mark = tab.locator(".mark").filter(has_text="模拟数据 / SIMULATED").bounding_box()
    assert mark["y"] + mark["height"] < 900
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.evaluate(CUT_OFF) == []
    count, missing = tab.evaluate(NOT_DRAWN)
    assert count > 200
    if "数" not in missing:  # otherwise no Chinese font is installed
        assert missing == []
    results = Axe().run(tab, options={"resultTypes": ["violations"]}).response
    assert len(results["passes"]) > 15
    said = [(v["id"], v["help"], [n["html"][:160] for n in v["nodes"][:3]]) for v in results["violations"]]
    assert said == [], json.dumps(said, ensure_ascii=False, indent=1)


@drawn
def test_an_institutions_page_is_reached_from_the_city_and_leads_back(tab, allocation_folder):  # noqa: F811
    show(tab, allocation_folder / "index.html")
    tab.locator("#money ~ table a", has_text="重庆大学").first.click()
    tab.wait_for_url("**/10611.html")
    assert "得到多少，为什么" in tab.locator("h1").inner_text()
    tab.locator("a", has_text="全部单位").click()
    tab.wait_for_url("**/index.html")


def test_the_city_page_gives_every_yuan(allocation_folder):
    text = (allocation_folder / "index.html").read_text(encoding="utf-8")
    grants = [int(g.replace(",", "")) for g in re.findall(r'data-label="拨款">([\d,]+)<', text)]
    assert len(grants) == 15
    assert sum(grants) == BUDGET
    assert len(list(allocation_folder.glob("[0-9]*.html"))) == 15


def test_an_institutions_page_says_what_would_have_changed_it(allocation_folder):
    text = (allocation_folder / "10631.html").read_text(encoding="utf-8")
    for said in (
        "钱是怎么算出来的",
        "得分从哪里来",
        "什么会改变它",
        "有多可靠",
        "最有利的几个数是",
        "视为并列",
    ):
        assert said in text


def test_the_same_run_has_the_same_report_to_the_last_byte(
    city, quick_schemes, allocation_folder, tmp_path, monkeypatch
):
    monkeypatch.setenv("YUYAN_SCHEMES", str(quick_schemes))
    number = run.allocate(city, "default")["allocation_id"]
    with psycopg.connect(city) as connection:
        allocation.build(connection, number, settings.SIMULATED, tmp_path)
    names = {p.name for p in allocation_folder.iterdir()}
    assert {p.name for p in tmp_path.iterdir()} == names
    assert len(names) == 17
    assert [n for n in names if (tmp_path / n).read_bytes() != (allocation_folder / n).read_bytes()] == []


@calculated
def test_the_spreadsheet_program_computes_every_formula_anew(allocation_folder, tmp_path):
    """The results that the workbook brings along are taken out, so that what is read was computed by LibreOffice."""
    bare = tmp_path / "bare.xlsx"
    formulas = _without_results(allocation_folder / "allocation.xlsx", bare)
    assert formulas > 60
    sheets = _as_csv(bare, tmp_path)
    assert len(sheets) == 11
    assert [n for n, text in sheets.items() if re.search(r"Err:|#(N/A|NAME|VALUE|REF|DIV)", text)] == []
    lines = list(csv.reader(sheets["拨款"].splitlines()))
    head, totals = lines[1], lines[-1]
    assert totals[0] == "合计"
    whole = dict(zip(head, totals, strict=True))
    assert float(whole["拨款（整元）"]) == BUDGET
    assert float(whole["限前"]) == pytest.approx(BUDGET, abs=0.1)
    assert float(whole["取整前"]) == pytest.approx(BUDGET, abs=0.1)


def _without_results(source: Path, target: Path) -> int:
    """Copy a workbook without the cached results of its formulas; returns the number of formulas."""
    formulas = 0
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name.startswith("xl/worksheets/sheet"):
                text, found = re.subn(r"</f><v>[^<]*</v>", "</f>", content.decode())
                content, formulas = text.encode(), formulas + found
            new.writestr(name, content)
    return formulas


def _as_csv(workbook: Path, folder: Path) -> dict[str, str]:
    """Sheet -> its content as LibreOffice shows it, numbers in full."""
    subprocess.run(
        [
            SPREADSHEET, f"-env:UserInstallation={(folder / 'profile').as_uri()}", "--headless", "--convert-to",
            "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,false,false,false,false,-1", "--outdir",
            str(folder / "csv"), str(workbook),
        ],
        check=True, capture_output=True, timeout=180,
    )  # fmt: skip
    found = {p.stem.partition("-")[2]: p.read_text(encoding="utf-8") for p in (folder / "csv").glob("*.csv")}
    return found
