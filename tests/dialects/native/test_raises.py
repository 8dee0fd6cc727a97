"""Native: a raise is asked for, decided by somebody who may, and ends by itself."""

from __future__ import annotations

import pytest

from billing_plugin import Actor, Billing, operations
from billing_plugin.dialects.native.limits import LIMIT
from billing_plugin.dialects.native.raises import RAISE
from tests.dialects.faces import assert_refused, data, fits
from tests.dialects.routes import NATIVE
from tests.factories import Caller, Clock, app_with

BODY = {"amount": "5", "lastsS": 3600, "reason": "a long night"}


@pytest.fixture
def limit_id(call: Caller) -> str:
    made: str = data(call("POST", f"{NATIVE}/limits", json={"amount": "1"}), 201)["id"]
    return made


@pytest.fixture
def wish(call: Caller, limit_id: str) -> str:
    path = f"{NATIVE}/limits/{limit_id}/raises"
    made: str = fits(RAISE, data(call("POST", path, json=BODY), 201))["id"]
    return made


def spent(call: Caller, cost: str) -> int:
    status: int = call("POST", f"{NATIVE}/usage", json={"model": "m", "cost": cost}).status_code
    return status


def test_an_approved_raise_lifts_the_ceiling_until_its_moment(
    call: Caller, limit_id: str, wish: str, clock: Clock
) -> None:
    assert spent(call, "2") == 402
    approved = fits(RAISE, data(call("POST", f"{NATIVE}/raises/{wish}/approve")))
    assert (approved["status"], approved["limitId"]) == ("approved", limit_id)
    assert approved["untilAt"] == "2026-03-09T15:32:00.000Z"
    assert approved["decidedBy"].startswith("key_")
    seen = fits(LIMIT, data(call("GET", f"{NATIVE}/limits/{limit_id}")))
    assert (seen["amount"]["amount"], seen["ceiling"]["amount"]) == ("1.00", "6.00")
    assert seen["raiseUntil"] == approved["untilAt"]
    assert spent(call, "2") == 201
    clock.forward(hours=1)
    assert spent(call, "0.01") == 402
    seen = data(call("GET", f"{NATIVE}/limits/{limit_id}"))
    assert (seen["ceiling"]["amount"], seen["overspent"]["amount"]) == ("1.00", "1.00")
    assert seen["raiseUntil"] is None


def test_it_is_decided_once(call: Caller, wish: str) -> None:
    first = call("POST", f"{NATIVE}/raises/{wish}/deny", json={})
    assert data(first)["status"] == "denied"
    again = call("POST", f"{NATIVE}/raises/{wish}/deny", json={})
    assert again.headers["Idempotent-Replayed"] == "true"
    refused = call("POST", f"{NATIVE}/raises/{wish}/approve", json={})
    assert_refused(refused, "native", 409, "RAISE_ALREADY_DECIDED")
    assert data(call("GET", f"{NATIVE}/raises/{wish}"))["status"] == "denied"


def test_a_wish_that_nobody_decides_expires(call: Caller, limit_id: str, clock: Clock) -> None:
    body = {**BODY, "decideWithinS": 60}
    made = data(call("POST", f"{NATIVE}/limits/{limit_id}/raises", json=body), 201)
    assert made["expiresAt"] == "2026-03-09T14:33:00.000Z"
    clock.forward(minutes=1)
    assert [one["status"] for one in data(call("GET", f"{NATIVE}/raises"))] == ["expired"]
    refused = call("POST", f"{NATIVE}/raises/{made['id']}/approve")
    assert_refused(refused, "native", 409, "RAISE_EXPIRED")


def test_a_key_of_an_agent_asks_and_cannot_decide(
    billing: Billing, actor: Actor, limit_id: str
) -> None:
    token = operations.create_key(billing.operator(), str(actor.account_id), agent="bot").token
    agent = Caller(app_with(billing), token)
    made = data(agent("POST", f"{NATIVE}/limits/{limit_id}/raises", json=BODY), 201)
    for way in ("approve", "deny"):
        refused = agent("POST", f"{NATIVE}/raises/{made['id']}/{way}")
        assert assert_refused(refused, "native", 403, "FORBIDDEN")["scope"] == "limits:approve"
    assert data(agent("GET", f"{NATIVE}/raises/{made['id']}"))["status"] == "pending"
