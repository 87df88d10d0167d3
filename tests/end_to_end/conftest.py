"""Two days of the whole line through the real scheduler, shared by the tests of this folder."""

import shutil
import tempfile
from pathlib import Path

import pytest

from support.city import City, Day
from yuyan import settings


@pytest.fixture(scope="session")
def city() -> City:
    """A work folder; whatever runs in it is stopped at the end.

    Not below pytest's own folder: every pytest that starts closes that to others, and as root the server is another user.
    """
    with tempfile.TemporaryDirectory(prefix="yuyan-city-") as folder:
        city = City(Path(folder) / "home", Path(folder) / "institutions")
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
