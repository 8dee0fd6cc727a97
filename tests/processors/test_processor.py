"""What is charged and what was done, as values."""

from __future__ import annotations

import dataclasses

import pytest

from billing_plugin import Money
from billing_plugin.processors.processor import Charge, Payment


def test_a_charge_and_a_payment_do_not_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Charge("top_1", Money.parse("1"), "default").reference = "top_2"  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        Payment("succeeded").status = "failed"  # type: ignore[misc]


def test_a_payment_without_more_says_nothing_more() -> None:
    payment = Payment("processing")
    assert (payment.payment_id, payment.amount, payment.failure) == ("", None, "")
    assert (payment.refunds, payment.disputes) == ((), ())


def test_the_secret_of_a_payer_is_not_shown() -> None:
    assert "hush" not in repr(Payment("confirm", client_secret="hush"))
