"""Processors send what happened: signed, answered at once, whatever it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from billing_plugin import Billing, Money, operations
from billing_plugin.context import utc_now
from billing_plugin.processors import fake, signatures
from tests.books import everything
from tests.deeds import balance
from tests.factories import account_with, billing_on

PATH = "/billing/webhooks/fake"
TEN = Money.parse("10")


@pytest.fixture
def billing(database_url: str) -> Iterator[Billing]:
    found = billing_on(database_url, processor="fake", processor_webhook_secrets="hush")
    yield found
    found.close()


@pytest.fixture
def client(billing: Billing) -> FlaskClient:
    app = Flask(__name__)
    billing.init_app(app)
    return app.test_client()


def send(client: FlaskClient, body: bytes, *, secret: str = "hush", path: str = PATH) -> Any:
    headers = {"Fake-Signature": signatures.sign(body, secret, utc_now())}
    return client.post(path, data=body, headers=headers, content_type="application/json")


def said(**fields: Any) -> bytes:
    return json.dumps({"id": "m1", "type": "payment", **fields}).encode()


def test_a_message_settles_a_top_up_and_is_known_afterwards(
    billing: Billing, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fake, "WAITS_S", 10_000)
    buyer = account_with(billing)
    topup = operations.top_up(buyer, str(buyer.account_id), TEN, payment_method="fake_slow")
    assert (topup.status, balance(buyer)[0]) == ("processing", "0.00")
    monkeypatch.setattr(fake, "WAITS_S", 0)
    for known in (False, True):
        response = send(client, said(reference=topup.id))
        assert (response.status_code, response.json) == (200, {"received": True, "known": known})
        assert balance(buyer)[0] == "10.00"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Request-Id"]


BAD = {
    "another secret": ({"secret": "other"}, "invalid_signature"),
    "no secret": ({"secret": ""}, "invalid_signature"),
    "no json": ({"body": b"{"}, "malformed_json"),
    "no object": ({"body": b"[]"}, "malformed_json"),
    "deep": ({"body": b"[" * 50_000}, "malformed_json"),
    "no text": ({"body": b"\xff\xfe"}, "malformed_json"),
    "no id": ({"body": b"{}"}, "malformed_json"),
    "NUL": ({"body": b'{"id": "a\\u0000b"}'}, "invalid_request"),
    "half a pair": ({"body": b'{"id": "\\ud800"}'}, "invalid_request"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_refused_and_not_stored(
    billing: Billing, client: FlaskClient, case: str
) -> None:
    asked, code = BAD[case]
    before = everything(billing)
    response = send(client, **{"body": said(), **asked})
    assert (response.status_code, response.json["error"]["code"]) == (400, code)
    assert "hush" not in response.text
    assert everything(billing) == before


def test_a_body_that_is_too_large_is_refused(client: FlaskClient) -> None:
    response = send(client, said(more="x" * 2_000_000))
    assert (response.status_code, response.json["error"]["code"]) == (413, "payload_too_large")


@pytest.mark.parametrize("path", ["/billing/webhooks/stripe", "/billing/webhooks/fake/x"])
def test_nobody_else_is_listened_to(client: FlaskClient, path: str) -> None:
    response = send(client, said(), path=path)
    assert (response.status_code, response.json["error"]["code"]) == (404, "not_found")


def test_only_posts_are_taken(client: FlaskClient) -> None:
    response = client.get(PATH)
    assert (response.status_code, response.json["error"]["code"]) == (405, "method_not_allowed")
    assert "POST" in response.headers["Allow"]


def test_without_a_secret_nothing_is_taken(database_url: str) -> None:
    billing, app = billing_on(database_url, processor="fake"), Flask(__name__)
    billing.init_app(app)
    assert send(app.test_client(), said()).status_code == 404
    billing.close()


def test_the_path_is_a_setting(database_url: str) -> None:
    for prefix, status in (("", 404), ("/hooks", 200)):
        app = Flask(__name__)
        billing = billing_on(
            database_url, processor="fake", processor_webhook_secrets="hush", webhooks_prefix=prefix
        )
        billing.init_app(app)
        assert send(app.test_client(), said(), path="/hooks/fake").status_code == status
        assert send(app.test_client(), said()).status_code == 404
        billing.close()
