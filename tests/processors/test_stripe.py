"""What Stripe says, read: states of an intent, and events. See test_contract.py for the rest."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
import stripe

from billing_plugin import Money
from billing_plugin.config import Settings
from billing_plugin.errors import ConfigurationError, InvalidRequest, ProviderUnreadable
from billing_plugin.processors import load, signatures
from billing_plugin.processors.processor import Charge, Dispute, Message, Refund
from billing_plugin.processors.stripe import StripeProcessor

NOW = datetime(2026, 3, 9, 14, 32, tzinfo=UTC)
KEY = "sk_test_1"


class Told(SimpleNamespace):
    """An object of Stripe's that pages by itself."""

    def auto_paging_iter(self) -> Any:
        return iter(self.data)


def processor(**said: Any) -> StripeProcessor:
    """Stripe, whose client tells of those refunds, disputes and this charge."""
    found = StripeProcessor(Settings(processor_key=KEY))
    refunds, disputes = (Told(data=said.get(name, [])) for name in ("refunds", "disputes"))
    client = SimpleNamespace(
        refunds=SimpleNamespace(list=lambda _: refunds),
        disputes=SimpleNamespace(list=lambda _: disputes),
        charges=SimpleNamespace(retrieve=lambda _: said.get("charge")),
    )
    vars(found)["_client"] = SimpleNamespace(v1=client)
    return found


def intent(status: str, **said: Any) -> SimpleNamespace:
    facts = {
        "id": "pi_1", "currency": "usd", "amount": 1234, "amount_received": 1234,
        "client_secret": "hush", "metadata": SimpleNamespace(reference="top_1"),
        "latest_charge": "ch_1", "last_payment_error": None,
    }  # fmt: skip
    return SimpleNamespace(status=status, **{**facts, **said})


STATES = {
    "succeeded": ("succeeded", "", ""),
    "processing": ("processing", "", ""),
    "requires_capture": ("processing", "", ""),
    "requires_action": ("confirm", "", "hush"),
    "requires_confirmation": ("confirm", "", "hush"),
    "requires_payment_method": ("confirm", "", "hush"),
    "canceled": ("failed", "canceled", ""),
}


@pytest.mark.parametrize("status", STATES)
def test_every_state_of_an_intent_is_known(status: str) -> None:
    found = processor()._payment(intent(status))
    assert (found.status, found.failure, found.client_secret) == STATES[status]
    assert (found.payment_id, found.reference) == ("pi_1", "top_1")
    assert found.amount == (Money.parse("12.34") if status == "succeeded" else None)


def test_a_state_that_is_new_is_not_guessed_at() -> None:
    with pytest.raises(ProviderUnreadable):
        processor()._payment(intent("requires_something"))


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (SimpleNamespace(decline_code="insufficient_funds", code="card_declined"),
         "insufficient_funds"),
        (SimpleNamespace(decline_code=None, code="expired_card"), "expired_card"),
        (SimpleNamespace(decline_code=None, code=None), "declined"),
    ],
    ids=["decline code", "code", "neither"],
)  # fmt: skip
def test_a_failed_attempt_says_why(error: Any, failure: str) -> None:
    found = processor()._payment(intent("requires_payment_method", last_payment_error=error))
    assert (found.status, found.failure) == ("failed", failure)


@pytest.mark.parametrize(("currency", "minor", "amount"), [
    ("jpy", 500, Money.parse("500", "JPY")), ("kwd", 1234, Money.parse("1.234", "KWD")),
])  # fmt: skip
def test_minor_units_are_those_of_the_currency(currency: str, minor: int, amount: Money) -> None:
    found = processor()._payment(intent("succeeded", currency=currency, amount_received=minor))
    assert found.amount == amount


def refund(status: str) -> SimpleNamespace:
    return SimpleNamespace(id=f"re_{status}", status=status, amount=300, currency="usd")


def test_refunds_are_what_has_left_or_come_back() -> None:
    names = ("failed", "canceled", "requires_action", "pending", "succeeded")
    found = processor(refunds=[refund(name) for name in names])._payment(intent("succeeded"))
    three = Money.parse("3")
    assert found.refunds == (
        Refund("re_succeeded", three), Refund("re_pending", three),
        Refund("re_canceled", three, failed=True), Refund("re_failed", three, failed=True),
    )  # fmt: skip


def test_disputes_are_read_where_there_are_any() -> None:
    told = [
        SimpleNamespace(id=f"dp_{status}", status=status, amount=1234, currency="usd")
        for status in ("needs_response", "won", "lost", "warning_needs_response", "warning_closed")
    ]
    quiet = processor(disputes=told, charge=SimpleNamespace(disputed=False))
    assert quiet._payment(intent("succeeded")).disputes == ()
    loud = processor(disputes=told, charge=SimpleNamespace(disputed=True))
    twelve = Money.parse("12.34")
    assert loud._payment(intent("succeeded")).disputes == (
        Dispute("dp_lost", twelve, "lost"), Dispute("dp_won", twelve, "won"),
        Dispute("dp_needs_response", twelve, "open"),
    )  # fmt: skip


def read(event: Any, key: str = KEY) -> Message:
    body = json.dumps(event).encode()
    headers = {"Stripe-Signature": signatures.sign(body, "whsec_1", NOW)}
    stripe_ = StripeProcessor(Settings(processor_key=key))
    return stripe_.read_message(body, headers, secrets=["whsec_1"], at=NOW)


def event(about: Any, **said: Any) -> dict[str, Any]:
    facts = {"id": "evt_1", "type": "t", "livemode": False, "data": {"object": about}}
    return {**facts, **said}


INTENT = {"object": "payment_intent", "id": "pi_1", "metadata": {"reference": "top_1"}}
EVENTS: dict[str, tuple[Any, tuple[str, str]]] = {
    "intent": (INTENT, ("pi_1", "top_1")),
    "intent of somebody else": ({**INTENT, "metadata": {}}, ("pi_1", "")),
    "charge": ({"object": "charge", "id": "ch_1", "payment_intent": "pi_1"}, ("pi_1", "")),
    "refund": ({"object": "refund", "payment_intent": "pi_1"}, ("pi_1", "")),
    "dispute": ({"object": "dispute", "payment_intent": "pi_1"}, ("pi_1", "")),
    "customer": ({"object": "customer", "id": "cus_1"}, ("", "")),
    "odd": ({"object": "payment_intent", "id": 7, "metadata": [1]}, ("", "")),
    "nothing": (None, ("", "")),
}


@pytest.mark.parametrize("case", EVENTS)
def test_an_event_says_which_payment_it_is_about(case: str) -> None:
    about, told = EVENTS[case]
    assert read(event(about)) == Message("evt_1", "t", *told)


def test_events_of_the_other_mode_are_refused() -> None:
    for key, live in ((KEY, True), ("sk_live_1", False)):
        with pytest.raises(InvalidRequest) as caught:
            read(event(INTENT, livemode=live), key)
        assert caught.value.code == "wrong_mode"
    assert read(event(INTENT, livemode=True), "rk_live_1").id == "evt_1"


def test_the_signature_is_the_one_that_stripe_makes() -> None:
    body = json.dumps(event(INTENT))
    header = signatures.sign(body.encode(), "whsec_1", datetime.now(UTC))
    assert stripe.WebhookSignature.verify_header(body, header, "whsec_1", 300)
    moment, digest = header.split(",")
    theirs = stripe.WebhookSignature._compute_signature(f"{moment[2:]}.{body}", "whsec_1")
    assert digest == f"v1={theirs}"


def test_without_a_key_there_is_no_stripe() -> None:
    with pytest.raises(ConfigurationError, match="BILLING_PROCESSOR_KEY"):
        load("stripe", Settings())
    assert isinstance(load("stripe", Settings(processor_key=KEY)), StripeProcessor)


@pytest.mark.parametrize("attended", [True, False])
@pytest.mark.parametrize("customer_id", ["cus_1", None])
def test_a_charge_says_who_pays_and_that_no_browser_is_sent_away(
    customer_id: str | None, attended: bool
) -> None:
    """localstripe knows nothing of that: Stripe refuses to confirm an intent without it."""
    asked: list[Any] = []
    found = processor()
    payments = SimpleNamespace(create=lambda *said: asked.append(said) or intent("succeeded"))
    vars(vars(found)["_client"].v1)["payment_intents"] = payments
    made = Charge("top_1", Money.parse("12.34"), "pm_1", attended, customer_id=customer_id)
    assert found.charge(made).status == "succeeded"
    [(wanted, options)] = asked
    assert options == {"idempotency_key": "top_1"}
    assert wanted == {
        "amount": 1234, "currency": "usd", "metadata": {"reference": "top_1"},
        "payment_method": "pm_1", "confirm": True,
        "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
        **({"customer": "cus_1"} if customer_id else {}),
        **({} if attended else {"off_session": True}),
    }  # fmt: skip


@pytest.mark.parametrize(
    "customer", ["cus_1", SimpleNamespace(id="cus_1"), None], ids=["id", "whole", "nobody"]
)
@pytest.mark.parametrize("status", ["succeeded", "requires_action"])
def test_a_payment_says_whose_it_is(customer: Any, status: str) -> None:
    told = processor()._payment(intent(status, customer=customer))
    assert told.customer_id == ("cus_1" if customer else "")
