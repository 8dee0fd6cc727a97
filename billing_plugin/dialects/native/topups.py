"""Native: buying credit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Response
from marshmallow import fields, validate

from billing_plugin import operations
from billing_plugin.dialects.dialect import account_id, actor, currency
from billing_plugin.dialects.native.face import idempotency_key, native, ok
from billing_plugin.dialects.native.shapes import MONEY, AmountBody, amount_of, money
from billing_plugin.dialects.openapi import TEXT, TIME, nullable, shape, word

if TYPE_CHECKING:
    from billing_plugin.models.topups import TopUp

TAGS = ["Top-ups"]


class TopUpBody(AmountBody):
    """How much to buy, and with which payment method."""

    paymentMethod = fields.String(load_default="default", validate=validate.Length(min=1, max=100))


TOPUP = shape(
    "TopUp",
    "One purchase. `unknown` means that the processor is being asked what became of it.",
    id=TEXT,
    status=word("processing", "succeeded", "failed", "unknown"),
    amount=MONEY,
    processor=TEXT,
    paymentId=nullable(TEXT),
    createdAt=TIME,
)


@native.view(answers={201: TOPUP}, refusals=(402, 501), tags=TAGS)
@native.arguments(TopUpBody())
def top_up(body: dict[str, Any]) -> Response:
    """Top up

    Send an Idempotency-Key: the same key charges once, however often it is sent.
    """
    topup = operations.top_up(
        actor(),
        account_id(),
        amount_of(body, currency()),
        payment_method=body["paymentMethod"],
        idempotency_key=idempotency_key(),
    )
    return ok(_shape(topup), 201, replayed=topup.replayed)


@native.view(answers={200: TOPUP}, tags=TAGS)
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
