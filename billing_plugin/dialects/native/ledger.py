"""Native: the balance and the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import marshmallow
from flask import Response
from marshmallow import Schema, fields, validate

from billing_plugin import operations
from billing_plugin.dialects.dialect import account_id, actor
from billing_plugin.dialects.native.face import Strict, native, ok
from billing_plugin.dialects.native.shapes import MoneyShape, money

if TYPE_CHECKING:
    from billing_plugin.models.ledger import LedgerEntry


class BalanceShape(Schema):
    """What the account has: available = posted - held."""

    accountId = fields.String(required=True)
    available = fields.Nested(MoneyShape, required=True)
    posted = fields.Nested(MoneyShape, required=True)
    held = fields.Nested(MoneyShape, required=True)
    asOf = fields.DateTime(required=True)


class PageQuery(Strict):
    """Which entries."""

    limit = fields.Integer(load_default=50, validate=validate.Range(min=1, max=100))
    offset = fields.Integer(load_default=0, validate=validate.Range(min=0, max=2**31))


class EntryShape(Schema):
    """One movement."""

    id = fields.String(required=True)
    kind = fields.String(required=True)
    amount = fields.Nested(MoneyShape, required=True)
    balanceAfter = fields.Nested(MoneyShape, required=True)
    sequence = fields.Integer(required=True)
    referenceId = fields.String(required=True, allow_none=True)
    metadata = fields.Dict(keys=fields.String(), required=True)
    effectiveAt = fields.DateTime(required=True)
    recordedAt = fields.DateTime(required=True)


@native.route("/balance")
@native.response(200, BalanceShape)
def get_balance() -> Response:
    """Check the balance"""
    balance = operations.check_balance(actor(), account_id())
    return ok(
        {
            "accountId": balance.account_id,
            "available": money(balance.available, balance=True),
            "posted": money(balance.posted, balance=True),
            "held": money(balance.held),
            "asOf": balance.as_of,
        }
    )


@native.route("/ledger")
@native.arguments(PageQuery(), location="query", unknown=marshmallow.RAISE)
@native.response(200, EntryShape(many=True))
def list_entries(query: dict[str, int]) -> Response:
    """List ledger entries

    Newest first.
    """
    entries = operations.list_entries(
        actor(), account_id(), limit=query["limit"], offset=query["offset"]
    )
    return ok([_shape(entry) for entry in entries])


def _shape(entry: LedgerEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "kind": entry.kind,
        "amount": money(entry.amount),
        "balanceAfter": money(entry.balance_after, balance=True),
        "sequence": entry.sequence,
        "referenceId": entry.reference_id,
        "metadata": entry.metadata,
        "effectiveAt": entry.effective_at,
        "recordedAt": entry.recorded_at,
    }
