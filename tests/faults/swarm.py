"""A swarm: N processes, one account, nested limits, one independent judge.

    python -m tests.faults.swarm --processes 16 --transactions 20000 --seed 1 --database URL|sqlite

The processes charge (alone and in batches), hold, capture, release, extend, let holds run out and
edit limits, all at once; with `--threads`, callers within a process meet as well. An observer looks
at committed states meanwhile. Afterwards the judge
(tests/faults/checker.py) replays the books, and what still fits is charged to the last nano: the
sum of what was accepted is then exactly what fits. `--overdraft` captures by that policy too;
`--naive balance` and `--naive limits` read, check and write instead, and must be caught.

Prints one line of JSON; the exit code is 1 where anything was wrong.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from typing import Any

from billing_plugin import Billing, Money, errors, operations
from tests.factories import billing_on
from tests.faults import places
from tests.faults.checker import Books, Ceiling, Checker
from tests.faults.swarming import Signs, Task, Told, Whose, observe, swarm, use_of

EACH = 280  # nanos that a transaction wants on the average
SLIDES_S = 4
LAYERS = {
    "total": Ceiling("total"),
    "key": Ceiling("total", about={"key": "k"}),
    "model": Ceiling("monthly", by="model"),
    "team": Ceiling("daily", by="team", zone="Europe/Berlin"),
    "agent": Ceiling(SLIDES_S, about={"agent": "bot"}, slides=True),
}


@dataclass(frozen=True)
class Plan:
    """How large a swarm is, and what it gets wrong on purpose."""

    processes: int
    transactions: int
    seed: int = 1
    overdraft: bool = False
    naive: str = ""
    threads: int = 1


@dataclass
class Result:
    """What came of it."""

    wrong: list[str]
    facts: dict[str, Any] = field(default_factory=dict)


def run(url: str, plan: Plan) -> Result:
    """One swarm on a prepared database."""
    billing = billing_on(url)
    try:
        return _run(billing, url, plan)
    finally:
        billing.close()


def _run(billing: Billing, url: str, plan: Plan) -> Result:
    demand = plan.transactions * EACH
    operator = billing.operator()
    account_id = operations.create_account(operator, "Swarm").id
    much = demand * 20
    balance = much if plan.naive == "limits" else demand * 45 // 100
    operations.adjust(operator, account_id, Money(balance))
    limits = _set_limits(billing, account_id, demand, naive=plan.naive)
    edited = {
        limits["total"]: (demand * 3 // 10, demand * 6 // 10),
        limits["key"]: (demand // 8, demand // 4),
    }
    each = -(-plan.transactions // (plan.processes * plan.threads))
    task = Task(
        url, account_id, each, plan.seed, edited,
        overdraft=plan.overdraft, naive=bool(plan.naive), threads=plan.threads,
    )  # fmt: skip
    told, seen, took_s = _swarm(task, plan.processes, _most(billing, account_id, edited))
    if not plan.naive:
        time.sleep(3.1)  # so that the last holds run out
        operations.update_limit(
            operator, account_id, limits["total"], amount=Money(demand * 6 // 10)
        )
    ceilings = {limits[name]: layer for name, layer in LAYERS.items()}
    verdict = Checker(url, account_id, ceilings).judge(told)
    wrong = verdict.wrong + seen[1] + operations.check_ledger(operator)
    wrong += [str(seal) for seal in operations.verify_ledger(operator).broken]
    if not plan.naive:
        wrong += _fill(billing, account_id, verdict.books)
        wrong += operations.check_ledger(operator)
    left = operations.check_balance(operator, account_id)
    facts = {
        "accepted": verdict.accepted, "refused": verdict.refused, "observed": seen[0],
        "left_nanos": left.available.nanos, **_figures(told, took_s),
    }  # fmt: skip
    return Result(wrong, facts)


def _set_limits(
    billing: Billing, account_id: str, demand: int, *, naive: str = ""
) -> dict[str, str]:
    """The limits, each of which refuses something; by their names in LAYERS. Against the naive
    way only one stands in the way, if any."""
    amounts = {
        "total": demand // 4, "key": demand // 5, "model": demand * 26 // 100,
        "team": demand * 27 // 100, "agent": max(demand // 120, 4_000),
    }  # fmt: skip
    open_wide = {"balance": set(LAYERS), "limits": set(LAYERS) - {"total"}}.get(naive, set())
    amounts |= dict.fromkeys(open_wide, demand * 20)
    found = {}
    for name, layer in LAYERS.items():
        by = {"team": "metadata.team"}.get(layer.by, layer.by)
        state = operations.set_limit(
            billing.operator(), account_id, Money(amounts[name]), window=layer.window,
            zone=layer.zone, technique="sliding" if layer.slides else "fixed", name=name,
            filters={dimension: [value] for dimension, value in layer.about.items()},
            partitions=[by] if by else [],
        )  # fmt: skip
        found[name] = state.limit.id
    return found


def _most(billing: Billing, account_id: str, edited: dict[str, tuple[int, int]]) -> dict[str, int]:
    """The most that any counter of a limit may show; a slot of one that slides no more either."""
    states = operations.list_limits(billing.operator(), account_id)
    return {
        state.limit.id: max(edited.get(state.limit.id, (0, 0))[1], state.ceiling.nanos)
        for state in states
    }


def _swarm(
    task: Task, processes: int, ceilings: dict[str, int]
) -> tuple[list[Told], tuple[int, list[str]], float]:
    """What every process told, what the observer saw, and how long it took."""
    fresh = multiprocessing.get_context("forkserver")  # fresh processes that import once
    fresh.set_forkserver_preload(["tests.faults.swarming"])
    with (
        fresh.Manager() as manager,
        ProcessPoolExecutor(processes + 1, mp_context=fresh) as pool,
    ):
        signs = Signs(manager.Barrier(processes + 1), manager.Event())
        seeing = pool.submit(observe, task, ceilings, signs)
        parts = list(pool.map(partial(swarm, task=task, signs=signs), range(processes)))
        signs.stop.set()
        told = [one for part in parts for one in part]
        took_s = max(one.after for one in told) - min(one.before for one in told)
        return told, seeing.result(60), took_s


def _fill(billing: Billing, account_id: str, books: Books) -> list[str]:
    """Charges exactly what the judge says still fits, and one nano more, which must not."""
    wrong: list[str] = []
    for key, model, team in product("kl", "ab", "xy"):
        whose = Whose(key, None, model, team)
        now = time.time()
        books.pass_time(now)
        room = books.room(whose, now)
        if room and _answer(billing, account_id, whose, room) != "ok":
            wrong.append(f"a charge of {room} fits and was refused at the end")
        books.count(whose, room, now)
        if _answer(billing, account_id, whose, 1) == "ok":
            wrong.append("one nano more than fits was accepted at the end")
    return wrong


def _answer(billing: Billing, account_id: str, whose: Whose, nanos: int) -> str:
    actor = billing.operator()._replace(key_id=whose.key, agent=whose.agent)
    try:
        operations.record_usage(actor, account_id, use_of(whose, nanos))
    except errors.BillingError as refusal:
        return refusal.code
    return "ok"


def _figures(told: list[Told], took_s: float) -> dict[str, Any]:
    """Counts by what was asked and answered, and how fast."""
    answers = Counter(f"{one.kind} {one.answer}" for one in told)
    waits = sorted(one.after - one.before for one in told)
    return {
        "asked": len(told), "seconds": round(took_s, 2),
        "attempts_per_s": round(len(told) / took_s, 1),
        "p50_ms": round(waits[len(waits) // 2] * 1000, 2),
        "p99_ms": round(waits[len(waits) * 99 // 100] * 1000, 2),
        "worst_ms": round(waits[-1] * 1000, 1), "answers": dict(sorted(answers.items())),
    }  # fmt: skip


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=16)
    parser.add_argument("--transactions", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", default="sqlite", help="sqlite, postgresql, or a URL")
    parser.add_argument("--threads", type=int, default=1, help="of each process")
    parser.add_argument("--overdraft", action="store_true")
    parser.add_argument("--naive", choices=("balance", "limits"), default="")
    said = vars(parser.parse_args())
    database = said.pop("database")
    plan = replace(Plan(1, 1), **said)
    with places.place(database) as url:
        found = run(url, plan)
    line = {"harness": "swarm", "database": url.partition(":")[0], **said, **found.facts}
    print(json.dumps({**line, "wrong": len(found.wrong), "first": found.wrong[:10]}))
    return 1 if found.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
