"""The instance at work: its database, settings, outward parts, queue and clock; and the Actor.

Several instances live in one process. Which one is at work is a context variable, so threads,
requests and tests never see each other's database.
"""

from __future__ import annotations

import os
import select
import sqlite3
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Any, NamedTuple

import peewee
from playhouse.pool import MaxConnectionsExceeded, PooledPostgresqlDatabase, PooledSqliteDatabase

from billing_plugin.config import Settings
from billing_plugin.errors import ConfigurationError, NotFound, StorageUnavailable

_at_work: ContextVar[Instance | None] = ContextVar("billing_instance", default=None)
_WAIT_S = 30
STORAGE_ERRORS = (peewee.OperationalError, peewee.InterfaceError, MaxConnectionsExceeded)
SQLITE_PRAGMAS = {
    "busy_timeout": _WAIT_S * 1000,
    "journal_mode": "wal",
    "synchronous": "full",
    "foreign_keys": 1,
    # random idempotency keys touch a page each: keep 64 MB of them, fold 16 MB of log at a time
    "cache_size": -65_536,
    "wal_autocheckpoint": 4_000,
}
# A connection is opened by the first statement: who only waits for another's write needs none.
_POOL: dict[str, Any] = {"autoconnect": True, "timeout": _WAIT_S, "max_connections": 64}


def utc_now() -> datetime:
    """The present instant, aware UTC. The only place that reads the wall clock."""
    return datetime.now(UTC)


class Instance:
    """One mounted billing system. Made by `Billing`; operations reach it through an Actor."""

    def __init__(
        self,
        database: peewee.Database,
        settings: Settings,
        *,
        providers: Mapping[str, Any] | None = None,
        processor: Any = None,
        price_list: Any = None,
        enqueue: Callable[[str, str], None] = lambda _name, _id: None,
        open_vault: Callable[[], Any] | None = None,
        clock: Callable[[], datetime] = utc_now,
        prepare: Callable[[Instance], None] | None = None,
    ) -> None:
        self.database = database
        self.settings = settings
        self.providers = providers or {}
        self.processor = processor
        self.price_list = price_list
        self.price_book: Any = None  # operations keep their compiled prices here
        self.enqueue = enqueue
        self.open_vault = open_vault
        self.clock = clock
        self.prepare = prepare
        self.kept: dict[str, Any] = {}  # what may be read again at any time, by name
        _forget_after_fork(self)

    @property
    def is_active(self) -> bool:
        """Whether it is at work in the present context, with a connection or one at need."""
        if _at_work.get() is not self:
            return False
        return bool(self.database.autoconnect) or not self.database.is_closed()

    def active(self) -> AbstractContextManager[Instance]:
        """Puts this instance to work in the present context, with an open connection."""
        return nullcontext(self) if self.is_active else _Activation(self)

    def prepare_once(self) -> None:
        """Does what is to be done before its first use."""
        if self.prepare is not None:
            prepare, self.prepare = self.prepare, None
            try:
                prepare(self)
            except BaseException:
                self.prepare = prepare
                raise


class _Activation(AbstractContextManager[Instance]):
    """An instance at work: with a connection, opened now or at need, that is given back unless it
    was open before. Written out, as every single call goes through it."""

    __slots__ = ("instance", "token", "was_closed")

    def __init__(self, instance: Instance) -> None:
        self.instance, self.was_closed = instance, False

    def __enter__(self) -> Instance:
        database = self.instance.database
        self.token = _at_work.set(self.instance)
        try:
            self.was_closed = database.is_closed()
            if self.was_closed and not database.autoconnect:
                database.connect()
            self.instance.prepare_once()
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self.instance

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        database = self.instance.database
        try:
            if self.was_closed and not database.is_closed():
                database.close()
        finally:
            _at_work.reset(self.token)
        if isinstance(error, STORAGE_ERRORS):
            raise unreachable(error) from error


class Signature(NamedTuple):
    """Who wrote a row: in a word (key, host, operator, system), by which key, in which request."""

    actor: str
    key_id: str | None = None
    request_id: str | None = None


BY_ITSELF = Signature("system")  # what the rules demand and nobody asked for


class Actor(NamedTuple):
    """Who asks: an account's key, or (without account) an operator of the whole instance.

    `scopes` are the words an operation may demand; "*" stands for all of them. `agent` is the name
    of the program that the key was given to.
    """

    instance: Instance
    account_id: str | None = None
    scopes: frozenset[str] = frozenset()
    key_id: str | None = None
    currency: str | None = None  # of the account
    request_id: str | None = None
    agent: str | None = None

    @property
    def signature(self) -> Signature:
        """By which its rows are signed."""
        if self.key_id:
            return Signature("key", self.key_id, self.request_id)
        return Signature("host" if self.account_id else "operator", None, self.request_id)

    def __repr__(self) -> str:
        """Without the instance, whose settings may hold a password."""
        return f"Actor(account_id={self.account_id!r}, key_id={self.key_id!r})"

    def traced(self, request_id: str) -> Actor:
        """The same actor asking under that request id, which its ledger entries will carry."""
        return self._replace(request_id=request_id)

    def may(self, scope: str) -> bool:
        """Whether the actor holds the scope."""
        return scope in self.scopes or "*" in self.scopes

    def owned(self, account_id: str) -> str:
        """The account id if the actor may see it; otherwise NotFound, as for an unknown one."""
        if self.account_id not in (None, account_id):
            raise NotFound("There is no such account.")
        return account_id


class ContextDatabase(peewee.DatabaseProxy):
    """The database of the instance at work; models are bound to it once and for all."""

    __slots__ = ("_Model", "_callbacks")

    @property
    def obj(self) -> peewee.Database | None:
        """The present database, or None where no instance is at work."""
        instance = _at_work.get()
        return instance.database if instance else None

    def initialize(self, obj: peewee.Database | None) -> None:
        """Nothing to keep: the context holds the database."""


def current() -> Instance:
    """The instance at work. Raises ConfigurationError outside `Instance.active()`."""
    instance = _at_work.get()
    if instance is None:
        raise ConfigurationError("No billing instance is at work here.")
    return instance


def has_own_clock() -> bool:
    """Whether the instance at work was given a clock, as tests do; else the database's counts."""
    return current().clock is not utc_now


def now() -> datetime:
    """The present instant by the clock of the instance at work."""
    return current().clock()


@contextmanager
def write_transaction() -> Iterator[None]:
    """One atomic change. SQLite takes its write lock at the start, so reads inside are decisions.

    Raises StorageUnavailable when the database is busy, full or away; nothing is written then.
    """
    database = current().database
    atomic = database.atomic("IMMEDIATE") if is_sqlite() else database.atomic()
    try:
        with atomic:
            yield
    except STORAGE_ERRORS as error:
        raise unreachable(error, "written") from error


def snapshot() -> AbstractContextManager[Any]:
    """Reads that all see the books as of one moment; they wait for no writer and keep none waiting.
    Inside another transaction they are part of that one."""
    return current().database.atomic("DEFERRED" if is_sqlite() else "REPEATABLE READ, READ ONLY")


def after_commit(action: Callable[[], None]) -> None:
    """Runs the action once the present transaction is committed; never when it is rolled back."""
    current().database.after_commit(action)


def refuse_in_transaction() -> None:
    """A guard for outward calls: nobody is asked while a transaction holds locks."""
    if current().database.in_transaction():
        raise ConfigurationError("An outward call was tried inside a transaction.")


def is_sqlite() -> bool:
    """Whether the instance at work is on SQLite."""
    return isinstance(current().database, peewee.SqliteDatabase)


def connect_to(url: str) -> peewee.Database:
    """A pooled database for `sqlite:///FILE` or `postgresql://…`; nothing is opened yet.

    SQLite: WAL, synchronous FULL (an acknowledged write survives power loss), IMMEDIATE locks.
    """
    if url.startswith("sqlite:///") and ":memory:" not in url and len(url) > len("sqlite:///"):
        return _alone_after_fork(
            _SqliteFile(
                url.removeprefix("sqlite:///"),
                pragmas=SQLITE_PRAGMAS,
                lock_type="IMMEDIATE",
                check_same_thread=False,  # the pool hands it on; one thread has it at a time
                **_POOL,
            )
        )
    if url.startswith(("postgresql://", "postgres://")):
        require("psycopg", extra="postgres")
        address = "postgresql://" + url.split("://", 1)[1]
        return _alone_after_fork(_PostgresqlPool(address, prefer_psycopg3=True, **_POOL))
    raise ConfigurationError("A database URL is sqlite:///FILE or postgresql://USER@HOST/NAME.")


class _PostgresqlPool(PooledPostgresqlDatabase):
    """Asks a connection whether it still lives only where its socket has something to say.

    A server that ends a session says so, and a server that dies closes the socket; a healthy one
    is silent. So this costs no round trip, which would be a third of a charge.
    """

    def _is_closed(self, conn: Any) -> bool:
        closed: bool = conn.closed or (_has_word(conn.fileno()) and super()._is_closed(conn))
        return closed


class _SqliteFile(PooledSqliteDatabase):
    """A file whose first users wait for each other."""

    def _set_pragmas(self, conn: sqlite3.Connection) -> None:
        """Tries again while busy: SQLite itself does not wait where two switch a file to WAL."""
        deadline = time.monotonic() + _WAIT_S
        while True:
            try:
                super()._set_pragmas(conn)
            except sqlite3.OperationalError as error:
                busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                if not busy or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
            else:
                return


def require(module: str, *, extra: str) -> None:
    """Raises ConfigurationError, naming the extra to install, where the module is missing."""
    if find_spec(module) is None:
        raise ConfigurationError(f"This needs {module}: install flask-billing-plugin[{extra}].")


def _alone_after_fork(database: peewee.Database) -> peewee.Database:
    """A forked process opens connections of its own and leaves its parent's alone."""
    known = weakref.ref(database)

    def forget() -> None:
        inherited = known()
        if inherited is not None:
            inherited.dispose()

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=forget)
    return database


def _forget_after_fork(instance: Instance) -> None:
    """What a forked process inherits may be locked by a thread that it does not have."""
    known = weakref.ref(instance)

    def forget() -> None:
        inherited = known()
        if inherited is not None:
            inherited.kept = {}

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=forget)


def unreachable(error: BaseException, done: str = "reached") -> StorageUnavailable:
    """What a caller is told of an error of the database's while it is asked."""
    return StorageUnavailable(f"The database cannot be {done} now.", details=repr(error))


def _has_word(socket: int) -> bool:
    """Whether something can be read from the socket, or it is closed."""
    poll = select.poll()
    poll.register(socket, select.POLLIN)
    return bool(poll.poll(0))
