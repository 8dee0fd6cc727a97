"""Forecasts: what a month will have come to, and when a prepaid balance is used up.

Both rest on the account's own past days (`outlooks`) and tell an interval; where the past tells too
little they say so, and no number.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from billing_plugin.context import Actor, now, snapshot
from billing_plugin.errors import InvalidRequest
from billing_plugin.models import accounts, recurring
from billing_plugin.models.recurring import Occurrence
from billing_plugin.models.spend import METERED, Asked, Span
from billing_plugin.money import NANOS_PER_UNIT, Exact, Money
from billing_plugin.operations.breakdowns import Basis
from billing_plugin.operations.catalogue import operation
from billing_plugin.operations.item_filters import SpendFilter, asked
from billing_plugin.operations.ledger import tidied
from billing_plugin.operations.outlooks import (
    MAX_DAYS,
    NO_RECENT_SPEND,
    TOO_LITTLE_HISTORY,
    Outlook,
    reason,
    remainders,
)
from billing_plugin.operations.recurring import (
    Commitment,
    commitments,
    due_days,
    span_of,
    without_days,
)
from billing_plugin.operations.series import (
    ONE_DAY,
    Daily,
    Line,
    attos,
    daily,
    dense,
    exact,
    total,
)

METHOD = "weekday_means"  # of the last weeks, with the quotients of their own past: see outlooks
COVERAGE, COVERAGES = 80, range(50, 91)  # percent
HORIZON_DAYS = 365
USED_UP, BEYOND_HORIZON = "used_up", "beyond_horizon"
ALL_ITEMS = SpendFilter()


@dataclass(frozen=True, slots=True)
class Due:
    """A recurring item that is yet to come this month: on which days, and what it comes to."""

    commitment: Commitment
    days: Sequence[date]
    amount: Exact


@dataclass(frozen=True, slots=True)
class Forecast:
    """One currency's month. `spent` until now, `booked` for days to come, `due` what recurs.

    `expected`, `low` and `high` are of the whole month; None where they cannot be told, and
    `reason` says why: `too_little_history`, or `no_recent_spend`, where only `expected` is told, of
    what is known. `days` is how many past days it rests on.
    """

    currency: str
    spent: Exact
    booked: Exact
    due: Sequence[Due]
    expected: Exact | None
    low: Exact | None
    high: Exact | None
    days: int
    reason: str | None

    @property
    def recurring(self) -> Exact:
        """What is due in all."""
        return sum((one.amount for one in self.due), Exact(0))


@dataclass(frozen=True, slots=True)
class MonthForecast:
    """Forecasts by currency of the month that the basis names; `coverage` in percent."""

    basis: Basis
    coverage: int
    forecasts: list[Forecast]
    method: str = METHOD


@dataclass(frozen=True, slots=True)
class RunOut:
    """When the available balance is used up at the pace of metered use: UTC days, or None where
    that is not within `horizon_days` or cannot be told. `reason` says why `expected` is None
    (`beyond_horizon`, `too_little_history`, `no_recent_spend`), or `used_up`."""

    available: Money
    earliest: date | None
    expected: date | None
    latest: date | None
    coverage: int
    days: int
    reason: str | None
    basis: Basis
    horizon_days: int = HORIZON_DAYS
    method: str = METHOD


@operation(scope="reports:read", effect="reads")
def forecast_month(
    actor: Actor, account_id: str, chosen: SpendFilter = ALL_ITEMS, *, coverage: int = COVERAGE
) -> MonthForecast:
    """What this calendar month (UTC) will have come to, by currency, with an interval.

    What recurs with a period is expected as it was last, and is no part of the daily pace. Days
    cannot be chosen: raises InvalidRequest for them and for a coverage beyond 50 to 90, NotFound.
    """
    del actor
    _check(coverage)
    today = now().date()
    with snapshot():
        accounts.get(account_id)
        question = asked(account_id, without_days(chosen))._replace(span=span_of(today))
        items = recurring.occurrences(question)
        series = daily(_recent(question, today), items, by_provider=False)
    month = Span(today.replace(day=1), question.span.last)
    due = [_due(one, month) for one in commitments(items, today)]
    currencies = sorted(
        {line.currency for line in series} | {one.commitment.currency for one in due}
    )
    forecasts = [
        _forecast(
            _Month(currency, month, today, series.get(Line(currency), {})),
            [one for one in items if one.currency == currency],
            [one for one in due if one.days and one.commitment.currency == currency],
            coverage=coverage,
        )
        for currency in currencies
    ]
    return MonthForecast(Basis(*month, question.sources, now()), coverage, forecasts)


@operation(scope="balance:read", effect="reads")
def run_out(actor: Actor, account_id: str, *, coverage: int = COVERAGE) -> RunOut:
    """The UTC day on which the available balance is used up if metered use goes on as it did.

    Top-ups, credit that expires and the postpaid allowance are left out. Raises InvalidRequest for
    a coverage beyond 50 to 90, NotFound.
    """
    _check(coverage)
    tidied(actor, account_id)
    today = now().date()
    span = Span(today - MAX_DAYS * ONE_DAY, today)
    with snapshot():
        account = accounts.get(account_id)
        series = daily(Asked(account_id, span, [METERED]), (), by_provider=False)
    spent = series.get(Line(account.currency), {})
    history = dense(spent, span.first, today)
    told = _told(history, spent.get(today, 0), coverage=coverage)
    why = None if told else reason(history)
    if account.available.nanos <= 0:
        told, why = [Outlook(0, 0, 0)], USED_UP
    earliest, expected, latest = [
        _used_up([one[place] for one in told], account.available, today) for place in (2, 1, 0)
    ]
    return RunOut(
        account.available, earliest, expected, latest, coverage, len(history),
        why or (None if expected else BEYOND_HORIZON), Basis(*span, [METERED], now()),
    )  # fmt: skip


def forecast_of(forecasts: Iterable[Forecast], currency: str) -> Forecast:
    """The currency's forecast among them; of nothing where there is none."""
    zero = Exact(0)
    nothing = Forecast(currency, zero, zero, (), None, None, None, 0, TOO_LITTLE_HISTORY)
    return next((one for one in forecasts if one.currency == currency), nothing)


class _Month(NamedTuple):
    """One currency's month, and its days without what recurs, in attos."""

    currency: str
    span: Span
    today: date
    days: Mapping[date, int]

    @property
    def history(self) -> list[int]:
        return dense(self.days, self.today - MAX_DAYS * ONE_DAY, self.today)


def _recent(question: Asked, today: date) -> Asked:
    """The same about the days of which the pace is told, and this month."""
    first = min(today - MAX_DAYS * ONE_DAY, today.replace(day=1))
    return question._replace(span=Span(first, question.span.last))


def _due(one: Commitment, month: Span) -> Due:
    days = due_days(one, month)
    return Due(one, days, exact(attos(one.amount) * len(days)))


def _forecast(
    month: _Month, items: Sequence[Occurrence], due: Sequence[Due], *, coverage: int
) -> Forecast:
    first, end, tomorrow = month.span.first, month.span.last + ONE_DAY, month.today + ONE_DAY
    recurred = _by_day(items)
    spent = total(month.days, first, tomorrow) + total(recurred, first, tomorrow)
    booked = total(month.days, tomorrow, end) + total(recurred, tomorrow, end)
    known = booked + sum(attos(one.amount) for one in due)
    bounds = _bounds(month, coverage=coverage)
    why = None if bounds else _reason(month)
    low, expected, high = [exact(spent + known + one) for one in bounds or (0, 0, 0)]
    return Forecast(
        month.currency, exact(spent), exact(booked), due,
        None if why == TOO_LITTLE_HISTORY else expected,
        None if why else low,
        None if why else high,
        len(month.history), why,
    )  # fmt: skip


def _bounds(month: _Month, *, coverage: int) -> Outlook | None:
    """What is yet to come this month besides what is known."""
    ahead = (month.span.last - month.today).days
    so_far = month.days.get(month.today, 0)
    return next(remainders(month.history, so_far, [ahead], coverage=coverage))


def _reason(month: _Month) -> str:
    spending = any(month.history) or month.days.get(month.today)
    return reason(month.history) if spending else NO_RECENT_SPEND


def _by_day(items: Iterable[Occurrence]) -> Daily:
    days: Daily = defaultdict(int)
    for item in items:
        days[item.day] += attos(item.amount)
    return days


def _told(history: Sequence[int], so_far: int, *, coverage: int) -> list[Outlook]:
    """What is yet to come until today, tomorrow and so on; nothing where one cannot be told."""
    looks = list(remainders(history, so_far, range(HORIZON_DAYS), coverage=coverage))
    told = [one for one in looks if one is not None]
    return told if len(told) == len(looks) else []


def _used_up(amounts: Iterable[int], left: Money, today: date) -> date | None:
    """The day on which what is left is used up."""
    attos_left = left.nanos * NANOS_PER_UNIT
    for step, amount in enumerate(amounts):
        if amount >= attos_left:
            return today + step * ONE_DAY
    return None


def _check(coverage: int) -> None:
    if coverage not in COVERAGES:
        raise InvalidRequest(f"coverage is {COVERAGES[0]} to {COVERAGES[-1]} percent.")
