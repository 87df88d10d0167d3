"""Holds: batches that would empty an entity, halve it or return it to old content wait here for a decision.

The load path finds them (load/guard.py); this module keeps quality.hold and its events. An institution's entity has one
open hold at most: waiting, accepted or rejected. Each later collection that meets it again brings its figures up to date.
It is closed by a collection: `applied` when what was accepted is loaded, `withdrawn` when the source is back to normal,
`exceeded` when more than was accepted would have been affected (a new hold then waits).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import psycopg

from yuyan.decisions.life_cycle import LifeCycle
from yuyan.domain.life_cycles import LINE
from yuyan.domain.stewards import Steward

KINDS = {"emptied": "清空", "shrunk": "骤减", "repeated": "退回旧内容"}
"""Gravest first."""


@dataclass(frozen=True)
class Finding:
    """Why a change of a source must wait: so many of its entity's live records are affected, by these batches."""

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


HOLDS = LifeCycle("hold", Hold)
OPEN = HOLDS.cycle.open_states()


def open_holds(connection: psycopg.Connection, inst_code: str) -> dict[str, Hold]:
    """Entity -> its open hold, of one institution."""
    found = HOLDS.select(connection, "src_inst_code = %s and state = any(%s)", [inst_code, list(OPEN)])
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
        where = "src_inst_code = %s and entity = %s and state = any(%s) for update"
        hold = next(iter(HOLDS.select(connection, where, [inst_code, entity, list(OPEN)])), None)
        if hold and hold.state == "accepted" and not hold.covers(found, hold.affected_rows):
            now = f"{KINDS[found.kind]} {found.affected} 条"
            reason = f"认可{KINDS[hold.kind]} {hold.affected_rows} 条，本次为{now}，须另行决定"
            HOLDS.take(
                connection,
                hold,
                "exceed",
                LINE,
                reason,
                as_of,
                run_id=run_id,
                changes={"closed_run_id": run_id},
            )
            hold = None
        if hold is None:
            return _message(HOLDS.get(connection, _open(connection, inst_code, entity, found, run_id, as_of)))
        figures = {"last_run_id": run_id}
        if (
            hold.state != "accepted"
        ):  # accepted while this collection was under way: the next one lets it pass
            figures |= {"kind": found.kind, "batch_ids": found.batch_ids, "landing_uris": found.uris}
            figures |= {"live_rows": found.live, "affected_rows": found.affected}
        connection.execute(
            f"update quality.hold set {', '.join(f'{name} = %s' for name in figures)} where hold_id = %s",
            [*figures.values(), hold.hold_id],
        )
        return _message(HOLDS.get(connection, hold.hold_id))


def apply(connection: psycopg.Connection, hold_id: int, finding: Finding, run_id: str, as_of: date) -> bool:
    """Within the transaction that lets an accepted finding take effect: close its hold. False if it is no longer accepted.

    A further part of the same collection is added to what the hold let pass.
    """
    hold = HOLDS.locked(connection, hold_id)
    if hold.state == "applied" and hold.closed_run_id == run_id:
        connection.execute(
            "update quality.hold set batch_ids = batch_ids || %s, landing_uris = landing_uris || %s where hold_id = %s",
            [list(finding.batch_ids), list(finding.uris), hold_id],
        )
        return True
    if hold.state != "accepted":
        return False
    reason = f"按 {hold.decided_by} 的认可生效，影响 {finding.affected} 条"
    changes = {"batch_ids": list(finding.batch_ids), "landing_uris": list(finding.uris)}
    changes |= {"closed_run_id": run_id, "last_run_id": run_id, "live_rows": finding.live}
    HOLDS.take(connection, hold, "apply", LINE, reason, as_of, run_id=run_id, changes=changes)
    return True


def withdraw(connection: psycopg.Connection, hold_id: int, run_id: str, as_of: date) -> None:
    """Close a hold whose source is back to normal."""
    with connection.transaction():
        hold = HOLDS.locked(connection, hold_id)
        if hold.state in OPEN:
            reason = "来源已恢复正常，不再需要决定"
            HOLDS.take(
                connection,
                hold,
                "withdraw",
                LINE,
                reason,
                as_of,
                run_id=run_id,
                changes={"closed_run_id": run_id},
            )


def decide(
    connection: psycopg.Connection,
    hold_id: int,
    is_accepted: bool,
    steward: Steward,
    reason: str,
    as_of: date,
) -> Hold:
    """Accept or reject an open hold. Raises DecisionError.

    >>> decide(connection, 7, True, stewards.find("jw-data-1"), "院系合并", as_of).state
    'accepted'
    """
    action = "accept" if is_accepted else "reject"
    with connection.transaction():
        hold = HOLDS.locked(connection, hold_id)
        HOLDS.check(hold, action, reason, steward)
        decision = {"decided_by": steward.name, "decided_on": as_of, "reason": reason}
        # the column `reason` of the hold and the reason of the step are the same text
        HOLDS.take(connection, hold, action, steward.name, reason, as_of, changes=decision)
    return HOLDS.get(connection, hold_id)


def _open(
    connection: psycopg.Connection, inst_code: str, entity: str, found: Finding, run_id: str, as_of: date
) -> int:
    row = {
        "src_inst_code": inst_code,
        "entity": entity,
        "kind": found.kind,
        "run_id": run_id,
        "as_of": as_of,
        "last_run_id": run_id,
        "batch_ids": found.batch_ids,
        "landing_uris": found.uris,
        "live_rows": found.live,
        "affected_rows": found.affected,
    }
    reason = f"{KINDS[found.kind]}：仓库有 {found.live} 条有效记录，其中 {found.affected} 条受影响"
    return HOLDS.start(connection, "found", row, LINE, reason, as_of, run_id)


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
