"""The rule by which an account buys credit by itself, and what it has bought so.

What a debit must know of it stands in the account's own row, which is locked anyway: below how much
it is to be marked (`topup_below_nanos`; None while it is marked), and since when (`topup_due_at`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

import peewee

from billing_plugin.context import after_commit, current
from billing_plugin.models.base import Table, UTCDateTimeField, fetch_all, fetch_one
from billing_plugin.money import Money

JOB = "worker.jobs.run_auto_topup"
DECLINED, CONFIRM, REVIEW = "declined", "authentication_required", "review"
REFUNDED, DISPUTED = "refunded", "disputed"
# For which a rule is switched off by itself.
REASONS = (DECLINED, CONFIRM, REVIEW, REFUNDED, DISPUTED)


class AutoTopUp(Table):
    """One account's rule, and how it has fared.

    `declines` are those in a row; nothing is begun before `not_before`. `error` says in a sentence
    why nothing is bought at present. Caps that are None are those of the settings.
    """

    account_id = peewee.TextField(primary_key=True)
    currency = peewee.TextField()
    threshold_nanos = peewee.BigIntegerField()
    amount_nanos = peewee.BigIntegerField()
    payment_method = peewee.TextField()
    enabled = peewee.IntegerField()
    daily_count = peewee.IntegerField(null=True)
    daily_nanos = peewee.BigIntegerField(null=True)
    monthly_count = peewee.IntegerField(null=True)
    monthly_nanos = peewee.BigIntegerField(null=True)
    declines = peewee.IntegerField(default=0)
    not_before = UTCDateTimeField(null=True)
    disabled_reason = peewee.TextField(null=True)
    error = peewee.TextField(null=True)
    last_failed_at = UTCDateTimeField(null=True)
    created_at = UTCDateTimeField()
    updated_at = UTCDateTimeField()

    class Meta:
        table_name = "billing_auto_topup"

    @property
    def threshold(self) -> Money:
        """Less than this available is topped up."""
        return Money(self.threshold_nanos, self.currency)

    @property
    def amount(self) -> Money:
        """What is bought, or a multiple of it."""
        return Money(self.amount_nanos, self.currency)

    @property
    def daily(self) -> Money | None:
        """How much may be bought in a day."""
        return None if self.daily_nanos is None else Money(self.daily_nanos, self.currency)

    @property
    def monthly(self) -> Money | None:
        """How much may be bought in a month."""
        return None if self.monthly_nanos is None else Money(self.monthly_nanos, self.currency)


class Bought(NamedTuple):
    """How many auto top-ups were begun, and of how much, whatever became of them."""

    number: int
    nanos: int


def find(account_id: str) -> AutoTopUp | None:
    """The account's rule, if it has one."""
    found: AutoTopUp | None = AutoTopUp.get_or_none(AutoTopUp.account_id == account_id)
    return found


def put(account_id: str, at: datetime, **values: Any) -> None:
    """Stores the rule, or changes it. The caller holds the account's lock."""
    if not change(account_id, at, **values):
        AutoTopUp.create(account_id=account_id, created_at=at, updated_at=at, **values)


def change(account_id: str, at: datetime, **values: Any) -> bool:
    """Changes the rule, if there is one. The caller holds the account's lock."""
    query = AutoTopUp.update(updated_at=at, **values).where(AutoTopUp.account_id == account_id)
    return bool(query.execute())


def remove(account_id: str) -> bool:
    """Takes the rule away; whether there was one."""
    return bool(AutoTopUp.delete().where(AutoTopUp.account_id == account_id).execute())


def in_flight(account_id: str) -> str | None:
    """The id of the auto top-up whose outcome is not known yet."""
    row = fetch_one(
        "SELECT id FROM billing_topup WHERE account_id = ? AND automatic = 1"
        " AND status IN ('created', 'processing', 'unknown')",
        (account_id,),
    )
    return str(row[0]) if row else None


def last(account_id: str) -> str | None:
    """The id of the newest auto top-up, whatever became of it."""
    row = fetch_one(
        "SELECT MAX(id) FROM billing_topup WHERE account_id = ? AND automatic = 1", (account_id,)
    )
    return row[0] if row else None


def bought(account_id: str, since: datetime) -> Bought:
    """What was begun since then. What failed counts: a payment may succeed after it has failed."""
    row = fetch_one(
        "SELECT COUNT(*), SUM(amount_nanos) FROM billing_topup WHERE account_id = ?"
        " AND automatic = 1 AND created_at >= ?",
        (account_id, since),
    )
    return Bought(int(row[0]), int(row[1] or 0)) if row else Bought(0, 0)


def due(at: datetime, limit: int) -> list[str]:
    """Ids of the accounts that somebody is to see about, the longest due first."""
    rows = fetch_all(
        "SELECT id FROM billing_account WHERE topup_due_at <= ? ORDER BY topup_due_at LIMIT ?",
        (at, limit),
    )
    return [row[0] for row in rows]


def wake(account_id: str) -> None:
    """Hands the account to a worker once the present transaction is committed."""
    instance = current()

    def enqueue() -> None:
        # The commit may be the host's own, long after this instance was at work.
        with instance.active():
            instance.enqueue(JOB, account_id)

    after_commit(enqueue)
