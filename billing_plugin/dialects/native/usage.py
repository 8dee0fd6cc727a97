"""Native: recording usage, one or many, and seeing what was recorded."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING, Any

import marshmallow
from flask import Response
from marshmallow import fields, validate

from billing_plugin import operations
from billing_plugin.dialects.dialect import account_id, actor, currency
from billing_plugin.dialects.native.face import Strict, idempotency_key, native, ok
from billing_plugin.dialects.native.paging import pages
from billing_plugin.dialects.native.shapes import (
    DAY,
    DECIMAL,
    MODEL,
    MONEY,
    PROVIDER,
    Counts,
    Metadata,
    money,
    time,
    usage_of,
)
from billing_plugin.dialects.native.tables import ListQuery, Rows, listed
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
from billing_plugin.errors import BillingError, InvalidRequest
from billing_plugin.money import Money
from billing_plugin.operations.charging import Outcome
from billing_plugin.operations.wishes import Submission
from billing_plugin.periods import days_between

if TYPE_CHECKING:
    from billing_plugin.models.usage import UsageRecord

TAGS = ["Usage"]
STATUSES = ("recorded", "replayed", "refused")
MAX_STEM = 240  # of a key that each record of a batch adds its number to
_KEY = validate.Length(min=1, max=255)


class UsageBody(Counts):
    """One use: tokens of a model, or an exact cost in the account's currency."""

    model = fields.String(required=True, validate=MODEL)
    provider = fields.String(load_default="", validate=PROVIDER)
    cost = fields.String(load_default=None, allow_none=True, validate=DECIMAL)
    effectiveAt = time(load_default=None, allow_none=True)
    metadata = Metadata(keys=fields.String(), load_default=dict)
    idempotencyKey = fields.String(load_default=None, allow_none=True, validate=_KEY)


class BatchBody(Strict):
    """Many uses, charged in order."""

    records = fields.List(fields.Nested(UsageBody), required=True, validate=validate.Length(min=1))


class UsageQuery(ListQuery):
    """Whole UTC days of `effectiveAt`, both included; neither: all."""

    to = fields.String(load_default=None, validate=DAY)
    first = fields.String(load_default=None, validate=DAY, data_key="from")


_RECORD: dict[str, Any] = {
    "id": TEXT,
    "entryId": TEXT,
    "holdId": nullable(TEXT),
    "correctsId": nullable(TEXT),
    "keyId": nullable(TEXT),
    "agent": nullable(TEXT),
    "provider": TEXT,
    "model": TEXT,
    "quantities": Shape(type="object", additionalProperties=WHOLE),
    "cost": MONEY,
    "price": OPEN,
    "flagged": FLAG,
    "metadata": OPEN,
    "effectiveAt": TIME,
    "recordedAt": TIME,
}
RECORD = shape(
    "UsageRecord",
    "A stored use; `flagged`: without a known price; `correctsId`: what it is the correction of.",
    **_RECORD,
)
USAGE = shape("Usage", "A stored use, and whether it was stored before.", **_RECORD, replayed=FLAG)
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
REFUSALS = (402, 501)


@native.view(answers={201: USAGE, 200: USAGE}, refusals=REFUSALS, tags=TAGS)
@native.arguments(UsageBody())
def record_usage(body: dict[str, Any]) -> Response:
    """Record one use

    Rates it, checks balance and limits, and charges it, all in one step.
    """
    key, named = idempotency_key(), body["idempotencyKey"]
    if key and named and key != named:
        raise InvalidRequest("The header and the body name two idempotency keys.")
    outcome = operations.record_usage(
        actor(), account_id(), _usage(body), idempotency_key=key or named
    )
    status = 200 if outcome.replayed else 201
    return ok(_shape(outcome), status, replayed=outcome.replayed)


@native.view(answers={200: BATCH}, tags=TAGS)
@native.arguments(BatchBody())
def record_usage_batch(body: dict[str, Any]) -> Response:
    """Record many uses

    Each record is charged whole or refused whole, in order; the answer says which. A key in the
    header, with the number of each record, is the key of those that name none.
    """
    keys = _keys(body["records"])
    submissions = [
        Submission(_usage(item), key) for item, key in zip(body["records"], keys, strict=True)
    ]
    outcomes = operations.record_usage_batch(actor(), account_id(), submissions)
    results = [_outcome(outcome) for outcome in outcomes]
    counts = {status: sum(result["status"] == status for result in results) for status in STATUSES}
    replayed = counts["replayed"] == len(results)
    return ok({**counts, "results": results}, replayed=replayed)


@native.view(answers={200: pages(RECORD)}, csv=True, tags=TAGS)
@native.arguments(UsageQuery(), location="query", unknown=marshmallow.RAISE)
def list_usage(query: dict[str, Any]) -> Response:
    """List usage

    Newest first, corrections included.
    """
    period = days_between(query["first"], query["to"])
    account = account_id()
    page = partial(operations.list_usage, actor(), account, period=period)
    return listed(query, Rows("usage", RECORD), page, account=account, shape=shape_of_record)


@native.view(answers={200: RECORD}, tags=TAGS)
def get_usage(record_id: str) -> Response:
    """See one use"""
    return ok(shape_of_record(operations.get_usage(actor(), account_id(), record_id)))


def shape_of_record(record: UsageRecord) -> dict[str, Any]:
    """A record as it is shown."""
    return {
        "id": record.id,
        "entryId": record.entry_id,
        "holdId": record.hold_id,
        "correctsId": record.corrects_id,
        "keyId": record.key_id,
        "agent": record.agent,
        "provider": record.provider,
        "model": record.model,
        "quantities": record.quantities,
        "cost": money(record.cost),
        "price": record.price,
        "flagged": record.flagged,
        "metadata": record.metadata,
        "effectiveAt": record.effective_at,
        "recordedAt": record.recorded_at,
    }


def _keys(records: list[dict[str, Any]]) -> list[str | None]:
    key = idempotency_key()
    if key is None:
        return [record["idempotencyKey"] for record in records]
    stem = key if len(key) <= MAX_STEM else hashlib.sha256(key.encode()).hexdigest()
    return [record["idempotencyKey"] or f"{stem}:{number}" for number, record in enumerate(records)]


def _usage(body: dict[str, Any]) -> operations.Usage:
    cost = Money.parse(body["cost"], currency()) if body["cost"] is not None else None
    return usage_of(body, cost=cost, effective_at=body["effectiveAt"])


def _outcome(outcome: Outcome) -> dict[str, Any]:
    if outcome.error:
        return {"status": "refused", "record": None, "error": _error(outcome.error)}
    status = "replayed" if outcome.replayed else "recorded"
    return {"status": status, "record": _shape(outcome), "error": None}


def _error(error: BillingError) -> dict[str, Any]:
    return {"code": error.code.upper(), "message": error.message, "retryable": error.retryable}


def _shape(outcome: Outcome) -> dict[str, Any]:
    if outcome.record is None:
        return {}
    return {**shape_of_record(outcome.record), "replayed": outcome.replayed}
