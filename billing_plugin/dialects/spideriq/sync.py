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
from billing_plugin.dialects.spideriq.face import spideriq
from billing_plugin.dialects.wire import iso_seconds, number, reply
from billing_plugin.operations.sync import SyncReport, SyncResult

DOLLARS = "USD"


class SyncQuery(Schema):
    """Which provider; none: all. What is not known is without effect."""

    provider_name = fields.String(load_default=None, validate=validate.Length(min=1, max=100))


class SyncResultShape(Schema):
    """What one vendor said; a failed one carries `error` and no figures."""

    id = fields.Integer(required=True)
    provider_name = fields.String(required=True)
    status = fields.String(required=True)
    synced_at = fields.DateTime(required=True)
    balance = fields.Float(allow_none=True)
    usage_today = fields.Float(allow_none=True)
    usage_month = fields.Float(allow_none=True)
    currency = fields.String()
    note = fields.String()
    error = fields.String()


class SyncShape(Schema):
    """The whole run."""

    success = fields.Boolean(required=True)
    synced = fields.Integer(required=True)
    failed = fields.Integer(required=True)
    results = fields.List(fields.Nested(SyncResultShape), required=True)
    total_balance = fields.Float(required=True)
    total_usage_month = fields.Float(required=True)


@spideriq.route("/sync-billing", methods=["POST"])
@spideriq.arguments(SyncQuery(), location="query", unknown=marshmallow.EXCLUDE)
@spideriq.response(200, SyncShape)
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
