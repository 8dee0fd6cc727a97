"""Giving credit that expires, the monthly postpaid allowance, and what is left of each credit.

The order in which credit is used up is published: lower priority number first (promotional 10,
support 20, paid 30 unless another is given), then what expires earlier, then what is older.
Prepaid credit is always used before the postpaid allowance.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from billing_plugin.context import Actor, write_transaction
from billing_plugin.errors import InvalidRequest
from billing_plugin.models import audit, credits, ledger
from billing_plugin.models.credits import PROMOTION, SUPPORT, CreditGrant, Terms
from billing_plugin.models.ledger import Book, LedgerEntry, Movement
from billing_plugin.money import Money
from billing_plugin.operations.catalogue import operation
from billing_plugin.operations.ledger import checked_reason, enter_credit
from billing_plugin.operations.once import Once, marked, once
from billing_plugin.operations.till import open_book
from billing_plugin.periods import MONTHLY, aware, window

GIVEN = (PROMOTION, SUPPORT)
MAX_PRIORITY = 100


@dataclass(frozen=True, slots=True)
class Credits:
    """An account's credits in the order of their use, and what it owes beyond them (postpaid)."""

    grants: list[CreditGrant]
    owed: Money
    postpaid: Money
    cycle_ends_at: datetime | None


@operation(scope="adjustments:write", effect="spends")
def grant_credit(
    actor: Actor,
    account_id: str,
    amount: Money,
    *,
    kind: str = PROMOTION,
    expires_at: datetime | None = None,
    priority: int | None = None,
    reason: str = "",
    idempotency_key: str | None = None,
) -> LedgerEntry:
    """Gives credit of kind promotion or support, until `expires_at` (None: for ever).

    What is left of it then is taken away by an entry of kind `expiry`. Raises InvalidRequest,
    NotFound, IdempotencyConflict.
    """
    if kind not in GIVEN or amount.nanos <= 0:
        raise InvalidRequest("Credit has an amount and the kind promotion or support.")
    if priority is not None and not 0 <= priority <= MAX_PRIORITY:
        raise InvalidRequest(f"A priority is 0 to {MAX_PRIORITY}.")
    terms = Terms(kind, priority, aware(expires_at) if expires_at else None)
    metadata = {"reason": checked_reason(reason)} if reason else {}
    content = [str(amount), kind, str(terms.expires_at), priority, reason]
    movement = Movement(kind, amount.nanos, metadata=metadata)
    with write_transaction():
        book = open_book(actor, account_id)
        book.require_currency(amount)
        said = Once("grant", idempotency_key, content)
        entry_id, replayed = once(
            account_id, said, lambda: _given(book, movement, terms), at=book.at
        )  # fmt: skip
        return marked(ledger.get(account_id, entry_id), replayed=replayed)


@operation(scope="balance:read", effect="reads")
def list_credits(actor: Actor, account_id: str) -> Credits:
    """What is left of each credit, in the order of use, and what is owed beyond them."""
    return _left(actor, account_id)


@operation(scope="accounts:write", effect="writes")
def set_postpaid_limit(actor: Actor, account_id: str, amount: Money) -> Credits:
    """Sets what the account may use beyond its credit in a calendar month (UTC); 0: prepaid only.

    Lowered below what is used already, it refuses from then on. What is owed at a month's end
    becomes receivable by an entry of kind `postpaid`. Raises InvalidRequest, NotFound.
    """
    if amount.nanos < 0:
        raise InvalidRequest("A postpaid limit is not negative.")
    with write_transaction():
        book = open_book(actor, account_id)
        book.require_currency(amount)
        before = Money(book.postpaid_nanos, book.currency)
        book.postpaid_nanos = amount.nanos
        book.floor_nanos = min(-amount.nanos, book.posted_nanos - book.held_nanos)
        if amount.nanos and book.cycle_ends_at is None:
            book.cycle_ends_at = window(MONTHLY, book.at).end
        credits.plan(book)
        book.close()
        audit.write(
            actor.signature, "postpaid_limit.set", account_id, account_id=account_id, at=book.at,
            before={"amount": before.text}, after={"amount": amount.text},
        )  # fmt: skip
    return _left(actor, account_id)


def _left(actor: Actor, account_id: str) -> Credits:
    with write_transaction():
        book = open_book(actor, account_id)
        credits.settle(book)
        book.close()
        return Credits(
            credits.left(account_id), Money(credits.owed(book), book.currency),
            Money(book.postpaid_nanos, book.currency), book.cycle_ends_at,
        )  # fmt: skip


def _given(book: Book, movement: Movement, terms: Terms) -> str:
    if terms.expires_at is not None and terms.expires_at <= book.at:
        raise InvalidRequest("expires_at lies in the past.")
    return enter_credit(book, movement, terms)
