"""Top-ups: buying credit. The row is written before the processor is asked, and settled once."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import peewee

from billing_plugin import ids
from billing_plugin.errors import NotFound
from billing_plugin.models.base import Row, Table, UTCDateTimeField, execute, fetch_all, fetch_one
from billing_plugin.money import Money

PREFIX = "top"
CREATED, PROCESSING, UNKNOWN = "created", "processing", "unknown"
SUCCEEDED, FAILED, REVIEW = "succeeded", "failed", "review"
OPEN = (CREATED, PROCESSING, UNKNOWN)
_ENTRY = "SELECT id FROM billing_ledger_entry WHERE reference_id = ? AND kind = 'topup'"
STATUSES = (*OPEN, SUCCEEDED, FAILED, REVIEW)


class TopUp(Table):
    """One purchase of credit.

    `created`: the processor may not have been asked; `unknown`: it may have charged, and must be
    asked; `review`: what it says is not what was asked for, and a person must look. `ask_at` is
    when the processor is asked again by itself, after it has been `asked` so often.
    """

    id = peewee.TextField(primary_key=True)
    account_id = peewee.TextField()
    key_id = peewee.TextField(null=True)
    amount_nanos = peewee.BigIntegerField()
    currency = peewee.TextField()
    status = peewee.TextField()
    processor = peewee.TextField()
    payment_method = peewee.TextField()
    customer_id = peewee.TextField(null=True)
    payment_id = peewee.TextField(null=True)
    failure = peewee.TextField(null=True)
    attended = peewee.IntegerField(default=1)
    automatic = peewee.IntegerField(default=0)
    asked = peewee.IntegerField(default=0)
    ask_at = UTCDateTimeField(null=True)
    created_at = UTCDateTimeField()
    updated_at = UTCDateTimeField()

    client_secret = ""  # of a payment that its payer must confirm; never stored

    class Meta:
        table_name = "billing_topup"

    @property
    def amount(self) -> Money:
        """The credit that is bought."""
        return Money(self.amount_nanos, self.currency)

    @property
    def is_open(self) -> bool:
        """Whether it is still to be settled."""
        return self.status in OPEN


def create(account_id: str, amount: Money, at: datetime, **values: Any) -> TopUp:
    """Stores the intent to buy, in state created."""
    return TopUp.create(
        id=ids.new_id(PREFIX),
        account_id=account_id,
        amount_nanos=amount.nanos,
        currency=amount.currency,
        status=CREATED,
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


def find(*, payment_id: str, reference: str) -> TopUp | None:
    """The top-up that a processor means: by its payment, or by our own id."""
    found: TopUp | None = None
    if payment_id:
        found = TopUp.get_or_none(TopUp.payment_id == payment_id)
    if found is None and reference:
        found = TopUp.get_or_none(TopUp.id == reference)
    return found


def page(account_id: str, *, before: str | None = None, limit: int = 50) -> list[TopUp]:
    """The account's top-ups, newest first; `before` is the id to go on from."""
    query = TopUp.select().where(TopUp.account_id == account_id)
    if before is not None:
        query = query.where(TopUp.id < before)
    return list(query.order_by(TopUp.id.desc()).limit(limit))


def change(topup: TopUp, at: datetime, **values: Any) -> None:
    """Changes a top-up. The caller holds its account's lock, and read it under that."""
    TopUp.update(updated_at=at, **values).where(TopUp.id == topup.id).execute()


def due(at: datetime, limit: int) -> list[tuple[str, str]]:
    """The account and id of top-ups whose processor is to be asked again, the longest due first."""
    rows = execute(
        "SELECT account_id, id FROM billing_topup WHERE ask_at <= ? ORDER BY ask_at LIMIT ?",
        (at, limit),
    )
    return [(row[0], row[1]) for row in rows.fetchall()]


def recent(account_id: str, since: datetime, limit: int) -> list[Row]:
    """When, by which key, with which method, and how far: the account's newest that were begun
    after an instant, newest first."""
    return fetch_all(
        "SELECT created_at, key_id, payment_method, status, failure FROM billing_topup"
        " WHERE account_id = ? AND created_at > ? ORDER BY created_at DESC LIMIT ?",
        (account_id, since, limit),
    )


def entered(fact_id: str) -> bool:
    """Whether what a processor says has been entered: its payment, refund or dispute."""
    row = fetch_one("SELECT 1 FROM billing_payment_fact WHERE id = ?", (fact_id,))
    return row is not None


def entry_of(topup_id: str) -> str:
    """The ledger entry by which a top-up was credited."""
    [entry_id] = fetch_one(_ENTRY, (topup_id,)) or [""]
    return str(entry_id)


def remember(fact_id: str, topup_id: str, entry_id: str) -> None:
    """Stores that it has been, in the transaction that entered it."""
    execute(
        "INSERT INTO billing_payment_fact (id, topup_id, entry_id) VALUES (?, ?, ?)",
        (fact_id, topup_id, entry_id),
    )
