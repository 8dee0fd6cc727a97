"""G3: `hold()` and `capture()` of part of it, against hand-written SQL doing the same.

SQLite is judged by CPU time, PostgreSQL by the wall; both durable, and the doctor judges both.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from billing_plugin import operations
from tests.benchmarks.books import COST, MODEL, PROVIDER, Arena, arenas
from tests.benchmarks.harness import Comparison, Contestant, Goal, compare, options, report

TIMES = 300
HELD = COST + COST
LASTING_S = 600
GOALS = {
    "sqlite": Goal("G3", "sqlite", bound=1.3),
    "postgresql": Goal("G3", "postgresql", bound=1.3, judged_on="ratio"),
}


def main() -> int:
    """Measure, check, report."""
    wanted = options(__doc__)
    with arenas() as found:
        return report([pairs(arena, wanted.rounds) for arena in found], json_wanted=wanted.json)


def pairs(arena: Arena, rounds: int) -> Comparison:
    """Both on databases of their own."""

    def ours() -> None:
        actor, account_id = arena.ours.actor, arena.ours.account_id
        for _ in range(TIMES):
            held = operations.hold(
                actor, account_id, HELD, provider=PROVIDER, model=MODEL, expires_in_s=LASTING_S
            )
            operations.capture(actor, account_id, held.hold.id, taken=COST)

    def by_hand() -> None:
        for _ in range(TIMES):
            until = datetime.now(UTC) + timedelta(seconds=LASTING_S)
            hold_id = arena.raw.hold(HELD.nanos, provider=PROVIDER, model=MODEL, until=until)
            arena.raw.capture(hold_id, COST.nanos, provider=PROVIDER, model=MODEL)

    with arena.ours.billing.instance.active():
        return compare(
            GOALS[arena.backend], Contestant("hold() + capture()", ours),
            Contestant("raw SQL", by_hand), rounds=rounds,
            conditions={"pairs": TIMES, **arena.conditions}, check=arena.agrees,
        )  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(main())
