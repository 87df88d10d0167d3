"""The offline bundle, for real: made from the registry, installed and run where there is no network.

Needs root (a network namespace), git and the registry. `make bundle-test`.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
ALONE = """
import fcntl, os, socket, struct, subprocess, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:  # loopback is down in a new namespace
    fcntl.ioctl(s, 0x8914, struct.pack("16sh", b"lo", 0x1 | 0x40))
names = [line.split(":")[0].strip() for line in open("/proc/net/dev").readlines()[2:]]
assert names == ["lo"], names
sys.exit(subprocess.call(sys.argv[1:]))
"""
"""Runs a command in a namespace that has nothing but loopback, and checks that it is so."""


@pytest.fixture(scope="module")
def bundle(folder) -> Path:
    made = folder / "bundle"
    done = subprocess.run(
        ["sh", "deploy/bundle.sh", str(made)], cwd=PROJECT, env=os.environ | {"PYTHON": sys.executable},
        capture_output=True, text=True, timeout=1200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    print(done.stdout)
    return made


def alone(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command without a network."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return subprocess.run(
        ["unshare", "--net", sys.executable, "-c", ALONE, *command],
        env=kept | variables, capture_output=True, text=True, timeout=1800,
    )  # fmt: skip


def test_it_has_the_wheels_of_the_lock_and_no_other(bundle):
    pins = [
        line for line in (PROJECT / "requirements" / "product.txt").read_text().splitlines() if "==" in line
    ]
    wheels = [path.name for path in (bundle / "wheels").iterdir()]
    assert all(name.endswith(".whl") for name in wheels)
    assert 150 < len(wheels) <= len(pins)  # some are for other systems
    assert not [name for name in wheels if name.startswith(("pytest", "playwright"))]


def test_the_line_runs_a_day_from_it_without_a_network(bundle, folder):
    target = folder / "line"
    done = alone("sh", str(bundle / "install.sh"), str(target), "--demo", PYTHON=sys.executable)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("yuyan ")
    yuyan = str(target / "venv" / "bin" / "yuyan")
    line = f"{yuyan} run --scale 0.005 && {yuyan} indicators --json >{folder}/indicators.json"
    line += f"; code=$?; {yuyan} down; exit $code"
    done = alone("sh", "-c", line)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    content = json.loads((folder / "indicators.json").read_text())
    assert len(content["indicators"]) > 15
