"""The environment of the embedded Airflow: configuration comes from nowhere else, so a production deployment differs
only in what it sets (see docker-compose.yml). Nothing that leaves the machine is switched on."""

import os
import sys
from pathlib import Path

from yuyan import settings

NO_TELEMETRY = {
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "DO_NOT_TRACK": "1",
    "SCARF_ANALYTICS": "false",
    "SCARF_NO_ANALYTICS": "true",
    "GX_ANALYTICS_ENABLED": "false",
    "OTEL_SDK_DISABLED": "true",
    "AIRFLOW__METRICS__STATSD_ON": "False",
    "AIRFLOW__METRICS__OTEL_ON": "False",
    "AIRFLOW__TRACES__OTEL_ON": "False",
    "AIRFLOW__SENTRY__SENTRY_ON": "False",
}
"""Every switch by which a library of this project reports its use to somebody; all off."""

PACE = {
    # Two cores: what costs time is starting Python, so start it rarely and look often.
    "AIRFLOW__CORE__PARALLELISM": "5",
    "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": "5",
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
    # Tasks are forked from a process that has imported the slow libraries once, instead of importing them each: half a
    # second of each task for Airflow's own way to its DAG file, one and more for the libraries of its stage. This
    # project's own modules come last, and are forgotten by a task that finds a file changed.
    "AIRFLOW__SCHEDULER__MP_START_METHOD": "forkserver",
    "AIRFLOW__SCHEDULER__MP_FORKSERVER_PRELOAD": ",".join(
        (
            "airflow.dag_processing.dagbag",
            "airflow.executors.local_executor",
            "airflow.providers.standard.decorators.python",
            "airflow.sdk.definitions.decorators",
            "airflow.sdk.execution_time.task_runner",
            "dbt.adapters.postgres",
            "dbt.cli.main",
            "fastexcel",
            "great_expectations",
            "httpx",
            "polars",
            "psycopg",
            "pyarrow.csv",
            "pyarrow.parquet",
            "pymysql",
            "scipy.sparse.csgraph",
            "scipy.sparse.linalg",
            "sqlglot.lineage",
            "xlsxwriter",
            "yuyan_demo.runtime.preloaded",
        )
    ),
    "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "900",
    "AIRFLOW__DAG_PROCESSOR__PRINT_STATS_INTERVAL": "0",
    "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "5",
    # A supervisor that misses its task's exit by a moment notices it at the next beat.
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
    # What a killed process was at work on is taken up after a minute, not after five.
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "30",
    "AIRFLOW__API__WORKERS": "1",
    "AIRFLOW__TRIGGERER__CAPACITY": "10",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_POOL_SIZE": "3",
    "AIRFLOW__LOGGING__NAMESPACE_LEVELS": "great_expectations=WARNING http.access=WARNING httpx=WARNING",
    # One BLAS thread pool per task would fight over the same two cores.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
"""Settings found by measuring a whole run on 2 cores; a larger deployment sets its own."""


def airflow(home: Path, secrets: dict[str, str], metadata_dsn: str, api_port: int) -> dict[str, str]:
    """Variables of every Airflow process of this home, without the warehouse and the connections."""
    base = f"http://127.0.0.1:{api_port}"
    driver = "postgresql+psycopg2://"
    return {
        **inherited(),
        **NO_TELEMETRY,
        **PACE,
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(settings.PROJECT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(home / "airflow" / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__DEFAULT_TIMEZONE": "Asia/Shanghai",
        "AIRFLOW__CORE__HOSTNAME_CALLABLE": "yuyan_demo.runtime.environment.hostname",
        "AIRFLOW__CORE__FERNET_KEY": secrets["fernet_key"],
        "AIRFLOW__CORE__AUTH_MANAGER": "yuyan.access.AuthManager",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "airflow" / "passwords.json"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{base}/execution/",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": metadata_dsn.replace("postgresql://", driver, 1),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(api_port),
        "AIRFLOW__API__BASE_URL": base,
        "AIRFLOW__API__SECRET_KEY": secrets["api_secret_key"],
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets["jwt_secret"],
        "AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_FOLDER_PERMISSIONS": "0o700",
        "AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_FILE_PERMISSIONS": "0o600",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs" / "airflow"),
        "AIRFLOW__LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": str(home / "logs" / "dag-processor"),
        "YUYAN_HOME": str(home),
        "YUYAN_RETRY_SECONDS": "2",
    }


def inherited() -> dict[str, str]:
    """The caller's environment without its own Airflow settings, with this Python first on the path."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW_", "_AIRFLOW_"))}
    kept["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', os.defpath)}"
    return kept


def hostname() -> str:
    """Name of this machine in Airflow's records; a constant, because resolving the real one may wait for DNS."""
    return "127.0.0.1"
