"""Tariffs: integers that say the same as genai-prices, to the nano, on every model it knows."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_plugin.errors import InvalidRequest, UnpricedModel
from billing_plugin.models.usage import QUANTITIES, Usage
from billing_plugin.operations.tariffs import AROUND, UNITS, rounded, shares, tariff_of
from billing_plugin.providers.listing import Band, Listing
from billing_plugin.providers.price_list import GenaiPrices
from tests.factories import START
from tests.operations.listings import MOMENTS, flat, reference, uses

LIST = GenaiPrices()


def nanos(listing: Listing, usage: Usage) -> int:
    return tariff_of(listing).table(usage.input_tokens).nanos(usage)


@pytest.mark.parametrize("at", MOMENTS, ids=str)
def test_every_model_costs_what_the_list_says(at: Any) -> None:
    checked = 0
    for provider, model in LIST.models():
        try:
            tariff = tariff_of(LIST.find(model, provider=provider, at=at))
        except UnpricedModel:
            continue
        for usage in uses(provider, model):
            try:
                cost = tariff.table(usage.input_tokens).nanos(usage)
            except InvalidRequest as refusal:
                if isinstance(refusal, UnpricedModel):
                    continue
                assert reference(usage, at) is None, f"{usage} {at}"
            else:
                assert cost == reference(usage, at), f"{usage} {at}"
                checked += 1
    assert checked > 10_000


counts = st.integers(0, 10**12)


@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from([("openai", "gpt-4o"), ("anthropic", "claude-sonnet-4-5"),
                     ("google", "gemini-2.5-pro"), ("openai", "gpt-4o-realtime-preview"),
                     ("google", "gemini-2.5-flash")]),
    st.fixed_dictionaries(dict.fromkeys(QUANTITIES, counts)),
)  # fmt: skip
def test_any_counts_cost_what_the_list_says(name: tuple[str, str], given: dict[str, int]) -> None:
    usage = Usage(name[1], name[0], **given)  # type: ignore[arg-type]
    tariff = tariff_of(LIST.find(name[1], provider=name[0], at=START))
    try:
        cost: int | None = tariff.table(usage.input_tokens).nanos(usage)
    except InvalidRequest:
        cost = None
    assert cost == reference(usage, START)


@given(st.integers(0, 10**40), st.integers(1, 10**24))
def test_rounding_is_half_to_even(exact: int, scale: int) -> None:
    assert rounded(exact, scale) == round(Fraction(exact, scale))


@given(
    st.decimals(0, 10, places=13), st.decimals(0, 10, places=20), st.integers(0, 10**9),
    st.integers(0, 10**9),
)  # fmt: skip
def test_a_cost_is_the_exact_product(read: Decimal, written: Decimal, n: int, m: int) -> None:
    listing = flat(input_tokens=str(read), output_tokens=str(written)).listing
    exact = (Fraction(read) * n + Fraction(written) * m) * 10**9
    assert nanos(listing, Usage("m", "p", n, m)) == round(exact)


def test_what_has_no_price_of_its_own_costs_what_is_around_it() -> None:
    listing = flat(input_tokens="0.000001", output_tokens="0.000002").listing
    usage = Usage("m", "p", 100, 10, cache_read_tokens=50, reasoning_tokens=5, input_audio_tokens=9)
    assert nanos(listing, usage) == 100 * 1_000 + 10 * 2_000


def test_a_price_for_each_request_is_added_once() -> None:
    listing = flat(input_tokens="0.000001", output_tokens="0", requests="0.005").listing
    assert nanos(listing, Usage("m", "p", 100)) == 100_000 + 5_000_000


def test_a_kind_that_was_used_without_any_price_is_unpriced() -> None:
    for listing in (flat(output_tokens="1").listing, flat(input_audio_tokens="1").listing):
        with pytest.raises(UnpricedModel):
            nanos(listing, Usage("m", "p", 10, input_audio_tokens=5))
    assert nanos(flat(input_audio_tokens="1").listing, Usage("m", "p", 5, input_audio_tokens=5))


@pytest.mark.parametrize("price", ["-1", "NaN", "Infinity"])
def test_a_price_that_makes_no_sense_is_none(price: str) -> None:
    with pytest.raises(UnpricedModel):
        nanos(flat(input_tokens=price, output_tokens="1").listing, Usage("m", "p", 1))


def test_a_band_begins_above_its_step() -> None:
    bands = [Band(above, {"input_tokens": Decimal(price), "output_tokens": Decimal(0)})
             for above, price in ((-1, 1), (10, 2), (20, 3))]  # fmt: skip
    tariff = tariff_of(Listing("p", "m", tuple(bands), {}))
    paid = [tariff.table(n).nanos(Usage("m", "p", n)) // 10**9 for n in (0, 10, 11, 20, 21)]
    assert paid == [0, 10, 22, 40, 63]


def test_the_text_holds_all_that_the_cost_was_made_of() -> None:
    bands = (Band(-1, {"input_tokens": Decimal("0.000002500"), "output_tokens": Decimal("1E-5")}),
             Band(5, {"input_tokens": Decimal(1), "output_tokens": Decimal(2)}))  # fmt: skip
    tariff = tariff_of(Listing("p", "m", bands, {"source": "s", "id": "x"}))
    assert [json.loads(table.text) for table in tariff.tables] == [
        {"source": "s", "id": "x", "currency": "USD",
         "prices": {"input_tokens": "0.0000025", "output_tokens": "0.00001"}},
        {"source": "s", "id": "x", "currency": "USD", "above_input_tokens": 5,
         "prices": {"input_tokens": "1", "output_tokens": "2"}},
    ]  # fmt: skip


def test_every_quantity_has_its_place() -> None:
    assert set(AROUND) == set(QUANTITIES) == set(UNITS) - {"requests"}


def test_a_token_is_charged_once() -> None:
    """What is left of every kind adds up to the totals, whatever kinds have a price."""
    for priced in (set(QUANTITIES), {"input_tokens", "output_tokens"}, set(QUANTITIES[:6])):
        left = shares(priced)
        total: dict[str, int] = {}
        for kind in priced:
            for count, times in left[kind].items():
                total[count] = total.get(count, 0) + times
        assert {k for k, times in total.items() if times} == {"input_tokens", "output_tokens"}
