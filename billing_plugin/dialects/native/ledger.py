"""Native: the balance and the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import marshmallow
from flask import Response

from billing_plugin import operations
from billing_plugin.dialects.dialect import account_id, actor, whole_number
from billing_plugin.dialects.native.face import Strict, native, ok
from billing_plugin.dialects.native.shapes import MONEY, money
from billing_plugin.dialects.openapi import OPEN, TEXT, TIME, WHOLE, many, nullable, shape

if TYPE_CHECKING:
    from billing_plugin.models.ledger import LedgerEntry

TAGS = ["Balance and ledger"]
BALANCE = shape(
    "Balance",
    "What the account has: available = posted - held.",
    accountId=TEXT,
    available=MONEY,
    posted=MONEY,
    held=MONEY,
    asOf=TIME,
)
ENTRY = shape(
    "LedgerEntry",
    "One movement.",
    id=TEXT,
    kind=TEXT,
    amount=MONEY,
    balanceAfter=MONEY,
    sequence=WHOLE,
    referenceId=nullable(TEXT),
    metadata=OPEN,
    effectiveAt=TIME,
    recordedAt=TIME,
)


class PageQuery(Strict):
    """Which entries."""

    limit = whole_number(1, 100, default=50)
    offset = whole_number(0, 2**31, default=0)


@native.view(answers={200: BALANCE}, tags=TAGS)
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


@native.view(answers={200: many(ENTRY)}, tags=TAGS)
@native.arguments(PageQuery(), location="query", unknown=marshmallow.RAISE)
def list_ledger_entries(query: dict[str, int]) -> Response:
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
