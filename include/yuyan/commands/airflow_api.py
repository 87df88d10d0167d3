"""A client for the few calls of Airflow's public REST API (v2) that `yuyan` makes."""

import time
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from yuyan.commands.console import OperatorError

ATTEMPTS = 5
PAGE = 100
"""What Airflow gives at once."""
WORKING = ["queued", "running"]
ENDED = ("success", "failed", "skipped", "upstream_failed", "removed")
AHEAD = timedelta(minutes=1)
"""How far a run may lie ahead of Airflow's clock: one that is waited for rather than given up."""


class AirflowError(OperatorError):
    """Airflow refused a call; the message says which and why, `status` is its HTTP status (None: no answer)."""

    status: int | None = None


class ClockPutBack(OperatorError):
    """A run that Airflow leaves alone until its clock has come again to where it was when the run began."""


class Client:
    """One logged-in session with an Airflow, the embedded or a deployed one."""

    def __init__(self, base_url: str, user: str, password: str):
        # trust_env off: a proxy of the user's network has no business between two processes of one deployment.
        self._http = httpx.Client(base_url=base_url, timeout=30, trust_env=False)
        self._credentials = {"username": user, "password": password}
        self._now: datetime | None = None

    def call(self, method: str, path: str, **arguments: Any) -> Any:
        """The JSON answer of `/api/v2<path>`, None where there is no body. Logs in when it has to. Raises AirflowError.

        A question is asked again when the server is too busy to answer; what changes something is sent once.
        """
        answer = self._send(method, f"/api/v2{path}", **arguments)
        # A token of another time of the clock is refused as forbidden.
        if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            token = self._send("POST", "/auth/token", json=self._credentials)
            if token.is_error:
                raise AirflowError(
                    f"Airflow refuses the login of {self._credentials['username']}: {token.text}"
                )
            self._http.headers["Authorization"] = f"Bearer {token.json()['access_token']}"
            answer = self._send(method, f"/api/v2{path}", **arguments)
        if answer.is_error:
            refused = AirflowError(f"Airflow answers {answer.status_code} to {method} {path}: {answer.text}")
            refused.status = answer.status_code
            raise refused
        return answer.json() if answer.content else None

    def _send(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        attempts = ATTEMPTS if method == "GET" else 1
        while True:
            attempts -= 1
            try:
                answer = self._http.request(method, path, **arguments)
                if "date" in answer.headers:
                    self._now = parsedate_to_datetime(answer.headers["date"])
                return answer
            except httpx.TransportError as error:
                if not attempts:
                    where = f"Airflow at {self._http.base_url} does not answer {method} {path}"
                    raise AirflowError(f"{where}: {error!r}; see the log of its api-server") from error
                time.sleep(1)

    def health(self) -> dict[str, str | None]:
        """Component -> status; empty while the server does not answer."""
        try:
            answer = self._http.get("/api/v2/monitor/health", timeout=5)
        except httpx.TransportError:
            return {}
        return {name: part["status"] for name, part in answer.json().items()} if answer.is_success else {}

    def set_pool(self, name: str, slots: int, description: str) -> None:
        """Create the pool or give it the slots."""
        body = {"name": name, "slots": slots, "description": description, "include_deferred": False}
        try:
            self.call("PATCH", f"/pools/{name}", json=body)
        except AirflowError:
            self.call("POST", "/pools", json=body)

    def dags(self) -> dict[str, bool]:
        """Dag id -> is it paused."""
        found: dict[str, bool] = {}
        while True:
            page = self.call(
                "GET", "/dags", params={"limit": PAGE, "offset": len(found), "order_by": "dag_id"}
            )
            found |= {d["dag_id"]: d["is_paused"] for d in page["dags"]}
            if not page["dags"] or len(found) >= page["total_entries"]:
                return found

    def import_errors(self, since: float) -> list[str]:
        """DAG files that did not parse at or after a time (seconds since the epoch), with the trace."""
        errors = self.call("GET", "/importErrors")["import_errors"]
        return [
            f"{e['filename']}: {e['stack_trace']}"
            for e in errors
            if datetime.fromisoformat(e["timestamp"]).timestamp() >= since
        ]

    def unpause(self, dag_id: str) -> None:
        self.call("PATCH", f"/dags/{dag_id}", params={"update_mask": "is_paused"}, json={"is_paused": False})

    def trigger(self, dag_id: str, run_id: str, conf: dict[str, Any]) -> None:
        """Start a run with parameters."""
        self.call(
            "POST", f"/dags/{dag_id}/dagRuns", json={"dag_run_id": run_id, "logical_date": None, "conf": conf}
        )

    def run_state(self, dag_id: str, run_id: str) -> str | None:
        """`queued`, `running`, `success` or `failed`; None when there is no such run. Raises ClockPutBack."""
        try:
            run = self.call("GET", f"/dags/{dag_id}/dagRuns/{run_id}")
        except AirflowError as error:
            if error.status == httpx.codes.NOT_FOUND:
                return None
            raise
        if run["state"] in WORKING and self._is_ahead(run):
            raise ClockPutBack(
                f"{dag_id} {run_id} stands still until {run['run_after']}, since Airflow's clock has been put back to "
                f"{self._now}: run again, which gives it up and begins anew"
            )
        return run["state"]

    def give_up_runs_ahead(self) -> list[str]:
        """End the runs at work, of any DAG, that Airflow would leave alone until its clock has come to where it was."""
        found = self.call("GET", "/dags/~/dagRuns", params={"state": WORKING, "limit": 100})["dag_runs"]
        ahead = [(run["dag_id"], run["dag_run_id"]) for run in found if self._is_ahead(run)]
        for dag_id, run_id in ahead:
            path = f"/dags/{dag_id}/dagRuns/{run_id}"
            self.call("PATCH", path, params={"update_mask": "state"}, json={"state": "failed"})
            left = [task["task_id"] for task in self.tasks(dag_id, run_id) if task["state"] not in ENDED]
            for task_id in left:  # a teardown, for which the run would go on
                self.call("PATCH", f"{path}/taskInstances/{task_id}", json={"new_state": "failed"})
            if left:
                self.call("PATCH", path, params={"update_mask": "state"}, json={"state": "failed"})
        return [f"{dag_id} {run_id}" for dag_id, run_id in ahead]

    def _is_ahead(self, run: dict[str, Any]) -> bool:
        return self._now is not None and datetime.fromisoformat(run["run_after"]) > self._now + AHEAD

    def is_busy(self, dag_id: str) -> bool:
        """Does a run of the DAG work, or wait for its turn?"""
        path, parameters = f"/dags/{dag_id}/dagRuns", {"state": WORKING, "limit": 1}
        return self.call("GET", path, params=parameters)["total_entries"] > 0

    def runs_caused_by(self, dag_id: str, run_id: str) -> list[tuple[str, str]]:
        """(dag, run) that an asset event of this run has started."""
        events = self.call("GET", "/assets/events", params={"source_dag_id": dag_id, "source_run_id": run_id})
        return [(r["dag_id"], r["run_id"]) for e in events["asset_events"] for r in e["created_dagruns"]]

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Task instances of a run (id, mapped label, state, times)."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.call(
                "GET",
                f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances",
                params={"limit": 100, "offset": len(found)},
            )
            found += page["task_instances"]
            if len(found) >= page["total_entries"] or not page["task_instances"]:
                return found
