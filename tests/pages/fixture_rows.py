"""A warehouse after two days, written row by row: 10611 has every kind of finding, 10635 has none, 10637 did not deliver."""

from datetime import date
from typing import Any

import psycopg

from yuyan.domain import catalogue
from yuyan.validate import rulebook

AS_OF = date(2026, 10, 15)
RUN, LAST_RUN = "warehouse-2", "warehouse-1"
FORMULA = '=HYPERLINK("http://192.0.2.1/","x")'
PSEUDONYM = "a" * 64
COMPARED = "入学日期 2020-09-01；学籍 10611-s7：培养层次 2"
WARNED = "QR.achievement.share.12"
NOTED_AS_WELL = "QR.thesis.source_project_id.12"
"""A rule that only warns, broken by a thesis that another rule keeps out."""
WAITING = 45
"""Theses of one student record that never came."""


def insert(connection: psycopg.Connection, table: str, rows: list[dict[str, Any]]) -> None:
    """Insert rows that have the same columns."""
    columns = list(rows[0])
    places = ", ".join(f"%({c})s" for c in columns)
    with connection.cursor() as cursor:
        cursor.executemany(f"insert into {table} ({', '.join(columns)}) values ({places})", rows)


def fill(connection: psycopg.Connection) -> None:
    """Write all of it."""
    rulebook.register(connection, catalogue.load(), LAST_RUN)
    _runs(connection)
    _institutions(connection)
    _failures(connection)
    _problems(connection)
    _assessment(connection)
    connection.commit()


def _runs(connection: psycopg.Connection) -> None:
    days = {"1": date(2026, 10, 14), "2": AS_OF}
    for n, day in days.items():
        started = f"{day} 02:00:00+08"
        common = {"as_of": day, "state": "success"}
        insert(
            connection,
            "ops.run",
            [
                {"run_id": f"collect-{n}", "kind": "collect", "started_at": started, **common},
                {
                    "run_id": f"warehouse-{n}",
                    "kind": "warehouse",
                    "started_at": f"{day} 02:30:00+08",
                    **common,
                },
            ],
        )
    outcome = {
        "run_id": "collect-2",
        "outcome": "success",
        "rows_received": 120,
        "rows_stored": 40,
        "error": None,
    }
    rows = [outcome | {"src_inst_code": code, "entity": ""} for code in ("10611", "10635")]
    rows += [outcome | {"src_inst_code": "10611", "entity": e} for e in ("student", "degree_point")]
    error = "QR 403 平台拒绝：令牌过期，请在平台上续期后重采"
    rows += [
        outcome | {"src_inst_code": "10611", "entity": "thesis", "outcome": "failed", "error": error},
        outcome | {"src_inst_code": "10637", "entity": "", "outcome": "failed", "error": "连接超时"},
    ]
    insert(connection, "ops.collection_result", rows)
    batch = {
        "run_id": "collect-2", "src_inst_code": "10611", "product": "rest-versioned", "mode": "incremental",
        "landing_uri": "landing/x", "payload_digest": "0", "rows_received": 120, "rows_stored": 40,
        "rows_unchanged": 80, "rows_superseded": 0, "as_of": AS_OF, "loaded_at": "2026-10-15 02:10:00+08",
    }  # fmt: skip
    insert(
        connection,
        "ops.batch",
        [batch | {"entity": e, "batch_id": f"10611-{e}-0001"} for e in ("student", "thesis", "degree_point")],
    )
    connection.execute(
        "update ops.batch set rows_unchanged = 71, rows_superseded = 9, rows_repeated = 6 where entity = 'student'"
    )
    insert(
        connection,
        "ops.normalised",
        [{"run_id": "collect-2", "src_inst_code": "10611", "entity": "student", "field": "XH", "rows": 12}],
    )
    insert(
        connection,
        "ops.schema_drift",
        [
            {"run_id": "collect-2", "src_inst_code": "10611", "entity": "student", "field": "phone",
             "kind": "unannounced", "rows": 40}
        ],
    )  # fmt: skip
    check = {"run_id": "collect-2", "src_inst_code": "10611", "source_count": 500, "warehouse_count": 498}
    insert(
        connection,
        "ops.count_check",
        [
            check | {"entity": "student", "action": "still_different"},
            check | {"entity": "thesis", "warehouse_count": 500, "action": "none"},
        ],
    )


def _institutions(connection: psycopg.Connection) -> None:
    names = {"10611": "重庆大学", "10635": "西南大学", "10637": "重庆师范大学"}
    insert(
        connection,
        "accepted.institution",
        [
            {"src_inst_code": "50000", "src_record_id": code, "raw_id": i, "batch_id": "b", "inst_code": code,
             "inst_name": name}
            for i, (code, name) in enumerate(names.items())
        ],
    )  # fmt: skip
    insert(
        connection,
        "accepted.student",
        [
            {"src_inst_code": "10611", "src_record_id": f"s{i}", "raw_id": i, "batch_id": "b", "student_id": f"10611{i:05}"}
            for i in range(300)
        ],
    )  # fmt: skip


def _failures(connection: psycopg.Connection) -> None:
    known = {r.rule_id: (entity, r) for entity, rules in catalogue.load().rules.items() for r in rules}
    rows: list[dict[str, Any]] = []

    def fail(rule_id: str, record: str, value: str | None, **more: Any) -> None:
        entity, rule = known[rule_id]
        rows.append(
            {
                "entity": entity, "raw_id": len(rows), "rule_id": rule_id, "rule_version": rule.version,
                "src_inst_code": "10611", "src_record_id": record, "record_key": f"10611|{record}",
                "batch_id": f"10611-{entity}-0001", "row_no": len(rows) + 1, "column_name": rule.column,
                "observed_value": value, "severity": rule.severity, "cause_id": None, "override_id": None,
                "compared_with": COMPARED,
                "since_run_id": LAST_RUN, "last_run_id": RUN, "resolved_run_id": None, "resolution": None,
            }
            | more
        )  # fmt: skip

    for i in range(WAITING):
        fail(
            "QR.thesis.student_id.5", f"T{i:04}", "1061120230001", cause_id="cause-student", since_run_id=RUN
        )
    for i in range(3):
        fail("QR.thesis.degree_point_id.5", f"Q{i}", "10611D0812", cause_id="cause-point")
    fail("QR.student.left_on.12", "S1", None)
    fail("QR.student.left_on.12", "S2", FORMULA, since_run_id=RUN, compared_with=FORMULA)
    fail("QR.student.left_on.12", "S3", None, override_id=1)
    fail("QR.student.person_key.1", "S4", PSEUDONYM)
    fail("QR.student.left_on.13", "S5", "2020-01-01", resolved_run_id=RUN, resolution="corrected")
    fail("QR.student.left_on.13", "S6", "2020-01-01", resolved_run_id=RUN, resolution="replaced")
    fail(WARNED, "W1", "很长的观察值" * 30)
    fail(NOTED_AS_WELL, "T0000", "x")
    fail("QR.student.degree_point_id.5", "O1", "10611D9999", src_inst_code="10635", cause_id="cause-point")
    insert(connection, "quality.row_failure", rows)
    refused = [
        r for r in rows if not r["resolution"] and r["severity"] != "WARN" and r["override_id"] is None
    ]
    columns = (
        "entity",
        "raw_id",
        "src_inst_code",
        "src_record_id",
        "batch_id",
        "since_run_id",
        "last_run_id",
    )
    insert(
        connection,
        "quality.quarantine",
        [{c: r[c] for c in columns} | {"rule_ids": [r["rule_id"]]} for r in refused],
    )
    cause = {
        "src_inst_code": "10611", "entities": ["thesis"], "cause_rule_ids": [], "observed_value": None,
        "failed_rows": 3, "since_run_id": LAST_RUN, "last_run_id": RUN, "resolved_run_id": None,
    }  # fmt: skip
    insert(
        connection,
        "quality.cause",
        [
            cause
            | {"cause_id": "cause-student", "kind": "parent_missing", "rule_ids": ["QR.thesis.student_id.5"],
               "cause_entity": "student", "cause_key": "1061120230001", "message": "学籍 1061120230001 未报"},
            cause
            | {"cause_id": "cause-point", "kind": "parent_quarantined", "rule_ids": ["QR.thesis.degree_point_id.5"],
               "cause_entity": "degree_point", "cause_key": "10611D0812", "message": "学位授权点 10611D0812 被隔离",
               "cause_rule_ids": ["QR.degree_point.discipline_code.4"]},
        ],
    )  # fmt: skip


def _problems(connection: psycopg.Connection) -> None:
    problem = {
        "src_inst_code": "10611", "entity": "student", "severity": "ERROR", "causes": 1, "opened_run_id": LAST_RUN,
        "last_run_id": RUN, "known_rows": None, "promised_for": None, "fixed_run_id": None,
    }  # fmt: skip
    insert(
        connection,
        "quality.problem",
        [
            problem | {"rule_id": "QR.student.left_on.12", "state": "overridden", "failed": 3},
            problem | {"rule_id": "QR.thesis.student_id.5", "state": "fix_promised", "failed": WAITING,
                       "entity": "thesis", "promised_for": date(2026, 10, 31)},
            problem | {"rule_id": "QR.student.left_on.13", "state": "fixed", "failed": 0, "fixed_run_id": RUN},
            problem | {"rule_id": "QR.student.left_on.14", "state": "open", "failed": 8},
            problem | {"rule_id": WARNED, "entity": WARNED.split(".")[1], "severity": "WARN", "state": "open", "failed": 1},
        ],
    )  # fmt: skip
    insert(
        connection,
        "quality.override",
        [
            {"problem_id": 1, "rule_id": "QR.student.left_on.12", "rule_version": 1, "src_inst_code": "10611",
             "state": "active", "granted_rows": 5, "justification": "离校手续未办结，日期月底补录",
             "requested_by": "cqu-steward", "requested_on": date(2026, 10, 14), "expires_on": date(2026, 11, 30),
             "decided_by": "cqjw-zhang", "decided_on": date(2026, 10, 14), "decision_reason": "同意，至十一月底"}
        ],
    )  # fmt: skip
    step = {
        "life_cycle": "problem",
        "subject_id": 1,
        "as_of": date(2026, 10, 14),
        "run_id": None,
        "evidence": "{}",
    }
    of_override = step | {"evidence": '{"override_id": 1}'}
    insert(
        connection,
        "quality.life_cycle_event",
        [
            step | {"actor": "yuyan", "action": "found", "from_state": None, "to_state": "open", "reason": "3 行不合格"},
            of_override | {"actor": "cqu-steward", "action": "request", "from_state": "open",
                           "to_state": "override_requested", "reason": "离校手续未办结"},
            of_override | {"actor": "cqjw-zhang", "action": "approve", "from_state": "override_requested",
                           "to_state": "overridden", "reason": "同意，至十一月底"},
        ],
    )  # fmt: skip
    insert(
        connection,
        "quality.hold",
        [
            {"src_inst_code": "10611", "entity": "course", "kind": "shrunk", "run_id": "collect-2", "as_of": AS_OF,
             "last_run_id": "collect-2", "batch_ids": ["b1"], "landing_uris": ["u1"], "live_rows": 800, "affected_rows": 500}
        ],
    )  # fmt: skip


def _assessment(connection: psycopg.Connection) -> None:
    columns = ("entity", "dimension", "numerator", "denominator", "value", "target", "grade")
    score = {"run_id": RUN, "as_of": AS_OF, "src_inst_code": "10611", "period": "2026-10"}
    insert(
        connection,
        "quality.scorecard",
        [
            score | dict(zip(columns, row, strict=True))
            for row in [
                ("", "D01", 58, 60, 0.9667, 0.98, "B"),
                ("", "D03", 295, 345, 0.8551, 0.999, "D"),
                ("thesis", "D03", 0, 48, 0.0, 0.999, "NCID"),
                ("", "D11", None, None, None, None, "D"),
            ]
        ],
    )  # fmt: skip
    insert(
        connection,
        "quality.indicator_confidence",
        [
            {"run_id": RUN, "variant_code": "H12", "unit_code": "10611", "grade": "NCID", "weakest_entity": "thesis",
             "weakest_dimension": "D03"}
        ],
    )  # fmt: skip
    insert(
        connection,
        "quality.credibility",
        [
            {"run_id": RUN, "rule_id": "QR.indicator.H03.11", "src_inst_code": "10611", "variant_code": "H03",
             "category": "", "period_code": "2026",
             "observed": 310.0, "expected": 410.0, "threshold": 40.0, "is_alarm": True,
             "explanation": "2026 期为 310；按上期和历年变动预期 410，容许相差 40"}
        ],
    )  # fmt: skip
    insert(connection, "quality.last_judged", [{"entity": "student", "run_id": RUN, "as_of": AS_OF}])
    insert(
        connection,
        "quality.result",
        [
            {"run_id": RUN, "rule_id": "QR.student.left_on.12", "rule_version": 1, "src_inst_code": "10611",
             "entity": "student", "eligible": 300, "failed": 3, "unverifiable": 1, "tolerance_rows": 0, "tolerance_pct": 0,
             "overridden": 1, "new": 1, "still": 2, "resolved": 0, "verdict": "fail"}
        ],
    )  # fmt: skip
