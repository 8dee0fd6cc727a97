"""Signatures hold against the library of Standard Webhooks, which receivers use."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from billing_plugin.receivers.signing import headers, new_secret

BODY = '{"type":"topup.succeeded","data":{"name":"Bücher"}}'


def test_a_signature_is_verified() -> None:
    secret = new_secret()
    made = headers("evt_1", BODY, at=datetime.now(UTC), secrets=[secret])
    assert made["webhook-id"] == "evt_1"
    assert Webhook(secret).verify(BODY, made)["type"] == "topup.succeeded"


@pytest.mark.parametrize("change", ["body", "webhook-id", "webhook-timestamp", "secret"])
def test_whatever_is_changed_breaks_it(change: str) -> None:
    secret, body = new_secret(), BODY
    made = headers("evt_1", body, at=datetime.now(UTC), secrets=[secret])
    if change == "body":
        body += " "
    elif change == "webhook-id":
        made[change] = "evt_2"
    elif change == "webhook-timestamp":
        made[change] = str(int(made[change]) - 1)
    else:
        secret = new_secret()
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body, made)


def test_while_a_secret_is_rotated_both_hold() -> None:
    new, old = new_secret(), new_secret()
    made = headers("evt_1", BODY, at=datetime.now(UTC), secrets=[new, old])
    for secret in (new, old):
        Webhook(secret).verify(BODY, made)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(BODY, made)


def test_a_time_of_another_zone_is_the_same_instant() -> None:
    """The library would sign the digits of the clock on the wall."""
    secret, at = new_secret(), datetime.now(UTC)
    there = at.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert headers("e", BODY, at=there, secrets=[secret]) == headers(
        "e", BODY, at=at, secrets=[secret]
    )


def test_secrets_are_all_different_and_long() -> None:
    made = {new_secret() for _ in range(100)}
    assert len(made) == 100
    assert {len(secret) for secret in made} == {len("whsec_") + 44}
