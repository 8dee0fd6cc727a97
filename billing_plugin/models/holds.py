"""Holds: money reserved before a call, then captured in part, whole or beyond, or given back.

What an account holds is the sum of its open holds, kept in the account's row and in the counters
of its limits in the same transaction as the holds themselves. A hold whose time is over frees its
money in the next transaction that needs it, or looks at it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import peewee

from billing_plugin import ids
from billing_plugin.context import Signature
from billing_plugin.errors import NotFound
from billing_plugin.models.base import JSONField, Table, UTCDateTimeField, fetch_one
from billing_plugin.models.usage import Dims
from billing_plugin.money import Money

PREFIX = "hold"
OPEN, CAPTURED, RELEASED, EXPIRED = "open", "captured", "released", "expired"
_OVERDUE = (
    "SELECT 1 FROM billing_hold WHERE account_id = ? AND status = 'open' AND expires_at <= ?"
    " LIMIT 1"
)


class Hold(Table):
    """One reservation. It counts in the limits' windows of `created_at`, captured or not."""

    id = peewee.TextField(primary_key=True)
    account_id = peewee.TextField()
    amount_nanos = peewee.BigIntegerField()
    currency = peewee.TextField()
    status = peewee.TextField()
    captured_nanos = peewee.BigIntegerField(null=True)
    record_id = peewee.TextField(null=True)
    actor = peewee.TextField()
    key_id = peewee.TextField(null=True)
    request_id = peewee.TextField(null=True)
    agent = peewee.TextField(null=True)
    provider = peewee.TextField()
    model = peewee.TextField()
    metadata = JSONField()
    created_at = UTCDateTimeField()
    expires_at = UTCDateTimeField()
    resolved_at = UTCDateTimeField(null=True)

    class Meta:
        table_name = "billing_hold"

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
        return bool(self.expires_at <= at)


def create(
    account_id: str, amount: Money, dims: Dims, *, by: Signature, at: datetime, until: datetime
) -> Hold:
    """Stores an open hold."""
    return Hold.create(
        id=ids.new_id(PREFIX), account_id=account_id, amount_nanos=amount.nanos,
        currency=amount.currency, status=OPEN, actor=by.actor, key_id=dims.key,
        request_id=by.request_id, agent=dims.agent, provider=dims.provider, model=dims.model,
        metadata=dims.metadata, created_at=at, expires_at=until,
    )  # fmt: skip


def get(account_id: str, hold_id: str) -> Hold:
    """One hold of the account. Raises NotFound."""
    hold = Hold.get_or_none((Hold.id == hold_id) & (Hold.account_id == account_id))
    if hold is None:
        raise NotFound("There is no such hold.")
    return hold


def page(
    account_id: str, *, status: str | None = None, before: str | None = None, limit: int = 50
) -> list[Hold]:
    """Holds of the account, newest first; `before` is the id to go on from."""
    query = Hold.select().where(Hold.account_id == account_id)
    if status is not None:
        query = query.where(Hold.status == status)
    if before is not None:
        query = query.where(Hold.id < before)
    return list(query.order_by(Hold.id.desc()).limit(limit))


def resolve(hold: Hold, status: str, at: datetime, **values: Any) -> None:
    """Ends a hold. The caller has the account's lock and has seen it open."""
    Hold.update(status=status, resolved_at=at, **values).where(Hold.id == hold.id).execute()


def prolong(hold: Hold, until: datetime) -> None:
    """Gives a hold another deadline."""
    Hold.update(expires_at=until).where(Hold.id == hold.id).execute()


def has_overdue(account_id: str, at: datetime) -> bool:
    """Whether an open hold's time is over."""
    return fetch_one(_OVERDUE, (account_id, at)) is not None


def overdue(account_id: str, at: datetime) -> list[Hold]:
    """Open holds whose time is over, oldest first."""
    ended = (Hold.account_id == account_id) & (Hold.status == OPEN) & (Hold.expires_at <= at)
    return list(Hold.select().where(ended).order_by(Hold.id))


def open_within(account_id: str, start: datetime, end: datetime) -> list[Hold]:
    """Open holds that were made in the half-open period."""
    made = (Hold.created_at >= start) & (Hold.created_at < end)
    return list(Hold.select().where((Hold.account_id == account_id) & (Hold.status == OPEN) & made))
