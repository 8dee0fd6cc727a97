"""Native: what is put right by hand: adjustments, reversals, refunds. For operators."""

from __future__ import annotations

from typing import Any

from flask import Response
from marshmallow import fields, validate

from billing_plugin import operations
from billing_plugin.dialects.dialect import account_id, actor, currency
from billing_plugin.dialects.native.face import Strict, idempotency_key, native, ok
from billing_plugin.dialects.native.ledger import ENTRY, shape_of_entry
from billing_plugin.dialects.native.shapes import REASON, SIGNED, AmountBody, amount_of
from billing_plugin.money import MAX_CENTS

TAGS = ["Corrections"]
KINDS = ("support", "adjustment")


class AdjustmentBody(AmountBody):
    """A credit, or (negative) a debit."""

    amountCents = fields.Integer(
        strict=True, validate=validate.Range(min=-MAX_CENTS, max=MAX_CENTS)
    )
    amount = fields.String(validate=SIGNED)
    kind = fields.String(load_default="support", validate=validate.OneOf(KINDS))
    reason = fields.String(load_default="", validate=REASON)


class ReversalBody(Strict):
    """Why."""

    reason = fields.String(load_default="", validate=REASON)


class RefundBody(AmountBody):
    """How much is given back, and why."""

    reason = fields.String(load_default="", validate=REASON)


@native.view(answers={201: ENTRY}, refusals=(402,), tags=TAGS)
@native.arguments(AdjustmentBody())
def adjust(body: dict[str, Any]) -> Response:
    """Enter a credit or a debit by hand"""
    entry = operations.adjust(
        actor(),
        account_id(),
        amount_of(body, currency()),
        kind=body["kind"],
        reason=body["reason"],
        idempotency_key=idempotency_key(),
    )
    return ok(shape_of_entry(entry), 201, replayed=entry.replayed)


@native.view(answers={201: ENTRY}, refusals=(402,), tags=TAGS)
@native.arguments(ReversalBody(), required=False)
def reverse_entry(body: dict[str, Any], entry_id: str) -> Response:
    """Undo an entry whole

    Once for each entry: again answers with the first reversal.
    """
    entry = operations.reverse_entry(
        actor(), account_id(), entry_id, reason=body["reason"], idempotency_key=idempotency_key()
    )
    return ok(shape_of_entry(entry), 201, replayed=entry.replayed)


@native.view(answers={201: ENTRY}, tags=TAGS)
@native.arguments(RefundBody())
def refund_charge(body: dict[str, Any], entry_id: str) -> Response:
    """Give back part of a charge

    All refunds of a charge never exceed it.
    """
    entry = operations.refund_charge(
        actor(),
        account_id(),
        entry_id,
        amount=amount_of(body, currency()),
        reason=body["reason"],
        idempotency_key=idempotency_key(),
    )
    return ok(shape_of_entry(entry), 201, replayed=entry.replayed)
