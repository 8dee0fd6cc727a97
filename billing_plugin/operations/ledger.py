"""Asking what an account has and what moved it; entering credits and corrections by hand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from billing_plugin.context import Actor, now, write_transaction
from billing_plugin.errors import InvalidRequest
from billing_plugin.models import accounts, credits, holds, ledger
from billing_plugin.models.accounts import Account
from billing_plugin.models.credits import PAID, SUPPORT, Terms
from billing_plugin.models.ledger import Book, LedgerEntry, Movement
from billing_plugin.money import Money
from billing_plugin.operations.catalogue import MAX_PAGE, operation
from billing_plugin.operations.once import Once, marked, once
from billing_plugin.operations.till import Till, open_till
from billing_plugin.periods import aware

BY_HAND = ("support", "adjustment")
MAX_REASON_LENGTH = 500


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account has at `as_of` (UTC): `available = posted - held`, negative while it uses
    its monthly `postpaid` allowance; `spendable = available + postpaid`, never negative."""

    account_id: str
    posted: Money
    held: Money
    available: Money
    postpaid: Money
    spendable: Money
    as_of: datetime


@dataclass(frozen=True, slots=True)
class PastBalance:
    """What an account had posted right after the last entry recorded at or before `as_of`."""

    account_id: str
    posted: Money
    sequence: int
    as_of: datetime


@operation(scope="balance:read", effect="reads")
def check_balance(actor: Actor, account_id: str) -> Balance:
    """The account's settled, reserved and spendable money. Raises NotFound.

    What has expired meanwhile, holds and credit, is settled first.
    """
    account = tidied(actor, account_id)
    spendable = max(account.available.nanos + account.postpaid_nanos, 0)
    return Balance(
        account.id, account.posted, account.held, account.available, account.postpaid,
        Money(spendable, account.currency), now(),
    )  # fmt: skip


@operation(scope="balance:read", effect="reads")
def check_past_balance(actor: Actor, account_id: str, at: datetime) -> PastBalance:
    """What the account had posted at a past moment, by what had been recorded until then.

    Raises NotFound, InvalidRequest for a moment to come.
    """
    del actor
    if aware(at) > now():
        raise InvalidRequest("That moment is yet to come.", code="future_time")
    account = accounts.get(account_id)
    nanos, sequence = ledger.balance_at(account_id, aware(at))
    return PastBalance(account_id, Money(nanos, account.currency), sequence, aware(at))


@operation(scope="ledger:read", effect="reads")
def list_entries(
    actor: Actor, account_id: str, *, limit: int = 10, offset: int = 0, before: int | None = None
) -> list[LedgerEntry]:
    """The account's movements, newest first; `limit` 1 to 100; `before` is the number
    (`sequence`) of an entry to go on from, which new entries do not shift as they do an offset.

    Raises NotFound, InvalidRequest.
    """
    del actor
    if not 1 <= limit <= MAX_PAGE or not 0 <= offset < 2**63:
        raise InvalidRequest(f"limit is 1 to {MAX_PAGE}, offset is not negative.")
    accounts.get(account_id)
    return ledger.newest(account_id, limit=limit, offset=offset, before=before)


@operation(scope="ledger:read", effect="reads")
def get_entry(actor: Actor, account_id: str, entry_id: str) -> LedgerEntry:
    """One movement of the account. Raises NotFound."""
    del actor
    return ledger.get(account_id, entry_id)


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
    metadata = {"reason": checked_reason(reason)} if reason else {}
    movement = Movement(kind, amount.nanos, metadata=metadata)
    content = {"kind": kind, "amount": str(amount), "why": metadata}
    said = Once("adjust", idempotency_key, content)
    with write_transaction():
        till = open_till(actor, account_id)
        till.book.require_currency(amount)
        entry_id, replayed = once(
            account_id, said, lambda: _entered(till, movement), at=till.book.at
        )  # fmt: skip
        return marked(ledger.get(account_id, entry_id), replayed=replayed)


def tidied(actor: Actor, account_id: str) -> Account:
    """The account as it is now. Only what is overdue (a hold, credit, a cycle) costs a write."""
    account = accounts.get(account_id)
    at = now()
    if account.due_at > at and not (account.held_nanos and holds.has_overdue(account_id, at)):
        return account
    with write_transaction():
        till = open_till(actor, account_id)
        till.expire_holds()
        till.close()
        return accounts.get(account_id)


def checked_reason(reason: str) -> str:
    """The reason itself. Raises InvalidRequest for an endless one."""
    if len(reason) > MAX_REASON_LENGTH:
        raise InvalidRequest(f"A reason has at most {MAX_REASON_LENGTH} characters.")
    return reason


def enter_credit(book: Book, movement: Movement, terms: Terms = Terms()) -> str:  # noqa: B008 (immutable)
    """Enters a credit, closes the book, returns the entry's id."""
    credits.settle(book)
    entry_id = credits.add(book, movement, terms)
    book.close()
    return entry_id


def _entered(till: Till, movement: Movement) -> str:
    if movement.nanos > 0:
        terms = Terms(SUPPORT if movement.kind == "support" else PAID)
        return enter_credit(till.book, movement, terms)
    till.require(-movement.nanos)
    entry_id = till.book.enter(movement)
    till.close()
    return entry_id
