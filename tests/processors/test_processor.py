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
        Payment(True).succeeded = False  # type: ignore[misc]


def test_a_payment_without_more_says_nothing_more() -> None:
    assert (Payment(False).payment_id, Payment(False).failure) == ("", "")
