"""Numbered migrations of our own tables, and the runner that applies what is missing.

Each runs in one transaction on both databases, so a killed migration is simply run again. Several
processes may start at once: a lock in the database lets one of them do the work.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from peewee import Database, PostgresqlDatabase
from playhouse.migrations import Runner

HISTORY_TABLE = "billing_migration"
_QUICK = ("billing_spend", "billing_reserve", "billing_spend_all")
_LOCK = 7_026_112_001  # any constant: the advisory lock of our migrations


def migrate(database: Database) -> list[str]:
    """Applies every missing migration and returns their names. The connection must be open."""
    if isinstance(database, PostgresqlDatabase):
        return _migrate_postgresql(database)
    return _run(database)


def pending(database: Database) -> list[str]:
    """Names of the migrations that are not yet applied."""
    return [migration.name for migration in _runner(database).status() if not migration.applied]


def edit_functions(db: Database, changes: Mapping[str, str]) -> None:
    """Has the database's functions of the quick charge (0003) say something else: what they say ->
    what they say from now on. SQLite has none. Raises RuntimeError where they do not say it once.
    """
    if isinstance(db, PostgresqlDatabase):
        for name in _QUICK:
            db.execute_sql(_edited(db, name, changes))


def _edited(db: Database, name: str, changes: Mapping[str, str]) -> str:
    [[text]] = db.execute_sql("SELECT pg_get_functiondef(%s::regproc)", (name,)).fetchall()
    for said, instead in changes.items():
        if text.count(said) != 1:
            raise RuntimeError(f"{name} is not as earlier migrations made it.")
        text = text.replace(said, instead)
    return str(text)


def _migrate_postgresql(database: PostgresqlDatabase) -> list[str]:
    database.execute_sql("SELECT pg_advisory_lock(%s)", (_LOCK,))
    try:
        return _run(database)
    finally:
        database.execute_sql("SELECT pg_advisory_unlock(%s)", (_LOCK,))


def _run(database: Database) -> list[str]:
    if not pending(database):
        return []
    if isinstance(database, PostgresqlDatabase):
        return list(_runner(database).up())
    with database.atomic("IMMEDIATE"):
        return list(_runner(database).up())


def _runner(database: Database) -> Runner:
    return Runner(database, directory=str(Path(__file__).parent), table_name=HISTORY_TABLE)
