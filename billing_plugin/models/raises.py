"""Raises of limits: asked for, then approved for a time, denied, or forgotten."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import peewee

from billing_plugin import ids
from billing_plugin.errors import NotFound
from billing_plugin.models.base import Table, UTCDateTimeField
from billing_plugin.money import Money

PREFIX = "raise"
PENDING, APPROVED, DENIED, EXPIRED = "pending", "approved", "denied", "expired"


class LimitRaise(Table):
    """A wish to have so much more under a limit until a moment. Decided once, or expired."""

    id = peewee.TextField(primary_key=True)
    account_id = peewee.TextField()
    limit_id = peewee.TextField()
    amount_nanos = peewee.BigIntegerField()
    currency = peewee.TextField()
    until_at = UTCDateTimeField()
    reason = peewee.TextField()
    status = peewee.TextField()
    requested_by = peewee.TextField()
    decided_by = peewee.TextField(null=True)
    created_at = UTCDateTimeField()
    expires_at = UTCDateTimeField()
    decided_at = UTCDateTimeField(null=True)

    class Meta:
        table_name = "billing_limit_raise"

    @property
    def amount(self) -> Money:
        """How much more."""
        return Money(self.amount_nanos, self.currency)

    def status_at(self, at: datetime) -> str:
        """Its status as of the instant: a wish that nobody decided in time has expired."""
        return EXPIRED if self.status == PENDING and self.expires_at <= at else str(self.status)


def create(account_id: str, limit_id: str, amount: Money, **values: Any) -> LimitRaise:
    """Stores a pending wish."""
    return LimitRaise.create(
        id=ids.new_id(PREFIX), account_id=account_id, limit_id=limit_id,
        amount_nanos=amount.nanos, currency=amount.currency, status=PENDING, **values,
    )  # fmt: skip


def get(account_id: str, raise_id: str) -> LimitRaise:
    """One wish of the account. Raises NotFound."""
    owned = (LimitRaise.id == raise_id) & (LimitRaise.account_id == account_id)
    found = LimitRaise.get_or_none(owned)
    if found is None:
        raise NotFound("There is no such raise.")
    return found


def page(account_id: str, *, before: str | None = None, limit: int = 50) -> list[LimitRaise]:
    """Wishes of the account, newest first; `before` is the id to go on from."""
    query = LimitRaise.select().where(LimitRaise.account_id == account_id)
    if before is not None:
        query = query.where(LimitRaise.id < before)
    return list(query.order_by(LimitRaise.id.desc()).limit(limit))


def decide(wish: LimitRaise, status: str, *, by: str, at: datetime) -> None:
    """Ends a pending wish. The caller has the account's lock."""
    LimitRaise.update(status=status, decided_by=by, decided_at=at).where(
        LimitRaise.id == wish.id
    ).execute()
