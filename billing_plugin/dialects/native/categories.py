"""Native: categories of cost items, a tree, as in the "Billing API" of seed 001."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import marshmallow
from flask import Response
from marshmallow import fields, validate

from billing_plugin import operations
from billing_plugin.dialects.dialect import account_id, actor
from billing_plugin.dialects.native.face import Strict, idempotency_key, native, ok
from billing_plugin.dialects.native.items import optional
from billing_plugin.dialects.native.shapes import REMOVED, pattern
from billing_plugin.dialects.native.tables import FormatQuery, Rows, answer
from billing_plugin.dialects.openapi import TEXT, TIME, many, shape
from billing_plugin.operations.categories import MAX_LENGTH, MAX_NAME_LENGTH

if TYPE_CHECKING:
    from billing_plugin.models.categories import Category

TAGS = ["Categories"]
_NAME = validate.Length(min=1, max=MAX_NAME_LENGTH)
# what the wire calls it -> what the operations call it
_WORDS = {
    "name": "name", "description": "description", "color": "color", "parentId": "parent",
    "stageAppId": "stage_app_id", "authorEmail": "author_email",
}  # fmt: skip


class CategoryBody(Strict):
    """What a category says; `parentId` is the id or the name of the one above it."""

    name = fields.String(validate=_NAME)
    description = optional(MAX_LENGTH)
    color = fields.String(allow_none=True, validate=pattern("#[0-9A-Fa-f]{6}"))
    parentId = optional(MAX_NAME_LENGTH)
    stageAppId = optional(MAX_LENGTH)
    authorEmail = optional(MAX_LENGTH)


class NewCategoryBody(CategoryBody):
    """A new category has a name, at least."""

    name = fields.String(required=True, validate=_NAME)


CATEGORY = shape(
    "Category",
    "What it does not say is left out.",
    optional=("description", "color", "parentId", "stageAppId", "authorEmail"),
    id=TEXT,
    name=TEXT,
    description=TEXT,
    color=TEXT,
    parentId=TEXT,
    stageAppId=TEXT,
    authorEmail=TEXT,
    createdAt=TIME,
    updatedAt=TIME,
)


@native.view(answers={200: many(CATEGORY)}, csv=True, tags=TAGS)
@native.arguments(FormatQuery(), location="query", unknown=marshmallow.RAISE)
def list_categories(query: dict[str, Any]) -> Response:
    """List categories

    All of them, by name.
    """
    found = [_shape(one) for one in operations.list_categories(actor(), account_id())]
    return answer(query, found, Rows("categories", CATEGORY))


@native.view(answers={201: CATEGORY}, refusals=(404,), tags=TAGS)
@native.arguments(NewCategoryBody())
def create_category(body: dict[str, Any]) -> Response:
    """Add a category"""
    said = _said(body)
    made = operations.create_category(
        actor(), account_id(), said.pop("name"), **said, idempotency_key=idempotency_key()
    )
    return ok(_shape(made), 201, replayed=made.replayed)


@native.view(answers={200: CATEGORY}, tags=TAGS)
def get_category(id_or_name: str) -> Response:
    """See one category, by its id or name"""
    return ok(_shape(operations.get_category(actor(), account_id(), id_or_name)))


@native.view(answers={200: CATEGORY}, refusals=(409,), tags=TAGS)
@native.arguments(CategoryBody())
def update_category(body: dict[str, Any], id_or_name: str) -> Response:
    """Change a category

    What is not named stays; null takes away.
    """
    changed = operations.update_category(actor(), account_id(), id_or_name, changes=_said(body))
    return ok(_shape(changed))


@native.view(answers={200: REMOVED}, refusals=(409,), tags=TAGS)
def delete_category(id_or_name: str) -> Response:
    """Delete a category

    One that items or other categories are in is not deleted.
    """
    gone = operations.delete_category(actor(), account_id(), id_or_name)
    return ok({"deleted": True, "id": gone.id})


def _said(body: dict[str, Any]) -> dict[str, Any]:
    return {_WORDS[name]: value for name, value in body.items()}


def _shape(category: Category) -> dict[str, Any]:
    may_be = {
        "description": category.description, "color": category.color,
        "parentId": category.parent_id, "stageAppId": category.stage_app_id,
        "authorEmail": category.author_email,
    }  # fmt: skip
    return {
        "id": category.id,
        "name": category.name,
        "createdAt": category.created_at,
        "updatedAt": category.updated_at,
        **{name: value for name, value in may_be.items() if value is not None},
    }
