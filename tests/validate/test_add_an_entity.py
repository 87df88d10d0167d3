"""The examples of docs/how-to/add-an-entity.md in a copy of the project: how many files they take, and that they work."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from yuyan import settings

PAGE = (settings.PROJECT / "docs" / "how-to" / "add-an-entity.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S))
BLOCK = re.compile(r"^\*\*`([^`]+)`\*\*$|^```(yaml|diff)\n(.*?)^```$", re.M | re.S)


def steps(section: str) -> list[tuple[str, str, str]]:
    """(file, kind of block, text) of a section: a block belongs to the file named before it."""
    found, file = [], ""
    for name, kind, text in BLOCK.findall(SECTIONS[section]):
        file = name or file
        if kind:
            found.append((file, kind, text))
    return found


@pytest.mark.parametrize(("section", "most"), [("An entity", 2), ("A field", 3), ("A rule", 1)])
def test_a_change_takes_no_more_files(section, most):
    assert 1 <= len({file for file, _, _ in steps(section)}) <= most


def follow(copy: Path, section: str) -> None:
    """Do what the section says."""
    for file, kind, text in steps(section):
        path = copy / file
        if kind == "yaml":
            assert not path.exists(), file
            path.write_text(text, encoding="utf-8")
            continue
        lines = text.splitlines()
        before = "\n".join(line[1:] for line in lines if line[0] in " -")
        after = "\n".join(line[1:] for line in lines if line[0] in " +")
        whole = path.read_text(encoding="utf-8")
        assert before in whole, (file, before)
        path.write_text(whole.replace(before, after, 1), encoding="utf-8")


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
        follow(copy, section)
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
def test_the_projects_own_tests_and_the_city_agree(copy):
    """Each rule's own broken record, contracts and documents; then a city in which every rule is broken."""
    own = ("tests/validate/test_rules.py", "tests/contracts", "tests/validate/test_documentation.py")
    structural = "tests/validate/test_rules.py::test_every_structural_rule_finds_a_record_that_breaks_it"  # the city's, too
    run(copy, "-m", "yuyan.pages.documentation")
    options = ("-q", "-x", "-p", "no:cacheprovider", "--deselect", structural)
    run(copy, "-m", "pytest", *options, *own, "tests/validate/after_the_how_to.py")
