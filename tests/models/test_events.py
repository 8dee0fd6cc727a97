"""Events are told with what they tell of, or not at all."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest

from billing_plugin import Actor, Billing, Money, signals
from billing_plugin.context import write_transaction
from billing_plugin.errors import InternalError
from billing_plugin.models import events
from billing_plugin.models.base import load
from billing_plugin.models.events import Event, tell
from billing_plugin.signals import Told
from tests.factories import START, Clock, account_with, billing_on

NAME = "topup.succeeded"


class Abandoned(Exception):
    """Somebody thought better of it."""


@pytest.fixture
def heard() -> Any:
    """What a subscriber hears, in order."""
    told: list[Told] = []

    def hear(_sender: object, event: Told) -> None:
        told.append(event)

    with signals.topup_succeeded.connected_to(hear):
        yield told


def told(billing: Billing, actor: Actor, once: object = None) -> str | None:
    with billing.instance.active(), write_transaction():
        return tell(NAME, str(actor.account_id), {"amount": Money.parse("5")}, once=once)


def test_an_event_holds_plain_facts(billing: Billing, actor: Actor) -> None:
    facts = {"amount": Money.parse("-5.5"), "at": START, "list": [Money(1)], "none": None, "n": 3}
    with billing.instance.active():
        with write_transaction():
            event_id = tell(NAME, str(actor.account_id), facts)
        event = events.get(str(event_id))
    assert event is not None
    assert (event.name, event.account_id, event.created_at) == (NAME, actor.account_id, START)
    assert event.data == {
        "amount": {"amount": "-5.50", "currency": "USD"},
        "at": "2026-03-09T14:32:00.000000Z",
        "list": [{"amount": "0.000000001", "currency": "USD"}],
        "none": None,
        "n": 3,
    }
    body = load(events.body_of(event))
    assert body["type"] == NAME
    assert body["timestamp"] == "2026-03-09T14:32:00.000000Z"
    assert body["data"] == {"accountId": actor.account_id, **event.data}


def test_an_unknown_name_is_a_bug(billing: Billing, actor: Actor) -> None:
    with billing.instance.active(), write_transaction(), pytest.raises(InternalError):
        tell("balance.lower", str(actor.account_id), {})


def test_signals_fire_once_it_is_committed(
    billing: Billing, actor: Actor, heard: list[Told]
) -> None:
    with billing.instance.active(), write_transaction():
        event_id = tell(NAME, str(actor.account_id), {"n": 1})
        assert heard == []
    assert heard == [Told(str(event_id), NAME, str(actor.account_id), {"n": 1}, START)]


def test_nothing_is_told_of_what_was_rolled_back(
    billing: Billing, actor: Actor, heard: list[Told]
) -> None:
    with billing.instance.active():
        with pytest.raises(Abandoned), write_transaction():
            tell(NAME, str(actor.account_id), {})
            raise Abandoned
        assert (heard, events.left_behind(10)) == ([], [])


def test_nothing_is_told_of_what_a_host_has_taken_back(
    billing: Billing, actor: Actor, heard: list[Told]
) -> None:
    """Only a savepoint is lost, the host's own transaction is committed."""
    with billing.instance.active():
        with write_transaction():
            with pytest.raises(Abandoned), write_transaction():
                tell(NAME, str(actor.account_id), {"n": 1})
                raise Abandoned
            kept = tell(NAME, str(actor.account_id), {"n": 2})
        assert [event.id for event in heard] == [kept]
        assert events.left_behind(10) == [kept]


def test_once_is_once_for_ever(billing: Billing, actor: Actor, heard: list[Told]) -> None:
    assert told(billing, actor, once=["a", 1]) is not None
    assert told(billing, actor, once=["a", 1]) is None
    assert told(billing, actor, once=["a", 2]) is not None
    assert told(billing, actor) is not None
    assert told(billing, actor) is not None
    assert len(heard) == 4


def test_a_subscriber_that_fails_breaks_nobody(
    billing: Billing, actor: Actor, heard: list[Told], caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_sender: object, event: Told) -> None:
        raise RuntimeError("sk_live_secret")

    with signals.topup_succeeded.connected_to(fail):
        told(billing, actor)
    assert len(heard) == 1
    assert "a subscriber of topup.succeeded failed: RuntimeError in fail" in caplog.text
    assert "sk_live_secret" not in caplog.text


def test_a_queue_that_fails_breaks_nobody(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    billing = billing_on(database_url, redis_url="redis://127.0.0.1:1/0")
    actor = account_with(billing)

    def fail(_job: str, _id: str) -> None:
        raise OSError("redis://:password@host")

    billing.instance.enqueue = fail
    with caplog.at_level(logging.WARNING):
        event_id = told(billing, actor)
    assert f"the sweeper will spread {event_id}: OSError" in caplog.text
    assert "password" not in caplog.text


@pytest.mark.parametrize("redis_url", ["", "redis://127.0.0.1:1/0"])
def test_only_a_queue_is_given_the_job(database_url: str, redis_url: str) -> None:
    """Without one nobody who charges waits for a receiver: the sweeper sends."""
    billing = billing_on(database_url, redis_url=redis_url)
    actor, given = account_with(billing), list[tuple[str, str]]()
    billing.instance.enqueue = lambda job, about: given.append((job, about))
    event_id = told(billing, actor)
    assert given == ([(events.JOB, event_id)] if redis_url else [])


def test_an_event_is_taken_once(billing: Billing, actor: Actor, clock: Clock) -> None:
    first, second = (str(told(billing, actor)) for _ in range(2))
    with billing.instance.active():
        assert events.left_behind(10) == [first, second]
        with write_transaction():
            taken = events.take(first, START)
            assert taken is not None
            assert (taken.id, taken.spread_at) == (first, START)
        with write_transaction():
            assert events.take(first, START) is None
            assert events.take("evt_none", START) is None
        assert events.left_behind(10) == [second]


def test_events_of_a_time(billing: Billing, actor: Actor, clock: Clock) -> None:
    made = []
    for _ in range(3):
        made.append(told(billing, actor))
        clock.forward(hours=1)
    other = account_with(billing)
    told(billing, other)
    mine, hour = str(actor.account_id), timedelta(hours=1)

    def found(*names: str, since: int, until: int, **more: Any) -> list[str]:
        span = {"since": START + since * hour, "until": START + until * hour}
        rows = events.between(mine, list(names), **span, **{"limit": 10, **more})
        return [event.id for event in rows]

    with billing.instance.active():
        assert Event.select().count() == 4
        assert found(NAME, since=0, until=3) == made
        assert found(NAME, since=1, until=2) == [made[1]]
        assert found(NAME, since=0, until=3, limit=2) == made[:2]
        assert found(NAME, since=0, until=3, after=made[1]) == [made[2]]
        assert found("topup.failed", since=0, until=3) == []
