"""Native: buying credit, once for each Idempotency-Key."""

from __future__ import annotations

import pytest

from billing_plugin.dialects.native.topups import TOPUP
from tests.dialects.faces import assert_refused, data, fits
from tests.dialects.routes import NATIVE
from tests.factories import Caller, account_with, app_with, billing_on, token_of

PATH = f"{NATIVE}/topups"


def posted(call: Caller) -> str:
    found: str = data(call("GET", f"{NATIVE}/balance"))["posted"]["amount"]
    return found


def test_a_top_up(call: Caller) -> None:
    made = fits(TOPUP, data(call("POST", PATH, json={"amountCents": 1000}), 201))
    assert made["paymentId"].startswith("pi_fake_")
    assert made == {
        "id": made["id"],
        "status": "succeeded",
        "amount": {"amount": "10.00", "cents": 1000, "currency": "USD"},
        "processor": "fake",
        "paymentMethod": "default",
        "paymentId": made["paymentId"],
        "failure": None,
        "automatic": False,
        "createdAt": "2026-03-09T14:32:00.000Z",
        "updatedAt": "2026-03-09T14:32:00.000Z",
    }
    assert data(call("GET", f"{PATH}/{made['id']}")) == made
    assert posted(call) == "110.00"


def test_the_same_key_charges_once(call: Caller) -> None:
    once = {"json": {"amount": "5.00"}, "headers": {"Idempotency-Key": "once"}}
    first, again = (data(call("POST", PATH, **once), 201) for _ in range(2))
    assert first == again
    assert posted(call) == "105.00"


def test_the_same_key_with_other_content_is_a_conflict(call: Caller) -> None:
    headers = {"Idempotency-Key": "once"}
    data(call("POST", PATH, json={"amount": "5.00"}, headers=headers), 201)
    refused = call("POST", PATH, json={"amount": "6.00"}, headers=headers)
    assert_refused(refused, "native", 409, "IDEMPOTENCY_CONFLICT")
    assert posted(call) == "105.00"


@pytest.mark.parametrize("method", ["fake_declined", "fake_insufficient_funds"])
def test_a_declined_payment(call: Caller, method: str) -> None:
    body = {"amount": "5.00", "paymentMethod": method}
    told = assert_refused(call("POST", PATH, json=body), "native", 402, "PAYMENT_DECLINED")
    assert data(call("GET", f"{PATH}/{told['topupId']}"))["status"] == "failed"
    assert posted(call) == "100.00"


def test_a_lost_answer_is_unknown_until_the_same_key_asks_again(call: Caller) -> None:
    body = {"amount": "5.00", "paymentMethod": "fake_lost_answer"}
    lost = {"json": body, "headers": {"Idempotency-Key": "lost"}}
    first = fits(TOPUP, data(call("POST", PATH, **lost), 201))
    assert (first["status"], first["paymentId"]) == ("unknown", None)
    assert posted(call) == "100.00"
    again = data(call("POST", PATH, **lost), 201)
    assert (again["id"], again["status"]) == (first["id"], "succeeded")
    assert posted(call) == "105.00"


def test_without_a_processor(database_url: str) -> None:
    billing = billing_on(database_url, processor="")
    call = Caller(app_with(billing), token_of(billing, account_with(billing)))
    refused = call("POST", PATH, json={"amount": "5.00"})
    assert_refused(refused, "native", 501, "NOT_SUPPORTED")
