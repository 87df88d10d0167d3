"""A city in a work folder of its own: `yuyan run` as a user calls it, and what the warehouse held afterwards."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import psycopg

from yuyan_demo.runtime import postgres
from yuyan_demo.simulator import population, truth

SCALE = "0.01"
KEY = ["src_inst_code", "entity", "src_record_id", "rule_id", "severity"]


@dataclass(frozen=True)
class Day:
    """What the warehouse held after one run, and what the simulator says it must hold."""

    number: int
    output: str
    status: dict
    truth: Path
    indicators: pl.DataFrame
    failures: set[tuple]
    accepted: dict[tuple[str, str], int]
    batches: pl.DataFrame
    collection: pl.DataFrame


@dataclass
class City:
    """A work folder in which the line runs."""

    home: Path
    institutions: Path
    """Institution files of its own, which a test may change."""
    _addresses: dict[str, str] = field(default_factory=dict)

    def yuyan(self, *arguments: str, timeout: int = 900) -> subprocess.CompletedProcess:
        """The command as a user calls it."""
        return subprocess.run(
            self._command(*arguments), env=self._environment(), capture_output=True, text=True, timeout=timeout,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen:
        """The command, started and not waited for."""
        quiet = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
        return subprocess.Popen(self._command(*arguments), env=self._environment() | variables, **quiet)

    def _command(self, *arguments: str) -> list[str]:
        return [str(Path(sys.executable).with_name("yuyan")), *arguments]

    def _environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("YUYAN_", "AIRFLOW_", "DBT_"))}
        own = {"YUYAN_HOME": str(self.home), "YUYAN_INSTITUTIONS": str(self.institutions), "COLUMNS": "200"}
        return kept | own

    def dsn(self, role: str) -> str:
        """Address for a read-only role, as printed; asked once."""
        if role not in self._addresses:
            self._addresses[role] = self.yuyan("dsn", "warehouse", "--role", role).stdout.strip()
        return self._addresses[role]

    def rows(self, query: str) -> list[tuple]:
        """All rows of a query of an auditor."""
        with psycopg.connect(self.dsn("auditor")) as connection:
            return connection.execute(query).fetchall()

    def owner(self) -> str:
        """Address for the pipeline's own role: raw and accepted rows are nobody else's to read."""
        return postgres.dsn(self.home / "pg", "warehouse")

    def run(self, number: int) -> Day:
        """Run the next day and take down what the warehouse then holds."""
        done = self.yuyan("run", "--scale", SCALE)
        assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-4000:] + self.logs()
        with psycopg.connect(self.owner()) as connection:
            return Day(
                number=number,
                output=done.stdout,
                status=json.loads(self.yuyan("status", "--json").stdout),
                truth=self.truth(number),
                indicators=pl.read_database(
                    "select variant_code, grain, unit_code, period_code, numerator::float8, denominator::float8 "
                    "from marts.indicator_value",
                    connection,
                    infer_schema_length=None,
                ),
                failures=set(
                    connection.execute(
                        f"select {', '.join(KEY)} from quality.row_failure where resolved_run_id is null"
                    )
                ),
                accepted={
                    (entity, code): rows
                    for (entity,) in connection.execute(
                        "select distinct entity from ops.contract_field"
                    ).fetchall()
                    for code, rows in connection.execute(
                        f"select src_inst_code, count(*) from accepted.{entity} group by 1"
                    )
                },
                batches=pl.read_database(
                    "select b.*, r.is_balanced from ops.batch b left join (select batch_id, bool_and(is_balanced) "
                    "as is_balanced from ops.reconciliation group by 1) r using (batch_id)",
                    connection,
                    infer_schema_length=None,
                ),
                collection=pl.read_database(
                    "select * from ops.collection_result", connection, infer_schema_length=None
                ),
            )

    def truth(self, number: int) -> Path:
        """Write what the simulator says that the warehouse must hold on a day; returns the folder."""
        folder = self.home.parent / "truth" / f"day_{number}"
        truth.write(population.build(scale=float(SCALE), day=number), folder)
        return folder

    def logs(self) -> str:
        """The ends of the services' logs, for a failure that speaks for itself."""
        return "".join(
            f"\n== {path.name}\n" + "".join(path.read_text(errors="replace").splitlines(keepends=True)[-15:])
            for path in sorted((self.home / "logs").glob("*.log"))
        )
