"""Two days of the whole line through the real scheduler, shared by the tests of this folder."""

import shutil
from pathlib import Path

import pytest

from support import scratch
from support.city import City, Day
from yuyan import settings


@pytest.fixture(scope="session")
def city(parsed) -> City:
    """A work folder in which dbt has parsed the project; whatever runs in it is stopped at the end."""
    with scratch.folder("yuyan-city-") as folder:
        city = City(Path(folder) / "home", Path(folder) / "institutions")
        parsed(city.home)
        shutil.copytree(settings.INSTITUTIONS, city.institutions)
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
