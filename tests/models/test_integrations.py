"""The rows of integrations and snapshots."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from billing_plugin import Actor, Billing, Money
from billing_plugin.errors import NotFound
from billing_plugin.models import integrations
from tests.factories import START, account_with

LATER = START + timedelta(minutes=5)


def created(actor: Actor, provider: str = "fake") -> Any:
    values = {"label": "", "sealed": "x", "preview": {}, "settings": {"a": "1"}}
    return integrations.create(str(actor.account_id), provider, START, **values)


def kept(integration: Any, **figures: Any) -> Any:
    values = {"job_id": None, "currency": "USD", "facts": {}, "as_of": LATER}
    return integrations.keep_snapshot(integration, LATER, **(values | figures))


def test_numbers_rise_and_settings_come_back(billing: Billing, actor: Actor) -> None:
    with billing.instance.active():
        first, second = created(actor), created(actor)
        assert (first.number < second.number, first.settings) == (True, {"a": "1"})
        assert integrations.get(actor.account_id, first.id).created_at == START


def test_active_ones_are_listed_oldest_first_and_by_provider(
    billing: Billing, actor: Actor
) -> None:
    with billing.instance.active():
        first, second, third = created(actor), created(actor, "other"), created(actor)
        created(account_with(billing))
        integrations.Integration.update(active=0).where(
            integrations.Integration.id == third.id
        ).execute()
        listed = integrations.active(str(actor.account_id))
        only = integrations.active(str(actor.account_id), "other")
    assert [found.id for found in listed] == [first.id, second.id]
    assert [found.id for found in only] == [second.id]


def test_a_snapshot_clears_the_error_and_an_error_keeps_the_snapshot(
    billing: Billing, actor: Actor
) -> None:
    with billing.instance.active():
        made = created(actor)
        integrations.keep_error(made, "no", START)
        kept(made, balance_nanos=-5)
        cleared = integrations.get(actor.account_id, made.id)
        integrations.keep_error(made, "again", LATER + timedelta(minutes=1))
        failed = integrations.get(actor.account_id, made.id)
        [snapshot] = integrations.snapshots(made.id, limit=5)
    assert (cleared.billing_sync_error, cleared.billing_synced_at) == (None, LATER)
    assert (failed.billing_sync_error, failed.billing_synced_at) == ("again", LATER)
    assert snapshot.balance == Money(-5)


def test_figures_are_money_of_the_snapshots_currency_or_none(
    billing: Billing, actor: Actor
) -> None:
    with billing.instance.active():
        made = created(actor)
        kept(made, currency="EUR", balance_nanos=2**62, usage_today_nanos=0)
        [snapshot] = integrations.snapshots(made.id, limit=5)
    assert snapshot.balance == Money(2**62, "EUR")
    assert (snapshot.usage_today, snapshot.usage_month) == (Money.zero("EUR"), None)


def test_another_accounts_is_not_found(billing: Billing, actor: Actor) -> None:
    with billing.instance.active():
        made = created(actor)
        with pytest.raises(NotFound):
            integrations.get(str(account_with(billing).account_id), made.id)
