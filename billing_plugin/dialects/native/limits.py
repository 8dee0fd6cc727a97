"""Native: spending limits."""

from __future__ import annotations

from typing import Any

from flask import Response
from marshmallow import Schema, fields, validate

from billing_plugin import operations
from billing_plugin.dialects.dialect import account_id, actor, currency
from billing_plugin.dialects.native.face import native, ok
from billing_plugin.dialects.native.shapes import (
    WINDOWS,
    AmountBody,
    MoneyShape,
    amount_of,
    money,
)
from billing_plugin.operations.limits import LimitState


class LimitBody(AmountBody):
    """A hard ceiling for a calendar window."""

    window = fields.String(load_default="monthly", validate=validate.OneOf(WINDOWS))
    zone = fields.String(load_default="UTC", validate=validate.Length(min=1, max=64))


class LimitShape(Schema):
    """A limit with its present window."""

    id = fields.String(required=True)
    amount = fields.Nested(MoneyShape, required=True)
    window = fields.String(required=True)
    zone = fields.String(required=True)
    action = fields.String(required=True)
    spent = fields.Nested(MoneyShape, required=True)
    held = fields.Nested(MoneyShape, required=True)
    remaining = fields.Nested(MoneyShape, required=True)
    windowStart = fields.DateTime(required=True)
    resetsAt = fields.DateTime(required=True)


class RemovedShape(Schema):
    """What was removed."""

    deleted = fields.Boolean(required=True)
    id = fields.String(required=True)


@native.route("/limits")
@native.response(200, LimitShape(many=True))
def list_limits() -> Response:
    """List spending limits"""
    return ok([_shape(state) for state in operations.list_limits(actor(), account_id())])


@native.route("/limits", methods=["POST"])
@native.arguments(LimitBody())
@native.response(201, LimitShape)
def set_limit(body: dict[str, Any]) -> Response:
    """Set a spending limit

    Setting the same window and zone again changes the amount and keeps what was counted.
    """
    state = operations.set_limit(
        actor(),
        account_id(),
        amount_of(body, currency()),
        window=body["window"],
        zone=body["zone"],
    )
    return ok(_shape(state), 201)


@native.route("/limits/<limit_id>")
@native.response(200, LimitShape)
def get_limit(limit_id: str) -> Response:
    """See one spending limit"""
    return ok(_shape(operations.get_limit(actor(), account_id(), limit_id)))


@native.route("/limits/<limit_id>", methods=["DELETE"])
@native.response(200, RemovedShape)
def remove_limit(limit_id: str) -> Response:
    """Remove a spending limit"""
    operations.remove_limit(actor(), account_id(), limit_id)
    return ok({"deleted": True, "id": limit_id})


def _shape(state: LimitState) -> dict[str, Any]:
    limit = state.limit
    return {
        "id": limit.id,
        "amount": money(limit.amount),
        "window": limit.window_name,
        "zone": limit.zone,
        "action": limit.action,
        "spent": money(state.spent),
        "held": money(state.held),
        "remaining": money(state.remaining, balance=True),
        "windowStart": state.window_start,
        "resetsAt": state.resets_at,
    }
