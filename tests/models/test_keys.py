"""API keys as rows."""

from __future__ import annotations

from datetime import timedelta

from billing_plugin import Actor, Billing
from billing_plugin.models import keys
from billing_plugin.models.keys import ApiKey
from tests.factories import START, account_with

HOUR = timedelta(hours=1)


def made(actor: Actor) -> ApiKey:
    return keys.create(
        str(actor.account_id), "hash", "a:b c:d", name="n", at=START, expires_at=START + HOUR
    )


def test_a_row_goes_round(billing: Billing, actor: Actor) -> None:
    with billing.instance.active():
        key = made(actor)
        found = keys.find(key.id)
        assert keys.find("key_" + "0" * 32) is None
    assert found is not None
    assert (found.account_id, found.secret_hash, found.scopes) == (
        actor.account_id,
        "hash",
        "a:b c:d",
    )
    assert (found.created_at, found.expires_at, found.revoked_at) == (START, START + HOUR, None)


def test_a_key_is_usable_until_its_end(billing: Billing, actor: Actor) -> None:
    with billing.instance.active():
        found = keys.holder(made(actor).id)
        assert keys.holder("key_" + "0" * 32) is None
    assert found is not None
    assert (found.account_id, found.currency) == (actor.account_id, "USD")
    assert found.usable(START + HOUR - timedelta(microseconds=1))
    assert not found.usable(START + HOUR)
    assert found._replace(ends=None).usable(START + 10_000 * HOUR)
    assert not found._replace(revoked=START).usable(START)


def test_revoking_keeps_the_first_time(billing: Billing, actor: Actor) -> None:
    other = account_with(billing)
    with billing.instance.active():
        key = made(actor)
        assert not keys.revoke(str(other.account_id), key.id, START)
        assert keys.revoke(str(actor.account_id), key.id, START)
        assert keys.revoke(str(actor.account_id), key.id, START + HOUR)
        found = keys.find(key.id)
    assert found is not None
    assert found.revoked_at == START
