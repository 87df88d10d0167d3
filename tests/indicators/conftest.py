"""The simulated city's warehouse, or a copy that a test may change; indicators of a test's own."""

import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from support.built_city import SCALE
from yuyan import settings
from yuyan.domain import indicators
from yuyan.domain.indicators import dbt_files
from yuyan_demo.runtime import postgres


@pytest.fixture
def warehouse_of_city(simulated_city_dsn, simulated_city_home, monkeypatch) -> psycopg.Connection:
    """A connection to the city's warehouse, which the environment points to as well."""
    monkeypatch.setenv("YUYAN_HOME", str(simulated_city_home))
    monkeypatch.setenv("YUYAN_WAREHOUSE_DSN", simulated_city_dsn)
    with psycopg.connect(simulated_city_dsn) as connection:
        yield connection


@pytest.fixture
def copy_of_city(pg_home, simulated_city_dsn, simulated_city_home, monkeypatch) -> psycopg.Connection:
    """A connection to a copy of the city's warehouse that a test may change."""
    name, original = f"copy_{secrets.token_hex(4)}", simulated_city_dsn.rsplit("/", 1)[1]
    with psycopg.connect(postgres.dsn(pg_home), autocommit=True) as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [original]
        )
        connection.execute(f"create database {name} template {original} strategy file_copy")
    dsn = postgres.dsn(pg_home, name)
    monkeypatch.setenv("YUYAN_HOME", str(simulated_city_home))
    monkeypatch.setenv("YUYAN_WAREHOUSE_DSN", dsn)
    monkeypatch.setenv("YUYAN_SIMULATED", str(SCALE))
    with psycopg.connect(dsn) as connection:
        yield connection
    with psycopg.connect(postgres.dsn(pg_home), autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")


@dataclass(frozen=True)
class OwnIndicators:
    """A copy of include/indicators and of the dbt project, which transform runs."""

    folder: Path

    def compile(self) -> list[Path]:
        """Write what dbt reads of the files as they are now; returns the paths that are new or have changed."""
        forget()
        written = []
        for path, text in dbt_files.files().items():
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                path.write_text(text, encoding="utf-8")
                written.append(path)
        return written


def forget() -> None:
    """Read the files anew."""
    for cached in (indicators.load, indicators.facts, indicators.parameters):
        cached.cache_clear()


@pytest.fixture
def own_indicators(tmp_path, monkeypatch) -> OwnIndicators:
    """Indicators that a test may change."""
    project, folder = tmp_path / "dbt_project", tmp_path / "indicators"
    shutil.copytree(settings.DBT_PROJECT, project)
    shutil.copytree(settings.INDICATORS, folder)
    monkeypatch.setattr(settings, "DBT_PROJECT", project)
    monkeypatch.setattr(settings, "INDICATORS", folder)
    monkeypatch.setattr(settings, "SEEDS", project / "seeds")
    yield OwnIndicators(folder)
    forget()
