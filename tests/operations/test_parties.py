"""Who sells and who buys."""

from __future__ import annotations

import pytest

from billing_plugin import Actor, Billing, errors
from billing_plugin.operations.parties import buyer, seller
from tests.factories import account_with, billing_on


def test_the_seller_is_that_of_the_settings(database_url: str) -> None:
    billing = billing_on(
        database_url, invoice_seller_name="Acme", invoice_seller_address="Road 1\nTown",
        invoice_seller_tax_id="X1",
    )  # fmt: skip
    with billing.instance.active():
        assert seller() == {"name": "Acme", "address": "Road 1\nTown", "taxId": "X1"}


def test_the_buyer_is_the_accounts_holder(billing: Billing) -> None:
    holder: Actor = account_with(billing)
    with billing.instance.active():
        found = buyer(str(holder.account_id))
        assert found["name"].startswith("Account ")
        with pytest.raises(errors.NotFound):
            buyer("acct_" + "0" * 32)
