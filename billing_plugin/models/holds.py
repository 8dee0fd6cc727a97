"""Holds: money reserved before a call, then captured in part, whole or beyond, or given back.

What an account holds is the sum of its open holds, kept in the account's row and in the counters
of its limits in the same transaction as the holds themselves. A hold whose time is over frees its
money in the next transaction that needs it, or looks at it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any

from billing_plugin import context, ids
from billing_plugin.context import Signature
from billing_plugin.errors import NotFound
from billing_plugin.models.base import (
    Row,
    dump,
    execute,
    fetch_all,
    fetch_one,
    load_said,
    read_time,
)
from billing_plugin.models.usage import Dims
from billing_plugin.money import Money
from billing_plugin.periods import END

PREFIX = "hold"
OPEN, CAPTURED, RELEASED, EXPIRED = "open", "captured", "released", "expired"
COLUMNS = (
    "id, account_id, amount_nanos, currency, status, actor, key_id, request_id, agent, provider,"
    " model, metadata, created_at, expires_at, captured_nanos, record_id, resolved_at"
)
_INSERT = f"INSERT INTO billing_hold ({COLUMNS}) VALUES ({', '.join('?' * 17)})"
_SELECT = f"SELECT {COLUMNS} FROM billing_hold WHERE account_id = ?"
_RESOLVE = (
    "UPDATE billing_hold SET status = ?, resolved_at = ?, captured_nanos = ?, record_id = ?"
    " WHERE id = ?"
)
_KEPT = "holds"
_KEPT_HOLDS = 10_000
_OVERDUE = (
    "SELECT 1 FROM billing_hold WHERE account_id = ? AND status = 'open' AND expires_at <= ?"
    " LIMIT 1"
)


@dataclass(slots=True)
class Hold:
    """One reservation. It counts in the limits' windows of `created_at`, captured or not."""

    id: str
    account_id: str
    amount_nanos: int
    currency: str
    status: str
    actor: str
    key_id: str | None
    request_id: str | None
    agent: str | None
    provider: str
    model: str
    metadata: dict[str, Any]
    created_at: datetime
    expires_at: datetime
    captured_nanos: int | None = None
    record_id: str | None = None
    resolved_at: datetime | None = None

    @property
    def amount(self) -> Money:
        """What is reserved."""
        return Money(self.amount_nanos, self.currency)

    @property
    def captured(self) -> Money | None:
        """What was taken of it (or beyond it); None while nothing was."""
        taken = self.captured_nanos
        return None if taken is None else Money(taken, self.currency)

    @property
    def dims(self) -> Dims:
        """Whose hold it is and for what."""
        return Dims(self.key_id, self.agent, self.provider, self.model, self.metadata)

    def is_over(self, at: datetime) -> bool:
        """Whether its time has come."""
        return self.expires_at <= at


def new(
    account_id: str, amount: Money, dims: Dims, *, by: Signature, span: tuple[datetime, datetime]
) -> Hold:
    """An open hold from its making to its deadline, not yet stored."""
    return Hold(
        ids.new_id(PREFIX), account_id, amount.nanos, amount.currency, OPEN, by.actor, dims.key,
        by.request_id, dims.agent, dims.provider, dims.model, dims.metadata, *span,
    )  # fmt: skip


def row_of(hold: Hold) -> Row:
    """The hold as it is stored, by COLUMNS."""
    return (
        hold.id, hold.account_id, hold.amount_nanos, hold.currency, hold.status, hold.actor,
        hold.key_id, hold.request_id, hold.agent, hold.provider, hold.model, dump(hold.metadata),
        hold.created_at, hold.expires_at, hold.captured_nanos, hold.record_id, hold.resolved_at,
    )  # fmt: skip


def store(hold: Hold) -> None:
    """Stores a new hold in the present transaction."""
    execute(_INSERT, row_of(hold))


def get(account_id: str, hold_id: str) -> Hold:
    """One hold of the account. Raises NotFound."""
    row = fetch_one(_SELECT + " AND id = ?", (account_id, hold_id))
    if row is None:
        raise NotFound("There is no such hold.")
    return _read(row)


def keep(hold: Hold) -> None:
    """Keeps in memory what a hold was made with, as its capture mostly comes soon and here."""
    kept: dict[str, Row] = context.current().kept.setdefault(_KEPT, {})
    if len(kept) >= _KEPT_HOLDS:
        kept.clear()
    kept[hold.id] = _values(hold)


def recall(account_id: str, hold_id: str) -> Hold:
    """One hold of the account as it was made, which says nothing of its state: that is asked under
    the lock. Raises NotFound."""
    kept: dict[str, Row] = context.current().kept.get(_KEPT, {})
    values = kept.pop(hold_id, None)
    if values is None or values[1] != account_id:
        return get(account_id, hold_id)
    return Hold(*values)


def page(
    account_id: str, *, status: str | None = None, before: str | None = None, limit: int = 50
) -> list[Hold]:
    """Holds of the account, newest first; `before` is the id to go on from."""
    where, values = "", [account_id]
    if status is not None:
        where, values = " AND status = ?", [*values, status]
    if before is not None:
        where, values = where + " AND id < ?", [*values, before]
    return _select(f"{where} ORDER BY id DESC LIMIT {int(limit)}", values)


def resolve(
    hold: Hold, status: str, at: datetime, *, record: tuple[int, str] | None = None
) -> None:
    """Ends a hold; `record` is what was captured and its usage record.

    The caller has the account's lock and has seen it open.
    """
    captured, record_id = record or (None, None)
    execute(_RESOLVE, (status, at, captured, record_id, hold.id))


def prolong(hold: Hold, until: datetime) -> None:
    """Gives a hold another deadline."""
    execute("UPDATE billing_hold SET expires_at = ? WHERE id = ?", (until, hold.id))


def has_overdue(account_id: str, at: datetime) -> bool:
    """Whether an open hold's time is over."""
    return fetch_one(_OVERDUE, (account_id, at)) is not None


def overdue(account_id: str, at: datetime) -> list[Hold]:
    """Open holds whose time is over, oldest first."""
    return _select(" AND status = 'open' AND expires_at <= ? ORDER BY id", (account_id, at))


def open_within(account_id: str, start: datetime, end: datetime) -> list[Hold]:
    """Open holds that were made in the half-open period."""
    made = " AND status = 'open' AND created_at >= ? AND created_at < ?"
    return _select(made, (account_id, start, end))


def _select(where: str, values: Sequence[Any]) -> list[Hold]:
    return [_read(row) for row in fetch_all(_SELECT + where, values)]


_values = attrgetter(*COLUMNS.split(", "))


def _read(row: Row) -> Hold:
    *head, metadata, created_at, expires_at, captured, record_id, resolved_at = row
    times = (read_time(created_at) or END, read_time(expires_at) or END)
    tail: Row = (load_said(metadata), *times, captured, record_id, read_time(resolved_at))
    return Hold(*(*head, *tail))
