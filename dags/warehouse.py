"""
# 数仓 warehouse

资产 `raw` 更新后运行：校验 → 对账 → 星型模型 → 指标 → 评估（`assess`：可信度、评分卡、可信等级）、
估计（`estimate`：区间、基准、统计判定、预测）和变化（`changes`：与上次发布相比为什么变了），其后预警（`warn`：信号与问责事项的建议）
→ 集市；旁边生成数据质量文档（Data Docs），预警之后生成给各单位的反馈（`feedback`）。
统计日期取已结束的采集中最新的一天，不后退（要重算从前某一天，手工触发并填写 `as_of`）；每一步都可以重跑，结果相同。
运行期间又采集到的数据由 `follow_up` 交给紧接着的下一次运行。

**先做什么 / what to do first**

1. `validate` 失败：规则或约定文件有误，日志写明文件和行；数据本身的问题不会使它失败，只进入隔离区。
2. `reconcile` 失败：有批次对不上账。查 `ops.reconciliation where not is_balanced`，在处理好之前不要发布指标。
3. 某一层失败：查 `ops.model_result`，其中写明哪个模型或测试失败、为什么。修好后 Clear 该任务，整层重做。
4. `assess` 失败：日志写明哪个检查；参数在 `expectations/credibility*.csv` 和种子 `quality_dimension`，更正后 Clear 该任务。
   警报本身不会使它失败，只立为问题（`yuyan problem list`），等待说明或更正。
5. `warn` 失败：日志写明原因，多为 `plan.warning_parameter` 的版本不全；更正后 Clear 该任务。它只提建议，不改变事项的状态。
6. `changes` 失败：与上次发布的比较没有完成，日志写明原因；修好后 Clear 该任务，集市随后建成。
7. `docs` 或 `feedback` 失败：指标已照常算出（`ops.run` 为 success），但本次 Airflow 运行记为失败；修好后 Clear 该任务。
"""

from datetime import timedelta

from airflow.sdk import Asset, Param, dag, task

from yuyan import manifest, runs

RAW, MARTS = Asset("raw"), Asset("marts")
AS_OF = Param(None, type=["null", "string"], format="date", title="统计日期（缺省取自采集运行）")
LAYERS = ("star", "indicators", "marts")


@dag(
    schedule=[RAW],
    params={"as_of": AS_OF},
    doc_md=__doc__,
    tags=["渝研", "数仓"],
    max_active_runs=1,
    default_args={
        "owner": "yuyan",
        "retries": 1,
        "retry_delay": timedelta(seconds=15),
        "execution_timeout": timedelta(hours=2),
        "on_failure_callback": runs.on_failure,
    },
)
def warehouse():
    @task
    def validate(params, dag_run, triggering_asset_events) -> None:
        """校验新到的和隔离区的数据，开始本次运行 / judge what is new or waits in quarantine; opens the run."""
        from yuyan.validate.run import validate

        events = [e for asset_events in triggering_asset_events.values() for e in asset_events]
        day = runs.open_warehouse_run(dag_run.run_id, params["as_of"], events, dag_run.run_after)
        with runs.stage(dag_run.run_id, "validate") as detail:
            detail |= validate(dag_run.run_id, day)

    @task
    def reconcile(dag_run) -> None:
        """逐批、逐键对账 / every row received is accounted for."""
        from yuyan.validate.reconcile import reconcile

        with runs.stage(dag_run.run_id, "reconcile"):
            reconcile(dag_run.run_id)

    @task(on_failure_callback=None)  # pages for engineers: the marts do not wait for them
    def docs(dag_run) -> None:
        """生成数据质量文档 / the Data Docs pages of the newest results."""
        from yuyan.validate.docs import build_docs

        with runs.stage(dag_run.run_id, "docs"):
            build_docs()

    @task
    def layer(name: str, dag_run) -> None:
        """建成并检验一层模型，最后一层即公布 / build and test one dbt layer; the last one is what is published."""
        runs.build_layer(name, dag_run.run_id, is_last=name == LAYERS[-1])

    @task
    def estimate(dag_run) -> None:
        """区间、预测与所需进度 / intervals, projections and the pace required, beside the indicator values."""
        from yuyan.estimate.run import estimate

        runs.run_stage("estimate", estimate, dag_run.run_id)

    @task
    def assess(dag_run) -> None:
        """可信度检查（警报立为问题）→ 评分卡 D01–D11 → 各指标的数据可信等级 / credibility, scorecard, grades."""
        from yuyan.assess.run import assess

        runs.run_stage("assess", assess, dag_run.run_id)

    @task
    def warn(dag_run) -> None:
        """预警 W01–W05 与回测，问责事项的建议、期限与落实 / warnings, and what the line proposes about cases."""
        from yuyan.early_warning.run import warn

        runs.run_stage("warn", warn, dag_run.run_id)

    @task
    def changes(dag_run) -> None:
        """与上次发布相比，每个指标值为什么变了 / why each value is not what was last published."""
        from yuyan.changes.run import explain

        runs.run_stage("changes", explain, dag_run.run_id)

    @task(on_failure_callback=None)  # pages for institutions: the marts do not wait for them
    def feedback(dag_run) -> None:
        """给各单位的反馈页和工作簿 / what came, what was refused and why, what to do: a page and a workbook each."""
        from yuyan.pages import feedback

        runs.run_stage("feedback", feedback.after, dag_run.run_id)

    @task(outlets=[RAW], on_failure_callback=None)
    def follow_up(dag_run, outlet_events) -> None:
        """运行期间又采集到数据的，再启动一次 / start another run if something was collected meanwhile.

        A teardown: whatever failed, and no part of the result.
        """
        outlet_events[RAW].extra = runs.follow_up(dag_run.run_id)

    step = validate()
    step >> (pages := docs())
    step = step >> reconcile()
    for name in LAYERS:
        last = {"outlets": [MARTS]} if name == LAYERS[-1] else {}
        step = step >> layer.override(task_id=name, doc_md=manifest.describe(name), **last)(name)
        if name == "indicators":
            warned = [step >> estimate(), step >> assess()] >> warn()
            told = warned >> feedback()
            step = [warned, step >> changes()]
    [step, told, pages] >> follow_up().as_teardown()


warehouse()
