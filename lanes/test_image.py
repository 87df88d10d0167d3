"""The images, for real: built from the Dockerfile by buildah with chroot isolation, every service's command run in them.

Needs root, buildah and a package registry. The base is the Dockerfile's where its registry can be reached, or the image that
BASE names; otherwise a stand-in of this machine's own distribution (debootstrap), which the test says. `make image-test`.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
PRODUCT, DEMO, STAND_IN = "localhost/yuyan-lane", "localhost/yuyan-lane-demo", "localhost/yuyan-lane-base"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


def run(*words: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, timeout=1800, cwd=PROJECT, **options)


@pytest.fixture(scope="module", autouse=True)
def tools() -> None:
    if os.geteuid() or not shutil.which("buildah"):
        pytest.fail("needs root and buildah (Debian: apt-get install buildah debootstrap); nothing was built")


@pytest.fixture(scope="module")
def base(folder) -> str:
    """The base image; where none can be had, one of this distribution's packages."""
    pinned = re.search(r"^ARG BASE=(\S+)", (PROJECT / "Dockerfile").read_text(), re.M)[1]
    wanted = os.environ.get("BASE", pinned)
    if run("buildah", "inspect", "--type", "image", wanted).returncode == 0:
        return wanted
    pulled = run("buildah", "pull", "--quiet", wanted)
    if pulled.returncode == 0:
        return wanted
    why = pulled.stderr.strip().splitlines()[-1][:200]
    print(f"{wanted} cannot be had ({why}): its stand-in is this machine's distribution")
    if run("buildah", "inspect", "--type", "image", STAND_IN).returncode == 0:
        return STAND_IN
    suite = re.search(r"^VERSION_CODENAME=(\w+)", Path("/etc/os-release").read_text(), re.M)[1]
    packages = "python3,python3-venv,python-is-python3,ca-certificates,netbase,tzdata"
    made = run("debootstrap", "--variant=minbase", f"--include={packages}", suite, str(folder / "base"))
    assert made.returncode == 0, made.stdout[-2000:] + made.stderr[-2000:]
    container = run("buildah", "from", "scratch").stdout.strip()
    for words in (
        ("copy", "--quiet", container, str(folder / "base"), "/"),
        (
            "config",
            "--env",
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "--env",
            "LANG=C.UTF-8",
            container,
        ),
        ("commit", "--quiet", "--rm", container, STAND_IN),
    ):
        done = run("buildah", *words)
        assert done.returncode == 0, done.stderr
    return STAND_IN


@pytest.fixture(scope="module")
def images(base) -> tuple[str, str]:
    """Product and demo, built."""
    known = ["--volume", f"{CERTIFICATES}:{CERTIFICATES}:ro", "--env", f"PIP_CERT={CERTIFICATES}"]
    for target, name in (("product", PRODUCT), ("demo", DEMO)):
        done = run(
            "buildah", "bud", "--isolation", "chroot", "--network", "host", "--layers", "--build-arg", f"BASE={base}",
            *(known if Path(CERTIFICATES).exists() else []), "--target", target, "--tag", name, ".",
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return PRODUCT, DEMO


def inside(image: str, *words: str) -> subprocess.CompletedProcess[str]:
    container = run("buildah", "from", image).stdout.strip()
    try:
        return run("buildah", "run", "--isolation", "chroot", container, "--", *words)
    finally:
        run("buildah", "rm", container)


def test_the_product_has_no_test_tool_and_no_simulated_city_and_is_no_root(images):
    product, _ = images
    assert inside(product, "id", "-u").stdout.strip() == "50000"
    installed = inside(product, "pip", "list", "--format=freeze").stdout
    assert "yuyan==" in installed
    assert not re.search(r"(?m)^(pytest|playwright|yuyan-demo|hypothesis)\b", installed)
    assert inside(product, "yuyan", "--version").stdout.startswith("yuyan ")
    assert inside(product, "yuyan", "run").returncode == 2


def test_every_services_command_runs_in_its_image(images, folder):
    spaces = ["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    program = str(PROJECT / "lanes" / "services_in_image.py")
    done = run(*spaces, sys.executable, program, *images, str(folder))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-5000:]
    print(done.stdout)
