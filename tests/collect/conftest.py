"""Fixtures of the collect room: hand-made platforms, connected; impatient retries; institution files of a test's own."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fake_platforms
import pytest
import tenacity
import yaml

from yuyan import settings
from yuyan.collect import http
from yuyan.domain import institutions


@pytest.fixture
def patience(monkeypatch):
    """Retries that wait almost nothing."""
    monkeypatch.setattr(http, "_backoff", tenacity.wait_none())


@pytest.fixture
def connect(monkeypatch, tmp_path) -> Callable[..., None]:
    """Configure an Airflow connection as the runtime does: by an environment variable with JSON."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "airflow"))

    def configure(inst_code: str, **connection: Any) -> None:
        monkeypatch.setenv(f"AIRFLOW_CONN_PLATFORM_{inst_code}", json.dumps(connection))

    return configure


@pytest.fixture
def versioned(connect) -> Iterator[fake_platforms.Versioned]:
    """A rest-versioned platform of 10611, connected."""
    platform = fake_platforms.Versioned()
    connect(
        "10611", conn_type="http", host="127.0.0.1", port=platform.port, login="client", password="secret"
    )
    yield platform
    platform.close()


@pytest.fixture
def legacy(connect) -> Iterator[fake_platforms.Legacy]:
    """A rest-legacy platform of 10618, connected."""
    platform = fake_platforms.Legacy()
    connect("10618", conn_type="http", host="127.0.0.1", port=platform.port, password="key-1")
    yield platform
    platform.close()


@pytest.fixture
def own_institutions(tmp_path, monkeypatch) -> Callable[..., institutions.Institution]:
    """Write an institution's file into a folder of the test's own and read it back."""
    folder = tmp_path / "institutions"
    folder.mkdir()
    monkeypatch.setenv("YUYAN_INSTITUTIONS", str(folder))

    def write(inst_code: str, product: str, **more: Any) -> institutions.Institution:
        file = {
            "inst_code": inst_code,
            "name": "试验大学",
            "product": product,
            "connection": f"platform_{inst_code}",
        }
        path: Path = settings.institutions_dir() / f"{inst_code}.yml"
        path.write_text(yaml.safe_dump(file | more, allow_unicode=True), encoding="utf-8")
        return institutions.load()[inst_code]

    return write
