"""Periods of time: half-open, calendar-true and time-zone-true.

Named windows are calendar windows in an IANA zone (weeks begin on Monday); a window of N seconds
is aligned to the epoch; `total` is one window for ever. Consecutive windows tile time: no gap, no
overlap, whatever the zone does to its clocks.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from billing_plugin.errors import InvalidRequest

TOTAL, DAILY, WEEKLY, MONTHLY = "total", "daily", "weekly", "monthly"
NAMED_WINDOWS = (TOTAL, DAILY, WEEKLY, MONTHLY)
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
END = datetime(9999, 1, 1, tzinfo=UTC)  # so that no window overruns the calendar of Python
LAST_YEAR = 9998
_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
_DAY_S = 86_400
SLOTS = 64  # of a sliding window
# the length of a named window that slides, in seconds; `total` has nowhere to slide to
SLIDING_S = {DAILY: _DAY_S, WEEKLY: 7 * _DAY_S, MONTHLY: 30 * _DAY_S}
MAX_WINDOW_S = 100 * 366 * _DAY_S


@dataclass(frozen=True, slots=True)
class Period:
    """From `start` (in) to `end` (out), both aware UTC."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        aware(self.start)
        aware(self.end)
        if self.end < self.start:
            raise InvalidRequest("A period ends after it starts.")

    def __contains__(self, at: datetime) -> bool:
        return self.start <= at < self.end


def aware(at: datetime) -> datetime:
    """The same instant in UTC. Raises InvalidRequest without a zone, or outside 1970 to 9998."""
    if at.tzinfo is None:
        raise InvalidRequest("A time needs a zone.", code="naive_time")
    if not BEGINNING <= at <= END:
        raise InvalidRequest("The time is out of range.", code="time_out_of_range")
    return at.astimezone(UTC)


def parse_time(text: str) -> datetime:
    """An ISO 8601 instant with its zone, in UTC. Raises InvalidRequest for anything else."""
    try:
        return aware(datetime.fromisoformat(text))
    except (ValueError, TypeError) as error:
        raise InvalidRequest("A time is ISO 8601 with a zone, such as 2026-03-01T00:00:00Z.") from (
            error
        )


def parse_day(text: str) -> date:
    """A calendar day, `YYYY-MM-DD`. Raises InvalidRequest for anything else."""
    if not (isinstance(text, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text)):
        raise InvalidRequest("A day is written YYYY-MM-DD.")
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InvalidRequest("A day is written YYYY-MM-DD.") from error


def parse_month(text: str) -> Period:
    """A calendar month in UTC, `YYYY-MM`. Raises InvalidRequest for anything else."""
    if not (isinstance(text, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}", text)):
        raise InvalidRequest("A month is written YYYY-MM.")
    first = parse_day(f"{text}-01")
    if not BEGINNING.year <= first.year <= LAST_YEAR:
        raise InvalidRequest("A month is in a sensible year.")
    return window(MONTHLY, datetime.combine(first, time(), UTC))


def month_name(at: datetime) -> str:
    """The UTC month of an instant, such as `2026-03`."""
    return f"{aware(at):%Y-%m}"


def zone_named(name: str) -> ZoneInfo:
    """The IANA zone of that name. Raises InvalidRequest for an unknown one.

    Names that only this machine knows (`localtime`, `right/UTC`) are unknown.
    """
    if not isinstance(name, str) or name not in _zone_names():
        raise InvalidRequest("That is not an IANA time zone.")
    return ZoneInfo(name)


def window(name: str, at: datetime, zone: str = "UTC") -> Period:
    """The window of kind `name` (see NAMED_WINDOWS) that holds the instant `at`, in `zone`."""
    instant = aware(at)
    if name == TOTAL:
        return Period(BEGINNING, END)
    if name not in NAMED_WINDOWS:
        raise InvalidRequest("A window is total, daily, weekly or monthly.")
    return _calendar_window(name, instant, zone_named(zone))


def window_of_seconds(length_s: int, at: datetime) -> Period:
    """The window of `length_s` seconds, aligned to the epoch, that holds the instant `at`."""
    if type(length_s) is not int or not 0 < length_s <= MAX_WINDOW_S:
        raise InvalidRequest("A window has a whole number of seconds, at most 100 years.")
    length = timedelta(seconds=length_s)
    start = BEGINNING + ((aware(at) - BEGINNING) // length) * length
    return Period(start, start + length)


def slot(length_s: int, at: datetime) -> Period:
    """The slot that holds the instant, of SLOTS that a sliding window of `length_s` moves by.

    A 64th of whole seconds is a whole number of microseconds, so slots tile time exactly.
    """
    if type(length_s) is not int or not 0 < length_s <= MAX_WINDOW_S:
        raise InvalidRequest("A window has a whole number of seconds, at most 100 years.")
    length = slot_length(length_s)
    start = BEGINNING + ((aware(at) - BEGINNING) // length) * length
    return Period(start, start + length)


def slot_length(length_s: int) -> timedelta:
    """How far a sliding window of `length_s` moves at a time."""
    return timedelta(microseconds=length_s * (1_000_000 // SLOTS))


def days(first: date, last: date, zone: str = "UTC") -> Period:
    """The whole days from `first` to `last`, both included, in `zone`."""
    place = zone_named(zone)
    if not BEGINNING.date() <= first <= last < END.date():
        raise InvalidRequest("The days are out of range or out of order.")
    return Period(start_of_day(first, place), start_of_day(last + _DAY, place))


def days_between(first: str | None, last: str | None) -> Period | None:
    """The whole UTC days from `first` to `last` (YYYY-MM-DD), both included; None for neither.

    Raises InvalidRequest for one alone, for days that are none, and for an end before the start.
    """
    if first is None and last is None:
        return None
    if first is None or last is None:
        raise InvalidRequest("The first and the last day come together.")
    start, end = parse_day(first), parse_day(last)
    if end < start or end.year > LAST_YEAR or start.year < BEGINNING.year:
        raise InvalidRequest("The last day is not before the first, and both are sensible days.")
    return days(start, end)


def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The first instant (UTC) of a local day; a day without a midnight begins after the gap."""
    midnight = datetime.combine(day, time(), zone)
    instant = midnight.astimezone(UTC)
    if instant.astimezone(zone) == midnight:
        return instant
    # Clocks jumped over midnight, at most a day before: the first second that shows `day`.
    low = instant - _DAY
    steps = range(_DAY_S)
    return low + bisect_left(steps, day, key=lambda step: _local_day(low, step, zone)) * _SECOND


def _local_day(low: datetime, step: int, zone: ZoneInfo) -> date:
    return (low + step * _SECOND).astimezone(zone).date()


@lru_cache(maxsize=1)
def _zone_names() -> frozenset[str]:
    return frozenset(files("tzdata").joinpath("zones").read_text(encoding="ascii").split())


def _calendar_window(name: str, instant: datetime, zone: ZoneInfo) -> Period:
    first = _first_day(name, instant.astimezone(zone).date())
    start = start_of_day(first, zone)
    following = _next_first_day(name, first)
    end = start_of_day(following, zone)
    if instant >= end:
        return Period(end, start_of_day(_next_first_day(name, following), zone))
    return Period(start, end)


def _first_day(name: str, day: date) -> date:
    if name == MONTHLY:
        return day.replace(day=1)
    return day - day.weekday() * _DAY if name == WEEKLY else day


def _next_first_day(name: str, first: date) -> date:
    if name == MONTHLY:
        return (first.replace(day=28) + 4 * _DAY).replace(day=1)
    return first + (7 * _DAY if name == WEEKLY else _DAY)
