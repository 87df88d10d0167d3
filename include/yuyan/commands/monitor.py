"""`yuyan monitor`: /metrics (OpenMetrics) and /health of a line, for a monitoring system and a container's health check.

Airflow's own metrics (StatsD, OpenTelemetry) tell of its processes, and are silent about data while the line stands still;
these are read from the warehouse when they are asked for. Values carry codes of institutions and no personal datum.
"""

import logging
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest

from yuyan.commands import line_state, report
from yuyan.commands.airflow_api import Client

log = logging.getLogger(__name__)

HEALTHY = ("healthy", None)
"""Of Airflow's components; None is one that this deployment does not have."""
_WAITING = """
select 'hold' as what, src_inst_code, count(*) as n from quality.hold where state = 'waiting' group by 2
union all select 'problem', src_inst_code, count(*) from quality.problem where state = 'open' group by 2
union all select 'quarantined_row', src_inst_code, count(*) from quality.quarantine where state = 'open' group by 2
"""
_RUNS = """
select distinct on (kind) kind, extract(epoch from now() - coalesce(ended_at, started_at))::float8 as age, state from ops.run
order by kind, started_at desc
"""


class Line:
    """What is said about a line; a collector of Prometheus's client."""

    def __init__(self, dsn: str, airflow: Client | None) -> None:
        self._dsn, self._airflow = dsn, airflow

    def faults(self) -> list[str]:
        """Why the line does not move; nothing while it does. One institution that is late is not a fault of the line."""
        try:
            found = line_state.read(self._dsn).stuck
        except psycopg.OperationalError as error:
            return [f"数仓没有应答：{error}"]
        if self._airflow:
            health = self._airflow.health() or {"api-server": "no answer"}
            found += [f"Airflow {name}：{part}" for name, part in health.items() if part not in HEALTHY]
        return found

    def collect(self) -> Iterator[Metric]:
        """One gauge per question; see docs/operations.md."""
        state = line_state.read(self._dsn)
        age = _gauge("institution_age_seconds", "age of the last complete collection", ["institution"])
        objective = _gauge("institution_objective_seconds", "how old its data may become", ["institution"])
        fresh = _gauge("institution_fresh", "1 while the objective is met", ["institution"])
        for row in state.institutions:
            code = [row["inst_code"]]
            if row["age_hours"] is not None:
                age.add_metric(code, row["age_hours"] * 3600)
            objective.add_metric(code, row["fresh_hours"] * 3600)
            fresh.add_metric(code, row["is_fresh"])
        stuck = GaugeMetricFamily("yuyan_stuck", "reasons why the line does not move", value=len(state.stuck))
        runs = _gauge("run_age_seconds", "since the newest run of a kind ended, or began", ["kind", "state"])
        for row in report.rows(self._dsn, _RUNS):
            runs.add_metric([row["kind"], row["state"]], row["age"])
        waiting = _gauge(
            "waiting", "holds, problems and rows that wait for somebody", ["what", "institution"]
        )
        for row in report.rows(self._dsn, _WAITING):
            waiting.add_metric([row["what"], row["src_inst_code"]], row["n"])
        yield from (age, objective, fresh, stuck, runs, waiting)


def server(line: Line, host: str, port: int) -> ThreadingHTTPServer:
    """A server on this address, not yet serving. /health answers 200, or 503 with a reason per line."""
    registry = CollectorRegistry()
    registry.register(line)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                if self.path == "/metrics":
                    self._answer(200, CONTENT_TYPE_LATEST, generate_latest(registry))
                elif self.path == "/health":
                    faults = line.faults()
                    text = "\n".join(faults) if faults else "ok"
                    self._answer(503 if faults else 200, "text/plain; charset=utf-8", f"{text}\n".encode())
                else:
                    self._answer(404, "text/plain; charset=utf-8", b"/metrics, /health\n")
            except psycopg.Error as error:
                log.warning("%s", error)
                self._answer(503, "text/plain; charset=utf-8", "数仓没有应答\n".encode())

        def _answer(self, status: int, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Being asked every few seconds is no event."""

    return ThreadingHTTPServer((host, port), Handler)


def _gauge(name: str, text: str, labels: list[str]) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"yuyan_{name}", text, labels=labels)
