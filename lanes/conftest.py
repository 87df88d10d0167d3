"""What the lanes share: a folder that no other test run shuts, as pytest's own are (a database's user looks through it)."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """An empty folder, removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="yuyan-lane-") as name:
        yield Path(name)
