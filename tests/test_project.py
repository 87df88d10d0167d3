"""The project itself: linted, its dependencies declared and locked, nothing that belongs to one machine."""

import ast
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from support import units
from yuyan import settings

REQUIREMENTS = settings.PROJECT / "requirements"


def _tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=settings.PROJECT, capture_output=True, text=True, check=True
    )
    return [
        settings.PROJECT / name
        for name in listed.stdout.split("\0")
        if name and (settings.PROJECT / name).exists()
    ]


@pytest.mark.parametrize("arguments", [["check"], ["format", "--check"]], ids=["lint", "format"])
def test_ruff_is_content(arguments):
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *arguments, "."], cwd=settings.PROJECT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-3000:]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_imported_package_is_a_direct_dependency():
    declared = {
        _normal(re.match(r"[\w.-]+", line)[0])
        for line in (REQUIREMENTS / "base.in").read_text().splitlines()
        if re.match(r"\w", line)
    }
    declared |= {"apache-airflow-core", "apache-airflow-task-sdk"}  # what apache-airflow is made of
    homes = metadata.packages_distributions()
    undeclared = set()
    for path in [*(settings.PROJECT / "include").rglob("*.py"), *(settings.PROJECT / "dags").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += (
                [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
            )
            for top in (
                {name.split(".")[0] for name in names}
                - set(sys.stdlib_module_names)
                - {"yuyan", "yuyan_demo"}
            ):
                if not {_normal(d) for d in homes.get(top, [top])} & declared:
                    undeclared.add((top, path.name))
    assert undeclared == set()


def test_locks_pin_everything_with_hashes_and_name_no_index():
    for path in (REQUIREMENTS / f"{name}.txt" for name in ("lock", "product", "bench", "s3")):
        text = path.read_text()
        pins = re.findall(r"^[\w.\[\],-]+==\S+", text, re.M)
        assert len(pins) > 20
        assert text.count("--hash=sha256:") >= len(pins)
        assert not re.search(r"://|--index|--find-links", text)


def test_no_file_holds_an_absolute_path_of_a_machine_or_a_secret():
    wrong = []
    for path in _tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if re.search(r"(?<![\w.])/(work|root|home/\w+)/", text) and path.suffix != ".csv":
            wrong.append(path.name)
        if re.search(r"-----BEGIN [A-Z ]*PRIVATE KEY-----", text):
            wrong.append(path.name)
    assert wrong == []


def test_no_merge_left_its_marks():
    mark = re.compile(rb"^(<{7}|>{7}) ", re.M)
    assert [str(path) for path in _tracked() if mark.search(path.read_bytes())] == []


def test_the_product_is_locked_as_it_is_tested_and_without_what_only_tests_need():
    def pins(name: str) -> set[str]:
        return {line.split(" ")[0] for line in (REQUIREMENTS / name).read_text().splitlines() if "==" in line}

    product, tested = pins("product.txt"), pins("lock.txt")
    assert product < tested
    on_s3 = {pin.partition("==")[0].partition("[")[0] for pin in pins("s3.txt") - product}
    assert product < pins("s3.txt")
    assert {"apache-airflow-providers-amazon", "s3fs"} <= on_s3
    wanted = re.findall(r"^[\w-]+", (REQUIREMENTS / "base.in").read_text(), re.M)
    assert {_normal(name) for name in wanted} <= {_normal(re.split(r"[=\[]", pin)[0]) for pin in product}
    extra = {pin.partition("==")[0].partition("[")[0] for pin in tested - product}
    assert {"pytest", "pytest-xdist", "ruff", "playwright", "hypothesis", "podman-compose"} <= extra


def test_one_worker_builds_the_city(request):
    """Of the tests that are run: who reads the built city and is in another unit would have it built a second time."""
    readers = [i for i in request.session.items if "simulated_city_dsn" in getattr(i, "fixturenames", ())]
    strays = {units.unit(i.nodeid) for i in readers} - {"city"}
    assert not strays, f"add {sorted(strays)} to ONE_CITY of tests/support/units.py"
