"""Old logs are removed, and nothing else."""

import os
import time

import pytest

from yuyan.commands import tidy

DAY = 86_400


@pytest.fixture
def logs(tmp_path, monkeypatch):
    folder = tmp_path / "logs"
    monkeypatch.setenv("AIRFLOW__LOGGING__BASE_LOG_FOLDER", str(folder))
    return folder


def aged(path, days: float):
    """A file, or an empty folder, that was last written so many days ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix:
        path.write_text("log")
    else:
        path.mkdir()
    os.utime(path, (time.time() - days * DAY,) * 2)
    return path


def test_what_nobody_has_written_to_for_long_goes_with_its_empty_folders(logs, tmp_path):
    old = aged(logs / "dag_id=collect" / "run_id=a" / "attempt=1.log", 201)
    for folder in (old.parent, old.parent.parent):
        os.utime(folder, (time.time() - 300 * DAY,) * 2)
    empty = aged(logs / "dag_id=gone", 300)
    recent = aged(logs / "dag_id=collect" / "run_id=b" / "attempt=1.log", 199)
    elsewhere = aged(tmp_path / "elsewhere" / "old.log", 999)
    (logs / "latest").symlink_to(tmp_path / "elsewhere")
    assert tidy.logs() == {"files": 1, "bytes": 3}
    assert recent.exists()
    assert elsewhere.exists()
    assert (logs / "latest").is_symlink()
    assert not old.exists()
    assert not empty.exists()
    assert tidy.logs() == {"files": 0, "bytes": 0}


def test_a_line_without_logs_has_nothing_to_tidy(logs):
    assert tidy.logs() == {"files": 0, "bytes": 0}
