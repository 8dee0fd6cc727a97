"""Native: asking for more under a limit for a time, and deciding about it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import marshmallow
from flask import Response
from marshmallow import fields, validate

from billing_plugin import operations
from billing_plugin.dialects.dialect import account_id, actor, currency
from billing_plugin.dialects.native.face import Strict, idempotency_key, native, ok
from billing_plugin.dialects.native.paging import pages
from billing_plugin.dialects.native.shapes import MONEY, REASON, AmountBody, amount_of, money
from billing_plugin.dialects.native.tables import ListQuery, Rows, listed
from billing_plugin.dialects.openapi import TEXT, TIME, nullable, shape, word
from billing_plugin.operations.raises import DECIDE_WITHIN_S, MAX_RAISE_S

if TYPE_CHECKING:
    from billing_plugin.models.raises import LimitRaise

TAGS = ["Raises"]
STATUSES = ("pending", "approved", "denied", "expired")
_SECONDS = validate.Range(min=1, max=MAX_RAISE_S)


class RaiseBody(AmountBody):
    """How much more, for how long from now, and by when somebody must have decided."""

    lastsS = fields.Integer(strict=True, required=True, validate=_SECONDS)
    reason = fields.String(load_default="", validate=REASON)
    decideWithinS = fields.Integer(strict=True, load_default=DECIDE_WITHIN_S, validate=_SECONDS)


class DecisionBody(Strict):
    """Nothing needs to be said."""


RAISE = shape(
    "LimitRaise",
    "A wish for so much more under a limit, until `untilAt`; undecided, it ends at `expiresAt`.",
    id=TEXT,
    limitId=TEXT,
    status=word(*STATUSES),
    amount=MONEY,
    untilAt=TIME,
    reason=TEXT,
    requestedBy=TEXT,
    decidedBy=nullable(TEXT),
    createdAt=TIME,
    expiresAt=TIME,
    decidedAt=nullable(TIME),
)


@native.view(answers={201: RAISE}, tags=TAGS)
@native.arguments(RaiseBody())
def request_limit_raise(body: dict[str, Any], limit_id: str) -> Response:
    """Ask for a raise of a limit

    It changes nothing until somebody with the scope `limits:approve` approves it.
    """
    wish = operations.request_limit_raise(
        actor(),
        account_id(),
        limit_id,
        amount=amount_of(body, currency()),
        lasts_s=body["lastsS"],
        reason=body["reason"],
        decide_within_s=body["decideWithinS"],
        idempotency_key=idempotency_key(),
    )
    return ok(_shape(wish), 201, replayed=wish.replayed)


@native.view(answers={200: pages(RAISE)}, csv=True, tags=TAGS)
@native.arguments(ListQuery(), location="query", unknown=marshmallow.RAISE)
def list_limit_raises(query: dict[str, Any]) -> Response:
    """List raises

    Newest first.
    """
    account = account_id()
    page = partial(operations.list_limit_raises, actor(), account)
    return listed(query, Rows("raises", RAISE), page, account=account, shape=_shape)


@native.view(answers={200: RAISE}, tags=TAGS)
def get_limit_raise(raise_id: str) -> Response:
    """See one raise"""
    return ok(_shape(operations.get_limit_raise(actor(), account_id(), raise_id)))


@native.view(answers={200: RAISE}, tags=TAGS)
@native.arguments(DecisionBody(), required=False)
def approve_limit_raise(body: dict[str, Any], raise_id: str) -> Response:
    """Approve a raise

    No key of an agent holds the scope for this.
    """
    del body
    wish = operations.approve_limit_raise(
        actor(), account_id(), raise_id, idempotency_key=idempotency_key()
    )
    return ok(_shape(wish), replayed=wish.replayed)


@native.view(answers={200: RAISE}, tags=TAGS)
@native.arguments(DecisionBody(), required=False)
def deny_limit_raise(body: dict[str, Any], raise_id: str) -> Response:
    """Deny a raise"""
    del body
    wish = operations.deny_limit_raise(
        actor(), account_id(), raise_id, idempotency_key=idempotency_key()
    )
    return ok(_shape(wish), replayed=wish.replayed)


def _shape(wish: LimitRaise) -> dict[str, Any]:
    return {
        "id": wish.id,
        "limitId": wish.limit_id,
        "status": wish.status,
        "amount": money(wish.amount),
        "untilAt": wish.until_at,
        "reason": wish.reason,
        "requestedBy": wish.requested_by,
        "decidedBy": wish.decided_by,
        "createdAt": wish.created_at,
        "expiresAt": wish.expires_at,
        "decidedAt": wish.decided_at,
    }
