"""The same idempotency key from fifty callers at once: one effect, equal answers.

Five fresh processes of ten threads each say the very same thing at the same moment, for every
operation that takes a key.
"""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing.managers import SyncManager
from typing import Any

import pytest

from billing_plugin import Actor, Billing, Money, operations
from billing_plugin.models import events
from billing_plugin.operations import Usage
from tests.books import complaints, counts
from tests.factories import account_with, billing_on
from tests.faults.same import ASKED, HOOK, SEALING, in_threads

PROCESSES, THREADS = 5, 10
# the rows that one effect leaves, beside what was there before
EFFECTS: dict[str, dict[str, int]] = {
    "charge": {"usage_record": 1, "ledger_entry": 1, "usage_rollup": 1},
    "record_usage_batch": {"usage_record": 2, "ledger_entry": 1, "usage_rollup": 1},
    "hold": {"hold": 1},
    "capture": {"usage_record": 1, "ledger_entry": 1, "usage_rollup": 1},
    "capture with a key": {"usage_record": 1, "ledger_entry": 1, "usage_rollup": 1},
    "release": {},
    "extend": {"audit": 1},
    "approve_limit_raise": {"audit": 1},
    "deny_limit_raise": {"audit": 1},
    "create_account": {"account": 1, "audit": 1},
    "request_sync": {"sync_job": 1},
    "top_up": {
        "event": 2,
        "topup": 1,
        "ledger_entry": 1,
        "credit_grant": 1,
        "invoice": 1,
        "invoice_line": 1,
        "invoice_series": 1,
    },
    "set_limit": {"spending_limit": 1, "audit": 1},
    "refund_charge": {"ledger_entry": 1, "usage_record": 1, "credit_grant": 1},
    "reverse_entry": {"ledger_entry": 1, "usage_record": 1, "credit_grant": 1},
    "adjust": {"ledger_entry": 1, "credit_grant": 1},
    "grant_credit": {"ledger_entry": 1, "credit_grant": 1},
    "request_limit_raise": {"limit_raise": 1, "audit": 1, "event": 1},
    "create_item": {"item": 1, "item_tag": 1, "item_search": 1, "audit": 1},
    "set_price": {"price": 1, "price_version": 1},
    "end_price": {},
    "create_category": {"category": 1, "audit": 1},
    "begin_payment_method": {"customer": 1, "method_setup": 1},
    "add_webhook_endpoint": {"webhook_endpoint": 1, "audit": 1},
    "rotate_webhook_secret": {"audit": 1},
    "replay_delivery": {},
    "replay_events": {},
}
# where the sums of items stand, by database: the doctor counts them
SUMS = (
    "spend_day",
    "spend_month",
    "spend_date",
    "spend_provider_day",
    "spend_tag",
    "spend_tag_day",
    "spend_delta",
)
WITHOUT_A_KEY = {"capture", "reverse_entry"}  # once by what they are about
# known by other names here; of rerating the second is nothing by itself (tests/operations)
OTHERWISE = {"record_usage", "capture", "reverse_entry", "rerate_usage"}


@pytest.fixture(scope="module")
def fresh() -> Iterator[tuple[ProcessPoolExecutor, SyncManager]]:
    """Processes that have imported everything, and signs between them."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.faults.same"])
    with context.Manager() as manager, ProcessPoolExecutor(PROCESSES, mp_context=context) as pool:
        yield pool, manager


def test_every_operation_with_a_key_is_asked() -> None:
    assert set(EFFECTS) == set(ASKED)
    keyed = {
        name
        for name in operations.CATALOGUE
        if "idempotency_key" in _parameters(getattr(operations, name, None))
    }
    asked = set(EFFECTS) - WITHOUT_A_KEY - {"record_usage_batch", "capture with a key"}
    assert keyed - OTHERWISE == asked


@pytest.mark.parametrize("name", EFFECTS)
def test_fifty_callers_with_one_key_have_one_effect(
    database_url: str, fresh: tuple[ProcessPoolExecutor, SyncManager], name: str
) -> None:
    pool, manager = fresh
    billing = billing_on(
        database_url, secret_keys=SEALING
    )  # with the clock of the wall, as the processes have it
    actor = account_with(billing, "100")
    account_id = str(actor.account_id)
    about = _prepared(name, billing, actor)
    before = counts(billing)
    begin = manager.Barrier(PROCESSES)
    work: Callable[[int], list[Any]] = partial(
        in_threads, name, url=database_url, account_id=account_id, about=about,
        threads=THREADS, begin=begin,
    )  # fmt: skip
    answers = [answer for part in pool.map(work, range(PROCESSES)) for answer in part]
    assert len(answers) == PROCESSES * THREADS
    assert len({facts for facts, _ in answers}) == 1, Counter(answers)
    replayed = Counter(again for _, again in answers)
    if None not in replayed:
        assert replayed == {False: 1, True: PROCESSES * THREADS - 1}
    made = Counter(counts(billing)) - Counter(before)
    keys = {} if name in WITHOUT_A_KEY else {"idempotency_key": 1 + (name == "record_usage_batch")}
    for table in ("limit_counter", *SUMS):
        made.pop(table, None)
    if "usage_rollup" in before:
        made["usage_rollup"] = EFFECTS[name].get("usage_rollup", 0)
    assert +made == EFFECTS[name] | keys
    assert complaints(billing) == []


def _prepared(name: str, billing: Billing, actor: Actor) -> str:
    """The id of what the operation is about, where there must be something first."""
    account_id = str(actor.account_id)
    if name in ("refund_charge", "reverse_entry"):
        done = operations.record_usage(actor, account_id, Usage("m", cost=Money(100)))
        return str(done.record and done.record.entry_id)
    if name == "end_price":
        desk, price = billing.operator(), {"input_tokens": "1"}
        return str(operations.set_price(desk, "p", "m", prices=price).id)
    if name in ("capture", "capture with a key", "release", "extend"):
        return str(operations.hold(actor, account_id, Money(100)).hold.id)
    if name in ("rotate_webhook_secret", "replay_delivery", "replay_events"):
        endpoint_id = operations.add_webhook_endpoint(actor, account_id, HOOK).id
        operations.top_up(actor, account_id, Money.parse("5"))
        for event_id in _events(billing):
            operations.spread_event(billing.operator(), event_id)
        [delivery, *_] = operations.list_webhook_deliveries(actor, account_id, endpoint_id)
        return f"{endpoint_id} {delivery.id}"
    if "raise" in name:
        limit_id = operations.set_limit(actor, account_id, Money.parse("50")).limit.id
        if name == "request_limit_raise":
            return limit_id
        wish = operations.request_limit_raise(
            actor, account_id, limit_id, amount=Money(17), lasts_s=600
        )
        return str(wish.id)
    return ""


def _events(billing: Billing) -> list[str]:
    with billing.instance.active():
        return events.left_behind(9)


def _parameters(function: Any) -> tuple[str, ...]:
    import inspect

    return tuple(inspect.signature(function).parameters) if callable(function) else ()
