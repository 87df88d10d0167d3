"""The feedback of a warehouse written row by row, built once."""

import secrets
from pathlib import Path

import fixture_rows
import psycopg
import pytest

from support.signed_city import restore
from yuyan import settings
from yuyan.allocate import run
from yuyan.pages import allocation, documentation, feedback
from yuyan_demo.runtime import postgres


@pytest.fixture(scope="session")
def feedback_dsn(pg_home, pg_template) -> str:
    """URL of a warehouse that holds the rows of fixture_rows."""
    name = f"pages_{secrets.token_hex(4)}"
    with psycopg.connect(postgres.dsn(pg_home), autocommit=True) as connection:
        connection.execute(f"create database {name} template {pg_template} strategy file_copy")
    dsn = postgres.dsn(pg_home, name)
    with psycopg.connect(dsn) as connection:
        fixture_rows.fill(connection)
    yield dsn
    with psycopg.connect(postgres.dsn(pg_home), autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")


@pytest.fixture(scope="session")
def feedback_folder(feedback_dsn, tmp_path_factory) -> Path:
    """Folder with the feedback of all institutions."""
    folder = tmp_path_factory.mktemp("feedback")
    with psycopg.connect(feedback_dsn) as connection:
        feedback.build(
            connection, fixture_rows.RUN, fixture_rows.AS_OF, mark=settings.SIMULATED, folder=folder
        )
    return folder


@pytest.fixture(scope="session")
def pages_folder(tmp_path_factory) -> Path:
    """Folder with the pages that a reader of the repository builds by `make docs`."""
    folder = tmp_path_factory.mktemp("pages")
    documentation.publish(folder)
    return folder


@pytest.fixture(scope="session")
def allocation_folder(signed_city, quick_schemes, tmp_path_factory) -> Path:
    """Folder with the report of an allocation in the simulated city, which is then taken back."""
    folder = tmp_path_factory.mktemp("allocation")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("YUYAN_SCHEMES", str(quick_schemes))
        number = run.allocate(signed_city, "default")["allocation_id"]
    with psycopg.connect(signed_city) as connection:
        allocation.build(connection, number, settings.SIMULATED, folder)
    restore(signed_city)
    return folder
