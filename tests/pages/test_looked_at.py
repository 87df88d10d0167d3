"""The pages as a person meets them: drawn by Chromium at a desk's width and a telephone's, read by keyboard and by axe.

Nothing is fetched: pages are opened from disk, and whatever they asked of a network would fail the test.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, sync_playwright

from yuyan.pages import dictionary, rules
from yuyan.validate import docs

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDTHS = (1280, 360)

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="Chromium is not installed (Debian: apt-get install chromium fonts-wqy-zenhei)"
)

CUT_OFF = """() => [...document.querySelectorAll('body *')].filter(e => {
  const box = e.getBoundingClientRect();
  if (!box.width || !e.checkVisibility() || e.closest('thead, .skip')) return false;
  const outside = box.right > innerWidth + 1 || box.left < -1;
  const clipped = getComputedStyle(e).overflowX !== 'visible' && e.scrollWidth > e.clientWidth + 1;
  return outside || (clipped && !['INPUT', 'SELECT'].includes(e.tagName));
}).slice(0, 5).map(e => e.outerHTML.slice(0, 200))"""

NOT_DRAWN = """() => {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 24;
  const pen = canvas.getContext('2d', {willReadFrequently: true});
  pen.font = '16px ' + getComputedStyle(document.body).fontFamily;
  const drawn = c => {
    pen.clearRect(0, 0, 24, 24);
    pen.fillText(c, 2, 18);
    return pen.getImageData(0, 0, 24, 24).data.join();
  };
  const missing = new Set([drawn('\\u{10FFFD}'), drawn('\\u{E000}'), drawn(' ')]);
  const found = document.body.innerText.match(/[\\u3000-\\u9fff\\uff00-\\uffef≥≤÷−→×…—]/gu);
  const signs = [...new Set(found)].filter(c => c.trim());
  return [signs.length, signs.filter(c => missing.has(drawn(c)))];
}"""

FOCUSED = """() => {
  const e = document.activeElement, style = getComputedStyle(e), box = e.getBoundingClientRect();
  return {name: e.id || e.className || e.tagName, tag: e.tagName, outline: style.outlineStyle, width: style.outlineWidth,
          visible: box.width > 1 && box.left >= 0 && box.right <= innerWidth};
}"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator[BrowserContext]:
    """One browser with a fresh profile for all tests of the module."""
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("chromium"), executable_path=CHROMIUM, headless=True, args=FLAGS
        )
        yield context
        context.close()


@pytest.fixture
def tab(browser) -> Iterator[Page]:
    """A tab that notes whatever is not a file and every error of a script."""
    page = browser.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: asked.append(str(error)))
    yield page
    page.close()
    assert [what for what in asked if not what.startswith("file://")] == []


@pytest.fixture(scope="module")
def paths(feedback_folder, pages_folder) -> dict[str, Path]:
    """Name -> the page's file."""
    return {
        "rules": pages_folder / rules.FILE,
        "dictionary": pages_folder / dictionary.FILE,
        "feedback": feedback_folder / "10611.html",
        "index": feedback_folder / "index.html",
    }


@pytest.fixture
def data_docs(work) -> Path:
    """Data Docs of one entity with a rule that holds and one that does not, built from kept results."""
    figures = {
        "element_count": 9,
        "unexpected_percent": 0.0,
        "details": {"unverifiable": 0, "by_institution": "{}"},
    }
    results = [
        {
            "kwargs": {"rule_id": f"QR.student.expected_end_on.{number}", "column": "expected_end_on",
                       "message": "预计毕业日期早于入学日期", "batch_id": "warehouse-judged",
                       "verdict": number, "verdicts": 2},
            "success": failing == 0,
            "result": figures | {"unexpected_count": failing, "observed_value": f"适用 9，不合格 {failing}，无法判断 0"},
        }
        for number, failing in ((1, 0), (2, 3))
    ]  # fmt: skip
    kept = {
        "run_id": "a_run_with_a_long_name__2026-11-28T20:06:24.520338+00:00",
        "as_of": "2026-10-15",
        "results": results,
    }
    kept["statistics"] = {
        "evaluated_expectations": 2, "successful_expectations": 1, "unsuccessful_expectations": 1, "success_percent": 50.0
    }  # fmt: skip
    folder = work / "gx" / "results"
    folder.mkdir(parents=True)
    (folder / "student.json").write_text(json.dumps(kept, ensure_ascii=False), encoding="utf-8")
    return docs.build_docs()


@pytest.mark.parametrize("width", WIDTHS)
def test_data_docs_are_read_at_both_widths(tab, data_docs, width):
    show(tab, data_docs, width)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    labels = "[...document.querySelectorAll('td')].map(e => getComputedStyle(e, '::before').content.replaceAll('\"', ''))"
    assert tab.evaluate(labels) == [f"{c}：" if width == 360 else "none" for c in docs.COLUMNS]
    tab.click("text=学籍")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.evaluate(CUT_OFF) == []
    text = tab.inner_text("body")
    assert "预计毕业日期早于入学日期" in text
    assert "适用 9，不合格 3" in text
    signs = "[...document.querySelectorAll('td i')].map(e => getComputedStyle(e, '::before').content.replaceAll('\"', ''))"
    assert sorted(tab.evaluate(signs)) == ["✓", "✗"]


def show(tab: Page, path: Path, width: int = 1280, anchor: str = "") -> None:
    tab.set_viewport_size({"width": width, "height": 900})
    tab.goto(path.as_uri() + (f"#{anchor}" if anchor else ""))


def narrow(tab: Page, name: str) -> None:
    """Leave one entity or indicator of a long page and open everything that is left."""
    if name in ("rules", "dictionary"):
        tab.select_option("#f-entity", "thesis")
        tab.wait_for_function("document.querySelectorAll('[data-item][hidden]').length > 5")
    tab.evaluate("document.querySelectorAll('details').forEach(e => { e.open = !e.closest('[hidden]') })")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["rules", "dictionary", "feedback", "index"])
def test_nothing_is_cut_off_and_the_mark_of_simulated_data_is_seen_at_once(tab, paths, name, width):
    show(tab, paths[name], width)
    marks = tab.locator(".mark, .notice").filter(has_text="模拟数据 / SIMULATED")
    assert marks.count() == 1
    box = marks.bounding_box()
    assert box["y"] + box["height"] < 900
    narrow(tab, name)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.evaluate(CUT_OFF) == []


@pytest.mark.parametrize("name", ["rules", "dictionary", "feedback"])
def test_every_sign_is_drawn(tab, paths, name):
    show(tab, paths[name])
    if name != "rules":
        narrow(tab, name)
    count, missing = tab.evaluate(NOT_DRAWN)
    assert count > 200
    if "数" in missing:
        pytest.skip("no Chinese font is installed (Debian: apt-get install fonts-wqy-zenhei)")
    assert missing == []


@pytest.mark.parametrize(
    ("name", "width"),
    [("rules", 360), ("dictionary", 360), ("feedback", 360), ("feedback", 1280), ("index", 1280)],
)
def test_axe_finds_nothing_serious(tab, paths, name, width):
    show(tab, paths[name], width)
    narrow(tab, name)
    tab.evaluate("document.querySelectorAll('[data-item][hidden]').forEach(e => e.remove())")
    results = Axe().run(tab, options={"resultTypes": ["violations"]}).response
    assert results["testEngine"]["name"] == "axe-core"
    assert len(results["passes"]) > 15
    grave = [v for v in results["violations"] if v["impact"] in ("serious", "critical")]
    said = [(v["id"], v["help"], [n["html"][:160] for n in v["nodes"][:3]]) for v in grave]
    assert said == [], json.dumps(said, ensure_ascii=False, indent=1)


def test_the_keyboard_reaches_what_a_reader_needs_and_shows_where_it_is(tab, pages_folder):
    show(tab, pages_folder / rules.FILE)
    reached = []
    for _ in range(8):
        tab.keyboard.press("Tab")
        reached.append(tab.evaluate(FOCUSED))
    assert [r["name"] for r in reached[:2]] == ["skip", "A"]
    assert [r["name"] for r in reached[2:7]] == ["q", "f-entity", "f-level", "f-severity", "BUTTON"]
    assert reached[7]["tag"] == "SUMMARY"
    assert all(r["outline"] == "solid" and r["width"] == "3px" and r["visible"] for r in reached)
    tab.keyboard.press("Enter")
    assert tab.locator("details[open]").count() == 1


def test_the_skip_link_leads_to_the_content(tab, paths):
    show(tab, paths["feedback"])
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.activeElement.id") == "main"


def test_search_and_filters_say_how_much_they_leave(tab, pages_folder):
    show(tab, pages_folder / rules.FILE)
    output = tab.locator("output")
    assert output.get_attribute("aria-live") == "polite"
    total = tab.locator("[data-item]").count()
    assert output.inner_text() == f"显示 {total} 条，共 {total} 条"
    tab.focus("#q")
    tab.keyboard.type("LEFT_ON 入学")
    tab.keyboard.press("Enter")
    left = tab.locator("[data-item]:not([hidden])")
    assert 0 < left.count() < 10
    assert "QR.student.left_on.13" in left.all_inner_texts()[0]
    assert output.inner_text() == f"显示 {left.count()} 条，共 {total} 条"
    entities = left.evaluate_all("items => new Set(items.map(e => e.dataset.entity)).size")
    assert tab.locator("section:visible").count() == entities < 5
    tab.select_option("#f-severity", "INFO")
    tab.wait_for_function("document.querySelector('output').textContent.startsWith('没有符合条件')")
    tab.click("button[type=reset]")
    tab.wait_for_function("!document.querySelector('[data-item][hidden]')")
    tab.select_option("#f-entity", "student")
    tab.select_option("#f-level", "3")
    tab.press("#q", "Enter")
    kept = tab.evaluate(
        "[...document.querySelectorAll('[data-item]:not([hidden])')].map(e => e.dataset.entity + e.dataset.level)"
    )
    assert set(kept) == {"student3"}


def test_a_rule_named_in_the_feedback_opens_where_the_link_leads(tab, paths):
    show(tab, paths["feedback"])
    tab.locator('a[href$="#QR.thesis.student_id.5"]').first.click()
    tab.wait_for_url("**/rule-directory.zh-CN.html#QR.thesis.student_id.5")
    rule = tab.locator("details:target")
    assert rule.get_attribute("open") is not None
    assert 0 <= rule.bounding_box()["y"] < 900


def test_pages_are_complete_without_their_script(browser, tab, paths, pages_folder):
    browser.new_cdp_session(tab).send("Emulation.setScriptExecutionDisabled", {"value": True})
    for name in ("rules", "dictionary"):
        show(tab, paths[name])
        assert not tab.locator("form.filter").is_visible()
        assert tab.locator("[data-item]:visible").count() == tab.locator("[data-item]").count() > 10
    show(tab, pages_folder / rules.FILE)
    tab.locator("summary").first.click()
    assert tab.locator("details[open] dl").first.is_visible()


def test_the_checks_notice_what_they_are_for(tab, paths):
    show(tab, paths["index"], 360)
    tab.evaluate(
        """document.querySelector('main').insertAdjacentHTML('beforeend',
        '<p style="width:500px">宽</p>' +
        '<p style="width:9em;overflow:hidden;white-space:nowrap">a line whose end is cut off</p>' +
        '<p style="color:#ccc">看不清</p><p>\\u{38FF0}\\uFF00</p>')"""
    )
    assert tab.evaluate("document.documentElement.scrollWidth") > 360
    found = tab.evaluate(CUT_OFF)
    assert any("宽" in html for html in found)
    assert any("cut off" in html for html in found)
    grave = {v["id"] for v in Axe().run(tab).response["violations"] if v["impact"] in ("serious", "critical")}
    assert "color-contrast" in grave
    assert "\uff00" in tab.evaluate(NOT_DRAWN)[1]
