"""Two days of the whole line through the real scheduler, shared by the tests of this folder."""

import pytest

from support.city import City, Day


@pytest.fixture(scope="session")
def city(tmp_path_factory) -> City:
    """A work folder; whatever runs in it is stopped at the end."""
    city = City(tmp_path_factory.mktemp("city") / "home")
    yield city
    city.yuyan("down")


@pytest.fixture(scope="session")
def first(city) -> Day:
    """The first day."""
    return city.run(1)


@pytest.fixture(scope="session")
def second(city, first) -> Day:
    """The day after."""
    return city.run(2)
