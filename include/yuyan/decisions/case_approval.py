"""A step of an accountability case as tasks of Airflow that wait for people: the institution's statement, the commission's
signed decision. Light on purpose: the DAG file imports it.
"""

from collections.abc import Mapping
from typing import Any

import psycopg
from airflow.providers.standard.operators.hitl import ApprovalOperator, HITLOperator
from airflow.sdk import Param
from airflow.sdk.definitions.param import ParamsDict
from airflow.sdk.exceptions import AirflowSkipException

from yuyan import settings
from yuyan.decisions import cases, life_cycle
from yuyan.decisions.cases import CASES, WITHHELD, Case, Decision
from yuyan.decisions.life_cycle import DecisionError
from yuyan.domain import stewards


class StateView(HITLOperator):
    """Waits for the institution's statement on what it was notified of; 不陈述, or silence, leaves the window to end.

    `request`: templated, what `prepared` returned. Skipped where nobody has to be heard or somebody was.
    """

    STATE, NOTHING = "陈述", "不陈述"
    template_fields = (*HITLOperator.template_fields, "request")

    def __init__(self, *, request: Any, **kwargs: Any) -> None:
        super().__init__(
            subject="单位陈述", options=[self.STATE, self.NOTHING], defaults=[self.NOTHING], **kwargs
        )
        self.params = ParamsDict(
            {"statement": Param("", type="string", title="陈述", description="选“陈述”时必填，记录在案")}
        )
        self.request = request

    def execute(self, context: Any) -> None:
        with psycopg.connect(settings.warehouse_dsn("decide")) as connection:
            case = CASES.get(connection, self.request["case_id"])
            if case.intended_action != self.request["step"] or case.stated_on:
                raise AirflowSkipException(f"{case.name}：没有待陈述的告知，或已经陈述")
            self.subject = f"请陈述：{case.name}，拟{CASES.cycle.step_labels[case.intended_action]}"
            self.body = describe(connection, case, self.request["step"])
        own = [s for s in stewards.load().values() if s.inst_code == case.src_inst_code]
        self.assigned_users = [{"id": s.name, "name": s.name} for s in own]
        super().execute(context)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        answer = super().execute_complete(context, event)
        if answer["chosen_options"] == [self.STATE]:
            with psycopg.connect(settings.warehouse_dsn("decide"), autocommit=True) as connection:
                cases.state(
                    connection,
                    self.request["case_id"],
                    answer["responded_by_user"]["name"],
                    answer["params_input"].get("statement") or "",
                    life_cycle.day_named(connection, self.request["as_of"]),
                )
        return answer


class DecideCase(ApprovalOperator):
    """Shows the case and its figures, waits for 同意 or 不采纳 with role, document and opinion, and records the decision.

    An answer that is refused (unsigned, too early: see `cases.decide`) fails the task; its retry asks again.
    """

    APPROVE, REJECT = "同意", "不采纳"
    template_fields = (*ApprovalOperator.template_fields, "request")

    def __init__(self, *, request: Any, **kwargs: Any) -> None:
        super().__init__(subject="问责决定", **kwargs)
        texts = {"role": "决定人的职务", "document": "文号", "opinion": "理由"}
        self.params = ParamsDict({name: Param("", type="string", title=text) for name, text in texts.items()})
        self.request = request

    def execute(self, context: Any) -> None:
        with psycopg.connect(settings.warehouse_dsn("decide")) as connection:
            case = CASES.get(connection, self.request["case_id"])
            step = CASES.cycle.steps[self.request["step"]]
            if case.state not in step.sources:
                raise AirflowSkipException(f"{case.name} 现为“{CASES.cycle.states[case.state]}”，无须决定")
            self.subject = f"请决定：{case.name}，{step.label}"
            self.body = describe(connection, case, step.name)
        may = [s for s in stewards.load().values() if s.role == "commission"]
        self.assigned_users = [{"id": s.name, "name": s.name} for s in may]
        super().execute(context)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        answer = HITLOperator.execute_complete(self, context, event)
        given = answer["params_input"]
        is_agreed = answer["chosen_options"] == [self.APPROVE]
        with psycopg.connect(settings.warehouse_dsn("decide"), autocommit=True) as connection:
            case = CASES.get(connection, self.request["case_id"])
            against = "dismiss" if case.state == "normal" else "decline"
            cases.decide(
                connection,
                case.case_id,
                self.request["step"] if is_agreed else against,
                answer["responded_by_user"]["name"],
                given.get("opinion") or "",
                life_cycle.day_named(connection, self.request["as_of"]),
                Decision(
                    given.get("role") or "",
                    given.get("document") or "",
                    self.request["quota_cut"],
                    self.request["effect_year"],
                ),
            )
        return super().execute_complete(context, event)


def prepared(params: Mapping[str, Any], started_by: str | None, inst_code: str) -> dict[str, Any]:
    """{case_id, step, as_of, quota_cut, effect_year} of the step to decide: the one that `params` name, or the one that the
    line proposed. An adverse step is notified of in the name of whoever started the run. Raises DecisionError, also where
    the case is not of this institution, whose stewards see the run; StewardError.
    """
    with psycopg.connect(settings.warehouse_dsn("decide"), autocommit=True) as connection:
        case = CASES.get(connection, params["case_id"])
        life_cycle.refuse_foreign(case.src_inst_code, inst_code, "accountability")
        action = params["step"] or case.proposed_action
        step = CASES.cycle.steps.get(action or "")
        if step is None or not step.is_signed:
            raise DecisionError(
                f"{case.name}：没有建议；请写明步骤（step），可用：{'、'.join(cases.DECISIONS)}"
            )
        request = {name: params[name] for name in ("case_id", "as_of", "quota_cut", "effect_year")} | {
            "step": action
        }
        if step.is_heard and case.intended_action != action:
            reason = params["reason"] or f"拟{step.label}"
            cases.notify(
                connection,
                case.case_id,
                action,
                started_by or "",
                reason,
                life_cycle.day_named(connection, request["as_of"]),
            )
        return request


def describe(connection: psycopg.Connection, case: Case, action: str) -> str:
    """What people must know, as Markdown: the step, what it needs, the figures as they stand; nothing about persons."""
    step = CASES.cycle.steps[action]
    lines = [
        f"**{case.name}**：{CASES.cycle.states[case.state]} → {step.label}",
        "",
        f"- 单位：{case.src_inst_code}",
        f"- 触发：{step.trigger}",
    ]
    if case.statement_until:
        heard = f"{case.stated_on} 已陈述" if case.stated_on else f"期内可陈述，至 {case.statement_until}"
        lines.append(f"- 陈述：{heard}")
    if case.corrected_on:
        lines.append(f"- 基于的数据已更正（{case.corrected_on}），请先复核")
    if case.is_restricted:
        lines.append(f"- {WITHHELD}；`yuyan case show {case.case_id}`")
    else:
        found = [f for f in cases.figures(connection, case) if f["signal_code"] == "ALL"]
        lines += [
            f"- {f['rule_code']}（{f['period_year']}，{f['level_code']}）：{f['reason_zh']}" for f in found
        ]
    lines += [
        "",
        f"系统只提建议，不作出处分决定。经过：`yuyan case show {case.case_id}`　{settings.simulated_mark()}",
    ]
    return "\n".join(lines)
