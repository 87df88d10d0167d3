"""How a run ended is said alike everywhere: success, partial or failed; what cannot be asked for is refused at once."""

import importlib.util
from datetime import date

import psycopg
import pytest
from typer.testing import CliRunner

from yuyan import runs, settings
from yuyan.commands import report
from yuyan.commands.cli import app
from yuyan.domain import labels
from yuyan.load.outcome import Outcome

DAY = date(2026, 10, 15)


@pytest.mark.parametrize(
    ("asked", "entities", "says"),
    [
        (["30000"], [], "单位 30000（没有 30000.yml）"),
        (["10611", "30000", "x"], [], "单位 30000（没有 30000.yml）；单位 x"),
        ([], ["nosuch"], "实体 nosuch"),
        (["30000"], ["nosuch", "student"], "单位 30000（没有 30000.yml）；实体 nosuch"),
        (["10611"], ["enterprise"], "单位 10611 不报送 enterprise"),
        (["10611", settings.COMMISSION], ["student"], "单位 50000 不报送 student"),
    ],
)
def test_what_there_is_not_is_refused_by_name_and_nothing_starts(
    asked, entities, says, tmp_path, monkeypatch
):
    with pytest.raises(runs.BadRequest, match="参数有误") as refused:
        runs.visits(asked, entities)
    assert says in str(refused.value)
    monkeypatch.setenv("YUYAN_HOME", str(tmp_path / "home"))
    options = [f"--institution={code}" for code in asked] + [f"--entity={entity}" for entity in entities]
    for mode in ("recollect", "remap"):
        ended = CliRunner().invoke(app, ["replay", mode, *options])
        assert ended.exit_code == 2, ended.output
        assert not (tmp_path / "home").exists()


def test_who_is_visited():
    everyone = runs.visits([], [])
    assert settings.COMMISSION in everyone
    assert runs.visits(["10611"], ["student"]) == ["10611"]
    assert runs.visits([], ["student"]) == [code for code in everyone if code != settings.COMMISSION]
    assert runs.visits([], ["enterprise"]) == [settings.COMMISSION]
    assert runs.visits(["10611"], [], nobody=True) == []


@pytest.mark.database
@pytest.mark.parametrize(
    ("results", "state", "says"),
    [
        ({"10611": "success", "10618": "success"}, "success", []),
        ({"10611": "partial", "10611 student": "failed", "10618": "success"}, "partial", ["10611 student：x"]),
        ({"10611": "partial", "10611 student": "held", "10618": "success"}, "partial", ["10611 student：x"]),
        ({"10611": "partial", "10618": "success"}, "partial", ["10611：x"]),  # a delivery that cannot be read
        ({"10611": "failed", "10618": "success"}, "partial", ["10611：x"]),
        ({"10618": "success"}, "partial", []),  # the task of 10611 never began
        ({"10611": "failed", "10618": "failed"}, "failed", ["10611：x", "10618：x"]),
    ],
)  # fmt: skip
def test_a_collection_ends_as_its_parts_did(warehouse, results, state, says):
    runs.open_run("run", "collect", DAY)
    with psycopg.connect(warehouse) as connection:
        for key, outcome in results.items():
            code, _, entity = key.partition(" ")
            error = None if outcome == "success" else "x"
            Outcome(entity, outcome, error=error).record(connection, "run", code)
    if state == "failed":
        with pytest.raises(runs.CollectionFailed):
            runs.finish_collection("run", ["10611", "10618"])
    else:
        runs.finish_collection("run", ["10611", "10618"])
    (run,) = report.last_runs(warehouse)
    assert run["state"] == runs.state_of("run") == state
    if state == "failed":  # mended, and the tasks cleared
        with psycopg.connect(warehouse) as connection:
            for code in ("10611", "10618"):
                Outcome("", "success").record(connection, "run", code)
        runs.finish_collection("run", ["10611", "10618"])
        assert runs.state_of("run") == "success"
        return
    assert state in labels.RUN_STATES
    assert report.unfinished(warehouse, {"collect": "run"}) == says


@pytest.mark.parametrize(
    ("result", "label"),
    [
        (None, "10611 重庆大学"),
        ({"failed": [], "held": []}, "10611 重庆大学"),
        (
            {"failed": ["student"], "held": ["thesis"]},
            "10611 重庆大学（部分完成，失败：student；暂缓：thesis）",
        ),
    ],
)
def test_the_grid_names_what_did_not_come(result, label):
    assert runs.label_of("10611", result) == label


def test_the_demonstration_is_installed_beside_the_product():
    """The commands above are its; without it there is no replay to refuse."""
    assert importlib.util.find_spec("yuyan_demo")
