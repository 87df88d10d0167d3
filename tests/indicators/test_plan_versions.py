"""A new version of the plan stands beside the old one: added by one command, compared by another."""

import csv
import shutil

import pytest

from yuyan import settings
from yuyan.commands import plan
from yuyan.domain import indicators


@pytest.fixture
def seeds(tmp_path):
    """A copy of the plan's seeds."""
    return shutil.copytree(settings.SEEDS / "plan", tmp_path / "plan")


@pytest.fixture
def files(tmp_path):
    """A copy of the indicators' files."""
    return shutil.copytree(settings.INDICATORS, tmp_path / "indicators")


def rows(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_version_is_added_and_the_old_one_stays(seeds, files):
    before = {seed: rows(seeds / f"{seed}.csv") for seed in plan.VERSIONED}
    added = plan.copy("2026-draft", "2026-final", "正式文本", "Final text", seeds, files)
    for seed, old in before.items():
        now = rows(seeds / f"{seed}.csv")
        assert added[seed] == len(old) > 0
        assert now[: len(old)] == old
        assert now[len(old) :] == [row | {"doc_version": "2026-final"} for row in old]
    assert rows(seeds / "plan_version.csv")[-1] == {
        "doc_version": "2026-final",
        "name_zh": "正式文本",
        "name_en": "Final text",
        "milestones_of": "2026-draft",
    }


def test_every_seed_with_versions_is_copied():
    versioned = {
        path.stem
        for path in (settings.SEEDS / "plan").glob("*.csv")
        if "doc_version" in path.read_text(encoding="utf-8").splitlines()[0].split(",")
    }
    assert versioned == {*plan.VERSIONED, "plan_version", "target", "target_path"}


def test_every_indicator_has_its_targets_in_both_versions(seeds, files):
    before = indicators.read(files)
    assert plan.copy("2026-draft", "2026-final", "正式文本", "Final text", seeds, files)["targets"] > 0
    after = indicators.read(files)
    for code, old in before.items():
        for rows_before, rows_after in (
            (old.targets, after[code].targets),
            (old.steps, after[code].steps),
        ):
            wanted = [*rows_before, *(row | {"doc_version": "2026-final"} for row in rows_before)]
            assert sorted(map(str, rows_after)) == sorted(map(str, wanted)), code


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("2025", "2026-final", "2026-draft"),
        ("2026-draft", "2026-draft", "已经存在"),
        ("2026-draft", "", "为空"),
    ],
)
def test_a_version_that_cannot_be_added_changes_nothing(seeds, files, old, new, said):
    def content():
        return {path: path.read_bytes() for folder in (seeds, files) for path in folder.iterdir()}

    before = content()
    with pytest.raises(plan.PlanError, match=said):
        plan.copy(old, new, "名", "Name", seeds, files)
    assert content() == before


def test_only_what_differs_is_compared():
    def row(code, version, target):
        return {
            "code": code, "period_code": "2026", "doc_version": version, "target_display": target,
            "path_display": "1", "status_code": "GREEN",
        }  # fmt: skip

    draft = [
        row("H13", "draft", "≥ 40.0 %"),
        row("H04", "draft", "≥ 12.0 %"),
        row("H14", "draft", "> 50.0 %"),
    ]
    final = [row("H13", "final", "≥ 45.0 %"), row("H04", "final", "≥ 12.0 %")]
    assert plan.differences(draft + final) == [draft[0], final[0], draft[2]]
    assert plan.differences(draft) == []
