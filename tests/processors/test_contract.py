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
from billing_plugin.processors import fake, fake_customers
from billing_plugin.processors.fake import FakeProcessor
from billing_plugin.processors.processor import Charge, Payment, Profile, Setup
from billing_plugin.processors.stripe import StripeProcessor
from tests.chaos import Chaos, chaos, localstripe

AMOUNT, THREE = Money.parse("12.34"), Money.parse("3")
CARDS = {"good": "4242424242424242", "declined": "4000000000000341"}
METHODS = {"good": "default", "declined": "fake_declined"}
STATED = {"good": "fake_visa", "declined": "fake_declined"}


class Fake:
    """The fake processor, as it is under test."""

    method = METHODS.__getitem__

    def __init__(self) -> None:
        self.processor = FakeProcessor()

    def confirm(self, customer_id: str, setup: Setup, name: str = "good") -> str:
        return self.processor.confirm(setup.client_secret, STATED[name])

    def billed_to(self, customer_id: str) -> Profile:
        return self.processor.profiles[customer_id]


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

    def confirm(self, customer_id: str, setup: Setup, name: str = "good") -> str:
        """As a browser does, and what Stripe does then: localstripe does not attach it."""
        method_id = self.method(name)
        said: Any = {"payment_method": method_id, "client_secret": setup.client_secret}
        self.client.v1.setup_intents.confirm(setup.id, said)
        self.client.v1.payment_methods.attach(method_id, {"customer": customer_id})
        return method_id

    def billed_to(self, customer_id: str) -> Profile:
        found: Any = self.client.v1.customers.retrieve(customer_id)
        address = found.address.to_dict() if found.address else {}
        region = address.pop("state", "")
        tax_ids = self.client.v1.customers.tax_ids.list(customer_id).data
        [(kind, number)] = [(one.type, one.value) for one in tax_ids] or [("", "")]
        return Profile(
            found.name or "", found.email or "", region=region, tax_id_type=kind,
            tax_id=number or "", **address,
        )  # fmt: skip


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
    monkeypatch.setattr(fake_customers, "CONFIRMS_AFTER_S", 10_000)
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


class Payer:
    """A customer of the processor that is under test, of an account of its own."""

    def __init__(self, under_test: Any) -> None:
        self.under_test, self.processor = under_test, under_test.processor
        self.account_id = new_id("acct")
        self.id = self.processor.open_customer(self.account_id)

    def add(self, name: str = "good") -> str:
        """A payment method, begun and stated."""
        setup = self.processor.begin_method(self.id, new_id("set"))
        return str(self.under_test.confirm(self.id, setup, name))

    @property
    def methods(self) -> set[str]:
        return {method.id for method in self.processor.list_methods(self.id)}


@pytest.fixture
def payer(under_test: Any) -> Payer:
    return Payer(under_test)


def test_an_account_is_one_customer(payer: Payer) -> None:
    assert payer.processor.open_customer(payer.account_id) == payer.id
    assert Payer(payer.under_test).id != payer.id
    assert payer.methods == set()


def test_the_same_reference_begins_once(payer: Payer) -> None:
    reference = new_id("set")
    first, again = (payer.processor.begin_method(payer.id, reference) for _ in range(2))
    assert (first, first.client_secret) == (again, again.client_secret)
    assert payer.processor.begin_method(payer.id, new_id("set")).id != first.id
    assert first.client_secret not in repr(first)


def test_a_method_is_there_once_it_is_stated(payer: Payer) -> None:
    setup = payer.processor.begin_method(payer.id, new_id("set"))
    assert payer.methods == set()
    method_id = payer.under_test.confirm(payer.id, setup)
    [listed] = payer.processor.list_methods(payer.id)
    assert listed == payer.processor.find_method(method_id)
    assert (listed.id, listed.customer_id) == (method_id, payer.id)
    assert (listed.form, listed.brand, listed.last4) == ("card", "visa", "4242")
    assert (listed.exp_month, listed.exp_year) == (12, 2039)


def test_methods_are_their_customers_alone(payer: Payer) -> None:
    other, mine = Payer(payer.under_test), {payer.add(), payer.add()}
    assert (payer.methods, other.methods) == (mine, set())
    for method_id in mine:
        assert payer.processor.find_method(method_id).customer_id == payer.id


def test_what_is_removed_is_nobodys(payer: Payer) -> None:
    gone, kept = payer.add(), payer.add()
    payer.processor.remove_method(gone)
    assert payer.methods == {kept}
    assert payer.processor.find_method(gone).customer_id == ""


def test_a_method_given_by_hand_is_nobodys(payer: Payer) -> None:
    assert payer.processor.find_method(payer.under_test.method("good")).customer_id == ""


@pytest.mark.parametrize(("name", "status"), [("good", "succeeded"), ("declined", "failed")])
def test_a_stored_method_is_charged_as_its_customer(payer: Payer, name: str, status: str) -> None:
    payer.processor.prefer_method(payer.id, method_id := payer.add(name))
    asked = Charge(new_id("top"), AMOUNT, method_id, attended=False, customer_id=payer.id)
    for told in (payer.processor.charge(asked), payer.processor.find(asked)):
        assert (told.status, told.reference) == (status, asked.reference)
        assert told.customer_id in {"succeeded": (payer.id,), "failed": (payer.id, "")}[status]


PROFILES = [
    Profile("Acme", "bills@acme.example", "1 Main St", "", "Berlin", "10115", "BE", "DE"),
    Profile("Acme", tax_id_type="eu_vat", tax_id="DE136695976"),
    Profile("Acme", tax_id_type="eu_vat", tax_id="FR40303265045"),
    Profile("Bcme", line2="2nd floor", country="FR"),
    Profile(),
]


def test_a_customer_is_billed_as_it_was_told_last(payer: Payer) -> None:
    for profile in (*PROFILES, PROFILES[0], PROFILES[0]):
        payer.processor.change_customer(payer.id, profile)
        assert payer.under_test.billed_to(payer.id) == profile


def test_a_method_that_is_none_is_not_found(with_stripe: Stripe) -> None:
    for nothing in ("pm_of_nobody", "nobody", "../customers/x", "é"):
        assert with_stripe.processor.find_method(nothing) is None


@pytest.mark.parametrize("way", ["cut", "lose", "fail"])
def test_a_customer_is_made_once_whatever_is_lost(with_stripe: Stripe, way: str) -> None:
    account_id, with_stripe.between.breaks = new_id("acct"), [way] * 3
    with pytest.raises(ProviderError):
        with_stripe.processor.open_customer(account_id)
    made = [with_stripe.processor.open_customer(account_id) for _ in range(2)]
    assert made[0] == made[1]
    assert with_stripe.between.passed.count("POST /v1/customers") == 1


def test_without_a_method_and_a_payer_nothing_is_begun(with_stripe: Stripe) -> None:
    asked = Charge(new_id("top"), AMOUNT, "default", attended=False)
    told = with_stripe.processor.charge(asked)
    assert (told.status, told.failure, told.reference) == (
        "failed", "no_payment_method", asked.reference,
    )  # fmt: skip
    assert with_stripe.between.passed == []
