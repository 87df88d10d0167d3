"""The decision on an override as a task of Airflow that waits for a person: who may answer, what they are shown, what is
recorded. Light on purpose: the DAG file imports it.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import psycopg
from airflow.providers.standard.operators.hitl import ApprovalOperator, HITLOperator
from airflow.sdk import Param
from airflow.sdk.definitions.param import ParamsDict
from airflow.sdk.exceptions import AirflowSkipException

from yuyan import settings
from yuyan.decisions import life_cycle, overrides, problems
from yuyan.decisions.life_cycle import DecisionError
from yuyan.decisions.overrides import OVERRIDES, Override
from yuyan.domain import stewards


def dag_of(kind: str, inst_code: str) -> dict[str, Any]:
    """What an institution's DAG for a kind of decision is, besides its parameters: in Airflow rights are those of a DAG,
    not of a run, so each institution has its own (`yuyan.access.STEWARD_DAGS`).

    >>> dag_of("override", "10611")["dag_id"]
    'override_10611'
    """
    return {
        "dag_id": f"{kind}_{inst_code}",
        "schedule": None,
        "tags": ["渝研", "人工审批", inst_code],
        "max_active_runs": 100,
        "default_args": {
            "owner": "yuyan",
            "retries": 3,
            "retry_delay": timedelta(seconds=15),
            "execution_timeout": timedelta(minutes=10),
        },
    }


class DecideOverride(ApprovalOperator):
    """Shows an override that was asked for, waits for 批准 or 驳回 by a steward who may decide on it, and records that.

    `override_id`, `as_of`: templated; without `as_of` the step is of the line's date when it is answered. Returns the answer
    and that day. A request that was decided elsewhere is skipped, with what follows. An answer that is
    refused (see `overrides.decide`) fails the task; its retry asks again. Downstream tasks run after an approval only.
    """

    APPROVE = "批准"
    REJECT = "驳回"
    template_fields = (*ApprovalOperator.template_fields, "override_id", "as_of")

    def __init__(self, *, override_id: int | str, as_of: str | None, **kwargs: Any) -> None:
        super().__init__(subject="豁免审批", multiple_outputs=True, **kwargs)
        # no minLength: Airflow checks a task's parameters before it runs, when nobody has filled them in
        self.params = ParamsDict(
            {"opinion": Param("", type="string", title="审批意见", description="必填，记录在案")}
        )
        self.override_id = override_id
        self.as_of = as_of

    def execute(self, context: Any) -> None:
        with psycopg.connect(settings.warehouse_dsn("decide")) as connection:
            override = OVERRIDES.get(connection, int(self.override_id))
            if override.state != "requested":
                raise AirflowSkipException(
                    f"豁免 {override.override_id} 现为“{OVERRIDES.cycle.states[override.state]}”，无须审批"
                )
            rule = problems.rule(connection, override.rule_id)
            may = stewards.deciders(rule["override_by"], override.src_inst_code, override.requested_by)
            self.subject = f"豁免审批：{override.src_inst_code} {rule['message']}（{override.rule_id}）"
            self.body = describe(connection, override)
        self.assigned_users = [{"id": s.name, "name": s.name} for s in may]
        super().execute(context)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        answer = HITLOperator.execute_complete(self, context, event)
        is_approved = answer["chosen_options"] == [self.APPROVE]
        with psycopg.connect(settings.warehouse_dsn("decide"), autocommit=True) as connection:
            override, day = (
                OVERRIDES.get(connection, int(self.override_id)),
                life_cycle.day_named(connection, self.as_of),
            )
            overrides.decide(
                connection,
                override.problem_id,
                answer["responded_by_user"]["name"],
                is_approved,
                answer["params_input"].get("opinion") or "",
                day,
            )
        return super().execute_complete(context, event) | {"as_of": day.isoformat()}


def requested(params: Mapping[str, Any], started_by: str | None, inst_code: str) -> dict[str, Any]:
    """{override_id, as_of} of the override to decide (`as_of` as `params` give it): the one that they name, or the one that
    they ask for in the name of whoever started the run (`problem_id`, `rows`, `until`, `reason`).

    Raises DecisionError, also where it is not of this institution, whose stewards see the run; StewardError.
    """
    with psycopg.connect(settings.warehouse_dsn("decide"), autocommit=True) as connection:
        as_of = life_cycle.day_named(connection, params["as_of"])
        override_id = params["override_id"]
        if override_id is not None:
            whose = OVERRIDES.get(connection, override_id).src_inst_code
        elif params["problem_id"] is not None:
            whose = problems.PROBLEMS.get(connection, params["problem_id"]).src_inst_code
        else:
            whose = inst_code
        life_cycle.refuse_foreign(whose, inst_code, "override")
        if override_id is None:
            override_id = _request(connection, params, started_by, as_of).override_id
        return {"override_id": override_id, "as_of": params["as_of"]}


def describe(connection: psycopg.Connection, override: Override) -> str:
    """What a decider must know, as Markdown: rule, rows, causes, reason, end."""
    problem = problems.PROBLEMS.get(connection, override.problem_id)
    rule = problems.rule(connection, override.rule_id)
    causes = connection.execute(
        "select c.message, count(*) from quality.row_failure f join quality.cause c using (cause_id) where f.rule_id = %s "
        "and f.src_inst_code = %s and f.resolved_run_id is null group by cause_id, c.message order by 2 desc, 1 limit 5",
        [override.rule_id, override.src_inst_code],
    ).fetchall()
    lines = [
        f"**{rule['message']}**（{override.rule_id} 第 {override.rule_version} 版，{rule['severity']}）",
        "",
        f"- 单位：{override.src_inst_code}",
        f"- 现有不合格：{problem.failed} 行，{problem.causes} 个根因",
        *(f"    - {message}：{rows} 行" for message, rows in causes),
        f"- 申请放行：至多 {override.granted_rows} 行，至 {override.expires_on}",
        f"- 申请人：{override.requested_by}（{override.requested_on}）",
        f"- 理由：{override.justification}",
        f"- 不豁免时怎么改：{rule['fix']}",
        "",
        "批准后这些行进入 `accepted` 和指标；不合格行超过放行数、到期次日、规则换版或全部改好时自动失效，行退回隔离区。",
        f"经过：`yuyan problem show {override.problem_id}`　{settings.simulated_mark()}",
    ]
    return "\n".join(lines)


def _request(
    connection: psycopg.Connection, params: Mapping[str, Any], started_by: str | None, as_of: date
) -> Override:
    if missing := [name for name in ("problem_id", "rows", "until", "reason") if not params[name]]:
        raise DecisionError(f"请给出 override_id，或申请的全部内容；缺 {'、'.join(missing)}")
    problem_id = params["problem_id"]
    waiting = OVERRIDES.select(
        connection, "problem_id = %s and state = 'requested' and requested_by = %s", [problem_id, started_by]
    )
    if waiting:  # the task is repeated
        return waiting[0]
    until = date.fromisoformat(params["until"])
    return overrides.request(
        connection, problem_id, started_by or "", params["rows"], params["reason"], until, as_of
    )
