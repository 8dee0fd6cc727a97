"""Conduit: GET /balance and GET /ledger, exactly as seed 004 shows them.

Amounts in cents are rounded half-even, balances down; both come from exact nanos, so the printed
cents of sub-cent debits need not add up (see the dialect's page in the documentation).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import marshmallow
from flask import Response
from marshmallow import Schema

from billing_plugin import operations
from billing_plugin.dialects.arguments import whole_number
from billing_plugin.dialects.conduit.face import conduit
from billing_plugin.dialects.dialect import account_id, actor
from billing_plugin.dialects.openapi import NUMBER, OPEN, TEXT, TIME, WHOLE, many, shape, word
from billing_plugin.dialects.wire import iso_millis, number, reply
from billing_plugin.money import Money

if TYPE_CHECKING:
    from billing_plugin.models.ledger import LedgerEntry

TYPES = {
    "topup": "CREDIT_PURCHASE",
    "usage": "USAGE_DEBIT",
    "support": "SUPPORT_CREDIT",
    "refund": "REFUND_DEBIT",
}


class PageQuery(Schema):
    """Page of the history; what is not known is without effect."""

    limit = whole_number(1, 100, default=10)
    offset = whole_number(0, 2**31, default=0)


BALANCE = shape("ConduitBalance", "The balance.", balanceInCents=WHOLE, balanceInDollars=NUMBER)
ENTRY = shape(
    "ConduitEntry",
    "One transaction.",
    id=TEXT,
    type=word(*TYPES.values()),
    amountInCents=WHOLE,
    balanceAfterInCents=WHOLE,
    metadata=OPEN,
    createdAt=TIME,
)
LEDGER = shape(
    "ConduitLedger",
    "One page of transactions; `count` is the number of rows in this page.",
    entries=many(ENTRY),
    limit=WHOLE,
    offset=WHOLE,
    count=WHOLE,
)


@conduit.view(answers={200: BALANCE})
def get_balance() -> Response:
    """Get the balance"""
    available = operations.check_balance(actor(), account_id()).available
    cents = available.cents_down
    dollars = number(Money.from_cents(cents, available.currency))
    return reply({"balanceInCents": cents, "balanceInDollars": dollars})


@conduit.view(answers={200: LEDGER})
@conduit.arguments(PageQuery(), location="query", unknown=marshmallow.EXCLUDE)
def get_ledger(query: dict[str, int]) -> Response:
    """List transactions

    Newest first.
    """
    limit, offset = query["limit"], query["offset"]
    found = operations.list_entries(actor(), account_id(), limit=limit, offset=offset)
    entries = [_shape(entry) for entry in found]
    return reply({"entries": entries, "limit": limit, "offset": offset, "count": len(entries)})


def _shape(entry: LedgerEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "type": TYPES.get(entry.kind) or _adjustment(entry),
        "amountInCents": entry.amount.cents,
        "balanceAfterInCents": entry.balance_after.cents_down,
        "metadata": _metadata(entry),
        "createdAt": iso_millis(entry.effective_at),
    }


def _adjustment(entry: LedgerEntry) -> str:
    return "SUPPORT_CREDIT" if entry.amount_nanos > 0 else "REFUND_DEBIT"


def _metadata(entry: LedgerEntry) -> dict[str, Any]:
    facts = entry.metadata
    if entry.kind == "usage":
        return {"model": facts["model"], "tokens": facts["tokens"]}
    return {"stripePaymentId": facts["paymentId"]} if "paymentId" in facts else dict(facts)
