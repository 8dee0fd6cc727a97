"""Native: cost items, as in the "Billing API" of seed 001: whole cents, the exact amount beside.

What an item does not say is left out, as there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import marshmallow
from flask import Response
from marshmallow import ValidationError, fields, validate
from webargs.fields import DelimitedList

from billing_plugin import operations
from billing_plugin.dialects.arguments import whole_number
from billing_plugin.dialects.dialect import account_id, actor
from billing_plugin.dialects.native.face import Strict, idempotency_key, native, ok
from billing_plugin.dialects.native.item_texts import NAMES, USAGE, shape_of_item, text_of_line
from billing_plugin.dialects.native.paging import Listing, PageQuery, pages
from billing_plugin.dialects.native.shapes import REMOVED, Flag, Metadata, pattern, time
from billing_plugin.dialects.native.tables import FormatQuery, Rows, is_file, whole
from billing_plugin.dialects.openapi import FLAG, TEXT, TIME, WHOLE, Shape, many, shape, word
from billing_plugin.errors import InvalidRequest
from billing_plugin.money import MAX_CENTS, Exact
from billing_plugin.operations.drafts import (
    LENGTHS,
    MAX_FACT_LENGTH,
    MAX_NAME_LENGTH,
    MAX_TAG_LENGTH,
    MAX_TAGS,
    PERIODS,
    SCOPE,
    Cents,
    ItemDraft,
)
from billing_plugin.operations.item_filters import ITEM_SOURCES, ItemFilter
from billing_plugin.periods import parse_day, parse_time

if TYPE_CHECKING:
    pass

TAGS = ["Items"]
MAX_PAGE = 1_000
_TEXT = validate.Length(min=1, max=500)
_NAME = validate.Length(min=1, max=MAX_NAME_LENGTH)
_TAG = validate.Length(min=1, max=MAX_TAG_LENGTH)
_FACT = validate.Length(max=MAX_FACT_LENGTH)
_CENTS = validate.Range(min=-MAX_CENTS, max=MAX_CENTS)
_EXACT = pattern(r"-?[0-9]{1,10}(\.[0-9]{1,18})?")
ONE_AMOUNT = Shape(oneOf=[{"required": ["amount"]}, {"required": ["amountExact"]}])
AT_MOST_ONE = Shape({"not": {"required": ["amount", "amountExact"]}})
# what the wire calls it -> what a draft calls it
_WORDS = {
    "name": "name", "currency": "currency", "date": "date", "categoryId": "category",
    "tags": "tags", "description": "description", "provider": "provider",
    "providerRef": "provider_ref", "adapter": "adapter", "recurring": "recurring",
    "period": "period", "serviceId": "service_id", "featureKey": "feature_key",
    "stageAppId": "stage_app_id", "environment": "environment", "scope": "scope",
    "usage": "usage", "authorEmail": "author_email", "meta": "meta",
}  # fmt: skip


def optional(length: int) -> fields.String:
    """Text, or null for none."""
    return fields.String(allow_none=True, validate=validate.Length(min=1, max=length))


def facts(*names: str) -> Metadata:
    """Text, numbers and flags by name, one of `names` where there are any, or null for none."""
    known = validate.OneOf(names) if names else validate.Length(min=1, max=MAX_TAG_LENGTH)
    return Metadata(keys=fields.String(validate=known), allow_none=True)


class ItemBody(Strict):
    """What an item says. The amount stands in whole cents (`amount`) or exactly."""

    name = fields.String(validate=_NAME)
    amount = fields.Integer(strict=True, validate=_CENTS)
    amountExact = fields.String(validate=_EXACT)
    currency = fields.String(validate=pattern("[A-Z]{3}"))
    categoryId = optional(MAX_NAME_LENGTH)
    tags = fields.List(
        fields.String(validate=_TAG),
        allow_none=True,
        validate=validate.Length(max=MAX_TAGS),
    )
    date = time()
    description = optional(LENGTHS["description"])
    provider = optional(LENGTHS["provider"])
    providerRef = optional(LENGTHS["provider_ref"])
    adapter = optional(LENGTHS["adapter"])
    recurring = Flag()
    period = fields.String(allow_none=True, validate=validate.OneOf(PERIODS))
    serviceId = optional(LENGTHS["service_id"])
    featureKey = optional(LENGTHS["feature_key"])
    stageAppId = optional(LENGTHS["stage_app_id"])
    environment = optional(LENGTHS["environment"])
    scope = fields.Dict(
        keys=fields.String(validate=validate.OneOf(SCOPE)),
        values=fields.String(validate=_FACT),
        allow_none=True,
    )
    usage = facts(*USAGE)
    authorEmail = optional(LENGTHS["author_email"])
    meta = facts()


class NewItemBody(ItemBody):
    """A new item has a name, at least, and an amount."""

    name = fields.String(required=True, validate=_NAME)


class Day(fields.String):
    """A UTC day, or an instant, which means its UTC day."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            return parse_day(text) if len(text) == len("2026-03-05") else parse_time(text).date()
        except InvalidRequest as error:
            raise ValidationError(error.message) from error


class ItemsChosen(Strict):
    """Which items; `from` and `to` are UTC days, both included; of `tags` an item has one."""

    limit = whole_number(1, MAX_PAGE, default=50)
    category = fields.String(load_default=None, validate=_TEXT)
    provider = fields.String(load_default=None, validate=_TEXT)
    service = fields.String(load_default=None, validate=_TEXT)
    to = Day(load_default=None)
    recurring = fields.Boolean(load_default=None, truthy={"true"}, falsy={"false"})
    tags = DelimitedList(
        fields.String(validate=_TAG), validate=validate.Length(min=1, max=MAX_TAGS)
    )
    stageApp = fields.String(load_default=None, validate=_TEXT)
    author = fields.String(load_default=None, validate=_TEXT)
    source = fields.String(load_default=None, validate=validate.OneOf(ITEM_SOURCES))
    since = Day(load_default=None, data_key="from")


class ItemsQuery(FormatQuery, ItemsChosen, PageQuery):
    """Which items, and where to go on."""


class RefQuery(Strict):
    """What the provider calls it."""

    provider = fields.String(required=True, validate=_TEXT)
    providerRef = fields.String(required=True, validate=_TEXT)


_OPTIONAL = (
    "categoryId", "description", "provider", "providerRef", "adapter", "period", "serviceId",
    "featureKey", "stageAppId", "environment", "scope", "usage", "authorEmail", "meta",
)  # fmt: skip
ITEM = shape(
    "CostItem",
    "A cost: `amount` in whole cents, rounded, and `amountExact` as it is. `source` says where it"
    " comes from.",
    optional=_OPTIONAL,
    id=TEXT,
    name=TEXT,
    amount=WHOLE,
    amountExact=TEXT,
    currency=TEXT,
    categoryId=TEXT,
    tags=many(TEXT),
    date=TIME,
    description=TEXT,
    provider=TEXT,
    providerRef=TEXT,
    adapter=TEXT,
    source=word(*ITEM_SOURCES),
    recurring=FLAG,
    period=word(*PERIODS),
    serviceId=TEXT,
    featureKey=TEXT,
    stageAppId=TEXT,
    environment=TEXT,
    scope=Shape(type="object", additionalProperties=TEXT),
    usage=Shape(type="object", additionalProperties=True),
    authorEmail=TEXT,
    meta=Shape(type="object", additionalProperties=True),
    createdAt=TIME,
    updatedAt=TIME,
)


@native.view(answers={200: pages(ITEM)}, refusals=(404,), csv=True, tags=TAGS)
@native.arguments(ItemsQuery(), location="query", unknown=marshmallow.RAISE)
def list_items(query: dict[str, Any]) -> Response:
    """List cost items

    The latest first.
    """
    of = actor(), account_id(), filter_of(query)
    if is_file(query):
        return whole(
            Rows("items", ITEM),
            lambda before: operations.list_items(*of, before=before, limit=MAX_PAGE),
            shape=shape_of_item,
            place_of=lambda item: operations.Place(item.date, item.id),
        )
    listing = Listing("items", account_id(), query)
    before = _place_in(listing.before) if listing.before else None
    found = operations.list_item_lines(*of, names=NAMES, before=before, limit=listing.limit)
    return listing.answer_text(
        found, text_of_line, lambda line: f"{line.date.isoformat()} {line.id}"
    )


@native.view(answers={200: ITEM, 201: ITEM}, refusals=(404,), tags=TAGS)
@native.arguments(NewItemBody())
def create_item(body: dict[str, Any]) -> Response:
    """Enter a cost item

    Where there is one of this `provider` and `providerRef`, that is changed in what is named, and
    the answer is 200.
    """
    said = changes_in(body)
    if "amount" not in said:
        raise InvalidRequest("State amount in cents, or amountExact.")
    stored = operations.create_item(
        actor(), account_id(), ItemDraft(**said), idempotency_key=idempotency_key()
    )
    status = 201 if stored.created else 200
    return ok(shape_of_item(stored.item), status, replayed=stored.replayed)


@native.view(answers={200: ITEM}, tags=TAGS)
@native.arguments(RefQuery(), location="query", unknown=marshmallow.RAISE)
def find_item(query: dict[str, Any]) -> Response:
    """Find a cost item by what its provider calls it"""
    item = operations.find_item(
        actor(), account_id(), query["provider"], provider_ref=query["providerRef"]
    )
    return ok(shape_of_item(item))


@native.view(answers={200: ITEM}, tags=TAGS)
def get_item(item_id: str) -> Response:
    """See one cost item"""
    return ok(shape_of_item(operations.get_item(actor(), account_id(), item_id)))


@native.view(answers={200: ITEM}, refusals=(409,), tags=TAGS)
@native.arguments(ItemBody())
def update_item(body: dict[str, Any], item_id: str) -> Response:
    """Change a cost item

    What is not named stays; null takes away.
    """
    item = operations.update_item(actor(), account_id(), item_id, changes=changes_in(body))
    return ok(shape_of_item(item))


@native.view(answers={200: REMOVED}, tags=TAGS)
def delete_item(item_id: str) -> Response:
    """Take a cost item away"""
    operations.delete_item(actor(), account_id(), item_id)
    return ok({"deleted": True, "id": item_id})


def filter_of(query: dict[str, Any]) -> ItemFilter:
    """Which items a query is about."""
    return ItemFilter(
        category=query["category"],
        provider=query["provider"],
        service=query["service"],
        since=query["since"],
        until=query["to"],
        recurring=query["recurring"],
        tags=query.get("tags"),
        stage_app=query["stageApp"],
        author=query["author"],
        source=query["source"],
    )


def _place_in(text: str) -> operations.Place:
    """The place that a cursor of this list holds."""
    date, _, item_id = text.partition(" ")
    return operations.Place(parse_time(date), item_id)


def changes_in(body: dict[str, Any]) -> dict[str, Any]:
    """What a body says, in the words of a draft. Raises InvalidRequest for two amounts."""
    said = {_WORDS[name]: value for name, value in body.items() if name in _WORDS}
    if said.get("usage"):
        said["usage"] = {USAGE[name]: value for name, value in said["usage"].items()}
    if "amount" in body and "amountExact" in body:
        raise InvalidRequest("State amount or amountExact, one of them.")
    if "amount" in body:
        said["amount"] = Cents(body["amount"])
    if "amountExact" in body:
        said["amount"] = Exact.parse(body["amountExact"])
    return said
