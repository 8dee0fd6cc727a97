"""Databases of a test's own: made in a moment, copied from a template, dropped afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit
from uuid import uuid4

EMPTY = "template0"


class PostgresServer:
    """One connection to the server, which makes and drops databases."""

    def __init__(self, url: str) -> None:
        import psycopg  # here, so that the SQLite part runs where it is not installed

        self.url = url
        self.connection = psycopg.connect(url, autocommit=True)

    @contextmanager
    def database(self, template: str = EMPTY) -> Iterator[str]:
        """A new copy of the template: yields its URL, and drops it however the test ended."""
        name = f"test_{uuid4().hex}"
        self.connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield with_path(self.url, name)
        finally:
            self.connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def close(self) -> None:
        """Give the connection back."""
        self.connection.close()


def with_path(url: str, path: str) -> str:
    """The same server, another database."""
    parts = urlsplit(url)
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{parts.netloc}/{path}{query}"


def name_of(url: str) -> str:
    """The database a URL names."""
    return urlsplit(url).path.removeprefix("/")
