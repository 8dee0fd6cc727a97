"""Rating: what a use costs, by a price list with exact decimals, rounded once per record."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from billing_plugin.context import Actor, current, now
from billing_plugin.errors import InvalidRequest, NotSupported, UnpricedModel
from billing_plugin.models.base import dump
from billing_plugin.models.usage import Usage
from billing_plugin.money import Money, exact_decimals
from billing_plugin.operations.catalogue import operation


@dataclass(frozen=True, slots=True)
class Rated:
    """A use with its exact cost, and where the price came from (`price`, storable as JSON)."""

    provider: str
    model: str
    cost: Money
    price: str
    flagged: bool = False


@operation(scope="balance:read", effect="reads")
def estimate_cost(actor: Actor, account_id: str, usage: Usage) -> Rated:
    """What a use would cost the account now; nothing is stored.

    Raises UnpricedModel, NotSupported without a price list, InvalidRequest.
    """
    del actor, account_id
    return rate(usage, now())


def rate(usage: Usage, at: datetime, account_id: str | None = None) -> Rated:
    """The cost of a use at an instant: the caller's own if stated, else the price list's.

    The exact product is rounded once, half-even, to nanos. Raises UnpricedModel, NotSupported.
    """
    if usage.cost is not None:
        return _stated(usage, usage.cost)
    price_list = current().price_list
    if price_list is None:
        raise NotSupported("No price list is installed; install the extra `pricing`.")
    with exact_decimals():
        quote = price_list.quote(
            usage.model, usage.quantities, provider=usage.provider or None, at=at
        )
    cost = Money.from_decimal(quote.exact)
    if cost.nanos < 0:
        raise UnpricedModel("The price list has no price that can be charged.")
    price = {"source": quote.source, "exact": quote.exact, **quote.facts}
    return Rated(quote.provider, usage.model, cost, dump(price))


def _stated(usage: Usage, cost: Money) -> Rated:
    if cost.nanos < 0:
        raise InvalidRequest("A cost is not negative.")
    return Rated(usage.provider or "unknown", usage.model, cost, '{"source":"caller"}')
