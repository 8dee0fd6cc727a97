"""Buying credit by itself: whenever less than a threshold is available, one charge closes it all.

A debit that leaves less marks the account in its own transaction; a job, or the sweeper where the
job was lost, buys. Nothing is bought while the outcome of the one before is not known, within the
cool-down, after a decline until its wait is over, or beyond the caps.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from billing_plugin.context import Actor, current, now, write_transaction
from billing_plugin.errors import InvalidRequest, NotSupported
from billing_plugin.models import accounts, audit, auto_topups, topups
from billing_plugin.models.auto_topups import AutoTopUp
from billing_plugin.models.ledger import Book
from billing_plugin.models.topups import PROCESSING, TopUp
from billing_plugin.money import Money
from billing_plugin.operations.auto_outcomes import unwatch, watch
from billing_plugin.operations.catalogue import operation
from billing_plugin.operations.once import Once
from billing_plugin.operations.payment_methods import require_chargeable
from billing_plugin.operations.till import open_book
from billing_plugin.operations.topups import (
    DEFAULT_METHOD,
    UNANSWERED,
    Wish,
    charged,
    check_amount,
    intend,
    retried,
)
from billing_plugin.periods import DAILY, MONTHLY, window

ASKED_AGAIN = timedelta(minutes=5)  # about one whose processor has not answered
NO_PROCESSOR = timedelta(minutes=30)
DUE_AT_ONCE, MAX_COUNT = 100, 10_000
log = logging.getLogger("billing_plugin")


class Caps(NamedTuple):
    """How many an account may buy by itself in a calendar day and month (UTC), and of how much
    together. None: what the settings say, which bind in any case."""

    daily_count: int | None = None
    daily: Money | None = None
    monthly_count: int | None = None
    monthly: Money | None = None


class AutoTopUpState(NamedTuple):
    """A rule, the top-up of it that is under way, and when it is next seen about."""

    rule: AutoTopUp
    topup_id: str | None
    due_at: datetime | None


class _Cap(NamedTuple):
    """One window's caps."""

    name: str
    number: int
    nanos: int


class _Refused(NamedTuple):
    """Why nothing is bought, and until when."""

    why: str
    until: datetime


@operation(scope="topups:read", effect="reads")
def get_auto_topup(actor: Actor, account_id: str) -> AutoTopUpState | None:
    """The account's rule and how it fares; None where it has none. Raises NotFound."""
    del actor
    return _state(account_id)


@operation(scope="topups:write", effect="writes")
def set_auto_topup(
    actor: Actor,
    account_id: str,
    amount: Money,
    *,
    threshold: Money,
    payment_method: str = DEFAULT_METHOD,
    enabled: bool = True,
    caps: Caps | None = None,
) -> AutoTopUpState | None:
    """Buys `amount`, or the multiple of it that is needed, whenever less than `threshold` is
    available; at once where it is so already. Set again, it forgets declines and is enabled.

    The amount is that of a top-up. Raises InvalidRequest, NotSupported without a processor,
    NotFound also for a payment method of others.
    """
    check_amount(amount)
    caps = caps or Caps()
    _check(threshold, caps)
    if current().processor is None:
        raise NotSupported("No payment processor is set up.")
    if payment_method != DEFAULT_METHOD:
        require_chargeable(account_id, payment_method)
    with write_transaction():
        book = open_book(actor, account_id)
        for money in (amount, threshold, caps.daily, caps.monthly):
            if money is not None:
                book.require_currency(money)
        before = auto_topups.find(account_id)
        auto_topups.put(
            account_id, book.at, currency=book.currency, threshold_nanos=threshold.nanos,
            amount_nanos=amount.nanos, payment_method=payment_method, enabled=int(enabled),
            declines=0, not_before=_cooling(before), disabled_reason=None, error=None,
            **_stored(caps),
        )  # fmt: skip
        rule = auto_topups.find(account_id)
        _take_up(book, rule)
        _note(actor, book, "auto_topup.set", before=before, after=rule)
    return _state(account_id)


@operation(scope="topups:write", effect="writes")
def remove_auto_topup(actor: Actor, account_id: str) -> bool:
    """Takes the rule away; whether there was one. What is under way is settled. Raises NotFound."""
    with write_transaction():
        book = open_book(actor, account_id)
        before = auto_topups.find(account_id)
        if before is not None:
            auto_topups.remove(account_id)
            unwatch(book)
            book.close()
            _note(actor, book, "auto_topup.removed", before=before, after=None)
    return before is not None


@operation(scope="jobs:run", effect="spends")
def run_auto_topup(actor: Actor, account_id: str) -> TopUp | None:
    """Buys what the account's rule demands now, or asks what became of what was begun; None where
    nothing is to be done. Any number may run at once. Raises NotFound, NotSupported."""
    with write_transaction():
        book = open_book(actor, account_id)
        found = _next(book) if book.topup_due_at and book.topup_due_at <= book.at else None
        book.close()
    if found is None:
        return None
    topup, is_new = found
    return charged(actor, topup) if is_new else retried(actor, topup)


@operation(scope="jobs:run", effect="writes")
def sweep_auto_topups(actor: Actor) -> list[str]:
    """Hands every account that is due to a worker: whose job was lost, or whose wait is over.
    Returns their ids."""
    del actor
    found = auto_topups.due(now(), DUE_AT_ONCE)
    for account_id in found:
        auto_topups.wake(account_id)
    return found


def _state(account_id: str) -> AutoTopUpState | None:
    account = accounts.get(account_id)
    rule = auto_topups.find(account_id)
    if rule is None:
        return None
    return AutoTopUpState(rule, auto_topups.in_flight(account_id), account.topup_due_at)


def _check(threshold: Money, caps: Caps) -> None:
    if threshold.nanos < 0:
        raise InvalidRequest("A threshold is not negative.")
    for count in (caps.daily_count, caps.monthly_count):
        if count is not None and not 0 <= count <= MAX_COUNT:
            raise InvalidRequest(f"A cap is 0 to {MAX_COUNT} top-ups.")
    for money in (caps.daily, caps.monthly):
        if money is not None and money.nanos < 0:
            raise InvalidRequest("A cap is not negative.")


def _cooling(before: AutoTopUp | None) -> datetime | None:
    """The cool-down of the last purchase goes on; the wait after a decline does not."""
    return before.not_before if before and not before.declines else None


def _stored(caps: Caps) -> dict[str, Any]:
    return {
        "daily_count": caps.daily_count, "daily_nanos": caps.daily and caps.daily.nanos,
        "monthly_count": caps.monthly_count, "monthly_nanos": caps.monthly and caps.monthly.nanos,
    }  # fmt: skip


def _take_up(book: Book, rule: AutoTopUp | None) -> None:
    if rule is None or not rule.enabled:
        unwatch(book)
    else:
        watch(book, rule, not_before=rule.not_before)
        if book.topup_due_at is not None:
            auto_topups.wake(book.account_id)
    book.close()


def _note(
    actor: Actor, book: Book, action: str, *, before: AutoTopUp | None, after: AutoTopUp | None
) -> None:
    audit.write(
        actor.signature, action, book.account_id, account_id=book.account_id, at=book.at,
        before=_told(before), after=_told(after),
    )  # fmt: skip


def _told(rule: AutoTopUp | None) -> dict[str, Any] | None:
    if rule is None:
        return None
    return {
        "threshold": rule.threshold.text, "amount": rule.amount.text, "enabled": rule.enabled,
        "payment_method": rule.payment_method, "disabled_reason": rule.disabled_reason,
        "daily_count": rule.daily_count, "daily": rule.daily and rule.daily.text,
        "monthly_count": rule.monthly_count, "monthly": rule.monthly and rule.monthly.text,
    }  # fmt: skip


def _next(book: Book) -> tuple[TopUp, bool] | None:
    """The intent of a marked account to go on with, and whether it is new. None: not now."""
    rule = auto_topups.find(book.account_id)
    if rule is None or not rule.enabled:
        unwatch(book)
        return None
    pending = auto_topups.in_flight(book.account_id)
    if pending is not None:
        return _pending(book, topups.get(book.account_id, pending))
    watch(book, rule, not_before=rule.not_before)
    if book.topup_due_at is None or book.topup_due_at > book.at:
        return None
    return _begun(book, rule)


def _pending(book: Book, topup: TopUp) -> tuple[TopUp, bool] | None:
    """What is processing is settled by whoever learns of it; about the rest, we ask again."""
    if topup.status == PROCESSING:
        book.topup_due_at = None
        return None
    book.topup_due_at = book.at + ASKED_AGAIN
    return topup, False


def _begun(book: Book, rule: AutoTopUp) -> tuple[TopUp, bool] | None:
    found = _affordable(book, rule)
    if isinstance(found, _Refused):
        log.warning("auto top-up of %s: %s", book.account_id, found.why)
        auto_topups.change(book.account_id, book.at, error=found.why)
        book.topup_due_at = found.until
        return None
    book.topup_due_at = book.at + UNANSWERED
    wish = Wish(found, rule.payment_method, attended=False, automatic=True)
    key = f"after {auto_topups.last(book.account_id)}"
    return intend(book, wish, Once("auto_top_up", key, wish.content))


def _affordable(book: Book, rule: AutoTopUp) -> Money | _Refused:
    """The multiple of the rule's amount that closes the whole shortfall, or as much of it as one
    top-up and the caps allow."""
    if current().processor is None:
        return _Refused("No payment processor is set up.", book.at + NO_PROCESSOR)
    most = current().settings.topup_maximum_cents
    room = Money.from_cents(most, book.currency).nanos
    for cap in _caps(rule):
        period = window(cap.name, book.at)
        done = auto_topups.bought(book.account_id, period.start)
        left = cap.nanos - done.nanos
        if done.number >= cap.number or left < rule.amount_nanos:
            return _Refused(_why(rule, cap, done), period.end)
        room = min(room, left)
    shortfall = rule.threshold_nanos - book.available.nanos
    wanted = -(-shortfall // rule.amount_nanos)
    return Money(min(wanted, room // rule.amount_nanos) * rule.amount_nanos, book.currency)


def _caps(rule: AutoTopUp) -> list[_Cap]:
    said = current().settings

    def tighter(own: int | None, general: int) -> int:
        return general if own is None else min(own, general)

    def nanos(own: int | None, cents: int) -> int:
        return tighter(own, Money.from_cents(cents, rule.currency).nanos)

    daily = tighter(rule.daily_count, said.auto_topup_daily_count)
    monthly = tighter(rule.monthly_count, said.auto_topup_monthly_count)
    return [
        _Cap(DAILY, daily, nanos(rule.daily_nanos, said.auto_topup_daily_cents)),
        _Cap(MONTHLY, monthly, nanos(rule.monthly_nanos, said.auto_topup_monthly_cents)),
    ]


def _why(rule: AutoTopUp, cap: _Cap, done: auto_topups.Bought) -> str:
    if done.number >= cap.number:
        return f"The {cap.name} cap is reached: {done.number} of {cap.number} auto top-ups."
    bought, most = (Money(nanos, rule.currency) for nanos in (done.nanos, cap.nanos))
    return f"The {cap.name} cap is reached: {bought} of {most}, and one more is {rule.amount}."
