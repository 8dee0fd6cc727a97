"""Who sells and who buys, as an invoice keeps them for ever."""

from __future__ import annotations

from billing_plugin.context import current
from billing_plugin.models import accounts, billing_profiles

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
    """Whoever holds the account: what its billing profile says now, its name at least. Raises
    NotFound."""
    name, profile = accounts.get(account_id).name, billing_profiles.get(account_id)
    if profile is None:
        return {"name": name, "address": "", "taxId": ""}
    place = " ".join(filter(None, (profile.postal_code, profile.city)))
    lines = (profile.line1, profile.line2, place, profile.region, profile.country)
    address = "\n".join(filter(None, lines))
    return {"name": profile.name or name, "address": address, "taxId": profile.tax_id}
