"""Accounts: who holds a balance. `available = posted - held`, never below the floor."""

from __future__ import annotations

from datetime import datetime

import peewee

from billing_plugin import ids
from billing_plugin.errors import NotFound
from billing_plugin.models.base import Table, UTCDateTimeField, by_id, execute, fetch_one
from billing_plugin.money import Money
from billing_plugin.periods import END

PREFIX = "acct"


class Account(Table):
    """One customer account. Amounts are nanos of `currency`; `sequence` counts its entries."""

    id = peewee.TextField(primary_key=True)
    name = peewee.TextField()
    currency = peewee.TextField()
    posted_nanos = peewee.BigIntegerField(default=0)
    held_nanos = peewee.BigIntegerField(default=0)
    postpaid_nanos = peewee.BigIntegerField(default=0)
    floor_nanos = peewee.BigIntegerField(default=0)
    sequence = peewee.BigIntegerField(default=0)
    seal = peewee.TextField(default="")
    limits_version = peewee.BigIntegerField(default=0)
    drawn_sequence = peewee.BigIntegerField(default=0)
    low_nanos = peewee.BigIntegerField(null=True)
    watch_nanos = peewee.BigIntegerField(default=-(2**63))
    topup_below_nanos = peewee.BigIntegerField(null=True)
    topup_due_at = UTCDateTimeField(null=True)
    due_at = UTCDateTimeField(default=END)
    cycle_ends_at = UTCDateTimeField(null=True)
    manual_sync_at = UTCDateTimeField(null=True)
    created_at = UTCDateTimeField()

    class Meta:
        table_name = "billing_account"

    @property
    def posted(self) -> Money:
        """Settled money."""
        return Money(self.posted_nanos, self.currency)

    @property
    def held(self) -> Money:
        """Money reserved by open holds."""
        return Money(self.held_nanos, self.currency)

    @property
    def available(self) -> Money:
        """Money of the account's own that may be spent; negative while it uses postpaid."""
        return self.posted - self.held

    @property
    def postpaid(self) -> Money:
        """What may be used beyond that in a month, to be paid afterwards."""
        return Money(self.postpaid_nanos, self.currency)

    @property
    def low(self) -> Money | None:
        """The posted balance below which it is told that it is low."""
        return None if self.low_nanos is None else Money(self.low_nanos, self.currency)


def create(
    name: str, currency: str, at: datetime, *, account_id: str | None = None
) -> Account:  # fmt: skip
    """Stores a new, empty account."""
    account_id = account_id or ids.new_id(PREFIX)
    return Account.create(id=account_id, name=name, currency=currency, created_at=at)


def get(account_id: str) -> Account:
    """The account. Raises NotFound."""
    account = by_id(Account, account_id)
    if account is None:
        raise NotFound("There is no such account.")
    return account


def page(*, before: str | None = None, limit: int = 50) -> list[Account]:
    """Accounts, newest first; `before` is the id to go on from."""
    query = Account.select()
    if before is not None:
        query = query.where(Account.id < before)
    return list(query.order_by(Account.id.desc()).limit(limit))


def claim_manual_sync(account_id: str, at: datetime, *, not_after: datetime) -> datetime | None:
    """Takes the account's turn to sync by hand if the last one lies at or before `not_after`.

    Returns None when the turn was taken, otherwise the time of the last one.
    """
    taken = fetch_one(
        "UPDATE billing_account SET manual_sync_at = ? WHERE id = ?"
        " AND (manual_sync_at IS NULL OR manual_sync_at <= ?) RETURNING id",
        (at, account_id, not_after),
    )
    return None if taken else get(account_id).manual_sync_at


def every_id_with_integrations() -> list[str]:
    """Ids of the accounts that have at least one active integration."""
    rows = execute(
        "SELECT DISTINCT account_id FROM billing_integration WHERE active = 1 ORDER BY account_id"
    )
    return [row[0] for row in rows.fetchall()]
