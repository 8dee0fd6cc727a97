"""Charts: lengths in proportion, nothing outside, no step of time left out."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_plugin.dashboard import charts
from billing_plugin.dashboard.charts import HEIGHT, MAX_COLUMNS, WIDTH
from billing_plugin.money import Exact

AMOUNTS = st.integers(-(10**36), 10**36)


@given(st.lists(AMOUNTS, max_size=40))
def test_bars_are_as_long_as_they_are_great(values: list[int]) -> None:
    found = charts.lengths(values)
    assert all(0 <= length <= WIDTH for length in found)
    assert all((length > 0) == (value != 0) for length, value in zip(found, values, strict=True))
    ordered = sorted(zip(map(abs, values), found, strict=True))
    assert [length for _, length in ordered] == sorted(found)
    assert not any(values) or max(found) == WIDTH


@pytest.mark.parametrize(
    ("part", "whole", "length"),
    [(0, 10, 0), (5, 10, 500), (10, 10, 1000), (11, 10, 1000), (-1, 10, 0), (1, 0, 1000)],
)
def test_the_bar_of_a_limit_never_leaves_it(part: int, whole: int, length: int) -> None:
    assert charts.share(part, whole) == length


@given(st.lists(AMOUNTS, min_size=1, max_size=60))
def test_columns_stand_on_the_line_of_zero_inside_the_chart(values: list[int]) -> None:
    steps = charts.every_step("2026-01-01", "2026-03-31", "day")
    chart = charts.columns(list(zip(steps, values, strict=False)), steps)
    assert chart
    assert 0 <= chart.zero <= HEIGHT
    assert (chart.first, chart.last) == ("2026-01-01", "2026-03-31")
    for value, column in zip(values, chart.columns, strict=True):
        edge = column.y + column.height if value > 0 else column.y
        assert edge == chart.zero
        assert column.width > 0
        assert 0 <= column.x <= WIDTH - column.width
        assert -1 <= column.y <= column.y + column.height <= HEIGHT + 1


def test_a_gap_in_time_is_a_gap_in_the_chart() -> None:
    steps = charts.every_step("2026-03-01", "2026-03-10", "day")
    chart = charts.columns([("2026-03-01", 1), ("2026-03-10", 2)], steps)
    assert chart
    assert [(column.x, column.height) for column in chart.columns] == [(0, 100), (900, 200)]


def test_every_day_week_and_month_in_between() -> None:
    assert charts.every_step("2026-02-27", "2026-03-01", "day") == [
        "2026-02-27", "2026-02-28", "2026-03-01",
    ]  # fmt: skip
    assert charts.every_step("2026-W52", "2027-W01", "week") == ["2026-W52", "2026-W53", "2027-W01"]
    assert charts.every_step("2025-11", "2026-02", "month") == [
        "2025-11", "2025-12", "2026-01", "2026-02",
    ]  # fmt: skip
    assert charts.every_step("2026-02", "2026-02", "month") == ["2026-02"]


def test_too_many_steps_are_not_drawn() -> None:
    steps = charts.every_step("1970-01-01", "9998-12-31", "day")
    assert len(steps) == MAX_COLUMNS + 1
    assert charts.columns([("1970-01-01", 1)], steps) is None
    assert charts.columns([], []) is None


def test_the_step_that_a_day_is_in() -> None:
    day = date(2027, 1, 1)
    assert [charts.step_of(day, interval) for interval in ("day", "week", "month")] == [
        "2027-01-01", "2026-W53", "2027-01",
    ]  # fmt: skip


def test_an_amount_is_one_whole_number() -> None:
    assert charts.attos(Exact.parse("-1.000000000000000001")) == -(10**18) - 1
