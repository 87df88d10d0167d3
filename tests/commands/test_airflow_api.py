"""Airflow leaves a run alone whose time has not come: after its clock was put back, the runs that were at work."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from yuyan.commands.airflow_api import Client, ClockPutBack

NOW = datetime(2026, 10, 15, 8, tzinfo=UTC)


@pytest.fixture
def ended() -> list[str]:
    """Runs that were told to end."""
    return []


@pytest.fixture
def client(ended) -> Client:
    """An Airflow at NOW with a run that began a day from now, one that began now, and one that has ended ahead."""
    runs = {
        "ahead": ("running", NOW + timedelta(days=1)),
        "now": ("running", NOW + timedelta(seconds=20)),
        "of-old": ("success", NOW),
        "over": ("success", NOW + timedelta(days=1)),
    }

    def shown(run_id: str) -> dict[str, str]:
        state, after = runs[run_id]
        return {
            "dag_id": "collect",
            "dag_run_id": run_id,
            "state": state,
            "run_after": after.isoformat().replace("+00:00", "Z"),
        }

    def answer(request: httpx.Request) -> httpx.Response:
        run_id, headers = request.url.path.rpartition("/")[2], {"date": format_datetime(NOW, usegmt=True)}
        if request.method == "PATCH":
            ended.append(f"{run_id} {next(iter(json.loads(request.content).values()))}")
        if request.url.path == "/auth/token":
            return httpx.Response(201, json={"access_token": "fresh"}, headers=headers)
        if run_id == "of-old" and request.headers.get("authorization") != "Bearer fresh":
            return httpx.Response(403, json={"detail": "Invalid JWT token"}, headers=headers)
        if run_id == "taskInstances":
            tasks = [{"task_id": "follow_up", "state": None}, {"task_id": "docs", "state": "skipped"}]
            return httpx.Response(200, json={"task_instances": tasks, "total_entries": 2}, headers=headers)
        if run_id in runs:
            return httpx.Response(200, json=shown(run_id), headers=headers)
        working = [shown(run) for run in runs if runs[run][0] in request.url.params.get_list("state")]
        return httpx.Response(200, json={"dag_runs": working}, headers=headers)

    client = Client("http://airflow.example", "somebody", "secret")
    client._http = httpx.Client(base_url="http://airflow.example", transport=httpx.MockTransport(answer))
    return client


def test_a_run_that_airflow_leaves_alone_is_named_and_not_waited_for(client):
    with pytest.raises(ClockPutBack, match=r"collect ahead stands still until 2026-10-16T08:00:00Z"):
        client.run_state("collect", "ahead")
    assert client.run_state("collect", "now") == "running"
    assert client.run_state("collect", "over") == "success"


def test_only_runs_ahead_are_given_up_with_the_tasks_that_would_go_on(client, ended):
    assert client.give_up_runs_ahead() == ["collect ahead"]
    assert ended == ["ahead failed", "follow_up failed", "ahead failed"]


def test_a_token_that_the_clock_has_spoilt_is_drawn_anew(client):
    assert client.run_state("collect", "of-old") == "success"
