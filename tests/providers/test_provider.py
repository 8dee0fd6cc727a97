"""What a reading is: one currency, None for what is not known."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from billing_plugin import Money
from billing_plugin.errors import ProviderUnreadable
from billing_plugin.providers.provider import Reading

AT = datetime(2026, 3, 9, tzinfo=UTC)


def test_a_reading_keeps_its_facts() -> None:
    reading = Reading(AT, "EUR", balance=Money.parse("1", "EUR"), note="n")
    assert reading.facts == {"sources": {}, "scope": "account", "note": "n"}
    assert (reading.usage_today, reading.usage_month) == (None, None)


@pytest.mark.parametrize("figure", ["balance", "usage_today", "usage_month"])
def test_figures_of_another_currency_are_refused(figure: str) -> None:
    with pytest.raises(ProviderUnreadable):
        Reading(AT, "USD", **{figure: Money.parse("1", "EUR")})
