"""Native: recording usage, one or many."""

from __future__ import annotations

from typing import Any

from flask import Response, request
from marshmallow import Schema, fields, validate

from billing_plugin import operations
from billing_plugin.dialects.dialect import account_id, actor, currency
from billing_plugin.dialects.native.face import Strict, native, ok
from billing_plugin.dialects.native.shapes import Metadata, MoneyShape, count, money
from billing_plugin.errors import BillingError
from billing_plugin.money import Money
from billing_plugin.operations.usage import Outcome, Submission

_KEY = validate.Length(min=1, max=255)


class UsageBody(Strict):
    """One use: tokens of a model, or an exact cost in the account's currency."""

    model = fields.String(required=True, validate=validate.Length(min=1, max=200))
    provider = fields.String(load_default="", validate=validate.Length(max=100))
    inputTokens = count()
    outputTokens = count()
    cacheReadTokens = count()
    cacheWriteTokens = count()
    cost = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=40))
    effectiveAt = fields.AwareDateTime(load_default=None, allow_none=True)
    metadata = Metadata(keys=fields.String(), load_default=dict)
    idempotencyKey = fields.String(load_default=None, allow_none=True, validate=_KEY)


class BatchBody(Strict):
    """Many uses, charged in order."""

    records = fields.List(fields.Nested(UsageBody), required=True, validate=validate.Length(min=1))


class UsageShape(Schema):
    """A stored use."""

    id = fields.String(required=True)
    provider = fields.String(required=True)
    model = fields.String(required=True)
    quantities = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    cost = fields.Nested(MoneyShape, required=True)
    price = fields.Dict(keys=fields.String(), required=True)
    metadata = fields.Dict(keys=fields.String(), required=True)
    effectiveAt = fields.DateTime(required=True)
    recordedAt = fields.DateTime(required=True)
    replayed = fields.Boolean(required=True)


class OutcomeShape(Schema):
    """What became of one record of a batch: recorded, replayed, or refused with its error."""

    status = fields.String(
        required=True, validate=validate.OneOf(("recorded", "replayed", "refused"))
    )
    record = fields.Nested(UsageShape, required=True, allow_none=True)
    error = fields.Dict(keys=fields.String(), required=True, allow_none=True)


class BatchShape(Schema):
    """The outcomes of a batch, in order, and their counts."""

    recorded = fields.Integer(required=True)
    replayed = fields.Integer(required=True)
    refused = fields.Integer(required=True)
    results = fields.List(fields.Nested(OutcomeShape), required=True)


@native.route("/usage", methods=["POST"])
@native.arguments(UsageBody())
@native.response(201, UsageShape)
def record_usage(body: dict[str, Any]) -> Response:
    """Record one use

    Rates it, checks balance and limits, and charges it, all in one step.
    """
    key = request.headers.get("Idempotency-Key") or body["idempotencyKey"]
    outcome = operations.record_usage(actor(), account_id(), _usage(body), idempotency_key=key)
    response = ok(_shape(outcome), 200 if outcome.replayed else 201)
    if outcome.replayed:
        response.headers["Idempotent-Replayed"] = "true"
    return response


@native.route("/usage/batch", methods=["POST"])
@native.arguments(BatchBody())
@native.response(200, BatchShape)
def record_usage_batch(body: dict[str, Any]) -> Response:
    """Record many uses

    Each record is charged whole or refused whole, in order; the answer says which.
    """
    submissions = [Submission(_usage(item), item["idempotencyKey"]) for item in body["records"]]
    outcomes = operations.record_usage_batch(actor(), account_id(), submissions)
    results = [_outcome(outcome) for outcome in outcomes]
    counts = {
        status: sum(result["status"] == status for result in results)
        for status in ("recorded", "replayed", "refused")
    }
    return ok({**counts, "results": results})


def _usage(body: dict[str, Any]) -> operations.Usage:
    return operations.Usage(
        model=body["model"],
        provider=body["provider"],
        input_tokens=body["inputTokens"],
        output_tokens=body["outputTokens"],
        cache_read_tokens=body["cacheReadTokens"],
        cache_write_tokens=body["cacheWriteTokens"],
        cost=Money.parse(body["cost"], currency()) if body["cost"] is not None else None,
        effective_at=body["effectiveAt"],
        metadata=body["metadata"],
    )


def _outcome(outcome: Outcome) -> dict[str, Any]:
    if outcome.error:
        return {"status": "refused", "record": None, "error": _error(outcome.error)}
    status = "replayed" if outcome.replayed else "recorded"
    return {"status": status, "record": _shape(outcome), "error": None}


def _error(error: BillingError) -> dict[str, Any]:
    return {"code": error.code.upper(), "message": error.message, "retryable": error.retryable}


def _shape(outcome: Outcome) -> dict[str, Any]:
    record = outcome.record
    if record is None:
        return {}
    return {
        "id": record.id,
        "provider": record.provider,
        "model": record.model,
        "quantities": record.quantities,
        "cost": money(record.cost),
        "price": record.price,
        "metadata": record.metadata,
        "effectiveAt": record.effective_at,
        "recordedAt": record.recorded_at,
        "replayed": outcome.replayed,
    }
