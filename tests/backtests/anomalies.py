"""How many spikes are found, and how many ordinary days are taken for one.

`python -m tests.backtests.anomalies` puts a day of several times its own amount, or of nothing,
into made-up series.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from billing_plugin.operations.anomalies import MIN_DAYS, WINDOW_DAYS, is_far, norm
from tests.backtests.made_up import KINDS, UNIT, made_up

SEEDS = range(40)
SPIKES = (2, 3, 5, 10, 0)
LEAST = UNIT // 100


def is_alarm(days: Sequence[int], at: int) -> bool:
    """Whether that day is far from the norm of the days before it."""
    weeks = min(at, WINDOW_DAYS) // 7
    return is_far(days[at], norm(days[at - 7 * weeks : at]), least=LEAST)


def false_alarms(kind: str, seeds: Sequence[int] = SEEDS) -> tuple[int, int]:
    """Alarms, and the days on which there might have been one, where nothing was put in."""
    alarms = number = 0
    for seed in seeds:
        days = made_up(kind, seed)
        alarms += sum(is_alarm(days, at) for at in range(MIN_DAYS, len(days)))
        number += len(days) - MIN_DAYS
    return alarms, number


def found(kind: str, times: int, seeds: Sequence[int] = SEEDS) -> tuple[int, int]:
    """How many of how many spikes of so many times the day's amount are found."""
    hits = number = 0
    for seed in seeds:
        days, random = made_up(kind, seed), Random(seed)
        for at in random.sample(range(WINDOW_DAYS, len(days)), 10):
            if days[at]:
                spiked = [*days[:at], days[at] * times]
                hits, number = hits + is_alarm(spiked, at), number + 1
    return hits, number


def main() -> None:
    """Prints both, in percent."""
    print("          false alarms   found of", *(f"x{times}" for times in SPIKES))
    for kind in KINDS:
        alarms, days = false_alarms(kind)
        shares = [100 * hits // number for hits, number in (found(kind, one) for one in SPIKES)]
        print(f"{kind:9} {100 * alarms / days:10.2f} %    ", *(f"{share} %" for share in shares))


if __name__ == "__main__":
    main()
