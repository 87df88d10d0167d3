"""The facts of a deliverer's kit, and an institution that delivers files, connected to a folder of the test's own."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from support import how_to
from yuyan import settings
from yuyan.collect.connect import source
from yuyan.domain import institutions
from yuyan.domain.institutions import Institution
from yuyan.suppliers import kit

AS_OF = date(2026, 10, 15)


@pytest.fixture(scope="session")
def institution() -> Institution:
    """A university that delivers files."""
    return institutions.load()["10655"]


@pytest.fixture(scope="session")
def facts(institution) -> dict:
    """What its kit carries."""
    return kit.facts(institution)


@pytest.fixture(scope="session")
def archive(institution, tmp_path_factory) -> Path:
    """Its kit as a file."""
    path = tmp_path_factory.mktemp("kit") / "kit.pyz"
    path.write_bytes(kit.packed(institution))
    return path


@pytest.fixture
def foreign_file(tmp_path) -> Path:
    """The file of the how-to's institution with names and forms of its own."""
    folder = tmp_path / "institutions"
    folder.mkdir()
    page, heading = "connect-an-institution", "Names and values of its own"
    how_to.follow(settings.PROJECT, page, heading, {"include/institutions/": folder})
    return folder / "19001.yml"


@pytest.fixture
def foreign(foreign_file) -> Institution:
    """That institution."""
    return institutions.load(foreign_file.parent)["19001"]


@pytest.fixture
def drop(institution, tmp_path, monkeypatch):
    """Its drop folder as the line sees it: `drop.folder`, `drop.open()`."""
    return Drop(institution, tmp_path / "drop", tmp_path, monkeypatch)


class Drop:
    """A drop folder, and the connector that reads it."""

    def __init__(self, institution: Institution, folder: Path, home: Path, monkeypatch) -> None:
        self.institution, self.folder = institution, folder
        folder.mkdir()
        monkeypatch.setenv("AIRFLOW_HOME", str(home / "airflow"))
        extra = f'{{"path": "{folder}"}}'
        monkeypatch.setenv(
            f"AIRFLOW_CONN_{institution.connection.upper()}", f'{{"conn_type": "fs", "extra": {extra}}}'
        )

    def open(self, **limits: int):
        """The connector, with other limits if they are given."""
        platform = self.institution.platform
        changed = platform.model_copy(update={"limits": platform.limits.model_copy(update=limits)})
        found = source(replace(self.institution, platform=changed), AS_OF)
        found.open()
        return found
