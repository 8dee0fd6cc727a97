"""Raises of limits as rows."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing_plugin import Actor, Billing, Money
from billing_plugin.errors import NotFound
from billing_plugin.models import limits, raises
from billing_plugin.models.raises import APPROVED, DENIED, EXPIRED, PENDING, LimitRaise
from tests.factories import START, account_with

HOUR = timedelta(hours=1)


def wish(actor: Actor) -> LimitRaise:
    mine = str(actor.account_id)
    limit = limits.put(mine, Money.parse("5"), limits.Plan(), at=START)
    return raises.create(
        mine, limit.id, Money.parse("2"), until_at=START + 2 * HOUR, reason="launch",
        requested_by="key_1", created_at=START, expires_at=START + HOUR,
    )  # fmt: skip


def test_a_wish_goes_round(billing: Billing, actor: Actor) -> None:
    with billing.instance.active():
        made = wish(actor)
        found = raises.get(str(actor.account_id), made.id)
    assert (found.amount, found.reason, found.status) == (Money.parse("2"), "launch", PENDING)
    assert (found.until_at, found.expires_at) == (START + 2 * HOUR, START + HOUR)
    assert (found.decided_by, found.decided_at) == (None, None)


@pytest.mark.parametrize("status", [APPROVED, DENIED])
def test_a_decision_stays_and_a_wish_that_waits_too_long_expires(
    billing: Billing, actor: Actor, status: str
) -> None:
    instant = timedelta(microseconds=1)
    with billing.instance.active():
        made = wish(actor)
        waits = [made.status_at(START + HOUR - instant), made.status_at(START + HOUR)]
        raises.decide(made, status, by="boss", at=START)
        found = raises.get(str(actor.account_id), made.id)
    assert waits == [PENDING, EXPIRED]
    assert found.status_at(START + 9 * HOUR) == status
    assert (found.decided_by, found.decided_at) == ("boss", START)


def test_wishes_are_listed_newest_first(billing: Billing, actor: Actor) -> None:
    mine = str(actor.account_id)
    with billing.instance.active():
        made = [wish(actor).id for _ in range(3)]
        assert [one.id for one in raises.page(mine, limit=2)] == [made[2], made[1]]
        assert [one.id for one in raises.page(mine, before=made[1])] == [made[0]]


def test_wishes_of_others_are_not_found(billing: Billing, actor: Actor) -> None:
    other = str(account_with(billing).account_id)
    with billing.instance.active():
        made = wish(actor)
        assert raises.page(other) == []
        for account_id, raise_id in ((other, made.id), (str(actor.account_id), "raise_x")):
            with pytest.raises(NotFound):
                raises.get(account_id, raise_id)
