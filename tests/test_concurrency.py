"""Many processes, one account: what fits is accepted, nothing more, nothing less, nothing twice."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

import pytest

from billing_plugin import Actor, Billing, Money, operations
from tests import crowd
from tests.books import complaints, counts, run_sql
from tests.crowd import COST
from tests.databases import PostgresServer
from tests.factories import account_with, billing_on

PROCESSES = 8
FITTING = 10_000 // 17
Spread = Callable[..., Counter[str]]


@pytest.fixture(scope="module")
def processes() -> Iterator[ProcessPoolExecutor]:
    """Fresh processes (not forks) that have imported everything and wait."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, mp_context=spawn) as pool:
        assert len(set(pool.map(crowd.settle, range(PROCESSES)))) == PROCESSES
        yield pool


def wrongs(billing: Billing, account_id: str, codes: Counter[str], *, fitting: int) -> list[str]:
    """The checker: everything that contradicts `fitting` charges of COST from an account of 100."""
    found = complaints(billing)
    if codes["ok"] != fitting:
        found.append(f"{codes['ok']} charges were accepted, {fitting} fit")
    strange = set(codes) - {"ok", "insufficient_funds", "limit_exceeded"}
    if strange:
        found.append(f"a caller met {strange}")
    posted = operations.check_balance(billing.operator(), account_id).posted.nanos
    if posted != 100 * 10**9 - codes["ok"] * COST.nanos or posted < 0:
        found.append(f"the balance is {posted} after {codes['ok']} charges")
    return found


@pytest.fixture
def hot(database_url: str) -> Iterator[tuple[Billing, Actor]]:
    """An account of 100 dollars that every process charges at once."""
    billing = billing_on(database_url)  # with the clock of the wall, as the processes have it
    yield billing, account_with(billing, "100")
    billing.instance.database.close_all()  # type: ignore[attr-defined]  # of peewee's pools


@pytest.fixture
def in_processes(processes: ProcessPoolExecutor, database_url: str) -> Spread:
    return partial(spread, processes, url=database_url)


def spread(
    pool: ProcessPoolExecutor, work: Callable[..., list[str]], *, url: str, **said: Any
) -> Counter[str]:
    """How often each answer came when every process did its part of the work at once."""
    parts = pool.map(partial(work, url=url, **said), range(PROCESSES))
    return Counter(answer for answers in parts for answer in answers)


def test_the_balance_is_spent_to_the_last_charge(
    hot: tuple[Billing, Actor], in_processes: Spread
) -> None:
    billing, actor = hot
    account_id = str(actor.account_id)
    codes = in_processes(crowd.charging, account_id=account_id, times=65)
    assert wrongs(billing, account_id, codes, fitting=FITTING) == []
    assert codes["insufficient_funds"] == codes.total() - FITTING > 0


def test_the_limit_is_spent_to_the_last_charge(
    hot: tuple[Billing, Actor], in_processes: Spread
) -> None:
    billing, actor = hot
    account_id = str(actor.account_id)
    for window in ("monthly", "total"):
        operations.set_limit(actor, account_id, Money.parse("50"), window=window)
    codes = in_processes(crowd.charging, account_id=account_id, times=35)
    assert wrongs(billing, account_id, codes, fitting=5_000 // 17) == []
    [monthly, total] = operations.list_limits(actor, account_id)
    assert monthly.spent == total.spent == Money.from_cents(5_000 // 17 * 17)


def test_limits_set_and_removed_meanwhile_lose_no_count(
    hot: tuple[Billing, Actor], in_processes: Spread
) -> None:
    billing, actor = hot
    account_id = str(actor.account_id)
    codes = in_processes(crowd.charging_or_editing, account_id=account_id)
    assert wrongs(billing, account_id, codes, fitting=7 * 30) == []


def test_one_key_from_many_threads_and_processes_is_one_charge(
    hot: tuple[Billing, Actor], in_processes: Spread
) -> None:
    billing, actor = hot
    account_id = str(actor.account_id)
    answers = in_processes(crowd.with_one_key, account_id=account_id)
    assert sorted(answers.values()) == [1, PROCESSES * 10 - 1]
    assert [answer.rpartition(" ")[2] for answer, _ in answers.most_common()] == ["True", "False"]
    assert len({answer.rpartition(" ")[0] for answer in answers}) == 1
    assert counts(billing)["usage_record"] == counts(billing)["idempotency_key"] == 1
    assert wrongs(billing, account_id, Counter(ok=1), fitting=1) == []


def test_accounts_charged_crosswise_never_meet(
    hot: tuple[Billing, Actor], in_processes: Spread
) -> None:
    billing, actor = hot
    account_ids = [str(actor.account_id)] + [
        str(account_with(billing, "100").account_id) for _ in range(6)
    ]
    for account_id in account_ids:
        operations.set_limit(billing.operator(), account_id, Money.parse("90"))
    codes = in_processes(crowd.crossing, account_ids=account_ids)
    assert codes == {"ok": PROCESSES * 15 * 3}
    assert complaints(billing) == []


def test_the_checker_catches_the_naive_way(
    processes: ProcessPoolExecutor, pg_server: PostgresServer, pg_template: str
) -> None:
    """With the table's CHECK taken away, it overspends while every sum still agrees."""
    with pg_server.database(pg_template) as url:
        billing = billing_on(url)
        account_id = str(account_with(billing, "100").account_id)
        run_sql(billing, "ALTER TABLE billing_account DROP CONSTRAINT billing_account_check")
        codes = spread(processes, crowd.charging_naively, url=url, account_id=account_id)
        found = wrongs(billing, account_id, codes, fitting=FITTING)
        billing.instance.database.close_all()  # type: ignore[attr-defined]  # of peewee's pools
    assert not any("add up" in sentence for sentence in found)
    assert f"{account_id}: available is below the floor" in found
    assert any("charges were accepted" in sentence for sentence in found)
