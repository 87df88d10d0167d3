"""The offline bundle's script: it installs what was bundled, on the Python that it was made for, or nothing.

`make bundle-test` makes the whole bundle and runs the line from it in a network namespace of its own (lanes/test_bundle.py).
"""

import os
import subprocess
import sys
import sysconfig
from hashlib import sha256
from pathlib import Path

import pytest

from yuyan import settings

HERE = "{}.{} {}".format(*sys.version_info[:2], sysconfig.get_platform())


@pytest.fixture
def bundle(tmp_path) -> Path:
    """A bundle without wheels."""
    folder = tmp_path / "bundle"
    (folder / "yuyan" / "requirements").mkdir(parents=True)
    (folder / "wheels").mkdir()
    (folder / "yuyan" / "requirements" / "product.txt").write_text("")
    (folder / "install.sh").write_bytes((settings.PROJECT / "deploy" / "install.sh").read_bytes())
    seal(folder, HERE)
    return folder


def seal(folder: Path, python: str) -> None:
    (folder / "PYTHON").write_text(f"{python}\n")
    names = sorted(
        f"./{p.relative_to(folder)}" for p in folder.rglob("*") if p.is_file() and p.name != "SHA256SUMS"
    )
    (folder / "SHA256SUMS").write_text(
        "".join(f"{sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names)
    )


def install(bundle: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", str(bundle / "install.sh"), *arguments],
        env=os.environ | {"PYTHON": sys.executable}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def altered(folder: Path) -> None:
    (folder / "yuyan" / "requirements" / "product.txt").write_text("another==1\n")


def missing(folder: Path) -> None:
    (folder / "yuyan" / "requirements" / "product.txt").unlink()


def added(folder: Path) -> None:
    (folder / "wheels" / "another-1-py3-none-any.whl").write_text("")


def for_another_python(folder: Path) -> None:
    seal(folder, "3.9 linux-riscv64")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (altered, "not what was made"),
        (missing, "not what was made"),
        (added, "not in SHA256SUMS"),
        (for_another_python, "is for Python 3.9 linux-riscv64"),
    ],
)
def test_a_bundle_that_is_not_the_one_for_this_machine_installs_nothing(bundle, tmp_path, change, said):
    change(bundle)
    done = install(bundle, str(tmp_path / "target"))
    assert done.returncode == 1
    assert said in done.stderr
    assert not (tmp_path / "target").exists()


def test_a_folder_with_something_in_it_is_left_alone(bundle, tmp_path):
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "mine").write_text("")
    done = install(bundle, str(tmp_path / "target"))
    assert (done.returncode, "is not empty" in done.stderr) == (1, True)
    assert [p.name for p in (tmp_path / "target").iterdir()] == ["mine"]
