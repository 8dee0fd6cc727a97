"""Cost items as JSON text, one after the other straight from their rows.

A page of a hundred is the product's longest answer: made of objects it costs three times what it
costs the database to make it. The text is the same to the byte.
"""

from __future__ import annotations

import json
from datetime import datetime
from functools import lru_cache
from json.encoder import encode_basestring as quoted
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from billing_plugin.dialects.wire import iso_millis, json_text
from billing_plugin.money import figures_of

if TYPE_CHECKING:
    from billing_plugin.models.items import CostItem

USAGE = {
    "amount": "amount", "unit": "unit", "skuId": "sku_id", "skuDescription": "sku_description",
}  # fmt: skip
_FLAGS = ("false", "true")
_MAY_SAY = (
    "categoryId", "description", "provider", "providerRef", "adapter", "period", "serviceId",
    "featureKey", "stageAppId", "environment", "authorEmail",
)  # fmt: skip
_may_say = attrgetter(
    "category_id", "description", "provider", "provider_ref", "adapter", "period", "service_id",
    "feature_key", "stage_app_id", "environment", "author_email",
)  # fmt: skip
_MILLIS = len("2026-03-09T14:32:00.000")


def shape_of_item(item: CostItem) -> dict[str, Any]:
    """An item as it is shown."""
    usage = item.usage and {name: item.usage[said] for name, said in USAGE.items()
                            if said in item.usage}  # fmt: skip
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


def text_of_item(item: CostItem) -> str:
    """What `shape_of_item` says, as JSON."""
    if item.scope_text or item.usage_text or item.meta_text:
        return json_text(shape_of_item(item))
    cents, exact = figures_of(item.nanos, item.attos, item.currency)
    return (
        f'{{"id":"{item.id}","name":{quoted(item.name)},"amount":{cents},"amountExact":"{exact}",'
        f'"currency":"{item.currency}","tags":{_tags(item.tags_text)},"source":"{item.source}",'
        f'"recurring":{_FLAGS[item.recurs]},"date":"{_time(item.dated)}",'
        f'"createdAt":"{_time(item.created)}","updatedAt":"{_time(item.updated)}"'
        f"{_said(item)}}}"
    )


def _said(item: CostItem) -> str:
    """What an item may say besides."""
    return "".join([
        f',"{name}":{quoted(text)}'
        for name, text in zip(_MAY_SAY, _may_say(item), strict=True)
        if text is not None
    ])  # fmt: skip


@lru_cache(maxsize=4096)
def _time(stored: str | datetime) -> str:
    return f"{stored[:_MILLIS]}Z" if isinstance(stored, str) else iso_millis(stored)


@lru_cache(maxsize=4096)
def _tags(text: str) -> str:
    """They are kept as JSON already, in ASCII."""
    return json_text(json.loads(text)) if "\\" in text else text
