"""
# 日常清理 housekeeping

每周日 05:00（北京时间）删除超过 200 天无人写入的任务和服务日志；天数用参数 `days` 另定
（网络安全法要求网络日志留存不少于六个月）。数据、落地区和数仓中的运行记录不在其列。
同时把星型模型和指标在旁边整表重建一遍，与日常局部更新的表逐行比较（`verify`，结果在 `ops.verification`）。

**先做什么 / what to do first**

1. `logs` 失败：日志写明哪个文件不能删除，多为权限；改正后 Clear 该任务。
2. 磁盘仍在增长：多为落地区和数仓，它们不在此清理，见 docs/operations.md（What is kept）。
3. `verify` 失败：日志写明哪张表、差几行，下一次 warehouse 运行会整表重建它；这是模型 `follows` 的缺陷，请报告。
   “changed since … read it” 表示校验之后还没有建模：先运行 warehouse，再 Clear 该任务。
4. Airflow 自己的运行记录另用 `airflow db clean` 清理，见 docs/operations.md。
"""

import os
from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, Param, dag, task

SCHEDULE = os.environ.get("YUYAN_HOUSEKEEPING_SCHEDULE", "0 5 * * 0")


@dag(
    schedule=CronTriggerTimetable(SCHEDULE, timezone="Asia/Shanghai") if SCHEDULE else None,
    params={"days": Param(200, type="integer", minimum=1, title="日志保留天数")},
    doc_md=__doc__,
    tags=["渝研", "维护"],
    max_active_runs=1,
    default_args={
        "owner": "yuyan",
        "retries": 1,
        "retry_delay": timedelta(minutes=5),
        "execution_timeout": timedelta(minutes=30),
    },
)
def housekeeping():
    @task
    def logs(params) -> dict:
        """清除过期日志 / remove old logs."""
        from yuyan.commands import tidy

        return tidy.logs(params["days"])

    @task(retries=3, retry_delay=timedelta(hours=1), execution_timeout=timedelta(hours=2))
    def verify() -> int:
        """整表重建并逐行比较 / make whole what is made in part day by day, and compare."""
        from yuyan.verify import verify

        return verify()

    logs()
    verify()


housekeeping()
