"""Foresight: between which amounts a use will cost of which only the outline is known.

Each token is charged once, at the price of the kind it is left in, so a number of tokens that may
be of several kinds costs at least the cheapest of them and at most the dearest. Rounding keeps the
order, so the bounds hold for the rounded costs too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing_plugin.errors import InvalidRequest, UnpricedModel
from billing_plugin.models.usage import Usage
from billing_plugin.money import Money, exact_decimals
from billing_plugin.operations.price_book import book
from billing_plugin.operations.rating import instead, is_count, rate
from billing_plugin.operations.tariffs import REQUESTS, Table

OPEN_INPUT = ("input_tokens", "cache_read_tokens", "cache_write_tokens")
AUDIO_INPUT = ("input_audio_tokens", "cache_audio_read_tokens")
OPEN_OUTPUT = ("output_tokens", "reasoning_tokens")
STATED_OUTPUT = ("output_audio_tokens", "output_image_tokens")
_CONTRADICTION = "The stated tokens contradict each other: a part is more than its total."


@dataclass(frozen=True, slots=True)
class Preview:
    """What a use costs at least and at most, and the price behind it (see Rated)."""

    lower: Money
    upper: Money
    provider: str
    model: str
    price: str
    flagged: bool = False


@dataclass(frozen=True, slots=True)
class _Tokens:
    """From `least` to `most` tokens, each at one of these prices."""

    least: int
    most: int
    prices: list[Decimal]


def foresee(
    usage: Usage, account_id: str | None, *, at: datetime, max_output: int | None = None
) -> Preview:
    """See the operation preview_cost."""
    most = usage.output_tokens if max_output is None else max_output
    if not is_count(most) or most < usage.output_tokens:
        raise InvalidRequest("max_output_tokens is a number of tokens, not below output_tokens.")
    if usage.cost is not None:
        rated = rate(usage, at, account_id)
        return Preview(rated.cost, rated.cost, rated.provider, rated.model, rated.price)
    table = book().tariff(usage, at, account_id).table(usage.input_tokens)
    try:
        return _preview(usage, table, most)
    except UnpricedModel as refusal:
        table = instead(usage, refusal, at=at, account_id=account_id)
        return _preview(usage, table, most)


def _preview(usage: Usage, table: Table, most: int) -> Preview:
    if not table.prices:
        raise UnpricedModel(f"No price is known for the model {usage.model[:100]}.")
    parts = [*_input(usage, table.prices), *_output(usage, table.prices, most)]
    if any(part.least < 0 for part in parts):
        raise InvalidRequest(_CONTRADICTION)
    parts = [part for part in parts if part.most]
    if not all(part.prices for part in parts):
        raise UnpricedModel("A kind of token that may be used has no price.")
    fixed = table.prices.get(REQUESTS, Decimal(0))
    with exact_decimals():
        lower = sum((part.least * min(part.prices) for part in parts), fixed)
        upper = sum((part.most * max(part.prices) for part in parts), fixed)
    return Preview(
        Money.from_decimal(lower, table.currency),
        Money.from_decimal(upper, table.currency),
        table.provider, usage.model, table.text, table.flagged,
    )  # fmt: skip


def _input(usage: Usage, prices: Mapping[str, Decimal]) -> Iterator[_Tokens]:
    """The input: audio and image as stated, where they have a price; the rest may be anything."""
    open_kinds = OPEN_INPUT if "input_audio_tokens" in prices else (*OPEN_INPUT, AUDIO_INPUT[1])
    rest = usage.input_tokens
    for kinds in (AUDIO_INPUT, ("input_image_tokens",)):
        if kinds[0] in prices:
            stated = getattr(usage, kinds[0])
            rest -= stated
            yield _Tokens(stated, stated, _of(prices, kinds))
    yield _Tokens(rest, rest, _of(prices, open_kinds))


def _output(usage: Usage, prices: Mapping[str, Decimal], most: int) -> Iterator[_Tokens]:
    """The output: at least the stated audio and image; the rest reasoning, text or more of them."""
    stated = [kind for kind in STATED_OUTPUT if kind in prices and getattr(usage, kind)]
    named = sum(getattr(usage, kind) for kind in stated)
    for kind in stated:
        yield _Tokens(getattr(usage, kind), getattr(usage, kind), [prices[kind]])
    least = usage.output_tokens - named
    yield _Tokens(least, most - named, _of(prices, (*OPEN_OUTPUT, *stated)))


def _of(prices: Mapping[str, Decimal], kinds: Iterable[str]) -> list[Decimal]:
    return [prices[kind] for kind in kinds if kind in prices]
