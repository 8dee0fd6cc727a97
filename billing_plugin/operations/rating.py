"""Rating: what a use costs. The exact product of counts and prices is rounded once per record."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from billing_plugin.context import current
from billing_plugin.errors import InvalidRequest, UnpricedModel
from billing_plugin.models import accounts
from billing_plugin.models.base import dump
from billing_plugin.models.usage import Usage, counts_of
from billing_plugin.money import Money, counted
from billing_plugin.operations.catalogue import storable
from billing_plugin.operations.price_book import ANYTHING, book
from billing_plugin.operations.tariffs import TOTALS, Table, tariff_of
from billing_plugin.providers.listing import Band, Listing

MAX_NAME_LENGTH = 200
MAX_TOKENS = 10**12
_INTEGER = frozenset({int})
NOBODY = "unknown"  # the provider of a use that names none and is on no list
STATED = dump({"source": "caller"})
_new = tuple.__new__  # a Rated is made a million times: half the time of its own constructor


class Rated(NamedTuple):
    """A use with its exact cost. `price` is JSON text that says where the price came from and what
    it was, exactly; it is the same for every use at that price. `flagged`: no price was known, and
    the setting `unpriced` let it pass, at the fallback price or at none."""

    provider: str
    model: str
    cost: Money
    price: str
    flagged: bool = False


def rate(usage: Usage, at: datetime, account_id: str | None = None) -> Rated:
    """The cost of a use at an instant: the caller's own if stated, else by the price book.

    The exact product is rounded once, half to even, to nanos. Counts are whole and not negative;
    `check_usage` sees to that. Raises UnpricedModel (by the setting `unpriced`), NotSupported where
    no price list is installed and the book has no price either, InvalidRequest for a part of the
    tokens that is more than its total.
    """
    if usage.cost is not None:
        return _stated(usage, usage.cost)
    tariff = book().tariff(usage, at, account_id)
    table = tariff.table(usage.input_tokens) if tariff.steps else tariff.tables[0]
    try:
        nanos = table.nanos(usage)
    except UnpricedModel as refusal:
        table = instead(usage, refusal, at=at, account_id=account_id)
        nanos = table.nanos(usage)
    cost = counted(nanos, table.currency)
    return _new(Rated, (table.provider, usage.model, cost, table.text, table.flagged))


def instead(usage: Usage, refusal: UnpricedModel, *, at: datetime, account_id: str | None) -> Table:
    """What the setting `unpriced` puts in the place of a missing price; or raises the refusal."""
    policy = current().settings.unpriced
    provider = usage.provider or NOBODY
    if policy == "allow":
        return _free(provider, usage.model, account_id)
    table = book().tariff(ANYTHING, at, account_id).tables[0] if policy == "fallback" else None
    if table is None or not table.prices:
        raise refusal
    return replace(table, provider=provider)


def check_usage(usage: Usage) -> Usage:
    """The use itself. Raises InvalidRequest where it names no model or its counts are no counts."""
    _check_names(usage.model, usage.provider)
    counts = counts_of(usage)
    if not _INTEGER.issuperset(map(type, counts)) or min(counts) < 0 or max(counts) > MAX_TOKENS:
        raise InvalidRequest(f"Token counts are whole numbers from 0 to {MAX_TOKENS}.")
    return usage


def is_count(value: object) -> bool:
    """Whether it is a number of tokens."""
    return type(value) is int and 0 <= value <= MAX_TOKENS


@lru_cache(maxsize=1024)  # the same few names, again and again
def _check_names(model: str, provider: str) -> None:
    if not model or max(len(model), len(provider)) > MAX_NAME_LENGTH:
        raise InvalidRequest(f"A use names its model, with 1 to {MAX_NAME_LENGTH} characters.")
    storable(model + provider)


def _stated(usage: Usage, cost: Money) -> Rated:
    if cost.nanos < 0:
        raise InvalidRequest("A cost is not negative.")
    return Rated(usage.provider or NOBODY, usage.model, cost, STATED)


def _free(provider: str, model: str, account_id: str | None) -> Table:
    """Nothing, in the account's currency."""
    currency = current().settings.currency
    if account_id is not None:
        currency = accounts.get(account_id).currency
    nothing = Band(-1, dict.fromkeys(TOTALS, Decimal(0)))
    listing = Listing(provider, model, (nothing,), {"source": "none"}, currency=currency)
    return tariff_of(listing, flagged=True).tables[0]
