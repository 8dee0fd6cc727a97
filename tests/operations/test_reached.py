"""A limit that refuses, or is reached, is told of once for each window and bucket."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from billing_plugin import Actor, Billing, Money, operations
from billing_plugin.context import write_transaction
from billing_plugin.errors import InsufficientFunds, LimitExceeded
from billing_plugin.models.events import Event
from billing_plugin.operations import Submission, Usage
from tests.deeds import capture, hold, limit, spend
from tests.factories import Clock


def told(billing: Billing) -> list[Event]:
    with billing.instance.active():
        return list(Event.select().where(Event.name == "limit.reached").order_by(Event.id))


def over_a_hold(actor: Actor) -> None:
    hold(actor, "11")


def over_a_charge(actor: Actor) -> None:
    spend(actor, "11")


def over_a_capture(actor: Actor) -> None:
    capture(actor, hold(actor, "10"), "11", policy="if_available")


def over_a_batch(actor: Actor) -> None:
    uses = [Submission(Usage("m", cost=Money.parse("11")))]
    [outcome] = operations.record_usage_batch(actor, str(actor.account_id), uses)
    assert outcome.error
    raise outcome.error


@pytest.mark.parametrize("way", [over_a_hold, over_a_charge, over_a_capture, over_a_batch])
def test_a_refusal_is_told(billing: Billing, actor: Actor, way: Callable[[Actor], None]) -> None:
    """Though what was refused is rolled back."""
    found = limit(actor, "10", "daily", name="Day").limit
    with pytest.raises(LimitExceeded):
        way(actor)
    [event] = told(billing)
    assert event.data["limitId"] == found.id
    assert event.data["limitName"] == "Day"
    assert event.data["action"] == "hard"
    assert event.data["ceiling"] == {"amount": "10.00", "currency": "USD"}
    assert event.data["windowStart"] == "2026-03-09T00:00:00.000000Z"
    assert event.data["resetsAt"] == "2026-03-10T00:00:00.000000Z"
    assert event.data["bucket"] is None


def refused(actor: Actor, units: str = "11") -> None:
    with pytest.raises(LimitExceeded):
        spend(actor, units)


def test_it_is_told_once_in_a_window(billing: Billing, actor: Actor, clock: Clock) -> None:
    limit(actor, "10", "daily")
    for _ in range(5):
        refused(actor)
    billing.instance.kept.clear()  # another process
    refused(actor)
    assert len(told(billing)) == 1
    clock.forward(days=1)
    refused(actor)
    refused(actor)
    assert len(told(billing)) == 2


def test_a_process_that_has_told_it_asks_no_database(
    billing: Billing, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(actor, "10")
    refused(actor)
    monkeypatch.setattr("billing_plugin.models.reached.tell", None)  # calling it would fail
    refused(actor)


def test_each_bucket_is_told(billing: Billing, actor: Actor) -> None:
    limit(actor, "10", partitions=["model"])
    for model in ("a", "b", "a"):
        with pytest.raises(LimitExceeded):
            spend(actor, "11", model=model)
    assert [event.data["bucket"] for event in told(billing)] == [["a"], ["b"]]


def test_a_host_that_takes_its_transaction_back_has_told_nothing(
    billing: Billing, actor: Actor
) -> None:
    limit(actor, "10")
    with billing.instance.active():
        with pytest.raises(LimitExceeded), write_transaction():
            spend(actor, "11")
        assert told(billing) == []
    refused(actor)
    assert len(told(billing)) == 1


def test_a_soft_limit_tells_with_the_use_that_reaches_it(billing: Billing, actor: Actor) -> None:
    found = limit(actor, "10", action="soft").limit
    spend(actor, "9")
    assert told(billing) == []
    spend(actor, "2")
    spend(actor, "2")
    [event] = told(billing)
    assert (event.data["limitId"], event.data["action"]) == (found.id, "soft")
    assert event.data["spent"] == {"amount": "11.00", "currency": "USD"}


def test_a_shadow_limit_tells_nobody(billing: Billing, actor: Actor) -> None:
    limit(actor, "10", action="shadow")
    spend(actor, "20")
    assert told(billing) == []


def test_too_little_money_is_no_limit(billing: Billing, actor: Actor) -> None:
    limit(actor, "1000")
    with pytest.raises(InsufficientFunds):
        spend(actor, "101")
    assert told(billing) == []


def test_many_who_are_refused_at_once_tell_once(billing: Billing, actor: Actor) -> None:
    limit(actor, "10")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: refused(actor), range(24)))
    assert len(told(billing)) == 1
