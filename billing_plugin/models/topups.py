"""Top-ups: buying credit. The row is written before the processor is asked, and settled once."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import peewee

from billing_plugin import ids
from billing_plugin.errors import NotFound
from billing_plugin.models.base import Table, UTCDateTimeField
from billing_plugin.money import Money

PREFIX = "top"
PROCESSING, SUCCEEDED, FAILED, UNKNOWN = "processing", "succeeded", "failed", "unknown"
OPEN = (PROCESSING, UNKNOWN)


class TopUp(Table):
    """One purchase of credit. `unknown` means: the processor may have charged; it must be asked."""

    id = peewee.TextField(primary_key=True)
    account_id = peewee.TextField()
    key_id = peewee.TextField(null=True)
    amount_nanos = peewee.BigIntegerField()
    currency = peewee.TextField()
    status = peewee.TextField()
    processor = peewee.TextField()
    payment_method = peewee.TextField()
    payment_id = peewee.TextField(null=True)
    failure = peewee.TextField(null=True)
    created_at = UTCDateTimeField()
    updated_at = UTCDateTimeField()

    class Meta:
        table_name = "billing_topup"

    @property
    def amount(self) -> Money:
        """The credit that is bought."""
        return Money(self.amount_nanos, self.currency)


def create(account_id: str, amount: Money, at: datetime, **values: Any) -> TopUp:
    """Stores the intent to buy, in state processing."""
    return TopUp.create(
        id=ids.new_id(PREFIX),
        account_id=account_id,
        amount_nanos=amount.nanos,
        currency=amount.currency,
        status=PROCESSING,
        created_at=at,
        updated_at=at,
        **values,
    )


def get(account_id: str, topup_id: str) -> TopUp:
    """One top-up of the account. Raises NotFound."""
    topup = TopUp.get_or_none((TopUp.id == topup_id) & (TopUp.account_id == account_id))
    if topup is None:
        raise NotFound("There is no such top-up.")
    return topup


def settle(topup: TopUp, status: str, at: datetime, **values: Any) -> bool:
    """Moves an open top-up to `status`. False when something else settled it first."""
    return bool(
        TopUp.update(status=status, updated_at=at, **values)
        .where((TopUp.id == topup.id) & TopUp.status.in_(OPEN))
        .execute()
    )
