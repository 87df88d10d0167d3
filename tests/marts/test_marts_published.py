"""What consumers of the marts rely on does not change under them."""

import copy

import pytest

from yuyan import settings
from yuyan.pages import published

CHANGES = {
    "a removed column": lambda t: t["student_flow"].pop("residual_count"),
    "a renamed column": lambda t: t["student_flow"].update(
        rest_count=t["student_flow"].pop("residual_count")
    ),
    "a retyped column": lambda t: t["industry_projects"].update(contract_count="bigint"),
    "a removed table": lambda t: t.pop("institution_profile"),
}


def test_the_snapshot_covers_every_mart():
    models = {p.stem for p in (settings.DBT_PROJECT / "models" / "marts").rglob("*.sql")}
    assert models == set(published.snapshot()[1])


@pytest.mark.parametrize("change", CHANGES)
def test_a_loss_needs_a_major_version(change):
    version, tables = published.snapshot()
    now = copy.deepcopy(tables)
    CHANGES[change](now)
    major, minor = (int(part) for part in version.split("."))
    assert published.breaking(tables, now)
    assert published.problems(version, tables, version, now)
    assert published.problems(version, tables, f"{major}.{minor + 1}", now)
    assert published.problems(version, tables, f"{major + 1}.0", now) == []


def test_an_addition_needs_nothing():
    version, tables = published.snapshot()
    now = copy.deepcopy(tables)
    now["student_flow"]["transfer_count"] = "integer"
    assert published.breaking(tables, now) == []
    assert published.problems(version, tables, version, now) == []


def test_a_version_does_not_go_back():
    version, tables = published.snapshot()
    major = int(version.partition(".")[0])
    assert published.problems(version, tables, f"{major - 1}.0", tables)


def test_a_column_that_was_published_is_not_dropped_unnoticed(monkeypatch):
    tables = copy.deepcopy(published.snapshot()[1])
    del tables["student_flow"]["residual_count"]
    monkeypatch.setattr(published, "declared_tables", lambda: tables)
    with pytest.raises(published.PublishedError, match=r"student_flow\.residual_count is gone"):
        published.text()
