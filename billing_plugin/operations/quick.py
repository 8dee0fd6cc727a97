"""The quick way: one charge, hold or capture made ready as a `Move` (models/moves.py).

Each function answers None where the general path must decide; nothing has happened then.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from billing_plugin import ids
from billing_plugin.models import holds, ledger, moves, usage
from billing_plugin.models.base import Row, stored_time
from billing_plugin.models.holds import Hold
from billing_plugin.models.idempotency import Intent
from billing_plugin.models.moves import Move
from billing_plugin.models.usage import UsageRecord
from billing_plugin.operations.charging import Line, entry_facts, record_of
from billing_plugin.operations.prices import Rated
from billing_plugin.operations.wishes import Wish
from billing_plugin.periods import BEGINNING, END


class Ready(NamedTuple):
    """A charge made ready, and the record that it will have."""

    move: Move
    record: UsageRecord


def prepare(account_id: str, wish: Wish, at: datetime) -> Ready | None:
    """Makes a rated wish ready that is effective now."""
    rated = wish.rated
    if not isinstance(rated, Rated) or wish.used.effective_at is not None:
        return None
    dims = wish.dims(rated)
    scope = moves.scope_of(account_id, dims, at)
    if scope is None:
        return None
    entry_id, record_id = ids.new_pair(ledger.PREFIX, usage.PREFIX)
    line = Line(wish, rated, at, dims.key, dims.agent, entry_id=entry_id)
    record = record_of(line, record_id, account_id=account_id, at="")
    move = Move(
        account_id, rated.currency, scope.version, rated.nanos, 0, scope.counts, scope.since,
        scope.until, wish.intent, record_id, _entry(account_id, line), record[: usage.HEAD],
    )  # fmt: skip
    return Ready(move, record)


def charge(ready: Sequence[Ready]) -> list[UsageRecord] | None:
    """Charges all of them, in their order."""
    moved = moves.carry_out_all([one.move for one in ready])
    return None if moved is None else [_dated(one.record, moved) for one in ready]


def reserve(wanted: Hold, intent: Intent | None) -> Hold | None:
    """Makes a hold; answers it with its times."""
    scope = moves.scope_of(wanted.account_id, wanted.dims, wanted.created_at)
    if scope is None:
        return None
    lasting = wanted.expires_at - wanted.created_at
    moved = moves.carry_out(
        Move(
            wanted.account_id, wanted.currency, scope.version, 0, wanted.amount_nanos,
            scope.counts, scope.since, scope.until, intent, wanted.id,
            hold=holds.row_of(wanted)[:12], lasting=lasting,
        )
    )  # fmt: skip
    if moved is None:
        return None
    wanted.created_at, wanted.expires_at = moved, moved + lasting
    return wanted


def capture(found: Hold, wish: Wish, rated: Rated) -> UsageRecord | None:
    """Captures no more than an open hold, of just what it was made for."""
    dims = found.dims
    scope = moves.scope_of(found.account_id, dims, found.created_at)
    told = (rated.provider, rated.model, wish.used.metadata)
    if scope is None or told != dims[2:] or found.status != holds.OPEN:
        return None
    entry_id, record_id = ids.new_pair(ledger.PREFIX, usage.PREFIX)
    line = Line(wish, rated, found.created_at, dims.key, dims.agent, found.id, entry_id)
    record = record_of(line, record_id, account_id=found.account_id, at="")
    moved = moves.carry_out(
        Move(
            found.account_id, rated.currency, scope.version, rated.nanos,
            -found.amount_nanos, scope.counts, BEGINNING, END, None, record_id,
            _entry(found.account_id, line), record[: usage.HEAD], found.created_at, found.id,
        )
    )  # fmt: skip
    if moved is None:
        return None
    found.resolved_at = moved
    found.status, found.captured_nanos, found.record_id = (
        holds.CAPTURED, rated.nanos, record_id,
    )  # fmt: skip
    return record.moved(record.effective, stored_time(moved))


def _dated(record: UsageRecord, moved: datetime) -> UsageRecord:
    text = stored_time(moved)
    return record.moved(text, text)


def _entry(account_id: str, line: Line) -> Row:
    by = line.wish.signature
    return (
        line.entry_id, account_id, ledger.COUNTER_ACCOUNTS["usage"], "usage",
        -line.rated.nanos, line.rated.currency, None, None, by.actor, by.key_id,
        by.request_id, entry_facts(line.rated, line.tokens),
    )  # fmt: skip
