"""What each process of a crowd does. Light to import, for eight fresh processes must do so."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from billing_plugin import errors, operations
from billing_plugin.config import Settings
from billing_plugin.context import Actor, Instance, connect_to
from billing_plugin.models.base import execute, fetch_all
from billing_plugin.money import Money
from billing_plugin.operations import Submission, Usage

COST = Money.from_cents(17)
NAIVE_READ = "SELECT posted_nanos FROM billing_account WHERE id = ?"
NAIVE_WRITE = (
    "WITH moved AS (UPDATE billing_account SET posted_nanos = posted_nanos - ?,"
    " sequence = sequence + 1 WHERE id = ? RETURNING id, posted_nanos, sequence)"
    " INSERT INTO billing_ledger_entry (id, account_id, counter_account, kind, amount_nanos,"
    " currency, balance_after_nanos, sequence, actor, metadata, effective_at, recorded_at, seal)"
    " SELECT ?, id, 'revenue', 'adjustment', ?, 'USD', posted_nanos, sequence, 'host', '{}', now(),"
    " now(), '' FROM moved"
)


@contextmanager
def everything_allowed(url: str) -> Iterator[Actor]:
    """An operator with connections of its own."""
    database: Any = connect_to(url)
    try:
        yield Actor(Instance(database=database, settings=Settings()), scopes=frozenset({"*"}))
    finally:
        database.close_all()


def settle(_: int) -> int:
    time.sleep(0.5)
    return os.getpid()


def charging(number: int, *, url: str, account_id: str, times: int) -> list[str]:
    """One process that charges the same cost again and again, single and in batches."""
    with everything_allowed(url) as actor:
        used = Usage("m", cost=COST)
        codes = []
        for turn in range(times):
            if (turn + number) % 4:
                codes.append(code_of(lambda: operations.record_usage(actor, account_id, used)))
                continue
            three = [Submission(used)] * 3
            outcomes = operations.record_usage_batch(actor, account_id, three)
            codes += [outcome.error.code if outcome.error else "ok" for outcome in outcomes]
        return codes


def charging_or_editing(number: int, *, url: str, account_id: str) -> list[str]:
    if number:
        return charging(1, url=url, account_id=account_id, times=20)
    with everything_allowed(url) as actor:
        for units in range(50, 80):
            state = operations.set_limit(actor, account_id, Money.parse(str(units)))
            if units % 3 == 0:
                operations.remove_limit(actor, account_id, state.limit.id)
    return []


def with_one_key(number: int, *, url: str, account_id: str) -> list[str]:
    """Five threads of a process that all mean the same charge."""
    with everything_allowed(url) as actor:

        def once(_: int) -> str:
            done = operations.record_usage(
                actor, account_id, Usage("m", cost=COST), idempotency_key="the same"
            )
            assert done.record is not None
            return f"{done.record.id} {done.record.cost} {done.replayed}"

        with ThreadPoolExecutor(5) as pool:
            return list(pool.map(once, range(10)))


def crossing(number: int, *, url: str, account_ids: list[str]) -> list[str]:
    """Charges several accounts in an order of its own."""
    codes = []
    with everything_allowed(url) as operator:
        for turn in range(15):
            account_id = account_ids[(turn * (number + 1)) % len(account_ids)]
            wishes = [Submission(Usage("m", cost=COST), f"{number} {turn} {n}") for n in range(3)]
            outcomes = operations.record_usage_batch(operator, account_id, wishes)
            codes += [outcome.error.code if outcome.error else "ok" for outcome in outcomes]
        return codes


def charging_naively(number: int, *, url: str, account_id: str) -> list[str]:
    """The mistake: read, decide, then write. Kept here so that the checker itself is checked."""
    codes = []
    with everything_allowed(url) as actor, actor.instance.active():
        for turn in range(110):
            [(posted,)] = fetch_all(NAIVE_READ, (account_id,))
            time.sleep(0.001)
            codes.append("ok" if posted >= COST.nanos else "insufficient_funds")
            if codes[-1] == "ok":
                execute(NAIVE_WRITE, (COST.nanos, account_id, f"led_{number}_{turn}", -COST.nanos))
    return codes


def code_of(ask: Callable[[], Any]) -> str:
    """`ok`, or the code of the refusal; anything that is no refusal stays what it is."""
    try:
        ask()
    except errors.BillingError as refusal:
        return refusal.code
    return "ok"
