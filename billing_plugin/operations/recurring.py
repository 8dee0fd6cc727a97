"""Recurring items: what comes again every day, week, month or year, and when it is due."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

from billing_plugin.context import Actor, now, snapshot
from billing_plugin.errors import InvalidRequest
from billing_plugin.models import accounts, recurring
from billing_plugin.models.recurring import Occurrence
from billing_plugin.models.spend import Span
from billing_plugin.money import Exact
from billing_plugin.operations.breakdowns import Basis
from billing_plugin.operations.catalogue import operation
from billing_plugin.operations.item_filters import SpendFilter, asked
from billing_plugin.operations.series import attos, exact

A_YEAR = {
    "daily": Fraction(365), "weekly": Fraction(365, 7), "monthly": Fraction(12),
    "yearly": Fraction(1),
}  # fmt: skip
_STEPS = {"daily": timedelta(days=1), "weekly": timedelta(days=7)}
_MONTHS = [
    *("january", "february", "march", "april", "may", "june", "july", "august", "september"),
    *("october", "november", "december"),
]
_MONTH_NAMES = {*_MONTHS, *(name[:3] for name in _MONTHS), "sept"}
_WORD = re.compile(r"[^\W_]+")
_DATE = re.compile(
    r"(?<!\d)(19|20)\d\d([-/._]?(0[1-9]|1[0-2])([-/._]?[0-3]\d)?)?(?!\d)|(?<!\w)q[1-4](?!\w)"
)
ALL_ITEMS = SpendFilter()


@dataclass(frozen=True, slots=True)
class Commitment:
    """One thing that recurs: what its newest item says, and what its last period came to.

    `last` is the day of the newest item, `due` the UTC day on which the next one is to come; a day
    that is over means that it is late.
    """

    name: str
    provider: str
    service_id: str
    currency: str
    period: str
    amount: Exact
    last: date
    due: date


@dataclass(frozen=True, slots=True)
class CommitmentTotal:
    """What one currency's commitments come to in a month and in a year, each rounded once."""

    currency: str
    monthly: Exact
    yearly: Exact
    count: int


@dataclass(frozen=True, slots=True)
class Commitments:
    """What goes on recurring, the greatest of a year first, and its totals by currency."""

    basis: Basis
    commitments: list[Commitment]
    totals: list[CommitmentTotal]


@operation(scope="reports:read", effect="reads")
def list_commitments(actor: Actor, account_id: str, chosen: SpendFilter = ALL_ITEMS) -> Commitments:
    """What recurs with a period, as far as its newest item is not too long ago.

    The same thing is what has the same currency, period, provider, service and name, whatever dates
    the name holds. It has ended when a whole period is over without it. A year has 365 days and 12
    months. Days cannot be chosen: raises InvalidRequest for them, NotFound.
    """
    del actor
    today = now().date()
    with snapshot():
        accounts.get(account_id)
        question = asked(account_id, without_days(chosen))._replace(span=span_of(today))
        found = commitments(recurring.occurrences(question), today)
    found.sort(key=lambda one: (-_in_a_year(one), one.name, one.last))
    basis = Basis(*question.span, question.sources, now())
    return Commitments(basis, found, _totals(found))


def total_of(totals: Iterable[CommitmentTotal], currency: str) -> CommitmentTotal:
    """The currency's total among them; of nothing where there is none."""
    nothing = CommitmentTotal(currency, Exact(0), Exact(0), 0)
    return next((one for one in totals if one.currency == currency), nothing)


def without_days(chosen: SpendFilter) -> SpendFilter:
    """The filter itself. Raises InvalidRequest where it names days."""
    if chosen.since is not None or chosen.until is not None:
        raise InvalidRequest("Which days this is about cannot be chosen.")
    return chosen


def span_of(today: date) -> Span:
    """Whatever can still recur: this month to its end, and the twelve before."""
    first = today.replace(day=1)
    return Span(_a_year_later(first, -1), _a_month_later(first) - timedelta(days=1))


def commitments(items: Iterable[Occurrence], today: date) -> list[Commitment]:
    """What of the items, the earliest first, goes on recurring."""
    found: dict[tuple[str, ...], list[Occurrence]] = {}
    for item in items:
        found.setdefault(_identity(item), []).append(item)
    every = [_commitment(same) for same in found.values()]
    return [one for one in every if _goes_on(one, today)]


def due_days(one: Commitment, span: Span) -> list[date]:
    """The days of the span on which it is to come, what is late among them."""
    found, day = [], one.due
    while day <= span.last:
        if day >= span.first:
            found.append(day)
        day = following(day, one.period)
    return found


def following(day: date, period: str) -> date:
    """A period later; the last day of a month that is shorter."""
    if period in _STEPS:
        return day + _STEPS[period]
    return _a_month_later(day) if period == "monthly" else _a_year_later(day, 1)


def stem(text: str) -> str:
    """The words without dates: what stays the same from period to period."""
    words = _WORD.findall(_DATE.sub(" ", text.lower()))
    return " ".join(word for word in words if word not in _MONTH_NAMES)


def _identity(item: Occurrence) -> tuple[str, ...]:
    """What tells it from others; a name of nothing but a date leaves it to the reference."""
    name = stem(item.name) or re.sub(r"\d+", " ", stem(item.provider_ref))
    return (item.currency, item.period, item.provider, item.service_id, name.strip())


def _commitment(same: Sequence[Occurrence]) -> Commitment:
    newest = same[-1]
    last = [one for one in same if _falls_in(one) == _falls_in(newest)]
    amount = exact(sum(attos(one.amount) for one in last))
    return Commitment(
        newest.name, newest.provider, newest.service_id, newest.currency, newest.period, amount,
        newest.day, following(newest.day, newest.period),
    )  # fmt: skip


def _falls_in(item: Occurrence) -> object:
    """The day, ISO week or month in which items are one occurrence together."""
    if item.period == "daily":
        return item.day
    return item.day.isocalendar()[:2] if item.period == "weekly" else item.day.replace(day=1)


def _goes_on(one: Commitment, today: date) -> bool:
    """Whether it is no more than a period late, or in calendar months due in this one at least."""
    if one.period in _STEPS:
        return one.due + _STEPS[one.period] >= today
    return one.due.replace(day=1) >= today.replace(day=1)


def _in_a_year(one: Commitment) -> Fraction:
    return attos(one.amount) * A_YEAR[one.period]


def _totals(found: Sequence[Commitment]) -> list[CommitmentTotal]:
    totals = []
    for currency in sorted({one.currency for one in found}):
        own = [one for one in found if one.currency == currency]
        year = sum(map(_in_a_year, own), Fraction(0))
        month = exact(round(year / 12))
        totals.append(CommitmentTotal(currency, month, exact(round(year)), len(own)))
    return totals


def _a_month_later(day: date) -> date:
    first = (day.replace(day=28) + timedelta(days=4)).replace(day=1)
    return _on(first, day.day)


def _a_year_later(day: date, years: int) -> date:
    return _on(day.replace(year=day.year + years, day=1), day.day)


def _on(month: date, number: int) -> date:
    """The day of that number in the month, or its last."""
    after = (month.replace(day=28) + timedelta(days=4)).replace(day=1)
    return month.replace(day=min(number, (after - timedelta(days=1)).day))
