"""Native: recording usage, one or many."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Response
from marshmallow import fields, validate

from billing_plugin import operations
from billing_plugin.dialects.dialect import account_id, actor, currency
from billing_plugin.dialects.native.face import Strict, idempotency_key, native, ok
from billing_plugin.dialects.native.shapes import (
    DECIMAL,
    IDEMPOTENCY_KEY,
    MONEY,
    Metadata,
    count,
    money,
)
from billing_plugin.dialects.openapi import (
    FLAG,
    OPEN,
    TEXT,
    TIME,
    WHOLE,
    Shape,
    many,
    nullable,
    shape,
    word,
)
from billing_plugin.errors import BillingError
from billing_plugin.money import Money
from billing_plugin.operations.charging import Outcome
from billing_plugin.operations.usage import Submission

TAGS = ["Usage"]
STATUSES = ("recorded", "replayed", "refused")
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_KEY = validate.Length(min=1, max=255)


class UsageBody(Strict):
    """One use: tokens of a model, or an exact cost in the account's currency."""

    model = fields.String(required=True, validate=validate.Length(min=1, max=200))
    provider = fields.String(load_default="", validate=validate.Length(max=100))
    inputTokens = count()
    outputTokens = count()
    cacheReadTokens = count()
    cacheWriteTokens = count()
    cost = fields.String(load_default=None, allow_none=True, validate=DECIMAL)
    effectiveAt = fields.AwareDateTime(
        load_default=None, allow_none=True, validate=validate.Range(min=EARLIEST)
    )
    metadata = Metadata(keys=fields.String(), load_default=dict)
    idempotencyKey = fields.String(load_default=None, allow_none=True, validate=_KEY)


class BatchBody(Strict):
    """Many uses, charged in order."""

    records = fields.List(fields.Nested(UsageBody), required=True, validate=validate.Length(min=1))


USAGE = shape(
    "Usage",
    "A stored use.",
    id=TEXT,
    provider=TEXT,
    model=TEXT,
    quantities=Shape(type="object", additionalProperties=WHOLE),
    cost=MONEY,
    price=OPEN,
    metadata=OPEN,
    effectiveAt=TIME,
    recordedAt=TIME,
    replayed=FLAG,
)
REFUSAL = shape("Refusal", "Why it was refused.", code=TEXT, message=TEXT, retryable=FLAG)
OUTCOME = shape(
    "Outcome",
    "What became of one record of a batch.",
    status=word(*STATUSES),
    record=nullable(USAGE),
    error=nullable(REFUSAL),
)
BATCH = shape(
    "Batch",
    "The outcomes of a batch, in order, and their counts.",
    recorded=WHOLE,
    replayed=WHOLE,
    refused=WHOLE,
    results=many(OUTCOME),
)
REFUSALS = (402, 409, 501)


@native.view(
    answers={201: USAGE, 200: USAGE},
    refusals=REFUSALS,
    parameters=[IDEMPOTENCY_KEY],
    tags=TAGS,
)
@native.arguments(UsageBody())
def record_usage(body: dict[str, Any]) -> Response:
    """Record one use

    Rates it, checks balance and limits, and charges it, all in one step.
    """
    key = idempotency_key() or body["idempotencyKey"]
    outcome = operations.record_usage(actor(), account_id(), _usage(body), idempotency_key=key)
    response = ok(_shape(outcome), 200 if outcome.replayed else 201)
    if outcome.replayed:
        response.headers["Idempotent-Replayed"] = "true"
    return response


@native.view(answers={200: BATCH}, refusals=(409,), tags=TAGS)
@native.arguments(BatchBody())
def record_usage_batch(body: dict[str, Any]) -> Response:
    """Record many uses

    Each record is charged whole or refused whole, in order; the answer says which.
    """
    submissions = [Submission(_usage(item), item["idempotencyKey"]) for item in body["records"]]
    outcomes = operations.record_usage_batch(actor(), account_id(), submissions)
    results = [_outcome(outcome) for outcome in outcomes]
    counts = {status: sum(result["status"] == status for result in results) for status in STATUSES}
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
