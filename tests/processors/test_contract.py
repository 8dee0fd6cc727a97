"""One contract for every processor: the shipped fake one, and Stripe's official client against
localstripe, behind a network that breaks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import stripe

from billing_plugin import Money
from billing_plugin.config import Settings
from billing_plugin.errors import ProviderError
from billing_plugin.ids import new_id
from billing_plugin.processors import fake
from billing_plugin.processors.fake import FakeProcessor
from billing_plugin.processors.processor import Charge, Payment
from billing_plugin.processors.stripe import StripeProcessor
from tests.chaos import Chaos, chaos, localstripe

AMOUNT, THREE = Money.parse("12.34"), Money.parse("3")
CARDS = {"good": "4242424242424242", "declined": "4000000000000341"}
METHODS = {"good": "default", "declined": "fake_declined"}


class Fake:
    """The fake processor, as it is under test."""

    processor = FakeProcessor()
    method = METHODS.__getitem__


class Stripe:
    """Stripe's client, localstripe, and what is between them."""

    def __init__(self, between: Chaos) -> None:
        self.between = between
        settings = Settings(
            processor_key="sk_test_1", processor_url=between.url, provider_timeout_s=5
        )
        self.processor = StripeProcessor(settings)
        self.client = stripe.StripeClient("sk_test_1", base_addresses={"api": between.url})

    def method(self, name: str) -> str:
        card: Any = {"number": CARDS[name], "exp_month": 12, "exp_year": 2039, "cvc": "123"}
        return self.client.v1.payment_methods.create({"type": "card", "card": card}).id


@pytest.fixture(scope="session")
def port() -> Iterator[int]:
    with localstripe() as found:
        yield found


@pytest.fixture
def between(port: int) -> Iterator[Chaos]:
    with chaos(port) as found:
        yield found


@pytest.fixture
def with_stripe(between: Chaos) -> Stripe:
    return Stripe(between)


@pytest.fixture(params=["fake", "stripe"])
def under_test(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(fake, "WAITS_S", 0)
    return Fake() if request.param == "fake" else request.getfixturevalue("with_stripe")


def charge(under_test: Any, name: str = "good") -> Charge:
    return Charge(new_id("top"), AMOUNT, under_test.method(name))


def test_what_is_charged_is_told(under_test: Any) -> None:
    asked = charge(under_test)
    paid = under_test.processor.charge(asked)
    assert (paid.status, paid.amount, paid.reference) == ("succeeded", AMOUNT, asked.reference)
    assert paid.payment_id
    assert (paid.failure, paid.client_secret, paid.refunds, paid.disputes) == ("", "", (), ())


def test_the_same_reference_charges_once(under_test: Any) -> None:
    asked = charge(under_test)
    assert under_test.processor.charge(asked) == under_test.processor.charge(asked)


def test_what_is_charged_is_found(under_test: Any) -> None:
    asked = charge(under_test)
    paid = under_test.processor.charge(asked)
    under_test.processor.charge(charge(under_test))
    assert under_test.processor.find(asked) == paid
    by_id = Charge(asked.reference, AMOUNT, asked.payment_method, payment_id=paid.payment_id)
    assert under_test.processor.find(by_id) == paid


def test_what_is_declined_says_why(under_test: Any) -> None:
    asked = charge(under_test, "declined")
    for found in (under_test.processor.charge(asked), under_test.processor.find(asked)):
        assert (found.status, found.failure, found.amount) == ("failed", "card_declined", None)
        assert found.reference == asked.reference


def test_what_never_arrived_is_not_found(with_stripe: Stripe) -> None:
    assert with_stripe.processor.find(charge(with_stripe)) is None
    assert FakeProcessor().find(Charge("top_1", AMOUNT, fake.NEVER_ARRIVED)) is None


def test_without_a_method_the_payer_states_one(with_stripe: Stripe) -> None:
    asked = Charge(new_id("top"), AMOUNT, "default")
    found = with_stripe.processor.charge(asked)
    assert (found.status, found.failure, found.amount) == ("confirm", "", None)
    assert found.client_secret.startswith(f"{found.payment_id}_secret")


def test_a_method_that_is_none_is_refused_and_not_charged(with_stripe: Stripe) -> None:
    asked = Charge(new_id("top"), AMOUNT, "pm_of_nobody")
    assert with_stripe.processor.charge(asked).status == "failed"
    assert with_stripe.processor.find(asked) is None


def test_refunds_are_told(with_stripe: Stripe) -> None:
    asked = charge(with_stripe)
    paid = with_stripe.processor.charge(asked)
    for cents in (300, 200):
        with_stripe.client.v1.refunds.create({"payment_intent": paid.payment_id, "amount": cents})
    found = with_stripe.processor.find(asked)
    assert found is not None
    assert sorted(one.amount.cents for one in found.refunds) == [200, 300]
    assert (found.status, found.amount) == ("succeeded", AMOUNT)


@pytest.mark.parametrize("way", ["cut", "lose", "fail"])
def test_the_client_tries_again_and_charges_once(with_stripe: Stripe, way: str) -> None:
    asked = charge(with_stripe)
    with_stripe.between.breaks, with_stripe.between.passed = [way], []
    assert with_stripe.processor.charge(asked).status == "succeeded"
    assert with_stripe.between.passed.count("POST /v1/payment_intents") == 1


def test_who_asks_too_often_is_not_charged(with_stripe: Stripe) -> None:
    asked = charge(with_stripe)
    with_stripe.between.breaks, with_stripe.between.passed = ["limit"], []
    with pytest.raises(ProviderError):
        with_stripe.processor.charge(asked)
    assert with_stripe.between.passed == []


@pytest.mark.parametrize("way", ["cut", "lose", "fail"])
def test_an_answer_that_is_lost_is_found_out_later(with_stripe: Stripe, way: str) -> None:
    asked = charge(with_stripe)
    with_stripe.between.breaks = [way] * 3
    with pytest.raises(ProviderError) as caught:
        with_stripe.processor.charge(asked)
    assert "sk_test_1" not in f"{caught.value} {caught.value.details}"
    found: Payment | None = with_stripe.processor.find(asked)
    assert (found is None) == (way == "cut")
    paid = with_stripe.processor.charge(asked)
    assert paid.status == "succeeded"
    assert with_stripe.between.passed.count("POST /v1/payment_intents") == 1
    assert with_stripe.processor.find(asked) == paid
