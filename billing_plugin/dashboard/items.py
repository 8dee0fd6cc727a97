"""Items: the lines behind the costs, page by page, and each with all that it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import marshmallow
from flask import Response

from billing_plugin import operations
from billing_plugin.dashboard import figures
from billing_plugin.dashboard.face import account_id, dashboard
from billing_plugin.dashboard.forms import ITEM_SOURCE_OPTIONS, ItemsQuery, Query
from billing_plugin.dashboard.pages import page
from billing_plugin.dialects.cursors import Listing
from billing_plugin.dialects.dialect import actor, instance
from billing_plugin.operations import ItemFilter, Place
from billing_plugin.periods import parse_time

if TYPE_CHECKING:
    from billing_plugin.models.items import CostItem

FILTERS = ("provider", "category", "service", "tag", "source", "since", "to")


@dashboard.view()
@dashboard.arguments(ItemsQuery(), location="query", unknown=marshmallow.RAISE)
def show_items(query: dict[str, Any]) -> Response:
    """A page of items, the latest first."""
    asking, account = actor(), account_id()
    listing = Listing("pages of items", account, query)
    before = _place_in(listing.before) if listing.before else None
    found = operations.list_items(
        asking, account, _chosen(query), before=before, limit=listing.limit
    )
    return page(
        "items.html",
        account=account,
        query=query,
        is_narrowed=any(query[name] for name in FILTERS),
        rows=[(item, figures.of_exact(item.amount, item.currency)) for item in found],
        names=_category_names(account),
        older=listing.cursor_after(found, lambda item: f"{item.date.isoformat()} {item.id}"),
        as_of=instance().clock(),
        sources=ITEM_SOURCE_OPTIONS,
    )


@dashboard.view()
@dashboard.arguments(Query(), location="query", unknown=marshmallow.RAISE)
def show_item(query: dict[str, Any], item_id: str) -> Response:
    """One item."""
    del query
    account = account_id()
    item = operations.get_item(actor(), account, item_id)
    return page(
        "item.html",
        account=account,
        item=item,
        figure=figures.of_exact(item.amount, item.currency),
        facts=_facts(item, _category_names(account)),
        as_of=instance().clock(),
    )


def _chosen(query: dict[str, Any]) -> ItemFilter:
    return ItemFilter(
        category=query["category"],
        provider=query["provider"],
        service=query["service"],
        since=query["since"],
        until=query["to"],
        tags=[query["tag"]] if query["tag"] else None,
        source=query["source"],
    )


def _place_in(text: str) -> Place:
    date, _, item_id = text.partition(" ")
    return Place(parse_time(date), item_id)


def _category_names(account: str) -> dict[str, str]:
    return {one.id: one.name for one in operations.list_categories(actor(), account)}


def _facts(item: CostItem, names: dict[str, str]) -> list[tuple[str, Any]]:
    """What the item says, by name; what it does not say is left out."""
    said = {
        "Provider": item.provider, "Category": names.get(item.category_id or ""),
        "Service": item.service_id, "Description": item.description,
        "Tags": item.tags, "Provider's reference": item.provider_ref, "Adapter": item.adapter,
        "Recurring": item.period or ("yes" if item.recurring else None),
        "Feature": item.feature_key, "Stage app": item.stage_app_id,
        "Environment": item.environment, "Author": item.author_email,
        "Scope": item.scope, "Usage": item.usage, "Further": item.meta,
    }  # fmt: skip
    return [(name, value) for name, value in said.items() if value]
