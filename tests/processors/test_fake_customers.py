"""The fake processor's customers: what their methods are, and what becomes of a setup by itself."""

from __future__ import annotations

import pytest

from billing_plugin import Money
from billing_plugin.errors import ProviderUnreadable
from billing_plugin.ids import new_id
from billing_plugin.processors import fake_customers
from billing_plugin.processors.fake import DECLINES, FakeProcessor
from billing_plugin.processors.fake_customers import owner_of, token_of
from billing_plugin.processors.processor import Charge

TEN = Money.parse("10")
SHOWN = {
    "fake_visa": ("card", "visa", "4242", "", ""),
    "fake_declined": ("card", "visa", "4242", "", ""),
    "fake_mastercard": ("card", "mastercard", "4444", "", ""),
    "fake_bank": ("bank", "", "6789", "Fake Bank", ""),
    "fake_link": ("link", "", "", "", "payer@example.com"),
}


def added(processor: FakeProcessor, token: str, customer_id: str) -> str:
    setup = processor.begin_method(customer_id, new_id("set"))
    return processor.confirm(setup.client_secret, token)


@pytest.mark.parametrize("token", SHOWN)
def test_a_token_is_a_form(token: str) -> None:
    processor = FakeProcessor()
    added(processor, token, customer_id := processor.open_customer("acct_1"))
    [method] = processor.list_methods(customer_id)
    known = (method.form, method.brand, method.last4, method.bank_name, method.email)
    assert known == SHOWN[token]
    assert (method.exp_year is None) == (method.form != "card")


@pytest.mark.parametrize("token", DECLINES)
def test_a_stored_method_becomes_what_its_token_says(token: str) -> None:
    processor = FakeProcessor()
    customer_id = processor.open_customer("acct_1")
    method_id = added(processor, token, customer_id)
    assert (token_of(method_id), owner_of(method_id)) == (token, customer_id)
    told = processor.charge(Charge(new_id("top"), TEN, method_id, customer_id=customer_id))
    assert (told.status, told.failure) == ("failed", DECLINES[token])


def test_every_process_charges_a_stored_method_alike() -> None:
    processor = FakeProcessor()
    customer_id = processor.open_customer("acct_1")
    method_id = added(processor, "fake_visa", customer_id)
    asked = Charge("top_1", TEN, method_id, customer_id=customer_id)
    assert FakeProcessor().charge(asked) == processor.charge(asked)
    assert FakeProcessor().open_customer("acct_1") == customer_id


def test_a_method_of_another_customer_is_not_charged() -> None:
    processor = FakeProcessor()
    method_id = added(processor, "fake_visa", processor.open_customer("acct_1"))
    for customer_id in (None, processor.open_customer("acct_2")):
        asked = Charge(new_id("top"), TEN, method_id, customer_id=customer_id)
        for told in (processor.charge(asked), processor.find(asked)):
            assert told is not None
            assert (told.status, told.failure) == ("failed", "resource_missing")


def test_a_payer_who_says_nothing_states_a_visa_after_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    processor = FakeProcessor()
    customer_id = processor.open_customer("acct_1")
    setup = processor.begin_method(customer_id, new_id("set"))
    monkeypatch.setattr(fake_customers, "CONFIRMS_AFTER_S", 10_000)
    assert processor.list_methods(customer_id) == []
    monkeypatch.setattr(fake_customers, "CONFIRMS_AFTER_S", 0)
    [method] = processor.list_methods(customer_id)
    assert (token_of(method.id), method.brand) == ("fake_visa", "visa")
    processor.confirm(setup.client_secret, "fake_bank")
    [method] = processor.list_methods(customer_id)
    assert method.form == "bank"


@pytest.mark.parametrize("secret", ["", "seti_fake_1_secret_2", "x_secret_"])
def test_a_wrong_secret_states_nothing(secret: str) -> None:
    processor = FakeProcessor()
    customer_id = processor.open_customer("acct_1")
    setup = processor.begin_method(customer_id, new_id("set"))
    for wrong in (secret, setup.client_secret[:-1], setup.client_secret + "0"):
        with pytest.raises(ProviderUnreadable):
            processor.confirm(wrong)
