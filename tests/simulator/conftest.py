"""The tiny city, made once."""

import pytest
import tiny_city

from yuyan_demo.simulator.population import Population


@pytest.fixture(scope="session")
def days() -> list[Population]:
    """Its first three days. Not to be changed."""
    return tiny_city.days()
