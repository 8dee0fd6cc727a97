"""Native: spending limits, with the revision in their ETag."""

from __future__ import annotations

from typing import Any

from flask import Response
from marshmallow import ValidationError, fields, validate

from billing_plugin import operations
from billing_plugin.dialects.dialect import account_id, actor, currency
from billing_plugin.dialects.native.etags import (
    IF_MATCH,
    IF_NONE_MATCH,
    expected_revisions,
    tagged,
    unless_seen,
)
from billing_plugin.dialects.native.face import idempotency_key, native, ok
from billing_plugin.dialects.native.shapes import (
    MONEY,
    REMOVED,
    AmountBody,
    amount_of,
    money,
    stated,
)
from billing_plugin.dialects.openapi import (
    TEXT,
    TIME,
    WHOLE,
    Shape,
    many,
    nullable,
    shape,
    word,
)
from billing_plugin.errors import InvalidRequest
from billing_plugin.money import Money
from billing_plugin.operations.limits import (
    ACTIONS,
    MAX_LENGTH,
    TECHNIQUES,
    BucketState,
    LimitState,
)
from billing_plugin.periods import MAX_WINDOW_S, NAMED_WINDOWS

TAGS = ["Limits"]
WINDOW = Shape(
    anyOf=[word(*NAMED_WINDOWS), {"type": "integer", "minimum": 1, "maximum": MAX_WINDOW_S}]
)
VALUES = Shape(type="object", additionalProperties=many(TEXT))
_TEXT = validate.Length(max=MAX_LENGTH)


def _is_window(value: object) -> None:
    """A calendar window's name, or whole seconds."""
    if value not in NAMED_WINDOWS and not (type(value) is int and 1 <= value <= MAX_WINDOW_S):
        raise ValidationError("This is no window.")


class LimitChangeBody(AmountBody):
    """What is to be different; what is not named stays."""

    window = fields.Raw(validate=_is_window, metadata=dict(WINDOW))
    zone = fields.String(validate=validate.Length(min=1, max=64))
    technique = fields.String(validate=validate.OneOf(TECHNIQUES))
    action = fields.String(validate=validate.OneOf(ACTIONS))
    filters = fields.Dict(
        keys=fields.String(validate=_TEXT),
        values=fields.List(fields.String(validate=_TEXT), validate=validate.Length(min=1, max=100)),
    )
    partitions = fields.List(fields.String(validate=_TEXT), validate=validate.Length(max=10))
    name = fields.String(validate=_TEXT)


class LimitBody(LimitChangeBody):
    """A ceiling: amount, window, technique, action, and what it is about."""


BUCKET = shape(
    "LimitBucket",
    "What one bucket has counted; `values` are those of the dimensions in `partitions`.",
    values=many(nullable(TEXT)),
    spent=MONEY,
    held=MONEY,
    remaining=MONEY,
)
LIMIT = shape(
    "Limit",
    "A limit with its present window. `ceiling` is the amount with a raise, until `raiseUntil`.",
    id=TEXT,
    name=TEXT,
    amount=MONEY,
    ceiling=MONEY,
    raiseUntil=nullable(TIME),
    window=WINDOW,
    zone=TEXT,
    technique=word(*TECHNIQUES),
    action=word(*ACTIONS),
    filters=VALUES,
    partitions=many(TEXT),
    spent=MONEY,
    held=MONEY,
    remaining=nullable(MONEY),
    overspent=MONEY,
    windowStart=TIME,
    resetsAt=nullable(TIME),
    buckets=many(BUCKET),
    revision=WHOLE,
)
NOTICE = shape(
    "LimitNotice",
    "What a soft limit (`reached`) or a shadow limit (`would_refuse`) has noted in one window.",
    kind=TEXT,
    bucket=TEXT,
    windowStart=TIME,
    times=WHOLE,
    requested=MONEY,
    firstAt=TIME,
    lastAt=TIME,
)


@native.view(answers={200: many(LIMIT)}, tags=TAGS)
def list_limits() -> Response:
    """List spending limits"""
    return ok([_shape(state) for state in operations.list_limits(actor(), account_id())])


@native.view(answers={201: LIMIT}, tags=TAGS)
@native.arguments(LimitBody())
def set_limit(body: dict[str, Any]) -> Response:
    """Set a spending limit

    Setting the same scope and window again changes the amount and keeps what was counted.
    """
    amount = amount_of(body, currency())
    state = operations.set_limit(
        actor(), account_id(), amount, **_plan(body), idempotency_key=idempotency_key()
    )
    return tagged(ok(_shape(state), 201, replayed=state.replayed), state.limit.revision)


@native.view(answers={200: LIMIT, 304: None}, headers=(IF_NONE_MATCH,), tags=TAGS)
def get_limit(limit_id: str) -> Response:
    """See one spending limit"""
    state = operations.get_limit(actor(), account_id(), limit_id)
    return unless_seen(tagged(ok(_shape(state)), state.limit.revision))


@native.view(answers={200: LIMIT}, refusals=(412,), headers=(IF_MATCH,), tags=TAGS)
@native.arguments(LimitChangeBody())
def update_limit(body: dict[str, Any], limit_id: str) -> Response:
    """Change a spending limit

    What was counted stays: no change grants a second budget.
    """
    if not body:
        raise InvalidRequest("Name what is to be different.")
    state = operations.update_limit(
        actor(),
        account_id(),
        limit_id,
        amount=stated(body),
        changes=_plan(body),
        revision=expected_revisions(),
    )
    return tagged(ok(_shape(state)), state.limit.revision)


@native.view(answers={200: REMOVED}, refusals=(412,), headers=(IF_MATCH,), tags=TAGS)
def remove_limit(limit_id: str) -> Response:
    """Remove a spending limit"""
    operations.remove_limit(actor(), account_id(), limit_id, revision=expected_revisions())
    return ok({"deleted": True, "id": limit_id})


@native.view(answers={200: many(NOTICE)}, tags=TAGS)
def list_limit_notices(limit_id: str) -> Response:
    """List what a soft or shadow limit has noted

    Newest first, one for each window and bucket, 100 at most.
    """
    notices, code = operations.list_limit_notices(actor(), account_id(), limit_id), currency()
    return ok([_notice(notice, code) for notice in notices])


def _plan(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if not name.startswith("amount")}


def _shape(state: LimitState) -> dict[str, Any]:
    limit = state.limit
    return {
        "id": limit.id,
        "name": limit.name,
        "amount": money(limit.amount),
        "ceiling": money(state.ceiling),
        "raiseUntil": state.raised_until,
        "window": limit.window,
        "zone": limit.zone,
        "technique": limit.technique,
        "action": limit.action,
        "filters": limit.filters,
        "partitions": limit.partitions,
        "spent": money(state.spent),
        "held": money(state.held),
        "remaining": money(state.remaining, balance=True),
        "overspent": money(state.overspent),
        "windowStart": state.window_start,
        "resetsAt": state.resets_at,
        "buckets": [_bucket(bucket) for bucket in state.buckets],
        "revision": limit.revision,
    }


def _bucket(bucket: BucketState) -> dict[str, Any]:
    return {
        "values": bucket.values,
        "spent": money(bucket.spent),
        "held": money(bucket.held),
        "remaining": money(bucket.remaining, balance=True),
    }


def _notice(notice: dict[str, Any], code: str) -> dict[str, Any]:
    return {
        "kind": notice["kind"],
        "bucket": notice["bucket"],
        "windowStart": notice["window_start"],
        "times": notice["times"],
        "requested": money(Money(int(notice["requested_nanos"]), code)),
        "firstAt": notice["first_at"],
        "lastAt": notice["last_at"],
    }
