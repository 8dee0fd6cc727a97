"""Native: payment methods, from the secret by which one is stated until it is gone."""

from __future__ import annotations

from typing import Any

import pytest

from billing_plugin import Actor, Billing
from billing_plugin.dialects.native.payment_methods import METHOD, REMOVED_METHOD, SETUP
from tests.dialects.faces import assert_refused, data, fits, method_of
from tests.dialects.routes import NATIVE
from tests.factories import Caller, Clock, account_with, app_with, billing_on, token_of

PATH = f"{NATIVE}/payment-methods"
TOPUPS = f"{NATIVE}/topups"


def shown(method_id: str, **said: Any) -> dict[str, Any]:
    nothing = dict.fromkeys(("brand", "last4", "expMonth", "expYear", "bankName", "email"))
    return {"id": method_id, "isDefault": False, "addedAt": None, **nothing, **said}


VISA = {"form": "card", "brand": "visa", "last4": "4242", "expMonth": 12, "expYear": 2039}
FORMS = {
    "fake_visa": VISA,
    "fake_bank": {"form": "bank", "bankName": "Fake Bank", "last4": "6789"},
    "fake_link": {"form": "link", "email": "payer@example.com"},
}


def test_a_method_is_begun_and_stated(billing: Billing, call: Caller) -> None:
    once = {"headers": {"Idempotency-Key": "once"}}
    begun = fits(SETUP, data(call("POST", PATH, **once), 201))
    assert begun["processor"] == "fake"
    assert begun["createdAt"] == "2026-03-09T14:32:00.000Z"
    again = call("POST", PATH, **once)
    assert (data(again, 201), again.headers["Idempotent-Replayed"]) == (begun, "true")
    method_id = billing.instance.processor.confirm(begun["clientSecret"])
    assert data(call("GET", PATH)) == [shown(method_id, **VISA)]


@pytest.mark.parametrize("token", FORMS)
def test_each_form_is_shown(billing: Billing, call: Caller, token: str) -> None:
    begun = data(call("POST", PATH), 201)
    method_id = billing.instance.processor.confirm(begun["clientSecret"], token)
    [found] = data(call("GET", PATH))
    assert fits(METHOD, found) == shown(method_id, **FORMS[token])


def test_the_default_is_charged_until_it_is_gone(actor: Actor, call: Caller) -> None:
    method_id = method_of(actor)
    chosen = fits(METHOD, data(call("PUT", f"{PATH}/{method_id}/default")))
    assert chosen == shown(method_id, **VISA, isDefault=True)
    assert data(call("GET", PATH)) == [chosen]
    bought = data(call("POST", TOPUPS, json={"amount": "5.00"}), 201)
    assert (bought["paymentMethod"], bought["status"]) == (method_id, "succeeded")
    gone = fits(REMOVED_METHOD, data(call("DELETE", f"{PATH}/{method_id}")))
    assert gone == {"deleted": True, "id": method_id, "wasDefault": True}
    assert data(call("GET", PATH)) == []
    bought = data(call("POST", TOPUPS, json={"amount": "5.00"}), 201)
    assert bought["paymentMethod"] == "default"


def test_a_method_of_another_tenant_is_unknown(
    billing: Billing, actor: Actor, call: Caller
) -> None:
    method_of(actor)
    theirs = method_of(account_with(billing))
    body = {"json": {"amount": "5.00", "paymentMethod": theirs}}
    for refused in (
        call("PUT", f"{PATH}/{theirs}/default"),
        call("DELETE", f"{PATH}/{theirs}"),
        call("POST", TOPUPS, **body),
    ):
        told = assert_refused(refused, "native", 404, "NOT_FOUND")
        assert told["message"] == "There is no such payment method."
    assert data(call("GET", TOPUPS)) == []


def test_without_a_processor(database_url: str) -> None:
    billing = billing_on(database_url, processor="")
    call = Caller(app_with(billing), token_of(billing, account_with(billing)))
    for method, path in (("GET", PATH), ("POST", PATH), ("DELETE", f"{PATH}/x")):
        assert_refused(call(method, path), "native", 501, "NOT_SUPPORTED")


def test_who_tries_too_often_is_told_when_to_come_back(database_url: str) -> None:
    clock = Clock()
    billing = billing_on(
        database_url, clock=clock, topup_max_attempts=2, topup_max_declined=1, topup_window_s=60
    )
    call = Caller(app_with(billing), token_of(billing, account_with(billing)))
    declined = {"json": {"amount": "5.00", "paymentMethod": "fake_declined"}}
    assert_refused(call("POST", TOPUPS, **declined), "native", 402, "PAYMENT_DECLINED")
    clock.forward(seconds=10)
    refused = call("POST", TOPUPS, **declined)
    told = assert_refused(refused, "native", 429, "RATE_LIMITED")
    assert (refused.headers["Retry-After"], told["retryAfterS"]) == ("50", 50)
    for status in (201, 201, 429):
        assert call("POST", PATH).status_code == status
