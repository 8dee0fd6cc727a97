"""Webhook endpoints over HTTP: shapes, the secret that is told once, deliveries and replays."""

from __future__ import annotations

from typing import Any

import pytest

from billing_plugin import Actor, Billing, operations
from billing_plugin.dialects.native.accounts import ACCOUNT
from billing_plugin.dialects.native.endpoints import DELIVERY, ENDPOINT, REPLAY
from tests.dialects.faces import assert_refused, data, fits
from tests.dialects.routes import NATIVE
from tests.factories import Caller, app_with, token_of
from tests.telling import buy

PATH, URL = f"{NATIVE}/webhooks", "https://hooks.example.com/in"
DAY = {"since": "2026-03-09T00:00:00Z", "until": "2026-03-10T00:00:00Z"}


def added(call: Caller, **said: Any) -> dict[str, Any]:
    made: dict[str, Any] = fits(ENDPOINT, data(call("POST", PATH, json={"url": URL, **said}), 201))
    return made


def test_an_endpoint(call: Caller) -> None:
    made = added(call, events=["balance.low"], description="Ops")
    secret = made.pop("secret")
    assert secret.startswith("whsec_")
    assert made == {
        "id": made["id"],
        "url": URL,
        "events": ["balance.low"],
        "description": "Ops",
        "enabled": True,
        "disabledReason": None,
        "failingSince": None,
        "oldSecretUntil": None,
        "createdAt": "2026-03-09T14:32:00.000Z",
        "updatedAt": "2026-03-09T14:32:00.000Z",
    }
    assert data(call("GET", f"{PATH}/{made['id']}")) == made
    assert data(call("GET", PATH)) == [made]


def test_a_change(call: Caller) -> None:
    path = f"{PATH}/{added(call)['id']}"
    changed = fits(ENDPOINT, data(call("PATCH", path, json={"enabled": False})))
    assert (changed["enabled"], changed["events"], changed["url"]) == (False, ["*"], URL)
    assert_refused(call("PATCH", path, json={}), "native", 400, "VALIDATION_ERROR")
    assert data(call("DELETE", path)) == {"deleted": True, "id": changed["id"]}
    assert_refused(call("GET", path), "native", 404, "NOT_FOUND")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"url": 5},
        {"url": "http://hooks.example.com/"},
        {"url": "https://10.0.0.1/"},
        {"url": URL, "events": []},
        {"url": URL, "events": ["balance.high"]},
        {"url": URL, "secret": "whsec_mine"},
    ],
)
def test_what_cannot_be(call: Caller, body: dict[str, Any]) -> None:
    assert_refused(call("POST", PATH, json=body), "native", 400, "VALIDATION_ERROR")
    assert data(call("GET", PATH)) == []


def test_a_new_secret(call: Caller) -> None:
    made = added(call)
    for body in ({"json": {"keepOldS": 60}}, {}):
        new = fits(ENDPOINT, data(call("POST", f"{PATH}/{made['id']}/secret", **body)))
        assert new["secret"] not in ("", made["secret"])
    assert new["oldSecretUntil"] == "2026-03-10T14:32:00.000Z"


def test_deliveries_and_replays(billing: Billing, actor: Actor, call: Caller) -> None:
    hook = f"{PATH}/{added(call, events=['topup.succeeded'])['id']}"
    buy(actor)
    assert data(call("GET", f"{hook}/deliveries")) == []
    done = fits(REPLAY, data(call("POST", f"{hook}/replay", json=DAY)))
    assert done["events"] == 1
    [found] = data(call("GET", f"{hook}/deliveries?status=pending"))
    assert fits(DELIVERY, found) == {
        "id": found["id"],
        "endpointId": hook.removeprefix(f"{PATH}/"),
        "eventId": done["last"],
        "event": "topup.succeeded",
        "status": "pending",
        "attempts": 0,
        "responseCode": None,
        "error": None,
        "nextAttemptAt": "2026-03-09T14:32:00.000Z",
        "createdAt": "2026-03-09T14:32:00.000Z",
        "attemptedAt": None,
        "deliveredAt": None,
    }
    assert data(call("GET", f"{hook}/deliveries?status=failed")) == []
    again = data(call("POST", f"{PATH}/deliveries/{found['id']}/replay", json={}))
    assert again == found
    none = data(call("POST", f"{hook}/replay", json={**DAY, "after": done["last"]}))
    assert none == {"events": 0, "last": None}
    data(call("PATCH", hook, json={"enabled": False}))
    refused = call("POST", f"{hook}/replay", json=DAY)
    assert_refused(refused, "native", 409, "ENDPOINT_DISABLED")


def test_scopes(billing: Billing, actor: Actor) -> None:
    hook = operations.add_webhook_endpoint(actor, str(actor.account_id), URL)
    call = Caller(app_with(billing), token_of(billing, actor, "webhooks:read"))
    assert len(data(call("GET", PATH))) == 1
    for method, path in (("POST", PATH), ("DELETE", f"{PATH}/{hook.id}")):
        assert_refused(call(method, path, json={"url": URL}), "native", 403, "FORBIDDEN")


def test_the_low_balance(call: Caller) -> None:
    path = f"{NATIVE}/account/low-balance"
    for body, units in (({"amount": "12.50"}, "12.50"), ({"amountCents": 100}, "1.00")):
        account = fits(ACCOUNT, data(call("PUT", path, json=body)))
        assert account["lowBalance"]["amount"] == units
    for body in ({}, {"amount": "1", "amountCents": 1}):
        assert_refused(call("PUT", path, json=body), "native", 400, "VALIDATION_ERROR")
    assert data(call("GET", f"{NATIVE}/account"))["lowBalance"]["amount"] == "1.00"
    assert fits(ACCOUNT, data(call("DELETE", path)))["lowBalance"] is None
