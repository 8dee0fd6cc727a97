"""Fresh databases for harnesses: prepared once, copied in a moment, gone afterwards."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from tests import servers
from tests.databases import PostgresServer, name_of

KINDS = ("sqlite", "postgresql")


class Files:
    """SQLite files, copied from one that was prepared."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.template = folder, folder / "template.db"
        self.template.touch()
        servers.prepare(f"sqlite:///{self.template}")

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """The URL of a new file."""
        path = self.folder / f"{uuid4().hex}.db"
        shutil.copy(self.template, path)
        try:
            yield f"sqlite:///{path}"
        finally:
            for file in self.folder.glob(f"{path.name}*"):
                file.unlink()


class Databases:
    """Databases of one PostgreSQL server, copied from one that was prepared."""

    def __init__(self, server: PostgresServer, template: str) -> None:
        self.server, self.template = server, template

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """The URL of a new database."""
        with self.server.database(self.template) as url:
            yield url


@contextmanager
def source(kind: str, *, in_memory: bool = False) -> Iterator[Files | Databases]:
    """Fresh databases of a kind, without pytest: a server is started where none is named."""
    if kind == "sqlite":
        within = servers.IN_MEMORY if in_memory and servers.IN_MEMORY.is_dir() else None
        with tempfile.TemporaryDirectory(prefix="billing-faults-", dir=within) as folder:
            yield Files(Path(folder))
        return
    with _server() as server, server.database() as url:
        servers.prepare(url)
        yield Databases(server, name_of(url))


@contextmanager
def place(database: str) -> Iterator[str]:
    """The URL of a database for one run: `sqlite`, `postgresql`, or the URL itself, migrated."""
    if database in KINDS:
        with source(database) as databases, databases.fresh() as url:
            yield url
        return
    servers.prepare(database)
    yield database


@contextmanager
def _server() -> Iterator[PostgresServer]:
    if servers.DATABASE not in os.environ:
        binaries = servers.find_postgres()
        if binaries is None:
            sys.exit(f"There is no PostgreSQL: set {servers.DATABASE}.")
        os.environ[servers.DATABASE] = servers.start_postgres(binaries)
    server = PostgresServer(os.environ[servers.DATABASE])
    try:
        yield server
    finally:
        server.close()
        servers.stop()
