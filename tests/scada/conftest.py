"""Settings of the property tests, and a PostgreSQL for those of the historian."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.postgres import Server, binaries

settings.register_profile("patient", deadline=None)  # a busy machine is no failure
settings.load_profile("patient")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A server for all tests; each takes a database of its own."""
    folder = binaries()
    if folder is None:
        if os.environ.get("UMANFLOW_CI"):
            pytest.fail("no PostgreSQL on this machine: apt-get install postgresql")
        pytest.skip("no PostgreSQL on this machine (initdb and pg_ctl): apt-get install postgresql")
    server = Server(folder)
    yield server
    server.close()
