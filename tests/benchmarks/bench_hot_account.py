"""G2: many callers charge one account at once: `charge()` with its group commit, against the best
hand-written statement for each charge. Every charge is durable; afterwards the sums must be exact.

For 1, 8 and 32 callers, throughput and the 99th percentile of the waiting time; the goal is about
32: PostgreSQL 8 times the throughput and a tenth of the p99, SQLite 3 times the throughput.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from threading import Barrier, local
from typing import Any

from billing_plugin import operations
from tests.benchmarks.books import COST, MODEL, PROVIDER, Arena, arenas
from tests.benchmarks.harness import Comparison, Goal, Spread, machine, options, report, spread

CALLERS = (1, 8, 32)
CHARGES = {"sqlite": 1_600, "postgresql": 1_600}
GOALS = {
    ("sqlite", 32, "throughput"): 3.0,
    ("postgresql", 32, "throughput"): 8.0,
    ("postgresql", 32, "p99"): 10.0,
}
Charge = Callable[[str], None]
_numbers = itertools.count()


def main() -> int:
    """Measure, check, report."""
    wanted = options(__doc__, rounds=7)
    comparisons: list[Comparison] = []
    with arenas() as found:
        for arena in found:
            for callers in CALLERS:
                comparisons += crowd(arena, callers, wanted.rounds)
    return report(comparisons, json_wanted=wanted.json)


def crowd(arena: Arena, callers: int, rounds: int) -> list[Comparison]:
    """Both crowds in turns; how many times faster ours is, and how many times shorter its p99."""
    runs = []
    with ThreadPoolExecutor(callers) as pool:
        for turn in range(rounds + 1):
            pair = [(0, ours(arena)), (1, by_hand(arena))]
            done = {}
            for which, charge in pair if turn % 2 else reversed(pair):
                done[which] = run(pool, callers, CHARGES[arena.backend] // callers, charge=charge)
            runs.append((done[0], done[1]))
    runs = runs[1:]
    faster = spread([theirs[0] / mine[0] for mine, theirs in runs])
    shorter = spread([theirs[1] / mine[1] for mine, theirs in runs])
    total = sum(mine[2] for mine, _ in runs)
    rate = total / sum(mine[0] for mine, _ in runs)
    said = {
        "callers": callers, "charges_per_s": round(rate),
        "p99_ms": round(median(mine[1] for mine, _ in runs) * 1000, 2), **arena.conditions,
    }  # fmt: skip
    correct = not arena.ours.complaints() and arena.ours.spent() == arena.theirs.spent()
    return [
        _comparison(arena, (callers, what), found, said=said, correct=correct, rounds=rounds)
        for what, found in (("throughput", faster), ("p99", shorter))
    ]


def run(
    pool: ThreadPoolExecutor, callers: int, times: int, *, charge: Charge
) -> tuple[float, float, int]:
    """Seconds in all, the 99th percentile of one charge in seconds, and how many there were."""
    together = Barrier(callers + 1)

    def one(_: int) -> list[float]:
        charge(f"key {next(_numbers)}")  # with its connection open
        together.wait()
        waited = []
        for _turn in range(times):
            began = time.perf_counter()
            charge(f"key {next(_numbers)}")
            waited.append(time.perf_counter() - began)
        return waited

    futures = [pool.submit(one, number) for number in range(callers)]
    together.wait()
    began = time.perf_counter()
    waited = sorted(itertools.chain.from_iterable(future.result() for future in futures))
    return time.perf_counter() - began, waited[int(len(waited) * 0.99)], len(waited)


def ours(arena: Arena) -> Charge:
    """The product, as any thread calls it."""
    actor, account_id = arena.ours.actor, arena.ours.account_id

    def charge(key: str) -> None:
        operations.charge(
            actor, account_id, COST, provider=PROVIDER, model=MODEL, idempotency_key=key
        )

    return charge


def by_hand(arena: Arena) -> Charge:
    """The reference, with a connection for each thread."""
    own: Any = local()

    def charge(key: str) -> None:
        if not hasattr(own, "raw"):
            own.raw = arena.another_raw()
        own.raw.charge(COST.nanos, provider=PROVIDER, model=MODEL, key=key)

    return charge


def _comparison(
    arena: Arena, about: tuple[int, str], found: Spread, *, said: dict[str, Any], correct: bool,
    rounds: int,
) -> Comparison:  # fmt: skip
    callers, what = about
    bound = GOALS.get((arena.backend, callers, what), 0.0)
    goal = Goal("G2", arena.backend, bound, judged_on="ratio", direction="at_least")
    return Comparison(
        goal, f"charge(), {callers} callers: {what}", "raw SQL", rounds, ratio=found,
        cpu_ratio=found, correct=correct, conditions={**machine(), **said},
    )  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(main())
