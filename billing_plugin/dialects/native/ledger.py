"""Native: the balance, now and at a past moment, and the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import marshmallow
from flask import Response

from billing_plugin import operations
from billing_plugin.dialects.arguments import whole_number
from billing_plugin.dialects.dialect import account_id, actor
from billing_plugin.dialects.native.face import Strict, native, ok
from billing_plugin.dialects.native.paging import Listing, PageQuery, pages
from billing_plugin.dialects.native.shapes import MONEY, money, time
from billing_plugin.dialects.native.tables import FormatQuery, Rows, is_file, whole
from billing_plugin.dialects.openapi import OPEN, TEXT, TIME, WHOLE, nullable, shape
from billing_plugin.errors import InvalidRequest

if TYPE_CHECKING:
    from billing_plugin.models.ledger import LedgerEntry

TAGS = ["Balance and ledger"]
BALANCE = shape(
    "Balance",
    "What the account has: available = posted - held; spendable = available + postpaid.",
    accountId=TEXT,
    available=MONEY,
    posted=MONEY,
    held=MONEY,
    postpaid=MONEY,
    spendable=MONEY,
    asOf=TIME,
)
PAST_BALANCE = shape(
    "PastBalance",
    "What was posted right after the last entry (`sequence`, 0: none) recorded until then.",
    accountId=TEXT,
    posted=MONEY,
    sequence=WHOLE,
    asOf=TIME,
)
ENTRY = shape(
    "LedgerEntry",
    "One movement; `reversesId` names the entry that it corrects.",
    id=TEXT,
    kind=TEXT,
    amount=MONEY,
    balanceAfter=MONEY,
    sequence=WHOLE,
    referenceId=nullable(TEXT),
    reversesId=nullable(TEXT),
    requestId=nullable(TEXT),
    metadata=OPEN,
    effectiveAt=TIME,
    recordedAt=TIME,
)


class PastQuery(Strict):
    """The moment."""

    at = time(required=True)


class EntriesQuery(FormatQuery, PageQuery):
    """Which entries: from a cursor on, or after skipping some."""

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
            "postpaid": money(balance.postpaid),
            "spendable": money(balance.spendable, balance=True),
            "asOf": balance.as_of,
        }
    )


@native.view(answers={200: PAST_BALANCE}, tags=TAGS)
@native.arguments(PastQuery(), location="query", unknown=marshmallow.RAISE)
def get_past_balance(query: dict[str, Any]) -> Response:
    """Check the balance at a past moment"""
    balance = operations.check_past_balance(actor(), account_id(), query["at"])
    return ok(
        {
            "accountId": balance.account_id,
            "posted": money(balance.posted, balance=True),
            "sequence": balance.sequence,
            "asOf": balance.as_of,
        }
    )


@native.view(answers={200: pages(ENTRY)}, csv=True, tags=TAGS)
@native.arguments(EntriesQuery(), location="query", unknown=marshmallow.RAISE)
def list_ledger_entries(query: dict[str, Any]) -> Response:
    """List ledger entries

    Newest first. A cursor stays right while entries are added; an offset shifts with them.
    """
    offset = query.pop("offset")
    if offset and query["cursor"]:
        raise InvalidRequest("State a cursor or an offset.", extra={"fields": {"offset": "Both."}})
    of = actor(), account_id()
    if is_file(query):
        return whole(
            Rows("ledger", ENTRY),
            lambda before: operations.list_entries(*of, before=before, limit=100),
            shape=shape_of_entry,
            place_of=lambda entry: entry.sequence,
        )
    listing = Listing("ledger", account_id(), query)
    before = listing.before
    entries = operations.list_entries(
        *of,
        limit=listing.limit,
        offset=offset,
        before=int(before) if before else None,
    )
    return listing.answer(entries, shape_of_entry, lambda entry: entry.sequence)


@native.view(answers={200: ENTRY}, tags=TAGS)
def get_ledger_entry(entry_id: str) -> Response:
    """See one ledger entry"""
    return ok(shape_of_entry(operations.get_entry(actor(), account_id(), entry_id)))


def shape_of_entry(entry: LedgerEntry) -> dict[str, Any]:
    """An entry as it is shown."""
    return {
        "id": entry.id,
        "kind": entry.kind,
        "amount": money(entry.amount),
        "balanceAfter": money(entry.balance_after, balance=True),
        "sequence": entry.sequence,
        "referenceId": entry.reference_id,
        "reversesId": entry.reverses_id,
        "requestId": entry.request_id,
        "metadata": entry.metadata,
        "effectiveAt": entry.effective_at,
        "recordedAt": entry.recorded_at,
    }
