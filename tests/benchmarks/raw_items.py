"""The limit of taking items in: the same rows, written by hand into a table of their own.

It has the columns, key, checks and indexes of `billing_item`, as many rows to begin with, and is
committed as durably. Nothing else is kept: no tags, no sums, no words, no audit trail.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import psycopg

from billing_plugin.context import SQLITE_PRAGMAS
from billing_plugin.models import items
from billing_plugin.models.base import array_of
from billing_plugin.models.items import CostItem

_MOVED = attrgetter("nanos", "attos", "dated", "day", "updated", "provider", "provider_ref")
_TABLE = (
    "SELECT sql FROM ours.sqlite_master WHERE tbl_name = 'billing_item' AND sql IS NOT NULL"
    " ORDER BY type = 'index'"
)
_MOVE_SQLITE = (
    "UPDATE billing_item SET nanos = ?, attos = ?, date = ?, day = ?, updated_at = ?"
    " WHERE provider = ? AND provider_ref = ? AND account_id = ?"
)
_MOVE_POSTGRESQL = """
UPDATE billing_item i SET nanos = v.nanos, attos = v.attos, date = v.date, day = v.day,
  updated_at = v.updated_at
FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[], %s::text[], %s::timestamptz[],
  %s::text[], %s::text[]) AS v (nanos, attos, date, day, updated_at, provider, provider_ref)
WHERE i.account_id = %s AND i.provider = v.provider AND i.provider_ref = v.provider_ref
"""


class RawSqliteItems:
    """A file of its own, beside the product's."""

    def __init__(self, path: str) -> None:
        self.connection = sqlite3.connect(f"{path}.raw.db", isolation_level=None)
        execute = self.connection.execute
        for name, value in SQLITE_PRAGMAS.items():
            execute(f"PRAGMA {name} = {value}")
        execute("ATTACH ? AS ours", (path,))
        table, *indexes = [sql for (sql,) in execute(_TABLE).fetchall()]
        for sql in (table, "INSERT INTO billing_item SELECT * FROM ours.billing_item", *indexes):
            execute(sql)
        execute("DETACH ours")
        execute("ANALYZE")
        execute("PRAGMA wal_checkpoint(TRUNCATE)")
        places = ", ".join("?" * len(CostItem._fields))
        self._insertion = f"INSERT INTO {items.TABLE} ({items.COLUMNS}) VALUES ({places})"

    def store(self, new: Sequence[CostItem]) -> None:
        """All of them in one transaction."""
        self._all_at_once(self._insertion, new)

    def store_each(self, new: Sequence[CostItem]) -> None:
        """Each in a transaction of its own."""
        for item in new:
            self.connection.execute(self._insertion, item)

    def move(self, now: Sequence[CostItem]) -> None:
        """Other amounts and dates of stored items, found by their references."""
        self._all_at_once(_MOVE_SQLITE, [(*_MOVED(one), one.account_id) for one in now])

    def _all_at_once(self, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
        self.connection.execute("BEGIN IMMEDIATE")
        done = self.connection.executemany(sql, rows)
        assert done.rowcount == len(rows)
        self.connection.execute("COMMIT")


class RawPostgresqlItems:
    """A schema of its own, in the product's database."""

    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url, autocommit=True)
        for sql in (
            "CREATE SCHEMA raw",
            "SET search_path TO raw, public",
            "CREATE TABLE raw.billing_item (LIKE public.billing_item INCLUDING ALL)",
            "INSERT INTO raw.billing_item SELECT * FROM public.billing_item",
            "REINDEX TABLE raw.billing_item",  # as after those of the product were made anew
            "VACUUM ANALYZE raw.billing_item",
            "CHECKPOINT",
        ):
            self.connection.execute(sql)
        places = ", ".join(["%s"] * len(CostItem._fields))
        self._insertion = f"INSERT INTO {items.TABLE} ({items.COLUMNS}) VALUES ({places})".encode()
        self._copy = f"COPY {items.TABLE} ({items.COLUMNS}) FROM STDIN".encode()

    def store(self, new: Sequence[CostItem]) -> None:
        """All of them in one statement."""
        with self.connection.cursor().copy(self._copy) as copy:
            for item in new:
                copy.write_row(item)

    def store_each(self, new: Sequence[CostItem]) -> None:
        """Each in a transaction of its own."""
        for item in new:
            self.connection.execute(self._insertion, item, prepare=True)

    def move(self, now: Sequence[CostItem]) -> None:
        """Other amounts and dates of stored items, found by their references."""
        columns = [array_of(column) for column in zip(*map(_MOVED, now), strict=True)]
        done = self.connection.execute(_MOVE_POSTGRESQL, (*columns, now[0].account_id))
        assert done.rowcount == len(now)
