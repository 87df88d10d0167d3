"""Holds: batches that would empty an entity, halve it or return it to old content wait here for a decision.

The load path finds them (load/guard.py); this module keeps quality.hold and its events. An institution's entity has one
open hold at most: waiting, accepted or rejected. Each later collection that meets it again brings its figures up to date.
It is closed by a collection: `applied` when what was accepted is loaded, `withdrawn` when the source is back to normal,
`exceeded` when more than was accepted would have been affected (a new hold then waits).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import psycopg
from psycopg.rows import class_row

from yuyan.decisions.problems import LINE
from yuyan.domain.stewards import Steward

OPEN = ("waiting", "accepted", "rejected")

KINDS = {"emptied": "清空", "shrunk": "骤减", "repeated": "退回旧内容"}
"""Gravest first."""

STATES = {
    "waiting": "待定",
    "accepted": "已认可",
    "rejected": "不认可",
    "withdrawn": "来源已恢复",
    "applied": "已生效",
    "exceeded": "超出认可数",
}


class HoldError(ValueError):
    """A decision that cannot be taken; the message (Chinese) says why and what to do."""


@dataclass(frozen=True)
class Finding:
    """Why a statement of a source must wait: so many of its entity's live records are affected, by these batches."""

    kind: str
    live: int
    affected: int
    batch_ids: Sequence[str]
    uris: Sequence[str]


@dataclass(frozen=True)
class Hold:
    """A row of quality.hold."""

    hold_id: int
    src_inst_code: str
    entity: str
    kind: str
    run_id: str
    as_of: date
    last_run_id: str
    batch_ids: list[str]
    landing_uris: list[str]
    live_rows: int
    affected_rows: int
    state: str
    decided_by: str | None
    decided_on: date | None
    reason: str | None
    closed_run_id: str | None

    @property
    def name(self) -> str:
        """How a message names it."""
        return f"暂缓 {self.hold_id}（{self.src_inst_code} {self.entity}）"

    def covers(self, finding: Finding, granted: int) -> bool:
        """Whether accepting it lets a finding pass: of its kind (emptied includes shrunk), up to this many records."""
        is_kind = finding.kind == self.kind or (finding.kind, self.kind) == ("shrunk", "emptied")
        return is_kind and finding.affected <= granted


def open_holds(connection: psycopg.Connection, inst_code: str) -> dict[str, Hold]:
    """Entity -> its open hold, of one institution."""
    found = select(connection, "src_inst_code = %s and state = any(%s)", [inst_code, list(OPEN)])
    return {hold.entity: hold for hold in found}


def record(
    connection: psycopg.Connection,
    inst_code: str,
    entity: str,
    findings: Sequence[Finding],
    run_id: str,
    as_of: date,
) -> str:
    """Keep what a collection of an entity holds back: a new hold, or the open one with the figures of now.

    Returns what the collection's outcome says about it.
    """
    worst = min(findings, key=lambda f: list(KINDS).index(f.kind))
    found = Finding(
        worst.kind,
        worst.live,
        sum(f.affected for f in findings),
        [i for f in findings for i in f.batch_ids],
        [u for f in findings for u in f.uris],
    )
    with connection.transaction():
        held = _locked(
            connection,
            "src_inst_code = %s and entity = %s and state = any(%s)",
            [inst_code, entity, list(OPEN)],
        )
        if held and held.state == "accepted" and not held.covers(found, held.affected_rows):
            now = f"{KINDS[found.kind]} {found.affected} 条"
            reason = f"认可{KINDS[held.kind]} {held.affected_rows} 条，本次为{now}，须另行决定"
            _move(connection, held, "exceeded", LINE, reason, as_of, run_id, closed_run_id=run_id)
            held = None
        if held is None:
            hold_id = _open(connection, inst_code, entity, found, run_id, as_of)
        elif (
            held.state == "accepted"
        ):  # accepted while this collection was under way: the next one lets it pass
            hold_id = held.hold_id
            connection.execute(
                "update quality.hold set last_run_id = %s where hold_id = %s", [run_id, hold_id]
            )
        else:
            hold_id = held.hold_id
            connection.execute(
                "update quality.hold set kind = %s, last_run_id = %s, batch_ids = %s, landing_uris = %s, live_rows = %s, "
                "affected_rows = %s where hold_id = %s",
                [found.kind, run_id, found.batch_ids, found.uris, found.live, found.affected, hold_id],
            )
        return _message(get(connection, hold_id))


def apply(connection: psycopg.Connection, hold_id: int, finding: Finding, run_id: str, as_of: date) -> bool:
    """Within the transaction that lets an accepted finding take effect: close its hold. False if it is no longer accepted.

    A further part of the same collection is added to what the hold let pass.
    """
    held = _locked(connection, "hold_id = %s", [hold_id])
    if held.state == "applied" and held.closed_run_id == run_id:
        connection.execute(
            "update quality.hold set batch_ids = batch_ids || %s, landing_uris = landing_uris || %s where hold_id = %s",
            [list(finding.batch_ids), list(finding.uris), hold_id],
        )
        return True
    if held.state != "accepted":
        return False
    reason = f"按 {held.decided_by} 的认可生效，影响 {finding.affected} 条"
    changes = {"batch_ids": list(finding.batch_ids), "landing_uris": list(finding.uris)}
    _move(
        connection, held, "applied", LINE, reason, as_of, run_id,
        closed_run_id=run_id, last_run_id=run_id, live_rows=finding.live, **changes,
    )  # fmt: skip
    return True


def withdraw(connection: psycopg.Connection, hold_id: int, run_id: str, as_of: date) -> None:
    """Close a hold whose source is back to normal."""
    with connection.transaction():
        held = _locked(connection, "hold_id = %s", [hold_id])
        if held.state in OPEN:
            reason = "来源已恢复正常，不再需要决定"
            _move(connection, held, "withdrawn", LINE, reason, as_of, run_id, closed_run_id=run_id)


def decide(
    connection: psycopg.Connection, hold_id: int, state: str, steward: Steward, reason: str, as_of: date
) -> Hold:
    """Accept or reject an open hold (`state`: accepted, rejected). Raises HoldError."""
    with connection.transaction():
        get(connection, hold_id)
        held = _locked(connection, "hold_id = %s", [hold_id])
        if steward.role != "commission":
            raise HoldError(
                f"{held.name}：{steward.name} 不是市教委的数据管理员，不能决定；请由市教委的管理员处理"
            )
        if held.state not in OPEN:
            raise HoldError(f"{held.name}已了结（{STATES[held.state]}），不能再决定")
        if held.state == state:
            raise HoldError(f"{held.name}已由 {held.decided_by} 决定为“{STATES[state]}”")
        if not reason.strip():
            raise HoldError(f"{held.name}：须写明理由")
        _move(
            connection, held, state, steward.name, reason, as_of, None,
            decided_by=steward.name, decided_on=as_of, reason=reason,
        )  # fmt: skip
    return get(connection, hold_id)


def get(connection: psycopg.Connection, hold_id: int) -> Hold:
    """One hold. Raises HoldError for an unknown number."""
    found = select(connection, "hold_id = %s", [hold_id])
    if not found:
        raise HoldError(f"没有编号为 {hold_id} 的暂缓；编号见 `yuyan hold list --all`")
    return found[0]


def select(connection: psycopg.Connection, where: str, parameters: Sequence[Any] = ()) -> list[Hold]:
    """Holds that meet an SQL condition."""
    columns = ", ".join(Hold.__dataclass_fields__)
    with connection.cursor(row_factory=class_row(Hold)) as cursor:
        return cursor.execute(f"select {columns} from quality.hold where {where}", parameters).fetchall()


def _locked(connection: psycopg.Connection, where: str, parameters: Sequence[Any]) -> Hold | None:
    return next(iter(select(connection, f"{where} for update", parameters)), None)


def _open(
    connection: psycopg.Connection, inst_code: str, entity: str, found: Finding, run_id: str, as_of: date
) -> int:
    (hold_id,) = connection.execute(
        "insert into quality.hold (src_inst_code, entity, kind, run_id, as_of, last_run_id, batch_ids, landing_uris, "
        "live_rows, affected_rows) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) returning hold_id",
        [inst_code, entity, found.kind, run_id, as_of, run_id, found.batch_ids, found.uris, found.live, found.affected],
    ).fetchone()  # fmt: skip
    reason = f"{KINDS[found.kind]}：仓库有 {found.live} 条有效记录，其中 {found.affected} 条受影响"
    _note(connection, hold_id, as_of, LINE, None, "waiting", reason, run_id)
    return hold_id


def _move(
    connection: psycopg.Connection,
    held: Hold,
    state: str,
    actor: str,
    why: str,
    as_of: date,
    run_id: str | None,
    **changes: Any,
) -> None:
    changes["state"] = state
    connection.execute(
        f"update quality.hold set {', '.join(f'{name} = %s' for name in changes)} where hold_id = %s",
        [*changes.values(), held.hold_id],
    )
    _note(connection, held.hold_id, as_of, actor, held.state, state, why, run_id)


def _note(
    connection: psycopg.Connection,
    hold_id: int,
    as_of: date,
    actor: str,
    from_state: str | None,
    to_state: str,
    reason: str,
    run_id: str | None,
) -> None:
    connection.execute(
        "insert into quality.hold_event (hold_id, as_of, actor, from_state, to_state, reason, run_id) "
        "values (%s, %s, %s, %s, %s, %s, %s)",
        [hold_id, as_of, actor, from_state, to_state, reason, run_id],
    )


def _message(hold: Hold) -> str:
    """What the outcome of a collection says about a hold: what waits, and the remedy."""
    happens = "退回旧内容" if hold.kind == "repeated" else "终止"
    text = (
        f"{hold.src_inst_code} {hold.entity}：暂缓 {hold.hold_id}（{KINDS[hold.kind]}）："
        f"仓库有 {hold.live_rows} 条有效记录，来源将使其中 {hold.affected_rows} 条{happens}；"
        "已落地、未生效，此前的数据继续有效。"
    )
    if hold.state == "rejected":
        return text + (
            f"{hold.decided_by} 已于 {hold.decided_on} 不认可（{hold.reason}）：请报送单位修复，恢复后自动了结。/ "
            f"hold {hold.hold_id} ({hold.kind}), rejected: waits for the institution to repair its data"
        )
    if hold.state == "accepted":
        return (
            text
            + f"已认可，下次采集生效。/ hold {hold.hold_id} ({hold.kind}), accepted: the next collection loads it"
        )
    return text + (
        f"请向报送单位核实：属实则 `yuyan hold accept {hold.hold_id} --as 账号 --reason 理由`，下次采集生效；"
        f"否则 `yuyan hold reject {hold.hold_id} --as 账号 --reason 理由`，并请其修复。/ "
        f"hold {hold.hold_id} ({hold.kind}): {hold.affected_rows} of {hold.live_rows} live records affected, not applied, "
        "the last good data stay; ask the institution, then accept or reject it"
    )
