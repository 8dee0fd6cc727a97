"""G12: a charge at a ledger of five million rows, each with a random caller key that is still kept,
against a charge at an empty one. The product on both sides, on each database.

The rows are laid by plain SQL, as a million charges a minute would take an hour: entries, usage
records and keys of the same form and size, over a thousand other accounts.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from billing_plugin import operations
from billing_plugin.models.base import execute
from tests.benchmarks.books import COST, MODEL, PROVIDER, Busy, busy, postgresql
from tests.benchmarks.harness import Comparison, Contestant, Goal, compare, report

TIMES = 400
ACCOUNTS = 1_000
GOALS = {
    "sqlite": Goal("G12", "sqlite", bound=1.4, judged_on="ratio"),
    # 0.85 times the throughput is 1 / 0.85 times the time
    "postgresql": Goal("G12", "postgresql", bound=1.176, judged_on="ratio"),
}
NUMBERS = {
    "sqlite": "WITH RECURSIVE n (i) AS (SELECT ? UNION ALL SELECT i + 1 FROM n WHERE i < ?)",
    "postgresql": "WITH n (i) AS (SELECT * FROM generate_series(CAST(? AS bigint), ?))",
}
HEX = {
    "sqlite": "substr('{zeros}' || ({i}), -32)".replace("{zeros}", "0" * 32),
    "postgresql": "lpad(to_hex({i}), 32, '0')",
}
FACTS = """'{"model":"gpt-4o","provider":"openai","tokens":0}'"""
RANDOM = {"sqlite": "randomblob(16)", "postgresql": "uuid_send(gen_random_uuid())"}
TIME = {
    "sqlite": "strftime('%Y-%m-%dT%H:%M:%S', 1760000000 + i / 4, 'unixepoch') || '.000000Z'",
    "postgresql": "to_timestamp(1760000000 + i / 4)",
}
FILL = (
    "INSERT INTO billing_account (id, name, currency, due_at, created_at, sequence)"
    " {numbers} SELECT 'acct_' || {hex}, 'x', 'USD', '9999-01-01T00:00:00.000000Z', {time},"
    " 0 FROM n WHERE i <= {accounts}",
    "INSERT INTO billing_ledger_entry (id, account_id, counter_account, kind, amount_nanos,"
    " currency, balance_after_nanos, sequence, actor, metadata, effective_at, recorded_at, seal)"
    " {numbers} SELECT 'led_' || {hex}, 'acct_' || {owner}, 'revenue', 'usage', -2100000, 'USD',"
    " 0, 1 + i / {accounts}, 'host', {metadata}, {time}, {time}, {seal} FROM n",
    "INSERT INTO billing_usage_record (id, account_id, entry_id, provider, model, quantities,"
    " price, cost_nanos, currency, flagged, metadata, effective_at, recorded_at)"
    " {numbers} SELECT 'use_' || {hex}, 'acct_' || {owner}, 'led_' || {hex}, 'openai', 'gpt-4o',"
    " '{{}}', {price}, 2100000, 'USD', 0, '{{}}', {time}, {time} FROM n",
    "INSERT INTO billing_idempotency_key (digest, content, result_id, day_number)"
    " {numbers} SELECT {random} AS digest, {random}, 'use_' || {hex}, 20400 FROM n ORDER BY digest",
)


def main() -> int:
    """Fill, measure, check, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object per comparison")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--database", choices=list(GOALS), action="append")
    wanted = parser.parse_args()
    backends = tuple(wanted.database or GOALS)
    found: list[Comparison] = []
    with tempfile.TemporaryDirectory() as folder, postgresql(backends) as server:
        if "sqlite" in backends:
            urls = [f"sqlite:///{Path(folder) / name}.db" for name in ("full", "empty")]
            found.append(grown("sqlite", urls, rows=wanted.rows, rounds=wanted.rounds))
        if server:
            with server.database() as full, server.database() as empty:
                urls = [full, empty]
                found.append(grown("postgresql", urls, rows=wanted.rows, rounds=wanted.rounds))
    return report(found, json_wanted=wanted.json)


def grown(backend: str, urls: list[str], *, rows: int, rounds: int) -> Comparison:
    """The full one against the empty one."""
    full, empty = (busy(url) for url in urls)
    fill(backend, full, rows)
    numbers = itertools.count()
    before = full.spent()
    with full.billing.instance.active():
        counted = execute("SELECT COUNT(*) FROM billing_idempotency_key").fetchone()[0]
    comparison = compare(
        GOALS[backend], Contestant(f"charge() at {rows:,} rows", charging(full, numbers)),
        Contestant("charge() at none", charging(empty, numbers)), rounds=rounds,
        conditions={"charges": TIMES, "keys_kept": counted},
        check=lambda: full.spent() == empty.spent() and full.spent() > before,
    )  # fmt: skip
    for one in (full, empty):
        one.billing.close()
    return comparison


def charging(books: Busy, numbers: itertools.count[int]) -> Callable[[], None]:
    """Many charges with keys as callers choose them."""

    def charge() -> None:
        with books.billing.instance.active():
            for _ in range(TIMES):
                operations.charge(
                    books.actor, books.account_id, COST, provider=PROVIDER, model=MODEL,
                    idempotency_key=f"{uuid4()} {next(numbers)}",
                )  # fmt: skip

    return charge


def fill(backend: str, books: Busy, rows: int, *, step: int = 500_000) -> None:
    """Lays the rows."""
    turn = f"(1 + i - (i / {ACCOUNTS}) * {ACCOUNTS})"  # no percent sign: it would be a place
    words = {
        "numbers": NUMBERS[backend], "hex": HEX[backend].format(i="i"), "time": TIME[backend],
        "owner": HEX[backend].format(i=turn), "random": RANDOM[backend], "accounts": ACCOUNTS,
        "metadata": FACTS, "price": """'{"source":"caller"}'""", "seal": f"'{'0' * 64}'",
    }  # fmt: skip
    with books.billing.instance.active():
        for statement in FILL:
            sql = statement.format(**words)
            last = ACCOUNTS if "billing_account" in sql.split("(")[0] else rows
            for start in range(1, last + 1, step):
                execute(sql, (start, min(start + step - 1, last)))
        if backend == "postgresql":
            execute("VACUUM ANALYZE")
            execute("CHECKPOINT")
        else:
            execute("PRAGMA wal_checkpoint(TRUNCATE)")


if __name__ == "__main__":
    raise SystemExit(main())
