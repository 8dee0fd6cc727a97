"""G4: 1,000 usage records rated, deduplicated, debited and rolled up in one call, against the bare
insertion of their rows: executemany on SQLite, COPY on PostgreSQL.

The reference gets its rows made ready, and does nothing but store them, durably, in one table of
the same columns with the caller's key: unique key, index by account and time. The product prices
each record by its model, asks whether its key is new, and keeps ledger, limit and roll-up.
"""

from __future__ import annotations

import gc
import itertools
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from billing_plugin import operations
from billing_plugin.models import usage
from billing_plugin.operations import Submission, Usage
from tests.benchmarks.books import MODEL, PROVIDER, Arena, arenas
from tests.benchmarks.harness import Comparison, Contestant, Goal, compare, options, report
from tests.benchmarks.raw_sqlite import RawSqlite

RECORDS = 1_000
COLUMNS = f"{usage.COLUMNS}, idempotency_key"
BARE = (
    f"CREATE TABLE bare AS SELECT {usage.COLUMNS}, id AS idempotency_key FROM {usage.TABLE}"
    " WHERE 1 = 0",
    "CREATE UNIQUE INDEX bare_id ON bare (id)",
    "CREATE UNIQUE INDEX bare_key ON bare (account_id, idempotency_key)",
    "CREATE INDEX bare_time ON bare (account_id, effective_at)",
)
GOALS = {
    "sqlite": Goal("G4", "sqlite", bound=2.5, judged_on="ratio"),
    "postgresql": Goal("G4", "postgresql", bound=2.0, judged_on="ratio"),
}


def main() -> int:
    """Measure, check, report."""
    wanted = options(__doc__)
    with arenas() as found:
        return report([ingest(arena, wanted.rounds) for arena in found], json_wanted=wanted.json)


def ingest(arena: Arena, rounds: int) -> Comparison:
    """Both on databases of their own."""
    batches, stored = itertools.count(), itertools.count()
    ready = [_submissions(next(batches)) for _ in range(rounds + 1)]
    rows = [_rows(arena, next(stored)) for _ in range(rounds + 1)]
    turns, others = iter(ready), iter(rows)
    bare = _executemany(arena) if arena.backend == "sqlite" else _copy(arena)

    def ours() -> None:
        done = operations.record_usage_batch(arena.ours.actor, arena.ours.account_id, next(turns))
        assert all(one.record and not one.replayed for one in done)

    gc.freeze()  # what was made ready beforehand is nobody's garbage
    with arena.ours.billing.instance.active():
        return compare(
            GOALS[arena.backend], Contestant("record_usage_batch()", ours),
            Contestant("bare rows", lambda: bare(next(others))), rounds=rounds,
            conditions={"records": RECORDS, **arena.conditions},
            check=lambda: not arena.ours.complaints(),
        )  # fmt: skip


def _submissions(batch: int) -> list[Submission]:
    return [
        Submission(
            Usage(
                MODEL,
                PROVIDER,
                input_tokens=900 + number,
                output_tokens=100 + number % 7,
            ),
            uuid4().hex,
        )
        for number in range(RECORDS)
    ]


def _rows(arena: Arena, batch: int) -> list[tuple[Any, ...]]:
    """What the product stores for such records, with a caller's key of their own."""
    [example] = operations.list_usage(arena.theirs.actor, arena.theirs.account_id, limit=1)
    return [
        (f"use_{batch:016x}{number:016x}", *example[1:], uuid4().hex) for number in range(RECORDS)
    ]


def _executemany(arena: Arena) -> Callable[[list[tuple[Any, ...]]], None]:
    raw = arena.raw
    assert isinstance(raw, RawSqlite)
    places = ", ".join("?" * len(COLUMNS.split(",")))
    sql = f"INSERT INTO bare ({COLUMNS}) VALUES ({places}) ON CONFLICT DO NOTHING"
    for statement in BARE:
        raw.connection.execute(statement)

    def store(rows: list[tuple[Any, ...]]) -> None:
        raw.connection.execute("BEGIN IMMEDIATE")
        raw.connection.executemany(sql, rows)
        raw.connection.execute("COMMIT")

    return store


def _copy(arena: Arena) -> Callable[[list[tuple[Any, ...]]], None]:
    connection: Any = arena.raw.connection
    for statement in BARE:
        connection.execute(statement)

    def store(rows: list[tuple[Any, ...]]) -> None:
        with (
            connection.transaction(),
            connection.cursor() as cursor,
            cursor.copy(f"COPY bare ({COLUMNS}) FROM STDIN") as copy,
        ):
            for row in rows:
                copy.write_row(row)

    return store


if __name__ == "__main__":
    raise SystemExit(main())
