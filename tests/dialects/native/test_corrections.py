"""Native: adjustments, reversals and refunds, each once, for operators."""

from __future__ import annotations

from typing import Any

import pytest

from billing_plugin import Actor, Billing
from billing_plugin.dialects.native.ledger import ENTRY
from tests.dialects.faces import DESK, assert_refused, data, fits, staffed
from tests.dialects.routes import NATIVE
from tests.factories import Caller

USE = {"model": "m", "cost": "3.00"}


@pytest.fixture
def desk(billing: Billing, call: Caller, actor: Actor) -> Caller:
    """An operator who asks about the account."""
    staffed(billing)
    call.headers = {**DESK, "X-Billing-Account": str(actor.account_id)}
    return call


@pytest.fixture
def charged(desk: Caller) -> str:
    """A charge of three dollars."""
    made: str = data(desk("POST", f"{NATIVE}/usage", json=USE), 201)["entryId"]
    return made


def posted(desk: Caller) -> Any:
    return data(desk("GET", f"{NATIVE}/balance"))["posted"]["amount"]


@pytest.mark.parametrize(
    ("body", "amount", "kind"),
    [
        ({"amount": "5.5", "reason": "sorry"}, "5.50", "support"),
        ({"amountCents": -250, "kind": "adjustment"}, "-2.50", "adjustment"),
        ({"amount": "-0.000000001", "kind": "adjustment"}, "-0.000000001", "adjustment"),
    ],
)
def test_a_credit_or_a_debit(desk: Caller, body: dict[str, Any], amount: str, kind: str) -> None:
    headers = {"X-Request-Id": "ticket-7"}
    made = fits(ENTRY, data(desk("POST", f"{NATIVE}/adjustments", json=body, headers=headers), 201))
    assert (made["amount"]["amount"], made["kind"]) == (amount, kind)
    assert made["requestId"] == "ticket-7"
    assert made["metadata"] == ({"reason": "sorry"} if "reason" in body else {})
    assert data(desk("GET", f"{NATIVE}/ledger/{made['id']}")) == made


def test_a_debit_that_does_not_fit(desk: Caller) -> None:
    refused = desk("POST", f"{NATIVE}/adjustments", json={"amount": "-100.01"})
    assert_refused(refused, "native", 402, "INSUFFICIENT_FUNDS")


def test_a_charge_is_reversed_once(desk: Caller, charged: str) -> None:
    path = f"{NATIVE}/ledger/{charged}/reversal"
    first = desk("POST", path, json={"reason": "wrong"})
    made = fits(ENTRY, data(first, 201))
    assert (made["kind"], made["reversesId"]) == ("reversal", charged)
    assert made["amount"]["amount"] == "3.00"
    again = desk("POST", path, json={})
    assert data(again, 201) == made
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert posted(desk) == "100.00"


def test_a_reversal_cannot_be_reversed(desk: Caller, charged: str) -> None:
    made = data(desk("POST", f"{NATIVE}/ledger/{charged}/reversal", json={}), 201)
    refused = desk("POST", f"{NATIVE}/ledger/{made['id']}/reversal", json={})
    assert_refused(refused, "native", 409, "NOT_REVERSIBLE")


def test_refunds_never_exceed_the_charge(desk: Caller, charged: str) -> None:
    path = f"{NATIVE}/ledger/{charged}/refunds"
    made = fits(ENTRY, data(desk("POST", path, json={"amount": "2", "reason": "slow"}), 201))
    assert (made["kind"], made["reversesId"]) == ("refund", charged)
    told = assert_refused(
        desk("POST", path, json={"amount": "1.01"}), "native", 409, "REFUND_EXCEEDS_CHARGE"
    )
    assert told["left"] == "1.00"
    data(desk("POST", path, json={"amount": "1"}), 201)
    assert posted(desk) == "100.00"


def test_corrections_stand_among_the_uses(desk: Caller, charged: str) -> None:
    data(desk("POST", f"{NATIVE}/ledger/{charged}/refunds", json={"amount": "1"}), 201)
    correction, use = data(desk("GET", f"{NATIVE}/usage"))
    assert correction["correctsId"] == use["id"]
    assert (correction["cost"]["amount"], use["correctsId"]) == ("-1.00", None)
    refused = desk("POST", f"{NATIVE}/ledger/led_0/refunds", json={"amount": "1"})
    assert_refused(refused, "native", 404, "NOT_FOUND")
