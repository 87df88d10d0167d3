"""Every sentence of the plan and every row of its annex is measured, or says why not."""

import csv

import pytest

from yuyan import settings
from yuyan.pages import coverage

NOT_COLLECTED: set[str] = set()
"""Sentences that have something to measure and no source yet. This set may only shrink."""


def test_every_clause_is_measured_or_says_why_not():
    states = {c.code: c.state for c in coverage.clauses()}
    assert {code for code, state in states.items() if state == coverage.MISSING} == NOT_COLLECTED
    assert all(len(c.nothing) > 8 for c in coverage.clauses() if c.state == coverage.NOTHING)


def test_the_plan_is_there_whole():
    found = coverage.clauses()
    codes = [c.code for c in found]
    assert len(set(codes)) == len(codes)
    with open(settings.SEEDS / "plan" / "action_item.csv", encoding="utf-8", newline="") as file:
        items = {r["item_code"]: f"{r['name_zh']}：{r['content_zh']}" for r in csv.DictReader(file)}
    assert {c.code: c.text for c in found if c.part == "list_row"} == items
    assert len(items) == 41
    numbered = {c.code.partition(".")[0] for c in found if c.part == "sentence" and c.code[0].isdigit()}
    assert numbered == {str(n) for n in range(21)}
    # every sentence with a target is among them
    with open(settings.SEEDS / "plan" / "plan_target_text.csv", encoding="utf-8", newline="") as file:
        phrases = [r["source_phrase"] for r in csv.DictReader(file)]
    text = "".join(c.text for c in found)
    assert [p for p in phrases if p not in text] == []


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("M14.3", "M99.9", "there is no indicator M99.9"),
        ("list_loop", "list_loops", "there is no mart list_loops"),
        ("overseas_study", "overseas", "there is no entity overseas"),
        ("制定目的，没有可测量的内容", "", "names no entity, indicator or mart"),
    ],
)
def test_a_wrong_name_and_an_empty_clause_are_refused(tmp_path, monkeypatch, before, after, message):
    changed = tmp_path / coverage.SEED.name
    changed.write_text(coverage.SEED.read_text(encoding="utf-8").replace(before, after), encoding="utf-8")
    monkeypatch.setattr(coverage, "SEED", changed)
    with pytest.raises(coverage.CoverageError, match=message):
        coverage.clauses()
