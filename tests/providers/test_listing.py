"""What a price list answers holds always unless it says otherwise."""

from __future__ import annotations

from decimal import Decimal

from billing_plugin.providers.listing import ALWAYS, Band, Listing
from tests.factories import START


def test_a_listing_holds_always_in_dollars_unless_told() -> None:
    listing = Listing("p", "m", (Band(-1, {"input_tokens": Decimal(1)}),), {"source": "test"})
    assert listing.starts <= START < listing.ends
    assert ((listing.starts, listing.ends), listing.currency) == (ALWAYS, "USD")
