"""What each of fifty callers says with one key. Light to import."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from billing_plugin import Money, operations
from billing_plugin.config import Settings
from billing_plugin.context import Actor, Instance, connect_to
from billing_plugin.money import Exact
from billing_plugin.operations import Submission, Usage
from billing_plugin.periods import parse_time
from billing_plugin.processors.fake import FakeProcessor
from billing_plugin.vault import Vault

KEY = "the very same"
HOOK = "https://hooks.example.com/"
SEALING = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="  # what one seals, all open
Answer = tuple[str, bool | None]  # what everybody must be told alike; whether it was a replay


def charge(actor: Actor, account_id: str, _: str) -> Answer:
    used = Usage("m", cost=Money(17))
    done = operations.record_usage(actor, account_id, used, idempotency_key=KEY)
    assert done.record
    return f"{done.record.id} {done.record.cost} {done.record.recorded_at}", done.replayed


def batch(actor: Actor, account_id: str, _: str) -> Answer:
    said = [Submission(Usage("m", cost=Money(17)), f"{KEY} {number}") for number in range(2)]
    done = operations.record_usage_batch(actor, account_id, said)
    ids = [one.record.id for one in done if one.record]
    assert len({one.replayed for one in done}) == 1
    return f"{ids}", done[0].replayed


def hold(actor: Actor, account_id: str, _: str) -> Answer:
    done = operations.hold(actor, account_id, Money(17), idempotency_key=KEY)
    return f"{done.hold.id} {done.hold.amount} {done.hold.expires_at}", done.replayed


def capture(actor: Actor, account_id: str, about: str) -> Answer:
    done = operations.capture(actor, account_id, about, taken=Money(60))
    return f"{done.hold.id} {done.hold.captured} {done.record.id}", done.replayed


def capture_with_a_key(actor: Actor, account_id: str, about: str) -> Answer:
    done = operations.capture(actor, account_id, about, taken=Money(60), idempotency_key=KEY)
    return f"{done.hold.id} {done.hold.captured} {done.record.id}", done.replayed


def release(actor: Actor, account_id: str, about: str) -> Answer:
    done = operations.release(actor, account_id, about, idempotency_key=KEY)
    return f"{done.hold.id} {done.hold.status} {done.hold.resolved_at}", done.replayed


def extend(actor: Actor, account_id: str, about: str) -> Answer:
    done = operations.extend(actor, account_id, about, expires_in_s=5_000, idempotency_key=KEY)
    return f"{done.hold.id} {done.hold.expires_at}", done.replayed


def approve(actor: Actor, account_id: str, about: str) -> Answer:
    done = operations.approve_limit_raise(actor, account_id, about, idempotency_key=KEY)
    return f"{done.id} {done.status} {done.decided_at}", None


def deny(actor: Actor, account_id: str, about: str) -> Answer:
    done = operations.deny_limit_raise(actor, account_id, about, idempotency_key=KEY)
    return f"{done.id} {done.status} {done.decided_at}", None


def create_account(actor: Actor, _: str, __: str) -> Answer:
    done = operations.create_account(actor, "A", idempotency_key=KEY)
    return f"{done.id} {done.created_at}", None


def request_sync(actor: Actor, account_id: str, _: str) -> Answer:
    return operations.request_sync(actor, account_id, idempotency_key=KEY).id, None


def top_up(actor: Actor, account_id: str, _: str) -> Answer:
    done = operations.top_up(actor, account_id, Money.parse("25"), idempotency_key=KEY)
    return f"{done.id} {done.amount_nanos}", None


def set_limit(actor: Actor, account_id: str, _: str) -> Answer:
    done = operations.set_limit(actor, account_id, Money.parse("50"), idempotency_key=KEY)
    return f"{done.limit.id} {done.limit.amount} {done.limit.revision}", None


def refund_charge(actor: Actor, account_id: str, about: str) -> Answer:
    done = operations.refund_charge(actor, account_id, about, amount=Money(30), idempotency_key=KEY)
    return f"{done.id} {done.amount} {done.sequence}", None


def reverse_entry(actor: Actor, account_id: str, about: str) -> Answer:
    done = operations.reverse_entry(actor, account_id, about)
    return f"{done.id} {done.amount} {done.sequence}", None


def adjust(actor: Actor, account_id: str, _: str) -> Answer:
    done = operations.adjust(actor, account_id, Money(17), idempotency_key=KEY)
    return f"{done.id} {done.sequence}", None


def grant_credit(actor: Actor, account_id: str, _: str) -> Answer:
    done = operations.grant_credit(actor, account_id, Money(17), idempotency_key=KEY)
    return f"{done.id} {done.sequence}", None


def set_price(actor: Actor, _: str, __: str) -> Answer:
    price = {"input_tokens": "1"}
    done = operations.set_price(actor, "p", "m", prices=price, idempotency_key=KEY)
    return f"{done.id} {done.created_at}", None


def end_price(actor: Actor, _: str, about: str) -> Answer:
    done = operations.end_price(actor, about, idempotency_key=KEY)
    return f"{done.id} {done.valid_until}", None


def request_limit_raise(actor: Actor, account_id: str, about: str) -> Answer:
    done = operations.request_limit_raise(
        actor, account_id, about, amount=Money(17), lasts_s=60, idempotency_key=KEY
    )
    return f"{done.id} {done.until_at}", None


def create_category(actor: Actor, account_id: str, _: str) -> Answer:
    made = operations.create_category(actor, account_id, "Cloud", idempotency_key=KEY)
    return f"{made.id} {made.updated_at}", made.replayed


def create_item(actor: Actor, account_id: str, _: str) -> Answer:
    draft = operations.ItemDraft("n", Exact(17), provider="p", provider_ref="r", tags=["t"])
    done = operations.create_item(actor, account_id, draft, idempotency_key=KEY)
    return f"{done.item.id} {done.item.amount} {done.item.updated_at}", done.replayed


def begin_payment_method(actor: Actor, account_id: str, _: str) -> Answer:
    done = operations.begin_payment_method(actor, account_id, idempotency_key=KEY)
    return f"{done.id} {done.setup_id} {done.client_secret}", done.replayed


def add_webhook_endpoint(actor: Actor, account_id: str, _: str) -> Answer:
    made = operations.add_webhook_endpoint(actor, account_id, HOOK, idempotency_key=KEY)
    return f"{made.id} {made.secret}", made.replayed


def rotate_webhook_secret(actor: Actor, account_id: str, about: str) -> Answer:
    endpoint_id = about.split(maxsplit=1)[0]
    done = operations.rotate_webhook_secret(actor, account_id, endpoint_id, idempotency_key=KEY)
    return f"{done.id} {done.secret}", done.replayed


def replay_delivery(actor: Actor, account_id: str, about: str) -> Answer:
    delivery_id = about.split()[1]
    done = operations.replay_delivery(actor, account_id, delivery_id, idempotency_key=KEY)
    return f"{done.id} {done.try_at}", done.replayed


def replay_events(actor: Actor, account_id: str, about: str) -> Answer:
    since, until = parse_time("2000-01-01T00:00:00Z"), parse_time("2100-01-01T00:00:00Z")
    done = operations.replay_events(
        actor, account_id, about.split(maxsplit=1)[0], since=since, until=until, idempotency_key=KEY
    )
    return f"{done.number} {done.last_id}", done.replayed


ASKED: dict[str, Callable[[Actor, str, str], Answer]] = {
    "charge": charge,
    "record_usage_batch": batch,
    "hold": hold,
    "capture": capture,
    "capture with a key": capture_with_a_key,
    "release": release,
    "extend": extend,
    "approve_limit_raise": approve,
    "deny_limit_raise": deny,
    "create_account": create_account,
    "request_sync": request_sync,
    "top_up": top_up,
    "set_limit": set_limit,
    "refund_charge": refund_charge,
    "reverse_entry": reverse_entry,
    "adjust": adjust,
    "grant_credit": grant_credit,
    "request_limit_raise": request_limit_raise,
    "create_item": create_item,
    "set_price": set_price,
    "end_price": end_price,
    "create_category": create_category,
    "begin_payment_method": begin_payment_method,
    "add_webhook_endpoint": add_webhook_endpoint,
    "rotate_webhook_secret": rotate_webhook_secret,
    "replay_delivery": replay_delivery,
    "replay_events": replay_events,
}


def in_threads(
    name: str, _: int, *, url: str, account_id: str, about: str, threads: int, begin: Any
) -> list[Answer]:
    """One process: its threads wait for each other and for the other processes, then all ask."""
    database: Any = connect_to(url)
    instance = Instance(
        database=database, settings=Settings(), processor=FakeProcessor(),
        open_vault=lambda: Vault(SEALING),
    )  # fmt: skip
    actor = Actor(instance, scopes=frozenset({"*"}))
    together = Barrier(threads, action=lambda: begin.wait(60))

    def ask(_: int) -> Answer:
        together.wait(60)
        return ASKED[name](actor, account_id, about)

    try:
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(ask, range(threads)))
    finally:
        database.close_all()
