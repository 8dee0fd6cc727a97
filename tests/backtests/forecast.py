"""How often what then happened lay in the interval, and how far off the expectation was.

`python -m tests.backtests.forecast` prints it for made-up series with little and with much of a
past, and for what real data there is beside the project. Real data is thin: an hour of a model
service, whose minutes stand for days, and one month of bills, which leaves two days to foresee.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from statistics import median
from typing import NamedTuple

from billing_plugin.operations.outlooks import MIN_DAYS, outlooks
from tests.backtests.made_up import KINDS, made_up

DATA = Path(__file__).parents[3] / "shared" / "data"
TRACE, BILLS = DATA / "azure-llm-trace-conv-2023.csv", DATA / "focus-1.0-sample.csv"
AHEAD = (1, 3, 10, 20, 30)
PASTS = {
    "28 to 69 days": range(28, 70, 8),
    "70 to 99": range(70, 100, 6),
    "100 to 260": range(100, 260, 12),
}
SEEDS = range(40)
NANOS = {"ContextTokens": 2_500, "GeneratedTokens": 10_000}  # a token, of a price like gpt-4o's


class Figures(NamedTuple):
    """Of how many forecasts; how many in a hundred held what then happened; in percent, by how much
    the middle one was off, and how wide the middle interval was, both of what then happened."""

    number: int
    coverage: int
    error: int
    width: int

    def __str__(self) -> str:
        return f"{self.number:6} {self.coverage:5} %{self.error:7} %{self.width:7} %"


def foreseen(
    series: Iterable[Sequence[int]], past: Iterable[int], aheads: Sequence[int] = AHEAD
) -> Figures:
    """Foresees, after each number of days of each series, so many days ahead."""
    return figures(told for days in series for told in replayed(days, past, aheads))


def replayed(
    days: Sequence[int], past: Iterable[int], aheads: Sequence[int]
) -> Iterator[tuple[int, int, int, int]]:
    """Low, expected, high, and what then happened."""
    for at in past:
        known = [ahead for ahead in aheads if at + ahead <= len(days)]
        for ahead, told in zip(known, outlooks(days[:at], known, coverage=80), strict=True):
            if told is not None:
                yield (*told, sum(days[at : at + ahead]))


def figures(replays: Iterable[tuple[int, int, int, int]]) -> Figures:
    """The same in four numbers."""
    all_of_them = list(replays)
    held = sum(low <= came <= high for low, _, high, came in all_of_them)
    sizable = [one for one in all_of_them if one[3] > 0]
    errors = [Fraction(abs(told - came), came) for _, told, _, came in sizable]
    widths = [Fraction(high - low, came) for low, _, high, came in sizable]
    return Figures(
        len(all_of_them), round(100 * Fraction(held, len(all_of_them) or 1)),
        round(100 * median(errors)), round(100 * median(widths)),
    )  # fmt: skip


def minutes(path: Path = TRACE) -> list[int]:
    """What each whole minute of the trace would cost, in nanos."""
    found: dict[str, int] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            minute = row["TIMESTAMP"][:16]
            cost = sum(int(row[name]) * nanos for name, nanos in NANOS.items())
            found[minute] = found.get(minute, 0) + cost
    return [found[minute] for minute in sorted(found)[1:-1]]


def bills(path: Path = BILLS) -> list[int]:
    """What each day of the bills cost, in units of 10**-11."""
    found: dict[str, Decimal] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            day = row["ChargePeriodStart"][:10]
            found[day] = found.get(day, Decimal(0)) + Decimal(row["BilledCost"])
    days = [f"2024-09-{day:02}" for day in range(1, 31)]
    return [int(found.get(day, Decimal(0)).scaleb(11)) for day in days]


def main() -> None:
    """Prints all of it."""
    print("80 % intervals          forecasts  held  mid.error  mid.width")
    for name, past in PASTS.items():
        for kind in KINDS:
            print(f"{name:14} {kind:9}", foreseen([made_up(kind, seed) for seed in SEEDS], past))
    for path in (TRACE, BILLS):
        if not path.exists():
            print(
                f"The public file {path.name} is not beside this project: nothing real is tested."
            )
    if TRACE.exists():
        hour = minutes()
        for ahead in (1, 3, 10):
            past = range(MIN_DAYS, len(hour))
            print(f"minutes of a trace, {ahead:3}", foreseen([hour], past, [ahead]))
    if BILLS.exists():
        for replay in replayed(bills(), range(MIN_DAYS, 30), (1, 2)):
            print("days of bills: low, expected, high, came", *replay)


if __name__ == "__main__":
    main()
