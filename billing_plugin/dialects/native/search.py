"""Native: the search of seed 001, over cost items."""

from __future__ import annotations

from typing import Any

import marshmallow
from flask import Response
from marshmallow import fields, validate

from billing_plugin import operations
from billing_plugin.dialects.dialect import account_id, actor
from billing_plugin.dialects.native.face import native
from billing_plugin.dialects.native.item_texts import shape_of_item
from billing_plugin.dialects.native.items import ITEM, ItemsChosen, filter_of
from billing_plugin.dialects.native.tables import FormatQuery, Rows, answer
from billing_plugin.dialects.openapi import many
from billing_plugin.operations.search import MAX_QUESTION

TAGS = ["Items"]


class SearchQuery(FormatQuery, ItemsChosen):
    """What is looked for, among which items."""

    q = fields.String(required=True, validate=validate.Length(min=1, max=MAX_QUESTION))


@native.view(answers={200: many(ITEM)}, refusals=(404,), csv=True, tags=TAGS)
@native.arguments(SearchQuery(), location="query", unknown=marshmallow.RAISE)
def search_items(query: dict[str, Any]) -> Response:
    """Search cost items

    Items that say every word of `q` in name, description, provider, service, reference or tags.
    `"a b"` is a phrase, `be*` the beginning of a word, as the last word may be. Those that are
    named so come first; among them, and among the others, what was entered last.
    """
    found = operations.search_items(
        actor(), account_id(), query["q"], chosen=filter_of(query), limit=query["limit"]
    )
    return answer(query, [shape_of_item(item) for item in found], Rows("search", ITEM))
