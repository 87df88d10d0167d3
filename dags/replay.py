"""
# 重做 replay

按需运行，参数 `mode` 决定重做什么，完成后更新资产 `raw`，由 `warehouse` 接着校验和计算：

- `revalidate`：不采集、不装载，只让隔离区的行和未按现行规则判定的批次重新判定（规则改动之后）。
- `remap`：把已落地的批次按现行的平台映射重新装载，只装入与原来不同的行（映射改动之后）。
- `recollect`：从平台全量重采并与仓库逐条比对（怀疑漏采、误删之后）；给出 `since` 则只重采该游标之后的窗口，水位线不后退。

**先做什么 / what to do first**

1. 任务失败：日志写明单位、实体和补救办法；没有失败的单位已经完成，修好后 Clear 失败的任务即可。
2. `remap` 报找不到落地文件：该批次已从落地区清除，改用 `recollect`。
3. 三种重做都可以重复执行，已经完成的部分不会再做一遍。
"""

import os
from datetime import timedelta

from airflow.sdk import Asset, Param, TriggerRule, dag, get_current_context, task

from yuyan import runs

RAW = Asset("raw")
RETRY = timedelta(seconds=int(os.environ.get("YUYAN_RETRY_SECONDS", "300")))

params = {
    "mode": Param("revalidate", enum=["revalidate", "remap", "recollect"], title="重做什么"),
    "as_of": Param(None, type=["null", "string"], format="date", title="统计日期", description="缺省为今天"),
    "institutions": Param(
        [], type="array", items={"type": "string"}, title="单位代码", description="空为全部单位"
    ),
    "since": Param(
        None, type=["null", "string"], title="起点游标", description="只重采其后的变更，来源的格式"
    ),
    "entities": Param([], type="array", items={"type": "string"}, title="实体", description="空为全部实体"),
}


@dag(
    schedule=None,
    params=params,
    doc_md=__doc__,
    tags=["渝研", "重做"],
    max_active_runs=1,
    default_args={
        "owner": "yuyan",
        "retries": 1,
        "retry_delay": RETRY,
        "execution_timeout": timedelta(minutes=10),
        "on_failure_callback": runs.on_failure,
    },
)
def replay():
    @task
    def plan(params, dag_run) -> list[str]:
        """开始运行，列出涉及的单位 / open the run and say which institutions it touches."""
        day = runs.as_of(params["as_of"], dag_run.logical_date, dag_run.run_after)
        runs.open_run(dag_run.run_id, "replay", day)
        return runs.visits(params["institutions"], params["entities"], params["mode"] == "revalidate")

    @task(pool="platforms", map_index_template="{{ institution }}", execution_timeout=timedelta(hours=6))
    def institution(inst_code: str, params, dag_run) -> dict:
        """重做一个单位的部分 / do one institution's part again."""
        context = get_current_context()
        context["institution"] = runs.label_of(inst_code)
        result = runs.redo(
            params["mode"], inst_code, dag_run.run_id, params["entities"] or None, params["since"]
        )
        context["institution"] = runs.label_of(inst_code, result)
        return result

    @task(trigger_rule=TriggerRule.NONE_FAILED, outlets=[RAW])
    def close(dag_run, outlet_events) -> None:
        """交给数仓 / hand over to the warehouse."""
        day = runs.day_of(dag_run.run_id)
        runs.reopen(dag_run.run_id)  # nothing has failed, or this task would not run
        runs.close_run(dag_run.run_id, runs.state_of(dag_run.run_id))
        outlet_events[RAW].extra = {"run_id": dag_run.run_id, "as_of": day.isoformat()}

    institution.expand(inst_code=plan()) >> close()


replay()
