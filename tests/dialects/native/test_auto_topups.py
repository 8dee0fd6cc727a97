"""Native: setting, seeing and removing the rule of an auto top-up."""

from __future__ import annotations

from datetime import timedelta

from billing_plugin import Actor
from billing_plugin.dialects.native.auto_topups import AUTO_TOPUP, REMOVED
from tests.deeds import spend
from tests.dialects.faces import assert_refused, data, fits
from tests.dialects.routes import NATIVE
from tests.factories import START, Caller, account_with, app_with, billing_on, token_of

PATH = f"{NATIVE}/auto-topup"
RULE = {"amountCents": 1000, "threshold": "5"}


def cents(amount: int) -> dict[str, object]:
    return {"amount": f"{amount // 100}.00", "cents": amount, "currency": "USD"}


def test_a_rule_is_set_seen_and_removed(call: Caller, actor: Actor) -> None:
    none = fits(AUTO_TOPUP, data(call("GET", PATH)))
    assert {name for name, value in none.items() if value is not None} == {"enabled"}
    assert none["enabled"] is False
    caps = {"dailyCount": 3, "monthlyCents": 50000}
    made = fits(AUTO_TOPUP, data(call("PUT", PATH, json={**RULE, **caps})))
    want = {
        "enabled": True, "threshold": cents(500), "amount": cents(1000), "dailyCount": 3,
        "monthly": cents(50000), "paymentMethod": "default",
    }  # fmt: skip
    assert made == {**none, **want}
    assert data(call("GET", PATH)) == made
    spend(actor, "96")
    [topup] = data(call("GET", f"{NATIVE}/topups"))
    assert topup["amount"] == cents(1000)
    for deleted in (True, False):
        assert fits(REMOVED, data(call("DELETE", PATH))) == {"deleted": deleted}
    assert data(call("GET", PATH)) == none


def test_it_says_why_nothing_is_bought(call: Caller, actor: Actor) -> None:
    data(call("PUT", PATH, json={**RULE, "paymentMethod": "fake_declined"}))
    spend(actor, "96")
    found = fits(AUTO_TOPUP, data(call("GET", PATH)))
    assert (found["enabled"], found["disabledReason"]) == (True, None)
    assert found["error"] == "The payment failed: card_declined."
    assert found["lastFailedAt"] == "2026-03-09T14:32:00.000Z"
    assert found["nextAt"] == (START + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    made = fits(AUTO_TOPUP, data(call("PUT", PATH, json={**RULE, "paymentMethod": "fake_3ds"})))
    assert made["disabledReason"] == "authentication_required"


def test_both_thresholds_or_none_are_refused(call: Caller) -> None:
    for said in ({}, {"threshold": "5", "thresholdCents": 500}):
        answer = call("PUT", PATH, json={"amountCents": 1000, **said})
        assert_refused(answer, "native", 400, "VALIDATION_ERROR")


def test_without_a_processor(database_url: str) -> None:
    billing = billing_on(database_url, processor="")
    call = Caller(app_with(billing), token_of(billing, account_with(billing)))
    assert_refused(call("PUT", PATH, json=RULE), "native", 501, "NOT_SUPPORTED")
