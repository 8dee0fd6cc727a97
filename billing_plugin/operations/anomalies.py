"""Anomalies: days that came to far more or far less than such days do in the same account.

The norm of a day is the median of its weekday in the eight weeks before. Far is beyond all of: five
times the usual distance from the norm (the median distance, made comparable to a standard
deviation), thrice the distance that one day in ten has, a quarter of the norm, and a least amount.
A new level is an anomaly for as long as it is new: what the last week has in common is not far.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from billing_plugin.context import Actor, now, snapshot
from billing_plugin.errors import InvalidRequest
from billing_plugin.models import accounts, recurring
from billing_plugin.models.spend import Span
from billing_plugin.money import MAX_CENTS, Exact
from billing_plugin.operations.breakdowns import Basis
from billing_plugin.operations.catalogue import operation
from billing_plugin.operations.item_filters import FIRST_DAY, SpendFilter, asked, span_of
from billing_plugin.operations.series import ONE_DAY, Daily, Line, attos, daily, dense, exact

SPAN_DAYS, MAX_SPAN_DAYS = 28, 92
LEAST_CENTS = 100
MIN_DAYS, WINDOW_DAYS = 28, 56  # of the norm
_WEEK = 7
_TIMES = 5
_DEVIATION, _PARTS = 14_826, 10_000  # a median distance as a standard deviation
ALL_ITEMS = SpendFilter()


class Norm(NamedTuple):
    """What a day like this one comes to, by how much it has to differ to be far from it, and by how
    much all days of the last week did."""

    usual: int
    far: int
    shift: int


@dataclass(frozen=True, slots=True)
class Anomaly:
    """A day (UTC) that is far from its norm: of one provider ('' where items name none), or of all
    of them together (None). `usual` is its norm; above it or below."""

    day: date
    currency: str
    provider: str | None
    amount: Exact
    usual: Exact

    @property
    def is_above(self) -> bool:
        """Whether it came to more than usual."""
        return self.amount > self.usual


@dataclass(frozen=True, slots=True)
class Anomalies:
    """The anomalies of the days that the basis names, the latest first. `judged` says how many days
    of how many lines (all, and each provider) were compared, `unjudged` how many had too little
    before them."""

    basis: Basis
    least_cents: int
    found: list[Anomaly]
    judged: int
    unjudged: int


@operation(scope="reports:read", effect="reads")
def find_anomalies(
    actor: Actor,
    account_id: str,
    chosen: SpendFilter = ALL_ITEMS,
    *,
    least_cents: int = LEAST_CENTS,
) -> Anomalies:
    """Days whose spend is far from their own norm, by currency and by provider as well.

    The days chosen are at most 92, and by default 28 to today, which is not over and so can only be
    above. A difference of less than `least_cents` minor units is none. What recurs with a period is
    left out. Raises InvalidRequest, NotFound.
    """
    del actor
    if not 0 <= least_cents <= MAX_CENTS:
        raise InvalidRequest("least_cents is a number of minor units.")
    span = _span(chosen, now().date())
    before = span.first - WINDOW_DAYS * ONE_DAY
    with snapshot():
        accounts.get(account_id)
        question = asked(account_id, chosen._replace(since=before, until=span.last))
        items = recurring.occurrences(question)
        lines = daily(question, items, by_provider=True)
    today, found, judged, unjudged = now().date(), [], 0, 0
    for line, days in _with_all(lines).items():
        first = dense(days, before, span.last + ONE_DAY)
        told = _judged(first, (span.last - span.first).days + 1, least=_least(line, least_cents))
        judged, unjudged = judged + told.judged, unjudged + told.unjudged
        found += [_anomaly(line, span.last - one.ago * ONE_DAY, one) for one in told.far]
    found = [one for one in found if one.is_above or one.day < today]
    found.sort(key=lambda one: (one.currency, one.provider or "", one.provider is not None))
    found.sort(key=lambda one: one.day, reverse=True)
    basis = Basis(*span, question.sources, now())
    return Anomalies(basis, least_cents, found, judged, unjudged)


def norm(before: Sequence[int]) -> Norm:
    """The norm of the day after whole weeks of days."""
    usual = [_median(before[weekday::_WEEK]) for weekday in range(_WEEK)]
    off = [amount - usual[place % _WEEK] for place, amount in enumerate(before)]
    distances = sorted(map(abs, off))
    wide = _TIMES * _DEVIATION * _median(distances) // _PARTS
    tenth = 3 * distances[len(distances) * 9 // 10]
    return Norm(usual[0], max(wide, tenth, abs(usual[0]) // 4), _median(off[-_WEEK:]))


def is_far(amount: int, usual: Norm, *, least: int) -> bool:
    """Whether a day of that amount is far from its norm, and from what is new all the week."""
    difference = amount - usual.usual
    if difference < 0:
        return is_far(-amount, Norm(-usual.usual, usual.far, -usual.shift), least=least)
    far = max(usual.far, least - 1)
    return difference > far and difference - usual.shift > usual.far


class _Far(NamedTuple):
    """A day that is far from its norm, so many days before the last one."""

    ago: int
    amount: int
    usual: int


class _Judged(NamedTuple):
    far: list[_Far]
    judged: int
    unjudged: int


def _judged(days: Sequence[int], number: int, *, least: int) -> _Judged:
    """The last days, so many of them, against what was before each."""
    far, judged = [], 0
    for ago in range(number):
        at = len(days) - 1 - ago
        weeks = min(at, WINDOW_DAYS) // _WEEK
        if at < MIN_DAYS:
            break
        judged += 1
        usual = norm(days[at - weeks * _WEEK : at])
        if is_far(days[at], usual, least=least):
            far.append(_Far(ago, days[at], usual.usual))
    return _Judged(far, judged, min(number, len(days)) - judged)


def _with_all(lines: Mapping[Line, Daily]) -> dict[Line, Daily]:
    """The lines of the providers, and one of all of them in each currency."""
    every: dict[Line, Daily] = {}
    for line, days in lines.items():
        whole = every.setdefault(Line(line.currency), {})
        for day, amount in days.items():
            whole[day] = whole.get(day, 0) + amount
    return every | dict(lines)


def _anomaly(line: Line, day: date, one: _Far) -> Anomaly:
    return Anomaly(day, line.currency, line.provider, exact(one.amount), exact(one.usual))


def _least(line: Line, cents: int) -> int:
    return attos(Exact.from_cents(cents, line.currency))


def _span(chosen: SpendFilter, today: date) -> Span:
    """The days that are judged, none of them to come. Raises InvalidRequest for too many."""
    span_of(chosen.since, chosen.until)
    until = min(chosen.until or today, today)
    since = chosen.since or until - (SPAN_DAYS - 1) * ONE_DAY
    if not 0 <= (until - since).days < MAX_SPAN_DAYS:
        raise InvalidRequest(f"Anomalies are of 1 to {MAX_SPAN_DAYS} days, none of them to come.")
    if since < FIRST_DAY + WINDOW_DAYS * ONE_DAY:
        raise InvalidRequest("The days are out of range.")
    return Span(since, until)


def _median(values: Sequence[int]) -> int:
    """The middle one; of an even number the mean of both, rounded down."""
    ordered, half = sorted(values), len(values) // 2
    return ordered[half] if len(values) % 2 else (ordered[half - 1] + ordered[half]) // 2
