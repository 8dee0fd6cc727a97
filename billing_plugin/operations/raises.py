"""Raises of a limit for a time: whoever meets it may ask, whoever may approve decides.

Approving needs the scope limits:approve, which no agent's key ever holds. A raise ends by itself at
its moment, and a wish that nobody decided by its own deadline has expired.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from billing_plugin.context import Actor, now, write_transaction
from billing_plugin.errors import Conflict, InvalidRequest
from billing_plugin.models import accounts, audit, events, limits, raises
from billing_plugin.models.ledger import Book
from billing_plugin.models.raises import APPROVED, DENIED, PENDING, LimitRaise
from billing_plugin.money import Money
from billing_plugin.operations.catalogue import check_page, operation
from billing_plugin.operations.ledger import checked_reason
from billing_plugin.operations.once import Once, marked, once
from billing_plugin.operations.till import open_till

MAX_RAISE_S = 366 * 86_400
DECIDE_WITHIN_S = 86_400


@operation(scope="limits:request", effect="asks")
def request_limit_raise(
    actor: Actor,
    account_id: str,
    limit_id: str,
    *,
    amount: Money,
    lasts_s: int,
    reason: str = "",
    decide_within_s: int = DECIDE_WITHIN_S,
    idempotency_key: str | None = None,
) -> LimitRaise:
    """Asks for so much more under a limit, for `lasts_s` seconds from now. It changes nothing yet.

    Raises NotFound, InvalidRequest, IdempotencyConflict.
    """
    _check(lasts_s, decide_within_s, amount)
    content = [limit_id, str(amount), lasts_s, reason, decide_within_s]
    said = Once("raise", idempotency_key, content)
    with write_transaction():
        book = open_till(actor, account_id).book
        book.require_currency(amount)

        def ask() -> str:
            limits.get(account_id, limit_id)
            wish = raises.create(
                account_id, limit_id, amount, reason=checked_reason(reason),
                until_at=book.at + timedelta(seconds=lasts_s), created_at=book.at,
                expires_at=book.at + timedelta(seconds=min(decide_within_s, lasts_s)),
                requested_by=_name(actor),
            )  # fmt: skip
            _audit(book, "raise.request", wish, status=PENDING)
            events.tell("limit.raise_requested", account_id, _told(wish))
            return str(wish.id)

        raise_id, replayed = once(account_id, said, ask, at=book.at)
        return marked(_now(raises.get(account_id, raise_id), book.at), replayed=replayed)


@operation(scope="limits:approve", effect="writes")
def approve_limit_raise(
    actor: Actor, account_id: str, raise_id: str, *, idempotency_key: str | None = None
) -> LimitRaise:
    """Grants a pending wish: the limit's ceiling is higher by its amount until its moment.

    It takes the place of a raise that is in force. Approving again changes nothing.
    Raises NotFound, IdempotencyConflict, Conflict (`raise_already_decided`, `raise_expired`).
    """
    said = Once("raise.approve", idempotency_key, raise_id)
    return _decide(actor, account_id, raise_id, status=APPROVED, said=said)


@operation(scope="limits:approve", effect="writes")
def deny_limit_raise(
    actor: Actor, account_id: str, raise_id: str, *, idempotency_key: str | None = None
) -> LimitRaise:
    """Refuses a pending wish. Raises NotFound, IdempotencyConflict, Conflict as for approving."""
    said = Once("raise.deny", idempotency_key, raise_id)
    return _decide(actor, account_id, raise_id, status=DENIED, said=said)


@operation(scope="limits:read", effect="reads")
def list_limit_raises(
    actor: Actor, account_id: str, *, before: str | None = None, limit: int = 50
) -> list[LimitRaise]:
    """The account's wishes, newest first, each with its status as of now."""
    del actor
    check_page(limit)
    accounts.get(account_id)
    return [_now(wish, now()) for wish in raises.page(account_id, before=before, limit=limit)]


@operation(scope="limits:read", effect="reads")
def get_limit_raise(actor: Actor, account_id: str, raise_id: str) -> LimitRaise:
    """One wish with its status as of now. Raises NotFound."""
    del actor
    return _now(raises.get(account_id, raise_id), now())


def _told(wish: LimitRaise) -> dict[str, Any]:
    return {
        "raiseId": wish.id, "limitId": wish.limit_id, "amount": wish.amount,
        "untilAt": wish.until_at, "reason": wish.reason, "requestedBy": wish.requested_by,
        "expiresAt": wish.expires_at,
    }  # fmt: skip


def _decide(
    actor: Actor, account_id: str, raise_id: str, *, status: str, said: Once
) -> LimitRaise:  # fmt: skip
    with write_transaction():
        book = open_till(actor, account_id).book
        wish = raises.get(account_id, raise_id)
        found = wish.status_at(book.at)

        def decide() -> str:
            if found != status:
                _decided(book, wish, status, found=found, by=_name(actor))
            return raise_id

        _, replayed = once(account_id, said, decide, at=book.at)
        done_before = replayed or found == status
        return marked(_now(raises.get(account_id, raise_id), book.at), replayed=done_before)


def _decided(book: Book, wish: LimitRaise, status: str, *, found: str, by: str) -> None:
    if found != PENDING:
        code = "raise_expired" if found == raises.EXPIRED else "raise_already_decided"
        raise Conflict(f"The raise is {found}.", code=code)
    if status == APPROVED:
        limit = limits.get(book.account_id, wish.limit_id)
        limits.change(
            limit, book.at, raise_nanos=wish.amount_nanos, raise_until=wish.until_at
        )  # fmt: skip
    raises.decide(wish, status, by=by, at=book.at)
    _audit(book, f"raise.{'approve' if status == APPROVED else 'deny'}", wish, status=status)


def _audit(book: Book, action: str, wish: LimitRaise, *, status: str) -> None:
    before = None if status == PENDING else {"status": PENDING}
    after = {
        "status": status, "limit_id": wish.limit_id, "amount": wish.amount.text,
        "until": wish.until_at.isoformat(),
    }  # fmt: skip
    audit.write(
        book.signature, action, wish.id, account_id=book.account_id, at=book.at,
        before=before, after=after,
    )  # fmt: skip


def _now(wish: LimitRaise, at: datetime) -> LimitRaise:
    wish.status = wish.status_at(at)
    return wish


def _name(actor: Actor) -> str:
    return actor.key_id or actor.signature.actor


def _check(lasts_s: int, decide_within_s: int, amount: Money) -> None:
    for seconds in (lasts_s, decide_within_s):
        if type(seconds) is not int or not 0 < seconds <= MAX_RAISE_S:
            raise InvalidRequest(f"A raise lasts 1 to {MAX_RAISE_S} seconds.")
    if amount.nanos <= 0:
        raise InvalidRequest("A raise has an amount.")
