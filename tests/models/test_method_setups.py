"""The rows of payment methods that are being added: without their secret, counted by account."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing_plugin import Actor, Billing
from billing_plugin.errors import NotFound
from billing_plugin.models import method_setups
from billing_plugin.models.base import read_time
from tests.factories import START, account_with


def test_one_is_stored_and_found(billing: Billing, actor: Actor) -> None:
    with billing.instance.active():
        made = method_setups.create(str(actor.account_id), "fake", key_id="key_1", at=START)
        made.client_secret = "hush"
        found = method_setups.get(made.id)
        assert (found.account_id, found.processor) == (actor.account_id, "fake")
        assert (found.key_id, found.created_at) == ("key_1", START)
        assert (found.client_secret, found.setup_id) == ("", "")
        with pytest.raises(NotFound):
            method_setups.get("set_of_nobody")


def test_the_newest_after_an_instant(billing: Billing, actor: Actor) -> None:
    mine, other = str(actor.account_id), str(account_with(billing).account_id)
    with billing.instance.active():
        for number in range(5):
            at = START + timedelta(minutes=number)
            method_setups.create(mine, "fake", key_id=f"key_{number}", at=at)
        method_setups.create(other, "fake", key_id=None, at=START + timedelta(minutes=3))
        since = START + timedelta(minutes=1)
        rows = [(read_time(at), key) for at, key in method_setups.recent(mine, since, 9)]
        assert [key for _, key in rows] == ["key_4", "key_3", "key_2"]
        assert rows[-1][0] == START + timedelta(minutes=2)
        assert [row[1] for row in method_setups.recent(mine, since, 1)] == ["key_4"]
        assert [row[1] for row in method_setups.recent(other, since, 9)] == [None]
