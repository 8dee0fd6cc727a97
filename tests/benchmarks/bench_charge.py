"""G1: one `charge()`, idempotent, limited and ledgered, against hand-written SQL doing the same.

SQLite is judged by CPU time, PostgreSQL by the wall; both with every charge durable. Afterwards
the doctor and the seals must find nothing in either's books.
"""

from __future__ import annotations

import itertools

from billing_plugin import operations
from tests.benchmarks.books import COST, MODEL, PROVIDER, Arena, arenas
from tests.benchmarks.harness import Comparison, Contestant, Goal, compare, options, report

TIMES = 400
GOALS = {
    "sqlite": Goal("G1", "sqlite", bound=1.3),
    "postgresql": Goal("G1", "postgresql", bound=1.3, judged_on="ratio"),
}


def main() -> int:
    """Measure, check, report."""
    wanted = options(__doc__)
    with arenas() as found:
        return report([charge(arena, wanted.rounds) for arena in found], json_wanted=wanted.json)


def charge(arena: Arena, rounds: int) -> Comparison:
    """Both on databases of their own."""
    numbers = itertools.count()

    def ours() -> None:
        for _ in range(TIMES):
            operations.charge(
                arena.ours.actor, arena.ours.account_id, COST, provider=PROVIDER, model=MODEL,
                idempotency_key=f"key {next(numbers)}",
            )  # fmt: skip

    def by_hand() -> None:
        for _ in range(TIMES):
            key = f"key {next(numbers)}"
            arena.raw.charge(COST.nanos, provider=PROVIDER, model=MODEL, key=key)

    with arena.ours.billing.instance.active():
        return compare(
            GOALS[arena.backend], Contestant("charge()", ours), Contestant("raw SQL", by_hand),
            rounds=rounds, conditions={"charges": TIMES, **arena.conditions}, check=arena.agrees,
        )  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(main())
