"""G1: one `charge()`, idempotent, limited and ledgered, against hand-written SQL doing the same.

SQLite is judged by CPU time, PostgreSQL by the wall; both with every charge durable. Afterwards
the doctor and the seals must find nothing in either's books.
"""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

from billing_plugin import operations
from tests.benchmarks.books import CEILING, COST, MODEL, PROVIDER, busy
from tests.benchmarks.harness import Comparison, Contestant, Goal, compare, options, report
from tests.benchmarks.raw_sqlite import RawSqlite

TIMES = 400
GOAL = Goal("G1", "sqlite", bound=1.3)


def main() -> int:
    """Measure, check, report."""
    wanted = options(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        return report([on_sqlite(Path(folder), wanted.rounds)], json_wanted=wanted.json)


def on_sqlite(folder: Path, rounds: int) -> Comparison:
    """Both on files of their own."""
    ours, theirs = busy(f"sqlite:///{folder}/ours.db"), busy(f"sqlite:///{folder}/theirs.db")
    raw = RawSqlite(
        f"{folder}/theirs.db", theirs.account_id, theirs.limit_id, ceiling=CEILING.nanos
    )
    numbers = itertools.count()

    def charge() -> None:
        for _ in range(TIMES):
            operations.charge(
                ours.actor, ours.account_id, COST, provider=PROVIDER, model=MODEL,
                idempotency_key=f"key {next(numbers)}",
            )  # fmt: skip

    def by_hand() -> None:
        for _ in range(TIMES):
            key = f"key {next(numbers)}"
            raw.charge(COST.nanos, provider=PROVIDER, model=MODEL, key=key)

    with ours.billing.instance.active():
        return compare(
            GOAL, Contestant("charge()", charge), Contestant("raw sqlite3", by_hand),
            rounds=rounds, conditions={"charges": TIMES, "synchronous": "FULL"},
            check=lambda: not ours.complaints() + theirs.complaints()
            and ours.spent() == theirs.spent(),
        )  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(main())
