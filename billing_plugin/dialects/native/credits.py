"""Native: credit that is given, and what is left of each in the order of its use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Response
from marshmallow import fields, validate

from billing_plugin import operations
from billing_plugin.dialects.dialect import account_id, actor, currency
from billing_plugin.dialects.native.face import idempotency_key, native, ok
from billing_plugin.dialects.native.ledger import ENTRY, shape_of_entry
from billing_plugin.dialects.native.shapes import MONEY, REASON, AmountBody, amount_of, money, time
from billing_plugin.dialects.openapi import TEXT, TIME, WHOLE, many, nullable, shape
from billing_plugin.money import Money
from billing_plugin.operations.credits import Credits

if TYPE_CHECKING:
    from billing_plugin.models.credits import CreditGrant

TAGS = ["Credits"]
KINDS = ("promotion", "support")


class CreditBody(AmountBody):
    """How much is given, of which kind, and until when (none: for ever)."""

    kind = fields.String(load_default="promotion", validate=validate.OneOf(KINDS))
    expiresAt = time(load_default=None, allow_none=True)
    priority = fields.Integer(
        strict=True, load_default=None, allow_none=True, validate=validate.Range(min=0, max=100)
    )
    reason = fields.String(load_default="", validate=REASON)


class PostpaidBody(AmountBody):
    """How much may be used beyond all credit in a month; 0: nothing."""


CREDIT = shape(
    "Credit",
    "One credit with something left; the lower `priority` is used first.",
    id=TEXT,
    entryId=TEXT,
    kind=TEXT,
    amount=MONEY,
    remaining=MONEY,
    priority=WHOLE,
    expiresAt=nullable(TIME),
    createdAt=TIME,
)
CREDITS = shape(
    "Credits",
    "Credits in the order of their use, and what is owed beyond them.",
    credits=many(CREDIT),
    owed=MONEY,
    postpaid=MONEY,
    cycleEndsAt=nullable(TIME),
)


@native.view(answers={200: CREDITS}, tags=TAGS)
def list_credits() -> Response:
    """List what is left of each credit"""
    return ok(_shape(operations.list_credits(actor(), account_id())))


@native.view(answers={201: ENTRY}, tags=TAGS)
@native.arguments(CreditBody())
def grant_credit(body: dict[str, Any]) -> Response:
    """Give credit

    What is left when it expires is taken away by an entry of kind `expiry`. For operators.
    """
    entry = operations.grant_credit(
        actor(),
        account_id(),
        amount_of(body, currency()),
        kind=body["kind"],
        expires_at=body["expiresAt"],
        priority=body["priority"],
        reason=body["reason"],
        idempotency_key=idempotency_key(),
    )
    return ok(shape_of_entry(entry), 201, replayed=entry.replayed)


@native.view(answers={200: CREDITS}, tags=TAGS)
@native.arguments(PostpaidBody())
def set_postpaid_limit(body: dict[str, Any]) -> Response:
    """Set what may be used beyond all credit in a calendar month

    Lowered below what is used already, it refuses from then on. For operators.
    """
    amount = amount_of(body, currency())
    return ok(_shape(operations.set_postpaid_limit(actor(), account_id(), amount)))


def _shape(found: Credits) -> dict[str, Any]:
    return {
        "credits": [_grant(grant, found.owed.currency) for grant in found.grants],
        "owed": money(found.owed),
        "postpaid": money(found.postpaid),
        "cycleEndsAt": found.cycle_ends_at,
    }


def _grant(grant: CreditGrant, code: str) -> dict[str, Any]:
    return {
        "id": grant.id,
        "entryId": grant.entry_id,
        "kind": grant.kind,
        "amount": money(Money(grant.amount_nanos, code)),
        "remaining": money(Money(grant.remaining_nanos, code), balance=True),
        "priority": grant.priority,
        "expiresAt": grant.expires_at,
        "createdAt": grant.created_at,
    }
