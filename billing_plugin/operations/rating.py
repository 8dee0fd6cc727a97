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
from billing_plugin.models.usage import MAX_TOKENS, Usage
from billing_plugin.money import MAX_NANOS, Money
from billing_plugin.operations.catalogue import storable
from billing_plugin.operations.price_book import ANYTHING, book
from billing_plugin.operations.tariffs import TOTALS, Table, Tariff, tariff_of
from billing_plugin.providers.listing import Band, Listing

MAX_NAME_LENGTH = 200
NOBODY = "unknown"  # the provider of a use that names none and is on no list
STATED = dump({"source": "caller"})
_new = tuple.__new__  # a Rated is made a million times: half the time of its own constructor


class Rated(NamedTuple):
    """A use with its exact cost. `price` is JSON text that says where the price came from and what
    it was, exactly; it is the same for every use at that price. `flagged`: no price was known, and
    the setting `unpriced` let it pass, at the fallback price or at none."""

    provider: str
    model: str
    nanos: int
    currency: str
    price: str
    flagged: bool = False

    @property
    def cost(self) -> Money:
        """What it costs."""
        return Money(self.nanos, self.currency)


def rate(usage: Usage, at: datetime, account_id: str | None = None) -> Rated:
    """The cost of a use at an instant: the caller's own if stated, else by the price book.

    The exact product is rounded once, half to even, to nanos. Counts are whole and not negative;
    `check_usage` sees to that. Raises UnpricedModel (by the setting `unpriced`), NotSupported where
    no price list is installed and the book has no price either, InvalidRequest for a part of the
    tokens that is more than its total.
    """
    if usage.cost is not None:
        return stated(usage, usage.cost)
    tariff = book().tariff(usage, at, account_id)
    try:
        return rate_by(tariff, usage)
    except UnpricedModel as refusal:
        return _rated(instead(usage, refusal, at=at, account_id=account_id), usage)


def rate_by(tariff: Tariff, usage: Usage) -> Rated:
    """The cost of a use by its tariff; no database is asked.

    Raises UnpricedModel, whatever the setting `unpriced`, and InvalidRequest.
    """
    return _rated(tariff.table(usage.input_tokens) if tariff.steps else tariff.tables[0], usage)


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


def check_usage(usage: Usage) -> str:
    """Its token counts as JSON text, as they are stored.

    Raises InvalidRequest where it names no model or its counts are no counts.
    """
    _check_names(usage.model, usage.provider)
    return usage.counts_text


def is_count(value: object) -> bool:
    """Whether it is a number of tokens."""
    return type(value) is int and 0 <= value <= MAX_TOKENS


@lru_cache(maxsize=1024)  # the same few names, again and again
def _check_names(model: str, provider: str) -> None:
    if not model or max(len(model), len(provider)) > MAX_NAME_LENGTH:
        raise InvalidRequest(f"A use names its model, with 1 to {MAX_NAME_LENGTH} characters.")
    storable(model + provider)


def stated(usage: Usage, cost: Money) -> Rated:
    """The cost of a use as its caller states it. Raises InvalidRequest below nothing."""
    if cost.nanos < 0:
        raise InvalidRequest("A cost is not negative.")
    return Rated(usage.provider or NOBODY, usage.model, cost.nanos, cost.currency, STATED)


def _rated(table: Table, usage: Usage) -> Rated:
    nanos = table.nanos(usage)
    if nanos > MAX_NANOS:
        raise InvalidRequest("The amount is beyond 64 bits.", code="amount_out_of_range")
    said = (table.provider, usage.model, nanos, table.currency, table.text, table.flagged)
    return _new(Rated, said)


def _free(provider: str, model: str, account_id: str | None) -> Table:
    """Nothing, in the account's currency."""
    currency = current().settings.currency
    if account_id is not None:
        currency = accounts.get(account_id).currency
    nothing = Band(-1, dict.fromkeys(TOTALS, Decimal(0)))
    listing = Listing(provider, model, (nothing,), {"source": "none"}, currency=currency)
    return tariff_of(listing, flagged=True).tables[0]
