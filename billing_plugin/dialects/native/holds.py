"""Native: money held before a call, then captured in part, whole or beyond, or given back."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import marshmallow
from flask import Response
from marshmallow import fields, validate

from billing_plugin import operations
from billing_plugin.dialects.dialect import account_id, actor
from billing_plugin.dialects.native.face import Strict, idempotency_key, native, ok
from billing_plugin.dialects.native.paging import pages
from billing_plugin.dialects.native.shapes import (
    MONEY,
    PROVIDER,
    AmountBody,
    Counts,
    Metadata,
    money,
    stated,
    usage_of,
)
from billing_plugin.dialects.native.tables import ListQuery, Rows, listed
from billing_plugin.dialects.native.usage import RECORD, shape_of_record
from billing_plugin.dialects.openapi import OPEN, TEXT, TIME, nullable, shape, word
from billing_plugin.errors import InvalidRequest
from billing_plugin.operations.holds import MAX_HOLD_S, POLICIES, REFUSE, STATUSES

if TYPE_CHECKING:
    from billing_plugin.models.holds import Hold

TAGS = ["Holds"]
_MODEL = validate.Length(max=200)
_LASTING = validate.Range(min=1, max=MAX_HOLD_S)


class HoldBody(AmountBody, Counts):
    """An amount, or the tokens of a model; for how long (none: the setting hold_expires_s)."""

    model = fields.String(load_default="", validate=_MODEL)
    provider = fields.String(load_default="", validate=PROVIDER)
    metadata = Metadata(keys=fields.String(), load_default=dict)
    expiresInS = fields.Integer(strict=True, load_default=None, allow_none=True, validate=_LASTING)


class CaptureBody(AmountBody, Counts):
    """What the call has cost: an amount, or its tokens; neither: all that is held."""

    model = fields.String(load_default="", validate=_MODEL)
    provider = fields.String(load_default="", validate=PROVIDER)
    metadata = Metadata(keys=fields.String(), load_default=dict)
    policy = fields.String(load_default=REFUSE, validate=validate.OneOf(POLICIES))


class ExtendBody(Strict):
    """For how long from now."""

    expiresInS = fields.Integer(strict=True, required=True, validate=_LASTING)


class NothingBody(Strict):
    """Nothing needs to be said."""


class HoldsQuery(ListQuery):
    """Which holds."""

    status = fields.String(load_default=None, validate=validate.OneOf(STATUSES))


HOLD = shape(
    "Hold",
    "Money that is reserved until `expiresAt`, or what became of it.",
    id=TEXT,
    status=word(*STATUSES),
    amount=MONEY,
    captured=nullable(MONEY),
    recordId=nullable(TEXT),
    provider=TEXT,
    model=TEXT,
    keyId=nullable(TEXT),
    agent=nullable(TEXT),
    metadata=OPEN,
    createdAt=TIME,
    expiresAt=TIME,
    resolvedAt=nullable(TIME),
)
CAPTURE = shape("Capture", "A captured hold and the use it paid for.", hold=HOLD, record=RECORD)


@native.view(answers={201: HOLD}, refusals=(402, 501), tags=TAGS)
@native.arguments(HoldBody())
def hold(body: dict[str, Any]) -> Response:
    """Hold money

    An amount, or what the expected (better: the maximum) tokens of a model would cost.
    """
    cost = stated(body)
    if cost is None and not body["model"]:
        raise InvalidRequest("State an amount, or a model with its tokens.")
    held = operations.hold(
        actor(),
        account_id(),
        usage_of(body, cost=cost, model=body["model"] or "other"),
        expires_in_s=body["expiresInS"],
        idempotency_key=idempotency_key(),
    )
    return ok(_shape(held.hold), 201, replayed=held.replayed)


@native.view(answers={200: pages(HOLD)}, csv=True, tags=TAGS)
@native.arguments(HoldsQuery(), location="query", unknown=marshmallow.RAISE)
def list_holds(query: dict[str, Any]) -> Response:
    """List holds

    Newest first.
    """
    account = account_id()
    page = partial(operations.list_holds, actor(), account, status=query["status"])
    return listed(query, Rows("holds", HOLD), page, account=account, shape=_shape)


@native.view(answers={200: HOLD}, tags=TAGS)
def get_hold(hold_id: str) -> Response:
    """See one hold"""
    return ok(_shape(operations.get_hold(actor(), account_id(), hold_id)))


@native.view(answers={200: CAPTURE}, refusals=(402, 501), tags=TAGS)
@native.arguments(CaptureBody(), required=False)
def capture_hold(body: dict[str, Any], hold_id: str) -> Response:
    """Capture a hold

    Takes what the call has cost and gives the rest back, once. `policy` decides about more than is
    held: `refuse`, `if_available`, or `overdraft` for what has happened already.
    """
    captured = operations.capture(
        actor(),
        account_id(),
        hold_id,
        taken=_taken(body),
        policy=body["policy"],
        idempotency_key=idempotency_key(),
    )
    told = {"hold": _shape(captured.hold), "record": shape_of_record(captured.record)}
    return ok(told, replayed=captured.replayed)


@native.view(answers={200: HOLD}, tags=TAGS)
@native.arguments(NothingBody(), required=False)
def release_hold(body: dict[str, Any], hold_id: str) -> Response:
    """Give back all that is held"""
    del body
    held = operations.release(actor(), account_id(), hold_id, idempotency_key=idempotency_key())
    return ok(_shape(held.hold), replayed=held.replayed)


@native.view(answers={200: HOLD}, tags=TAGS)
@native.arguments(ExtendBody())
def extend_hold(body: dict[str, Any], hold_id: str) -> Response:
    """Give a hold another deadline, counted from now"""
    held = operations.extend(
        actor(),
        account_id(),
        hold_id,
        expires_in_s=body["expiresInS"],
        idempotency_key=idempotency_key(),
    )
    return ok(_shape(held.hold), replayed=held.replayed)


def _taken(body: dict[str, Any]) -> operations.Usage | None:
    cost = stated(body)
    used = usage_of(body, cost=cost)
    if cost is not None or used.quantities:
        return used
    if used.model or used.provider or used.metadata:
        raise InvalidRequest("State what was used: an amount, or tokens.")
    return None


def _shape(found: Hold) -> dict[str, Any]:
    return {
        "id": found.id,
        "status": found.status,
        "amount": money(found.amount),
        "captured": money(found.captured),
        "recordId": found.record_id,
        "provider": found.provider,
        "model": found.model,
        "keyId": found.key_id,
        "agent": found.agent,
        "metadata": found.metadata,
        "createdAt": found.created_at,
        "expiresAt": found.expires_at,
        "resolvedAt": found.resolved_at,
    }
