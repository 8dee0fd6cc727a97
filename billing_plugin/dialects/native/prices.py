"""Native: the price book, seen by whom it concerns, set and ended by operators."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import marshmallow
from flask import Response
from marshmallow import fields, validate

from billing_plugin import operations
from billing_plugin.dialects.dialect import account_id, account_named, actor
from billing_plugin.dialects.native.face import Strict, idempotency_key, native, ok
from billing_plugin.dialects.native.paging import pages
from billing_plugin.dialects.native.shapes import MODEL, Flag, pattern, time
from billing_plugin.dialects.native.tables import ListQuery, Rows, listed
from billing_plugin.dialects.openapi import TEXT, TIME, Shape, nullable, shape
from billing_plugin.operations.prices import OWN_SOURCE
from billing_plugin.operations.tariffs import UNITS

if TYPE_CHECKING:
    from billing_plugin.models.prices import Price

TAGS = ["Prices"]
_PROVIDER = validate.Length(min=1, max=100)
_EXACT = pattern(r"[0-9]{1,12}(\.[0-9]{1,24})?")


class PriceBody(Strict):
    """What one unit of each kind costs, from when, until when, and for whom."""

    provider = fields.String(required=True, validate=_PROVIDER)
    model = fields.String(required=True, validate=MODEL)
    prices = fields.Dict(
        keys=fields.String(validate=validate.OneOf(UNITS)),
        values=fields.String(validate=_EXACT),
        required=True,
        validate=validate.Length(min=1),
    )
    everybody = Flag(load_default=False)
    currency = fields.String(load_default=None, allow_none=True, validate=pattern("[A-Z]{3}"))
    validFrom = time(load_default=None, allow_none=True)
    validUntil = time(load_default=None, allow_none=True)
    source = fields.String(load_default=OWN_SOURCE, validate=validate.Length(min=1, max=200))
    retroactive = Flag(load_default=False)


class PriceEndBody(Strict):
    """When (none: now)."""

    at = time(load_default=None, allow_none=True)


class PricesQuery(ListQuery):
    """Which prices: those in force at an instant; none: of any time."""

    at = time(load_default=None)


PRICE = shape(
    "Price",
    "Exact `prices` of one unit each, until just before `validUntil`; no `accountId`: everybody's.",
    id=TEXT,
    accountId=nullable(TEXT),
    provider=TEXT,
    model=TEXT,
    currency=TEXT,
    prices=Shape(type="object", additionalProperties=TEXT),
    validFrom=TIME,
    validUntil=nullable(TIME),
    source=TEXT,
    createdAt=TIME,
)


@native.view(answers={200: pages(PRICE)}, csv=True, tags=TAGS)
@native.arguments(PricesQuery(), location="query", unknown=marshmallow.RAISE)
def list_prices(query: dict[str, Any]) -> Response:
    """List prices of the book

    Newest first: everybody's, and those of the account that is asked about.
    """
    account = account_named()
    page = partial(operations.list_prices, actor(), at=query["at"], account_id=account)
    return listed(query, Rows("prices", PRICE), page, account=account, shape=_shape)


@native.view(answers={201: PRICE}, refusals=(404,), tags=TAGS)
@native.arguments(PriceBody())
def set_price(body: dict[str, Any]) -> Response:
    """Set a price

    For the account that is asked about, or for everybody. Whatever held before stays as it was, and
    what was charged stays charged. For operators.
    """
    made = operations.set_price(
        actor(),
        body["provider"],
        body["model"],
        prices=body["prices"],
        account_id=None if body["everybody"] else account_id(),
        currency=body["currency"],
        valid_from=body["validFrom"],
        valid_until=body["validUntil"],
        source=body["source"],
        retroactive=body["retroactive"],
        idempotency_key=idempotency_key(),
    )
    return ok(_shape(made), 201, replayed=made.replayed)


@native.view(answers={200: PRICE}, tags=TAGS)
@native.arguments(PriceEndBody(), required=False)
def end_price(body: dict[str, Any], price_id: str) -> Response:
    """End a price

    What it overruled holds again. For operators.
    """
    ended = operations.end_price(
        actor(),
        price_id,
        at=body["at"],
        account_id=account_named(),
        idempotency_key=idempotency_key(),
    )
    return ok(_shape(ended), replayed=ended.replayed)


def _shape(price: Price) -> dict[str, Any]:
    return {
        "id": price.id,
        "accountId": price.account_id,
        "provider": price.provider,
        "model": price.model,
        "currency": price.currency,
        "prices": price.prices,
        "validFrom": price.valid_from,
        "validUntil": price.valid_until,
        "source": price.source,
        "createdAt": price.created_at,
    }
