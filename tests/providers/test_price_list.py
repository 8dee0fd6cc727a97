"""The price list: exact decimals of the real package, with their history."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from genai_prices import data

from billing_plugin.errors import InvalidRequest, UnpricedModel
from billing_plugin.providers.price_list import GenaiPrices, GenaiQuote

NOW = datetime(2026, 3, 9, tzinfo=UTC)
MILLION = 1_000_000
PRICES = GenaiPrices()


def quote(model: str, provider: str | None = "openai", at: datetime = NOW, **counts: int) -> Any:
    return PRICES.quote(model, counts, provider=provider, at=at)


def test_a_price_is_exact() -> None:
    found = quote("gpt-4o", input_tokens=1, output_tokens=1)
    assert found.exact == Decimal("0.0000125")
    assert isinstance(found.exact, Decimal)
    assert found.source.startswith("genai-prices 0.")
    assert (found.provider, found.facts) == ("openai", {"model": "gpt-4o", "provider": "openai"})


def test_a_price_is_the_product_to_the_last_digit() -> None:
    found = quote("gpt-4o", input_tokens=123_456_789, output_tokens=987_654_321)
    exact = (Decimal("2.5") * 123_456_789 + Decimal(10) * 987_654_321) / MILLION
    assert found.exact == exact


def test_cached_tokens_are_part_of_the_input() -> None:
    whole = quote("gpt-4o", input_tokens=MILLION).exact
    cached = quote("gpt-4o", input_tokens=MILLION, cache_read_tokens=MILLION).exact
    half = quote("gpt-4o", input_tokens=MILLION, cache_read_tokens=MILLION // 2).exact
    assert (whole, cached, half) == (Decimal("2.5"), Decimal("1.25"), Decimal("1.875"))


def test_nothing_used_costs_nothing() -> None:
    assert quote("gpt-4o").exact == 0


@pytest.mark.parametrize("provider", ["openai", "no-such-provider", None])
def test_an_unknown_model_is_unpriced(provider: str | None) -> None:
    with pytest.raises(UnpricedModel):
        quote("no-such-model-at-all", provider, input_tokens=1)


def test_an_unpriced_model_is_named_in_short() -> None:
    with pytest.raises(UnpricedModel) as caught:
        quote("x" * 5000, input_tokens=1)
    assert len(caught.value.message) < 200


@pytest.mark.parametrize(
    "counts",
    [
        {"input_tokens": 5, "cache_read_tokens": 6},
        {"input_tokens": 5, "cache_write_tokens": 6},
        {"input_tokens": 10, "cache_read_tokens": 6, "cache_write_tokens": 6},
    ],
)
def test_counts_that_contradict_are_refused(counts: dict[str, int]) -> None:
    with pytest.raises(InvalidRequest):
        quote("claude-sonnet-4-5", "anthropic", **counts)


def test_a_price_is_that_of_the_instant() -> None:
    """o3 cost 10 dollars per million input tokens until 10 June 2025, 2 dollars since."""
    before = quote("o3", at=datetime(2025, 6, 1, tzinfo=UTC), input_tokens=MILLION)
    since = quote("o3", at=datetime(2025, 7, 1, tzinfo=UTC), input_tokens=MILLION)
    assert (before.exact, since.exact) == (Decimal(10), Decimal(2))


def test_a_model_is_found_without_its_provider() -> None:
    assert quote("claude-sonnet-4-5", None, input_tokens=1).provider == "anthropic"


def test_no_price_of_the_whole_list_is_a_binary_fraction() -> None:
    priced = 0
    for provider in data.providers:
        for model in provider.models:
            priced += _is_exact(provider.id, model.id)
    assert priced > 500


def _is_exact(provider: str, model: str) -> bool:
    try:
        found = quote(model, provider, input_tokens=7, output_tokens=3)
    except (UnpricedModel, InvalidRequest):
        return False
    assert type(found) is GenaiQuote
    assert type(found.exact) is Decimal, f"{provider} {model}"
    return True
