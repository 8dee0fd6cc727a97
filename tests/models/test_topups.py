"""The rows of top-ups: found by their account, by a processor's words, and when they are due."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from billing_plugin import Actor, Billing, Money
from billing_plugin.errors import NotFound
from billing_plugin.models import topups
from tests.factories import START, account_with

MINUTE = timedelta(minutes=1)


def created(actor: Actor, **values: Any) -> topups.TopUp:
    return topups.create(
        str(actor.account_id), Money.parse("5", "USD"), START, processor="fake",
        payment_method="card", **values,
    )  # fmt: skip


def test_it_begins_as_created(billing: Billing, actor: Actor) -> None:
    with billing.instance.active():
        stored = topups.get(str(actor.account_id), created(actor).id)
    assert (stored.status, stored.amount, stored.is_open) == ("created", Money.parse("5"), True)
    assert (stored.created_at, stored.payment_id, stored.failure) == (START, None, None)
    assert (stored.asked, stored.ask_at, stored.client_secret) == (0, None, "")


@pytest.mark.parametrize("status", topups.STATUSES)
def test_it_is_open_until_it_is_settled(billing: Billing, actor: Actor, status: str) -> None:
    with billing.instance.active():
        topup = created(actor)
        topups.change(topup, START + MINUTE, status=status, payment_id="pi_1")
        stored = topups.get(str(actor.account_id), topup.id)
    assert (stored.status, stored.payment_id) == (status, "pi_1")
    assert stored.updated_at == START + MINUTE
    assert stored.is_open == (status in {"created", "processing", "unknown"})


def test_another_accounts_is_not_found(billing: Billing, actor: Actor) -> None:
    with billing.instance.active():
        topup = created(actor)
        with pytest.raises(NotFound):
            topups.get(str(account_with(billing).account_id), topup.id)
        with pytest.raises(NotFound):
            topups.get(str(actor.account_id), "top_unknown")


def test_a_processor_names_it_by_its_payment_or_by_our_id(billing: Billing, actor: Actor) -> None:
    with billing.instance.active():
        paid, other = created(actor, payment_id="pi_1"), created(actor)
        found = [
            topups.find(payment_id="pi_1", reference=""),
            topups.find(payment_id="pi_1", reference=other.id),
            topups.find(payment_id="pi_unknown", reference=other.id),
            topups.find(payment_id="", reference=other.id),
        ]
        assert found == [paid, paid, other, other]
        assert topups.find(payment_id="", reference="") is None
        assert topups.find(payment_id="pi_unknown", reference="top_unknown") is None


def test_they_are_paged_from_the_newest_on(billing: Billing, actor: Actor) -> None:
    mine = str(actor.account_id)
    with billing.instance.active():
        made = [created(actor) for _ in range(5)]
        created(account_with(billing))
        newest = topups.page(mine, limit=2)
        rest = topups.page(mine, before=newest[-1].id, limit=9)
    assert newest + rest == made[::-1]


def test_the_longest_due_is_asked_first(billing: Billing, actor: Actor) -> None:
    with billing.instance.active():
        later, sooner = created(actor, ask_at=START + MINUTE), created(actor, ask_at=START)
        created(actor)
        created(actor, ask_at=START + 3 * MINUTE)
        due = [topup_id for _, topup_id in topups.due(START + MINUTE, 9)]
        assert due == [sooner.id, later.id]
        assert topups.due(START + MINUTE, 1) == [(str(actor.account_id), sooner.id)]


def test_a_fact_is_remembered_once(billing: Billing, actor: Actor) -> None:
    with billing.instance.active():
        topup = created(actor)
        assert topups.entered("fake re_1") is False
        topups.remember("fake re_1", topup.id, "entry")
        assert topups.entered("fake re_1") is True
        assert topups.entry_of(topup.id) == ""
