"""The ledger: immutable movements between a customer account and one of the house's accounts.

A `Book` is one account's ledger opened for writing inside a transaction. It holds the account's
row lock, so whatever it decides (is there enough?) stays true until the transaction ends. The
guard in the closing UPDATE and the table's CHECK are the net under it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import peewee

from billing_plugin import ids
from billing_plugin.errors import InsufficientFunds, InternalError, InvalidRequest, NotFound
from billing_plugin.models.base import (
    JSONField,
    Table,
    UTCDateTimeField,
    dump,
    execute_many,
    fetch_all,
    fetch_one,
    locking,
)
from billing_plugin.money import Money

PREFIX = "led"
# kind of entry -> the house account on its other side
COUNTER_ACCOUNTS = {
    "topup": "processor",
    "usage": "revenue",
    "support": "promotion",
    "adjustment": "adjustment",
    "refund": "processor",
}
_INSERT = (
    "INSERT INTO billing_ledger_entry (id, account_id, counter_account, kind, amount_nanos,"
    " currency, balance_after_nanos, sequence, reference_id, key_id, request_id, metadata,"
    " effective_at, recorded_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_LOCK = (
    "SELECT currency, posted_nanos, held_nanos, floor_nanos, sequence FROM billing_account"
    " WHERE id = ?"
)
_CLOSE = (
    "UPDATE billing_account SET posted_nanos = posted_nanos + ?, sequence = sequence + ?"
    " WHERE id = ? AND sequence = ? AND posted_nanos + ? - held_nanos >= floor_nanos RETURNING id"
)
_ACCOUNTS = (
    "SELECT a.id, a.posted_nanos, a.sequence, a.posted_nanos - a.held_nanos < a.floor_nanos,"
    " COALESCE(e.total, 0), COALESCE(e.number, 0), COALESCE(last.balance_after_nanos, 0)"
    " FROM billing_account a LEFT JOIN (SELECT account_id, SUM(amount_nanos) AS total,"
    " COUNT(*) AS number FROM billing_ledger_entry GROUP BY account_id) e"
    " ON e.account_id = a.id LEFT JOIN billing_ledger_entry last"
    " ON last.account_id = a.id AND last.sequence = a.sequence ORDER BY a.id"
)
_CHAIN = (
    "SELECT id, account_id, CASE WHEN sequence <> previous + 1 THEN 'its sequence leaves a gap'"
    " WHEN balance_after_nanos <> before + amount_nanos THEN 'its balance_after does not follow'"
    " ELSE 'its currency is not the account''s' END FROM (SELECT e.*, a.currency AS own,"
    " COALESCE(LAG(e.sequence) OVER steps, 0) AS previous,"
    " COALESCE(LAG(e.balance_after_nanos) OVER steps, 0) AS before"
    " FROM billing_ledger_entry e JOIN billing_account a ON a.id = e.account_id"
    " WINDOW steps AS (PARTITION BY e.account_id ORDER BY e.sequence)) chain"
    " WHERE sequence <> previous + 1 OR balance_after_nanos <> before + amount_nanos"
    " OR currency <> own ORDER BY account_id, sequence"
)


class LedgerEntry(Table):
    """One movement. `amount_nanos` is what it adds to the account (a debit is negative)."""

    id = peewee.TextField(primary_key=True)
    account_id = peewee.TextField()
    counter_account = peewee.TextField()
    kind = peewee.TextField()
    amount_nanos = peewee.BigIntegerField()
    currency = peewee.TextField()
    balance_after_nanos = peewee.BigIntegerField()
    sequence = peewee.BigIntegerField()
    reference_id = peewee.TextField(null=True)
    key_id = peewee.TextField(null=True)
    request_id = peewee.TextField(null=True)
    metadata = JSONField()
    effective_at = UTCDateTimeField()
    recorded_at = UTCDateTimeField()

    class Meta:
        table_name = "billing_ledger_entry"

    @property
    def amount(self) -> Money:
        """What the movement adds to the account."""
        return Money(self.amount_nanos, self.currency)

    @property
    def balance_after(self) -> Money:
        """The account's posted balance right after the movement."""
        return Money(self.balance_after_nanos, self.currency)


@dataclass(frozen=True, slots=True)
class Movement:
    """What is to be entered: kind (see COUNTER_ACCOUNTS), signed amount, and where it came from."""

    kind: str
    amount: Money
    effective_at: datetime
    reference_id: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Book:
    """One account's ledger, open for writing under its lock. Made by `open_book`."""

    account_id: str
    currency: str
    posted_nanos: int
    held_nanos: int
    floor_nanos: int
    sequence: int
    key_id: str | None = None
    request_id: str | None = None
    _rows: list[tuple[Any, ...]] = field(default_factory=list)
    _moved_nanos: int = 0

    @property
    def available(self) -> Money:
        """What may be spent now, by what was entered so far."""
        return Money(self.posted_nanos - self.held_nanos, self.currency)

    def refusal(self, amount: Money) -> InsufficientFunds | None:
        """Why a debit of `amount` does not fit, or None when it does."""
        self.require_currency(amount)
        left = self.posted_nanos - self.held_nanos - amount.nanos
        if left >= self.floor_nanos or amount.nanos == 0:
            return None
        facts = {"available": self.available.text, "requested": amount.text}
        return InsufficientFunds(
            "The available balance does not cover this.",
            extra={**facts, "currency": self.currency},
        )

    def require_currency(self, amount: Money) -> None:
        """Raises InvalidRequest (currency_mismatch) for money of another currency."""
        if amount.currency != self.currency:
            raise InvalidRequest(
                f"The account holds {self.currency}, not {amount.currency}.",
                code="currency_mismatch",
            )

    def enter(self, movement: Movement, at: datetime) -> str:
        """Writes a movement into the book and returns its entry id. Call `close` to store.

        Raises InvalidRequest for another currency and where the balance would leave 64 bits.
        """
        self.require_currency(movement.amount)
        amount = movement.amount.nanos
        self.posted_nanos = Money(self.posted_nanos + amount).nanos
        self._moved_nanos += amount
        self.sequence += 1
        entry_id = ids.new_id(PREFIX)
        self._rows.append(self._row(entry_id, movement, at))
        return entry_id

    def close(self) -> None:
        """Stores what was entered, if the account's row still allows it. It must: it is locked."""
        if not self._rows:
            return
        before = self.sequence - len(self._rows)
        values = (self._moved_nanos, len(self._rows), self.account_id, before, self._moved_nanos)
        if fetch_one(_CLOSE, values) is None:
            raise InternalError("The ledger refused a movement that it had allowed.")
        execute_many(_INSERT, self._rows)
        self._rows = []
        self._moved_nanos = 0

    def _row(self, entry_id: str, movement: Movement, at: datetime) -> tuple[Any, ...]:
        return (
            entry_id, self.account_id, COUNTER_ACCOUNTS[movement.kind], movement.kind,
            movement.amount.nanos, self.currency, self.posted_nanos, self.sequence,
            movement.reference_id, self.key_id, self.request_id, dump(movement.metadata),
            movement.effective_at, at,
        )  # fmt: skip


def open_book(account_id: str) -> Book:
    """Locks the account and opens its book. Needs a write transaction. Raises NotFound."""
    row = fetch_one(_LOCK + locking(), (account_id,))
    if row is None:
        raise NotFound("There is no such account.")
    currency, posted, held, floor, sequence = row
    return Book(account_id, currency, posted, held, floor, sequence)


def get(account_id: str, entry_id: str) -> LedgerEntry:
    """One entry of the account. Raises NotFound."""
    owned = (LedgerEntry.id == entry_id) & (LedgerEntry.account_id == account_id)
    entry = LedgerEntry.get_or_none(owned)
    if entry is None:
        raise NotFound("There is no such ledger entry.")
    return entry


def newest(account_id: str, *, limit: int, offset: int = 0) -> list[LedgerEntry]:
    """Entries of the account, newest first."""
    query = LedgerEntry.select().where(LedgerEntry.account_id == account_id)
    return list(query.order_by(LedgerEntry.sequence.desc()).limit(limit).offset(offset))


def broken_accounts() -> list[str]:
    """What contradicts the ledger's invariants, one sentence for each account; normally nothing.

    posted = sum of entries; sequence = number of entries; newest balance_after = posted; available
    not below the floor.
    """
    return [sentence for row in fetch_all(_ACCOUNTS) for sentence in _complaints(row)]


def broken_entries() -> list[str]:
    """Entries that do not follow from the one before, or are not in their account's currency."""
    return [f"{entry} of {account}: {why}" for entry, account, why in fetch_all(_CHAIN)]


def _complaints(row: tuple[Any, ...]) -> list[str]:
    account_id, posted, sequence, below_floor, total, number, newest_balance = row
    found = []
    if posted != int(total):
        found.append(f"{account_id}: posted {posted} but its entries add up to {total}")
    if sequence != number:
        found.append(f"{account_id}: counts {sequence} entries but has {number}")
    if newest_balance != posted:
        found.append(f"{account_id}: newest balance_after {newest_balance} but posted {posted}")
    if below_floor:
        found.append(f"{account_id}: available is below the floor")
    return found
