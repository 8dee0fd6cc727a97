"""Who sells and who buys."""

from __future__ import annotations

import pytest

from billing_plugin import Actor, Billing, errors, operations
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


def test_the_buyer_is_whom_the_profile_names(billing: Billing) -> None:
    holder: Actor = account_with(billing)
    account_id = str(holder.account_id)
    said = {
        "line1": "Ring 1", "line2": "Hof", "postal_code": "1010", "city": "Wien", "country": "AT",
        "tax_id": "ATU38289400", "tax_id_type": "eu_vat",
    }  # fmt: skip
    operations.set_billing_profile(holder, account_id, said)
    with billing.instance.active():
        unnamed = buyer(account_id)
        assert unnamed["name"].startswith("Account ")
        assert unnamed["address"] == "Ring 1\nHof\n1010 Wien\nAT"
        assert unnamed["taxId"] == "ATU38289400"
    operations.set_billing_profile(holder, account_id, {**said, "name": "Café GmbH"})
    with billing.instance.active():
        assert buyer(account_id) == {**unnamed, "name": "Café GmbH"}
