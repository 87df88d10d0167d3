"""What Airflow costs: parse time of each DAG file, and the `warehouse` DAG against the same steps called directly.

Runs a first day at the default scale (or SCALE) in a work folder of its own, takes the DAG run's wall time from Airflow,
then gives a copy of the warehouse, set back to what `collect` left, to the same functions in one plain process.
"""

import os
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import psycopg

from yuyan import settings
from yuyan_demo.runtime import environment, postgres, services

BUDGET = 2.5
HOME = Path(os.environ.get("YUYAN_HOME", settings.PROJECT / ".yuyan")) / "bench-home"
JUDGED = ("accepted", "quality", "judging", "estimates")
BUILT = ("reference", "plan", "star", "indicators", "marts")


def parse_times() -> dict[str, float]:
    """Seconds that each DAG file takes in a process where Airflow itself is imported already."""
    code = (
        "import sys, time; from airflow.dag_processing.dagbag import DagBag; DagBag('/nonexistent')\n"
        "for path in sys.argv[1:]:\n"
        "    started = time.perf_counter(); bag = DagBag(path); seconds = time.perf_counter() - started\n"
        "    assert len(bag.dags) == 1, (path, bag.import_errors)\n"
        "    print('seconds', path, seconds)"
    )
    files = sorted(map(str, (settings.PROJECT / "dags").glob("*.py")))
    env = environment.inherited() | {"AIRFLOW_HOME": str(HOME / "parse"), "YUYAN_HOME": str(HOME)}
    done = subprocess.run(
        [sys.executable, "-c", code, *files], env=env, check=True, capture_output=True, text=True
    )
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith("seconds ")]
    return {Path(path).name: float(seconds) for _, path, seconds in lines}


def first_day(env: dict[str, str]) -> None:
    """`yuyan run` in the benchmark's own folder."""
    scale = ["--scale", os.environ["SCALE"]] if os.environ.get("SCALE") else []
    subprocess.run(["yuyan", "run", *scale], env=env, check=True)


def dag_seconds(runtime: services.Runtime) -> float:
    """Wall time of the last `warehouse` run, from Airflow's own record."""
    run = runtime.client().call(
        "GET", "/dags/warehouse/dagRuns", params={"limit": 1, "order_by": "-start_date"}
    )
    started, ended = (datetime.fromisoformat(run["dag_runs"][0][name]) for name in ("start_date", "end_date"))
    return (ended - started).total_seconds()


def copy_before_validation(runtime: services.Runtime) -> str:
    """A copy of the warehouse in which nothing has been judged or built yet; returns its URL."""
    with psycopg.connect(postgres.dsn(runtime.home / "pg"), autocommit=True) as admin:
        admin.execute("create database direct template warehouse")
    dsn = postgres.dsn(runtime.home / "pg", "direct")
    with psycopg.connect(dsn) as connection:
        tables = connection.execute(
            "select format('%%I.%%I', schemaname, tablename) from pg_tables where schemaname = any(%s)",
            [list(JUDGED)],
        ).fetchall()
        connection.execute(f"truncate {', '.join(name for (name,) in tables)}")
        for schema in BUILT:
            connection.execute(f"drop schema if exists {schema} cascade")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("vacuum analyze")
    return dsn


def direct_seconds(runtime: services.Runtime, dsn: str) -> float:
    """The steps of the DAG one after the other in one fresh process, from its start to its end."""
    code = (
        "from datetime import date\n"
        "from yuyan import runs, settings, transform\n"
        "from yuyan.validate.run import validate\n"
        "from yuyan.validate.reconcile import reconcile\n"
        "from yuyan.validate.docs import build_docs\n"
        "from yuyan.estimate.run import estimate\n"
        "from yuyan.pages import feedback\n"
        "from yuyan.assess.run import assess\n"
        "day = settings.FIRST_AS_OF\n"
        "runs.open_run('direct', 'warehouse', day)\n"
        "validate('direct', day); reconcile('direct'); build_docs()\n"
        "for layer in ('star', 'indicators'): transform.run_layer(layer, 'direct', day)\n"
        "assess('direct', day); estimate('direct', day)\n"
        "transform.run_layer('marts', 'direct', day)\n"
        "runs.close_run('direct', 'success')\n"
        "feedback.after('direct', day)\n"
    )
    env = services.variables(runtime) | {"YUYAN_WAREHOUSE_DSN": dsn, "YUYAN_HOME": str(HOME)}
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], env=env, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    env = environment.inherited() | {"YUYAN_HOME": str(HOME)}
    subprocess.run(["yuyan", "clean"], env=env, check=True, stdout=subprocess.DEVNULL)
    try:
        first_day(env)
        for name, seconds in parse_times().items():
            print(f"parse {name:15} {seconds * 1000:6.0f} ms")
        runtime = services.load(HOME)
        scheduled = dag_seconds(runtime)
        direct = direct_seconds(runtime, copy_before_validation(runtime))
        ratio = scheduled / direct
        verdict = "within" if ratio <= BUDGET else "OVER"
        print(f"warehouse DAG {scheduled:.1f} s, the same steps called directly {direct:.1f} s")
        print(f"ratio {ratio:.2f}, {verdict} budget {BUDGET}")
    finally:
        subprocess.run(["yuyan", "clean"], env=env, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
