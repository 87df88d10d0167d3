"""The one machine that runs every life cycle: which step may be taken, by whom, with what; the new state and the event.

What differs between problems, overrides and holds is data (include/life_cycles/) and what their own modules compute.
"""

import json
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, Generic, Protocol, TypeVar

import psycopg
from psycopg.rows import class_row, dict_row

from yuyan.domain import life_cycles, stewards
from yuyan.domain.life_cycles import LINE, Step
from yuyan.domain.stewards import Steward

DAYS_AHEAD = 7
"""How far a step may be dated ahead of the line's newest run, which may be late [param]."""


class DecisionError(ValueError):
    """A step that cannot be taken; the message (Chinese) says why and what to do."""


class Subject(Protocol):
    """A row of a life cycle's table, as a dataclass with one field per column that is read."""

    state: str
    src_inst_code: str

    @property
    def name(self) -> str:
        """How a message names it."""


T = TypeVar("T", bound=Subject)


class LifeCycle(Generic[T]):
    """One life cycle on its table. Steps are taken within the caller's transaction, on a subject that `locked` returned.

    >>> holds = LifeCycle("hold", Hold)
    >>> hold = holds.locked(connection, 7)
    >>> holds.take(connection, hold, "accept", "jw-data-1", "院系合并", as_of, changes={"decided_by": "jw-data-1", …})
    """

    def __init__(self, name: str, record: type[T]) -> None:
        """`record`: the dataclass of a row; its fields are the columns."""
        self.cycle, self._record = life_cycles.load(name), record

    def get(self, connection: psycopg.Connection, number: int) -> T:
        """One subject. Raises DecisionError for an unknown number."""
        found = self.select(connection, f"{self.cycle.key} = %s", [number])
        if not found:
            raise DecisionError(
                f"没有编号为 {number} 的{self.cycle.label}；编号见 `{self.cycle.look} list --all`"
            )
        return found[0]

    def select(self, connection: psycopg.Connection, where: str, parameters: Sequence[Any] = ()) -> list[T]:
        """Subjects that meet an SQL condition."""
        columns = ", ".join(self._record.__dataclass_fields__)
        with connection.cursor(row_factory=class_row(self._record)) as cursor:
            return cursor.execute(
                f"select {columns} from {self.cycle.table} where {where}", parameters
            ).fetchall()

    def locked(self, connection: psycopg.Connection, number: int) -> T:
        """One subject, locked for this transaction. Raises DecisionError for an unknown number."""
        self.get(connection, number)
        return self.select(connection, f"{self.cycle.key} = %s for update", [number])[0]

    def check(
        self,
        subject: T,
        action: str,
        reason: str,
        steward: Steward | None = None,
        named: str | None = None,
        requested_by: str = "",
    ) -> Step:
        """The step, if it may be taken.

        Raises DecisionError when it may not start here, or by this steward (None: the line), or without a reason.
        `named`, `requested_by`: of a step by whom the subject names.
        """
        cycle, step = self.cycle, self.cycle.steps[action]
        if steward is not None and not steward.acts_on(subject.src_inst_code):
            raise DecisionError(
                f"{steward.name} 是 {steward.inst_code} 的数据管理员，不能处理 {subject.src_inst_code} 的{subject.name}；"
                f"请由 {subject.src_inst_code} 或市教委的管理员处理"
            )
        if steward is not None and step.by == "commission" and steward.role != "commission":
            raise DecisionError(
                f"{subject.name}：{steward.name} 不是市教委的数据管理员，不能{step.label}；请由市教委的管理员处理"
            )
        if subject.state not in step.sources:
            possible = "、".join(cycle.states[s] for s in step.sources)
            raise DecisionError(
                f"{subject.name}现为“{cycle.states[subject.state]}”，不能{step.label}（只能从“{possible}”）；"
                f"经过见 `{cycle.look} show {getattr(subject, cycle.key)}`"
            )
        if step.by == "named" and not (
            steward and steward.may_decide(named, subject.src_inst_code, requested_by)
        ):
            raise DecisionError(f"{subject.name}：{self._who_may(subject, named, requested_by, steward)}")
        if not reason.strip():
            raise DecisionError(f"{subject.name}：{step.label}须写明理由")
        return step

    def _who_may(self, subject: T, named: str | None, requested_by: str, steward: Steward | None) -> str:
        """Why somebody may not decide, and who may."""
        name = steward.name if steward else LINE
        may = "、".join(s.name for s in stewards.deciders(named or "", subject.src_inst_code, requested_by))
        role = "市教委管理员" if named == "commission" else f" {subject.src_inst_code} 管理员"
        why = "申请人不能审批自己的申请" if name == requested_by else f"审批人须是{role}，{name} 不是"
        return f"{why}；可审批的账号：{may or '无'}"

    def is_due(self, subject: T, action: str, as_of: date) -> bool:
        """Whether the deadline of a step has passed: the step is due on the day after."""
        step = self.cycle.steps[action]
        return (
            step.after is not None and subject.state in step.sources and as_of > getattr(subject, step.after)
        )

    def start(
        self,
        connection: psycopg.Connection,
        action: str,
        row: dict[str, Any],
        actor: str,
        reason: str,
        as_of: date,
        run_id: str | None = None,
    ) -> int:
        """Begin a life: insert the row in the step's state, and its event. Returns its number."""
        state = self.cycle.steps[action].target
        names = [*row, "state"]
        (number,) = connection.execute(
            f"insert into {self.cycle.table} ({', '.join(names)}) values ({', '.join(['%s'] * len(names))}) "
            f"returning {self.cycle.key}",
            [*row.values(), state],
        ).fetchone()
        self._record_event(connection, number, action, None, actor, reason, as_of, run_id, {})
        return number

    def take(
        self,
        connection: psycopg.Connection,
        subject: T,
        action: str,
        actor: str,
        reason: str,
        as_of: date,
        *,
        run_id: str | None = None,
        changes: dict[str, Any] | None = None,
        evidence: dict[str, Any] | None = None,
    ) -> int:
        """Take a step that was checked: new state, further columns (`changes`), and the event with its evidence, whose
        number is returned.

        `evidence` is what stands in the event only. Raises DecisionError when the step may not start here, ValueError when
        something that the step requires is not given.
        """
        step = self.cycle.steps[action]
        changes = changes or {}
        given = changes | (evidence or {})
        if missing := [name for name in self.cycle.required(action) if given.get(name) is None]:
            raise ValueError(f"{self.cycle.name}: the step {action} requires {', '.join(missing)}")
        if subject.state not in step.sources or not reason.strip():
            self.check(subject, action, reason)
        changes = (
            dict.fromkeys(self.cycle.emptied(action)) | changes | {"state": step.target or subject.state}
        )
        number = getattr(subject, self.cycle.key)
        connection.execute(
            f"update {self.cycle.table} set {', '.join(f'{name} = %s' for name in changes)} where {self.cycle.key} = %s",
            [*changes.values(), number],
        )
        required = {name: given[name] for name in self.cycle.required(action)}
        return self._record_event(
            connection, number, action, subject.state, actor, reason, as_of, run_id, required
        )

    def _record_event(
        self,
        connection: psycopg.Connection,
        number: int,
        action: str,
        from_state: str | None,
        actor: str,
        reason: str,
        as_of: date,
        run_id: str | None,
        evidence: dict[str, Any],
    ) -> int:
        to_state = self.cycle.steps[action].target or from_state
        (event_id,) = connection.execute(
            "insert into quality.life_cycle_event (life_cycle, subject_id, as_of, actor, action, from_state, to_state, "
            "reason, run_id, evidence) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) returning event_id",
            [
                *(self.cycle.name, number, as_of, actor, action, from_state, to_state),
                *(reason, run_id, json.dumps(evidence, ensure_ascii=False, default=str)),
            ],
        ).fetchone()
        return event_id

    def events(self, connection: psycopg.Connection, number: int) -> list[dict[str, Any]]:
        """Every step of a subject so far, oldest first."""
        with connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(
                "select recorded_at, as_of, actor, action, from_state, to_state, reason, run_id, evidence "
                "from quality.life_cycle_event where life_cycle = %s and subject_id = %s order by event_id",
                [self.cycle.name, number],
            ).fetchall()


def day_named(connection: psycopg.Connection, given: str | None) -> date:
    """The day of a step in Airflow: what the run names, else the line's own when people answer. Raises DecisionError."""
    return day_of(connection, date.fromisoformat(given) if given else None)


def day_of(connection: psycopg.Connection, given: date | None) -> date:
    """The day of a step: the given one, else the line's own. Raises DecisionError for a day that has not come, and where
    neither is there.
    """
    if given is None:
        return today(connection)
    (newest,) = connection.execute("select max(as_of) from ops.run").fetchone()
    if newest is not None and given > newest + timedelta(days=DAYS_AHEAD):
        raise DecisionError(
            f"统计日期 {given} 尚未到来：数据线最近一次运行为 {newest}，步骤至多写到 {newest + timedelta(days=DAYS_AHEAD)}；"
            "请更正或不给出日期"
        )
    return given


def refuse_foreign(whose: str, inst_code: str, kind: str) -> None:
    """Raise DecisionError where what a run of Airflow is about is of another institution than the run's DAG, whose stewards
    would see it.
    """
    if whose != inst_code:
        raise DecisionError(f"这是单位 {whose} 的事项：请在 DAG {kind}_{whose} 中启动")


def today(connection: psycopg.Connection) -> date:
    """The line's own date: `as_of` of its newest run. Raises DecisionError before the first run."""
    (day,) = connection.execute("select max(as_of) from ops.run").fetchone()
    if day is None:
        raise DecisionError("数据线还没有运行过，没有统计日期；请先运行，或给出 --as-of")
    return day
