"""Payment methods and top-ups by Stripe's own client against localstripe: a payer's whole way,
and what another tenant may not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import stripe

from billing_plugin import Actor, Billing, Money, errors, operations
from tests.books import complaints
from tests.chaos import Chaos, chaos, localstripe
from tests.factories import account_with, billing_on

TEN = Money.parse("10")
GOOD, DECLINED = "4242424242424242", "4000000000000341"


@pytest.fixture(scope="module")
def between() -> Iterator[Chaos]:
    with localstripe() as port, chaos(port) as found:
        yield found


@pytest.fixture
def system(database_url: str, between: Chaos) -> Billing:
    return billing_on(
        database_url, processor="stripe", processor_key="sk_test_1", processor_url=between.url,
        provider_timeout_s=5,
    )  # fmt: skip


@pytest.fixture
def client(between: Chaos) -> stripe.StripeClient:
    return stripe.StripeClient("sk_test_1", base_addresses={"api": between.url})


@pytest.fixture
def payer(system: Billing) -> Actor:
    return account_with(system)


def add(payer: Actor, client: stripe.StripeClient, number: str = GOOD) -> str:
    """A card stated in a browser; localstripe does not attach it, as Stripe does."""
    begun = operations.begin_payment_method(payer, str(payer.account_id))
    card: Any = {"number": number, "exp_month": 12, "exp_year": 2039, "cvc": "123"}
    method_id = client.v1.payment_methods.create({"type": "card", "card": card}).id
    said: Any = {"payment_method": method_id, "client_secret": begun.client_secret}
    intent = client.v1.setup_intents.confirm(begun.setup_id, said)
    client.v1.payment_methods.attach(method_id, {"customer": str(intent.customer)})
    return method_id


def prefer(payer: Actor, method_id: str) -> None:
    operations.set_default_payment_method(payer, str(payer.account_id), method_id)


def buy(payer: Actor, method: str = "default", **said: Any) -> Any:
    mine = str(payer.account_id)
    return operations.top_up(payer, mine, TEN, payment_method=method, attended=False, **said)


def test_a_stored_card_is_charged_with_nobody_there(
    system: Billing, payer: Actor, client: stripe.StripeClient
) -> None:
    mine = str(payer.account_id)
    operations.set_billing_profile(payer, mine, {"name": "Acme", "email": "a@acme.example"})
    prefer(payer, method_id := add(payer, client))
    [listed] = operations.list_payment_methods(payer, mine)
    assert (listed.method.id, listed.is_default, listed.method.last4) == (method_id, True, "4242")
    bought = buy(payer)
    assert (bought.status, bought.payment_method) == ("succeeded", method_id)
    assert operations.check_balance(payer, mine).available == TEN
    customer = client.v1.customers.retrieve(bought.customer_id)
    assert (customer.name, customer.email) == ("Acme", "a@acme.example")
    assert customer.metadata is not None
    assert customer.metadata["account"] == mine
    assert customer.invoice_settings is not None
    assert customer.invoice_settings.default_payment_method == method_id
    assert client.v1.payment_intents.retrieve(bought.payment_id).customer == customer.id
    assert complaints(system) == []


def test_a_lost_answer_is_one_charge_of_the_stored_card(
    payer: Actor, client: stripe.StripeClient, between: Chaos
) -> None:
    prefer(payer, first := add(payer, client))
    between.breaks = ["lose"] * 3
    assert buy(payer, idempotency_key="once").status == "unknown"
    prefer(payer, add(payer, client))
    bought = buy(payer, idempotency_key="once")
    assert (bought.status, bought.payment_method) == ("succeeded", first)
    assert operations.check_balance(payer, str(payer.account_id)).available == TEN


def test_a_stored_card_that_is_declined(payer: Actor, client: stripe.StripeClient) -> None:
    prefer(payer, add(payer, client, DECLINED))
    with pytest.raises(errors.PaymentDeclined):
        buy(payer)
    [topup] = operations.list_topups(payer, str(payer.account_id))
    assert (topup.status, topup.failure) == ("failed", "card_declined")


def test_a_removed_card_leaves_nothing_to_charge(payer: Actor, client: stripe.StripeClient) -> None:
    prefer(payer, method_id := add(payer, client))
    gone = operations.remove_payment_method(payer, str(payer.account_id), method_id)
    assert gone.was_default
    assert operations.list_payment_methods(payer, str(payer.account_id)) == []
    with pytest.raises(errors.PaymentDeclined):
        buy(payer)
    [topup] = operations.list_topups(payer, str(payer.account_id))
    assert (topup.failure, topup.payment_id) == ("no_payment_method", None)


@pytest.mark.parametrize("knows_me", [True, False])
def test_a_card_of_another_tenant_is_unknown(
    system: Billing, payer: Actor, client: stripe.StripeClient, knows_me: bool
) -> None:
    theirs = add(account_with(system), client)
    if knows_me:
        add(payer, client)
    mine = str(payer.account_id)
    for act in (
        lambda: buy(payer, theirs),
        lambda: prefer(payer, theirs),
        lambda: operations.remove_payment_method(payer, mine, theirs),
        lambda: buy(payer, "pm_of_nobody"),
    ):
        with pytest.raises(errors.NotFound):
            act()
    assert operations.list_topups(payer, mine) == []
    assert client.v1.payment_methods.retrieve(theirs).customer is not None


def test_a_card_given_by_hand_is_charged(payer: Actor, client: stripe.StripeClient) -> None:
    card: Any = {"number": GOOD, "exp_month": 12, "exp_year": 2039, "cvc": "123"}
    method_id = client.v1.payment_methods.create({"type": "card", "card": card}).id
    bought = buy(payer, method_id)
    assert (bought.status, bought.customer_id) == ("succeeded", None)
