"""The rows of top-ups: settled once, seen by their account alone."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing_plugin import Actor, Billing, Money
from billing_plugin.errors import NotFound
from billing_plugin.models import topups
from tests.factories import START, account_with

LATER = START + timedelta(minutes=1)


def created(actor: Actor) -> topups.TopUp:
    return topups.create(
        actor.account_id, Money.parse("5", "USD"), START, processor="fake", payment_method="card"
    )


def test_it_begins_as_processing(billing: Billing, actor: Actor) -> None:
    with billing.instance.active():
        stored = topups.get(actor.account_id, created(actor).id)
    assert (stored.status, stored.amount) == ("processing", Money.parse("5"))
    assert (stored.created_at, stored.payment_id, stored.failure) == (START, None, None)


@pytest.mark.parametrize("status", [topups.SUCCEEDED, topups.FAILED])
def test_it_is_settled_once(billing: Billing, actor: Actor, status: str) -> None:
    with billing.instance.active():
        topup = created(actor)
        assert topups.settle(topup, topups.UNKNOWN, LATER) is True
        assert topups.settle(topup, status, LATER, payment_id="pi_1") is True
        for other in (topups.SUCCEEDED, topups.FAILED, topups.UNKNOWN):
            assert topups.settle(topup, other, LATER, payment_id="pi_2") is False
        stored = topups.get(actor.account_id, topup.id)
    assert (stored.status, stored.payment_id, stored.updated_at) == (status, "pi_1", LATER)


def test_another_accounts_is_not_found(billing: Billing, actor: Actor) -> None:
    with billing.instance.active():
        topup = created(actor)
        with pytest.raises(NotFound):
            topups.get(account_with(billing).account_id, topup.id)
        with pytest.raises(NotFound):
            topups.get(actor.account_id, "top_unknown")
