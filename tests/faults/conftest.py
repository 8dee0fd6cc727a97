"""Fresh databases for harnesses that make many."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.databases import PostgresServer
from tests.faults import places


@pytest.fixture(params=places.KINDS)
def source(request: pytest.FixtureRequest) -> Iterator[places.Files | places.Databases]:
    """Where a harness takes its databases from, once on each backend."""
    if request.param == "sqlite":
        with places.source("sqlite", in_memory=True) as files:
            yield files
        return
    server: PostgresServer = request.getfixturevalue("pg_server")
    yield places.Databases(server, request.getfixturevalue("pg_template"))
