"""What the next days may come to, by an account's own past days: whole numbers, nothing random.

The rule: of each weekday, the mean of the last weeks. How far that rule was off is asked of the
past: it is applied to every past day, and what the days after came to is divided by what it said.
The quotients in their order are the interval; their middle corrects a trend.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

MIN_DAYS = 28
MAX_DAYS = 182  # of the past that are asked
_WEEK = 7
_SHORT, _LONG = 14, 28  # days of the rule
_LONG_FROM = 70  # days of the past from which on it has the long form
_MAX_REPLAY = 14  # days; what lies further ahead is off by as many times
_SHARE = 5  # of the replayed past that one replay may take: five do not overlap
_MIN_REPLAYS = 13

_Bounds = tuple[Fraction, Fraction, Fraction]

TOO_LITTLE_HISTORY, NO_RECENT_SPEND = "too_little_history", "no_recent_spend"


class Outlook(NamedTuple):
    """What days ahead come to: as expected, and the bounds between which it lies with the stated
    coverage. In the unit of the past days."""

    low: int
    expected: int
    high: int


def outlooks(
    days: Sequence[int], aheads: Iterable[int], *, coverage: int
) -> Iterator[Outlook | None]:
    """What so many days after `days` may come to, one after the other; None where the past does not
    tell, see `reason`. `coverage` is a percentage."""
    past = days[-MAX_DAYS:]
    paced = len(past) >= MIN_DAYS and _said(past, len(past), _WEEK) > 0
    known: dict[int, _Bounds | None] = {}
    for ahead in aheads:
        length = _replay_length(len(past), ahead)
        if length not in known:
            known[length] = _bounds(_quotients(past, length), length, coverage=coverage)
        said, bounds = _said(past, len(past), ahead), known[length]
        low, middle, high = bounds or (0, 0, 0)
        told = Outlook(round(said * low), round(said * middle), round(said * high))
        yield told if bounds and paced else None


def remainders(
    days: Sequence[int], today: int, aheads: Sequence[int], *, coverage: int
) -> Iterator[Outlook | None]:
    """What the rest of the day after `days`, which has come to `today`, and so many days after it
    may come to. It ends as a day like it does, or as it is if that is more."""
    with_today = outlooks(days, [ahead + 1 for ahead in aheads], coverage=coverage)
    after = outlooks([*days, today], aheads, coverage=coverage)
    for whole, rest in zip(with_today, after, strict=True):
        if whole is None or rest is None:
            yield None
        else:
            yield Outlook._make(max(a - today, b) for a, b in zip(whole, rest, strict=True))


def reason(days: Sequence[int]) -> str:
    """Why there is no outlook."""
    past = days[-MAX_DAYS:]
    if len(past) >= MIN_DAYS and _said(past, len(past), _WEEK) <= 0:
        return NO_RECENT_SPEND
    return TOO_LITTLE_HISTORY


def _window(number: int) -> int:
    return _LONG if number >= _LONG_FROM else _SHORT


def _replay_length(number: int, ahead: int) -> int:
    """How many days are replayed: short ones where the past is short, as they are more."""
    return min(max(ahead, 1), _MAX_REPLAY, max((number - _window(number)) // _SHARE, 1))


def _said(days: Sequence[int], at: int, ahead: int) -> int:
    """What the rule says, before the day `at`, of the `ahead` days from there on; times its
    number of weeks."""
    window = _window(len(days))
    recent = days[at - window : at]
    weekdays = [sum(recent[first::_WEEK]) for first in range(_WEEK)]
    weeks, rest = divmod(ahead, _WEEK)
    return weeks * sum(weekdays) + sum(weekdays[:rest])


def _quotients(days: Sequence[int], length: int) -> list[Fraction]:
    """How many times what the rule said, times its number of weeks, the past days came to."""
    found = []
    for at in range(_window(len(days)), len(days) - length + 1):
        said = _said(days, at, length)
        if said > 0:
            found.append(Fraction(sum(days[at : at + length]), said))
    return sorted(found)


def _bounds(quotients: Sequence[Fraction], length: int, *, coverage: int) -> _Bounds | None:
    """The quotients at both ends of the interval, and the middle one.

    Replays overlap, so that there are only as many independent ones as lengths fit into the past:
    the ends lie further out, by as many places as one replay has days.
    """
    number = len(quotients)
    if number < _MIN_REPLAYS:
        return None
    place = -((100 + coverage) * (number + length) // -200)  # rounded up
    last = min(place, number) - 1
    return quotients[number - 1 - last], quotients[number // 2], quotients[last]
