"""Writing what was charged: balance, entries, counters, records, roll-up and keys, all together.

On PostgreSQL a few rows of each go in one statement, as every round trip costs as much as the rows
themselves, and more where many threads wait for their turn. Many rows, and SQLite, which has no
round trips, go table by table.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache

from billing_plugin import context
from billing_plugin.models import idempotency, ledger, usage
from billing_plugin.models.base import Row
from billing_plugin.models.ceilings import COUNTER_COLUMNS, COUNTER_UPSERT, Ceilings
from billing_plugin.models.idempotency import Intent
from billing_plugin.models.ledger import Book
from billing_plugin.models.usage import UsageRecord

FEW = 64
# part of the document -> table, columns, what to do where the row is there already
_TABLES = {
    "entered": ("billing_ledger_entry", ledger.COLUMNS, ""),
    "recorded": ("billing_usage_record", usage.COLUMNS, ""),
    "remembered": ("billing_idempotency_key", idempotency.COLUMNS, ""),
    "counted": ("billing_limit_counter", COUNTER_COLUMNS, COUNTER_UPSERT),
    "rolled": ("billing_usage_rollup AS r", usage.ROLL_UP_COLUMNS, usage.ROLL_UP_UPSERT),
}
_WHOLE = {"sequence", "day_number", "records", "flagged"}


def write(
    book: Book, ceilings: Ceilings, records: Sequence[UsageRecord], *,
    done: Sequence[tuple[Intent, str]],
) -> None:  # fmt: skip
    """Stores all of it in the present transaction, under the account's lock."""
    if context.is_sqlite() or len(records) > FEW:
        usage.insert(map(tuple, records), number=len(records))
        idempotency.remember(done, book.at)
        close(book, ceilings, usage.rolled_up(records))
        return
    day = idempotency.day_of(book.at)
    keys = [(i.digest.hex(), i.content.hex(), result, day) for i, result in done]
    rolled = usage.rolled_up(records)
    _at_once(book, ceilings, recorded=records, remembered=keys, rolled=rolled)


def close(book: Book, ceilings: Ceilings, rolled: Sequence[Row]) -> None:
    """Stores balance, entries, counters and the roll-up of records that are stored already."""
    if context.is_sqlite():
        book.close()
        ceilings.store()
        usage.roll_up(rolled)
    else:
        _at_once(book, ceilings, rolled=rolled)


def _at_once(book: Book, ceilings: Ceilings, **rows: Sequence[Row]) -> None:
    ceilings.store_notices()
    rows |= {"entered": book.take_rows(), "counted": ceilings.changed_rows()}
    book.close(before=(_statement(), json.dumps(rows)))


@cache
def _statement() -> str:
    """Inserts into every table from one document, before the statement that closes the book."""
    parts = [
        f"{part} AS (INSERT INTO {table} ({columns}) SELECT {_cells(columns)}"
        f" FROM jsonb_array_elements((SELECT rows FROM said)->'{part}') AS row{upsert})"
        for part, (table, columns, upsert) in _TABLES.items()
    ]
    return f"WITH said AS (SELECT CAST(? AS jsonb) AS rows), {', '.join(parts)} "


def _cells(columns: str) -> str:
    return ", ".join(_cell(name, place) for place, name in enumerate(columns.split(", ")))


def _cell(name: str, place: int) -> str:
    """One column out of a row that is a JSON array; its name says of which type it is."""
    text = f"row->>{place}"
    if name in ("digest", "content"):
        return f"decode({text}, 'hex')"
    if name.endswith(("_at", "_start")):
        return f"CAST({text} AS timestamptz)"
    return f"CAST({text} AS bigint)" if name.endswith("_nanos") or name in _WHOLE else text
