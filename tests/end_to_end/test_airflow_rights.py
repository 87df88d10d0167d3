"""Account × DAG × endpoint of Airflow's API, asked of the real server: what is not listed as allowed is refused.

The endpoints are those of the Airflow that is installed, its interface's own included: one that a new version brings is
refused to a steward, or this test says so.
"""

import json
import re
from collections.abc import Iterator

import httpx
import pytest
from airflow.api_fastapi.core_api.routes.public import public_router
from airflow.api_fastapi.core_api.routes.ui import ui_router

from yuyan_demo.runtime import services

pytestmark = [pytest.mark.end_to_end, pytest.mark.database]

STEWARD = "data-10611-1"
OWN, FOREIGN, ALL = "override_10611", "warehouse", "~"
OTHERS = "override_10617"
"""The same DAG of another institution."""
SHORT = {
    "TASK": "RUN/taskInstances/{task_id}",
    "RUN": "/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}",
}
OF_OWN_DAG = {
    "GET": """
        /api/v2/dags/{dag_id} /api/v2/dags/{dag_id}/details /api/v2/dags/{dag_id}/tasks /api/v2/dags/{dag_id}/tasks/{task_id}
        /api/v2/dags/{dag_id}/dagVersions /api/v2/dags/{dag_id}/dagVersions/{version_number}
        /api/v2/dags/{dag_id}/dagRuns RUN RUN/wait RUN/hitlDetails RUN/taskInstances
        TASK TASK/dependencies TASK/externalLogUrl/{try_number} TASK/links TASK/listMapped TASK/logs/{try_number}
        TASK/state-store TASK/state-store/{key:path} TASK/tries TASK/tries/{task_try_number}
        TASK/{map_index} TASK/{map_index}/dependencies TASK/{map_index}/tries TASK/{map_index}/tries/{task_try_number}
        TASK/{map_index}/hitlDetails TASK/{map_index}/hitlDetails/tries/{try_number}
        /ui/calendar/{dag_id} /ui/gantt/{dag_id}/{run_id} /ui/grid/runs/{dag_id} /ui/grid/structure/{dag_id}
        /ui/grid/ti_summaries/{dag_id} /ui/dags/{dag_id}/deadlineAlerts /ui/dags/{dag_id}/latest_run
        /ui/dags/{dag_id}/dagRuns/{dag_run_id}/deadlines /ui/dags/{dag_id}/dagRuns/{dag_run_id}/stats
    """,
    "POST": """
        /api/v2/dags/{dag_id}/dagRuns /api/v2/dags/{dag_id}/dagRuns/list
        RUN/taskInstances/list
        /api/v2/dags/{dag_id}/favorite /api/v2/dags/{dag_id}/unfavorite
    """,
    "PATCH": "TASK/{map_index}/hitlDetails",
}
"""Of `override` and `accountability` of the own institution: look, ask for a run, answer what waits."""
TO_EVERYBODY = {
    "GET": """
        /api/v2/monitor/health /api/v2/version /api/v2/auth/login /api/v2/dags /api/v2/dagStats /api/v2/dagTags
        /ui/auth/me /ui/auth/menus /ui/config /ui/dags /ui/backfills /ui/dashboard/dag_stats
        /ui/dashboard/historical_metrics_data
    """,
    "POST": "/ui/auth/token",
}
"""Of no DAG: who am I, and lists from which Airflow leaves out what the account may not see."""
NOT_FOUND = {
    ("GET", "/api/v2/backfills/{backfill_id}"),
    ("PUT", "/api/v2/backfills/{backfill_id}/cancel"),
    ("PUT", "/api/v2/backfills/{backfill_id}/pause"),
    ("PUT", "/api/v2/backfills/{backfill_id}/unpause"),
    ("PUT", "/api/v2/parseDagFile/{file_token}"),
    ("GET", "/api/v2/connections/enqueue-test"),
}
"""These look the thing up before they ask who may: nobody finds what is not there (404)."""
LOGOUT = "/api/v2/auth/logout"
ONE = {"actions": [{"action": "delete", "entities": ["x"]}]}
A_RUN = {"dag_id": FOREIGN, "dag_run_id": "x"}
BODIES = {
    ("PATCH", "/api/v2/connections"): ONE,
    ("PATCH", "/api/v2/pools"): ONE,
    ("PATCH", "/api/v2/variables"): ONE,
    ("PATCH", "/api/v2/dags/{dag_id}/dagRuns"): {"actions": [{"action": "delete", "entities": [A_RUN]}]},
    ("POST", "/api/v2/dags/{dag_id}/clearDagRuns"): {"dag_runs": [A_RUN]},
    ("POST", "/api/v2/connections/enqueue-test"): {"connection_id": "x", "conn_type": "http"},
}
"""Of endpoints whose rights follow from the body."""
QUERIES = {
    ("GET", "/api/v2/backfills"): {"dag_id": FOREIGN},
    ("GET", "/ui/dashboard/historical_metrics_data"): {"start_date": "2020-01-01T00:00:00Z"},
}


def listed(table: dict[str, str]) -> set[tuple[str, str]]:
    found = set()
    for method, text in table.items():
        for short, path in SHORT.items():
            text = re.sub(rf"\b{short}\b", path, text)
        found |= {(method, path) for path in text.split()}
    return found


def endpoints() -> set[tuple[str, str]]:
    """(method, path) of everything that the server answers to people."""
    routes = [*public_router.routes, *ui_router.routes]
    return {(method, route.path) for route in routes for method in getattr(route, "methods", ())}


def asked(client: httpx.Client, *dags: str) -> Iterator[tuple[str, str, str, httpx.Response]]:
    """(DAG, method, path, answer); where the path names no DAG it is empty."""
    for method, path in sorted(endpoints()):
        if path == LOGOUT:
            continue
        for dag in dags if "{dag_id}" in path else ("",):
            filled = re.sub(r"\{(\w+)(:path)?\}", lambda m, dag=dag: dag if m[1] == "dag_id" else "0", path)
            body = {"json": BODIES.get((method, path), {})} if method != "GET" else {}
            answer = client.request(method, filled, params=QUERIES.get((method, path)), **body)
            yield dag, method, path, answer


@pytest.fixture(scope="module")
def steward(city, first) -> Iterator[httpx.Client]:
    base = services.load(city.home).airflow_url
    password = json.loads((city.home / "airflow" / "passwords.json").read_text())[STEWARD]
    with httpx.Client(base_url=base, timeout=60, trust_env=False) as client:
        token = client.post("/auth/token", json={"username": STEWARD, "password": password}).json()
        client.headers.update(
            {
                "Authorization": f"Bearer {token['access_token']}",
                "Airflow-Connection-Test-Token": "x",
            }
        )
        yield client


def test_a_steward_is_refused_every_endpoint_that_is_not_listed(steward):
    """`~` stands for every DAG: what is read of it is the steward's, what would change another's is refused."""
    allowed, lost, of_all = set(), set(), set()
    for dag, method, path, answer in asked(steward, OWN, OTHERS, FOREIGN, ALL):
        if answer.status_code == httpx.codes.NOT_FOUND and (method, path) in NOT_FOUND:
            lost.add((method, path))
        elif answer.status_code == httpx.codes.FORBIDDEN:
            continue
        elif dag == ALL:
            of_all.add((method, path))
        else:
            allowed.add((dag, method, path))
        if dag != OWN:
            assert '"warehouse"' not in answer.text, (method, path)
            assert '"collect"' not in answer.text, (method, path)
            assert OTHERS not in answer.text, (method, path)
    assert allowed == {(OWN, *e) for e in listed(OF_OWN_DAG)} | {("", *e) for e in listed(TO_EVERYBODY)}
    assert lost == NOT_FOUND
    assert of_all < listed(OF_OWN_DAG)
    assert ("GET", "/api/v2/dags/{dag_id}/dagRuns") in of_all


def test_nobody_without_an_account_gets_in(city, first):
    with httpx.Client(base_url=services.load(city.home).airflow_url, timeout=60, trust_env=False) as client:
        open_to_all = {
            (method, path)
            for _, method, path, answer in asked(client, OWN)
            if answer.status_code != httpx.codes.UNAUTHORIZED
        }
    assert open_to_all == {
        ("GET", "/api/v2/monitor/health"),
        ("GET", "/api/v2/version"),
        ("GET", "/api/v2/auth/login"),
    }
