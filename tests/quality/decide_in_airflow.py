"""Run by test_override_dag.py in a process of its own, since Airflow reads its configuration when it is imported.

Runs the DAGs of an institution with their real operators and Airflow's own API beside it: while a run waits for a decision,
people answer over the API, each logged in as themselves. Reads a JSON list of {"dag", "conf", "answers": [[user, option,
what was filled in]]}; writes for each what the API said to the answers, what people were shown, how the tasks ended and
which runs were triggered.
"""

import json
import sys
import threading
import time
from pathlib import Path

from airflow.api_fastapi.app import create_app
from airflow.dag_processing.dagbag import DagBag
from airflow.models.dagrun import DagRun
from airflow.utils.db import initdb
from airflow.utils.session import create_session
from fastapi.testclient import TestClient

from yuyan import settings

PATIENCE = 60


def main(asked: str, output: str) -> None:
    cases = json.loads(Path(asked).read_text(encoding="utf-8"))
    initdb()
    passwords = json.loads((settings.home() / "passwords.json").read_text())
    with TestClient(create_app()) as client:
        tokens = {
            user: client.post("/auth/token", json={"username": user, "password": password}).json()[
                "access_token"
            ]
            for user, password in passwords.items()
        }
        probed = probe(client, tokens["data-10611-1"])
        said = [play(client, tokens, case) | {"probed": probed} for case in cases]
    Path(output).write_text(json.dumps(said, default=str), encoding="utf-8")


def probe(client: TestClient, token: str) -> dict[str, int]:
    """What Airflow's API answers to a steward who asks for more than overrides."""
    run, own = "/dags/{}/dagRuns/some-run", "override_10611"
    asked = [
        ("PATCH", "/dags/collect", {"is_paused": True}),
        ("POST", "/dags/warehouse/dagRuns", {"logical_date": None, "conf": {"as_of": "2099-01-01"}}),
        ("POST", "/dags/replay/dagRuns", {"logical_date": None}),
        ("DELETE", run.format("warehouse"), None),
        ("DELETE", run.format(own), None),
        ("PATCH", run.format(own), {"state": "success"}),
        ("GET", run.format(own.replace("10611", "10617")), None),
        ("POST", f"/dags/{own.replace('10611', '10617')}/dagRuns", {"logical_date": None}),
        ("GET", f"{run.format('collect')}/taskInstances/institution/logs/1", None),
        ("GET", f"{run.format('collect')}/taskInstances/plan/xcomEntries/return_value", None),
        ("GET", "/dags/collect/details", None),
        ("GET", "/connections", None),
        ("GET", "/variables", None),
        ("GET", "/pools", None),
        ("GET", "/config", None),
        ("GET", "/eventLogs", None),
        ("GET", "/assets/events", None),
    ]
    headers = {"Authorization": f"Bearer {token}"}
    return {
        f"{method} {path}": client.request(method, f"/api/v2{path}", json=body, headers=headers).status_code
        for method, path, body in asked
    }


def play(client: TestClient, tokens: dict[str, str], case: dict) -> dict:
    """One run from its start to its end."""
    # anew: a run leaves its parameters in the object
    dag = DagBag(settings.PROJECT / "dags").dags[case["dag"]]
    said = {"answers": []}
    people = threading.Thread(target=answer, args=(client, tokens, case, said), daemon=True)
    people.start()
    run = dag.test(run_conf=case["conf"], logical_date=None)
    people.join(PATIENCE)
    with create_session() as session:
        said["tasks"] = {ti.task_id: str(ti.state) for ti in session.merge(run).get_task_instances()}
        triggered = session.query(DagRun).filter(DagRun.dag_id == "replay").all()
        said["triggered"] = [{"dag": r.dag_id, "conf": r.conf, "state": str(r.state)} for r in triggered]
    return said


def answer(client: TestClient, tokens: dict[str, str], case: dict, said: dict) -> None:
    """Wait until the run asks, then answer as these people, one after the other."""
    anybody = {"Authorization": f"Bearer {next(iter(tokens.values()))}"}
    for user, option, filled_in in case["answers"]:
        deadline = time.monotonic() + PATIENCE
        while not (waiting := pending(client, anybody, case["dag"])) and time.monotonic() < deadline:
            time.sleep(0.2)
        said.setdefault("shown", waiting)
        instance = waiting["task_instance"]
        reply = client.patch(
            f"/api/v2/dags/{case['dag']}/dagRuns/{instance['dag_run_id']}/taskInstances/{instance['task_id']}/-1/hitlDetails",
            headers={"Authorization": f"Bearer {tokens[user]}"},
            json={"chosen_options": [option], "params_input": filled_in},
        )
        said["answers"].append(reply.status_code)


def pending(client: TestClient, headers: dict[str, str], dag_id: str) -> dict | None:
    """What waits for an answer, as Airflow's page of required actions asks for it."""
    found = client.get(
        f"/api/v2/dags/{dag_id}/dagRuns/~/hitlDetails", headers=headers, params={"response_received": False}
    ).json()
    waiting = [d for d in found.get("hitl_details", []) if d["task_instance"]["state"] == "awaiting_input"]
    return waiting[0] if waiting else None


if __name__ == "__main__":
    main(*sys.argv[1:])
