"""The price list: exact decimals of the real package, with their history."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, localcontext

import pytest
from genai_prices import data_snapshot

from billing_plugin.errors import UnpricedModel
from billing_plugin.providers.listing import ALWAYS, Listing
from billing_plugin.providers.price_list import GenaiPrices

NOW = datetime(2026, 3, 9, tzinfo=UTC)
PRICES = GenaiPrices()


def find(model: str, provider: str | None = "openai", at: datetime = NOW) -> Listing:
    return PRICES.find(model, provider=provider, at=at)


def test_a_price_is_exact_and_for_one_token() -> None:
    found = find("gpt-4o")
    [band] = found.bands
    assert band.above == -1
    assert band.prices["input_tokens"] == Decimal("0.0000025")
    assert band.prices["output_tokens"] == Decimal("0.00001")
    assert band.prices["cache_read_tokens"] == Decimal("0.00000125")
    assert "cache_write_tokens" not in band.prices
    assert (found.provider, found.model, found.currency) == ("openai", "gpt-4o", "USD")
    assert found.facts["source"] == PRICES.edition
    assert PRICES.edition.startswith("genai-prices 0.")


def test_the_hosts_decimal_context_changes_no_price() -> None:
    with localcontext(prec=2):
        listings = [PRICES.find(m, provider=p, at=NOW) for p, m in MANY]
    assert listings == [PRICES.find(m, provider=p, at=NOW) for p, m in MANY]


MANY = [("openai", "gpt-4o"), ("google", "gemini-2.5-pro"), ("anthropic", "claude-sonnet-4-5")]


def test_steps_of_the_input_are_bands() -> None:
    below, above = find("gemini-2.5-pro", "google").bands
    assert (below.above, above.above) == (-1, 200_000)
    assert above.prices["input_tokens"] == 2 * below.prices["input_tokens"]


@pytest.mark.parametrize("provider", ["openai", "no-such-provider", None])
def test_an_unknown_model_is_unpriced(provider: str | None) -> None:
    with pytest.raises(UnpricedModel) as caught:
        find("no-such-model" * 500, provider)
    assert len(caught.value.message) < 200


def test_what_was_asked_is_not_remembered_for_ever() -> None:
    """The package keeps every name that it was asked for; a caller could fill the memory."""
    snapshot = data_snapshot.get_snapshot()
    kept = len(snapshot._lookup_cache) + len(snapshot._provider_misses)
    for number in range(50):
        with pytest.raises(UnpricedModel):
            find(f"made-up-{number}", f"nobody-{number}")
    assert len(snapshot._lookup_cache) + len(snapshot._provider_misses) == kept


def test_a_price_is_that_of_the_instant_and_says_how_long_it_holds() -> None:
    """o3 cost 10 dollars per million input tokens until 10 June 2025, 2 dollars since."""
    before = find("o3", at=datetime(2025, 6, 1, tzinfo=UTC))
    since = find("o3", at=datetime(2025, 7, 1, tzinfo=UTC))
    turn = datetime(2025, 6, 10, tzinfo=UTC)
    assert before.bands[0].prices["input_tokens"] == Decimal("0.00001")
    assert since.bands[0].prices["input_tokens"] == Decimal("0.000002")
    assert (before.starts, before.ends) == (ALWAYS[0], turn)
    assert (since.starts, since.ends) == (turn, ALWAYS[1])
    just_before = turn.astimezone(timezone(timedelta(hours=9))) - timedelta(microseconds=1)
    assert find("o3", at=just_before) == before
    assert find("o3", at=turn) == since


def test_nothing_changes_within_the_time_a_listing_holds() -> None:
    """Also where a price depends on the hour of the day."""
    hours = [NOW + timedelta(minutes=30 * step) for step in range(96)]
    seen = set()
    for provider, model in (("deepseek", "deepseek-chat"), ("openai", "gpt-4o"), ("openai", "o3")):
        for at in hours:
            found = find(model, provider, at)
            assert found.starts <= at < found.ends
            for moment in (found.starts, found.ends - timedelta(microseconds=1)):
                if moment not in (ALWAYS[0], ALWAYS[1] - timedelta(microseconds=1)):
                    assert find(model, provider, moment).bands == found.bands
            seen.add((model, found.starts))
    assert len(seen) >= 3


def test_a_model_is_found_without_its_provider_and_by_its_other_names() -> None:
    assert find("claude-sonnet-4-5", None).provider == "anthropic"
    assert find("GPT-4o-2024-08-06", None).model == "gpt-4o"


def test_the_whole_list_is_named() -> None:
    names = set(PRICES.models())
    assert ("openai", "gpt-4o") in names
    assert len(names) > 2000


def test_no_price_of_the_whole_list_is_a_binary_fraction() -> None:
    priced = 0
    for provider, model in PRICES.models():
        try:
            bands = find(model, provider).bands
        except UnpricedModel:  # an id that the package's own rules of matching do not find
            continue
        prices = [price for band in bands for price in band.prices.values()]
        assert all(type(price) is Decimal for price in prices), f"{provider} {model}"
        priced += bool(prices)
    assert priced > 1900
