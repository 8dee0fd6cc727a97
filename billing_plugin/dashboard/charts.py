"""The geometry of charts, in whole numbers: bars of a breakdown and a limit, columns of a trend."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

from billing_plugin.money import NANOS_PER_UNIT, Exact
from billing_plugin.operations.breakdowns import week_of

WIDTH, HEIGHT = 1_000, 200  # of a chart's own coordinates
MAX_COLUMNS = 370
WIDEST = 60  # column
_DAY = timedelta(days=1)


class Column(NamedTuple):
    """Where one value stands, and how high."""

    x: int
    y: int
    width: int
    height: int


class Columns(NamedTuple):
    """Values in time as columns, where the line of zero is, and the first and the last step."""

    columns: list[Column]
    zero: int
    first: str
    last: str


def attos(amount: Exact) -> int:
    """The amount as one whole number."""
    return amount.nanos * NANOS_PER_UNIT + amount.attos


def lengths(values: Sequence[int]) -> list[int]:
    """How long the bar of each is, the greatest as long as the chart; what is not zero is seen."""
    most = max((abs(value) for value in values), default=0)
    return [max(abs(value) * WIDTH // most, 1 if value else 0) if most else 0 for value in values]


def share(part: int, whole: int) -> int:
    """How long the bar of a part is, never longer than the chart's width."""
    return WIDTH if whole <= 0 else min(max(part, 0) * WIDTH // whole, WIDTH)


def columns(values: Sequence[tuple[str, int]], steps: Sequence[str]) -> Columns | None:
    """A column for each value, at its step of time; None where the steps are too many to draw."""
    if not 0 < len(steps) <= MAX_COLUMNS:
        return None
    place = {key: number for number, key in enumerate(steps)}
    amounts = [value for _, value in values]
    top, bottom = max((0, *amounts)), min((0, *amounts))
    span = (top - bottom) or 1
    zero = top * HEIGHT // span
    pitch = WIDTH // len(steps)
    width = min(pitch - max(pitch // 6, 1), WIDEST)
    found = []
    for key, value in values:
        height = max(abs(value) * HEIGHT // span, 1 if value else 0)
        y = zero - height if value > 0 else zero
        found.append(Column(place[key] * WIDTH // len(steps), y, width, height))
    return Columns(found, zero, steps[0], steps[-1])


def every_step(first: str, last: str, interval: str) -> list[str]:
    """Every day, ISO week or month from the first to the last, MAX_COLUMNS + 1 at most."""
    found = [first]
    while found[-1] != last and len(found) <= MAX_COLUMNS:
        found.append(_next(found[-1], interval))
    return found


def step_of(day: date, interval: str) -> str:
    """The day, week or month that the day is in."""
    if interval == "month":
        return f"{day:%Y-%m}"
    return week_of(str(day)) if interval == "week" else str(day)


def _next(key: str, interval: str) -> str:
    if interval == "month":
        year, month = int(key[:4]), int(key[5:])
        return f"{year + month // 12:04d}-{month % 12 + 1:02d}"
    if interval == "week":
        monday = date.fromisocalendar(int(key[:4]), int(key[6:]), 1)
        return week_of(str(monday + 7 * _DAY))
    return str(date.fromisoformat(key) + _DAY)
