"""What every test can ask for: databases of its own, a Redis of its own, and the servers below."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import servers
from tests.databases import PostgresServer, name_of, with_path
from tests.fixtures import actor, billing, call, clock, closed
from tests.no_servers import NoServersRun

BACKENDS = ["sqlite", "postgresql"]
__all__ = ["actor", "billing", "call", "clock", "closed"]  # fixtures of every test


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--no-servers`."""
    parser.addoption(
        "--no-servers",
        action="store_true",
        help="run the SQLite part alone, without PostgreSQL and Redis, and say what was not run",
    )


def pytest_configure(config: pytest.Config) -> None:
    """With `--no-servers`, leave out what needs one."""
    if config.getoption("no_servers"):
        config.pluginmanager.register(NoServersRun())


def pytest_sessionstart(session: pytest.Session) -> None:
    """Start the servers before pytest-xdist starts its workers, which inherit their URLs."""
    config = session.config
    if config.getoption("no_servers") or config.option.collectonly or _is_worker(config):
        return
    try:
        servers.start()
    except servers.NoServersError as trouble:
        raise pytest.UsageError(str(trouble)) from trouble


def pytest_unconfigure() -> None:
    """Stop them at the end of the run, Ctrl-C included."""
    servers.stop()


@pytest.fixture(scope="session")
def pg_server() -> Iterator[PostgresServer]:
    """The PostgreSQL server, to make databases on."""
    server = PostgresServer(os.environ[servers.DATABASE])
    yield server
    server.close()


@pytest.fixture(scope="session")
def pg_template(pg_server: PostgresServer) -> Iterator[str]:
    """The name of a database that was prepared once, for this worker's tests to copy."""
    with pg_server.database() as url:
        servers.prepare(url)
        yield name_of(url)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file that was prepared once, for this worker's tests to copy."""
    path = tmp_path_factory.mktemp("template") / "billing.db"
    path.touch()
    # Whoever closes the last connection folds the write-ahead log into this one file.
    servers.prepare(f"sqlite:///{path}")
    return path


@pytest.fixture(params=BACKENDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A prepared database without any row of another test, once on each backend."""
    if request.param == "sqlite":
        template = request.getfixturevalue("sqlite_template")
        yield f"sqlite:///{shutil.copy(template, tmp_path / 'billing.db')}"
    else:
        template = request.getfixturevalue("pg_template")
        with request.getfixturevalue("pg_server").database(template) as url:
            yield url


@pytest.fixture(params=BACKENDS)
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database nothing was ever done to, once on each backend."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
    else:
        with request.getfixturevalue("pg_server").database() as url:
            yield url


@pytest.fixture
def redis_url() -> str:
    """An emptied Redis database that no other worker process uses."""
    import redis

    url = os.environ[servers.REDIS]
    first = int(name_of(url) or 0)
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    own = with_path(url, str(first + int(worker)))
    with redis.Redis.from_url(own) as client:
        client.flushdb()
    return own


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")
