"""Tariffs: the prices of a listing as integers, so that rating a use is a few multiplications.

Totals include the kinds that are named apart, so a kind is charged by what is left of it when every
kind inside it that has a price of its own is taken out; a kind without one costs what the kind
around it costs. That is linear in the counts: one integer weight for each count says it all, in
fractions of a nano so fine that nothing is lost before the one rounding, half to even.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from math import lcm
from operator import attrgetter, mul
from typing import Any, Protocol

from billing_plugin.errors import InvalidRequest, UnpricedModel
from billing_plugin.models.base import dump
from billing_plugin.models.usage import QUANTITIES, Usage
from billing_plugin.money import NANOS_PER_UNIT, exact_decimals
from billing_plugin.providers.listing import ALWAYS, Band, Listing

REQUESTS = "requests"  # the price of a use as such, whatever it counts
UNITS = (*QUANTITIES, REQUESTS)
TOTALS = ("input_tokens", "output_tokens")
# The kinds around each kind, as in genai-prices: what is counted in it is counted in them too.
AROUND: dict[str, tuple[str, ...]] = {
    "input_tokens": (),
    "output_tokens": (),
    "cache_read_tokens": ("input_tokens",),
    "cache_write_tokens": ("input_tokens",),
    "reasoning_tokens": ("output_tokens",),
    "input_audio_tokens": ("input_tokens",),
    "output_audio_tokens": ("output_tokens",),
    "cache_audio_read_tokens": ("input_tokens", "cache_read_tokens", "input_audio_tokens"),
    "input_image_tokens": ("input_tokens",),
    "output_image_tokens": ("output_tokens",),
}
_PLAIN = frozenset(QUANTITIES[:4])
_CONTRADICTION = "The token counts contradict each other: a part is more than its total."

Share = dict[str, int]  # of each count, how often it enters a sum


class Counter(Protocol):
    """Prices of one band, ready to multiply."""

    def nanos(self, usage: Usage) -> int:
        """The cost in nanos, rounded once. Raises InvalidRequest, UnpricedModel."""


@dataclass(frozen=True, slots=True)
class Table:
    """One band of a tariff: what counts its nanos, and the text that is stored with what it rated.

    `prices` are the exact prices behind it, for one unit each.
    """

    nanos: Callable[[Usage], int]  # see Counter
    provider: str
    currency: str
    text: str
    prices: Mapping[str, Decimal]
    flagged: bool = False


@dataclass(frozen=True, slots=True)
class Tariff:
    """The tables of a model while `starts <= at < ends`: table n is for more than `steps[n - 1]`
    input tokens. One table that refuses to count says that the model has no price."""

    tables: tuple[Table, ...]
    steps: tuple[int, ...] = ()
    starts: datetime = ALWAYS[0]
    ends: datetime = ALWAYS[1]

    def table(self, input_tokens: int) -> Table:
        """The table for a use with so many input tokens."""
        return self.tables[bisect_left(self.steps, input_tokens)]


@dataclass(frozen=True, slots=True)
class PlainCounter:
    """The usual prices: input, output, what a cache gives or takes, none for a request as such.

    All in 1/scale nano.
    `reads` and `writes` are 1 where the kind has a price of its own; else it costs nothing apart,
    and stays in the input.
    """

    input: int
    output: int
    read: int
    write: int
    reads: int
    writes: int
    scale: int

    def nanos(self, usage: Usage) -> int:
        """See Counter."""
        plain, read, written = usage.input_tokens, usage.cache_read_tokens, usage.cache_write_tokens
        exact = usage.output_tokens * self.output
        if read or written:
            plain -= read * self.reads + written * self.writes
            if plain < 0:
                raise InvalidRequest(_CONTRADICTION)
            exact += read * self.read + written * self.write
        exact += plain * self.input
        return exact if self.scale == 1 else rounded(exact, self.scale)


@dataclass(frozen=True, slots=True)
class WideCounter:
    """Prices of any kinds. `weights` stand in the order of `counts`, in 1/scale nano.

    What a row of `remainders` leaves is never less than nothing, and nothing at all where the row
    is in `unpriced`: those tokens would have no price.
    """

    counts: Callable[[Usage], tuple[int, ...]]
    weights: tuple[int, ...]
    remainders: tuple[tuple[int, ...], ...]
    unpriced: tuple[tuple[int, ...], ...]
    fixed: int
    scale: int

    def nanos(self, usage: Usage) -> int:
        """See Counter."""
        counts = self.counts(usage)
        for row in self.remainders:
            if sum(map(mul, row, counts)) < 0:
                raise InvalidRequest(_CONTRADICTION)
        for row in self.unpriced:
            if sum(map(mul, row, counts)):
                raise UnpricedModel("A kind of token that was used has no price.")
        return rounded(self.fixed + sum(map(mul, self.weights, counts)), self.scale)


@dataclass(frozen=True, slots=True)
class NoCounter:
    """No price at all."""

    model: str

    def nanos(self, usage: Usage) -> int:
        """See Counter; always raises UnpricedModel."""
        del usage
        raise UnpricedModel(f"No price is known for the model {self.model[:100]}.")


def rounded(exact: int, scale: int) -> int:
    """Whole nanos of `exact` 1/scale nanos, half to even."""
    whole, rest = divmod(exact, scale)
    twice = 2 * rest
    return whole + (twice > scale or (twice == scale and whole % 2 == 1))


def tariff_of(listing: Listing, *, flagged: bool = False) -> Tariff:
    """The listing, compiled. Prices that nobody could charge are no prices."""
    if not all(_chargeable(band.prices) for band in listing.bands):
        return no_tariff(listing.model, listing.starts, listing.ends)
    with exact_decimals():
        tables = tuple(_table(listing, band, flagged=flagged) for band in listing.bands)
    steps = tuple(band.above for band in listing.bands[1:])
    return Tariff(tables, steps, listing.starts, listing.ends)


def no_tariff(model: str, starts: datetime, ends: datetime) -> Tariff:
    """The tariff of a model that has no price."""
    table = Table(NoCounter(model).nanos, provider="", currency="", text="", prices={})
    return Tariff((table,), (), starts, ends)


def shares(priced: Iterable[str]) -> dict[str, Share]:
    """For each kind with a price of its own: how much of every count is charged at it.

    What is left of a kind is its count less what is left of each priced kind inside it.
    """
    left: dict[str, Share] = {}
    for kind in sorted(priced, key=lambda kind: -len(AROUND[kind])):
        inside = [left[inner] for inner in left if kind in AROUND[inner]]
        left[kind] = {kind: 1}
        for share in inside:
            for count, times in share.items():
                left[kind][count] = left[kind].get(count, 0) - times
    return left


def _table(listing: Listing, band: Band, *, flagged: bool) -> Table:
    return Table(
        nanos=_counter(band.prices).nanos,
        provider=listing.provider,
        currency=listing.currency,
        text=_text(listing, band),
        prices=band.prices,
        flagged=flagged,
    )


def _counter(prices: Mapping[str, Decimal]) -> Counter:
    own = [kind for kind in prices if kind != REQUESTS]
    left = shares({*own, *TOTALS})
    nanos = {kind: Fraction(price) * NANOS_PER_UNIT for kind, price in prices.items()}
    exact = {
        count: sum((nanos[kind] * left[kind].get(count, 0) for kind in own), Fraction())
        for count in QUANTITIES
    }
    fixed = nanos.get(REQUESTS, Fraction())
    scale = lcm(fixed.denominator, *(weight.denominator for weight in exact.values()))
    weights = {count: int(weight * scale) for count, weight in exact.items()}
    if set(TOTALS) <= set(prices) <= _PLAIN:
        flat = {kind: int(price * scale) for kind, price in nanos.items()}
        return _plain(flat, scale)
    return _wide(weights, left, unpriced=set(TOTALS) - set(own), rest=(int(fixed * scale), scale))


def _plain(prices: dict[str, int], scale: int) -> Counter:
    return PlainCounter(
        input=prices["input_tokens"],
        output=prices["output_tokens"],
        read=prices.get("cache_read_tokens", 0),
        write=prices.get("cache_write_tokens", 0),
        reads=int("cache_read_tokens" in prices),
        writes=int("cache_write_tokens" in prices),
        scale=scale,
    )


def _wide(
    weights: dict[str, int], left: dict[str, Share], *, unpriced: set[str], rest: tuple[int, int]
) -> Counter:
    counts = tuple(left)
    rows = {kind: tuple(share.get(count, 0) for count in counts) for kind, share in left.items()}
    return WideCounter(
        attrgetter(*counts),
        tuple(weights[count] for count in counts),
        tuple(rows[kind] for kind, share in left.items() if len(share) > 1),
        tuple(rows[kind] for kind in sorted(unpriced)),
        *rest,
    )


def _text(listing: Listing, band: Band) -> str:
    facts: dict[str, Any] = {**listing.facts, "currency": listing.currency}
    facts["prices"] = {name: format(price.normalize(), "f") for name, price in band.prices.items()}
    if band.above >= 0:
        facts["above_input_tokens"] = band.above
    return dump(facts)


def _chargeable(prices: Mapping[str, Decimal]) -> bool:
    return all(price.is_finite() and price >= 0 for price in prices.values())
