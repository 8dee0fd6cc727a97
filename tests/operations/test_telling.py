"""Operations tell what has happened: once, with the change."""

from __future__ import annotations

from typing import Any

import pytest

from billing_plugin import Actor, Billing, Money, operations
from billing_plugin.errors import PaymentDeclined
from billing_plugin.models.events import Event
from billing_plugin.models.sync_jobs import SyncJob
from billing_plugin.operations.sync import MAX_ATTEMPTS
from billing_plugin.processors import fake
from tests.deeds import limit
from tests.factories import Clock
from tests.telling import buy


def told(billing: Billing) -> list[tuple[str, dict[str, Any]]]:
    """Names and facts, in order."""
    with billing.instance.active():
        return [(event.name, event.data) for event in Event.select().order_by(Event.id)]


def names(billing: Billing) -> list[str]:
    return [name for name, _ in told(billing)]


def test_a_top_up_that_is_settled_often_is_told_once(billing: Billing, actor: Actor) -> None:
    topup_id = buy(actor)
    for _ in range(3):
        operations.check_topup(actor, str(actor.account_id), topup_id)
        operations.reconcile_topups(billing.operator())
    [(_, data), _] = told(billing)
    assert names(billing) == ["topup.succeeded", "invoice.finalized"]
    assert data["topupId"] == topup_id
    assert data["amount"] == {"amount": "5.00", "currency": "USD"}
    assert (data["processor"], data["failure"]) == ("fake", None)
    assert data["paymentId"].startswith("pi_fake_")


def test_a_declined_one(billing: Billing, actor: Actor) -> None:
    for _ in range(2):
        with pytest.raises(PaymentDeclined):
            buy(actor, payment_method="fake_declined", idempotency_key="once")
    [(name, data)] = told(billing)
    assert (name, data["failure"] != "") == ("topup.failed", True)


def test_one_whose_answer_is_lost_is_told_when_it_is_known(
    billing: Billing, actor: Actor, clock: Clock
) -> None:
    buy(actor, payment_method="fake_lost_answer")
    assert told(billing) == []
    clock.forward(minutes=10)
    operations.reconcile_topups(billing.operator())
    assert names(billing) == ["topup.succeeded", "invoice.finalized"]


def test_one_that_never_arrived(billing: Billing, actor: Actor, clock: Clock) -> None:
    buy(actor, payment_method="fake_never_arrived")
    for _ in range(4):
        clock.forward(hours=1)
        operations.reconcile_topups(billing.operator())
    [(name, data)] = told(billing)
    assert (name, data["failure"], data["paymentId"]) == ("topup.failed", "never_arrived", None)


def test_one_that_waits_for_its_payer(
    billing: Billing, actor: Actor, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fake, "WAITS_S", 10_000)
    topup_id = buy(actor, payment_method="fake_3ds")
    assert told(billing) == []
    monkeypatch.setattr(fake, "WAITS_S", 0)
    operations.check_topup(actor, str(actor.account_id), topup_id)
    assert names(billing) == ["topup.succeeded", "invoice.finalized"]


def test_a_wish_for_a_raise(billing: Billing, actor: Actor) -> None:
    found = limit(actor, "10").limit
    for _ in range(2):
        wish = operations.request_limit_raise(
            actor, str(actor.account_id), found.id, amount=Money.parse("5"), lasts_s=3600,
            reason="a launch", idempotency_key="once",
        )  # fmt: skip
    [(name, data)] = told(billing)
    assert name == "limit.raise_requested"
    assert (data["raiseId"], data["limitId"], data["reason"]) == (wish.id, found.id, "a launch")
    assert data["amount"] == {"amount": "5.00", "currency": "USD"}
    assert data["untilAt"] == "2026-03-09T15:32:00.000000Z"


def connect(actor: Actor, **settings: str) -> str:
    mine, keys = str(actor.account_id), {"api_key": "k"}
    return operations.connect(actor, mine, "fake", credentials=keys, settings=settings).id


def test_a_sync_that_fails(billing: Billing, actor: Actor) -> None:
    broken = connect(actor, fail="auth")
    connect(actor, balance="5")
    job = operations.request_sync(actor, str(actor.account_id))
    [(name, data)] = told(billing)
    assert (name, data["jobId"], data["synced"]) == ("sync.failed", job.id, 1)
    [failed] = data["failed"]
    assert (failed["integrationId"], failed["provider"]) == (broken, "fake")
    assert failed["error"]


def test_a_sync_that_succeeds_tells_nothing(billing: Billing, actor: Actor) -> None:
    connect(actor, balance="5")
    operations.request_sync(actor, str(actor.account_id))
    assert told(billing) == []


def test_a_sync_that_is_given_up(billing: Billing, actor: Actor, clock: Clock) -> None:
    connect(actor, balance="5")
    billing.instance.enqueue = lambda _job, _id: None
    job = operations.request_sync(actor, str(actor.account_id))
    with billing.instance.active():
        SyncJob.update(attempt=MAX_ATTEMPTS).execute()
    clock.forward(minutes=5)
    operations.schedule_syncs(billing.operator())
    [(name, data)] = told(billing)
    assert (name, data) == ("sync.failed", {"jobId": job.id, "synced": 0, "failed": []})
