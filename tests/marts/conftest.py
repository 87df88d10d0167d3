"""The simulated city's marts and the accepted records they are counted from."""

import psycopg
import pytest

from yuyan_demo.simulator.facts import Facts


@pytest.fixture(scope="session")
def facts(simulated_city) -> Facts:
    """Its accepted records, typed."""
    return Facts(simulated_city)


@pytest.fixture(scope="module")
def marts(simulated_city_dsn) -> psycopg.Connection:
    """A connection that reads the city's marts; not kept longer, since a copy of the city needs it unread."""
    with psycopg.connect(simulated_city_dsn, autocommit=True) as connection:
        yield connection
