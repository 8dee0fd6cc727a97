"""The till: balance and limits asked together, and what time alone demands done first."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from billing_plugin import Actor, Billing, operations
from billing_plugin.context import write_transaction
from billing_plugin.errors import InsufficientFunds, LimitExceeded, NotFound
from billing_plugin.models import accounts
from billing_plugin.models.usage import Dims
from billing_plugin.operations.till import open_book, open_till
from tests.books import complaints
from tests.deeds import balance, entries, give, hold, left, limit, newest, refused, spend
from tests.factories import START, Clock, account_with

USE = Dims(None, None, "", "m", {})
UNIT = 10**9


def spend_nothing(actor: Actor) -> None:
    spend(actor, "0")


def at_nothing(_: Actor) -> None:
    """Without a look, the charge itself must find out."""


def test_a_limit_is_asked_before_the_balance(billing: Billing, actor: Actor) -> None:
    limit(actor, "50")
    with billing.instance.active(), write_transaction():
        till = open_till(actor, str(actor.account_id))
        assert till.refusal(USE, 50 * UNIT, START) is None
        assert isinstance(till.refusal(USE, 101 * UNIT, START), LimitExceeded)
        till.require(100 * UNIT)
        with pytest.raises(InsufficientFunds):
            till.require(101 * UNIT)


def test_entries_are_signed_by_whoever_asks(billing: Billing, actor: Actor) -> None:
    robot = actor._replace(key_id="key_1", request_id="req_1")
    with billing.instance.active(), write_transaction():
        assert open_book(robot, str(actor.account_id)).signature == robot.signature
        with pytest.raises(NotFound):
            open_till(robot, "acct_x")


def test_overdue_holds_are_gone_before_anything_is_refused(
    billing: Billing, actor: Actor, clock: Clock
) -> None:
    limit(actor, "100")
    for _ in range(3):
        hold(actor, "30", expires_in_s=60)
    clock.forward(seconds=60)
    with billing.instance.active(), write_transaction():
        till = open_till(actor, str(actor.account_id))
        assert till.refusal(USE, 100 * UNIT, clock.at) is None
        assert not till.expire_holds()
        till.close()
    assert balance(actor) == ("100.00", "0.00", "100.00")
    assert complaints(billing) == []


def test_what_has_expired_is_gone_whoever_opens_the_till(billing: Billing, clock: Clock) -> None:
    actor = account_with(billing, "1")
    give(billing, actor, "5", expires_at=START + timedelta(hours=1))
    clock.forward(hours=1)
    assert refused(spend, actor, "2").code == "insufficient_funds"
    spend(actor, "1")
    assert entries(actor, 2) == [("usage", "-1.00"), ("expiry", "-5.00")]
    [_, expiry] = operations.list_entries(actor, str(actor.account_id), limit=2)
    assert expiry.actor == "system"
    assert complaints(billing) == []


@pytest.mark.parametrize("look", [balance, spend_nothing, at_nothing])
def test_credit_that_expired_under_a_dead_hold_is_not_spendable(
    billing: Billing, clock: Clock, look: Callable[[Actor], object]
) -> None:
    """The hold's deadline passes after the credit's: then both are over."""
    actor = account_with(billing)
    give(billing, actor, "5", expires_at=START + timedelta(hours=1))
    clock.forward(minutes=59)
    hold(actor, "5", expires_in_s=600)
    clock.forward(hours=1)
    look(actor)
    assert refused(spend, actor, "1").code == "insufficient_funds"
    assert balance(actor) == ("0.00", "0.00", "0.00")
    assert left(billing, actor) == []
    assert complaints(billing) == []


def test_a_hold_that_lives_keeps_expired_credit_for_its_capture(
    billing: Billing, clock: Clock
) -> None:
    actor = account_with(billing)
    give(billing, actor, "5", expires_at=START + timedelta(hours=1))
    held = hold(actor, "3", expires_in_s=7200)
    clock.forward(hours=1)
    assert balance(actor) == ("3.00", "3.00", "0.00")
    operations.capture(actor, str(actor.account_id), held.id)
    assert balance(actor) == ("0.00", "0.00", "0.00")
    assert newest(actor).kind == "usage"
    assert complaints(billing) == []


def test_looking_after_says_when_to_look_again(billing: Billing, clock: Clock) -> None:
    actor = account_with(billing, "1")
    hours = [timedelta(hours=n) for n in (1, 2)]
    for hour in hours:
        give(billing, actor, "5", expires_at=START + hour)
    for hour, expected in zip(hours, ("6.00", "1.00"), strict=True):
        with billing.instance.active():
            assert accounts.get(str(actor.account_id)).due_at == START + hour
        clock.at = START + hour
        assert balance(actor)[0] == expected
    with billing.instance.active():
        assert accounts.get(str(actor.account_id)).due_at.year == 9999
