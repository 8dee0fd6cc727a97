"""The quick way: what it carries out, and what it leaves to the general path."""

from __future__ import annotations

import pytest

from billing_plugin import Actor, Billing, Money, operations
from billing_plugin.operations import Usage
from tests.books import everything
from tests.deeds import hold, refused


@pytest.mark.parametrize("policy", ["refuse", "if_available", "overdraft"])
def test_a_hold_is_not_captured_in_another_currency(
    billing: Billing, actor: Actor, policy: str
) -> None:
    mine, held = str(actor.account_id), hold(actor, "5")
    before = everything(billing)
    for taken in (Money(1, "EUR"), Usage("m", cost=Money(0, "EUR"))):
        refusal = refused(operations.capture, actor, mine, held.id, taken=taken, policy=policy)
        assert refusal.code == "currency_mismatch"
    assert everything(billing) == before
