"""Native: spending limits."""

from __future__ import annotations

from typing import Any

from flask import Response
from marshmallow import fields, validate

from billing_plugin import operations
from billing_plugin.dialects.dialect import account_id, actor, currency
from billing_plugin.dialects.native.face import native, ok
from billing_plugin.dialects.native.shapes import MONEY, AmountBody, amount_of, money
from billing_plugin.dialects.openapi import FLAG, TEXT, TIME, many, nullable, shape, word
from billing_plugin.operations.limits import LimitState
from billing_plugin.periods import NAMED_WINDOWS

TAGS = ["Limits"]


class LimitBody(AmountBody):
    """A hard ceiling for a calendar window."""

    window = fields.String(load_default="monthly", validate=validate.OneOf(NAMED_WINDOWS))
    zone = fields.String(load_default="UTC", validate=validate.Length(min=1, max=64))


LIMIT = shape(
    "Limit",
    "A limit with its present window.",
    id=TEXT,
    amount=MONEY,
    window=word(*NAMED_WINDOWS),
    zone=TEXT,
    action=TEXT,
    spent=MONEY,
    held=MONEY,
    remaining=nullable(MONEY),
    windowStart=TIME,
    resetsAt=nullable(TIME),
)
REMOVED = shape("Removed", "What was removed.", deleted=FLAG, id=TEXT)


@native.view(answers={200: many(LIMIT)}, tags=TAGS)
def list_limits() -> Response:
    """List spending limits"""
    return ok([_shape(state) for state in operations.list_limits(actor(), account_id())])


@native.view(answers={201: LIMIT}, tags=TAGS)
@native.arguments(LimitBody())
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


@native.view(answers={200: LIMIT}, tags=TAGS)
def get_limit(limit_id: str) -> Response:
    """See one spending limit"""
    return ok(_shape(operations.get_limit(actor(), account_id(), limit_id)))


@native.view(answers={200: REMOVED}, tags=TAGS)
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
