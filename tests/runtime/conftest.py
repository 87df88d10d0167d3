"""Fixtures of the runtime's tests: an environment in which only what the test sets is set."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def clean_environment():
    """No variable of the project or of Airflow; PATH finds this environment's commands."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("YUYAN_", "AIRFLOW_", "DBT_"))}
    return kept | {"PATH": f"{BIN}{os.pathsep}{kept.get('PATH', os.defpath)}", "COLUMNS": "200"}


@pytest.fixture(scope="module")
def command(clean_environment) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command to its end with extra variables; output captured."""

    def run(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words, env=clean_environment | variables, capture_output=True, text=True, timeout=1800
        )

    return run
