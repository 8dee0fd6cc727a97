"""The price list: exact token prices of the genai-prices package, offline, with their history.

Estimates in the package's own words; what a provider reports wins over them. Source: the package's
bundled data of the version named in each listing, or the newer data that the host lets it fetch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from importlib.metadata import version

from genai_prices.data_snapshot import DataSnapshot, get_snapshot
from genai_prices.types import (
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    StartDateConstraint,
    TieredPrices,
    TimeOfDateConstraint,
)

from billing_plugin.errors import UnpricedModel
from billing_plugin.money import exact_decimals
from billing_plugin.providers.listing import ALWAYS, Band, Listing

# The package's name for the price of each of our quantities, and for how many units it is: 10**n.
_PRICE_OF = {
    "input_tokens": ("input_mtok", 6),
    "output_tokens": ("output_mtok", 6),
    "cache_read_tokens": ("cache_read_mtok", 6),
    "cache_write_tokens": ("cache_write_mtok", 6),
    "reasoning_tokens": ("output_reasoning_mtok", 6),
    "input_audio_tokens": ("input_audio_mtok", 6),
    "output_audio_tokens": ("output_audio_mtok", 6),
    "cache_audio_read_tokens": ("cache_audio_read_mtok", 6),
    "input_image_tokens": ("input_image_mtok", 6),
    "output_image_tokens": ("output_image_mtok", 6),
    "requests": ("requests_kcount", 3),
}
_NEAR_DAYS = range(-2, 3)  # a time of day in another zone may fall on a neighbouring UTC day


class GenaiPrices:
    """The models that the genai-prices package knows, found by its own rules of matching."""

    def __init__(self) -> None:
        self._version = f"genai-prices {version('genai-prices')}"

    @property
    def edition(self) -> str:
        """The package's version, and when its data were fetched if they were."""
        snapshot = get_snapshot()
        fetched = f" of {snapshot.timestamp.isoformat()}" if snapshot.from_auto_update else ""
        return self._version + fetched

    def find(self, model: str, *, provider: str | None, at: datetime) -> Listing:
        """The prices of a model at an instant, in US dollars. Raises UnpricedModel."""
        known = get_snapshot()
        # A snapshot of our own for each question: it remembers every name it was ever asked for.
        matcher = DataSnapshot(known.providers, from_auto_update=known.from_auto_update)
        try:
            found, info = matcher.find_provider_model(model, None, provider, None)
        except LookupError as error:
            raise UnpricedModel(f"No price is known for the model {model[:100]}.") from error
        facts = {"source": self.edition, "provider": found.id, "model": info.id}
        starts, ends = _stretch(info, at)
        with exact_decimals():
            bands = _bands(info.get_prices(at))
        return Listing(found.id, info.id, bands, facts, starts=starts, ends=ends)

    def models(self) -> Iterable[tuple[str, str]]:
        """Provider and model of everything on the list."""
        for provider in get_snapshot().providers:
            yield from ((provider.id, model.id) for model in provider.models)


def _bands(prices: ModelPrice) -> tuple[Band, ...]:
    found = {name: getattr(prices, key) for name, (key, _) in _PRICE_OF.items()}
    listed = {name: price for name, price in found.items() if price is not None}
    tiered = [price for price in listed.values() if isinstance(price, TieredPrices)]
    steps = {tier.start for price in tiered for tier in price.tiers}
    return tuple(_band(listed, above) for above in (-1, *sorted(steps)))


def _band(listed: dict[str, Decimal | TieredPrices], above: int) -> Band:
    return Band(
        above,
        {
            name: _price_above(price, above).scaleb(-_PRICE_OF[name][1])
            for name, price in listed.items()
        },
    )


def _price_above(price: Decimal | TieredPrices, above: int) -> Decimal:
    """The price for uses with more input tokens than that, up to the next step."""
    if isinstance(price, Decimal):
        return price
    reached = [tier.price for tier in price.tiers if tier.start <= above]
    return reached[-1] if reached else price.base


def _stretch(info: ModelInfo, at: datetime) -> tuple[datetime, datetime]:
    """The time around the instant in which no condition of the prices begins or ends."""
    conditions = info.prices if isinstance(info.prices, list) else []
    turns = [turn for condition in conditions for turn in _turns(condition, at.astimezone(UTC))]
    before = [turn for turn in turns if turn <= at]
    after = [turn for turn in turns if turn > at]
    return max(before, default=ALWAYS[0]), min(after, default=ALWAYS[1])


def _turns(condition: ConditionalPrice, at: datetime) -> Iterator[datetime]:
    constraint = condition.constraint
    if isinstance(constraint, StartDateConstraint):
        yield datetime.combine(constraint.start_date, time(), UTC)
    if isinstance(constraint, TimeOfDateConstraint):
        for hour in (constraint.start_time, constraint.end_time):
            zone = hour.tzinfo or UTC
            for day in _NEAR_DAYS:
                yield datetime.combine(at.date() + timedelta(days=day), hour, zone)
