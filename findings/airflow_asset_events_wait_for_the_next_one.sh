#!/usr/bin/env bash
# apache-airflow 3.3.2: of several events of one asset that arrive between two looks of the scheduler (or while the DAG's only
# allowed run works), the run they cause gets the first. The others are neither delivered nor queued: nothing happens until yet
# another event arrives, whose run gets them all. Whoever reads the newest day, file or version from the triggering events works
# on the oldest one, and stays behind for as long as nothing new comes.
# Seen (events by run): after event 1 [[1]]; after 2, 3 and 4 [[1], [2]]; later the same; after 5 [[1], [2], [3, 4, 5]].
# Fails when 3 and 4 come with 2, or in a run of their own.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check apache-airflow==3.3.2 apache-airflow-core==3.3.2 \
    apache-airflow-task-sdk==1.3.2 apache-airflow-providers-standard==1.21.0
export AIRFLOW_HOME=$work AIRFLOW__CORE__LOAD_EXAMPLES=False AIRFLOW__CORE__DAGS_FOLDER=$work/dags DO_NOT_TRACK=1 \
    AIRFLOW__USAGE_DATA_COLLECTION__ENABLED=False PATH=$work/venv/bin:$PATH
mkdir dags
cat > dags/reader.py <<'P'
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Asset

with DAG("reader", schedule=[Asset("raw")], max_active_runs=1, catchup=False, is_paused_upon_creation=False):
    EmptyOperator(task_id="read")
P
cat > see.py <<'P'
import subprocess
import sys

from airflow.assets.manager import asset_manager
from airflow.models.asset import AssetModel
from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session
from sqlalchemy import select


def arrive(*numbers):
    for n in numbers:
        with create_session() as session:
            asset = session.scalar(select(AssetModel).where(AssetModel.name == "raw"))
            asset_manager.register_asset_change(asset=asset, extra={"n": n}, session=session)


def schedule():
    command = [sys.executable, "-m", "airflow", "scheduler", "--num-runs", "4", "--skip-serve-logs"]
    subprocess.run(command, check=True, capture_output=True, timeout=180)
    with create_session() as session:
        runs = session.scalars(select(DagRun).order_by(DagRun.id))
        return [sorted(event.extra["n"] for event in run.consumed_asset_events) for run in runs]


arrive(1)
print("after event 1:", first := schedule())
arrive(2, 3, 4)
print("after events 2, 3 and 4:", second := schedule())
print("later:", third := schedule())
arrive(5)
print("after event 5:", fourth := schedule())
assert first == [[1]]
assert second == third == [[1], [2]]
assert fourth == [[1], [2], [3, 4, 5]]
P
airflow db migrate > log.txt 2>&1
airflow dags reserialize >> log.txt 2>&1
python see.py
