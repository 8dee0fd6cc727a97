"""Made-up days of spending, in nanos, the same for the same seed."""

from __future__ import annotations

from math import exp
from random import Random

DAYS = 300
WEEKDAYS = (1.0, 1.1, 1.05, 1.0, 0.9, 0.3, 0.25)
KINDS = (
    "plain", "weekdays", "trend", "bursts", "shift", "drifting", "heavy", "sticky",
)  # fmt: skip
UNIT = 10**11  # a hundred dollars on an ordinary day


def made_up(kind: str, seed: int, number: int = DAYS) -> list[int]:
    """Days of that kind: noise of a quarter around 100.00, and

    weekdays: few at the weekend; trend: 0.6 % more each day, and weekdays; bursts: nothing on four
    days of five; shift: twice or half from some day on, and weekdays; drifting: the level walks by
    4 % a day; heavy: now and then many times as much; sticky: good and bad weeks.
    """
    random, days, level, mood = Random(f"{kind} {seed}"), [], 1.0, 0.0
    shift = random.randint(number // 5, number * 4 // 5)
    for day in range(number):
        mood = 0.7 * mood + random.gauss(0, 0.2)
        level *= exp(random.gauss(0, 0.04)) if kind == "drifting" else 1
        amount = level * exp(random.gauss(0, 1.0 if kind == "heavy" else 0.25))
        if kind in ("weekdays", "trend", "shift"):
            amount *= WEEKDAYS[day % 7]
        if kind == "shift" and day >= shift:
            amount *= (2, 0.5)[seed % 2]
        amount *= 1.006**day if kind == "trend" else 1
        amount *= exp(mood) if kind == "sticky" else 1
        if kind == "bursts":
            amount *= (random.random() < 0.2) * exp(random.gauss(0, 0.8))
        days.append(int(amount * UNIT))
    return days
