"""The ledger: immutable movements between a customer account and one of the house's accounts.

A `Book` is one account's ledger opened for writing inside a transaction. It holds the account's
row lock, so whatever it decides (is there enough?) stays true until the transaction ends. The
guard in the closing UPDATE and the table's CHECK are the net under it.

Every entry carries a seal: a hash over its content and the seal before it. Whoever changes, adds
or takes away an entry behind our back breaks the chain at that entry.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import peewee

from billing_plugin import context, ids
from billing_plugin.context import BY_ITSELF, Signature
from billing_plugin.errors import InsufficientFunds, InternalError, InvalidRequest, NotFound
from billing_plugin.models import auto_topups
from billing_plugin.models.base import (
    JSONField,
    Row,
    Table,
    UTCDateTimeField,
    dump,
    execute,
    fetch_one,
    insert_many,
    locking,
    read_time,
    stored_time,
)
from billing_plugin.models.seals import seal_of
from billing_plugin.models.watching import watched
from billing_plugin.money import Money
from billing_plugin.periods import END

PREFIX = "led"
# kind of entry -> the house account on its other side
COUNTER_ACCOUNTS = {
    "topup": "processor",
    "topup_refund": "processor",
    "topup_dispute": "processor",
    "topup_restored": "processor",
    "usage": "revenue",
    "rerating": "revenue",
    "reversal": "revenue",
    "refund": "revenue",
    "support": "promotion",
    "promotion": "promotion",
    "expiry": "promotion",
    "adjustment": "adjustment",
    "postpaid": "receivable",
}
TABLE = "billing_ledger_entry"
COLUMNS = (
    "id, account_id, counter_account, kind, amount_nanos, currency, balance_after_nanos, sequence,"
    " reference_id, reverses_id, actor, key_id, request_id, metadata, effective_at, recorded_at,"
    " seal"
)
_LOCK = (
    "SELECT currency, posted_nanos, held_nanos, postpaid_nanos, floor_nanos, sequence, seal,"
    " limits_version, drawn_sequence, low_nanos, watch_nanos, topup_below_nanos, due_at,"
    " cycle_ends_at, topup_due_at, {clock}"
    " FROM billing_account WHERE id = ?"
)
_CLOSE = (
    "UPDATE billing_account SET posted_nanos = ?, held_nanos = ?, postpaid_nanos = ?,"
    " floor_nanos = ?, sequence = ?, seal = ?, drawn_sequence = ?, low_nanos = ?, watch_nanos = ?,"
    " topup_below_nanos = ?, due_at = ?, cycle_ends_at = ?, topup_due_at = ?"
    " WHERE id = ? AND sequence = ?"
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
    reverses_id = peewee.TextField(null=True)
    actor = peewee.TextField()
    key_id = peewee.TextField(null=True)
    request_id = peewee.TextField(null=True)
    metadata = JSONField()
    effective_at = UTCDateTimeField()
    recorded_at = UTCDateTimeField()
    seal = peewee.TextField()

    class Meta:
        table_name = TABLE

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
    """What is to be entered: kind (see COUNTER_ACCOUNTS), signed nanos, and where it came from.

    `signature` is the book's own where it names none; `effective_at` the book's time.
    """

    kind: str
    nanos: int
    effective_at: datetime | None = None
    reference_id: str | None = None
    reverses_id: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    said: str | None = None  # the metadata as JSON text, where it is known already
    signature: Signature | None = None


@dataclass(slots=True)
class Book:
    """One account's ledger, open for writing under its lock. Made by `open_book`.

    `at` is the moment of everything that is decided: the database's clock, under the lock.
    """

    account_id: str
    currency: str
    posted_nanos: int
    held_nanos: int
    postpaid_nanos: int
    floor_nanos: int
    sequence: int
    seal: str
    limits_version: int
    drawn_sequence: int
    low_nanos: int | None
    watch_nanos: int
    topup_below: int | None  # nanos; less available is to be topped up
    due_at: datetime
    cycle_ends_at: datetime | None
    topup_due_at: datetime | None  # when somebody is to see about that
    at: datetime
    signature: Signature = BY_ITSELF
    _rows: list[tuple[Any, ...]] = field(default_factory=list)
    _opened: tuple[Any, ...] = ()

    @property
    def available(self) -> Money:
        """What may be spent now of the account's own, by what was entered so far."""
        return Money(self.posted_nanos - self.held_nanos, self.currency)

    def covers(self, nanos: int) -> bool:
        """Whether a debit or a hold of so much fits, postpaid allowance included."""
        return nanos == 0 or self.posted_nanos - self.held_nanos - nanos >= -self.postpaid_nanos

    def refusal(self, nanos: int) -> InsufficientFunds | None:
        """Why a debit or a hold of so much does not fit, or None when it does."""
        if self.covers(nanos):
            return None
        facts = {"available": self.available.text, "requested": Money(nanos, self.currency).text}
        if self.postpaid_nanos:
            facts["postpaid"] = Money(self.postpaid_nanos, self.currency).text
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

    def enter(self, movement: Movement, entry_id: str | None = None) -> str:
        """Writes a movement into the book and returns its entry id, a new one unless it is given.
        Call `close` to store.

        Raises InvalidRequest where the balance would leave 64 bits.
        """
        self.posted_nanos = Money(self.posted_nanos + movement.nanos).nanos
        self.sequence += 1
        entry_id = entry_id or ids.new_id(PREFIX)
        row = self._row(entry_id, movement)
        self.seal = seal_of(self.seal, row)
        self._rows.append((*row, self.seal))
        return entry_id

    def hold(self, nanos: int) -> None:
        """Reserves so much more, or (negative) gives it back."""
        self.held_nanos += nanos

    def overdraw(self) -> None:
        """Lets the balance stand below its floor, because what it pays for has happened."""
        self.floor_nanos = min(self.floor_nanos, self.posted_nanos - self.held_nanos)

    def close(self, *, before: tuple[str, str] | None = None) -> None:
        """Stores what was entered, if the account's row still allows it. It must: it is locked.

        `before` is the beginning of a statement that does more in the same step, and its value.
        """
        self.floor_nanos = max(
            self.floor_nanos, min(self.posted_nanos - self.held_nanos, -self.postpaid_nanos)
        )
        self.watch_nanos = watched(self)
        self._watch()
        state = self._state()
        if state == self._opened and before is None:
            return
        start, said = ("", ()) if before is None else (before[0], before[1:])
        if execute(start + _CLOSE, (*said, *state, self.account_id, self._opened[4])).rowcount != 1:
            raise InternalError("The ledger refused a movement that it had allowed.")
        rows = self.take_rows()
        insert_many(TABLE, COLUMNS, rows, number=len(rows))
        self._opened = state

    def take_rows(self) -> list[Row]:
        """The entries that are not stored yet, by COLUMNS; who takes them stores them."""
        rows, self._rows = self._rows, []
        return rows

    def opened(self) -> Book:
        """The book itself, remembering how it was found."""
        self._opened = self._state()
        return self

    def _watch(self) -> None:
        """Marks that too little is available, once, with what made it so."""
        if self.topup_below is not None and self.available.nanos < self.topup_below:
            self.topup_below, self.topup_due_at = None, self.at
            auto_topups.wake(self.account_id)

    def _state(self) -> tuple[Any, ...]:
        return (
            self.posted_nanos, self.held_nanos, self.postpaid_nanos, self.floor_nanos,
            self.sequence, self.seal, self.drawn_sequence, self.low_nanos, self.watch_nanos,
            self.topup_below, self.due_at, self.cycle_ends_at, self.topup_due_at,
        )  # fmt: skip

    def _row(self, entry_id: str, movement: Movement) -> tuple[Any, ...]:
        by = movement.signature or self.signature
        return (
            entry_id, self.account_id, COUNTER_ACCOUNTS[movement.kind], movement.kind,
            movement.nanos, self.currency, self.posted_nanos, self.sequence,
            movement.reference_id, movement.reverses_id, by.actor, by.key_id, by.request_id,
            movement.said or dump(movement.metadata), stored_time(movement.effective_at or self.at),
            stored_time(self.at),
        )  # fmt: skip


def open_book(account_id: str) -> Book:
    """Locks the account and opens its book. Needs a write transaction. Raises NotFound."""
    own_clock = context.is_sqlite() or context.has_own_clock()
    sql = _LOCK_HERE if own_clock else _LOCK_THERE
    row = fetch_one(sql + locking(), (account_id,))
    if row is None:
        raise NotFound("There is no such account.")
    *values, due_at, cycle_ends_at, topup_due_at, clock = row
    at = read_time(clock) or context.now()
    times = (read_time(due_at) or END, read_time(cycle_ends_at), read_time(topup_due_at))
    found: Row = (*values, *times, at)
    return Book(account_id, *found).opened()


def get(account_id: str, entry_id: str) -> LedgerEntry:
    """One entry of the account. Raises NotFound."""
    owned = (LedgerEntry.id == entry_id) & (LedgerEntry.account_id == account_id)
    entry = LedgerEntry.get_or_none(owned)
    if entry is None:
        raise NotFound("There is no such ledger entry.")
    return entry


def newest(
    account_id: str, *, limit: int, offset: int = 0, before: int | None = None
) -> list[LedgerEntry]:
    """The account's entries, newest first; `before` is the sequence to go on from."""
    query = LedgerEntry.select().where(LedgerEntry.account_id == account_id)
    if before is not None:
        query = query.where(LedgerEntry.sequence < before)
    return list(query.order_by(LedgerEntry.sequence.desc()).limit(limit).offset(offset))


def balance_at(account_id: str, at: datetime) -> tuple[int, int]:
    """Posted nanos and entry number after the last entry recorded at or before the instant."""
    row = fetch_one(
        "SELECT balance_after_nanos, sequence FROM billing_ledger_entry WHERE account_id = ?"
        " AND recorded_at <= ? ORDER BY sequence DESC LIMIT 1",
        (account_id, at),
    )
    return (int(row[0]), int(row[1])) if row else (0, 0)


def reversal_of(entry_id: str) -> LedgerEntry | None:
    """The entry that reverses this one, if there is one."""
    made = (LedgerEntry.reverses_id == entry_id) & (LedgerEntry.kind == "reversal")
    found: LedgerEntry | None = LedgerEntry.get_or_none(made)
    return found


def expired_of(entry: LedgerEntry) -> int:
    """Nanos of a credit that have expired, as they were entered after it."""
    row = fetch_one(
        "SELECT SUM(-amount_nanos) FROM billing_ledger_entry WHERE account_id = ? AND sequence > ?"
        " AND kind = 'expiry' AND reference_id = ?",
        (entry.account_id, entry.sequence, entry.id),
    )
    return int(row[0] or 0) if row else 0


def rows_of(account_id: str, *, after: int = 0, size: int = 1000) -> Iterator[Row]:
    """Every entry of the account in order, as it is stored, page by page."""
    while True:
        found = execute(
            f"SELECT {COLUMNS} FROM {TABLE} WHERE account_id = ? AND sequence > ?"
            " ORDER BY sequence LIMIT ?",
            (account_id, after, size),
        ).fetchall()
        yield from (_as_sealed(row) for row in found)
        if len(found) < size:
            return
        after = found[-1][7]


def _as_sealed(row: Row) -> Row:
    times = [stored_time(read_time(value) or END) for value in row[14:16]]
    return (*row[:14], *times, row[16])


_LOCK_HERE = _LOCK.replace("{clock}", "NULL")
_LOCK_THERE = _LOCK.replace("{clock}", "clock_timestamp()")
