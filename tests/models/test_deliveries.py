"""Deliveries: taken by one, ended by whoever has them, and begun again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing_plugin import Actor, Billing, operations
from billing_plugin.context import write_transaction
from billing_plugin.models import deliveries, events
from billing_plugin.models.deliveries import DELIVERED, FAILED, PENDING, Delivery
from tests.factories import START
from tests.telling import buy, endpoint

SOON, LATER = START + timedelta(minutes=1), START + timedelta(hours=1)


@pytest.fixture
def delivery_id(billing: Billing, actor: Actor) -> str:
    """One delivery that is due now."""
    endpoint(actor, "https://hooks.example.com/in")
    buy(actor)
    with billing.instance.active():
        [event_id] = events.left_behind(1)
        assert operations.spread_event(billing.operator(), event_id) == 1
        [found] = deliveries.of_event(event_id)
    return found


def claim(billing: Billing, delivery_id: str, *, at: object = START) -> Delivery | None:
    with billing.instance.active(), write_transaction():
        return deliveries.claim(delivery_id, at, until=at + timedelta(seconds=30))  # type: ignore[arg-type, operator]  # an instant


def see(billing: Billing, delivery_id: str) -> Delivery:
    with billing.instance.active():
        found: Delivery = Delivery.get_by_id(delivery_id)
        return found


def test_it_is_taken_once(billing: Billing, delivery_id: str) -> None:
    taken = claim(billing, delivery_id)
    assert taken is not None
    assert (taken.attempts, taken.tries, taken.status) == (1, 1, PENDING)
    assert claim(billing, delivery_id) is None
    with billing.instance.active():
        assert deliveries.due(START, 10) == []
        assert deliveries.due(SOON, 10) == [delivery_id]


def test_who_is_silent_has_lost_it(billing: Billing, delivery_id: str) -> None:
    lost, taken = claim(billing, delivery_id), claim(billing, delivery_id, at=SOON)
    assert lost is not None
    assert taken is not None
    with billing.instance.active(), write_transaction():
        deliveries.put_off(lost, error="timeout", code=None, try_at=None)
    assert see(billing, delivery_id).status == PENDING
    with billing.instance.active(), write_transaction():
        deliveries.deliver(taken, SOON, code=200)
    found = see(billing, delivery_id)
    assert (found.status, found.response_code, found.try_at) == (DELIVERED, 200, None)
    assert found.delivered_at == SOON
    assert claim(billing, delivery_id, at=LATER) is None


def test_it_is_put_off_or_given_up(billing: Billing, delivery_id: str) -> None:
    taken = claim(billing, delivery_id)
    assert taken is not None
    with billing.instance.active(), write_transaction():
        deliveries.put_off(taken, error="refused", code=500, try_at=LATER)
    found = see(billing, delivery_id)
    assert (found.status, found.error, found.response_code) == (PENDING, "refused", 500)
    assert claim(billing, delivery_id, at=SOON) is None
    taken = claim(billing, delivery_id, at=LATER)
    assert taken is not None
    assert taken.tries == 2
    with billing.instance.active(), write_transaction():
        deliveries.put_off(taken, error="refused", code=500, try_at=None)
    assert (see(billing, delivery_id).status, see(billing, delivery_id).try_at) == (FAILED, None)


def test_a_replay_is_not_ended_by_an_attempt_before_it(billing: Billing, delivery_id: str) -> None:
    taken = claim(billing, delivery_id)
    assert taken is not None
    with billing.instance.active(), write_transaction():
        event = events.get(taken.event_id)
        assert event is not None
        deliveries.again(taken.endpoint_id, [event], SOON)
        deliveries.deliver(taken, SOON, code=200)
    found = see(billing, delivery_id)
    assert (found.status, found.attempts, found.tries, found.try_at) == (PENDING, 1, 0, SOON)


def test_an_event_has_one_delivery_for_an_endpoint(billing: Billing, delivery_id: str) -> None:
    found = see(billing, delivery_id)
    with billing.instance.active(), write_transaction():
        event = events.get(found.event_id)
        assert event is not None
        deliveries.add(event, [found.endpoint_id], LATER)
        assert deliveries.of_event(event.id) == [delivery_id]
    assert see(billing, delivery_id).try_at == START


def test_pages(billing: Billing, delivery_id: str) -> None:
    hook = see(billing, delivery_id).endpoint_id
    with billing.instance.active():
        assert [one.id for one in deliveries.page(hook)] == [delivery_id]
        assert deliveries.page(hook, status=FAILED) == []
        assert [one.id for one in deliveries.page(hook, status=PENDING)] == [delivery_id]
        assert deliveries.page(hook, before=delivery_id) == []
