"""Run by test_dag_policy.py in a process of its own: parse the DAG folder and write what is in it as JSON to a file.

A process of its own, because Airflow reads its configuration when it is imported, and because what importing a DAG file
imports can only be seen where nothing else was imported before.
"""

import json
import sys
from pathlib import Path

from airflow.dag_processing.dagbag import DagBag

HEAVY = {"polars", "pyarrow", "pandas", "great_expectations", "dbt"}


def main(folder: str, output: str) -> None:
    before = set(sys.modules)
    bag = DagBag(folder)
    imported = {name.partition(".")[0] for name in set(sys.modules) - before}
    content = {
        "errors": bag.import_errors,
        "heavy": sorted(imported & HEAVY),
        "dags": {dag_id: describe(dag) for dag_id, dag in bag.dags.items()},
    }
    Path(output).write_text(json.dumps(content), encoding="utf-8")


def describe(dag) -> dict:
    return {
        "doc_md": dag.doc_md,
        "tags": sorted(dag.tags),
        "catchup": dag.catchup,
        "max_active_runs": dag.max_active_runs,
        "cron": cron(dag.schedule),
        "params": sorted(dag.params),
        "assets": [asset.name for asset in dag.schedule] if isinstance(dag.schedule, list) else [],
        "tasks": {task.task_id: describe_task(task) for task in dag.tasks},
    }


def cron(schedule) -> list[str] | None:
    if schedule is None or isinstance(schedule, list):
        return None
    return [schedule.expression, str(schedule.timezone)]


def describe_task(task) -> dict:
    return {
        "owner": task.owner,
        "retries": task.retries,
        "retry_delay": task.retry_delay.total_seconds(),
        "backs_off": bool(task.retry_exponential_backoff),
        "timeout": task.execution_timeout.total_seconds() if task.execution_timeout else None,
        "pool": task.pool,
        "is_mapped": task.is_mapped,
        "is_teardown": task.is_teardown,
        "map_index_template": task.map_index_template,
        "trigger_rule": str(task.trigger_rule),
        "upstream": sorted(task.upstream_task_ids),
        "outlets": sorted(outlet.name for outlet in task.outlets),
        "doc_md": task.doc_md,
    }


main(*sys.argv[1:])
