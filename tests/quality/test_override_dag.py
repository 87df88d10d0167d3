"""The DAGs of an institution: people are shown the facts and decide over Airflow's own API; the decision is recorded as
theirs. What is another institution's is refused."""

import json
import secrets
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from made_up import (
    COMMISSION,
    DAY,
    INST,
    JW,
    OTHER,
    UNI,
    UNIVERSITY,
    ask,
    events,
    finding,
    publish_rules,
    settle,
    state,
)

from yuyan.decisions import approval, case_approval, cases
from yuyan.decisions.case_review import review
from yuyan.decisions.cases import CASES
from yuyan.decisions.life_cycle import DecisionError
from yuyan.decisions.overrides import OVERRIDES
from yuyan_demo.runtime import environment, postgres

pytestmark = pytest.mark.database

SCRIPT = Path(__file__).with_name("decide_in_airflow.py")
STARTER = "dag_test"
"""Who starts a run, as Airflow notes it for `dag.test()`."""


@pytest.fixture
def world(warehouse, tmp_path, monkeypatch):
    """A warehouse of its own, since another process works in it; the starter of the runs is a steward."""
    path = tmp_path / "stewards.yml"
    path.write_text(f"commission: [{JW}, jw-data-2]\nuniversities: {{'{INST}': [{UNI}, {STARTER}]}}\n")
    monkeypatch.setenv("YUYAN_STEWARDS", str(path))
    with psycopg.connect(warehouse, autocommit=True) as connection:
        publish_rules(connection)
        connection.execute("insert into ops.run (run_id, kind, as_of) values ('r1', 'warehouse', %s)", [DAY])
        settle(connection, finding(COMMISSION, 12), finding(UNIVERSITY, 3))
        yield connection


@pytest.fixture
def airflow(world, pg_home, work, tmp_path):
    """Play runs of the DAG in an Airflow of its own: (conf, people's answers) in, what came of it out."""
    database = f"meta_{secrets.token_hex(4)}"
    users = (JW, "jw-data-2", UNI, "yuyan")
    work.mkdir(exist_ok=True)
    passwords = work / "passwords.json"
    passwords.write_text(json.dumps({user: secrets.token_hex(8) for user in users}))
    keys = {"fernet_key": ""} | dict.fromkeys(("api_secret_key", "jwt_secret"), secrets.token_hex(32))
    env = environment.airflow(work, keys, postgres.create_database(pg_home, database), 1)
    env |= {
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{user}:user" for user in users),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
    }

    def play(*runs: tuple[str, dict, list[tuple[str, str, dict]]]) -> list[dict]:
        asked, output = tmp_path / "asked.json", tmp_path / "said.json"
        asked.write_text(
            json.dumps([{"dag": d, "conf": conf, "answers": answers} for d, conf, answers in runs])
        )
        command = [sys.executable, str(SCRIPT), str(asked), str(output)]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-6000:]
        return json.loads(output.read_text())

    yield play
    with psycopg.connect(postgres.dsn(pg_home), autocommit=True) as admin:
        admin.execute(f"drop database {database} with (force)")


def test_people_decide_in_airflow_under_the_same_rights(world, airflow):
    number, other = state(world, COMMISSION).problem_id, state(world, UNIVERSITY).problem_id
    override = ask(world, number)
    request = {"problem_id": other, "rows": 5, "until": "2026-12-31", "reason": "系统升级中"}
    told = cases.notify(world, watched(world), "warn", JW, "拟定", DAY)
    about = {"case_id": told.case_id, "step": "warn", "as_of": str(DAY)}
    signed = {"role": "学位办主任", "document": "渝学位〔2026〕3号", "opinion": "属实"}
    approved, rejected, late, warned = airflow(
        (
            f"override_{INST}",
            {"override_id": override.override_id},
            [
                (UNI, "批准", {"opinion": "我自己批准"}),
                ("yuyan", "批准", {"opinion": "管理员批准"}),
                (JW, "批准", {"opinion": "档案室已出证明"}),
            ],
        ),
        (f"override_{INST}", request, [(UNI, "驳回", {"opinion": "升级已完成，请更正"})]),
        (f"override_{INST}", {"override_id": override.override_id}, []),
        (
            f"accountability_{INST}",
            about,
            [
                (JW, "陈述", {"statement": "代为陈述"}),
                (UNI, "陈述", {"statement": "已停招该导师"}),
                (UNI, "同意", signed),
                (JW, "同意", signed),
            ],
        ),
    )

    assert len(approved["probed"]) == 17
    assert {asked: code for asked, code in approved["probed"].items() if code != 403} == {}
    assert approved["answers"] == [403, 403, 200]
    shown = approved["shown"]
    assert shown["options"] == ["批准", "驳回"]
    assert {a["id"] for a in shown["assigned_users"]} == {JW, "jw-data-2"}
    text = shown["subject"] + shown["body"]
    for fact in (INST, "有问题", COMMISSION, "12 行", "20 行", "2026-11-14", UNI, "历史档案缺失", "改正"):
        assert fact in text, fact
    assert approved["tasks"] == {"request": "success", "decide": "success", "replay": "success"}
    replay = {"dag": "replay", "conf": {"mode": "revalidate", "as_of": "2026-10-15"}, "state": "queued"}
    assert approved["triggered"] == [replay]
    decided = OVERRIDES.get(world, override.override_id)
    assert (decided.state, decided.decided_by, decided.decided_on) == ("active", JW, DAY)
    assert events(world, number)[-1][:5] == (
        JW,
        "approve",
        "override_requested",
        "overridden",
        "档案室已出证明",
    )

    assert rejected["answers"] == [200]
    assert {a["id"] for a in rejected["shown"]["assigned_users"]} == {UNI}
    assert rejected["tasks"] == {"request": "success", "decide": "success", "replay": "skipped"}
    assert [e[:5] for e in events(world, other)[1:]] == [
        (STARTER, "request", "open", "override_requested", "系统升级中"),
        (UNI, "reject", "override_requested", "open", "升级已完成，请更正"),
    ]

    assert late["tasks"] == {"request": "success", "decide": "skipped", "replay": "skipped"}
    assert late["triggered"] == [replay]  # none more

    assert warned["answers"] == [403, 200, 403, 200]
    assert warned["tasks"] == dict.fromkeys(("prepare", "statement", "decide"), "success")
    assert {a["id"] for a in warned["shown"]["assigned_users"]} == {UNI, STARTER}
    for fact in ("10611-2-1-0802", "发出预警", "18/24", "系统只提建议"):
        assert fact in warned["shown"]["subject"] + warned["shown"]["body"], fact
    case = CASES.get(world, told.case_id)
    record = cases.records(world, told.case_id)[-1]
    assert (case.state, record["actor"], record["statement"], record["document_no"]) == (
        "warned", JW, "已停招该导师", "渝学位〔2026〕3号",
    )  # fmt: skip


def test_what_is_of_another_institution_is_refused(world):
    """Whoever may see a DAG sees all of its runs: nothing of others may get into them."""
    number = state(world, COMMISSION).problem_id
    override, case_id = ask(world, number), watched(world)
    nothing = dict.fromkeys(("override_id", "problem_id", "rows", "until", "reason", "as_of"))
    for given in ({"override_id": override.override_id}, {"problem_id": number}):
        with pytest.raises(DecisionError, match=f"单位 {INST} 的事项：请在 DAG override_{INST}"):
            approval.requested(nothing | given, UNI, OTHER)
    with pytest.raises(DecisionError, match=f"accountability_{INST}"):
        case_approval.prepared({"case_id": case_id, "step": "warn"}, JW, OTHER)


def watched(world) -> int:
    """The number of a case in 关注 about a point with a RED rate."""
    world.execute(
        "insert into accountability.warning_signal (target_kind, target_code, inst_code, rule_code, signal_code, "
        "period_year, is_current, is_restricted, level_code, reason_zh, parameter_version, rule_version, run_id, as_of) "
        "values ('DP', '10611-2-1-0802', %s, 'W02', 'ALL', 2025, true, false, 'RED', '18/24', 'W-1', 1, 'r1', %s)",
        [INST, DAY],
    )
    review(world, "r1", DAY)
    (case,) = CASES.select(world, "true")
    return cases.decide(world, case.case_id, "watch", JW, "属实", DAY, cases.Decision("主任", "1号")).case_id
