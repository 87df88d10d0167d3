"""A fresh warehouse with the helper that fills and judges it."""

from collections.abc import Iterator

import pytest
from small_world import Raw


@pytest.fixture
def raw(warehouse) -> Iterator[Raw]:
    """A warehouse with nothing in it."""
    helper = Raw(warehouse)
    yield helper
    helper.connection.close()
