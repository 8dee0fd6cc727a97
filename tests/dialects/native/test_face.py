"""The native face: its envelope, its errors, its two headers for a key."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from billing_plugin import Actor, Billing, Money, operations
from billing_plugin.dialects.native.face import ERROR, Strict, native, ok
from billing_plugin.dialects.openapi import TEXT
from tests.dialects.faces import NATIVE, assert_refused, data, fits
from tests.factories import Caller, app_with, token_of

USE = {"model": "m", "cost": "60.00"}


def test_success_stands_in_an_envelope(call: Caller) -> None:
    assert set(call("GET", f"{NATIVE}/balance").json) == {"success", "data"}
    with Flask("x").app_context():
        assert ok([1], 202).json == {"success": True, "data": [1]}
        assert ok([1], 202).status_code == 202


def test_the_envelope_is_documented() -> None:
    assert fits(native.success(TEXT), {"success": True, "data": "x"})


def test_facts_of_an_error_stand_beside_its_message(call: Caller, actor: Actor) -> None:
    limit = operations.set_limit(actor, str(actor.account_id), Money.parse("100")).limit
    data(call("POST", f"{NATIVE}/usage", json=USE), 201)
    refused = call("POST", f"{NATIVE}/usage", json=USE)
    told = assert_refused(refused, "native", 402, "LIMIT_EXCEEDED")
    fits(ERROR, told)
    facts = {name: told[name] for name in ("limitId", "amount", "spent", "held", "requested")}
    assert facts == {
        "limitId": limit.id,
        "amount": "100.00",
        "spent": "60.00",
        "held": "0.00",
        "requested": "60.00",
    }
    assert told["resetsAt"] == "2026-04-01T00:00:00.000Z"
    assert told["retryable"] is False


def test_facts_never_hide_what_every_error_tells(call: Caller) -> None:
    refused = call("POST", f"{NATIVE}/limits", json={"code": 1, "message": 2})
    told = assert_refused(refused, "native", 400, "VALIDATION_ERROR")
    assert set(told["fields"]) == {"code", "message"}


def test_either_header_carries_the_key(billing: Billing, actor: Actor) -> None:
    client = app_with(billing).test_client()
    token = token_of(billing, actor)
    for headers in ({"X-API-Key": token}, {"Authorization": f"Bearer {token}"}):
        assert client.get(f"{NATIVE}/balance", headers=headers).status_code == 200
    both = {"X-API-Key": "wrong", "Authorization": f"Bearer {token}"}
    assert client.get(f"{NATIVE}/balance", headers=both).status_code == 401


def test_only_the_document_and_its_page_are_public(billing: Billing) -> None:
    client = app_with(billing).test_client()
    for path, status in (("/openapi.json", 200), ("/docs", 200), ("/balance", 401)):
        assert client.get(NATIVE + path).status_code == status


@pytest.mark.parametrize("body", [{"more": 1}, {"": 1}])
def test_a_strict_request_refuses_what_it_does_not_know(body: dict[str, Any]) -> None:
    assert Strict().validate(body) == {key: ["Unknown field."] for key in body}
