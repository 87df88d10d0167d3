"""What tasks find imported when they are forked: the files as they are, whether they have changed or not."""

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from yuyan import settings

FORKS = textwrap.dedent(
    """
    import json, os, pathlib, sys
    from yuyan_demo.runtime import preloaded

    def found():
        read, write = os.pipe()
        if os.fork() == 0:
            is_there = [m in sys.modules for m in preloaded.MODULES]
            from yuyan.domain import institutions
            os.write(write, json.dumps([is_there, institutions.load()["10611"].name]).encode())
            os._exit(0)
        os.close(write)
        with os.fdopen(read) as pipe:
            return json.load(pipe)

    before = found()
    path = pathlib.Path("include/institutions/10611.yml")
    path.write_text(path.read_text().replace("重庆大学", "另一所大学"))
    print(json.dumps([before, found()]))
    """
)
"""A process that has preloaded: what a fork of it finds, and what another finds after a file was changed."""


@pytest.fixture
def project(tmp_path) -> Path:
    """A copy of what of the project is imported and read."""
    for folder in (settings.PROJECT / "include", settings.EXPECTATIONS, settings.DBT_PROJECT):
        shutil.copytree(folder, tmp_path / folder.relative_to(settings.PROJECT))
    return tmp_path


def run(project: Path, script: str) -> str:
    """What a script prints that works with this copy."""
    env = os.environ | {"PYTHONPATH": os.pathsep.join(["include", "include/demo"]), "YUYAN_HOME": "home"}
    command = [sys.executable, "-c", script]
    return subprocess.run(command, cwd=project, env=env, stdout=subprocess.PIPE, check=True, text=True).stdout


def test_a_fork_finds_what_was_imported_and_works_by_a_file_that_was_changed(project):
    (is_there, name), (is_still_there, new_name) = json.loads(run(project, FORKS))
    assert all(is_there)
    assert name == "重庆大学"
    assert not any(is_still_there)
    assert new_name == "另一所大学"


def test_what_cannot_be_read_is_left_to_the_tasks(project):
    (project / "include" / "contracts" / "student.yml").write_text("entity: [")
    script = "import sys; from yuyan_demo.runtime import preloaded; print(set(preloaded.MODULES) & set(sys.modules))"
    assert run(project, script).strip() == "set()"
