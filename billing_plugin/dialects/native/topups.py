"""Native: buying credit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Response, request
from marshmallow import Schema, fields, validate

from billing_plugin import operations
from billing_plugin.dialects.dialect import account_id, actor, currency
from billing_plugin.dialects.native.face import native, ok
from billing_plugin.dialects.native.shapes import AmountBody, MoneyShape, amount_of, money

if TYPE_CHECKING:
    from billing_plugin.models.topups import TopUp


class TopUpBody(AmountBody):
    """How much to buy, and with which payment method."""

    paymentMethod = fields.String(load_default="default", validate=validate.Length(min=1, max=100))


class TopUpShape(Schema):
    """One purchase. Status: processing, succeeded, failed, or unknown (being asked about)."""

    id = fields.String(required=True)
    status = fields.String(required=True)
    amount = fields.Nested(MoneyShape, required=True)
    processor = fields.String(required=True)
    paymentId = fields.String(required=True, allow_none=True)
    createdAt = fields.DateTime(required=True)


@native.route("/topups", methods=["POST"])
@native.arguments(TopUpBody())
@native.response(201, TopUpShape)
def top_up(body: dict[str, Any]) -> Response:
    """Top up

    Send an Idempotency-Key: the same key charges once, however often it is sent.
    """
    topup = operations.top_up(
        actor(),
        account_id(),
        amount_of(body, currency()),
        payment_method=body["paymentMethod"],
        idempotency_key=request.headers.get("Idempotency-Key"),
    )
    return ok(_shape(topup), 201)


@native.route("/topups/<topup_id>")
@native.response(200, TopUpShape)
def get_topup(topup_id: str) -> Response:
    """See one top-up"""
    return ok(_shape(operations.get_topup(actor(), account_id(), topup_id)))


def _shape(topup: TopUp) -> dict[str, Any]:
    return {
        "id": topup.id,
        "status": topup.status,
        "amount": money(topup.amount),
        "processor": topup.processor,
        "paymentId": topup.payment_id,
        "createdAt": topup.created_at,
    }
