"""Writing what was charged: balance, entries, counters, records, roll-up and keys, all together.

On PostgreSQL a few rows of each go in one statement, as every round trip costs as much as the rows
themselves, and more where many threads wait for their turn. Many rows, and SQLite, which has no
round trips, go table by table.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from billing_plugin import context
from billing_plugin.models import idempotency, ledger, usage
from billing_plugin.models.base import Row
from billing_plugin.models.ceilings import COUNTER_COLUMNS, COUNTER_UPSERT, Ceilings
from billing_plugin.models.idempotency import Intent
from billing_plugin.models.ledger import Book
from billing_plugin.models.usage import UsageRecord

FEW = 64
_TABLES = {
    "entered": ("billing_ledger_entry", ""),
    "recorded": ("billing_usage_record", ""),
    "remembered": ("billing_idempotency_key", ""),
    "counted": ("billing_limit_counter", COUNTER_UPSERT),
    "rolled": ("billing_usage_rollup AS r", usage.ROLL_UP_UPSERT),
}


def write(
    book: Book, ceilings: Ceilings, records: Sequence[UsageRecord],
    done: Sequence[tuple[Intent, str]],
) -> None:  # fmt: skip
    """Stores all of it in the present transaction, under the account's lock."""
    if context.is_sqlite() or len(records) > FEW:
        book.close()
        ceilings.store()
        usage.store(records)
        idempotency.remember(done, book.at)
        return
    ceilings.store_notices()
    rows = {
        "entered": _objects(ledger.COLUMNS, book.take_rows()),
        "recorded": _objects(usage.COLUMNS, map(usage.row_of, records)),
        "remembered": _keys(done, day=idempotency.day_of(book.at)),
        "counted": _objects(COUNTER_COLUMNS, ceilings.changed_rows()),
        "rolled": _objects(usage.ROLL_UP_COLUMNS, usage.rolled_up(records)),
    }
    book.close(before=(_statement(), json.dumps(rows)))


@cache
def _statement() -> str:
    """Inserts into every table from one document, before the statement that closes the book."""
    parts = [
        f"{part} AS (INSERT INTO {table} SELECT * FROM jsonb_populate_recordset("
        f"NULL::{table.split()[0]}, (SELECT rows FROM said)->'{part}'){upsert})"
        for part, (table, upsert) in _TABLES.items()
    ]
    return f"WITH said AS (SELECT CAST(? AS jsonb) AS rows), {', '.join(parts)} "


def _objects(columns: str, rows: Iterable[Row]) -> list[dict[str, Any]]:
    names = columns.split(", ")
    return [dict(zip(names, row, strict=True)) for row in rows]


def _keys(done: Sequence[tuple[Intent, str]], *, day: int) -> list[dict[str, Any]]:
    return [
        {
            "digest": f"\\x{intent.digest.hex()}", "content": f"\\x{intent.content.hex()}",
            "result_id": result_id, "day": day,
        }
        for intent, result_id in done
    ]  # fmt: skip
