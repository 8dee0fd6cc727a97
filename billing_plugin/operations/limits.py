"""Setting, seeing and removing spending limits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from billing_plugin.context import Actor, now, write_transaction
from billing_plugin.errors import InvalidRequest
from billing_plugin.models import accounts, ledger, limits
from billing_plugin.models.limits import SpendingLimit
from billing_plugin.money import Money
from billing_plugin.operations.catalogue import operation
from billing_plugin.periods import NAMED_WINDOWS, zone_named


@dataclass(frozen=True, slots=True)
class LimitState:
    """A limit and its present window: spent, held, remaining (never negative), when it resets."""

    limit: SpendingLimit
    spent: Money
    held: Money
    remaining: Money
    window_start: datetime
    resets_at: datetime


@operation(scope="limits:write", effect="writes")
def set_limit(
    actor: Actor, account_id: str, amount: Money, *, window: str = "monthly", zone: str = "UTC"
) -> LimitState:
    """Sets the account's hard limit for a calendar window (total, daily, weekly, monthly) in an
    IANA zone; setting it again changes the amount and keeps what was counted.

    Usage recorded earlier in the window counts. Raises InvalidRequest, NotFound.
    """
    del actor
    if amount.nanos < 0 or window not in NAMED_WINDOWS:
        raise InvalidRequest("A limit has an amount of zero or more and a known window.")
    place = zone_named(zone).key
    with write_transaction():
        ledger.open_book(account_id).require_currency(amount)
        return _state(limits.put(account_id, amount, window=window, zone=place, at=now()))


@operation(scope="limits:read", effect="reads")
def list_limits(actor: Actor, account_id: str) -> list[LimitState]:
    """The account's limits in force with their present windows. Raises NotFound."""
    del actor
    accounts.get(account_id)
    return [_state(limit) for limit in limits.active(account_id)]


@operation(scope="limits:read", effect="reads")
def get_limit(actor: Actor, account_id: str, limit_id: str) -> LimitState:
    """One limit with its present window. Raises NotFound."""
    del actor
    return _state(limits.get(account_id, limit_id))


@operation(scope="limits:write", effect="writes")
def remove_limit(actor: Actor, account_id: str, limit_id: str) -> None:
    """Takes a limit out of force. Raises NotFound."""
    del actor
    with write_transaction():
        ledger.open_book(account_id)
        limits.remove(limits.get(account_id, limit_id), now())


def _state(limit: SpendingLimit) -> LimitState:
    period = limit.period(now())
    counter = limits.counter_of(limit, period)
    spent = Money(counter.spent_nanos, limit.currency)
    held = Money(counter.held_nanos, limit.currency)
    left = limit.amount - spent - held
    remaining = left if left.nanos > 0 else Money.zero(limit.currency)
    return LimitState(limit, spent, held, remaining, period.start, period.end)
