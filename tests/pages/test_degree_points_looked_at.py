"""The pages of degree points as a person meets them, and that they say what the marts hold."""

import json
import re
from datetime import date
from pathlib import Path

import psycopg
import pytest
from axe_playwright_python.sync_playwright import Axe
from psycopg.rows import dict_row
from test_looked_at import CHROMIUM, CUT_OFF, NOT_DRAWN, WIDTHS, browser, show, tab  # noqa: F401 - fixtures

from yuyan import settings
from yuyan.pages import degree_points

drawn = pytest.mark.skipif(
    CHROMIUM is None, reason="Chromium is not installed (Debian: apt-get install chromium fonts-wqy-zenhei)"
)
pytestmark = pytest.mark.database

KINDS = {
    "scored": "is_fully_scored and is_applied",
    "thin": "scored_count = 0 and is_applied",
    "excluded": "fit_state_code = 'EXCLUDED'",
}
"""Name -> which degree point of the newest year, the first of its kind."""


@pytest.fixture(scope="module")
def points_folder(simulated_city_dsn, tmp_path_factory) -> Path:
    """Folder with the pages of all degree points of the simulated city."""
    folder = tmp_path_factory.mktemp("points")
    with psycopg.connect(simulated_city_dsn) as connection:
        written = degree_points.build(connection, settings.SIMULATED, folder=folder)
        (count,) = connection.execute(
            "select count(*) from marts.degree_point_monitor where monitor_year = 2026"
        ).fetchone()
    assert written["points"] == count == len(list(folder.glob("[0-9]*.html")))
    return folder


@pytest.fixture(scope="module")
def paths(points_folder, simulated_city_dsn) -> dict[str, Path]:
    """Name -> page: the index, and a degree point of each kind."""
    with psycopg.connect(simulated_city_dsn) as connection:
        found = {
            name: connection.execute(
                f"select min(degree_point_id) from marts.degree_point_monitor where monitor_year = 2026 and {which}"
            ).fetchone()[0]
            for name, which in KINDS.items()
        }
    return {"index": points_folder / "index.html"} | {
        name: points_folder / degree_points.file_name(point) for name, point in found.items()
    }


@drawn
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["index", *KINDS])
def test_nothing_is_cut_off_and_nothing_grave_is_found(tab, paths, name, width):  # noqa: F811
    show(tab, paths[name], width)
    mark = tab.locator(".mark").filter(has_text="模拟数据 / SIMULATED").bounding_box()
    assert mark["y"] + mark["height"] < 900
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    if name == "index":  # all rows are of one template; the checks below take half a minute for six hundred
        tab.evaluate("document.querySelectorAll('main section:nth-of-type(n+2)').forEach(e => e.remove())")
        tab.evaluate(
            "document.querySelectorAll('nav li:nth-child(n+2), tr:nth-child(n+9)').forEach(e => e.remove())"
        )
    assert tab.evaluate(CUT_OFF) == []
    count, missing = tab.evaluate(NOT_DRAWN)
    assert count > 50
    if "数" not in missing:  # otherwise no Chinese font is installed
        assert missing == []
    results = Axe().run(tab, options={"resultTypes": ["violations"]}).response
    assert len(results["passes"]) > 15
    said = [(v["id"], v["help"], [n["html"][:160] for n in v["nodes"][:3]]) for v in results["violations"]]
    assert said == [], json.dumps(said, ensure_ascii=False, indent=1)


@drawn
def test_a_point_is_reached_from_the_index_and_leads_back(tab, paths):  # noqa: F811
    show(tab, paths["index"])
    tab.locator(f'a[href="{paths["scored"].name}"]').click()
    tab.wait_for_url(f"**/{paths['scored'].name}")
    assert [h.inner_text() for h in tab.locator("h2").all()] == [
        "是什么", "三项评分与同类", "逐年", "为什么", "立案与整改", "怎样重新计算"
    ]  # fmt: skip
    assert tab.locator("svg.range").count() == 3
    tab.locator("a", has_text="全部学位点").click()
    tab.wait_for_url("**/index.html")


def test_the_page_adds_up_to_the_scores_of_the_mart(paths, marts_of):
    text = paths["scored"].read_text(encoding="utf-8")
    sums = re.findall(r"<li>(\S+)：50 ((?:[+−] [\d.]+ ?)+)= ([\d.]+)</li>", text)
    assert [name for name, _, _ in sums] == list(degree_points.DIMENSIONS.values())
    scores = marts_of("fit_score, contribution_score, distinctiveness_score", paths["scored"].stem)
    for (_, terms, total), score in zip(sums, scores, strict=True):
        parts = [float(t) for t in terms.replace("− ", "-").replace("+ ", "").split()]
        assert float(total) == pytest.approx(score, abs=0.005)
        assert 50 + sum(parts) == pytest.approx(score, abs=0.005 * (len(parts) + 1))


@pytest.fixture(scope="module")
def marts_of(simulated_city_dsn):
    """Columns of a degree point's newest row."""

    def read(columns: str, point: str) -> tuple:
        with psycopg.connect(simulated_city_dsn) as connection:
            return connection.execute(
                f"select {columns} from marts.degree_point_monitor where degree_point_id = %s order by monitor_year desc",
                [point],
            ).fetchone()

    return read


def test_a_page_says_what_is_missing(paths):
    thin = paths["thin"].read_text(encoding="utf-8")
    assert "不足以评分。缺：" in thin
    assert "成果只报送到单位，没有学位点，无法归属" in thin
    assert "图中灰带" in thin
    assert "<svg" not in thin
    excluded = paths["excluded"].read_text(encoding="utf-8")
    assert "基础学科与人文学科不评适配度" in excluded


def test_the_steps_of_a_case_are_told_in_order(simulated_city_dsn, paths):
    point = paths["scored"].stem
    with psycopg.connect(simulated_city_dsn, row_factory=dict_row) as connection:
        years, signals = (
            connection.execute(
                f"select * from marts.{table} where degree_point_id = %s order by {order}", [point]
            ).fetchall()
            for table, order in (
                ("degree_point_monitor", "monitor_year"),
                ("degree_point_signal", "monitor_year, component_order"),
            )
        )
    step = {
        "case_id": 7,
        "is_by_line": False,
        "role_name": "处长",
        "document_no": "渝教研〔2026〕1号",
        "reason": "理由",
    }
    steps = [
        step | {"step_on": date(2026, 3, 1), "action_zh": "立案", "from_state_zh": "正常", "to_state_zh": "关注",
                "is_by_line": True, "role_name": None, "document_no": None},
        step | {"step_on": date(2026, 5, 2), "action_zh": "发出预警", "from_state_zh": "关注", "to_state_zh": "预警"},
    ]  # fmt: skip
    text = degree_points.page(years, signals, steps, settings.SIMULATED)
    assert "<p>无。</p>" not in text
    assert (
        text.index("正常 → 关注")
        < text.index("系统（不作决定）")
        < text.index("关注 → 预警")
        < text.index("渝教研〔2026〕1号")
    )


def test_a_page_tells_the_cases_that_there_are(simulated_city_dsn, points_folder):
    with psycopg.connect(simulated_city_dsn) as connection:
        rows = connection.execute(
            "select target_code, count(*) from marts.accountability_transition where target_kind_code = 'DP' group by 1"
        ).fetchall()
    told = {
        path.stem: text.count('data-label="案件"')
        for path in points_folder.glob("[0-9]*.html")
        if "<p>无。</p>" not in (text := path.read_text(encoding="utf-8"))
    }
    assert told == {point: steps for point, steps in rows if (points_folder / f"{point}.html").exists()}


def test_an_unknown_name_is_refused_and_an_institution_means_all_of_its_points(simulated_city_dsn, tmp_path):
    with psycopg.connect(simulated_city_dsn) as connection:
        with pytest.raises(degree_points.NoPoints, match="99999"):
            degree_points.build(connection, "", ["99999"], tmp_path)
        connection.rollback()
        written = degree_points.build(connection, "", ["10650"], tmp_path)
    assert written["points"] == len(list(tmp_path.iterdir())) > 5
    assert not (tmp_path / "index.html").exists()


def test_a_number_from_a_source_is_no_path():
    assert degree_points.file_name("../x/10611") == "..%2Fx%2F10611.html"
