"""
# 采集 collect

每天 02:00（北京时间）从各单位的平台采集变更数据，脱敏、落地并装载到 `raw`。每个单位一个任务，互不影响；
最后的 `close` 汇总结果，更新资产 `raw`，由它触发 `warehouse`。

**先做什么 / what to do first**

1. 打开 `close` 的日志：只有一条汇总告警，列出未完成的单位和原因。
   末尾的 `complete` 成功即全部到齐；跳过即部分完成（有单位或实体失败、暂缓），`ops.run.state` 为 partial。
2. 单位任务失败：看 `ops.collection_result` 中该单位各实体的 `error`，里面写明了补救办法。平台停机无需处理，
   下一次采集会从水位线补齐；凭据错误请更新该单位的 Airflow 连接，再 Clear 该任务。
3. 有实体“暂缓”（`outcome` 为 held）：来源把它清空、减少一半以上，或重送了旧数据；没有生效，此前的数据继续有效，
   其余实体不受影响。`yuyan hold list` 列出，先向报送单位核实：属实则由市教委的数据管理员
   `yuyan hold accept 编号 --as 账号 --reason 理由`，下次采集（或 `yuyan replay recollect`）生效；
   有误则 `yuyan hold reject …`，来源恢复后自动了结。
4. 全部单位失败：检查网络、数仓连接和 `platforms` 资源池。
5. 重跑是安全的：同一批次只会装载一次。
"""

import os
from datetime import timedelta

from airflow.sdk import Asset, CronTriggerTimetable, Param, TriggerRule, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from yuyan import runs

RAW = Asset("raw")
# The embedded runtime sets both: its calendar moves by `yuyan run` only, and its platforms come back at once.
SCHEDULE = os.environ.get("YUYAN_COLLECT_SCHEDULE", "0 2 * * *")
RETRY = timedelta(seconds=int(os.environ.get("YUYAN_RETRY_SECONDS", "300")))

params = {
    "as_of": Param(
        None, type=["null", "string"], format="date", title="统计日期", description="缺省为运行的逻辑日期"
    ),
    "institutions": Param(
        [], type="array", items={"type": "string"}, title="单位代码", description="空为全部单位"
    ),
    "entities": Param([], type="array", items={"type": "string"}, title="实体", description="空为全部实体"),
    "full_refresh": Param(False, type="boolean", title="全量重采", description="忽略水位线，与仓库逐条比对"),
}


@dag(
    schedule=CronTriggerTimetable(SCHEDULE, timezone="Asia/Shanghai") if SCHEDULE else None,
    params=params,
    doc_md=__doc__,
    tags=["渝研", "采集"],
    max_active_runs=1,
    render_template_as_native_obj=True,
    default_args={
        "owner": "yuyan",
        "retries": 2,
        "retry_delay": RETRY,
        "execution_timeout": timedelta(minutes=10),
    },
)
def collect():
    @task(on_failure_callback=runs.on_failure)
    def plan(params, dag_run) -> list[str]:
        """开始运行，列出要采集的单位 / open the run and say which institutions to visit."""
        day = runs.as_of(params["as_of"], dag_run.logical_date, dag_run.run_after)
        runs.open_run(dag_run.run_id, "collect", day)
        return runs.visits(params["institutions"], params["entities"])

    @task(
        pool="platforms",
        map_index_template="{{ institution }}",
        retry_exponential_backoff=True,
        max_retry_delay=timedelta(minutes=30),
        execution_timeout=timedelta(hours=3),
    )
    def institution(inst_code: str, params, dag_run) -> dict:
        """采集一个单位 / collect one institution.

        A platform that is down is tried again; an entity that is refused fails the task after the others were loaded, and is
        not tried again: its message says what must be mended first.
        """
        context = get_current_context()
        context["institution"] = runs.label_of(inst_code)
        result = runs.collect(inst_code, dag_run.run_id, params["entities"] or None, params["full_refresh"])
        context["institution"] = runs.label_of(inst_code, result)
        if result["failed"]:
            raise AirflowFailException(result["error"])
        return result

    @task(trigger_rule=TriggerRule.ALL_DONE, outlets=[RAW])
    def close(codes: list[str], dag_run, outlet_events) -> None:
        """汇总结果，交给数仓 / roll up the outcomes and hand over to the warehouse with whatever was collected."""
        day = runs.day_of(dag_run.run_id)
        runs.finish_collection(dag_run.run_id, codes)
        outlet_events[RAW].extra = {"run_id": dag_run.run_id, "as_of": day.isoformat()}

    @task
    def complete(dag_run) -> None:
        """全部到齐即成功，有缺即跳过 / succeed when everything came; skipped when a part failed or is held."""
        if runs.state_of(dag_run.run_id) != "success":
            raise AirflowSkipException(
                "部分完成：见 close 的日志和 ops.collection_result / a part failed or is held"
            )

    codes = plan()
    institution.expand(inst_code=codes) >> close(codes) >> complete()


collect()
