"""What the next days may come to: exact where days repeat, honest where they do not."""

from __future__ import annotations

import pytest

from billing_plugin.operations.outlooks import (
    MIN_DAYS,
    NO_RECENT_SPEND,
    TOO_LITTLE_HISTORY,
    Outlook,
    outlooks,
    reason,
    remainders,
)
from tests.backtests.forecast import foreseen
from tests.backtests.made_up import KINDS, made_up

WEEK = [70, 70, 70, 70, 70, 7, 0]


def after(days: list[int], ahead: int, coverage: int = 80) -> Outlook | None:
    return next(outlooks(days, [ahead], coverage=coverage))


def test_weeks_that_repeat_go_on() -> None:
    days = WEEK * 8
    for ahead, comes_to in ((1, 70), (5, 350), (6, 357), (7, 357), (8, 427), (28, 4 * 357)):
        assert after(days, ahead) == (comes_to,) * 3
    assert after(days + WEEK[:5], 2) == (7,) * 3
    assert after(days, 0) == (0, 0, 0)


def test_too_little_is_no_outlook() -> None:
    assert after([5] * (MIN_DAYS - 1), 3) is None
    assert reason([5] * (MIN_DAYS - 1)) == reason([]) == TOO_LITTLE_HISTORY
    assert after([5] * MIN_DAYS, 3) == (15, 15, 15)


@pytest.mark.parametrize("recent", [0, -1])
def test_no_pace_is_no_outlook(recent: int) -> None:
    days = [5] * 60 + [recent] * 28
    assert after(days, 3) is None
    assert reason(days) == NO_RECENT_SPEND


def test_days_that_are_nearly_all_empty_do_not_tell() -> None:
    days = [0] * 40
    days[3] = days[-3] = 100
    assert after(days, 5) is None
    assert reason(days) == TOO_LITTLE_HISTORY


def test_a_trend_goes_on() -> None:
    days = [1_000_000 + 10_000 * day for day in range(120)]
    told = after(days, 10)
    assert told is not None
    comes_to = sum(1_000_000 + 10_000 * day for day in range(120, 130))
    rule = 10 * (sum(days[-28:]) // 28)
    assert abs(told.expected - comes_to) < abs(rule - comes_to) // 2


def test_a_surer_interval_is_wider() -> None:
    days = made_up("weekdays", 1)[:150]
    widths = [told.high - told.low for told in (after(days, 7, c) for c in (50, 80, 90)) if told]
    assert widths == sorted(set(widths))


def test_only_the_last_half_year_is_asked() -> None:
    days = made_up("plain", 2)[:182]
    assert after([10**15] * 100 + days, 9) == after(days, 9)


@pytest.mark.parametrize(("today", "rest"), [(0, 70), (69, 1), (70, 0), (500, 0)])
def test_today_is_a_day_like_it_or_already_more(today: int, rest: int) -> None:
    [told] = remainders(WEEK * 8, today, [0], coverage=80)
    assert told == (rest,) * 3
    [two] = remainders(WEEK * 8, today, [1], coverage=80)
    assert two is not None
    assert two.low >= rest + 60


@pytest.mark.parametrize("kind", KINDS)
def test_eight_in_ten_intervals_hold_what_then_happens(kind: str) -> None:
    series = [made_up(kind, seed) for seed in range(100, 130)]
    for past in (range(30, 70, 13), range(110, 260, 25)):
        found = foreseen(series, past, (2, 12, 26))
        assert found.number > 150
        assert 70 <= found.coverage <= 95
