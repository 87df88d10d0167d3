"""
# 豁免审批 override_<单位代码>

每个单位一个，本单位的数据管理员只看得到、只能启动本单位的。
按需运行，一次运行处理一个豁免：写明已用命令行申请的 `override_id`；或填写 `problem_id`、`rows`、`until`、`reason`，
以启动者的账号提出申请。之后 `decide` 等待有权者在“Required Actions”里批准或驳回，并写明意见；
批准后由 `replay`（重新校验）使其生效。谁可以审批由规则决定，申请人不能审批自己的申请；账号见 `include/stewards.yml`。

**先做什么 / what to do first**

1. `request` 失败：日志写明为什么不能申请（不可豁免、行数不足、到期日、账号），改正参数后重新触发。
2. `decide` 失败：答复未被采纳（如规则已换版、未写意见），日志写明原因；重试时再次询问。30 天无人答复也会失败，
   需要时 Clear 该任务，或用 `yuyan problem approve`、`reject` 决定。
3. `decide` 被跳过：该申请已在别处决定、撤回或失效，见 `yuyan problem show`。
"""

from datetime import timedelta

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import Param, dag, task

from yuyan import settings
from yuyan.decisions.approval import DecideOverride, dag_of, requested

params = {
    "override_id": Param(
        None, type=["null", "integer"], title="豁免编号", description="已申请的；为空则按以下各项申请"
    ),
    "problem_id": Param(None, type=["null", "integer"], title="问题编号"),
    "rows": Param(None, type=["null", "integer"], minimum=1, title="至多放行多少行"),
    "until": Param(None, type=["null", "string"], format="date", title="到期日"),
    "reason": Param(None, type=["null", "string"], title="理由"),
    "as_of": Param(
        None, type=["null", "string"], format="date", title="统计日期", description="缺省为最近一次运行的日期"
    ),
}


def of_institution(inst_code: str) -> None:
    """The DAG of one institution."""

    @dag(**dag_of("override", inst_code), params=params, doc_md=__doc__)
    def override():
        @task
        def request(params, dag_run) -> dict:
            """本次运行所办的豁免；先前没有申请的，现在申请 / the override that this run is about."""
            return requested(params, dag_run.triggering_user_name, inst_code)

        asked = request()
        decide = DecideOverride(
            task_id="decide",
            override_id=asked["override_id"],
            as_of=asked["as_of"],
            response_timeout=timedelta(days=30),
        )
        decide >> TriggerDagRunOperator(
            task_id="replay",
            trigger_dag_id="replay",
            conf={"mode": "revalidate", "as_of": decide.output["as_of"]},
        )

    override()


for code in settings.institution_codes():
    of_institution(code)
