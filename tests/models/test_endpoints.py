"""Endpoints: whose they are, what they want, and when they are disabled."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing_plugin import Actor, Billing
from billing_plugin.context import write_transaction
from billing_plugin.errors import NotFound
from billing_plugin.models import endpoints
from billing_plugin.models.endpoints import FAILING, GONE, WebhookEndpoint
from tests.factories import START, account_with
from tests.telling import endpoint, see

URL = "https://hooks.example.com/in"
DAYS = timedelta(days=5)


def fail(billing: Billing, found: WebhookEndpoint, *, days: int = 0, gone: bool = False) -> object:
    with billing.instance.active(), write_transaction():
        at = START + timedelta(days=days)
        return endpoints.fail(found, at, gone=gone, lasting=DAYS)


def test_what_it_wants(actor: Actor) -> None:
    some = endpoint(actor, URL, "balance.low", "topup.failed")
    assert some.wants("balance.low")
    assert not some.wants("topup.succeeded")
    assert endpoint(actor, URL).wants("topup.succeeded")
    some.enabled = 0
    assert not some.wants("balance.low")


def test_another_accounts_is_not_there(billing: Billing, actor: Actor) -> None:
    found, other = endpoint(actor, URL), account_with(billing)
    with billing.instance.active(), write_transaction():
        for ask in (endpoints.get, endpoints.lock):
            assert ask(str(actor.account_id), found.id).id == found.id
            with pytest.raises(NotFound):
                ask(str(other.account_id), found.id)


def test_it_is_disabled_after_days_of_nothing_but_failures(billing: Billing, actor: Actor) -> None:
    found = endpoint(actor, URL)
    assert fail(billing, found) is None
    assert see(actor, found).failing_since == START
    assert fail(billing, see(actor, found), days=4) is None
    assert see(actor, found).failing_since == START
    assert fail(billing, see(actor, found), days=5) == FAILING
    assert see(actor, found).disabled_reason == FAILING
    assert not see(actor, found).enabled


def test_one_that_is_received_begins_anew(billing: Billing, actor: Actor) -> None:
    found = endpoint(actor, URL)
    fail(billing, found)
    with billing.instance.active(), write_transaction():
        endpoints.succeed(see(actor, found))
    assert see(actor, found).failing_since is None
    assert fail(billing, see(actor, found), days=30) is None


def test_who_is_gone_is_disabled_at_once(billing: Billing, actor: Actor) -> None:
    found = endpoint(actor, URL)
    assert fail(billing, found, gone=True) == GONE
    assert (see(actor, found).enabled, see(actor, found).disabled_reason) == (0, GONE)


def test_what_became_of_an_old_url_is_nothing_to_the_new_one(
    billing: Billing, actor: Actor
) -> None:
    found = endpoint(actor, URL)
    with billing.instance.active(), write_transaction():
        endpoints.change(found, START, url=URL + "2")
    fail(billing, found, gone=True)
    assert see(actor, found).enabled
    assert see(actor, found).failing_since is None
