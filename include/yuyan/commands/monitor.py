"""`yuyan monitor`: /metrics (OpenMetrics) and /health of a line, for a monitoring system and a container's health check.

The gauges are read from the warehouse when they are asked for, so that a line that stands still is told of as well. The same
are sent by Airflow's own metrics where those are switched on (`yuyan.runs.send_gauges`).
"""

import logging
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest

from yuyan import line_state
from yuyan.commands.airflow_api import Client

log = logging.getLogger(__name__)

HEALTHY = ("healthy", None)
"""Of Airflow's components; None is one that this deployment does not have."""


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
        """The line's gauges, one family each."""
        families: dict[str, GaugeMetricFamily] = {}
        for gauge in line_state.gauges(self._dsn):
            family = families.setdefault(
                gauge.name, GaugeMetricFamily(f"yuyan_{gauge.name}", gauge.text, labels=list(gauge.labels))
            )
            family.add_metric(list(gauge.labels.values()), gauge.value)
        yield from families.values()


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
