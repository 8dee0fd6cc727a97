"""Who sells and who buys, as an invoice keeps them for ever."""

from __future__ import annotations

from billing_plugin.context import current
from billing_plugin.models import accounts

Party = dict[str, str]  # name, address (lines parted by line breaks), taxId


def seller() -> Party:
    """Whoever runs this instance, as the settings say."""
    settings = current().settings
    return {
        "name": settings.invoice_seller_name,
        "address": settings.invoice_seller_address,
        "taxId": settings.invoice_seller_tax_id,
    }


def buyer(account_id: str) -> Party:
    """Whoever holds the account, as is known now. Raises NotFound."""
    return {"name": accounts.get(account_id).name, "address": "", "taxId": ""}
