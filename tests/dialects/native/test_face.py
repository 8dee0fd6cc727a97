"""The native face: its envelope, its errors, its two headers for a key."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from billing_plugin import Actor, Billing, Money, operations
from billing_plugin.dialects.native.face import ERROR, Strict, native, ok
from billing_plugin.dialects.openapi import TEXT
from tests.dialects.faces import Asker, assert_refused, busy_account, data, every_row, fits, ids_of
from tests.dialects.routes import NATIVE, ROUTES, Route
from tests.factories import Caller, account_with, app_with, token_of

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


# an import is done once by its rows, whatever the key
POSTS = [
    route
    for route in ROUTES
    if (route.face, route.method, route.csv, route.keyed) == ("native", "POST", "", True)
]


@pytest.mark.parametrize("route", POSTS, ids=lambda route: route.path.removeprefix(NATIVE))
def test_every_post_is_done_once_for_a_key(billing: Billing, route: Route) -> None:
    """The second answer tells the same, is marked, and no table has changed; other content under
    the key is refused."""
    actor = busy_account(billing)
    ask = Asker(app_with(billing), billing, actor)
    path = route.at(ids_of(actor)[route.about]) if route.about else route.at()
    options = {**route.sent, "headers": {"Idempotency-Key": "once"}}
    first = ask.route([], route, path, **options)
    assert first.status_code == route.status, first.text
    assert "Idempotent-Replayed" not in first.headers
    before = every_row(billing)
    again = ask.route([], route, path, **options)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert every_row(billing) == before
    told, retold = (answer.json["data"] for answer in (first, again))
    if "batch" in path:
        told, retold = (one["results"][0]["record"] for one in (told, retold))
    assert {**retold, "replayed": None} == {**told, "replayed": None}
    other = {**options, "json": OTHER_CONTENT[route.path]} if route.path in OTHER_CONTENT else None
    elsewhere = route.at(ids_of(account_with(billing, "50"))[route.about]) if route.about else path
    if other:
        refused = ask.route([], route, path, **other)
        assert_refused(refused, "native", 409, "IDEMPOTENCY_CONFLICT")
    elif route.about:
        assert_refused(ask.route([], route, elsewhere, **options), "native", 404, "NOT_FOUND")


OTHER_CONTENT: dict[str, dict[str, Any]] = {
    f"{NATIVE}/accounts": {"name": "Other"},
    f"{NATIVE}/ledger/<entry_id>/reversal": {"reason": "other"},
    f"{NATIVE}/ledger/<entry_id>/refunds": {"amountCents": 2},
    f"{NATIVE}/adjustments": {"amountCents": 2},
    f"{NATIVE}/credits": {"amountCents": 2},
    f"{NATIVE}/holds": {"amountCents": 2},
    f"{NATIVE}/holds/<hold_id>/capture": {"amountCents": 2},
    f"{NATIVE}/holds/<hold_id>/extend": {"expiresInS": 61},
    f"{NATIVE}/usage": {"model": "gpt-4o", "inputTokens": 2},
    f"{NATIVE}/usage/batch": {"records": [{"model": "m", "cost": "2"}]},
    f"{NATIVE}/usage/rerating": {"from": "2026-03-02", "to": "2026-03-09"},
    f"{NATIVE}/limits": {"amountCents": 2},
    f"{NATIVE}/limits/<limit_id>/raises": {"amountCents": 2, "lastsS": 60},
    f"{NATIVE}/prices": {"provider": "p", "model": "m", "prices": {"input_tokens": "1"}},
    f"{NATIVE}/prices/<price_id>/end": {"at": "2026-03-10T00:00:00Z"},
    f"{NATIVE}/topups": {"amountCents": 600},
    f"{NATIVE}/webhooks": {"url": "https://other.example.com/"},
    f"{NATIVE}/items": {"name": "Disk", "amount": 1051},
    f"{NATIVE}/categories": {"name": "Other"},
    f"{NATIVE}/sync": {"provider": "fake"},
}


def test_a_key_of_one_account_is_nothing_to_another(billing: Billing) -> None:
    app = app_with(billing)
    use = {"json": {"model": "m", "cost": "1"}, "headers": {"Idempotency-Key": "once"}}
    for _ in range(2):
        call = Caller(app, token_of(billing, account_with(billing, "5")))
        data(call("POST", f"{NATIVE}/usage", **use), 201)


def test_the_request_id_reaches_the_entry_of_every_route_that_moves_money(
    billing: Billing,
) -> None:
    actor = busy_account(billing)
    ask = Asker(app_with(billing), billing, actor)
    moved = [route for route in POSTS if route.path in MOVES]
    assert len(moved) == len(MOVES)
    for number, route in enumerate(moved):
        path = route.at(ids_of(actor)[route.about]) if route.about else route.at()
        headers = {"X-Request-Id": f"move-{number}"}
        response = ask.route([], route, path, json=route.json, headers=headers)
        assert response.status_code == route.status, response.text
        newest = data(ask([], "GET", f"{NATIVE}/ledger?limit=1"))[0]
        assert newest["requestId"] == f"move-{number}", route.name


MOVES = {
    *(f"{NATIVE}/ledger/<entry_id>/reversal", f"{NATIVE}/ledger/<entry_id>/refunds"),
    *(f"{NATIVE}/adjustments", f"{NATIVE}/credits", f"{NATIVE}/holds/<hold_id>/capture"),
    *(f"{NATIVE}/usage", f"{NATIVE}/usage/batch", f"{NATIVE}/topups"),
}
