"""SpiderIQ: POST /sync-billing, exactly as seed 000 shows it.

synced + failed = number of results (US2). A vendor without a billing API counts as synced, with
nulls and a note. Totals are US dollars of what was exposed; other currencies are never added.
"""

from __future__ import annotations

from typing import Any

import marshmallow
from flask import Response
from marshmallow import Schema, fields, validate

from billing_plugin import operations
from billing_plugin.dialects.dialect import account_id, actor
from billing_plugin.dialects.openapi import (
    FLAG,
    NUMBER,
    TEXT,
    TIME,
    WHOLE,
    many,
    nullable,
    shape,
    word,
)
from billing_plugin.dialects.spideriq.face import spideriq
from billing_plugin.dialects.wire import iso_seconds, number, reply
from billing_plugin.operations.sync import SyncReport, SyncResult

DOLLARS = "USD"


class SyncQuery(Schema):
    """Which provider; none: all. What is not known is without effect."""

    provider_name = fields.String(load_default=None, validate=validate.Length(min=1, max=100))


FIGURE = nullable(NUMBER)
RESULT = shape(
    "SpiderIQSyncResult",
    "What one vendor said; a failed one carries `error` and no figures.",
    optional=("balance", "usage_today", "usage_month", "currency", "note", "error"),
    id=WHOLE,
    provider_name=TEXT,
    status=word("success", "failed"),
    synced_at=TIME,
    balance=FIGURE,
    usage_today=FIGURE,
    usage_month=FIGURE,
    currency=TEXT,
    note=TEXT,
    error=TEXT,
)
REPORT = shape(
    "SpiderIQSyncReport",
    "The whole run.",
    success=FLAG,
    synced=WHOLE,
    failed=WHOLE,
    results=many(RESULT),
    total_balance=NUMBER,
    total_usage_month=NUMBER,
)


@spideriq.view(answers={200: REPORT}, refusals=(404, 429))
@spideriq.arguments(SyncQuery(), location="query", unknown=marshmallow.EXCLUDE)
def sync_billing(query: dict[str, Any]) -> Response:
    """Sync billing now

    At most once a minute for each account.
    """
    report = operations.sync_integrations(actor(), account_id(), provider=query["provider_name"])
    return reply(_shape(report))


def _shape(report: SyncReport) -> dict[str, Any]:
    return {
        "success": True,
        "synced": report.synced,
        "failed": report.failed,
        "results": [_result(result) for result in report.results],
        "total_balance": number(report.total("balance", DOLLARS)),
        "total_usage_month": number(report.total("usage_month", DOLLARS)),
    }


def _result(result: SyncResult) -> dict[str, Any]:
    named = {"id": result.integration.number, "provider_name": result.integration.provider}
    synced_at = iso_seconds(result.synced_at)
    snapshot = result.snapshot
    if snapshot is None:
        return {**named, "status": "failed", "error": result.error, "synced_at": synced_at}
    figures = {
        "balance": number(snapshot.balance),
        "usage_today": number(snapshot.usage_today),
        "usage_month": number(snapshot.usage_month),
    }
    answer = {**named, "status": "success", **figures, "synced_at": synced_at}
    if snapshot.currency != DOLLARS:
        answer["currency"] = snapshot.currency
    note = snapshot.facts.get("note")
    return {**answer, "note": note} if note else answer
