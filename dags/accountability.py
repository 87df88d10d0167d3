"""
# 问责 accountability_<单位代码>

每个单位一个，本单位的数据管理员只看得到本单位的。
按需运行，一次运行处理一个问责事项的一步：写明 `case_id`；`step` 为空则取系统建议的一步。对单位不利的一步先告知单位，
`statement` 等待其数据管理员在“Required Actions”里陈述（30 天，期满视为不陈述）；
`decide` 等待市教委的管理员写明职务、文号和理由后“同意”或“不采纳”。系统不作出处分决定，
只记录由谁、按什么数据、以什么文号决定。

**先做什么 / what to do first**

1. `prepare` 失败：日志写明为什么不能走这一步（状态、账号、没有建议），改正参数后重新触发。
2. `decide` 失败：答复未被采纳（未签署、陈述期未满、整改期未满），日志写明原因；重试时再次询问。
   也可用 `yuyan case decide` 决定。
3. `statement` 被跳过：不须听取陈述，或已经陈述；`decide` 被跳过：已在别处决定，见 `yuyan case show`。
"""

from datetime import timedelta

from airflow.sdk import Param, dag, task

from yuyan import settings
from yuyan.decisions.approval import dag_of
from yuyan.decisions.case_approval import DecideCase, StateView, prepared

params = {
    "case_id": Param(None, type=["null", "integer"], title="问责事项编号"),
    "step": Param(None, type=["null", "string"], title="步骤", description="缺省为系统建议的一步"),
    "quota_cut": Param(None, type=["null", "integer"], minimum=1, title="核减招生计划数"),
    "effect_year": Param(None, type=["null", "integer"], title="生效年度"),
    "reason": Param(None, type=["null", "string"], title="告知的理由"),
    "as_of": Param(
        None,
        type=["null", "string"],
        format="date",
        title="统计日期",
        description="缺省为答复时最近一次运行的日期",
    ),
}


def of_institution(inst_code: str) -> None:
    """The DAG of one institution."""

    @dag(**dag_of("accountability", inst_code), params=params, doc_md=__doc__)
    def accountability():
        @task
        def prepare(params, dag_run) -> dict:
            """要决定的一步；须听取陈述的，先告知单位 / the step to decide; an institution that must be heard is notified."""
            return prepared(params, dag_run.triggering_user_name, inst_code)

        asked = prepare()
        statement = StateView(task_id="statement", request=asked, response_timeout=timedelta(days=30))
        decide = DecideCase(
            task_id="decide", request=asked, response_timeout=timedelta(days=90), trigger_rule="none_failed"
        )
        statement >> decide

    accountability()


for code in settings.institution_codes():
    of_institution(code)
