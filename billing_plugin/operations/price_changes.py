"""What changes a price: between two moments, or between the price list and the book."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing_plugin.context import Actor, current, now
from billing_plugin.errors import NotSupported, UnpricedModel
from billing_plugin.models import prices
from billing_plugin.models.prices import ANY, Price
from billing_plugin.operations.catalogue import operation
from billing_plugin.operations.price_book import listed, listing_of, ruling
from billing_plugin.operations.prices import whose_prices
from billing_plugin.periods import aware
from billing_plugin.providers.listing import Listing

Facts = dict[tuple[int, str], Decimal]  # (input tokens above which it holds, unit) -> price


@dataclass(frozen=True, slots=True)
class PriceChange:
    """One unit of a model whose price differs. None: it had, or has, no price of its own.

    `above` is the number of input tokens beyond which the price holds; -1: any number.
    """

    provider: str
    model: str
    unit: str
    old: Decimal | None
    new: Decimal | None
    currency: str
    above: int = -1


@operation(scope="prices:read", effect="reads")
def diff_prices(
    actor: Actor,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    account_id: str | None = None,
    model: str | None = None,
) -> list[PriceChange]:
    """What an account (None: the actor's, or everybody) pays otherwise at `until` (None: now).

    Otherwise than at `since`, by list and book; or, without `since`, than the price list alone says
    at `until`. For one model, or for all that list and book know. Exact prices for one unit.
    Raises NotFound for another's account, InvalidRequest for a time without a zone.
    """
    whose = whose_prices(actor, account_id)
    book = prices.seen_by(whose)
    end = aware(until or now())
    changes: list[PriceChange] = []
    for name in _names(book, model, everything=since is not None):
        old = _held(name, [] if since is None else book, aware(since or end))
        changes += _changes(name, old, _held(name, book, end))
    return changes


def _names(book: list[Price], model: str | None, *, everything: bool) -> list[tuple[str, str]]:
    """Provider and model of all that may differ: without a second moment only what the book has."""
    names = {(price.provider, price.model) for price in book}
    if everything:
        names |= set(_on_the_list())
    return sorted(name for name in names if model is None or name[1] == model.strip().lower())


def _on_the_list() -> Iterable[tuple[str, str]]:
    try:
        return list(current().price_list.models()) if current().price_list else []
    except NotSupported:
        return []


def _held(name: tuple[str, str], book: list[Price], at: datetime) -> Listing | None:
    """The prices of the model at the instant: the book's, else the list's."""
    mine = [price for price in book if (price.provider, price.model) == name]
    price = ruling(mine, name[1], at)
    if price is not None:
        return listing_of(price)
    try:
        return None if name[1] == ANY else listed(*name, at=at)
    except (UnpricedModel, NotSupported):
        return None


def _changes(
    name: tuple[str, str], old: Listing | None, new: Listing | None
) -> Iterator[PriceChange]:
    before, after = _facts(old), _facts(new)
    if old and new and old.currency != new.currency:
        yield from _changed(name, before, {}, currency=old.currency)
        yield from _changed(name, {}, after, currency=new.currency)
    elif shown := new or old:
        yield from _changed(name, before, after, currency=shown.currency)


def _changed(
    name: tuple[str, str], before: Facts, after: Facts, *, currency: str
) -> Iterator[PriceChange]:
    for above, unit in sorted(before.keys() | after.keys()):
        old, new = before.get((above, unit)), after.get((above, unit))
        if old != new:
            yield PriceChange(*name, unit, old, new, currency, above)


def _facts(listing: Listing | None) -> Facts:
    bands = listing.bands if listing else ()
    return {(band.above, unit): price for band in bands for unit, price in band.prices.items()}
