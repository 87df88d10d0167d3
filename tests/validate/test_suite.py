"""Great Expectations: nothing leaves the machine, and the Data Docs show the last result of every entity."""

import json
import os
import re
import socket

import pytest
from small_world import STUDENT

from yuyan import settings
from yuyan.validate import docs, suite


@pytest.mark.database
def test_nothing_is_sent_anywhere(raw, monkeypatch):
    """Not by validating, not by building the docs: Python opens no socket (the database drivers are C)."""

    def refuse(*arguments, **options):
        raise AssertionError(f"a connection to {arguments}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    raw.put_sound(["institution"])
    raw.judge("run-1", ["institution"])
    docs.build_docs()
    assert os.environ["GX_ANALYTICS_ENABLED"] == "false"
    assert suite.context({}).variables.analytics_enabled is False


@pytest.mark.database
def test_data_docs_show_the_last_result_of_every_entity(raw):
    raw.put_sound(STUDENT)
    raw.judge("run-1")
    raw.put(raw.version("student", left_on=None))
    raw.judge("run-2")
    index = docs.build_docs()
    assert index == settings.home() / "data_docs" / "index.html"
    pages = {p.relative_to(index.parent).parts[1]: p for p in index.parent.glob("validations/**/*.html")}
    assert set(pages) == set(STUDENT)
    student = pages["student"].read_text(encoding="utf-8")
    assert "学籍状态为离校但无离校日期" in student
    assert "QR.student.left_on.12" in student
    assert "适用 1，不合格 1" in student
    assert "run-2" in student
    assert "学籍" in index.read_text(encoding="utf-8")
    for page in index.parent.rglob("*.html"):
        assert not re.search(r"""(?:href|src)=["']?https?://""", page.read_text(encoding="utf-8")), page
    files = sum(p.is_file() for p in index.parent.rglob("*"))
    docs.build_docs()
    assert sum(p.is_file() for p in index.parent.rglob("*")) == files < 100


@pytest.mark.database
def test_kept_results_hold_figures_and_no_values(raw):
    raw.put_sound(STUDENT[:-1])
    raw.put(raw.version("student", gender_code="秘密"))
    raw.judge("run-1")
    (path,) = (settings.home() / "gx").rglob("student.json")
    text = path.read_text(encoding="utf-8")
    assert json.loads(text)["statistics"]["unsuccessful_expectations"] == 1
    assert not re.search("秘密|10611X1", text)
