"""Cost items as they are shown: one, or the lines of a list, which say the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from billing_plugin.dialects.wire import json_text
from billing_plugin.money import figures_of

if TYPE_CHECKING:
    from billing_plugin.models.item_lines import ItemLine
    from billing_plugin.models.items import CostItem

USAGE = {
    "amount": "amount", "unit": "unit", "skuId": "sku_id", "skuDescription": "sku_description",
}  # fmt: skip
# What the database writes of an item in a list, by its columns.
NAMES = {
    "name": "name", "tags": "tags", "source": "source", "recurring": "recurring",
    "createdAt": "created_at", "updatedAt": "updated_at", "categoryId": "category_id",
    "description": "description", "provider": "provider", "providerRef": "provider_ref",
    "adapter": "adapter", "period": "period", "serviceId": "service_id",
    "featureKey": "feature_key", "stageAppId": "stage_app_id", "environment": "environment",
    "scope": "scope", "authorEmail": "author_email", "meta": "meta",
}  # fmt: skip
_MILLIS = len("2026-03-09T14:32:00.000")


def shape_of_item(item: CostItem) -> dict[str, Any]:
    """An item as it is shown."""
    usage = item.usage and _shape_of_usage(item.usage)
    may_be = {
        "categoryId": item.category_id, "description": item.description,
        "provider": item.provider, "providerRef": item.provider_ref, "adapter": item.adapter,
        "period": item.period, "serviceId": item.service_id, "featureKey": item.feature_key,
        "stageAppId": item.stage_app_id, "environment": item.environment, "scope": item.scope,
        "usage": usage, "authorEmail": item.author_email, "meta": item.meta or None,
    }  # fmt: skip
    return {
        "id": item.id,
        "name": item.name,
        "amount": item.amount.cents(item.currency),
        "amountExact": item.amount.text(item.currency),
        "currency": item.currency,
        "tags": item.tags,
        "source": item.source,
        "recurring": item.recurring,
        "date": item.date,
        "createdAt": item.created_at,
        "updatedAt": item.updated_at,
        **{name: value for name, value in may_be.items() if value is not None},
    }


def text_of_line(line: ItemLine) -> str:
    """What `shape_of_item` says of an item, as JSON; NAMES are written already."""
    item_id, dated, nanos, attos, currency, usage_text, members = line
    cents, exact = figures_of(nanos, attos, currency)
    used = ""
    if usage_text:
        used = f',"usage":{json_text(_shape_of_usage(line.usage or {}))}'
    return (
        f'{{"id":"{item_id}","amount":{cents},"amountExact":"{exact}","currency":"{currency}",'
        f'"date":"{dated[:_MILLIS]}Z"{members}{used}}}'
    )


def _shape_of_usage(usage: Mapping[str, Any]) -> dict[str, Any]:
    return {name: usage[said] for name, said in USAGE.items() if said in usage}
