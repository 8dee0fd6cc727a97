"""Price lists of a test's own, and every model of the real one with uses of many kinds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import genai_prices

from billing_plugin.errors import UnpricedModel
from billing_plugin.models.usage import QUANTITIES, Usage
from billing_plugin.money import Money, exact_decimals
from billing_plugin.providers.listing import Band, Listing

MOMENTS = [
    datetime(2024, 1, 1, tzinfo=UTC),
    datetime(2025, 6, 9, 23, 59, 59, tzinfo=UTC),
    datetime(2025, 7, 1, 3, tzinfo=UTC),
    datetime(2026, 3, 9, 17, tzinfo=UTC),
]
WIDE = {
    "reasoning_tokens": 333, "input_audio_tokens": 70, "output_audio_tokens": 40,
    "cache_audio_read_tokens": 20, "input_image_tokens": 11, "output_image_tokens": 13,
}  # fmt: skip
MIXES: list[dict[str, int]] = [
    {},
    {"input_tokens": 1_000, "output_tokens": 100},
    {"input_tokens": 200_000, "output_tokens": 7, "cache_read_tokens": 199_999},
    {"input_tokens": 999_999, "output_tokens": 777, "cache_read_tokens": 1_201},
    {"input_tokens": 1_234, "output_tokens": 1, "cache_read_tokens": 500,
     "cache_write_tokens": 301},
    {"input_tokens": 50_001, "output_tokens": 901, "cache_read_tokens": 300, **WIDE},
    {"input_tokens": 5, "output_tokens": 5, "cache_read_tokens": 6},
]  # fmt: skip


class FixedList:
    """A price list of one model, `m` of provider `p`."""

    edition = "test 1"

    def __init__(self, *bands: Band, **options: Any) -> None:
        self.listing = Listing("p", "m", bands, {"source": "test 1"}, **options)
        self.asked: list[Any] = []

    def find(self, model: str, *, provider: str | None, at: datetime) -> Listing:
        self.asked.append((model, provider, at))
        if model != "m":
            raise UnpricedModel("No price is known for the model.")
        return self.listing

    def models(self) -> Iterable[tuple[str, str]]:
        return [("p", "m")]


def flat(**prices: str) -> FixedList:
    """A price list with one band."""
    return FixedList(Band(-1, {unit: Decimal(price) for unit, price in prices.items()}))


def uses(provider: str, model: str) -> Iterator[Usage]:
    """A use of each mix."""
    for mix in MIXES:
        yield Usage(model, provider, **mix)  # type: ignore[arg-type]


def reference(usage: Usage, at: datetime) -> int | None:
    """What genai-prices makes of it, in nanos; None where it finds the counts contradictory.

    Every count is given to it, zeros too: a use says all that it has.
    """
    counts = {name: getattr(usage, name) for name in QUANTITIES}
    counts["output_reasoning_tokens"] = counts.pop("reasoning_tokens")
    asked = genai_prices.Usage(**counts, cache_image_read_tokens=0)
    try:
        with exact_decimals():
            total = genai_prices.calc_price(
                asked, usage.model, provider_id=usage.provider, genai_request_timestamp=at
            ).total_price
            return Money.from_decimal(total).nanos
    except ValueError:
        return None
