"""Cost items for benchmarks: any number of them, skewed as real bills are, the same in DuckDB.

DuckDB makes them by a rule without state, so that a number of items is always the same; SQLite and
PostgreSQL take them in by the row, past the product, which then makes its sums anew.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from billing_plugin import Actor, Billing, operations
from billing_plugin.context import write_transaction
from billing_plugin.models import base, items, recounts
from tests.benchmarks.books import postgresql
from tests.databases import PostgresServer

PROVIDERS, SERVICES, CATEGORIES, TAGS, DAYS = 12, 200, 40, 60, 1095
FIRST_DAY = "2023-11-01"
AT_ONCE = 50_000  # rows
UNLIMITED = 1_000_000_000  # requests a minute: counted, and never too many
# As in real bills a provider has one currency and one source, a service one provider and one
# category, and comes again or not; few services and tags have most items, late days have more.
# u1 … u12: numbers from 0 to 1 that look random and follow from the item's number.
_CHANCES = ", ".join(f"(hash(i, {n}) % 1000000007) / 1000000007.0 AS u{n}" for n in range(1, 13))
_ITEMS = f"""
CREATE TABLE item AS
WITH chance AS (SELECT i, {_CHANCES} FROM range(?) AS r (i)),
place AS (SELECT *, floor({SERVICES} * pow(u1, 3))::INT AS service,
    floor({DAYS} * pow(u2, 0.7))::INT AS late,
    CASE WHEN u3 < 0.15 THEN 0 WHEN u3 < 0.5 THEN 1 WHEN u3 < 0.85 THEN 2 ELSE 3 END AS tags
  FROM chance),
dated AS (SELECT *, DATE '{FIRST_DAY}' + late
    - CASE WHEN u4 < 0.4 AND dayofweek(DATE '{FIRST_DAY}' + late) IN (0, 6) THEN 2 ELSE 0 END
    AS day FROM place)
SELECT i,
  CASE service % {PROVIDERS} WHEN 5 THEN 'focus' WHEN 7 THEN 'manual' ELSE 'sync' END AS source,
  CASE WHEN u6 < 0.01 THEN -1 ELSE 1 END * floor(5e10 * pow(u7, 6))::BIGINT AS nanos,
  CASE WHEN u8 < 0.7 THEN 0 ELSE floor(1e9 * u8 / 10000000)::BIGINT * 10000000 END AS attos,
  CASE service % {PROVIDERS} WHEN 9 THEN 'EUR' ELSE 'USD' END AS currency,
  day,
  'provider ' || service % {PROVIDERS} AS provider,
  'service ' || service AS service_id,
  CASE WHEN u10 < 0.1 THEN '' ELSE list_extract(?::VARCHAR[], 1 + service % {CATEGORIES}) END
    AS category_id,
  (service % 31 = 30)::INT AS recurring,
  list_sort(list_distinct([floor({TAGS} * pow(u12, 2))::INT, floor({TAGS} * pow(u4, 2))::INT,
    floor({TAGS} * pow(u6, 2))::INT][:tags])).list_transform(lambda t: 'tag ' || t) AS tags
FROM dated
"""
# By items.COLUMNS; the places are the account, and the moment at which all of them were stored.
_STORED = """
SELECT format('item_{:032x}', i), ?, source, ?, 'Usage of service ' || i % 1000, nanos, attos,
  currency, nullif(category_id, ''), to_json(tags)::VARCHAR, day || 'T12:00:00.000000Z',
  day::VARCHAR, 'A line of a bill', provider, 'ref ' || i, NULL, recurring, NULL, service_id, NULL,
  NULL, NULL, NULL, NULL, NULL, NULL, ?
FROM item ORDER BY i
"""
_TAGGED = """
SELECT ?, unnest(tags) AS tag, day::VARCHAR, format('item_{:032x}', i) FROM item ORDER BY 2, 3, 4
"""
_MOMENT = "2026-11-01T00:00:00.000000Z"


@dataclass(frozen=True)
class Stock:
    """An account with many items, and the same items in DuckDB."""

    backend: str
    billing: Billing
    actor: Actor
    duck: duckdb.DuckDBPyConnection
    number: int
    place: str  # of the database: a file, or a URL

    @property
    def account_id(self) -> str:
        """The account."""
        return str(self.actor.account_id)


def item_id(number: int) -> str:
    """The id of the item of that number."""
    return f"item_{number:032x}"


@contextmanager
def stocked(numbers: Iterable[int], *backends: str) -> Iterator[Iterator[list[Stock]]]:
    """For each number, when it is asked for, a stock of so many items on each database (both,
    unless named); all of them stay until the end."""
    wanted = backends or ("sqlite", "postgresql")
    with (
        tempfile.TemporaryDirectory() as folder,
        postgresql(wanted) as server,
        ExitStack() as until_the_end,
    ):
        yield (
            [
                until_the_end.enter_context(_open(url, number, Path(folder)))
                for url in _urls(number, Path(folder), until_the_end, server=server, wanted=wanted)
            ]
            for number in numbers
        )


def _urls(
    number: int, folder: Path, until_the_end: ExitStack, *, server: PostgresServer | None,
    wanted: Sequence[str],
) -> Iterator[str]:  # fmt: skip
    if "sqlite" in wanted:
        yield f"sqlite:///{folder}/{number}.db"
    if server:
        yield until_the_end.enter_context(server.database())


@contextmanager
def _open(url: str, number: int, folder: Path) -> Iterator[Stock]:
    stock = _stock(url, number, folder)
    try:
        yield stock
    finally:
        stock.billing.close()
        stock.duck.close()


def _stock(url: str, number: int, folder: Path) -> Stock:
    backend = url.partition(":")[0]
    billing = Billing(url, rate_limit_per_minute=UNLIMITED)
    account = operations.create_account(billing.operator(), "Stock")
    actor = billing.actor(account.id)
    duck = duckdb.connect(folder / f"{backend} {number}.duckdb", config={"threads": 1})
    duck.execute(_ITEMS, [number, _categories(actor)])
    load = _into_sqlite if backend == "sqlite" else _into_postgresql
    with billing.instance.active():
        load(billing.instance.database.connection(), duck, account.id)
        with write_transaction():
            recounts.rebuild_sums(account.id)  # without the words, which no report needs
        base.execute("ANALYZE")
    place = url.removeprefix("sqlite:///")
    return Stock(backend, billing, actor, duck, number, place)


def _categories(actor: Actor) -> list[str]:
    """A tree of three levels; the ids, roots first."""
    ids: list[str] = []
    for number in range(CATEGORIES):
        parent = ids[number // 4] if number >= 4 else None
        made = operations.create_category(
            actor, str(actor.account_id), f"category {number}", parent=parent
        )
        ids.append(made.id)
    return ids


def _rows(duck: duckdb.DuckDBPyConnection, account_id: str) -> Iterator[tuple[str, str, Any]]:
    """Each table, its columns and the rows for it."""
    moments = [account_id, _MOMENT, _MOMENT]
    yield items.TABLE, items.COLUMNS, duck.execute(_STORED, moments)
    yield items.TAGS, items.TAG_COLUMNS, duck.execute(_TAGGED, [account_id])


def _into_sqlite(connection: Any, duck: duckdb.DuckDBPyConnection, account_id: str) -> None:
    again = _without_indexes(
        connection, "SELECT name, sql FROM sqlite_master WHERE type = 'index'"
        " AND tbl_name = 'billing_item' AND sql IS NOT NULL",
    )  # fmt: skip
    for table, columns, found in _rows(duck, account_id):
        places = ", ".join("?" * len(columns.split(",")))
        connection.execute("BEGIN")
        while some := found.fetchmany(AT_ONCE):
            connection.executemany(f"INSERT INTO {table} ({columns}) VALUES ({places})", some)
        connection.execute("COMMIT")
    for sql in again:
        connection.execute(sql)


def _into_postgresql(connection: Any, duck: duckdb.DuckDBPyConnection, account_id: str) -> None:
    again = _without_indexes(
        connection, "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'billing_item'"
        " AND indexname NOT LIKE '%pkey'",
    )  # fmt: skip
    for table, columns, found in _rows(duck, account_id):
        with connection.cursor().copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
            while some := found.fetchmany(AT_ONCE):
                for row in some:
                    copy.write_row(row)
    for sql in again:
        connection.execute(sql)


def _without_indexes(connection: Any, named: str) -> list[str]:
    """Takes the indexes away; the statements that make them again."""
    found = connection.execute(named).fetchall()
    for name, _ in found:
        connection.execute(f"DROP INDEX {name}")
    return [sql for _, sql in found]
