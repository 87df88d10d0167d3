"""`yuyan problem …` as a steward types it: what it says, what it refuses, and the same for programs."""

import json
import re
import shlex

import psycopg
import pytest
from made_up import DAY, INST, JW, NOBODY, UNI, WARNING, finding, publish_rules, settle, state
from typer.testing import CliRunner

from yuyan import settings
from yuyan.commands.cli import app

pytestmark = pytest.mark.database


@pytest.fixture(scope="module")
def runner():
    return CliRunner()


@pytest.fixture
def yuyan(warehouse, runner):
    """Run the command; gives back what it said (messages and errors) and its exit code."""

    def run(*words: object) -> tuple[str, int]:
        done = runner.invoke(app, ["problem", *map(str, words)], env={"COLUMNS": "200"})
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.output, done.exit_code

    return run


@pytest.fixture
def problem(warehouse, yuyan) -> int:
    """The number of one problem that may be overridden; beside it a warning, and one that nobody may override."""
    with psycopg.connect(warehouse, autocommit=True) as connection:
        publish_rules(connection)
        connection.execute("insert into ops.run (run_id, kind, as_of) values ('r1', 'warehouse', %s)", [DAY])
        settle(
            connection,
            finding("QR.student.left_on.14", 12),
            finding(WARNING, 3),
            finding(NOBODY, 1),
            finding(NOBODY, 1, "10635"),
        )
        yield state(connection).problem_id


def test_an_override_from_the_list_to_its_end(problem, yuyan):
    said, code = yuyan("list")
    assert code == 0
    for text in ("数据质量问题", "QR.student.left_on.14", "有问题", "待处理", "12"):
        assert text in said, text
    said, code = yuyan(
        "request", problem, "--rows", 20, "--until", "2026-12-31", "--reason", "历史档案缺失", "--as", UNI
    )
    assert code == 0, said
    assert "待处理 → 已申请豁免" in said
    assert "可审批的账号：jw-data-1、jw-data-2" in said
    said, code = yuyan("approve", problem, "--reason", "属实", "--as", UNI)
    assert code == 1
    assert "申请人不能审批自己的申请；可审批的账号：jw-data-1、jw-data-2" in said
    said, code = yuyan("approve", problem, "--reason", "属实", "--as", JW, "--as-of", "2099-01-01")
    assert code == 1
    assert "统计日期 2099-01-01 尚未到来：数据线最近一次运行为 2026-10-15" in said
    said, code = yuyan("approve", problem, "--reason", "属实", "--as", JW, "--as-of", "2026-10-16")
    assert code == 0, said
    assert "已申请豁免 → 已豁免" in said
    assert "至 2026-12-31 有效，至多 20 行；下一次校验起放行，立即放行：yuyan replay revalidate" in said
    said, code = yuyan("show", problem)
    assert code == 0
    for text in (
        "已豁免",
        "市教委",
        "历史档案缺失",
        "属实",
        UNI,
        JW,
        "2026-10-16",
        "2026-12-31",
        "发现",
        "申请豁免",
        "批准豁免",
    ):
        assert text in said, text
    said, code = yuyan("withdraw", problem, "--reason", "档案找到了", "--as", JW)
    assert "已豁免 → 待处理" in said
    assert code == 0


def test_the_same_for_programs(problem, yuyan):
    said, code = yuyan(
        "promise", problem, "--by", "2026-11-01", "--reason", "联系厂商", "--as", UNI, "--json"
    )
    assert code == 0, said
    step = json.loads(said)
    assert (step["was"], step["state"], step["promised_for"]) == ("open", "fix_promised", "2026-11-01")
    listed = json.loads(yuyan("list", "--institution", INST, "--json")[0])["rows"]
    assert [row["failed"] for row in listed] == [12, 3, 1], "the largest first"
    first = listed[0]
    assert (first["rule_id"], first["state"], first["failed"], first["promised_for"]) == (
        "QR.student.left_on.14", "fix_promised", 12, "2026-11-01",
    )  # fmt: skip
    shown = json.loads(yuyan("show", problem, "--json")[0])
    assert shown["problem"]["promised_for"] == "2026-11-01"
    assert [(e["actor"], e["action"], e["reason"]) for e in shown["events"]] == [
        ("yuyan", "found", "12 行不合格，超出容许范围"),
        (UNI, "promise", "联系厂商"),
    ]
    assert shown["overrides"] == []


def test_lists_are_by_institution_and_state(problem, yuyan):
    def states(*words: str) -> list[tuple]:
        return [
            (r["src_inst_code"], r["state"]) for r in json.loads(yuyan("list", *words, "--json")[0])["rows"]
        ]

    assert states("--institution", "10635") == [("10635", "open")]
    assert len(states()) == 4
    assert states("--state", "fixed") == []
    assert yuyan("list", "--state", "overridden")[0].strip() == "没有符合条件的问题"


def test_a_warning_is_explained_and_reopened(problem, yuyan):
    warning = next(
        r["problem_id"] for r in json.loads(yuyan("list", "--json")[0])["rows"] if r["rule_id"] == WARNING
    )
    said, code = yuyan("explain", warning, "--reason", "少年班", "--as", UNI)
    assert "待处理 → 已知" in said
    assert code == 0
    said, code = yuyan("reopen", warning, "--reason", "查错了", "--as", UNI)
    assert "已知 → 待处理" in said
    assert code == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ["promise", "--by", "2026-11-01", "--reason", "x", "--as", "data-10635-1"],
            "data-10635-1 是 10635 的数据管理员",
        ),
        (
            ["promise", "--by", "2026-11-01", "--reason", "x", "--as", "nobody"],
            "不是登记的数据管理员；名单在",
        ),
        (["explain", "--reason", "x", "--as", UNI], "说明不能放行"),
        (["reject", "--reason", "x", "--as", JW], "现为“待处理”，不能驳回豁免"),
        (
            ["request", "--rows", "3", "--until", "2026-12-31", "--reason", "x", "--as", UNI],
            "现有 12 行不合格，只申请 3 行",
        ),
        (
            ["request", "--rows", "20", "--until", "2036-12-31", "--reason", "x", "--as", UNI],
            "且不晚于 2027-10-16",
        ),
        (["reopen", "--reason", " ", "--as", UNI], "不能重新打开"),
    ],
)
def test_what_is_refused_is_said_and_changes_nothing(problem, yuyan, words, says):
    said, code = yuyan(words[0], problem, *words[1:])
    assert code == 1
    assert says in said
    assert "Traceback" not in said
    assert len(json.loads(yuyan("show", problem, "--json")[0])["events"]) == 1


def test_who_acts_comes_from_the_environment_as_well_and_has_to_be_said(problem, yuyan, monkeypatch):
    assert yuyan("promise", problem, "--by", "2026-11-01", "--reason", "联系厂商")[1] == 2
    monkeypatch.setenv("YUYAN_STEWARD", UNI)
    assert yuyan("promise", problem, "--by", "2026-11-01", "--reason", "联系厂商")[1] == 0


def test_an_unknown_number_is_said(problem, yuyan):
    said, code = yuyan("show", 999)
    assert code == 1
    assert "没有编号为 999 的问题" in said


def test_the_how_to_can_be_typed_as_it_stands(problem, warehouse, yuyan, monkeypatch):
    text = (settings.PROJECT / "docs" / "how-to" / "problems-and-overrides.md").read_text(encoding="utf-8")
    block = re.search(r"```sh\n(.*?)```", text, re.S).group(1)
    monkeypatch.setenv("YUYAN_STEWARD", re.search(r"export YUYAN_STEWARD=(\S+)", block).group(1))
    typed = [
        shlex.split(line, comments=True) for line in block.splitlines() if line.startswith("yuyan problem")
    ]
    assert len(typed) == 8
    for words in typed:
        said, code = yuyan(*words[2:])
        assert code == 0, (words, said)
    queries = re.findall(r"`(select [^`]+)`", text)
    assert len(queries) == 4
    with psycopg.connect(warehouse) as connection:
        assert [len(connection.execute(query).fetchall()) for query in queries] == [3, 0, 0, 0]
