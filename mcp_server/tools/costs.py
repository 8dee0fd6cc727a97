"""Tools about single costs: bills that were entered, synced or imported."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Annotated

from pydantic import Field

from billing_plugin import Actor, operations
from billing_plugin.money import Exact
from billing_plugin.operations import ItemDraft, ItemFilter, Place
from billing_plugin.periods import parse_day, parse_time
from mcp_server.cost_views import CostsView, RecordedView, costs_view, recorded_view
from mcp_server.identity import Call, caller, cents_of
from mcp_server.tools.tool import Cents, Day, tool

MOST = 25
Limit = Annotated[int, Field(strict=True, ge=1, le=MOST)]
After = Annotated[str | None, Field(description="a `next`")]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Key = Annotated[str, Field(min_length=1, max_length=255)]


@tool("List costs", of="list_items")
def list_costs(
    call: Call, from_day: Day = None, to_day: Day = None, *, provider: str | None = None,
    category: str | None = None, tag: str | None = None, limit: Limit = 10, after: After = None,
) -> CostsView:  # fmt: skip
    """Bills that were entered, synced or imported, the latest first."""
    actor, account_id = caller(call)
    chosen = ItemFilter(
        category=category,
        provider=provider,
        since=parse_day(from_day) if from_day else None,
        until=parse_day(to_day) if to_day else None,
        tags=None if tag is None else [tag],
    )
    before = _place(after) if after else None
    # one more than is shown tells whether there are more
    found = operations.list_items(actor, account_id, chosen, before=before, limit=limit + 1)
    names = _names(actor, account_id) if any(item.category_id for item in found) else {}
    return costs_view(found, names, limit=limit)


@tool("Record cost", of="create_item")
def record_cost(
    call: Call, name: Name, amount_cents: Cents, *, idempotency_key: Key, day: Day = None,
    provider: str | None = None, category: str | None = None,
) -> RecordedView:  # fmt: skip
    """Record a bill that was paid elsewhere; it moves no money. Without a day, of now."""
    actor, account_id = caller(call)
    draft = ItemDraft(
        name,
        Exact(cents_of(actor, amount_cents).nanos),
        date=datetime.combine(parse_day(day), time(), UTC) if day else None,
        provider=provider,
        category=category,
    )
    stored = operations.create_item(actor, account_id, draft, idempotency_key=idempotency_key)
    return recorded_view(stored.item, created=stored.created)


def _place(text: str) -> Place:
    date, _, item_id = text.partition(" ")
    return Place(parse_time(date), item_id)


def _names(actor: Actor, account_id: str) -> dict[str, str]:
    return {one.id: one.name for one in operations.list_categories(actor, account_id)}
