"""A server of its own for each test: a slow answer to one test is never counted in the next."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_httpserver import HTTPServer


@pytest.fixture
def httpserver() -> Iterator[HTTPServer]:
    """A fresh loopback server."""
    with HTTPServer(host="127.0.0.1", port=0) as server:
        yield server
