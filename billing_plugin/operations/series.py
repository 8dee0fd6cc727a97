"""Spending day by day: dense series of whole numbers, without what recurs with a period."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import NamedTuple

from billing_plugin.models import spend
from billing_plugin.models.recurring import Occurrence
from billing_plugin.models.spend import BY_DAY, BY_DAY_AND_PROVIDER, Asked
from billing_plugin.money import NANOS_PER_UNIT, Exact

ONE_DAY = timedelta(days=1)
Daily = dict[date, int]  # attos


class Line(NamedTuple):
    """Whose days they are: of a currency, and of one provider; None of all, '' of none."""

    currency: str
    provider: str | None = None


def daily(asked: Asked, recurring: Iterable[Occurrence], *, by_provider: bool) -> dict[Line, Daily]:
    """What was spent on each UTC day that has something, besides those recurring items."""
    found: dict[Line, Daily] = defaultdict(lambda: defaultdict(int))
    for one in spend.sums(asked, BY_DAY_AND_PROVIDER if by_provider else BY_DAY):
        day, provider = date.fromisoformat(one.key[:10]), one.key[11:]
        line = Line(one.currency, provider if by_provider else None)
        found[line][day] += attos(one.amount)
    for item in recurring:
        if asked.span.first <= item.day <= asked.span.last:
            line = Line(item.currency, item.provider if by_provider else None)
            found[line][item.day] -= attos(item.amount)
    return found


def dense(days: Mapping[date, int], first: date, after: date) -> list[int]:
    """Every day from the first that has something on, but none before `first`, to the one before
    `after`."""
    begin = min((day for day, amount in days.items() if amount and day >= first), default=after)
    return [days.get(begin + step * ONE_DAY, 0) for step in range((after - begin).days)]


def total(days: Mapping[date, int], first: date, after: date) -> int:
    """What the days from `first` to the one before `after` come to."""
    return sum(amount for day, amount in days.items() if first <= day < after)


def attos(amount: Exact) -> int:
    """The amount as a whole number of 10**-18 units."""
    return amount.nanos * NANOS_PER_UNIT + amount.attos


def exact(number: int) -> Exact:
    """The amount of so many attos. Raises InvalidRequest beyond 64 bits of nanos."""
    return Exact(*divmod(number, NANOS_PER_UNIT))
