"""The fake processor keeps the contract of every processor."""

from __future__ import annotations

import pytest

from billing_plugin import Money
from billing_plugin.errors import ConfigurationError, ProviderUnavailable
from billing_plugin.processors import load
from billing_plugin.processors.fake import DECLINES, LOST_ANSWER, FakeProcessor
from billing_plugin.processors.processor import Charge


def charge(method: str = "default", reference: str = "top_1") -> Charge:
    return Charge(reference, Money.parse("25"), method)


def test_the_same_reference_is_the_same_payment() -> None:
    first, again = FakeProcessor().charge(charge()), FakeProcessor().charge(charge())
    assert first.succeeded
    assert (first, first.payment_id[:8]) == (again, "pi_fake_")


def test_another_reference_is_another_payment() -> None:
    first = FakeProcessor().charge(charge())
    assert first.payment_id != FakeProcessor().charge(charge(reference="top_2")).payment_id


@pytest.mark.parametrize(("method", "failure"), DECLINES.items())
def test_declines_say_why_and_have_no_payment(method: str, failure: str) -> None:
    payment = FakeProcessor().charge(charge(method))
    assert (payment.succeeded, payment.failure, payment.payment_id) == (False, failure, "")
    assert FakeProcessor().find(charge(method)) == payment


def test_a_lost_answer_is_found_by_its_reference() -> None:
    with pytest.raises(ProviderUnavailable):
        FakeProcessor().charge(charge(LOST_ANSWER))
    found = FakeProcessor().find(charge(LOST_ANSWER))
    assert found is not None
    assert found.succeeded


def test_what_find_says_is_what_charge_did() -> None:
    assert FakeProcessor().find(charge()) == FakeProcessor().charge(charge())


def test_a_processor_is_loaded_by_name() -> None:
    own = FakeProcessor()
    assert (load(own), load(None), load("")) == (own, None, None)
    assert isinstance(load("fake"), FakeProcessor)
    with pytest.raises(ConfigurationError, match="BILLING_PROCESSOR"):
        load("strype")
