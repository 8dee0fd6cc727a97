"""A balance that falls below its threshold is told once for each crossing, on every path."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from billing_plugin import Actor, Billing, Money, operations
from billing_plugin.errors import InvalidRequest
from billing_plugin.models import moves
from billing_plugin.models.events import Event
from billing_plugin.operations import Submission, Usage
from tests.deeds import adjust, capture, hold, release, spend
from tests.factories import account_with, billing_on


def told(billing: Billing) -> list[tuple[str, str]]:
    """Balance and threshold of each event, in order."""
    with billing.instance.active():
        found = Event.select().where(Event.name == "balance.low").order_by(Event.id)
        return [(e.data["balance"]["amount"], e.data["threshold"]["amount"]) for e in found]


def watch(actor: Actor, units: str | None) -> None:
    threshold = None if units is None else Money.parse(units)
    account = operations.set_low_balance(actor, str(actor.account_id), threshold)
    assert account.low == threshold


def test_the_debit_that_crosses_tells(billing: Billing, actor: Actor) -> None:
    watch(actor, "50")
    spend(actor, "50")
    assert told(billing) == []
    spend(actor, "0.000000001")
    assert told(billing) == [("49.999999999", "50.00")]
    spend(actor, "10")
    spend(actor, "10")
    assert len(told(billing)) == 1


def test_each_crossing_is_told(billing: Billing, actor: Actor) -> None:
    watch(actor, "50")
    for _ in range(3):
        spend(actor, "60")
        spend(actor, "1")
        adjust(billing, actor, "61")
    assert told(billing) == [("40.00", "50.00")] * 3


def test_nobody_is_told_where_no_threshold_is_set(billing: Billing, actor: Actor) -> None:
    spend(actor, "99")
    assert told(billing) == []
    watch(actor, "50")  # it is below already
    spend(actor, "0.5")
    assert told(billing) == []
    adjust(billing, actor, "100")
    watch(actor, None)
    spend(actor, "90")
    assert told(billing) == []


def test_what_is_held_is_not_spent(billing: Billing, actor: Actor) -> None:
    watch(actor, "50")
    held = hold(actor, "80")
    release(actor, hold(actor, "10"))
    assert told(billing) == []
    capture(actor, held, "70")
    assert told(billing) == [("30.00", "50.00")]


def test_a_batch_tells_once(billing: Billing, actor: Actor) -> None:
    watch(actor, "50")
    uses = [Submission(Usage("m", cost=Money.parse("20"))) for _ in range(4)]
    operations.record_usage_batch(actor, str(actor.account_id), uses)
    assert told(billing) == [("20.00", "50.00")]


def test_the_quick_way_leaves_only_the_crossing_to_the_general_one(
    billing: Billing, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick: list[bool] = []
    real = moves.carry_out

    def counting(move: moves.Move) -> object:
        done = real(move)
        quick.append(done is not None)
        return done

    monkeypatch.setattr(moves, "carry_out", counting)
    watch(actor, "50")
    for _ in range(5):
        spend(actor, "15")
    assert quick == [True, True, True, False, True]
    assert told(billing) == [("40.00", "50.00")]


@pytest.mark.parametrize("seed", range(5))
def test_as_often_as_it_falls(billing: Billing, actor: Actor, seed: int) -> None:
    """Any mixture of ways up and down, counted by hand."""
    chance = random.Random(seed)
    watch(actor, "50")
    balance, falls = 100, 0
    for _ in range(25):
        units = chance.randint(1, 40)
        before = balance
        if balance >= units and chance.random() < 0.6:
            balance -= units
            if chance.random() < 0.5:
                spend(actor, str(units))
            else:
                capture(actor, hold(actor, str(units)))
        else:
            balance += units
            adjust(billing, actor, str(units))
        falls += before >= 50 > balance
    assert len(told(billing)) == falls


def test_another_currency_is_refused(actor: Actor) -> None:
    with pytest.raises(InvalidRequest):
        operations.set_low_balance(actor, str(actor.account_id), Money.parse("5", "EUR"))


def test_many_who_cross_at_once_tell_once(database_url: str) -> None:
    """By the clock of the wall, as only then the quick way and the queue are what they are."""
    billing = billing_on(database_url)
    actor = account_with(billing, "100")
    watch(actor, "50")
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda _: spend(actor, "1"), range(90)))
    assert len(told(billing)) == 1
    adjust(billing, actor, "60")
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda _: spend(actor, "1"), range(60)))
    assert len(told(billing)) == 2
