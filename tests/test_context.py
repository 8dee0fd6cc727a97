"""The instance at work: one per context, connected, all or nothing, and honest when it cannot."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playhouse.pool import PooledSqliteDatabase

from billing_plugin import Actor, Billing, context, operations
from billing_plugin.context import (
    ContextDatabase,
    after_commit,
    connect_to,
    current,
    now,
    refuse_in_transaction,
    require,
    snapshot,
    utc_now,
    write_transaction,
)
from billing_plugin.errors import ConfigurationError, NotFound, StorageUnavailable
from billing_plugin.models.accounts import Account
from billing_plugin.models.base import execute, fetch_one
from tests.databases import PostgresServer
from tests.factories import START, account_with, billing_on

FORKING = """
import os, sys
from billing_plugin import Billing, Money, operations
from billing_plugin.models.base import fetch_one
billing = Billing(sys.argv[1])
operator = billing.operator()
operations.create_account(operator, "before")
def session():
    with billing.instance.active():
        on_server = "postgresql" in sys.argv[1]
        return fetch_one("SELECT pg_backend_pid()")[0] if on_server else os.getpid()
mine = session()
child = os.fork()
if child == 0:
    operations.create_account(operator, "in the child")
    os._exit(0 if session() != mine else 9)
ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
assert ended == 0, "the child used its parent's session"
assert session() == mine, "the parent lost its session"
operations.create_account(operator, "after")
"""


def names(billing: Billing) -> list[str]:
    with billing.instance.active():
        return [account.name for account in Account.select().order_by(Account.id)]


def test_nothing_is_at_work_outside() -> None:
    assert ContextDatabase().obj is None
    with pytest.raises(ConfigurationError):
        current()


def test_an_instance_is_at_work_inside_only(billing: Billing) -> None:
    with billing.instance.active(), billing.instance.active():
        assert current() is billing.instance
        assert not billing.instance.database.is_closed()
        assert now() == START
    assert billing.instance.database.is_closed()
    with pytest.raises(ConfigurationError):
        current()


def test_two_instances_nest_and_keep_apart(billing: Billing, tmp_path: Path) -> None:
    other = billing_on(f"sqlite:///{tmp_path / 'other.db'}")
    with billing.instance.active():
        operations.create_account(other.operator(), "theirs")
        assert current() is billing.instance
        operations.create_account(billing.operator(), "ours")
    assert (names(billing), names(other)) == (["ours"], ["theirs"])
    other.instance.database.close_all()


def test_threads_do_not_see_each_others_instance(billing: Billing) -> None:
    seen = []
    with billing.instance.active():
        thread = threading.Thread(target=lambda: seen.append(ContextDatabase().obj))
        thread.start()
        thread.join()
    assert seen == [None]


def test_a_transaction_is_all_or_nothing(billing: Billing) -> None:
    with billing.instance.active(), pytest.raises(KeyError), write_transaction():
        operations.create_account(billing.operator(), "half made")
        raise KeyError
    assert names(billing) == []


def test_a_snapshot_does_not_see_what_is_written_meanwhile(billing: Billing) -> None:
    operator = billing.operator()
    with billing.instance.active():
        with snapshot():
            assert names(billing) == []
            with ThreadPoolExecutor(1) as elsewhere:
                elsewhere.submit(operations.create_account, operator, "meanwhile").result()
            assert names(billing) == []
        assert names(billing) == ["meanwhile"]
        with write_transaction():
            operations.create_account(operator, "own")
            with snapshot():
                assert names(billing) == ["meanwhile", "own"]


def test_what_follows_a_commit_waits_for_it(billing: Billing) -> None:
    done: list[str] = []
    with billing.instance.active():
        with write_transaction():
            after_commit(lambda: done.append("kept"))
            assert not done
        with pytest.raises(KeyError), write_transaction():
            after_commit(lambda: done.append("lost"))
            raise KeyError
    assert done == ["kept"]


def test_outward_calls_are_refused_inside_a_transaction(billing: Billing) -> None:
    with billing.instance.active():
        refuse_in_transaction()
        with write_transaction(), pytest.raises(ConfigurationError):
            refuse_in_transaction()


def test_an_actor_sees_its_own_account_and_holds_its_scopes(billing: Billing) -> None:
    actor = Actor(billing.instance, account_id="acct_1", scopes=frozenset({"usage:write"}))
    assert (actor.may("usage:write"), actor.may("keys:write")) == (True, False)
    assert actor.owned("acct_1") == "acct_1"
    with pytest.raises(NotFound):
        actor.owned("acct_2")
    assert Actor(billing.instance, scopes=frozenset({"*"})).may("anything")
    assert "instance" not in repr(actor)


@pytest.mark.parametrize(
    "url", ["", "sqlite://", "sqlite:///", "sqlite:///:memory:", "mysql://x/y", "billing.db"]
)
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(ConfigurationError):
        connect_to(url)


@pytest.mark.parametrize(
    "url", ["postgresql://nobody@127.0.0.1:1/none", "sqlite:////no/such/folder/billing.db"]
)
def test_a_database_that_is_away_is_said_so(url: str) -> None:
    with pytest.raises(StorageUnavailable) as refusal:
        operations.create_account(billing_on(url).operator(), "nobody")
    assert "127.0.0.1" not in str(refusal.value)


def test_a_busy_file_is_said_so_and_nothing_is_written(tmp_path: Path) -> None:
    file = tmp_path / "busy.db"
    billing = billing_on(f"sqlite:///{file}")
    actor = account_with(billing)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with billing.instance.active():
        execute("PRAGMA busy_timeout = 20")
        with pytest.raises(StorageUnavailable) as refusal:
            operations.create_account(billing.operator(), "late")
    other.execute("ROLLBACK")
    other.close()
    assert refusal.value.retryable
    assert operations.get_account(actor, str(actor.account_id)).name in names(billing)
    assert len(names(billing)) == 1
    billing.instance.database.close_all()


@pytest.fixture
def on_server(pg_server: PostgresServer, pg_template: str) -> Iterator[Billing]:
    with pg_server.database(pg_template) as url:
        yield billing_on(url)


def test_a_server_that_goes_away_is_said_so_and_found_again(on_server: Billing) -> None:
    actor = account_with(on_server, "100")
    with on_server.instance.active():
        operations.check_balance(actor, str(actor.account_id))  # opens the connection
        end_other_sessions(on_server)
        with pytest.raises(StorageUnavailable):
            operations.check_balance(actor, str(actor.account_id))
    assert operations.check_balance(actor, str(actor.account_id)).posted.text == "100.00"


def test_sessions_that_died_in_the_pool_are_replaced(on_server: Billing) -> None:
    actor = account_with(on_server, "100")
    end_other_sessions(on_server)
    assert operations.check_balance(actor, str(actor.account_id)).posted.text == "100.00"


def end_other_sessions(billing: Billing) -> None:
    """What a restart of the server does to everybody else."""
    other = connect_to(billing.instance.database.database)
    with other.connection_context():
        other.execute_sql(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    other.close_all()  # type: ignore[attr-defined]  # of peewee's pools


def test_a_forked_process_has_sessions_of_its_own(database_url: str) -> None:
    run = [sys.executable, "-c", FORKING, database_url]
    done = subprocess.run(run, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def test_sqlite_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    billing = billing_on(f"sqlite:///{tmp_path / 'kept.db'}")
    with billing.instance.active():
        assert fetch_one("PRAGMA journal_mode") == ("wal",)
        assert fetch_one("PRAGMA synchronous") == (2,)  # FULL
        assert fetch_one("PRAGMA foreign_keys") == (1,)
        assert fetch_one("PRAGMA busy_timeout") == (30_000,)
        assert context.is_sqlite()
    billing.instance.database.close_all()


@pytest.mark.parametrize(
    ("code", "waits"),
    [
        (sqlite3.SQLITE_BUSY, True),
        (sqlite3.SQLITE_BUSY_RECOVERY, True),
        (sqlite3.SQLITE_FULL, False),
    ],
)
def test_the_first_users_of_a_file_wait_for_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, waits: bool
) -> None:
    """Where two switch a file to WAL at once, SQLite fails at once, whatever its time to wait."""
    trouble = sqlite3.OperationalError("not now")
    trouble.sqlite_errorcode = code
    left = [trouble, trouble]
    set_pragmas = PooledSqliteDatabase._set_pragmas

    def troubled(database: PooledSqliteDatabase, conn: sqlite3.Connection) -> None:
        if left:
            raise left.pop()
        set_pragmas(database, conn)

    monkeypatch.setattr(PooledSqliteDatabase, "_set_pragmas", troubled)
    billing = billing_on(f"sqlite:///{tmp_path / 'new.db'}")
    if waits:
        assert operations.create_account(billing.operator(), "A").name == "A"
        return
    with pytest.raises(StorageUnavailable):
        operations.create_account(billing.operator(), "A")
    assert left == [trouble]


def test_the_clock_is_aware() -> None:
    before = datetime.now(UTC)
    assert before <= utc_now() <= datetime.now(UTC)
    assert utc_now().tzinfo is UTC


def test_a_missing_extra_is_named() -> None:
    require("json", extra="any")
    with pytest.raises(ConfigurationError, match=r"install flask-billing-plugin\[postgres\]"):
        require("no_such_module", extra="postgres")
