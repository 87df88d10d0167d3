"""Account × DAG × endpoint of Airflow's API, asked of the real server: what is not listed as allowed is refused.

The endpoints are all that the API server of the installed Airflow has, also those for its interface, for tasks at work and
for logging in: one that a new version brings is refused to a steward, or this test says so.
"""

import json
import re
from collections.abc import Iterable, Iterator

import httpx
import pytest
from airflow.api_fastapi.app import create_app, purge_cached_app
from airflow.api_fastapi.execution_api.routes import execution_api_router
from cadwyn import Cadwyn
from starlette.routing import BaseRoute, Mount

from yuyan import access
from yuyan_demo.runtime import services

pytestmark = [pytest.mark.end_to_end, pytest.mark.database]

OWN, FOREIGN, ALL = "override_10611", "warehouse", "~"
OTHERS = "override_10617"
"""The same DAG of another institution."""
THEIRS = {"data-10611-1": {OWN}, "jw-data-1": {OWN, OTHERS}}
"""Account of a university, of the commission -> which of these DAGs it may work with."""
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
        /api/v2/dags /api/v2/dagStats /api/v2/dagTags
        /ui/auth/me /ui/auth/menus /ui/config /ui/dags /ui/backfills /ui/dashboard/dag_stats
        /ui/dashboard/historical_metrics_data
    """,
    "POST": "/ui/auth/token",
}
"""Of no DAG: who am I, and lists from which Airflow leaves out what the account may not see."""
NOBODYS = {
    "GET": """
        /api/v2/monitor/health /api/v2/version /api/v2/auth/login
        /execution/health /execution/health/ping
        /docs /docs/oauth2-redirect /redoc /openapi.json
        /auth/docs /auth/docs/oauth2-redirect /auth/redoc /auth/openapi.json
        /execution/docs /execution/docs/oauth2-redirect /execution/redoc /execution/openapi.json /execution/changelog
        /health /api/v1/{_:path} /api/{_:path} /static/{file:path} /{rest_of_path:path}
        /auth/static/{file:path} /auth/{rest_of_path:path}
    """,
    "POST": "/auth/token /auth/token/cli",
}
"""To whoever asks: is the server well, how are its endpoints called, its interface without any content, the login."""
NOT_FOUND = {
    ("GET", "/api/v2/backfills/{backfill_id}"),
    ("PUT", "/api/v2/backfills/{backfill_id}/cancel"),
    ("PUT", "/api/v2/backfills/{backfill_id}/pause"),
    ("PUT", "/api/v2/backfills/{backfill_id}/unpause"),
    ("PUT", "/api/v2/parseDagFile/{file_token}"),
    ("GET", "/api/v2/connections/enqueue-test"),
}
"""These look the thing up before they ask who may: nobody finds what is not there (404)."""
PREFIXES = {"/api/v2/", "/ui/", "/execution/", "/auth/"}
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


def reached(routes: Iterable[BaseRoute], prefix: str = "") -> Iterator[tuple[str, str]]:
    """(method, path) of routes and of all that is mounted below them."""
    for route in routes:
        path = prefix + route.path
        if not isinstance(route, Mount):
            yield from ((method, path) for method in route.methods - {"HEAD"})
        elif isinstance(route.app, Cadwyn):  # its versions are made when it is first called
            yield from reached([*route.app.router.routes, *execution_api_router.routes], path)
        else:
            yield from reached(route.routes, path) if route.routes else [("GET", f"{path}/{{file:path}}")]


@pytest.fixture(scope="module")
def endpoints(tmp_path_factory) -> list[tuple[str, str]]:
    """Of everything that the API server answers."""
    with pytest.MonkeyPatch.context() as patch:
        passwords = tmp_path_factory.mktemp("airflow") / "passwords.json"
        patch.setenv("AIRFLOW__CORE__AUTH_MANAGER", f"{access.__name__}.{access.AuthManager.__name__}")
        patch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE", str(passwords))
        patch.setenv(access.ACCOUNTS, "yuyan:admin")
        found = sorted(set(reached(create_app().routes)))
        purge_cached_app()
    assert {prefix for prefix in PREFIXES for _, path in found if path.startswith(prefix)} == PREFIXES
    return found


def asked(
    client: httpx.Client, endpoints: list[tuple[str, str]], *dags: str
) -> Iterator[tuple[str, str, str, httpx.Response]]:
    """(DAG, method, path, answer); where the path names no DAG it is empty."""
    for method, path in endpoints:
        if path == LOGOUT:
            continue
        for dag in dags if "{dag_id}" in path else ("",):
            filled = re.sub(r"\{(\w+)(:path)?\}", lambda m, dag=dag: dag if m[1] == "dag_id" else "0", path)
            body = {"json": BODIES.get((method, path), {})} if method != "GET" else {}
            answer = client.request(method, filled, params=QUERIES.get((method, path)), **body)
            yield dag, method, path, answer


@pytest.fixture(scope="module", params=THEIRS)
def steward(request, city, first) -> Iterator[httpx.Client]:
    base = services.load(city.home).airflow_url
    password = json.loads((city.home / "airflow" / "passwords.json").read_text())[request.param]
    with httpx.Client(base_url=base, timeout=60, trust_env=False) as client:
        token = client.post("/auth/token", json={"username": request.param, "password": password}).json()
        client.headers.update(
            {
                "Authorization": f"Bearer {token['access_token']}",
                "Airflow-Connection-Test-Token": "x",
            }
        )
        yield client


def test_a_steward_is_refused_every_endpoint_that_is_not_listed(steward, endpoints, request):
    """`~` stands for every DAG: what is read of it is the steward's, what would change another's is refused."""
    theirs = THEIRS[request.node.callspec.params["steward"]]
    allowed, lost, of_all = set(), set(), set()
    for dag, method, path, answer in asked(steward, endpoints, OWN, OTHERS, FOREIGN, ALL):
        if answer.status_code == httpx.codes.NOT_FOUND and (method, path) in NOT_FOUND:
            lost.add((method, path))
        elif answer.status_code == httpx.codes.FORBIDDEN:
            continue
        elif dag == ALL:
            of_all.add((method, path))
        else:
            allowed.add((dag, method, path))
        for name in {OWN, OTHERS} - theirs - {dag}:
            assert name not in answer.text, (method, path)
        if dag not in theirs:
            assert '"warehouse"' not in answer.text, (method, path)
            assert '"collect"' not in answer.text, (method, path)
    of_theirs = {(dag, *e) for dag in theirs for e in listed(OF_OWN_DAG)}
    assert allowed == of_theirs | {("", *e) for e in listed(TO_EVERYBODY) | listed(NOBODYS)}
    assert lost == NOT_FOUND
    assert of_all < listed(OF_OWN_DAG)
    assert ("GET", "/api/v2/dags/{dag_id}/dagRuns") in of_all


def test_nobody_without_an_account_gets_in(city, first, endpoints):
    refused = (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)
    with httpx.Client(base_url=services.load(city.home).airflow_url, timeout=60, trust_env=False) as client:
        open_to_all = {
            (method, path)
            for _, method, path, answer in asked(client, endpoints, OWN)
            if answer.status_code not in refused
        }
    assert open_to_all == listed(NOBODYS)
