"""What every DAG of this project promises to the person who runs it at night."""

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from yuyan import runs, settings
from yuyan_demo.runtime import environment

DAGS = settings.PROJECT / "dags"
PER_INSTITUTION = ("override", "accountability")
"""Files of which there is a DAG per institution: whoever may see a DAG sees all of its runs."""
DESCRIBE = Path(__file__).with_name("describe_dags.py")


def describe(folder: Path, work: Path, **variables: str) -> dict:
    """Parse a DAG folder in a fresh process with an empty Airflow home."""
    output = work / "dags.json"
    env = environment.inherited() | {
        "AIRFLOW_HOME": str(work / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "YUYAN_HOME": str(work / "home"),
    }
    env.pop("YUYAN_COLLECT_SCHEDULE", None)
    subprocess.run(
        [sys.executable, str(DESCRIBE), str(folder), str(output)],
        env=env | variables, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return json.loads(output.read_text())


@pytest.fixture(scope="module")
def bag(tmp_path_factory) -> dict:
    return describe(DAGS, tmp_path_factory.mktemp("bag"))


@pytest.fixture(scope="module")
def tasks(bag) -> dict[str, dict]:
    """dag.task -> its settings."""
    return {
        f"{dag}.{task}": t for dag, content in bag["dags"].items() for task, t in content["tasks"].items()
    }


def test_the_bag_is_not_empty_and_every_file_is_in_it(bag):
    assert bag["errors"] == {}
    once = {"collect", "warehouse", "replay", "allocate", "housekeeping"}
    assert {path.stem for path in DAGS.glob("*.py")} == once | set(PER_INSTITUTION)
    of_each = {f"{kind}_{code}" for kind in PER_INSTITUTION for code in settings.institution_codes()}
    assert set(bag["dags"]) == once | of_each


def test_a_broken_file_is_noticed(tmp_path):
    (tmp_path / "broken.py").write_text("from airflow.sdk import dag\nraise RuntimeError('no')\n")
    assert len(describe(tmp_path, tmp_path)["errors"]) == 1


def test_importing_a_dag_file_imports_nothing_heavy(bag):
    assert bag["heavy"] == []


def test_every_dag_says_what_to_do_first(bag):
    for dag_id, dag in bag["dags"].items():
        assert "先做什么 / what to do first" in dag["doc_md"], dag_id
        steps = [line for line in dag["doc_md"].splitlines() if line.startswith(("1. ", "2. ", "3. "))]
        assert len(steps) == 3, dag_id


def test_every_dag_is_tagged_and_runs_once_at_a_time(bag):
    for dag_id, dag in bag["dags"].items():
        assert "渝研" in dag["tags"], dag_id
        if not dag_id.startswith(PER_INSTITUTION):  # their runs wait for people, one per request
            assert dag["max_active_runs"] == 1, dag_id
        assert dag["catchup"] is False, dag_id


def test_every_task_has_owner_retries_and_timeout(tasks):
    assert tasks
    for name, task in tasks.items():
        assert task["owner"] == "yuyan", name
        assert task["retries"] >= 1, name
        assert task["retry_delay"] >= 15, name
        assert task["timeout"], name


def test_platforms_are_visited_through_the_pool_with_a_readable_label(tasks):
    visits = {name: task for name, task in tasks.items() if task["is_mapped"]}
    assert set(visits) == {"collect.institution", "replay.institution"}
    for name, task in visits.items():
        assert task["pool"] == "platforms", name
        assert task["map_index_template"] == "{{ institution }}", name
    assert visits["collect.institution"]["backs_off"]


def test_one_failing_institution_stops_nobody(tasks):
    close = tasks["collect.close"]
    assert close["trigger_rule"].endswith("ALL_DONE")
    assert set(close["upstream"]) == {"plan", "institution"}


def test_collection_is_daily_at_two_in_chongqing_and_hands_over_by_assets(bag, tasks):
    assert bag["dags"]["collect"]["cron"] == ["0 2 * * *", "Asia/Shanghai"]
    assert bag["dags"]["warehouse"]["assets"] == ["raw"]
    assert tasks["collect.close"]["outlets"] == tasks["replay.close"]["outlets"] == ["raw"]
    assert tasks["warehouse.marts"]["outlets"] == ["marts"]


def test_the_simulated_calendar_does_not_follow_the_clock(tmp_path):
    assert describe(DAGS, tmp_path, YUYAN_COLLECT_SCHEDULE="")["dags"]["collect"]["cron"] is None


def test_the_line_is_the_graph(tasks):
    order = ["validate", "reconcile", "star", "indicators"]
    for before, after in pairwise(order):
        assert tasks[f"warehouse.{after}"]["upstream"] == [before]
    assert tasks["warehouse.docs"]["upstream"] == ["validate"]
    assert tasks["warehouse.assess"]["upstream"] == tasks["warehouse.estimate"]["upstream"] == ["indicators"]
    assert tasks["warehouse.changes"]["upstream"] == ["indicators"]
    assert sorted(tasks["warehouse.warn"]["upstream"]) == ["assess", "estimate"]
    assert sorted(tasks["warehouse.marts"]["upstream"]) == ["changes", "warn"]
    assert tasks["warehouse.feedback"]["upstream"] == ["warn"]


def test_a_warehouse_run_looks_for_what_it_left_however_it_ended(tasks):
    last = tasks["warehouse.follow_up"]
    assert last["is_teardown"]  # so that it does not decide how the run ended
    assert last["trigger_rule"].endswith("ALL_DONE_SETUP_SUCCESS")
    assert last["outlets"] == ["raw"]
    assert last["upstream"] == ["docs", "feedback", "marts"]


def test_an_approved_override_is_followed_by_a_replay(bag, tasks):
    assert bag["dags"]["override_10611"]["max_active_runs"] >= 100
    assert tasks["override_10611.decide"]["upstream"] == ["request"]
    assert tasks["override_10611.replay"]["upstream"] == ["decide"]


def test_an_allocation_is_reported_after_it_is_written(bag, tasks):
    assert bag["dags"]["allocate"]["cron"] is None
    assert tasks["allocate.report"]["upstream"] == ["allocate"]


def test_layers_show_their_models_from_the_prepared_manifest(tmp_path):
    manifest = tmp_path / "home" / "dbt" / "manifest.json"
    manifest.parent.mkdir(parents=True)
    node = {"resource_type": "model", "name": "dim_student", "fqn": ["yuyan", "star", "dim_student"]}
    node["description"] = "学生维\n第二行"
    manifest.write_text(json.dumps({"nodes": {"model.yuyan.dim_student": node}}))
    star = describe(DAGS, tmp_path)["dags"]["warehouse"]["tasks"]["star"]["doc_md"]
    assert "1 个模型" in star
    assert "- `dim_student` 学生维" in star


def test_files_are_wiring_only():
    for path in DAGS.glob("*.py"):
        code = path.read_text(encoding="utf-8").split('"""', 2)[2].strip().splitlines()
        assert len(code) <= 115, f"{path.name} has {len(code)} lines: move work into include/yuyan"


def test_nothing_is_reported_to_anybody(monkeypatch):
    monkeypatch.setenv("GX_ANALYTICS_ENABLED", "true")
    monkeypatch.setenv("AIRFLOW__SENTRY__SENTRY_ON", "True")
    secrets = dict.fromkeys(("fernet_key", "api_secret_key", "jwt_secret"), "x")
    env = environment.airflow(Path("/nowhere"), secrets, "postgresql://x", 1)
    assert {name: env[name] for name in environment.NO_TELEMETRY} == environment.NO_TELEMETRY
    for switch in (
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED",
        "DBT_SEND_ANONYMOUS_USAGE_STATS",
        "GX_ANALYTICS_ENABLED",
    ):
        assert env[switch].lower() == "false"
    assert env["DO_NOT_TRACK"] == "1"


def test_recollecting_a_window_is_no_full_comparison(monkeypatch):
    asked = []
    monkeypatch.setattr(runs, "collect", lambda *arguments, **named: asked.append((arguments, named)) or {})
    runs.redo("recollect", "10611", "r", ["student"], "3")
    runs.redo("recollect", "10611", "r", None)
    assert asked == [
        (("10611", "r", ["student"]), {"full": False, "since": "3"}),
        (("10611", "r", None), {"full": True, "since": None}),
    ]
