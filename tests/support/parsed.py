"""The dbt project, parsed once per test run: by the worker that needs it first, for all of them."""

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from yuyan import transform

WRITTEN = ("parsed.msgpack", "manifest.json")
"""What parsing leaves for layers and for DAG files: it depends on the project's files, on no day and no database."""


@pytest.fixture(scope="session")
def parsed(tmp_path_factory) -> Callable[[Path], None]:
    """Gives a work folder (YUYAN_HOME) what parsing the project leaves, for its owner alone: nothing parses it there."""
    own = tmp_path_factory.getbasetemp()
    shared = (own.parent if os.environ.get("PYTEST_XDIST_WORKER") else own) / "parsed-project"

    def give(home: Path) -> None:
        _parse(shared)
        (home / "dbt").mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in WRITTEN:
            shutil.copy(shared / "dbt" / name, home / "dbt")
            (home / "dbt" / name).chmod(0o600)

    return give


def _parse(home: Path) -> None:
    """Parse into a work folder unless it was done; another worker that asks meanwhile waits."""
    home.mkdir(exist_ok=True)
    with (home / "lock").open("w") as lock, pytest.MonkeyPatch.context() as patch:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "dbt" / "parsed.msgpack").exists():
            patch.setenv("YUYAN_HOME", str(home))
            patch.delenv("YUYAN_WAREHOUSE_DSN", raising=False)
            transform.prepare_manifest()
