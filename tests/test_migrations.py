"""Migrations: once, by one of many, whole or not at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import peewee
import pytest

from billing_plugin import migrations, operations
from billing_plugin.context import connect_to
from billing_plugin.migrations import HISTORY_TABLE, migrate, pending
from tests.books import TABLES
from tests.factories import billing_on

EVERY = [path.stem for path in sorted(Path(migrations.__file__).parent.glob("0*.py"))]
PROCESS = """
import sys
from billing_plugin.context import connect_to
from billing_plugin.migrations import migrate
database = connect_to(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
with database.connection_context():
    print(migrate(database))
"""
KILLED = """
import os, sys
from billing_plugin.context import connect_to
from billing_plugin import migrations
import playhouse.migrations
database = connect_to(sys.argv[1])
left = int(sys.argv[2])
execute = database.execute_sql
def execute_sql(*args, **kwargs):
    global left
    left -= "CREATE" in args[0].upper()
    if left < 0:
        os._exit(9)
    return execute(*args, **kwargs)
database.execute_sql = execute_sql
with database.connection_context():
    migrations.migrate(database)
"""


def done_on(url: str) -> list[str]:
    database: Any = connect_to(url)
    with database.connection_context():
        done = migrate(database)
        assert pending(database) == []
    database.close_all()
    return list(done)


def tables_of(url: str) -> set[str]:
    database: Any = connect_to(url)
    with database.connection_context():
        found = set(database.get_tables())
    database.close_all()
    inner = "billing_item_search_"  # SQLite keeps its index of words in tables of their own
    return {name for name in found if name.startswith("billing_") and not name.startswith(inner)}


def test_an_empty_database_gets_every_table_once(empty_database_url: str) -> None:
    assert tables_of(empty_database_url) == set()
    assert done_on(empty_database_url) == EVERY
    assert tables_of(empty_database_url) == {f"billing_{name}" for name in TABLES} | {HISTORY_TABLE}
    assert done_on(empty_database_url) == []


def test_the_hosts_own_tables_stay(empty_database_url: str) -> None:
    database: Any = connect_to(empty_database_url)
    with database.connection_context():
        database.execute_sql("CREATE TABLE account (id INTEGER)")
        database.execute_sql("INSERT INTO account VALUES (7)")
        migrate(database)
        assert database.execute_sql("SELECT id FROM account").fetchall() == [(7,)]
    database.close_all()


def test_several_processes_at_once_migrate_once(empty_database_url: str) -> None:
    command = [sys.executable, "-c", PROCESS, empty_database_url]
    started = [
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=60) for process in started]
    assert [process.returncode for process in started] == [0] * 4, answers
    assert sorted(out.strip() for out, _ in answers) == [str(EVERY), "[]", "[]", "[]"]
    assert done_on(empty_database_url) == []


@pytest.mark.parametrize("statements", [1, 5, 12])
def test_a_killed_migration_leaves_nothing_and_runs_again(
    empty_database_url: str, statements: int
) -> None:
    run = [sys.executable, "-c", KILLED, empty_database_url, str(statements)]
    killed = subprocess.run(run, capture_output=True, text=True, check=False, timeout=60)
    assert killed.returncode == 9, killed.stderr
    assert tables_of(empty_database_url) <= {HISTORY_TABLE}
    assert done_on(empty_database_url) == EVERY


def test_a_failing_migration_leaves_nothing_and_runs_again(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    database: Any = connect_to(empty_database_url)
    execute = database.execute_sql

    def failing(sql: str, *args: Any, **kwargs: Any) -> Any:
        if "billing_topup (" in sql:
            raise peewee.OperationalError("the disk is full")
        return execute(sql, *args, **kwargs)

    with database.connection_context(), monkeypatch.context() as broken:
        broken.setattr(database, "execute_sql", failing)
        with pytest.raises(peewee.OperationalError):
            migrate(database)
    database.close_all()
    assert tables_of(empty_database_url) <= {HISTORY_TABLE}
    assert done_on(empty_database_url) == EVERY


def test_the_first_use_migrates_when_it_is_told_to(empty_database_url: str) -> None:
    billing = billing_on(empty_database_url)
    assert tables_of(empty_database_url) == set()
    operations.create_account(billing.operator(), "A")
    assert f"billing_{TABLES[0]}" in tables_of(empty_database_url)
