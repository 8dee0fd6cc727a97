"""Asking what an account has and what moved it; entering credits by hand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from billing_plugin.context import Actor, now, write_transaction
from billing_plugin.errors import InvalidRequest
from billing_plugin.models import accounts, idempotency, ledger
from billing_plugin.models.ledger import Book, LedgerEntry, Movement
from billing_plugin.money import Money
from billing_plugin.operations.catalogue import operation

MAX_PAGE = 100
BY_HAND = ("support", "adjustment")


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account has: `available = posted - held`, at `as_of` (UTC)."""

    account_id: str
    posted: Money
    held: Money
    available: Money
    as_of: datetime


@operation(scope="balance:read", effect="reads")
def check_balance(actor: Actor, account_id: str) -> Balance:
    """The account's settled, reserved and spendable money. Raises NotFound."""
    del actor
    account = accounts.get(account_id)
    return Balance(account.id, account.posted, account.held, account.available, now())


@operation(scope="ledger:read", effect="reads")
def list_entries(
    actor: Actor, account_id: str, *, limit: int = 10, offset: int = 0
) -> list[LedgerEntry]:
    """The account's movements, newest first; `limit` 1 to 100. Raises NotFound, InvalidRequest."""
    del actor
    if not 1 <= limit <= MAX_PAGE or not 0 <= offset < 2**63:
        raise InvalidRequest(f"limit is 1 to {MAX_PAGE}, offset is not negative.")
    accounts.get(account_id)
    return ledger.newest(account_id, limit=limit, offset=offset)


@operation(scope="adjustments:write", effect="spends")
def adjust(
    actor: Actor,
    account_id: str,
    amount: Money,
    *,
    kind: str = "support",
    reason: str = "",
    idempotency_key: str | None = None,
) -> LedgerEntry:
    """Enters a credit (or, negative, a debit) by hand: kind support or adjustment.

    Raises InvalidRequest, NotFound, InsufficientFunds when a debit does not fit, and
    IdempotencyConflict. The same key enters once.
    """
    if kind not in BY_HAND or amount.nanos == 0:
        raise InvalidRequest("An adjustment has an amount and the kind support or adjustment.")
    movement = Movement(kind, amount, now(), metadata={"reason": reason} if reason else {})
    with write_transaction():
        book = open_book(actor, account_id)
        entry_id = _entered_once(book, movement, idempotency_key)
        return ledger.get(account_id, entry_id)


def open_book(actor: Actor, account_id: str) -> Book:
    """The account's book, locked, whose entries will name the actor's key and request."""
    book = ledger.open_book(account_id)
    book.key_id, book.request_id = actor.key_id, actor.request_id
    return book


def _entered_once(book: Book, movement: Movement, key: str | None) -> str:
    if key is None:
        return _entered(book, movement)
    content = {"kind": movement.kind, "amount": str(movement.amount), "why": movement.metadata}
    intent = idempotency.intent(book.account_id, "adjust", key=key, content=content)
    done = idempotency.replays([intent])
    if intent.digest in done:
        return done[intent.digest]
    entry_id = _entered(book, movement)
    idempotency.remember([(intent, entry_id)], now())
    return entry_id


def _entered(book: Book, movement: Movement) -> str:
    refusal = book.refusal(-movement.amount) if movement.amount.nanos < 0 else None
    if refusal:
        raise refusal
    entry_id = book.enter(movement, now())
    book.close()
    return entry_id
