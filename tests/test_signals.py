"""Signals: their names, whom they reach, and subscribers who ask for more."""

from __future__ import annotations

from datetime import UTC, datetime
from threading import Thread

import pytest

from billing_plugin import Actor, Billing, Money, operations, signals
from billing_plugin.signals import NAMES, Told, fire, is_firing
from tests.deeds import spend
from tests.factories import account_with

EVENT = Told("evt_1", "sync.failed", "acct_1", {}, datetime.now(UTC))


def test_the_names() -> None:
    assert set(NAMES) == {
        *("balance.low", "limit.reached", "limit.raise_requested", "topup.succeeded"),
        *("topup.failed", "sync.failed", "drift.found", "invoice.finalized"),
    }
    assert {getattr(signals, name.replace(".", "_")).name for name in NAMES} == set(NAMES)


def test_everybody_is_called_whatever_the_others_do() -> None:
    heard: list[str] = []

    def first(sender: object, event: Told) -> None:
        heard.append("first")
        raise ValueError

    def second(sender: object, event: Told) -> None:
        heard.append("second")

    with signals.sync_failed.connected_to(first), signals.sync_failed.connected_to(second):
        fire(object(), EVENT)
    assert sorted(heard) == ["first", "second"]
    assert not is_firing()


def test_one_may_listen_to_one_instance_alone() -> None:
    mine, other, heard = object(), object(), list[object]()

    def hear(sender: object, event: Told) -> None:
        heard.append(sender)

    with signals.sync_failed.connected_to(hear, sender=mine):
        fire(mine, EVENT)
        fire(other, EVENT)
    assert heard == [mine]


@pytest.mark.parametrize("group_commit", [True, False])
def test_a_subscriber_may_charge_and_top_up(
    billing: Billing, actor: Actor, group_commit: bool
) -> None:
    """The account it was called about, and another whose subscriber does the same to this one:
    nobody waits for a turn that only its own caller could give."""
    settings = billing.instance.settings._replace(group_commit=group_commit)
    billing.instance.settings = settings
    other = account_with(billing, "100")
    for one in (actor, other):
        operations.set_low_balance(one, str(one.account_id), Money.parse("50"))
    heard: list[bool] = []

    def hear(_sender: object, event: Told) -> None:
        heard.append(is_firing())
        for one in (actor, other):
            spend(one, "1")
        operations.top_up(billing.operator(), event.account_id, Money.parse("10"))

    def cross(one: Actor) -> None:
        spend(one, "55")

    with signals.balance_low.connected_to(hear):
        threads = [Thread(target=cross, args=(one,), daemon=True) for one in (actor, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
            assert not thread.is_alive()
    assert heard == [True, True]
    for one in (actor, other):
        account = operations.get_account(one, str(one.account_id))
        assert account.posted == Money.parse("53")
