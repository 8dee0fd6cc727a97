"""Windows tile time in every IANA zone from 2024 to 2035, day by day, by another arithmetic.

The oracle knows a zone as stretches of one UTC offset, found by looking at its clocks every twelve
hours and halving to the second in which they change. Where a local day begins then follows from
additions alone: no local time is ever turned into UTC by the library that the product uses for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib.resources import files
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_plugin.periods import MAX_WINDOW_S, SLOTS, slot, slot_length, start_of_day, window

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_S, LOOK_S = 86_400, 12 * 3_600
FIRST, LAST = date(2024, 1, 1), date(2036, 1, 1)
BEGIN_S, END_S = ((day - date(1970, 1, 1)).days * DAY_S for day in (FIRST, LAST))
PARTS = 4
KINDS = (
    *("Africa/Cairo", "America/Havana", "America/Santiago", "Asia/Beirut", "Europe/Berlin"),
    *("Asia/Kathmandu", "Pacific/Kiritimati"),
)
Stretch = tuple[int, int, int]  # from, to, seconds that its clocks are ahead of UTC


def zones() -> list[str]:
    """Every zone by its first name; others with the very same file are aliases."""
    folder = files("tzdata").joinpath("zoneinfo")
    names = files("tzdata").joinpath("zones").read_text(encoding="ascii").split()
    found: dict[bytes, str] = {}
    for name in sorted(names):
        found.setdefault(folder.joinpath(*name.split("/")).read_bytes(), name)
    return sorted(found.values())


def ahead(zone: ZoneInfo, second: int) -> int:
    at = EPOCH + timedelta(seconds=second)
    offset = at.astimezone(zone).utcoffset()
    assert offset is not None
    return offset.days * DAY_S + offset.seconds


@cache
def stretches(name: str) -> list[Stretch]:
    """The stretches of one offset, from a few days before 2024 to a few days into 2036."""
    zone = ZoneInfo(name)
    start, end = BEGIN_S - 4 * DAY_S, END_S + 4 * DAY_S
    found: list[Stretch] = []
    since, offset = start, ahead(zone, start)
    for second in range(start, end, LOOK_S):
        now = ahead(zone, second)
        if now != offset:
            low, high = second - LOOK_S, second
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (low, middle) if ahead(zone, middle) != offset else (middle, high)
            found.append((since, high, offset))
            since, offset = high, now
    return [*found, (since, end, offset)]


def beginning(day: int, name: str) -> int:
    """The first second at which the zone's clocks show a day (by its number) or a later one."""
    for since, to, offset in stretches(name):
        first = max(since, day * DAY_S - offset)
        if first < to:
            return first
    raise AssertionError("beyond the years that are looked at")


def number(day: date) -> int:
    return (day - date(1970, 1, 1)).days


def day_of(day: int) -> date:
    return date(1970, 1, 1) + timedelta(days=day)


def instant(second: int) -> datetime:
    return EPOCH + timedelta(seconds=second)


def first_days(kind: str) -> Iterator[int]:
    """Numbers of the days on which windows begin, by counting: 1970 began on a Thursday."""
    for day in range(number(FIRST) + 31, number(LAST)):
        monday = (day + 3) % 7 == 0
        if kind == "daily" or (kind == "weekly" and monday):
            yield day
        if kind == "monthly" and day_of(day).day == 1:
            yield day


def test_the_oracle_knows_zones_of_every_kind() -> None:
    """There are zones without a midnight on some day, with two, and that never change."""
    gaps, repeats, still = set(), set(), set()
    for name in KINDS:
        found = stretches(name)
        still |= {name} if len(found) == 1 else set()
        for (_, to, before), (_, _, after) in pairwise(found):
            first, last = to + min(before, after), to + max(before, after)
            if -(-first // DAY_S) * DAY_S < last:  # a midnight lies in what was skipped or repeated
                (gaps if after > before else repeats).add(name)
    assert len(zones()) > 300
    assert gaps == {"Africa/Cairo", "America/Havana", "America/Santiago", "Asia/Beirut"}
    assert repeats == {"America/Havana"}
    assert still == {"Asia/Kathmandu", "Pacific/Kiritimati"}


@pytest.mark.parametrize("part", range(PARTS))
def test_every_day_of_every_zone_begins_where_its_clocks_say(part: int) -> None:
    for name in zones()[part::PARTS]:
        zone = ZoneInfo(name)
        for day in range(number(FIRST), number(LAST)):
            found = start_of_day(day_of(day), zone)
            assert found == instant(beginning(day, name)), (name, day_of(day))


@pytest.mark.parametrize("part", range(PARTS))
def test_weeks_and_months_tile_time_in_every_zone(part: int) -> None:
    for name in zones()[part::PARTS]:
        for kind in ("weekly", "monthly"):
            days = list(first_days(kind))
            for day, following in pairwise(days):
                start, end = beginning(day, name), beginning(following, name)
                for second in (start, end - 1):
                    found = window(kind, instant(second), name)
                    assert (found.start, found.end) == (instant(start), instant(end)), (name, kind)


@pytest.mark.parametrize("part", range(PARTS))
def test_days_around_every_change_of_clocks_tile_time(part: int) -> None:
    leap_days = [number(date(year, 2, 29)) for year in (2024, 2028, 2032)]
    for name in zones()[part::PARTS]:
        changes = [to for _, to, _ in stretches(name)[:-1] if BEGIN_S < to < END_S]
        days = {second // DAY_S + step for second in changes for step in (-1, 0, 1)}
        for day in sorted(days | set(leap_days)):
            start, end = beginning(day, name), beginning(day + 1, name)
            seconds = {
                start,
                end - 1,
                *(s for c in changes for s in (c - 1, c) if start <= s < end),
            }
            for second in seconds if start < end else ():
                found = window("daily", instant(second), name)
                assert (found.start, found.end) == (instant(start), instant(end)), (name, second)


def test_a_week_53_is_one_week() -> None:
    for monday in (date(2026, 12, 28), date(2032, 12, 27)):
        days = [monday + timedelta(days=step) for step in range(7)]
        assert {day.isocalendar()[:2] for day in days} == {(monday.year, 53)}
        noons = [datetime(day.year, day.month, day.day, 12, tzinfo=UTC) for day in days]
        assert len({window("weekly", noon) for noon in noons}) == 1


@settings(deadline=None)
@given(
    st.integers(1, MAX_WINDOW_S) | st.sampled_from([1, 7, 60, 3_600, DAY_S, 30 * DAY_S]),
    st.integers(BEGIN_S * 10**6, END_S * 10**6),
)
def test_slots_tile_time_and_64_of_them_are_the_window(length_s: int, micros: int) -> None:
    at = EPOCH + timedelta(microseconds=micros)
    size = length_s * 15_625  # microseconds: a 64th of a second is a whole number of them
    found = slot(length_s, at)
    start = micros - micros % size
    assert found.start == EPOCH + timedelta(microseconds=start)
    assert found.end == EPOCH + timedelta(microseconds=start + size)
    assert slot_length(length_s) * SLOTS == timedelta(seconds=length_s)
    assert slot(length_s, found.end).start == found.end
    assert start == 0 or slot(length_s, found.start - timedelta(microseconds=1)).end == found.start
