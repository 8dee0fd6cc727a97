"""Spending limits and their counters. The counter belongs to the window, not to the limit.

`Ceilings` are one account's limits, read under the account's lock: every debit asks them all, in
the same transaction in which it is written. A window that has no counter yet is counted from the
usage already recorded in it, so a new, edited or re-created limit never grants a second budget.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import peewee

from billing_plugin import ids, periods
from billing_plugin.errors import LimitExceeded, NotFound
from billing_plugin.models.base import (
    Table,
    UTCDateTimeField,
    execute,
    execute_many,
    fetch_all,
    fetch_one,
    read_time,
)
from billing_plugin.money import Money
from billing_plugin.periods import Period

PREFIX = "lim"
WHOLE = ""  # the one bucket of a limit that is not partitioned
_COUNTER = (
    "SELECT spent_nanos, held_nanos FROM billing_limit_counter"
    " WHERE limit_id = ? AND window_start = ? AND bucket = ?"
)
_USED = (
    "SELECT COALESCE(SUM(cost_nanos), 0) FROM billing_usage_record"
    " WHERE account_id = ? AND effective_at >= ? AND effective_at < ?"
)
_STORE = (
    "INSERT INTO billing_limit_counter (limit_id, window_start, bucket, spent_nanos)"
    " VALUES (?, ?, ?, ?) ON CONFLICT (limit_id, window_start, bucket)"
    " DO UPDATE SET spent_nanos = excluded.spent_nanos"
)


class SpendingLimit(Table):
    """A ceiling for one account: amount in nanos, calendar window in a zone, action."""

    id = peewee.TextField(primary_key=True)
    account_id = peewee.TextField()
    amount_nanos = peewee.BigIntegerField()
    currency = peewee.TextField()
    window_name = peewee.TextField()
    zone = peewee.TextField()
    action = peewee.TextField()
    active = peewee.IntegerField()
    created_at = UTCDateTimeField()
    updated_at = UTCDateTimeField()

    class Meta:
        table_name = "billing_spending_limit"

    @property
    def amount(self) -> Money:
        """The ceiling."""
        return Money(self.amount_nanos, self.currency)

    def period(self, at: datetime) -> Period:
        """The window that holds the instant."""
        return periods.window(self.window_name, at, self.zone)


@dataclass(slots=True)
class Counter:
    """What one limit has counted in one window."""

    spent_nanos: int
    held_nanos: int
    changed: bool = False


@dataclass(slots=True)
class Ceilings:
    """Every active limit of one account, with the counters that debits touch."""

    account_id: str
    limits: list[SpendingLimit]
    _counters: dict[tuple[str, datetime], Counter] = field(default_factory=dict)
    _latest: dict[str, Period] = field(default_factory=dict)

    def refusal(self, amount: Money, at: datetime) -> LimitExceeded | None:
        """The first hard limit that a debit of `amount` effective at `at` would pass, or None."""
        for limit in self.limits:
            period = self._period(limit, at)
            counter = self._counter(limit, period)
            used = counter.spent_nanos + counter.held_nanos
            if amount.nanos and used + amount.nanos > limit.amount_nanos:
                return _refusal(limit, counter, amount, resets_at=period.end)
        return None

    def spend(self, amount: Money, at: datetime) -> None:
        """Counts a debit in every limit's window. Call `store` to keep it."""
        for limit in self.limits:
            counter = self._counter(limit, self._period(limit, at))
            counter.spent_nanos += amount.nanos
            counter.changed = True

    def store(self) -> None:
        """Writes the counters that changed, in the present transaction."""
        changed = [(key, counter) for key, counter in self._counters.items() if counter.changed]
        rows = [(key[0], key[1], WHOLE, counter.spent_nanos) for key, counter in changed]
        execute_many(_STORE, rows)

    def _period(self, limit: SpendingLimit, at: datetime) -> Period:
        """The window that holds the instant; neighbours in a batch mostly share the latest one."""
        latest = self._latest.get(limit.id)
        if latest is None or at not in latest:
            latest = self._latest[limit.id] = limit.period(at)
        return latest

    def _counter(self, limit: SpendingLimit, period: Period) -> Counter:
        key = (limit.id, period.start)
        if key not in self._counters:
            self._counters[key] = counter_of(limit, period)
        return self._counters[key]


def ceilings(account_id: str) -> Ceilings:
    """The account's active limits. Needs the account's lock to be held."""
    return Ceilings(account_id, active(account_id))


def counter_of(limit: SpendingLimit, period: Period) -> Counter:
    """What the limit has counted in the window; from the usage records where nothing is stored."""
    stored = fetch_one(_COUNTER, (limit.id, period.start, WHOLE))
    if stored is not None:
        return Counter(*stored)
    used = fetch_one(_USED, (limit.account_id, period.start, period.end))
    return Counter(int(used[0]) if used else 0, 0)


def active(account_id: str) -> list[SpendingLimit]:
    """The account's limits in force, oldest first."""
    query = SpendingLimit.select().where(
        (SpendingLimit.account_id == account_id) & (SpendingLimit.active == 1)
    )
    return list(query.order_by(SpendingLimit.id))


def get(account_id: str, limit_id: str) -> SpendingLimit:
    """One of the account's limits in force. Raises NotFound."""
    for limit in active(account_id):
        if limit.id == limit_id:
            return limit
    raise NotFound("There is no such limit.")


def put(account_id: str, amount: Money, *, window: str, zone: str, at: datetime) -> SpendingLimit:
    """Creates the account's hard limit for that window and zone, or changes its amount.

    A limit that was removed counts its windows anew from the usage recorded meanwhile.
    """
    row: dict[str, Any] = {"amount_nanos": amount.nanos, "currency": amount.currency}
    SpendingLimit.insert(
        id=ids.new_id(PREFIX), account_id=account_id, window_name=window, zone=zone,
        action="hard", active=1, created_at=at, updated_at=at, **row,
    ).on_conflict(
        conflict_target=[SpendingLimit.account_id, SpendingLimit.window_name, SpendingLimit.zone],
        update={**row, "active": 1, "updated_at": at},
    ).execute()  # fmt: skip
    return next(
        limit for limit in active(account_id) if (limit.window_name, limit.zone) == (window, zone)
    )


def remove(limit: SpendingLimit, at: datetime) -> None:
    """Takes the limit out of force. What its windows counted is counted anew if it comes back."""
    SpendingLimit.update(active=0, updated_at=at).where(SpendingLimit.id == limit.id).execute()
    execute("DELETE FROM billing_limit_counter WHERE limit_id = ?", (limit.id,))


def drifted_counters() -> list[str]:
    """Stored counters that differ from the usage records of their window; normally nothing."""
    found = []
    for limit in SpendingLimit.select().where(SpendingLimit.active == 1):
        for start in _stored_windows(limit):
            found += _drift(limit, limit.period(start))
    return found


def _stored_windows(limit: SpendingLimit) -> list[datetime]:
    rows = fetch_all(
        "SELECT window_start FROM billing_limit_counter WHERE limit_id = ?", (limit.id,)
    )
    return [start for row in rows if (start := read_time(row[0]))]


def _drift(limit: SpendingLimit, period: Period) -> list[str]:
    counted = counter_of(limit, period).spent_nanos
    used = fetch_one(_USED, (limit.account_id, period.start, period.end))
    total = int(used[0]) if used else 0
    if counted == total:
        return []
    return [f"{limit.id}: counted {counted} from {period.start} but usage adds up to {total}"]


def _refusal(
    limit: SpendingLimit, counter: Counter, amount: Money, *, resets_at: datetime
) -> LimitExceeded:
    money = {
        "amount": limit.amount.text,
        "spent": Money(counter.spent_nanos, limit.currency).text,
        "held": Money(counter.held_nanos, limit.currency).text,
        "requested": amount.text,
    }
    return LimitExceeded(
        f"The {limit.window_name} spending limit of {limit.amount} refuses this.",
        extra={"limit_id": limit.id, **money, "currency": limit.currency, "resets_at": resets_at},
    )
