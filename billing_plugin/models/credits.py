"""Credit: where an account's money came from, in which order it is used up, and when it expires.

The order: lower priority first, then what expires earlier (never comes last), then what is older.
Charges do not touch this: they only lower the balance. How much of which credit they used is
settled from the ledger when somebody must know it, which is before new credit is added, when
credit expires, and when it is listed. Between two such moments the order cannot change, so what
comes out is the same as if every charge had drawn down by itself.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import peewee

from billing_plugin import ids
from billing_plugin.models.base import Table, UTCDateTimeField, fetch_one
from billing_plugin.models.ledger import Book, Movement
from billing_plugin.periods import END, MONTHLY, window

PREFIX = "grant"
PAID, SUPPORT, PROMOTION = "paid", "support", "promotion"
# what is given is used before what was paid for
PRIORITIES = {PROMOTION: 10, SUPPORT: 20, PAID: 30}
_DEBITS = (
    "SELECT COALESCE(SUM(-amount_nanos), 0) FROM billing_ledger_entry"
    " WHERE account_id = ? AND sequence > ? AND sequence <= ? AND amount_nanos < 0"
)


class CreditGrant(Table):
    """One credit: what came in with a ledger entry, and what is left of it."""

    id = peewee.TextField(primary_key=True)
    account_id = peewee.TextField()
    entry_id = peewee.TextField()
    kind = peewee.TextField()
    amount_nanos = peewee.BigIntegerField()
    remaining_nanos = peewee.BigIntegerField()
    priority = peewee.IntegerField()
    sequence = peewee.BigIntegerField()
    expires_at = UTCDateTimeField(null=True)
    created_at = UTCDateTimeField()

    class Meta:
        table_name = "billing_credit_grant"


class Terms(NamedTuple):
    """What kind of credit it is, when it is used up, and until when."""

    kind: str = PAID
    priority: int | None = None  # None: the kind's own
    expires_at: datetime | None = None


def add(book: Book, movement: Movement, terms: Terms = Terms()) -> str:  # noqa: B008 (immutable)
    """Enters a credit and grants it; what the account owes is paid from it first.

    Returns the entry's id. The book must have been settled, and be closed afterwards.
    """
    debt = owed(book)
    entry_id = book.enter(movement)
    priority = PRIORITIES[terms.kind] if terms.priority is None else terms.priority
    CreditGrant.create(
        id=ids.new_id(PREFIX), account_id=book.account_id, entry_id=entry_id, kind=terms.kind,
        amount_nanos=movement.nanos, remaining_nanos=max(movement.nanos - debt, 0),
        priority=priority, sequence=book.sequence, expires_at=terms.expires_at,
        created_at=book.at,
    )  # fmt: skip
    book.drawn_sequence = book.sequence
    plan(book)
    return entry_id


def settle(book: Book) -> None:
    """Draws the debits since the last time from the credits, in order. Nothing is entered."""
    row = fetch_one(_DEBITS, (book.account_id, book.drawn_sequence, book.sequence))
    draw(left(book.account_id), int(row[0]) if row else 0)
    book.drawn_sequence = book.sequence


def draw(grants: list[CreditGrant], nanos: int) -> None:
    """Takes so much from the credits, in their order, as far as they go."""
    for grant in grants:
        taken = min(grant.remaining_nanos, nanos)
        if taken:
            _keep(grant, grant.remaining_nanos - taken)
            nanos -= taken


def take_back(book: Book, entry_id: str, nanos: int) -> None:
    """Takes a credit away again that was entered by mistake: its own money first.

    The book must have been settled; the entry that takes it must have been entered.
    """
    own = CreditGrant.get_or_none(CreditGrant.entry_id == entry_id)
    mine = [own] if own else []
    draw(mine + [grant for grant in left(book.account_id) if not own or grant.id != own.id], nanos)
    book.drawn_sequence = book.sequence
    plan(book)


def expire(book: Book) -> None:
    """Enters what has expired, in the order in which it did, however late that is noticed. Money
    that is held stays until its hold is resolved.

    The book must have been settled.
    """
    over = [one for one in left(book.account_id) if (one.expires_at or END) <= book.at]
    for grant in sorted(over, key=lambda one: one.expires_at):
        gone = min(grant.remaining_nanos, max(book.posted_nanos - book.held_nanos, 0))
        if gone:
            book.enter(Movement("expiry", -gone, grant.expires_at, grant.entry_id))
            _keep(grant, grant.remaining_nanos - gone)
    book.drawn_sequence = book.sequence


def end_cycle(book: Book) -> None:
    """Where a billing cycle is over: what was used beyond the credit becomes receivable."""
    if book.cycle_ends_at is None or book.at < book.cycle_ends_at:
        return
    if book.posted_nanos < 0:
        book.enter(Movement("postpaid", -book.posted_nanos, book.cycle_ends_at))
    book.cycle_ends_at = window(MONTHLY, book.at).end if book.postpaid_nanos else None


def plan(book: Book) -> None:
    """Says when the book must be looked after again: at the next expiry, or the cycle's end."""
    times = [grant.expires_at for grant in left(book.account_id) if grant.expires_at]
    book.due_at = min([*times, book.cycle_ends_at or END, END])


def owed(book: Book) -> int:
    """Nanos that were used beyond all credit. The book must have been settled."""
    total = sum(grant.remaining_nanos for grant in left(book.account_id))
    return max(total - book.posted_nanos, 0)


def left(account_id: str) -> list[CreditGrant]:
    """Credits with something left, in the order in which they are used up."""
    query = CreditGrant.select().where(
        (CreditGrant.account_id == account_id) & (CreditGrant.remaining_nanos > 0)
    )
    return sorted(query, key=_order)


def _order(grant: CreditGrant) -> tuple[int, datetime, int]:
    return (grant.priority, grant.expires_at or END, grant.sequence)


def _keep(grant: CreditGrant, nanos: int) -> None:
    grant.remaining_nanos = nanos
    CreditGrant.update(remaining_nanos=nanos).where(CreditGrant.id == grant.id).execute()
