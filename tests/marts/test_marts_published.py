"""What consumers of the marts rely on does not change under them."""

import copy

import published
import pytest

CHANGES = {
    "a removed column": lambda t: t["student_flow"].pop("residual_count"),
    "a renamed column": lambda t: t["student_flow"].update(
        rest_count=t["student_flow"].pop("residual_count")
    ),
    "a retyped column": lambda t: t["industry_projects"].update(contract_count="bigint"),
    "a removed table": lambda t: t.pop("institution_profile"),
}


def test_the_models_are_what_is_published():
    version, tables = published.snapshot()
    now = published.declared_tables()
    assert published.problems(version, tables, published.declared_version(), now) == []
    assert (version, tables) == (published.declared_version(), now), "run: python tests/marts/published.py"


def test_the_snapshot_covers_every_mart():
    models = {p.stem for p in (published.settings.DBT_PROJECT / "models" / "marts").rglob("*.sql")}
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


def test_an_addition_needs_a_minor_version():
    version, tables = published.snapshot()
    now = copy.deepcopy(tables)
    now["student_flow"]["transfer_count"] = "integer"
    major, minor = (int(part) for part in version.split("."))
    assert published.breaking(tables, now) == []
    assert published.problems(version, tables, version, now) == [
        "student_flow.transfer_count is new: raise the minor version"
    ]
    assert published.problems(version, tables, f"{major}.{minor + 1}", now) == []
    assert published.problems(version, tables, f"{major}.{minor - 1}", tables)


def test_a_refused_change_leaves_the_snapshot(tmp_path, monkeypatch):
    kept = tmp_path / "marts.yml"
    kept.write_text(published.SNAPSHOT.read_text(encoding="utf-8"), encoding="utf-8")
    before = kept.read_bytes()
    tables = copy.deepcopy(published.snapshot()[1])
    del tables["student_flow"]["residual_count"]
    monkeypatch.setattr(published, "SNAPSHOT", kept)
    monkeypatch.setattr(published, "declared_tables", lambda: tables)
    with pytest.raises(ValueError, match=r"student_flow\.residual_count is gone"):
        published.write()
    assert kept.read_bytes() == before
