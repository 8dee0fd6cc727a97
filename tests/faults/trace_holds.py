"""The public trace, charged through holds by many processes against one balance and three limits.

    python -m tests.faults.trace_holds --processes 16 [--rows N] [--database sqlite|postgresql|URL]

Each process takes every N-th request of the trace: it holds what the request costs at most (all of
its output tokens at 1,000), then captures what it cost. The balance covers less than the whole;
a total, a monthly limit and one bucket for each of four teams lie just above and below it. What
was captured is added up from the file by exact fractions: not a nano more may be in the books, and
in the end the next request must be refused. Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from billing_plugin import Money, errors, operations
from billing_plugin.operations import Usage
from tests.crowd import everything_allowed
from tests.factories import billing_on
from tests.faults import places
from tests.faults.swarming import reader

TRACE = Path(__file__).parents[3] / "shared" / "data" / "azure-llm-trace-conv-2023.csv"
READ_NANOS, WRITTEN_NANOS, MOST_WRITTEN = 2_500, 10_000, 1_000  # gpt-4o, and its longest answer
TEAMS = 4


@dataclass(frozen=True, slots=True)
class Share:
    """What a process needs to know."""

    url: str
    account_id: str
    rows: int
    processes: int


def requests(rows: int) -> list[tuple[int, int]]:
    """Tokens in and out of the trace's beginning."""
    lines = TRACE.read_text(encoding="utf-8").splitlines()[1 : rows + 1]
    return [(int(read), int(written)) for _, read, written in (line.split(",") for line in lines)]


def cost_of(read: int, written: int) -> int:
    """Exact nanos of a request; both prices are whole nanos a token."""
    return read * READ_NANOS + written * WRITTEN_NANOS


def charge_share(number: int, *, share: Share, begin: Any) -> list[tuple[int, str]]:
    """The numbers of this process' requests, each with what became of it."""
    told = []
    with everything_allowed(share.url) as actor:
        begin.wait(120)
        for row, (read, written) in enumerate(requests(share.rows)):
            if row % share.processes == number:
                told.append((row, _charge(actor, share.account_id, row, (read, written))))
    return told


def _charge(actor: Any, account_id: str, row: int, tokens: tuple[int, int]) -> str:
    read, written = tokens
    team = {"team": f"team {row % TEAMS}"}
    try:
        made = operations.hold(
            actor, account_id, Money(cost_of(read, MOST_WRITTEN)), provider="openai",
            model="gpt-4o", metadata=team, expires_in_s=60, idempotency_key=f"row {row}",
        ).hold  # fmt: skip
        used = Usage("gpt-4o", "openai", read, written, cost=Money(cost_of(read, written)))
        operations.capture(actor, account_id, made.id, taken=used)
    except errors.BillingError as refusal:
        return refusal.code
    return "ok"


def run(url: str, *, processes: int, rows: int) -> dict[str, Any]:
    """Charges the trace; the facts, with everything that is `wrong`."""
    costs = [cost_of(*one) for one in requests(rows)]
    billing = billing_on(url)
    try:
        operator = billing.operator()
        account_id = operations.create_account(operator, "Trace").id
        balance = sum(costs) * 6 // 10
        operations.adjust(operator, account_id, Money(balance))
        ceilings = {
            "total": sum(costs) * 62 // 100, "monthly": sum(costs) * 58 // 100,
            "daily": sum(costs) * 16 // 100,
        }  # fmt: skip
        for window, nanos in ceilings.items():
            by = ["metadata.team"] if window == "daily" else []
            operations.set_limit(operator, account_id, Money(nanos), window=window, partitions=by)
        told, took_s = _in_processes(Share(url, account_id, rows, processes))
        return _judged(billing, url, account_id, told, costs=costs, ceilings=ceilings) | {
            "processes": processes, "rows": rows, "balance": balance, "ceilings": ceilings,
            "seconds": round(took_s, 1), "requests_per_s": round(len(told) / took_s),
        }  # fmt: skip
    finally:
        billing.close()


def _in_processes(share: Share) -> tuple[list[tuple[int, str]], float]:
    fresh = multiprocessing.get_context("forkserver")
    fresh.set_forkserver_preload(["tests.faults.swarming"])
    with (
        fresh.Manager() as manager,
        ProcessPoolExecutor(share.processes, mp_context=fresh) as pool,
    ):
        begin = manager.Barrier(share.processes + 1)
        work = partial(charge_share, share=share, begin=begin)
        parts = pool.map(work, range(share.processes))
        begin.wait(120)
        began = time.monotonic()
        told = [one for part in parts for one in part]
        return told, time.monotonic() - began


def _judged(
    billing: Any, url: str, account_id: str, told: list[tuple[int, str]], *, costs: list[int],
    ceilings: dict[str, int],
) -> dict[str, Any]:  # fmt: skip
    """Adds up what was captured, by the file and by the books."""
    operator = billing.operator()
    answers = Counter(answer for _, answer in told)
    spent = sum(costs[row] for row, answer in told if answer == "ok")
    by_team = Counter(dict.fromkeys(range(TEAMS), 0))
    for row, answer in told:
        by_team[row % TEAMS] += costs[row] if answer == "ok" else 0
    ask, close = reader(url)
    [[(booked,)], [(stored,)]] = ask([
        "SELECT COALESCE(-SUM(amount_nanos), 0) FROM billing_ledger_entry"
        " WHERE account_id = ? AND kind = 'usage'",
        "SELECT COALESCE(SUM(cost_nanos), 0) FROM billing_usage_record WHERE account_id = ?",
    ], account_id)  # fmt: skip
    close()
    balance = operations.check_balance(operator, account_id)
    wrong = operations.check_ledger(operator)
    wrong += [str(one) for one in operations.verify_ledger(operator).broken]
    if not spent == int(booked) == int(stored):
        wrong.append(f"captured {spent}, booked {booked}, recorded {stored}")
    if spent > min(ceilings["total"], ceilings["monthly"]) or balance.available.nanos < 0:
        wrong.append("overspent")
    if max(by_team.values()) > ceilings["daily"] or balance.held.nanos:
        wrong.append(f"a team's limit was passed, or {balance.held} stayed held")
    if set(answers) - {"ok", "limit_exceeded", "insufficient_funds"}:
        wrong.append(f"a caller met {set(answers)}")
    room = min(
        balance.available.nanos, ceilings["total"] - spent, ceilings["monthly"] - spent,
        ceilings["daily"] - by_team[0],
    )  # fmt: skip
    if _takes(operator, account_id, room) != "ok" or _takes(operator, account_id, 1) == "ok":
        wrong.append(f"the last {room} nanos and no more should have fitted")
    return {"answers": dict(answers), "spent": spent, "left": room, "wrong": wrong}


def _takes(operator: Any, account_id: str, nanos: int) -> str:
    used = Usage("gpt-4o", "openai", cost=Money(nanos), metadata={"team": "team 0"})
    try:
        operations.record_usage(operator, account_id, used)
    except errors.BillingError as refusal:
        return refusal.code
    return "ok"


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=16)
    parser.add_argument("--rows", type=int, default=19_366)
    parser.add_argument("--database", default="sqlite", help="sqlite, postgresql, or a URL")
    said = parser.parse_args()
    if not TRACE.exists():
        parser.error(f"{TRACE.name} is not beside this project.")
    with places.place(said.database) as url:
        found = run(url, processes=said.processes, rows=said.rows)
    line = {"harness": "trace_holds", "database": url.partition(":")[0], **found}
    print(json.dumps(line))
    return 1 if found["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
