"""The commands and queries of docs/for-universities.zh-CN.md, executed on a warehouse that has a finding of every kind."""

import re
import shlex

import fixture_rows as rows
import psycopg
import pytest
from typer.testing import CliRunner

from yuyan import settings
from yuyan.commands.cli import app
from yuyan.domain import labels

PAGE = (settings.PROJECT / "docs" / "for-universities.zh-CN.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"```sql\n(.*?)```", PAGE, re.S)
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.S) for line in block.splitlines()]


@pytest.fixture
def filled(warehouse) -> str:
    """A warehouse of this test's own with the rows of fixture_rows: commands change it."""
    with psycopg.connect(warehouse) as connection:
        rows.fill(connection)
    return warehouse


def test_every_query_answers(feedback_dsn):
    assert len(QUERIES) == 4
    with psycopg.connect(feedback_dsn) as connection:
        for query in QUERIES:
            assert connection.execute(query).fetchall(), query


def test_every_command_does_what_the_page_says(filled, work, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert len(COMMANDS) == 10
    said = {}
    for command in COMMANDS:
        program, *arguments = shlex.split(command)
        assert program == "yuyan"
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == 0, (command, done.output)
        said[" ".join(arguments[:2])] = done.output
    assert (tmp_path / "反馈" / "10611.xlsx").exists()
    assert (tmp_path / "数据约定" / "student.odcs.yaml").exists()
    assert (tmp_path / "交付工具" / "yuyan-deliver-10655.pyz").exists()
    assert "QR.student.left_on.14" in said["problem list"]
    assert "课程" in said["hold list"] or "course" in said["hold list"]
    with psycopg.connect(filled) as connection:
        steps = connection.execute(
            "select problem_id, action, to_state, actor from quality.problem_event where problem_id in (4, 5) "
            "order by event_id"
        ).fetchall()
    assert [step[:3] for step in steps] == [
        (4, "promise", "fix_promised"),
        (5, "explain", "known"),
        (4, "request", "override_requested"),
        (4, "withdraw", "open"),
    ]
    assert {step[3] for step in steps} == {"data-10611-1"}


def test_the_page_names_every_kind_of_cause_and_what_the_feedback_is_called():
    for name in labels.CAUSES.values():
        assert f"| {name} |" in PAGE
    template = (settings.PROJECT / "include/yuyan/pages/templates/feedback.html.j2").read_text(
        encoding="utf-8"
    )
    for heading in re.findall(r"^\d\. \*\*(.+?)\*\*", PAGE, re.M):
        assert f">{heading}" in template, heading
