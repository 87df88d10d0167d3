"""The examples of docs/how-to/add-an-entity.md in a copy of the project work."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support import how_to
from yuyan import settings


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """A copy of the project in which the whole page was followed and nothing else was touched."""
    copy = tmp_path_factory.mktemp("newcomer")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "-co", "--exclude-standard"],
        cwd=settings.PROJECT,
        capture_output=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (settings.PROJECT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes((settings.PROJECT / name).read_bytes())
    for section in ("An entity", "A field", "A rule"):
        how_to.follow(copy, "add-an-entity", section)
    return copy


def run(copy: Path, *arguments: str) -> str:
    """Python in the copy; returns what it printed. Fails with it."""
    path = os.pathsep.join(str(copy / part) for part in ("include", "include/demo"))
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=copy,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return done.stdout


def test_what_follows_is_written_by_the_command(copy):
    run(copy, "-m", "yuyan.pages.documentation")
    assert "scholarship_versions" in (copy / "dbt_project" / "models" / "_accepted.yml").read_text(
        encoding="utf-8"
    )
    assert "奖助金额（元）" in (copy / "docs" / "data-dictionary.zh-CN.md").read_text(encoding="utf-8")
    rules = (copy / "docs" / "rule-directory.csv").read_text(encoding="utf-8")
    assert "QR.course.course_name.19" in rules
    assert "`is_first_generation`" in (copy / "docs" / "star-schema.md").read_text(encoding="utf-8")


@pytest.mark.database
@pytest.mark.long
def test_the_projects_own_tests_and_the_city_agree(copy):
    """Each rule's own broken record, contracts and documents; then a city in which every rule is broken."""
    own = ("tests/validate/test_rules.py", "tests/contracts", "tests/validate/test_documentation.py")
    structural = "tests/validate/test_rules.py::test_every_structural_rule_finds_a_record_that_breaks_it"  # the city's, too
    run(copy, "-m", "yuyan.pages.documentation")
    options = ("-q", "-x", "-p", "no:cacheprovider", "--deselect", structural)
    run(copy, "-m", "pytest", *options, *own, "tests/validate/after_the_how_to.py")
